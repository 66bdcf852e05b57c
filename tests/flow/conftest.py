"""The command line as a user runs it: processes on loopback, nothing in between."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

POLYCORE = (sys.executable, "-m", "polycore")


class Process:
    """One ``polycore`` process, its output collected line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def until(self, found: Callable[[str], bool], seconds: float = 20) -> str:
        """The first line that fits. Fails with the whole output when none comes in time."""
        seen = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for line in self.lines[seen:]:
                        seen += 1
                        if found(line):
                            return line
                    if self.process.returncode is not None and self._reader.done() and seen == len(self.lines):
                        break
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pass
        raise AssertionError(f"the line did not come in {seconds} s; output:\n{self.text}")

    async def end(self, seconds: float = 30) -> int:
        """Wait for the end; the exit status."""
        async with asyncio.timeout(seconds):
            status = await self.process.wait()
            await self._reader
        return status

    def send(self, number: int) -> None:
        self.process.send_signal(number)


Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start ``polycore`` with arguments in an empty folder; whatever still runs is killed afterwards."""
    started: list[Process] = []

    async def starter(*arguments: str, **environment: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *POLYCORE,
            *arguments,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        started.append(Process(process))
        return started[-1]

    yield starter
    for running in started:
        if running.process.returncode is None:
            running.send(signal.SIGKILL)
        await running.end()


@pytest.fixture
def free_port() -> int:
    """A port that stays free while nobody listens on it: below those the system gives away by itself."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port between 20000 and 32000")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The exchange's own log, complete lines only."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def _children(pid: int) -> set[int]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(stat.parent.name))
    return found


@pytest.fixture
def children() -> Callable[[int], set[int]]:
    """Pids of the children a process has now."""
    return _children


@pytest.fixture
def traffic() -> Callable[[Path], list[dict[str, Any]]]:
    return read_log
