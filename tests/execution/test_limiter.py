"""The rate budget on a clock that moves when told."""

from hypothesis import given
from hypothesis import strategies as st

from polycore import ManualClock
from polycore.execution.limiter import Bucket, Budget, Limiter


def test_a_burst_passes_and_the_next_waits_for_the_rate():
    clock = ManualClock()
    bucket = Bucket(Budget(per_second=40, burst=60), clock)
    assert bucket.take(60) == 0
    assert bucket.wait(1) == 25_000_000
    clock.advance(0.025)
    assert bucket.wait(1) == 0


def test_an_idle_bucket_holds_no_more_than_its_burst():
    clock = ManualClock()
    bucket = Bucket(Budget(per_second=40, burst=60), clock)
    clock.advance(3_600)
    assert bucket.take(60) == 0
    assert bucket.wait(1) > 0


def test_takers_are_served_in_order():
    bucket = Bucket(Budget(per_second=10, burst=1), ManualClock())
    assert [bucket.take(1) for _ in range(4)] == [0, 100_000_000, 200_000_000, 300_000_000]


def test_more_than_the_burst_waits_for_a_full_bucket_and_is_paid_for():
    clock = ManualClock()
    bucket = Bucket(Budget(per_second=10, burst=10), clock)
    assert bucket.take(15) == 0
    assert bucket.wait(1) == 600_000_000


def test_cancels_have_a_budget_of_their_own():
    limiter = Limiter(ManualClock())
    limiter.orders.take(60)
    assert limiter.orders.wait(1) > 0
    assert limiter.cancels.wait(100) == 0


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 5)), max_size=60))
def test_no_second_holds_more_than_burst_and_rate(steps):
    """Whoever waits as told never sends more than ``burst + rate x time`` in any window from the start."""
    clock = ManualClock()
    bucket = Bucket(Budget(per_second=40, burst=60), clock)
    start, spent = clock.monotonic(), 0
    for milliseconds, cost in steps:
        clock.advance(milliseconds / 1_000)
        clock.advance(bucket.take(cost) / 1e9 + 1e-9)
        spent += cost
        assert spent <= 60 + 40 * (clock.monotonic() - start) / 1e9 + 1e-6
