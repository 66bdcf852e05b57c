"""The local exchange as a child process of a run, or one that runs elsewhere on this machine.

Owns the child's life and the reading of its status. Must not serve anything itself: ``polycore exchange serve`` does.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from polycore.errors import LinkError, UsageError

_READY_SECONDS = 20.0
_STOP_SECONDS = 3.0


class Source(Struct, frozen=True):
    """One source of market flow, with its credit. ``progress`` runs from 0 to 1; ``ended`` when its window is over."""

    name: str
    kind: str = "recording"
    credit: str = ""
    licence: str = ""
    derived: bool = False
    progress: float = 0.0
    ended: bool = False


class ExchangeStatus(Struct, frozen=True):
    """What a local exchange says of itself: where playback stands and what it plays."""

    playing: bool = False
    done: bool = False
    progress: float = 0.0
    sources: tuple[Source, ...] = ()


class _Ready(Struct, frozen=True):
    url: str
    ready: bool = True


class LocalExchange:
    """A local exchange to trade on: started as a child when ``url`` is not given, left alone when it is.

    The child stops when this process does, however that ends.
    """

    def __init__(self, url: str | None = None, arguments: Sequence[str] = ()) -> None:
        self.url = "" if url is None else _on_loopback(url)
        self._arguments = tuple(arguments)
        self._process: asyncio.subprocess.Process | None = None
        self._external = url is not None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start the child and learn its address. Raises ``UsageError`` with the child's own words when it cannot."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2), trust_env=False)
        if self._external:
            await self._look_for_it()
            return
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "polycore", "exchange", "serve", "--with-parent", *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            line = await asyncio.wait_for(_first_line(self._process), _READY_SECONDS)
            self.url = msgspec.json.decode(line, type=_Ready).url
        except (TimeoutError, msgspec.DecodeError):
            raise UsageError(f"the local exchange did not start: {await self._last_words()}") from None

    @property
    def running(self) -> bool:
        """Whether the child is alive; true for an exchange that is not ours."""
        return self._external or (self._process is not None and self._process.returncode is None)

    async def status(self) -> ExchangeStatus:
        """Where playback stands. Raises ``LinkError`` when the exchange does not answer."""
        if self._session is None:
            raise UsageError("a local exchange has a status only between start and stop")
        try:
            async with self._session.get(f"{self.url}/polycore/status") as response:
                return msgspec.json.decode(await response.read(), type=ExchangeStatus)
        except (aiohttp.ClientError, ValueError, TimeoutError, msgspec.DecodeError) as error:
            raise LinkError(f"no local exchange answers at {self.url} ({error})") from error

    async def stop(self) -> None:
        """End the child, by force if it does not end in 3 s. Does nothing to an exchange that is not ours."""
        if self._session is not None:
            await self._session.close()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.communicate(), _STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.communicate()

    async def _look_for_it(self) -> None:
        try:
            await self.status()
        except LinkError as error:
            raise UsageError(f"{error}; start one with `polycore exchange serve`, or leave --exchange out") from None

    async def _last_words(self) -> str:
        if self._process is None:
            return "it was never started"
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        _, errors = await self._process.communicate()
        return (
            errors.decode(errors="replace").strip().removeprefix("polycore: ")
            or f"it ended with status {self._process.returncode}"
        )


def _on_loopback(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise UsageError(f"{url} is no local exchange: expected http:// and an address of this machine's loopback")
    return url.rstrip("/")


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    return b"" if process.stdout is None else await process.stdout.readline()
