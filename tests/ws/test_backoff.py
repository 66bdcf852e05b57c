"""Delays between connects: bounded, jittered, never earlier than the venue asks."""

from itertools import islice, pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from polycore.ws.backoff import Backoff, Spacing, delays, retry_after_seconds

seeds = st.integers(0, 2**32)
NOON = 1_700_000_000_000_000_000


@given(seeds)
def test_each_delay_lies_under_its_own_ceiling_and_the_cap(seed):
    for number, delay in enumerate(islice(delays(Random(seed)), 20)):
        assert 0 <= delay <= min(60.0, 0.25 * 2**number)


@given(seeds)
def test_the_same_seed_gives_the_same_delays(seed):
    assert list(islice(delays(Random(seed)), 12)) == list(islice(delays(Random(seed)), 12))


def test_delays_are_spread_over_the_whole_range():
    third = [next(islice(delays(Random(seed)), 2, None)) for seed in range(400)]
    assert min(third) < 0.1
    assert max(third) > 0.9


@given(seeds, st.lists(st.sampled_from(["next", "reset"]), max_size=30))
def test_a_reset_returns_to_the_shortest_delay_and_nothing_else_does(seed, steps):
    backoff, tries = Backoff(Random(seed)), 0
    for step in steps:
        if step == "reset":
            backoff.reset()
            tries = 0
        else:
            assert backoff.next() <= min(60.0, 0.25 * 2**tries)
            tries += 1
        assert backoff.attempt == tries


@given(seeds, st.floats(0, 10_000))
def test_no_attempt_is_earlier_than_retry_after(seed, asked):
    assert Backoff(Random(seed)).next(asked) >= asked


@given(seeds, st.lists(st.integers(0, 3_000_000_000), min_size=2, max_size=20))
def test_starts_are_at_least_the_gap_apart_and_at_most_a_fifth_more_when_all_wait(seed, pauses):
    spacing, now, starts = Spacing(Random(seed), gap=1.0), 5, []
    for pause in pauses:
        now += pause
        starts.append(now + round(spacing.take(now) * 1e9))
    assert all(later - earlier >= 999_999_999 for earlier, later in pairwise(starts))
    at_once = Spacing(Random(seed), gap=1.0)
    assert [at_once.take(0) for _ in range(5)][-1] <= 4 * 1.2


def test_retry_after_reads_seconds_and_dates():
    assert retry_after_seconds("17", NOON) == 17
    assert retry_after_seconds("Tue, 14 Nov 2023 22:13:50 GMT", NOON) == 30
    assert retry_after_seconds("Tue, 14 Nov 2023 22:13:00 GMT", NOON) == 0
    assert retry_after_seconds(None, NOON) == retry_after_seconds("soon", NOON) == 0
