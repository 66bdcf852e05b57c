"""The histogram against exact quantiles."""

from hypothesis import given
from hypothesis import strategies as st

from polycore.dispatch.latency import Histogram


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
def test_quantiles_are_within_half_a_per_cent(durations):
    histogram = Histogram()
    for duration in durations:
        histogram.record(duration)
    durations.sort()
    for per_mille in (500, 990):
        exact = durations[-(-len(durations) * per_mille // 1000) - 1]
        assert abs(histogram.quantile(per_mille) - exact) <= exact * 0.005
    assert (histogram.max, histogram.count) == (durations[-1], len(durations))


def test_nothing_recorded_is_zero():
    histogram = Histogram()
    assert (histogram.p50, histogram.p99, histogram.max, histogram.count) == (0, 0, 0, 0)
