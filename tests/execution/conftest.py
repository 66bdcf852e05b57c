"""An executor over the real cache, the real plugin manager with the built-in checks, and a small venue in memory."""

import asyncio
import contextlib

import pluggy
import pytest

from polycore import (
    Approved,
    AssetId,
    Balances,
    BookSnapshot,
    CacheView,
    Cancelled,
    ClientOrderId,
    Fill,
    ManualClock,
    Market,
    MarketId,
    OrderId,
    OrderState,
    OrderUpdate,
    Outcome,
    Posted,
    Rejection,
    Role,
    Settlement,
    Side,
    SignedOrder,
    TradeId,
    UsageError,
    WallClock,
)
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore.execution.checks import Gate, built_in_checks, register_checks
from polycore.execution.executor import Executor
from polycore.execution.limiter import Limiter
from polycore.hooks import specs
from polycore.hooks.markers import PROJECT

SHARE = 1_000_000


class MemoryVenue:
    """An order gateway that keeps what it accepted.

    ``on_post`` and ``on_cancel`` are awaited first and may block or raise; ``answer`` may replace the answer of an
    order. ``posts`` and ``cancels`` are the requests in the order in which they arrived.
    """

    def __init__(self, clock):
        self.clock = clock
        self.resting = {}
        self.posts = []
        self.cancels = []
        self.log = []
        self.signed = 0
        self.unsignable = set()
        self.on_sign = None
        self.on_post = None
        self.on_cancel = None
        self.on_write = None
        self.answer = lambda signed: None

    async def open(self):
        return None

    async def close(self):
        return None

    async def balances(self, assets):
        return Balances(0)

    async def sign(self, orders):
        await asyncio.sleep(0)
        if self.on_sign is not None:
            await self.on_sign(orders)
        self.signed += len(orders)
        for approved in orders:
            if approved.order.price in self.unsignable:
                raise UsageError(f"order {approved.client_order}: no amount fits")
        return [SignedOrder(approved, OrderId(f"0x{approved.client_order}"), b"{}") for approved in orders]

    async def post(self, orders):
        self.posts.append([signed.order for signed in orders])
        self.log.append(("post", [signed.order for signed in orders]))
        if self.on_write is not None:
            self.on_write("/orders", self.clock.monotonic())
            self.on_write("/orders", self.clock.monotonic())
        if self.on_post is not None:
            await self.on_post(orders)
        answers = []
        for signed in orders:
            answer = self.answer(signed) or Posted(signed.order, OrderState.LIVE)
            if answer.state in (OrderState.LIVE, OrderState.UNKNOWN):
                self.resting[signed.order] = signed.approved
            answers.append(answer)
        return answers

    async def cancel(self, orders):
        self.cancels.append(list(orders))
        self.log.append(("cancel", list(orders)))
        if self.on_cancel is not None:
            await self.on_cancel(orders)
        gone = tuple(order for order in orders if self.resting.pop(order, None) is not None)
        return Cancelled(gone, {o: "Order not found or already canceled" for o in orders if o not in gone})

    async def cancel_all(self):
        return await self.cancel(list(self.resting))

    async def open_orders(self):
        return [
            OrderUpdate(
                order, approved.market, approved.order.asset, approved.order.side, approved.order.price,
                approved.order.size, 0, OrderState.LIVE,
            )
            for order, approved in self.resting.items()
        ]  # fmt: skip


