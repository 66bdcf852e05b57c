"""The exchange's own log: one JSON line for each order, cancel, login and channel event, with wall times.

What a test of an interrupted run measures from. Never a secret, never a signature.
"""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from polycore.clock import Clock
from polycore.errors import UsageError


class TrafficLog:
    """Appends to a file, each line at once; without a path it writes nothing. ``time`` is wall nanoseconds."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._clock = clock
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = path.open("ab", buffering=0)
            except OSError as error:
                raise UsageError(f"log file {path} cannot be written: {error.strerror}") from None

    def write(self, event: str, **fields: str | int | bool | tuple[str, ...] | None) -> None:
        """Append one line: the time, the event's name, then the fields."""
        if self._file is not None:
            line = {"time": self._clock.wall(), "event": event} | fields
            self._file.write(msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """Close the file; nothing may be written afterwards."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> "TrafficLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
