"""Durations, counted cheaply.

Owns one histogram of constant size. Must not read a clock.
"""

_SUB_BITS = 7
_SUB = 1 << _SUB_BITS
_BUCKETS = (64 - _SUB_BITS) * _SUB


class Histogram:
    """Durations in nanoseconds in logarithmic buckets: constant memory, any quantile within 0.4 %.

    Every power of two is divided into 128 equal buckets and a quantile is the middle of its bucket, so the error is at
    most half of 1/128 of the value. Values below 256 ns and ``max`` are exact.
    """

    __slots__ = ("max", "_counts")

    def __init__(self) -> None:
        self.max = 0
        self._counts = [0] * _BUCKETS

    @property
    def count(self) -> int:
        """Durations recorded."""
        return sum(self._counts)

    def record(self, nanoseconds: int) -> None:
        """Count one duration, zero or more."""
        shift = nanoseconds.bit_length() - _SUB_BITS - 1
        if shift > 0:
            self._counts[(shift << _SUB_BITS) + (nanoseconds >> shift)] += 1
        else:
            self._counts[nanoseconds] += 1
        if nanoseconds > self.max:
            self.max = nanoseconds

    def quantile(self, per_mille: int) -> int:
        """Duration in nanoseconds that ``per_mille`` of a thousand do not exceed; 0 when nothing was recorded."""
        rank = max(-(-self.count * per_mille // 1000), 1)
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= rank and count:
                return min(_middle(bucket), self.max)
        return 0

    @property
    def p50(self) -> int:
        return self.quantile(500)

    @property
    def p99(self) -> int:
        return self.quantile(990)


def _middle(bucket: int) -> int:
    shift = (bucket >> _SUB_BITS) - 1
    if shift <= 0:
        return bucket
    return ((bucket - (shift << _SUB_BITS)) << shift) + (1 << shift >> 1)
