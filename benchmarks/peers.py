"""Bar 2: the same stream through peers from the index, each in its own environment, in turns with ours.

A peer is measured in a process of its own that waits while we run: one round of ours, one of each peer, and again.
"""

import gc
import math
import os
import statistics
import subprocess
import time
from pathlib import Path

from benchmarks import rig, stream
from benchmarks.peer_worker import PASSES
from benchmarks.report import Bar, at_least, not_measured

ROUNDS = 5
PEERS = {
    "polymarket-client": (5.0, "polymarket-client parses, keeps no book"),
    "nautilus_trader": (7.0, "nautilus_trader deltas into its books"),
}
_ROOT = Path(__file__).parent.parent


def measure() -> list[Bar]:
    """One bar a peer: how many times as long it takes as the whole market path here."""
    made = stream.make()
    workers = {peer: _Worker(peer) for peer in PEERS}
    ready = {peer: worker for peer, worker in workers.items() if worker.ready()}
    try:
        rounds = [
            {"ours": _ours(made), **{peer: worker.round() for peer, worker in ready.items()}}
            for _ in range(ROUNDS if ready else 0)
        ]
    finally:
        for worker in workers.values():
            worker.close()
    bars = []
    for peer, (bar, name) in PEERS.items():
        if peer in ready:
            ratio = statistics.median(row[peer] / row["ours"] for row in rounds)
            theirs, ours = (statistics.median(row[key] for row in rounds) / 1000 for key in (peer, "ours"))
            bars.append(at_least(name, ratio, bar, "× ours", us_a_frame=theirs, ours=ours))
        else:
            bars.append(not_measured(name, f"≥ {bar:g}", "× ours", workers[peer].why))
    return bars


def _ours(made: stream.Stream) -> float:
    """Nanoseconds a frame: the best of as many passes as a peer makes in its turn."""
    best = math.inf
    for _ in range(PASSES):
        to = rig.fed(made)
        gc.collect()
        began = time.perf_counter_ns()
        rig.feed(to, made.frames)
        best = min(best, time.perf_counter_ns() - began)
    return best / len(made.frames)


class _Worker:
    """One peer's process. ``why`` says what is wrong when it is not ready."""

    def __init__(self, peer: str) -> None:
        self.why = ""
        self._process: subprocess.Popen[str] | None = None
        python = _ROOT / os.environ.get("PEERS", ".venv-peers") / "bin" / "python"
        if not python.exists():
            self.why = f"{python.parent.parent.name} is missing: `make bench` makes it"
            return
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.peer_worker", peer],
            cwd=_ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ready(self) -> bool:
        """Whether the peer is there and its result is right."""
        if self._process is None:
            return False
        if self._line() == "ready":
            return True
        assert self._process.stderr is not None
        self.why = (self._process.stderr.read().strip().splitlines() or ["it said nothing"])[-1]
        return False

    def round(self) -> float:
        """Nanoseconds a frame."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
