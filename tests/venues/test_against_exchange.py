"""The whole venue against the local exchange over loopback: two implementations that share no code must agree."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from polycore import (
    Approved,
    AssetId,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fill,
    Malformed,
    Market,
    OrderState,
    OrderUpdate,
    PlaceOrder,
    Role,
    Settlement,
    Side,
    TimeInForce,
    Venue,
)
from polycore.exchange.server import ExchangeServer, ServeOptions
from polycore.exchange.values import ExchangeSettings
from polycore.venues.polymarket import PolymarketSettings, make_venue

FAST = ExchangeSettings(mined_after=50_000_000, confirmed_after=100_000_000)
SECONDS = 5.0


@pytest.fixture
async def exchange() -> AsyncIterator[ExchangeServer]:
    options = ServeOptions(port=0, recordings=("btc-updown-15m",), scenarios=("neg-risk",), speed=20, settings=FAST)
    async with ExchangeServer(options) as server:
        yield server


@pytest.fixture
async def venue(exchange: ExchangeServer) -> AsyncIterator[Venue]:
    venue = make_venue(PolymarketSettings(exchange=exchange.url))
    await venue.open()
    yield venue
    await venue.close()


class Listener:
    """A plain socket on one of the venue's channels; keeps every event."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.events: list[Event] = []
        self.frames: list[bytes] = []
        self._news = asyncio.Event()

    async def run(self, assets: list[AssetId], ready: asyncio.Event) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(self.channel.url, max_msg_size=0) as socket:
            for frame in self.channel.opening(assets):
                await socket.send_str(frame.decode())
            ready.set()
            async for message in socket:
                self.frames.append(message.data.encode())
                self.events.extend(self.channel.decode(message.data.encode(), 1))
                self._news.set()

    async def until(self, wanted: Callable[[list[Event]], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not wanted(self.events):
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def listen() -> AsyncIterator[Callable[..., object]]:
    tasks: list[asyncio.Task[None]] = []

    async def start(channel: Channel, assets: list[AssetId]) -> Listener:
        listener, ready = Listener(channel), asyncio.Event()
        tasks.append(asyncio.create_task(listener.run(assets, ready)))
        await asyncio.wait_for(ready.wait(), SECONDS)
        return listener

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def order(market: Market, number: int, **changed: object) -> Approved:
    known: dict[str, object] = {"asset": market.first.asset, "side": Side.BUY, "price": 100, "size": 10_000_000}
    return Approved(f"t-{number}", "t", market.id, PlaceOrder(**{**known, **changed}))  # type: ignore[arg-type]


async def event_market(venue: Venue) -> Market:
    return next(market for market in await venue.catalogue.find(["*"]) if market.neg_risk)


async def best_ask(venue: Venue, listen: Callable[..., object], market: Market) -> int:
    """The best ask of a market's first token, once the exchange plays: it waits for a subscriber."""
    stream: Listener = await listen(venue.market_channel(), list(market.assets))  # type: ignore[misc]
    await stream.until(lambda events: sum(isinstance(event, BookDelta) for event in events) >= 10)
    async with asyncio.timeout(SECONDS):
        while True:
            (book,) = await venue.books([market.first.asset])
            if book.asks:
                return min(book.asks)


async def test_the_catalogue_finds_recordings_and_scenarios(venue: Venue):
    markets = await venue.catalogue.find(["*"])
    neg_risk = [market for market in markets if market.neg_risk]
    assert len(neg_risk) >= 3
    assert all(market.event_complete for market in neg_risk)
    (recorded,) = (market for market in markets if not market.neg_risk)
    assert [found.id for found in await venue.catalogue.find([recorded.slug])] == [recorded.id]
    assert [found.id for found in await venue.catalogue.find([recorded.id])] == [recorded.id]


async def test_an_order_rests_is_listed_and_is_cancelled(venue: Venue):
    market = await event_market(venue)
    signed = await venue.gateway.sign([order(market, 1, post_only=True)])
    (posted,) = await venue.gateway.post(signed)
    assert (posted.state, posted.order) == (OrderState.LIVE, signed[0].order)
    (listed,) = await venue.gateway.open_orders()
    assert (listed.order, listed.price, listed.size, listed.state) == (posted.order, 100, 10_000_000, OrderState.LIVE)
    assert (await venue.gateway.cancel([posted.order])).cancelled == (posted.order,)
    again = await venue.gateway.cancel([posted.order])
    assert list(again.refused) == [posted.order]
    assert list(await venue.gateway.open_orders()) == []


async def test_a_batch_of_twenty_is_accepted_and_cancelled_at_once(venue: Venue):
    market = await event_market(venue)
    signed = await venue.gateway.sign([order(market, number, price=100 + 100 * (number % 3)) for number in range(20)])
    posted = await venue.gateway.post(signed)
    assert [answer.order for answer in posted] == [one.order for one in signed]
    assert {answer.state for answer in posted} == {OrderState.LIVE}
    assert len((await venue.gateway.cancel_all()).cancelled) == 20


async def test_refusals_are_the_venues_words(venue: Venue, listen: Callable[..., object]):
    market = await event_market(venue)
    ask = await best_ask(venue, listen, market)
    cases = {
        "minimum tick size": {"price": 55},
        "not enough balance": {"size": 200_000_000_000},
        "lower than the minimum": {"size": 1_000_000},
        "crosses book": {"price": ask, "post_only": True},
    }
    for words, changed in cases.items():
        (posted,) = await venue.gateway.post(await venue.gateway.sign([order(market, 1, **changed)]))
        assert posted.state is OrderState.REJECTED
        assert words in posted.reason
    kill = order(market, 2, time_in_force=TimeInForce.FOK, price=100, size=200_000_000)
    (posted,) = await venue.gateway.post(await venue.gateway.sign([kill]))
    assert posted.state is OrderState.CANCELLED
    (batch, fine) = await venue.gateway.post(
        await venue.gateway.sign([order(market, 3, size=200_000_000_000), order(market, 4)])
    )
    assert (batch.state, fine.state) == (OrderState.REJECTED, OrderState.LIVE)


@pytest.mark.parametrize("kind", [TimeInForce.GTC, TimeInForce.FAK])
async def test_a_crossing_order_is_filled_and_settles(venue: Venue, listen: Callable[..., object], kind: TimeInForce):
    user: Listener = await listen(venue.user_channel(), [])  # type: ignore[misc]
    market = await event_market(venue)
    ask = await best_ask(venue, listen, market)
    before = await venue.gateway.balances([market.first.asset])
    taking = order(market, 1, price=ask + 200, time_in_force=kind)
    (posted,) = await venue.gateway.post(await venue.gateway.sign([taking]))
    assert posted.state is OrderState.FILLED
    await user.until(lambda events: any(isinstance(e, Fill) and e.settlement is Settlement.CONFIRMED for e in events))
    fills = [event for event in user.events if isinstance(event, Fill)]
    assert {fill.order for fill in fills} == {posted.order}
    assert {fill.role for fill in fills} == {Role.TAKER}
    first = next(fill for fill in fills if fill.settlement is Settlement.MATCHED)
    assert (first.side, first.asset) == (Side.BUY, market.first.asset)
    assert first.price <= ask + 200
    updates = [event for event in user.events if isinstance(event, OrderUpdate)]
    assert updates[-1].state is OrderState.FILLED
    after = await venue.gateway.balances([market.first.asset])
    gained = after.shares[market.first.asset] - before.shares[market.first.asset]
    assert gained == posted.matched == sum({fill.trade: fill.size for fill in fills}.values())
    assert after.money < before.money
    assert not [event for event in user.events if isinstance(event, Malformed)]


async def test_every_frame_is_read_and_every_hash_of_the_exchange_is_right(venue: Venue, listen: Callable[..., object]):
    markets = await venue.catalogue.find(["*"])
    assets = [asset for market in markets for asset in market.assets]
    market_stream: Listener = await listen(venue.market_channel(), assets)  # type: ignore[misc]
    await market_stream.until(lambda events: sum(isinstance(event, BookDelta) for event in events) >= 50)
    assert not [event for event in market_stream.events if isinstance(event, Malformed)]
    assert {event.asset for event in market_stream.events if isinstance(event, BookSnapshot)} == set(assets)
    found = venue.verify(market_stream.frames)
    assert found.best_right == found.best_checked > 0
    assert found.book_hashes_right == found.books > 0
    assert found.change_hashes_right == found.changes > 0
