"""Frames lost or altered between the exchange and a run: doubted at once, no order meanwhile, healed by a snapshot.

The run is whole and its strategy reckless: it asks for a new quote with every book it hears of, whatever its state.
What keeps its orders back is the core.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web
from msgspec import Struct

from polycore import AssetId, BookState, Quote, SetQuotes, StopReason, hookimpl, parse_price, parse_size
from polycore.app import App
from polycore.exchange.process import LocalExchange
from polycore.exchange.server import ExchangeServer, ServeOptions
from polycore.hooks.manager import PluginManager
from polycore.settings import load_settings

Frame = dict[str, Any]


class Post(NamedTuple):
    """An order on its way to the exchange, and what the run thought of its book when it passed."""

    asset: AssetId
    state: BookState


class FrameProxy:
    """Stands between a client and the exchange. ``mangle`` turns one market frame into those that are passed on."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.url = ""
        self.mangle: Callable[[Frame], list[Frame]] = lambda frame: [frame]
        self.eye = Eye()
        self.posts: list[Post] = []
        self.state_of: Callable[[AssetId], BookState] = lambda asset: BookState.LIVE

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["FrameProxy"]:
        app = web.Application()
        app.router.add_get("/ws/{channel}", self._channel)
        app.router.add_route("*", "/{tail:.*}", self._request)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        async with aiohttp.ClientSession() as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0]
            self.url = f"http://{host}:{port}"
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _request(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.method == "POST" and request.path in ("/order", "/orders"):
            bodies = json.loads(body)
            for order in bodies if isinstance(bodies, list) else [bodies]:
                asset = AssetId(order["order"]["tokenId"])
                self.posts.append(Post(asset, self.state_of(asset)))
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with self._session.request(
            request.method, self._upstream + request.path_qs, headers=headers, data=body
        ) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")

    async def _channel(self, request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(compress=False)
        await client.prepare(request)
        async with self._session.ws_connect(self._upstream + request.path, compress=0) as server:
            outward = asyncio.create_task(self._forward(client, server))
            async for message in server:
                if request.match_info["channel"] == "market" and message.data != "PONG":
                    for frame in self._mangled(message.data):
                        await client.send_str(frame)
                else:
                    await client.send_str(message.data)
            outward.cancel()
        return client

    async def _forward(self, client: web.WebSocketResponse, server: aiohttp.ClientWebSocketResponse) -> None:
        async for message in client:
            await server.send_str(message.data)
        await server.close()

    def _mangled(self, text: str) -> list[str]:
        frame = json.loads(text)
        passed = [frame] if isinstance(frame, list) else self.mangle(frame)
        for one in passed:
            self.eye.see(one)
        return [json.dumps(one) for one in passed]


class NoSettings(Struct, frozen=True, forbid_unknown_fields=True):
    markets: tuple[str, ...] = ("*",)


class Reckless:
    """Asks for a new bid far from the market with every book, and never looks at its state."""

    def __init__(self, config: NoSettings) -> None:
        self.turns: Counter[str] = Counter()

    @hookimpl
    def on_book(self, book: Any) -> SetQuotes:
        self.turns[book.asset] += 1
        price = parse_price("0.02" if self.turns[book.asset] % 2 else "0.03")
        return SetQuotes(book.asset, bids=(Quote(price, parse_size("60")),))


@pytest.fixture
async def joined() -> AsyncIterator[SimpleNamespace]:
    """A run of the reckless strategy on a seeded event, through the proxy."""

    class Module:
        @hookimpl
        def register_strategies(self, registry: Any) -> None:
            registry.add("reckless", Reckless, config=NoSettings)

    options = ServeOptions(port=0, scenarios=("neg-risk",))
    async with ExchangeServer(options) as server, FrameProxy(server.url).serve() as proxy:
        plugins = PluginManager()
        plugins.add(Module(), "reckless")
        settings = load_settings(options={"run.hook_budget_us": ("test", 50_000)}, environ={})
        plugins.prepare(settings, needs_plugins=False)
        exchange = LocalExchange(proxy.url)
        await exchange.start()
        app = App(settings, plugins, exchange)
        proxy.state_of = lambda asset: app.cache.state(asset)[0]
        await app.start()
        yield SimpleNamespace(app=app, proxy=proxy)
        await app.stop(StopReason.FINISHED)
        await exchange.stop()


async def _until(condition: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


class Eye:
    """The books as the client sees them, rebuilt plainly, and the first frame that contradicts one of them."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, dict[str, str]]] = {}
        self.contradiction: tuple[str, int] | None = None

    def see(self, frame: Frame | list[Frame]) -> None:
        for message in frame if isinstance(frame, list) else [frame]:
            if "bids" in message:
                sides = {"BUY": message["bids"], "SELL": message["asks"]}
                self.books[message["asset_id"]] = {
                    side: {level["price"]: level["size"] for level in levels} for side, levels in sides.items()
                }
            elif message.get("event_type") == "price_change":
                for change in message["price_changes"]:
                    self.books[change["asset_id"]][change["side"]][change["price"]] = change["size"]
                for change in message["price_changes"]:
                    if self.best(change["asset_id"]) != _echo(change) and self.contradiction is None:
                        self.contradiction = (change["asset_id"], int(message["timestamp"]))

    def best(self, asset: str) -> tuple[int, int]:
        book = self.books[asset]
        bids = [parse_price(price) for price, size in book["BUY"].items() if size != "0"]
        asks = [parse_price(price) for price, size in book["SELL"].items() if size != "0"]
        return max(bids, default=0), min(asks, default=10_000)


def _echo(change: Frame) -> tuple[int, int]:
    return parse_price(change["best_bid"]), parse_price(change["best_ask"])


class Spoiler:
    """Spoils the first frame that moves a best quote; everything else passes."""

    def __init__(self, eye: Eye, spoil: Callable[[Frame], list[Frame]]) -> None:
        self.market = ""
        self._eye = eye
        self._spoil = spoil

    def __call__(self, frame: Frame) -> list[Frame]:
        if self.market or frame.get("event_type") != "price_change":
            return [frame]
        first = frame["price_changes"][0]
        if self._eye.best(first["asset_id"]) == _echo(first):
            return [frame]
        self.market = frame["market"]
        return self._spoil(frame)


def _drop(frame: Frame) -> list[Frame]:
    return []


def _alter(frame: Frame) -> list[Frame]:
    """A level that was to come does not, or one that was to go stays."""
    first = frame["price_changes"][0]
    first["size"] = "0" if first["size"] != "0" else "77"
    return [frame]


@pytest.mark.parametrize("spoil", [_drop, _alter])
async def test_a_loss_is_doubted_no_order_leaves_and_a_snapshot_heals(joined, spoil) -> None:
    app, proxy, eye = joined.app, joined.proxy, joined.proxy.eye
    await _until(lambda: len(proxy.posts) > 5)
    spoiler = Spoiler(eye, spoil)
    doubts: list[tuple[str, int]] = []
    resubscribe = app.books.on_suspect

    def doubted(book: Any) -> None:
        doubts.append((book.asset, book.venue_time // 1_000_000))
        resubscribe(book)

    app.books.on_suspect = doubted
    proxy.mangle = spoiler
    await _until(lambda: bool(doubts))
    assert doubts[0] == eye.contradiction, "by the first frame whose best quotes the spoilt book does not have"
    market = app.cache.markets.get(spoiler.market)
    books = [app.cache.get(asset) for asset in market.assets]
    await _until(lambda: all(book.live for book in books))
    late = [post for post in proxy.posts if post.state is not BookState.LIVE]
    assert late == [], "no order leaves for a book in doubt"
    healed = len(proxy.posts)
    await _until(lambda: any(post.asset in market.assets for post in proxy.posts[healed:]))
    assert len(doubts) <= 2, "one doubt for each token of the market, and no more"


async def test_a_duplicate_is_no_loss(joined) -> None:
    app, proxy = joined.app, joined.proxy
    await _until(lambda: len(proxy.posts) > 5)
    duplicated = 0

    def twice(frame: Frame) -> list[Frame]:
        nonlocal duplicated
        duplicated += 1
        return [frame, frame]

    proxy.mangle = twice
    await _until(lambda: duplicated > 20)
    assert app.books.proof.suspect == 0
    assert app.books.proof.agreed == app.books.proof.checked


async def test_two_frames_that_changed_places_are_doubted_if_a_best_quote_shows_it(joined) -> None:
    app, proxy, eye = joined.app, joined.proxy, joined.proxy.eye
    held: list[Frame] = []
    swapped = False

    def swap(frame: Frame) -> list[Frame]:
        """Hold back a change that moves a best quote until the next one of its market has passed."""
        nonlocal swapped
        if swapped or frame.get("event_type") != "price_change":
            return [frame]
        first = frame["price_changes"][0]
        if held and frame["market"] == held[0]["market"]:
            swapped = True
            return [frame, held.pop()]
        if not held and eye.best(first["asset_id"]) != _echo(first):
            held.append(frame)
            return []
        return [frame]

    await _until(lambda: len(proxy.posts) > 5)
    proxy.mangle = swap
    await _until(lambda: swapped)
    await _until(lambda: (app.books.proof.suspect > 0) is (eye.contradiction is not None))
    await _until(lambda: all(book.live for book in app.books))
