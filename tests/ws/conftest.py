"""A venue on loopback that keeps the stream's rules, a proxy that breaks TCP, and a rig around the manager.

The venue speaks sections 1.1 to 1.8 of the venue's protocol with books of its own: what a client should believe can be
compared with what is true.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from typing import NamedTuple

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from polycore.cache.book import Book, BookState
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore.clock import WallClock
from polycore.errors import LinkError
from polycore.model.events import BookSnapshot, Events, LinkChange
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Market, Outcome
from polycore.venue import Heartbeat
from polycore.venues.polymarket.channels import MarketChannel
from polycore.ws.manager import PolymarketWSManager
from polycore.ws.settings import WSSettings

FAST = WSSettings(
    connect_gap_seconds=0.0,
    first_retry_seconds=0.02,
    longest_retry_seconds=0.1,
    snapshot_seconds=0.3,
    crossed_seconds=0.2,
    review_seconds=0.05,
    fallback_after_seconds=0.4,
    poll_seconds=0.02,
)
BEAT = Heartbeat(every_seconds=0.25, deadline_seconds=0.1)


async def _until(condition: Callable[[], object], within: float = 5.0) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    deadline = asyncio.get_running_loop().time() + within
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.002)


def make_market(number: int) -> Market:
    first, second = (Outcome(AssetId(str(10**70 + 10 * number + side)), "YN"[side]) for side in (0, 1))
    return Market(MarketId(f"0x{number:064x}"), f"market-{number}", "?", first, second)


class Venue:
    """The market stream with books of its own. A price is in hundredths, a size in shares.

    ``heard`` is every text a client sent, by connection in order of opening. ``subscribed`` is what each connection
    gets. Switches: ``answer_pings``, ``refuse`` (status, headers), ``mute`` (assets whose next n snapshots are lost).
    """

    def __init__(self, markets: int) -> None:
        self.markets = [make_market(number) for number in range(markets)]
        self.levels: dict[AssetId, dict[str, dict[int, int]]] = {}
        for market in self.markets:
            self.levels[market.first.asset] = {"BUY": {48: 100, 49: 50}, "SELL": {52: 70, 51: 40}}
            self.levels[market.second.asset] = {"BUY": {48: 70, 49: 40}, "SELL": {52: 100, 51: 50}}
        self.filler = 0
        self.heard: list[list[str]] = []
        self.sockets: list[ServerConnection] = []
        self.subscribed: dict[ServerConnection, list[str]] = {}
        self.upgrades: list[float] = []
        self.answer_pings = True
        self.refuse: tuple[int, dict[str, str]] | None = None
        self.mute: dict[str, int] = {}
        self.flap = False
        self.clock = 1_700_000_000_000
        self._server: Server

    async def open(self) -> None:
        self._server = await serve(self._serve, "127.0.0.1", 0, compression=None, process_request=self._answer)
        self.port: int = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/ws/market"

    async def close(self) -> None:
        for connection in self.sockets:
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    def sent_for(self, asset: AssetId) -> list[str]:
        """Frames of clients about an asset, over all connections."""
        return [text for heard in self.heard for text in heard if asset in text]

    @property
    def open_sets(self) -> list[set[str]]:
        """The assets of each connection that is open and has any."""
        return [set(assets) for assets in self.subscribed.values() if assets]

    def change(self, asset: AssetId, side: str, price: int, size: int) -> None:
        """Set a level; the frame carries it for both tokens of the market, with their best quotes afterwards."""
        market = next(market for market in self.markets if asset in market.assets)
        mirror = "SELL" if side == "BUY" else "BUY"
        entries = []
        for token, at, way in ((asset, price, side), (market.other(asset), 100 - price, mirror)):
            levels = self.levels[token][way]
            levels[at] = size
            if not size:
                del levels[at]
            entries.append({"asset_id": token, "price": f"{at / 100}", "size": str(size), "side": way, "hash": ""})
        for entry in entries:
            both = self.levels[AssetId(entry["asset_id"])]
            entry["best_bid"] = f"{max(both['BUY'], default=0) / 100:g}"
            entry["best_ask"] = f"{min(both['SELL'], default=100) / 100:g}"
        self.clock += 1
        frame = {
            "market": market.id,
            "price_changes": entries,
            "timestamp": str(self.clock),
            "event_type": "price_change",
        }
        self.publish(asset, json.dumps(frame))

    def publish(self, asset: str, text: str) -> None:
        for connection, assets in self.subscribed.items():
            if asset in assets:
                connection.transport.write(_text_frame(text.encode()))

    def book(self, asset: str) -> dict[str, object]:
        sides = {
            name: [
                {"price": f"{price / 100}", "size": str(size)}
                for price, size in sorted(self.levels[AssetId(asset)][way].items())
            ]
            for name, way in (("bids", "BUY"), ("asks", "SELL"))
        }
        market = next(market for market in self.markets if asset in market.assets)
        filler = {"padding": "x" * self.filler} if self.filler else {}
        about = {"market": market.id, "asset_id": asset, "timestamp": str(self.clock), "hash": "0" * 40}
        return {**about, **filler, **sides, "tick_size": "0.01", "event_type": "book", "last_trade_price": ""}

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.upgrades.append(asyncio.get_running_loop().time())
        if self.refuse is None:
            return None
        status, headers = self.refuse
        response = connection.respond(status, "no\n")
        response.headers.update(headers)
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        heard: list[str] = []
        self.heard.append(heard)
        self.sockets.append(connection)
        if self.flap:
            return
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                assert isinstance(text, str)
                heard.append(text)
                await self._hear(connection, text)
        self.subscribed.pop(connection, None)

    async def _hear(self, connection: ServerConnection, text: str) -> None:
        opened = connection in self.subscribed
        if text == "PING":
            if not opened:
                await connection.close(1008, "invalid subscription payload")
            elif self.answer_pings:
                await connection.send("PONG")
            return
        frame = json.loads(text)
        if ("type" in frame) is opened:
            await connection.send("INVALID OPERATION")
            return
        assets = self.subscribed.setdefault(connection, [])
        if frame.get("operation") == "unsubscribe":
            for asset in frame["assets_ids"]:
                assets.remove(asset)
            return
        new = [asset for asset in frame.get("assets_ids", []) if asset not in assets]
        assets.extend(new)
        books = [self.book(asset) for asset in new if not self._lose_snapshot(asset)]
        if books:
            await connection.send(json.dumps(books))

    def _lose_snapshot(self, asset: str) -> bool:
        if not self.mute.get(asset):
            return False
        self.mute[asset] -= 1
        return True


def _text_frame(payload: bytes) -> bytes:
    """An unmasked text frame, written at once: two changes of one test turn leave in one read of the client."""
    if len(payload) < 126:
        return struct.pack("!BB", 0x81, len(payload)) + payload
    return struct.pack("!BBH", 0x81, 126, len(payload)) + payload


class FaultProxy:
    """TCP in the middle.

    ``swallow`` keeps both ends open and passes nothing. ``slicer`` cuts into 1 to 3 bytes. ``reset_after`` cuts the
    client off with a reset once so many bytes of the venue have passed. ``latency`` is in seconds.
    """

    def __init__(self, port: int) -> None:
        self._upstream_port = port
        self.swallow = False
        self.slicer: Random | None = None
        self.reset_after: int | None = None
        self.latency = 0.0
        self.resets = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ws/market"

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            writer.close()
            return
        self._writers += [writer, up_writer]
        for task in (
            asyncio.create_task(self._pump(reader, up_writer, towards_client=False)),
            asyncio.create_task(self._pump(up_reader, writer, towards_client=True)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, towards_client: bool) -> None:
        try:
            while data := await reader.read(65536):
                if self.swallow:
                    continue
                if self.latency:
                    await asyncio.sleep(self.latency)
                if towards_client and self.reset_after is not None:
                    data, self.reset_after = data[: self.reset_after], self.reset_after - len(data)
                if towards_client and self.slicer is not None:
                    await self._write_slices(writer, data, self.slicer)
                else:
                    writer.write(data)
                if towards_client and self.reset_after is not None and self.reset_after <= 0:
                    await writer.drain()
                    self._reset(writer)
                    return
        except OSError:
            pass
        finally:
            if not self.swallow:
                writer.close()

    async def _write_slices(self, writer: asyncio.StreamWriter, data: bytes, slicer: Random) -> None:
        while data:
            cut = slicer.randint(1, 3)
            writer.write(data[:cut])
            data = data[cut:]
            await asyncio.sleep(0)

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self.reset_after, self.resets = None, self.resets + 1
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


class Look(NamedTuple):
    """A book at the end of a read, after so many ``frames`` of the run."""

    state: BookState
    cause: str
    quotable: bool
    frames: int


class Rig:
    """A manager, a cache that it feeds through the venue's decoder, and a record of what was seen.

    ``states`` has a look at each touched book at the end of each read.
    """

    def __init__(self, channel: MarketChannel, settings: WSSettings, user: MarketChannel | None = None) -> None:
        self.clock = WallClock()
        self.cache = GlobalMarketCache(self.clock)
        self.channel = channel
        self.frames: list[tuple[Link, bytes, int]] = []
        self.reads = 0
        self.links: list[LinkChange] = []
        self.states: dict[AssetId, list[Look]] = {}
        self.polls: list[list[AssetId]] = []
        self.rest: Callable[[AssetId], BookSnapshot] | None = None
        self.touched: set[Book] = set()
        self.manager = PolymarketWSManager(
            channel, user, self.cache, self.clock,
            on_frame=self.on_frame, on_read_end=self.on_read_end, on_link=self.links.append,
            fetch_books=self.fetch_books, rng=Random(7), settings=settings,
        )  # fmt: skip
        self.cache.books.on_suspect = self.manager.doubt

    def on_frame(self, link: Link, frame: bytes, received_time: int) -> None:
        self.frames.append((link, frame, received_time))
        events: Events = self.channel.decode(frame, received_time)
        for event in events:
            self.cache.apply(event, link, self.touched)  # type: ignore[arg-type]

    def on_read_end(self) -> None:
        self.reads += 1
        for book in self.touched:
            self.states.setdefault(book.asset, []).append(
                Look(book.state, book.cause, not self.cache.is_stale(book.asset), len(self.frames))
            )
        self.touched.clear()

    async def fetch_books(self, assets: Sequence[AssetId]) -> list[BookSnapshot]:
        self.polls.append(list(assets))
        if self.rest is None:
            raise LinkError("REST is away too")
        return [self.rest(asset) for asset in assets]

    def live(self, *markets: Market) -> bool:
        return all(self.cache.state(asset)[0] is BookState.LIVE for market in markets for asset in market.assets)

    def believes(self, venue: Venue, *markets: Market) -> bool:
        """Whether every level of these markets is what the venue has."""
        for asset in (asset for market in markets for asset in market.assets):
            book, truth = self.cache.books.get(asset), venue.levels[asset]
            assert book is not None
            for side, way in ((book.bids, "BUY"), (book.asks, "SELL")):
                if dict(side) != {price * 100: size * 1_000_000 for price, size in truth[way].items()}:
                    return False
        return True


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    return _until


@pytest.fixture
async def closing() -> AsyncIterator[contextlib.AsyncExitStack]:
    """What a test opened is closed after it, last first."""
    async with contextlib.AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def make_venue(closing: contextlib.AsyncExitStack) -> Callable[..., Awaitable[Venue]]:
    async def make(markets: int = 1) -> Venue:
        venue = Venue(markets)
        await venue.open()
        closing.push_async_callback(venue.close)
        return venue

    return make


@pytest.fixture
def fault_proxy(closing: contextlib.AsyncExitStack) -> Callable[[Venue], Awaitable[FaultProxy]]:
    async def make(venue: Venue) -> FaultProxy:
        proxy = FaultProxy(venue.port)
        await proxy.open()
        closing.push_async_callback(proxy.close)
        return proxy

    return make


@pytest.fixture
async def make_rig(closing: contextlib.AsyncExitStack) -> Callable[..., Rig]:
    def make(url: str, settings: WSSettings = FAST, heartbeat: Heartbeat = BEAT, user: str = "", per: int = 200) -> Rig:
        channel = MarketChannel(url)
        channel.heartbeat, channel.assets_per_connection = heartbeat, per
        account = None
        if user:
            account = MarketChannel(user)
            account.name, account.heartbeat, account.assets_per_connection = "user", heartbeat, 0
        rig = Rig(channel, settings, account)
        closing.push_async_callback(rig.manager.close)
        return rig

    return make