class Desk:
    """Everything around an executor. ``reports`` is what owners heard, ``verdicts`` what observers heard."""

    def __init__(self, clock=None, limiter=None, max_order=50 * SHARE, max_position=500 * SHARE, **options):
        self.clock = clock or WallClock()
        self.cache = GlobalMarketCache(self.clock)
        self.market = Market(
            MarketId("0xm"), "rain", "Rain?", Outcome(AssetId("1"), "Yes"), Outcome(AssetId("2"), "No")
        )
        self.yes, self.no = self.market.assets
        self.link = Link("market-0", "market", 1, self.clock.monotonic())
        self.cache.add(self.market)
        self.cache.books.subscribed(self.link, self.market.assets)
        self.book(self.yes, 4_000, 6_000)
        self.book(self.no, 4_000, 6_000)
        self.gate = Gate()
        self.gate.user_up = True
        self.venue = MemoryVenue(self.clock)
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(specs)
        self.probed: list[AssetId] = []
        checks = built_in_checks(
            self.cache, self.gate, max_order=max_order, max_position=max_position, probe=self.probed.append
        )
        register_checks(self.manager.register, checks)
        self.reports: list[OrderUpdate] = []
        self.verdicts: list[Approved | Rejection] = []
        self.doubts: list[int] = []
        self.wire: list[int] = []
        self.executor = Executor(
            self.cache,
            self.venue,
            self.clock,
            self.gate,
            check=self.manager.hook.check_order,
            report=self.reports.append,
            on_intent=lambda intent, strategy, verdict: self.verdicts.append(verdict),
            doubt=lambda: self.doubts.append(self.clock.monotonic()),
            record_wire=self.wire.append,
            limiter=limiter,
            **options,
        )
        self.venue.on_write = self.executor.first_write

    def book(self, asset, bid, ask, size=1_000 * SHARE):
        now = self.clock.monotonic()
        levels = {bid: size} if bid else {}, {ask: size} if ask else {}
        self.cache.apply(BookSnapshot(self.market.id, asset, *levels, 100, self.clock.wall(), now), self.link, set())

    def hold(self, asset, size, strategy="mm", price=5_000):
        fill = Fill(
            TradeId("t"),
            OrderId(f"0x{asset}"),
            self.market.id,
            asset,
            Side.BUY,
            price,
            size,
            Role.MAKER,
            Settlement.CONFIRMED,
        )
        self.cache.inventory(strategy).apply(fill)

    def submit(self, *intents, strategy="mm"):
        self.executor.submit(strategy, intents, self.clock.monotonic())

    def check(self, order, strategy="mm"):
        return self.manager.hook.check_order(order=order, strategy=strategy, cache=CacheView(self.cache))

    def track(self, order, strategy="mm", state=OrderState.LIVE, number=[0]):  # noqa: B006  # one number for each
        number[0] += 1
        tracked = self.cache.orders.track(
            Approved(ClientOrderId(f"{strategy}-x{number[0]}"), strategy, self.market.id, order)
        )
        if state is not OrderState.INTENT:
            self.cache.orders.name(tracked, OrderId(f"0xx{number[0]}"))
            self.cache.orders.move(tracked, OrderState.SENT)
        if state not in (OrderState.INTENT, OrderState.SENT):
            self.cache.orders.move(tracked, state)
        return tracked

    @property
    def open(self):
        return sorted((o.side.value, o.place.asset, o.price, o.remaining) for o in self.cache.orders.open())

    @property
    def rejections(self):
        return [update.reason for update in self.reports if update.state is OrderState.REJECTED]

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.executor.run())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, condition, seconds=2.0):
        async with asyncio.timeout(seconds):
            while not condition():  # conditions of any kind, with a deadline
                await asyncio.sleep(0.001)

    async def settled(self):
        """Wait until nothing is on its way."""
        await self.until(
            lambda: (
                not any(
                    order.state in (OrderState.INTENT, OrderState.SENT) or order.cancelling
                    for order in self.cache.orders.open()
                )
            )
        )


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def make_desk():
    def make(**options):
        if "orders" in options or "cancels" in options:
            clock = options.setdefault("clock", WallClock())
            budgets = {name: options.pop(name) for name in ("orders", "cancels") if name in options}
            options["limiter"] = Limiter(clock, **budgets)
        return Desk(**options)

    return make


@pytest.fixture
def still_desk():
    """A desk whose clock stands still."""
    return Desk(clock=ManualClock())
