"""A dispatcher over the real cache and the real plugin manager, with strategies written as a plugin would be."""

import logging
from collections import deque
from typing import Any

import pluggy
import pytest

from polycore import (
    Approved,
    AssetId,
    BookDelta,
    BookSnapshot,
    CacheView,
    ClientOrderId,
    Context,
    FeeSchedule,
    Fill,
    HookError,
    LevelChange,
    ManualClock,
    Market,
    MarketId,
    OrderId,
    OrderState,
    Outcome,
    OwnOrders,
    PlaceOrder,
    Role,
    Settlement,
    Side,
)
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore.dispatch.dispatcher import Dispatcher
from polycore.dispatch.routes import bind_calls
from polycore.hooks import specs
from polycore.hooks.binding import bind
from polycore.hooks.markers import PROJECT

SHARE = 1_000_000


def market(number):
    return Market(
        id=MarketId(f"0x{number}"),
        slug=f"market-{number}",
        question="?",
        first=Outcome(AssetId(f"{number}1"), "Yes"),
        second=Outcome(AssetId(f"{number}2"), "No"),
        fee=FeeSchedule(rate_millionths=70_000),
    )


class World:
    def __init__(self, markets=1):
        self.clock = ManualClock()
        self.cache = GlobalMarketCache(self.clock)
        self.markets = [market(number) for number in range(markets)]
        self.market = self.markets[0]
        self.yes, self.no = self.market.assets
        self.link = Link("market-0", "market", 1, self.clock.monotonic())
        for known in self.markets:
            self.cache.add(known)
            self.cache.books.subscribed(self.link, known.assets)
        self.submitted: list[Any] = []
        self.trips: list[tuple[str, HookError]] = []
        self.scheduled: deque[Any] = deque()
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(specs)
        self.dispatcher = Dispatcher(
            self.cache,
            self.clock,
            submit=lambda *what: self.submitted.append(what),
            schedule=self.scheduled.append,
            on_trip=lambda strategy, error: self.trips.append((strategy, error)),
        )

    def add(self, name, instance, assets=None, observes=False):
        self.manager.register(instance, name)
        context = Context(
            name=name,
            config=None,
            cache=CacheView(self.cache),
            orders=OwnOrders(self.cache, name),
            inventory=self.cache.inventory(name),
            clock=self.clock,
            log=logging.LoggerAdapter(logging.getLogger(name), {}),
            emit=lambda intents: self.dispatcher.emit(name, intents),
        )
        calls = bind_calls(lambda hook: bind(self.manager, instance, hook))
        listener = self.dispatcher.add(name, context, calls, observes=observes)
        chosen = [asset for known in self.markets for asset in known.assets] if assets is None else assets
        self.dispatcher.select(name, chosen)
        return listener

    def run_scheduled(self):
        turns = 0
        while self.scheduled:
            self.scheduled.popleft()()
            turns += 1
        return turns

    def snapshot(self, asset, bid=5_000, ask=5_200, of=None):
        of = of or self.cache.markets.of_asset(asset)
        event = BookSnapshot(
            of.id, asset, {bid: 100 * SHARE}, {ask: 100 * SHARE}, of.tick, self.clock.wall(), self.clock.monotonic()
        )
        self.dispatcher.receive(event, self.link)

    def delta(self, asset, price, size):
        known = self.cache.markets.of_asset(asset)
        assert known is not None
        change = LevelChange(asset, Side.BUY, price, size, -1, -1)
        event = BookDelta(known.id, [change], self.clock.wall(), self.clock.monotonic())
        self.dispatcher.receive(event, self.link)

    def order(self, number, strategy="mm", size=10 * SHARE, state=OrderState.LIVE, asset=None, **place):
        """An order of ours as the executor leaves it: tracked, named, sent, answered."""
        fields: dict[str, Any] = {"side": Side.BUY, "price": 5_000, "tag": "t"} | place
        wanted = PlaceOrder(asset or self.yes, size=size, **fields)
        order = self.cache.orders.track(
            Approved(ClientOrderId(f"{strategy}-{number}"), strategy, self.market.id, wanted)
        )
        self.cache.orders.name(order, OrderId(f"0xorder{number}"))
        self.cache.orders.move(order, OrderState.SENT)
        if state is not OrderState.SENT:
            self.cache.orders.move(order, state)
        return order

    def fill(self, order, trade="t1", size=10 * SHARE, settlement=Settlement.MATCHED, role=Role.MAKER):
        return Fill(
            trade, order.id, order.market, order.place.asset, order.side, order.price, size, role, settlement,
            received_time=self.clock.monotonic(),
        )  # fmt: skip


@pytest.fixture
def world():
    return World()


@pytest.fixture
def make_world():
    return World


@pytest.fixture(scope="session")
def make_world_once():
    """For properties, which make a world for each example."""
    return World
