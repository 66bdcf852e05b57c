"""The venue's rate budget: token buckets on an injected clock.

Owns how much may be sent when. Orders and cancels have a bucket each, so that a cancel never waits behind an order.
Must not sleep: it says how long to wait.
"""

from msgspec import Struct

from polycore.clock import Clock

_SECOND = 1_000_000_000


class Budget(Struct, frozen=True):
    """Requests a second, and how many may come at once. A batch of n costs n."""

    per_second: int
    burst: int


ORDERS = Budget(per_second=40, burst=60)
CANCELS = Budget(per_second=80, burst=120)
"""The lowest tier of the venue's buckets for each signer (venue reference 4.11)."""


class Bucket:
    """A token bucket. Counted in billionths of a token, so that refilling rounds nothing away."""

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self.burst = budget.burst
        self._rate = budget.per_second
        self._full = budget.burst * _SECOND
        self._level = self._full
        self._clock = clock
        self._filled = clock.monotonic()

    def wait(self, cost: int) -> int:
        """Nanoseconds until ``cost`` tokens are there, 0 when they are. More than the burst waits for a full bucket."""
        self._refill()
        lacking = min(cost * _SECOND, self._full) - self._level
        return max(-(-lacking // self._rate), 0)

    def take(self, cost: int) -> int:
        """Take ``cost`` tokens now and return the nanoseconds to wait before sending. Takers are served in order."""
        wait = self.wait(cost)
        self._level -= cost * _SECOND
        return wait

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._level = min(self._level + (now - self._filled) * self._rate, self._full)
        self._filled = now


class Limiter:
    """The budget of one account: ``orders`` and ``cancels``."""

    def __init__(self, clock: Clock, orders: Budget = ORDERS, cancels: Budget = CANCELS) -> None:
        self.orders = Bucket(orders, clock)
        self.cancels = Bucket(cancels, clock)
