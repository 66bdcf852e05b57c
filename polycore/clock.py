"""Time behind one protocol: the only source of time in the core.

Owns the two clocks. Durations, deadlines and staleness use ``monotonic``; wall time is for signing, expiry and display,
and must not measure anything.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks, both integer nanoseconds."""

    def wall(self) -> int:
        """Nanoseconds since the Unix epoch."""
        ...

    def monotonic(self) -> int:
        """Nanoseconds from an unknown start; never goes back."""
        ...


class WallClock:
    """The machine's clocks, without a Python frame between: dispatch reads one twice a hook."""

    wall = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic_ns)


class ManualClock:
    """A clock that moves only when told; both readings move together."""

    def __init__(self, wall: int = 1_700_000_000_000_000_000, monotonic: int = 1_000_000_000) -> None:
        self._wall = wall
        self._monotonic = monotonic

    def wall(self) -> int:
        return self._wall

    def monotonic(self) -> int:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both readings forward. Negative seconds raise ``ValueError``."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back, got {seconds} seconds")
        nanoseconds = round(seconds * 1_000_000_000)
        self._wall += nanoseconds
        self._monotonic += nanoseconds
