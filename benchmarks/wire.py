"""From ``submit`` to the first byte of the POST: the shipped executor, checks and gateway against the local exchange.

The exchange is a process of its own and knows every signature: what it accepts is right. Each turn replaces a resting
quote by one a tick away: all checks, the difference, a cancel, a signature, a POST; every second run both sides of the
book, two signatures in one request. Turns are paced and the loop is otherwise idle; there is no journal yet.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pluggy
from msgspec import Struct

from benchmarks import whole
from benchmarks.quiet import Runs, repeated
from benchmarks.report import Bar, at_most, quantile
from polycore import (
    Approved,
    BookSnapshot,
    Market,
    OrderState,
    OrderUpdate,
    Posted,
    Quote,
    SetQuotes,
    SignedOrder,
    Venue,
    WallClock,
)
from polycore.app import freeze_garbage
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore.dispatch.guard import closed_check
from polycore.errors import HookError
from polycore.exchange.process import LocalExchange
from polycore.execution.checks import Gate, built_in_checks, register_checks
from polycore.execution.executor import Executor
from polycore.execution.limiter import Budget, Limiter
from polycore.hooks import specs
from polycore.hooks.markers import PROJECT
from polycore.venues.polymarket import PolymarketSettings, make_venue

BAR = 2.0
TURNS, WARM_UP, PAUSE_SECONDS = 600, 50, 0.02
SHARES = 20_000_000
_MANY = Budget(per_second=100_000, burst=100_000)
_TURN_SECONDS = 2.0


class Turn(Struct):
    """Monotonic nanoseconds of one turn; 0 is not reached."""

    began: int
    submitted: int = 0
    signing: int = 0
    signed: int = 0
    posting: int = 0
    written: int = 0
    answered: int = 0


PARTS: dict[str, Callable[[Turn], int]] = {
    "checks_and_difference": lambda turn: turn.submitted - turn.began,
    "wait_for_the_task": lambda turn: turn.signing - turn.submitted,
    "signing": lambda turn: turn.signed - turn.signing,
    "booked_as_sent": lambda turn: turn.posting - turn.signed,
    "headers_and_HTTP": lambda turn: turn.written - turn.posting,
}


class Watched:
    """The gateway, with the time of each step noted in ``turn``."""

    def __init__(self, gateway: Any) -> None:
        self.turn = Turn(0)
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def sign(self, orders: Sequence[Approved]) -> Sequence[SignedOrder]:
        self.turn.signing = time.monotonic_ns()
        signed: Sequence[SignedOrder] = await self._gateway.sign(orders)
        self.turn.signed = time.monotonic_ns()
        return signed

    async def post(self, orders: Sequence[SignedOrder]) -> Sequence[Posted]:
        self.turn.posting = time.monotonic_ns()
        answers: Sequence[Posted] = await self._gateway.post(orders)
        self.turn.answered = time.monotonic_ns()
        return answers


class Desk:
    """An executor over a real venue, whose books are given by hand. ``reports`` counts what was said of orders."""

    def __init__(self, venue: Venue, market: Market) -> None:
        clock = WallClock()
        self.market = market
        self.cache = GlobalMarketCache(clock, stale_seconds=3_600.0)
        self.cache.add(market)
        self.gateway = Watched(venue.gateway)
        self.reports: list[OrderUpdate] = []
        gate = Gate()
        gate.user_up = True
        checks = pluggy.PluginManager(PROJECT)
        checks.add_hookspecs(specs)
        register_checks(
            checks.register, built_in_checks(self.cache, gate, max_order=50_000_000, max_position=500_000_000)
        )
        self.executor = Executor(
            self.cache, self.gateway, clock, gate,
            check=closed_check(checks.hook.check_order, _failed), report=self.reports.append,
            limiter=Limiter(clock, _MANY, _MANY),
        )  # fmt: skip
        venue.watch_writes(self._written)
        link = Link("market-1", "market", 1, clock.monotonic())
        self.cache.books.subscribed(link, market.assets)
        for asset in market.assets:
            levels = {4_800 - 100 * n: SHARES for n in range(20)}, {5_200 + 100 * n: SHARES for n in range(20)}
            self.cache.apply(BookSnapshot(market.id, asset, *levels, 100, 1, 1), link, set())

    def _written(self, url: str, now: int) -> None:
        if url.endswith(("/order", "/orders")) and not self.gateway.turn.written:
            self.gateway.turn.written = now

    async def turn(self, number: int, sides: int) -> Turn:
        """Replace the quotes and wait until everything is answered."""
        tick = self.market.tick
        # Below the middle by so much that bids of either token never meet those of the other.
        price = 3_000 - 3_000 % tick + tick * (number % 2)
        quotes = SetQuotes(
            self.market.first.asset, bids=(Quote(price, SHARES),),
            asks=(Quote(10_000 - price, SHARES),) if sides == 2 else (),
        )  # fmt: skip
        turn = self.gateway.turn = Turn(0)
        turn.began = time.monotonic_ns()
        self.executor.submit("maker", (quotes,), turn.began)
        turn.submitted = time.monotonic_ns()
        async with asyncio.timeout(_TURN_SECONDS):
            while not turn.answered or self._cancelling():  # noqa: ASYNC110 - watched from outside
                await asyncio.sleep(0.001)
        return turn

    def _cancelling(self) -> bool:
        return any(order.cancelling for order in self.cache.orders.open())


def measure() -> list[Bar]:
    """The bar, for one order and for both sides of a market."""
    one = repeated(lambda: _run(1))
    two = repeated(lambda: _run(2))
    return [
        _bar("intent → POST on the wire, a quote replaced: p99", one),
        _bar("intent → POST on the wire, both sides replaced: p99", two),
    ]


def _bar(name: str, runs: Runs[list[Turn]]) -> Bar:
    return at_most(
        name, runs.median(lambda turns: _at(turns, _whole, 990)), BAR, "ms",
        runs=runs.each(lambda turns: _at(turns, _whole, 990)),
        p50=runs.median(lambda turns: _at(turns, _whole, 500)), others=runs.company,
        **{f"{part}_p50_p99": _both(runs, take) for part, take in PARTS.items()},
    )  # fmt: skip


def _both(runs: Runs[list[Turn]], take: Callable[[Turn], int]) -> str:
    p50, p99 = (runs.median(lambda turns, q=q: _at(turns, take, q)) for q in (500, 990))  # type: ignore[misc]
    return f"{p50:.3f}/{p99:.3f}"


def _at(turns: list[Turn], take: Callable[[Turn], int], per_mille: int) -> float:
    """Milliseconds."""
    return float(quantile(sorted(map(take, turns)), per_mille)) / 1e6


def _whole(turn: Turn) -> int:
    return turn.written - turn.began


def _run(sides: int) -> list[Turn]:
    with asyncio.Runner(loop_factory=whole.loop_factory()) as runner:
        return runner.run(_turns(sides))


async def _turns(sides: int) -> list[Turn]:
    async with _desk() as desk:
        for number in range(WARM_UP):
            await desk.turn(number, sides)
        freeze_garbage()
        turns = []
        for number in range(WARM_UP, WARM_UP + TURNS):
            turns.append(await desk.turn(number, sides))
            await asyncio.sleep(PAUSE_SECONDS)
        accepted = sum(report.state is OrderState.LIVE for report in desk.reports)
        assert accepted == sides * (WARM_UP + TURNS), f"{accepted} orders were accepted"
        resting = await desk.gateway.open_orders()
        assert len(resting) == sides, f"{len(resting)} orders rest at the exchange, expected {sides}"
        for turn in turns:
            steps = (turn.began, turn.submitted, turn.signing, turn.signed, turn.posting, turn.written, turn.answered)
            assert steps == tuple(sorted(steps)), f"steps out of order: {turn}"
    return turns


@contextlib.asynccontextmanager
async def _desk() -> AsyncIterator[Desk]:
    exchange = LocalExchange(arguments=("--port", "0", "--scenario", "neg-risk"))
    await exchange.start()
    venue = make_venue(PolymarketSettings(exchange=exchange.url))
    task: asyncio.Task[None] | None = None
    try:
        await venue.open()
        market = (await venue.catalogue.find(["*"]))[0]
        desk = Desk(venue, market)
        task = asyncio.create_task(desk.executor.run())
        yield desk
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await venue.close()
        await exchange.stop()


def _failed(error: HookError) -> None:
    raise error
