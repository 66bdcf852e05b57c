"""A strategy with a real cache and a manual clock: events in, intents out.

Plugins import ``polycore`` alone. These tests go deeper (``polycore.cache``) because the public test harness,
``polycore.testing``, does not exist yet; when it does, this file goes.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from polycore import (
    PRICE_ONE,
    SIZE_ONE,
    Approved,
    AssetId,
    Book,
    BookSnapshot,
    CacheView,
    ClientOrderId,
    Context,
    Fill,
    Intent,
    Intents,
    ManualClock,
    Market,
    MarketId,
    Order,
    OrderId,
    OrderState,
    Outcome,
    OwnOrders,
    PlaceOrder,
    Price,
    Role,
    SetQuotes,
    Settlement,
    Side,
    Size,
    TradeId,
)
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore_mm import MarketMaker, MarketMakerConfig

Levels = dict[Price, Size]
YES, NO = AssetId("yes"), AssetId("no")


def shares(count: float) -> Size:
    return round(count * SIZE_ONE)


def as_list(intents: Intents) -> list[Intent]:
    if intents is None:
        return []
    return list(intents) if isinstance(intents, Iterable) else [intents]


class World:
    """One market, its two mirrored books on a live link, and a market maker that hears of them."""

    def __init__(self, config: MarketMakerConfig, market: Market) -> None:
        self.clock = ManualClock()
        self.cache = GlobalMarketCache(self.clock)
        self.market = market
        self.cache.add(market)
        self.link = Link("market-1", "market", 1, self.clock.monotonic())
        self.cache.books.subscribed(self.link, market.assets)
        self.strategy = MarketMaker(config)
        self.context = Context(
            "mm",
            config,
            CacheView(self.cache),
            OwnOrders(self.cache, "mm"),
            self.cache.inventory("mm"),
            self.clock,
            logging.LoggerAdapter(logging.getLogger("polycore.strategies.mm"), {}),
            lambda intents: None,
        )
        self.orders: list[Order] = []

    def book(self, bids: Levels, asks: Levels, only: AssetId | None = None) -> list[Intent]:
        """A new book of YES and its mirror for NO; the strategy hears both, NO first."""
        touched: set[Book] = set()
        self.link.proof_time = self.clock.monotonic()
        flipped = {PRICE_ONE - p: s for p, s in asks.items()}, {PRICE_ONE - p: s for p, s in bids.items()}
        for asset, (b, a) in ((YES, (dict(bids), dict(asks))), (NO, flipped)):
            if only in (None, asset):
                snapshot = BookSnapshot(self.market.id, asset, b, a, 0, 1, self.clock.monotonic())
                self.cache.apply(snapshot, self.link, touched)
        said: list[Intent] = []
        for book in sorted(touched, key=lambda book: book.asset):
            said += as_list(self.strategy.on_book(book, self.context))
        return said

    def wait(self, seconds: float) -> list[Intent]:
        """Time passes on a link that is alive, then the timer."""
        self.clock.advance(seconds)
        self.link.proof_time = self.clock.monotonic()
        return as_list(self.strategy.on_timer(self.clock.wall(), self.context))

    def send(self, asset: AssetId, side: Side, price: Price, size: Size) -> Order:
        """An order of ours is on its way."""
        number = len(self.orders) + 1
        place = PlaceOrder(asset, side, price, size, post_only=True)
        order = self.cache.orders.track(Approved(ClientOrderId(f"mm-{number}"), "mm", self.market.id, place))
        self.cache.orders.name(order, OrderId(f"0x{number}"))
        self.cache.orders.move(order, OrderState.SENT)
        self.orders.append(order)
        return order

    def rest(self, asset: AssetId, side: Side, price: Price, size: Size) -> Order:
        """An order of ours rests; the strategy hears that it is live."""
        order = self.send(asset, side, price, size)
        self.move(order, OrderState.LIVE)
        return order

    def move(self, order: Order, state: OrderState, matched: Size = 0, reason: str = "") -> list[Intent]:
        self.cache.orders.move(order, state, matched=matched, reason=reason)
        return as_list(self.strategy.on_order(order.update(state, reason), self.context))

    def rest_as_asked(self, quotes: SetQuotes) -> None:
        """Every quote rests: bids as BUY of YES, asks as BUY of NO. What rested before is cancelled."""
        for order in list(self.context.orders.open()):
            self.move(order, OrderState.CANCELLED)
        for quote in quotes.bids:
            self.rest(YES, Side.BUY, quote.price, quote.size)
        for quote in quotes.asks:
            self.rest(NO, Side.BUY, PRICE_ONE - quote.price, quote.size)

    def fill(self, asset: AssetId, side: Side, price: Price, size: Size) -> list[Intent]:
        fill = Fill(
            TradeId(f"t{self.clock.monotonic()}"),
            OrderId("0x1"),
            self.market.id,
            asset,
            side,
            price,
            size,
            Role.MAKER,
            Settlement.MATCHED,
        )
        self.context.inventory.apply(fill)
        return as_list(self.strategy.on_fill(fill, self.context))


@pytest.fixture
def make_world() -> Callable[..., World]:
    def make(market: Market | None = None, **settings: Any) -> World:
        made = market or Market(MarketId("m"), "will-it", "Will it?", Outcome(YES, "Yes"), Outcome(NO, "No"))
        return World(MarketMakerConfig(**settings), made)

    return make
