"""A whole run, app and all, on the market channel of a feeder process.

Owns the venue that stands between them: the real market channel and hash proof, and no orders. Everything that a frame
passes through is what ships.
"""

import asyncio
import contextlib
import pickle
import subprocess
import sys
import tempfile
from array import array
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks import rig
from benchmarks.stream import Stream
from polycore import (
    AssetId,
    Balances,
    BookSnapshot,
    BookView,
    Cancelled,
    Channel,
    Events,
    Heartbeat,
    Market,
    OrderUpdate,
    StopReason,
    Verification,
    hookimpl,
)
from polycore.app import App, freeze_garbage
from polycore.exchange.process import LocalExchange
from polycore.hooks.manager import PluginManager
from polycore.settings import load_settings
from polycore.venues.polymarket.channels import MarketChannel
from polycore.venues.polymarket.proof import BookProof

_ROOT = Path(__file__).parent.parent


class Feeder:
    """The feeder process. ``url`` is its base address."""

    def __init__(self, process: "subprocess.Popen[str]", sent: Path) -> None:
        self._process = process
        self._sent = sent
        assert process.stdout is not None
        self._answers = process.stdout
        self.url = f"ws://127.0.0.1:{int(self._answers.readline())}"

    async def play(self, rate: int) -> tuple["array[int]", int]:
        """Have every frame sent, ``rate`` a second. When each left, and the worst lateness, in nanoseconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"go {rate}\n")
        self._process.stdin.flush()
        worst = int(await asyncio.to_thread(self._answers.readline))
        sent = array("q")
        sent.frombytes(self._sent.read_bytes())
        return sent, worst


@contextlib.contextmanager
def feeder(made: Stream) -> Iterator[Feeder]:
    """Start a feeder of a stream and end it."""
    with tempfile.TemporaryDirectory() as folder:
        stream, sent = Path(folder) / "stream", Path(folder) / "sent"
        stream.write_bytes(pickle.dumps(made))
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.feeder", str(stream), str(sent)],
            cwd=_ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield Feeder(process, sent)
        finally:
            process.communicate()


@contextlib.asynccontextmanager
async def run(url: str, markets: Sequence[Market], strategies: dict[str, Callable[[], object]]) -> AsyncIterator[App]:
    """A started app whose strategies hear every market, with the settings of a run."""

    class Module:
        @hookimpl
        def register_strategies(self, registry: Any) -> None:
            for name, make in strategies.items():
                registry.add(name, lambda config, make=make: make(), config=_Everything)

        @hookimpl
        def register_venues(self, registry: Any) -> None:
            registry.add("feed", lambda: FedVenue(url, markets))

    plugins = PluginManager()
    plugins.add(Module(), "feed")
    settings = load_settings(options={"venue": ("the benchmark", "feed")}, environ={})
    plugins.prepare(settings, needs_plugins=False)
    app = App(settings, plugins, LocalExchange("http://127.0.0.1:1"))
    try:
        await app.start()
        yield app
    finally:
        await app.stop(StopReason.FINISHED)


async def until_live(app: App, seconds: float) -> None:
    """Wait until every book is LIVE, no longer than ``seconds``."""
    async with asyncio.timeout(seconds):
        while not all(book.live for book in app.books):  # noqa: ASYNC110 - looked at from outside, as a person would
            await asyncio.sleep(0.005)


def warm_up() -> None:
    """What the app does ten seconds after its start."""
    freeze_garbage()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of a run: uvloop's when it is installed."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


class _Everything(Struct, frozen=True, forbid_unknown_fields=True):
    markets: tuple[str, ...] = ("*",)


class FedVenue:
    """Fulfils ``Venue``, ``Catalogue`` and ``OrderGateway`` as far as a run without orders needs them."""

    def __init__(self, url: str, markets: Sequence[Market]) -> None:
        self.name, self.network = "feed", "local"
        self.catalogue: Any = self
        self.gateway: Any = self
        self._url = url
        self._markets = markets
        self._proof = BookProof()
        for market in markets:
            self._proof.learn(market)

    async def find(self, selectors: Sequence[str]) -> Sequence[Market]:
        return self._markets

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def watch_writes(self, on_first_write: Callable[[str, int], None]) -> None: ...

    def market_channel(self) -> Channel:
        return MarketChannel(f"{self._url}/ws/market")

    def user_channel(self) -> Channel:
        return _SilentUser(f"{self._url}/ws/user")

    async def books(self, assets: Sequence[AssetId]) -> Sequence[BookSnapshot]:
        return []

    def prove(self, frame: bytes, book: BookView) -> bool | None:
        return self._proof.prove(frame, book)

    def verify(self, lines: object) -> Verification:
        return Verification()

    async def sign(self, orders: Sequence[object]) -> Sequence[Any]:
        raise NotImplementedError("this venue takes no orders")

    post = sign

    async def cancel(self, orders: Sequence[object]) -> Cancelled:
        return Cancelled()

    async def cancel_all(self) -> Cancelled:
        return Cancelled()

    async def open_orders(self) -> Sequence[OrderUpdate]:
        return []

    async def balances(self, assets: Sequence[AssetId]) -> Balances:
        return Balances(0)


class _SilentUser:
    """A user channel on which nothing happens."""

    name = "user"
    assets_per_connection = 0

    def __init__(self, url: str) -> None:
        self.url = url
        self.heartbeat = Heartbeat()

    def opening(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        return [b'{"type":"user"}']

    def subscribe(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        return []

    unsubscribe = subscribe

    def decode(self, frame: bytes, received_time: int) -> Events:
        return ()


def markets_of(made: Stream) -> list[Market]:
    return rig.markets(made.tokens)
