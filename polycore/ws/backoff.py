"""How long to wait before connecting.

Owns delays only: it sleeps nowhere and reads no clock. Randomness comes in as an argument.
"""

from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random

_NANOSECONDS = 1_000_000_000


def delays(rng: Random, base: float = 0.25, cap: float = 60.0) -> Iterator[float]:
    """Seconds to wait before each retry, without end: full jitter over ``min(cap, base * 2 ** n)``, n from 0."""
    ceiling = min(base, cap)
    while True:
        yield rng.uniform(0.0, ceiling)
        ceiling = min(cap, ceiling * 2)


class Backoff:
    """Delays of one connection. ``attempt`` counts the retries since the connection was last worth its while."""

    def __init__(self, rng: Random, base: float = 0.25, cap: float = 60.0) -> None:
        self._rng = rng
        self._base = base
        self._cap = cap
        self.reset()

    def next(self, retry_after: float = 0.0) -> float:
        """Seconds to wait before the next attempt, never less than the venue asked for."""
        self.attempt += 1
        return max(next(self._delays), retry_after)

    def reset(self) -> None:
        """Start again at the shortest delay. Only for a connection that was useful: one that merely opened may flap."""
        self.attempt = 0
        self._delays = delays(self._rng, self._base, self._cap)


class Spacing:
    """Keeps the starts of connections apart: the venue answers 429 to many upgrades at once.

    Each start is ``gap`` to ``gap * (1 + jitter)`` seconds after the one before it.
    """

    def __init__(self, rng: Random, gap: float, jitter: float = 0.2) -> None:
        self._rng = rng
        self._gap = gap
        self._jitter = jitter
        self._next_start = 0

    def take(self, now: int) -> float:
        """Take the next start and return the seconds until then. ``now`` is monotonic, in nanoseconds."""
        start = max(now, self._next_start)
        self._next_start = start + round(self._gap * (1 + self._rng.uniform(0, self._jitter)) * _NANOSECONDS)
        return (start - now) / _NANOSECONDS


def retry_after_seconds(header: str | None, wall: int) -> float:
    """Seconds a ``Retry-After`` header asks for: a number, or a date compared with ``wall`` (nanoseconds since 1970).

    0 for a header that is missing, in the past or unreadable (RFC 9110, 10.2.3).
    """
    if header is None:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - wall / _NANOSECONDS)
