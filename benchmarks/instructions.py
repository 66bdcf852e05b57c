"""Bar 1 again, in machine instructions: the figure that does not move with the neighbours.

``python -m benchmarks.instructions WHAT COUNT`` is what runs under callgrind, once with N and once with 2N frames: the
difference is free of start-up. The frames pass through a file, so that making them is not counted.
"""

import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import stream
from benchmarks.report import Bar, at_most, not_measured

NAME = "market path, instructions"
BAR = 1.6
_FRAMES = 5_000
_COLLECTED = re.compile(rb"Collected\s*:\s*(\d+)")


def measure() -> list[Bar]:
    """Both sides, N and 2N frames each."""
    if shutil.which("valgrind") is None:
        return [not_measured(NAME, f"≤ {BAR}", "× orjson.loads", "valgrind is missing: apt-get install valgrind")]
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "stream"
        frames.write_bytes(pickle.dumps(stream.make()))
        subprocess.run(_command("ours", 1, frames), check=True)  # writes what Python compiles, once
        counts = {
            what: (_count(what, 2 * _FRAMES, frames) - _count(what, _FRAMES, frames)) / _FRAMES
            for what in ("orjson", "ours")
        }
    ratio = counts["ours"] / counts["orjson"]
    return [
        at_most(
            NAME, ratio, BAR, "× orjson.loads",
            instructions_a_frame=round(counts["ours"]), orjson=round(counts["orjson"]),
        )
    ]  # fmt: skip


def _count(what: str, count: int, frames: Path) -> int:
    callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={frames}.{what}.{count}"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(callgrind + _command(what, count, frames), capture_output=True, env=environment, check=False)
    found = _COLLECTED.search(done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"callgrind of {what} failed: {done.stderr[-2000:].decode(errors='replace')}")
    return int(found[1])


def _command(what: str, count: int, frames: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.instructions", what, str(count), str(frames)]


def _run(what: str, count: int, path: str) -> None:
    made: stream.Stream = pickle.loads(Path(path).read_bytes())  # noqa: S301 - written by ourselves a moment ago
    frames = made.frames[:count]
    if what == "orjson":
        import orjson

        for frame in frames:
            orjson.loads(frame)
    else:
        from benchmarks import rig

        rig.feed(rig.fed(made), frames)


if __name__ == "__main__":
    _run(sys.argv[1], int(sys.argv[2]), sys.argv[3])
