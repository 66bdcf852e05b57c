"""A strategy with a real cache and a manual clock: events in, intents out, and answers of an obedient venue.

Plugins import ``polycore`` alone. These tests go deeper (``polycore.cache``) because the public test harness,
``polycore.testing``, does not exist yet; when it does, this file goes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
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
    CancelAll,
    ClientOrderId,
    Context,
    EventId,
    FeeSchedule,
    Fill,
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
    Settlement,
    Size,
    TradeId,
)
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore_arb import Arbitrage, ArbitrageConfig

Levels = dict[Price, Size]
FEE = FeeSchedule(rate_millionths=40_000)


def shares(count: float) -> Size:
    return round(count * SIZE_ONE)


def market(name: str, event: str | None = "race", *, complete: bool = True, fee: FeeSchedule = FEE) -> Market:
    return Market(
        MarketId(name),
        f"will-{name}-win",
        f"Will {name} win?",
        Outcome(AssetId(f"{name}-yes"), "Yes"),
        Outcome(AssetId(f"{name}-no"), "No"),
        event=None if event is None else EventId(event),
        event_complete=complete,
        neg_risk=event is not None,
        fee=fee,
    )


class Shelf:
    """A catalogue of fixed markets."""

    def __init__(self, markets: Sequence[Market]) -> None:
        self.markets = markets

    async def find(self, selectors: Sequence[str]) -> Sequence[Market]:
        return [m for m in self.markets if any(s in ("*", m.slug, f"event:{m.event}") for s in selectors)]


class World:
    """Markets with mirrored books on a live link, an arbitrageur, and the orders it sent that have no answer yet."""

    def __init__(self, config: ArbitrageConfig, markets: Sequence[Market]) -> None:
        self.clock = ManualClock()
        self.cache = GlobalMarketCache(self.clock)
        self.link = Link("market-1", "market", 1, self.clock.monotonic())
        self.markets = {m.id: m for m in markets}
        for m in markets:
            self.cache.add(m)
            self.cache.books.subscribed(self.link, m.assets)
        self.strategy = Arbitrage(config)
        self.inventory = self.cache.inventory("arb")
        self.context = Context(
            "arb",
            config,
            CacheView(self.cache),
            OwnOrders(self.cache, "arb"),
            self.inventory,
            self.clock,
            logging.LoggerAdapter(logging.getLogger("polycore.strategies.arb"), {}),
            lambda intents: None,
        )
        self.selected = asyncio.run(self.strategy.select_markets(Shelf(markets), self.context))
        self.sent: list[PlaceOrder] = []
        self.fills: list[Fill] = []
        self._number = 0

    # ── Market data ────────────────────────────────────────────────────────────

    def book(self, name: str, bids: Levels, asks: Levels) -> list[PlaceOrder]:
        """A new YES book of a market and its mirror for NO; the strategy hears both."""
        m = self.markets[MarketId(name)]
        yes, no = m.assets
        flipped = {PRICE_ONE - p: s for p, s in asks.items()}, {PRICE_ONE - p: s for p, s in bids.items()}
        return self.books({yes: (dict(bids), dict(asks)), no: flipped})

    def books(self, sides: dict[AssetId, tuple[Levels, Levels]], venue_time: int = 1) -> list[PlaceOrder]:
        touched: set[Book] = set()
        self.link.proof_time = self.clock.monotonic()
        for asset, (bids, asks) in sides.items():
            m = self.context.cache.market_of(asset)
            assert m is not None
            snapshot = BookSnapshot(m.id, asset, dict(bids), dict(asks), 0, venue_time, self.clock.monotonic())
            self.cache.apply(snapshot, self.link, touched)
        out: list[PlaceOrder] = []
        for book in sorted(touched, key=lambda book: book.asset):
            out += self._note(self.strategy.on_book(book, self.context))
        return out

    def wait(self, seconds: float) -> list[PlaceOrder]:
        """Time passes on a link that is alive, then the timer."""
        self.clock.advance(seconds)
        self.link.proof_time = self.clock.monotonic()
        return self._note(self.strategy.on_timer(self.clock.wall(), self.context))

    # ── The venue's answers ────────────────────────────────────────────────────

    def _note(self, intents: Intents) -> list[PlaceOrder]:
        items = [] if intents is None else list(intents) if isinstance(intents, Iterable) else [intents]
        orders = [item for item in items if not isinstance(item, CancelAll)]
        assert all(isinstance(order, PlaceOrder) for order in orders)
        self.sent += orders  # type: ignore[arg-type]
        return orders  # type: ignore[return-value]

    def track(self, place: PlaceOrder) -> Order:
        """The core takes an order on, and sends it."""
        self._number += 1
        m = self.context.cache.market_of(place.asset)
        assert m is not None
        order = self.cache.orders.track(Approved(ClientOrderId(f"arb-{self._number}"), "arb", m.id, place))
        self.cache.orders.name(order, OrderId(f"0x{self._number}"))
        self.cache.orders.move(order, OrderState.SENT)
        return order

    def end(self, order: Order, matched: Size, reason: str = "", state: OrderState | None = None) -> list[PlaceOrder]:
        """The order's last word: FILLED when whole, else CANCELLED."""
        final = state or (OrderState.FILLED if matched >= order.place.size else OrderState.CANCELLED)
        self.cache.orders.move(order, final, matched=matched, reason=reason)
        return self._note(self.strategy.on_order(order.update(final, reason), self.context))

    def fill(self, order: Order, size: Size, price: Price | None = None) -> list[PlaceOrder]:
        m = self.markets[order.market]
        at = order.price if price is None else price
        fill = Fill(
            TradeId(f"t{len(self.fills)}"),
            order.id or OrderId(""),
            m.id,
            order.place.asset,
            order.side,
            at,
            size,
            Role.TAKER,
            Settlement.MATCHED,
            fee=m.fee.taker_fee(at, size),
            tag=order.place.tag,
        )
        self.fills.append(fill)
        self.inventory.apply(fill)
        return self._note(self.strategy.on_fill(fill, self.context))

    def settle(self, fill: Fill, status: Settlement) -> list[PlaceOrder]:
        moved = Fill(**{name: getattr(fill, name) for name in fill.__struct_fields__} | {"settlement": status})
        (self.inventory.void if status is Settlement.FAILED else self.inventory.confirm)(fill)
        return self._note(self.strategy.on_fill(moved, self.context))

    def answer(self, place: PlaceOrder, size: Size) -> list[PlaceOrder]:
        """Match ``size`` shares of an order at its limit, at once."""
        order = self.track(place)
        out = self.fill(order, size) if size else []
        return out + self.end(order, size)

    def confirm_all(self) -> list[PlaceOrder]:
        fills, self.fills = self.fills, []
        out: list[PlaceOrder] = []
        for fill in fills:
            out += self.settle(fill, Settlement.CONFIRMED)
        return out


@pytest.fixture
def make_world() -> Callable[..., World]:
    def make(offered: Sequence[Market] | None = None, **settings: Any) -> World:
        chosen = [market(name) for name in ("ann", "bob", "cat")] if offered is None else offered
        return World(ArbitrageConfig(**settings), chosen)

    return make


@pytest.fixture
def make_market() -> Callable[..., Market]:
    return market
