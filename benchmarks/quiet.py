"""How much of the machine others used while something was measured, and runs repeated until they leave it alone.

Owns the judgement of the machine, never that of a result: a run counts or not by what its neighbours used.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Generic, TypeVar

from msgspec import Struct

QUIET = 0.08
"""Cores that others may use, on average, in a run that counts."""
_LONGEST_WAIT_SECONDS = float(os.environ.get("BENCH_QUIET_SECONDS", "30"))
_LOOK_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")
T = TypeVar("T")


class Runs(Struct, Generic[T]):
    """``counted`` are the quiet runs, or all of them when there was none. ``others`` belongs to ``counted``."""

    counted: list[T]
    others: list[float]
    dropped: int
    quiet: bool

    def median(self, value: Callable[[T], float]) -> float:
        return float(median(map(value, self.counted)))

    def each(self, value: Callable[[T], float]) -> str:
        return " ".join(f"{value(run):.4g}" for run in self.counted)

    @property
    def company(self) -> str:
        """What others used, in words for the table."""
        used = " ".join(f"{share:.2f}" for share in self.others)
        if self.quiet:
            return f"{used} cores, {self.dropped} noisy runs left out" if self.dropped else f"{used} cores"
        return f"{used} cores: NOT QUIET, run it again on an idle machine"


def repeated(run: Callable[[], T], wanted: int = 3, most: int = 6) -> Runs[T]:
    """``wanted`` quiet runs, of ``most`` at most; each is begun when the machine is quiet, if it becomes so."""
    quiet: list[tuple[T, float]] = []
    noisy: list[tuple[T, float]] = []
    while len(quiet) < wanted and len(quiet) + len(noisy) < most:
        _wait_for_quiet()
        before, began = _others(), time.monotonic()
        done = run()
        used = max(_others() - before, 0.0) / (time.monotonic() - began)
        (quiet if used <= QUIET else noisy).append((done, used))
    counted = quiet or noisy
    return Runs([done for done, _ in counted], [used for _, used in counted], len(noisy) * bool(quiet), bool(quiet))


def resident() -> int:
    """Bytes of this process that the machine holds in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _wait_for_quiet() -> None:
    end = time.monotonic() + _LONGEST_WAIT_SECONDS
    while time.monotonic() < end:
        before = _others()
        time.sleep(_LOOK_SECONDS)
        if (_others() - before) / _LOOK_SECONDS <= QUIET:
            return


def _others() -> float:
    """CPU seconds that everything but this process and its children has used since the machine was started."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    return (int(fields[1]) + int(fields[2]) + int(fields[3])) / _TICKS - _ours()


def _ours() -> float:
    times = os.times()
    used = times.user + times.system + times.children_user + times.children_system
    for child in _children(os.getpid()):
        try:
            fields = Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        used += (int(fields[11]) + int(fields[12])) / _TICKS
    return used


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []
