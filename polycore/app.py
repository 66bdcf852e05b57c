"""Composition: builds the parts and joins them in the order of the flow; the one file that knows them all.

Owns the life of a run: start, the loops beside the sockets, stop. Reaches venues and strategies only by name, through
hooks. Must not decide anything about orders: strategies want, checks refuse, the executor sends.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import SystemRandom
from typing import Any

from polycore.cache.books import Books
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.hash_proof import HashProof
from polycore.cache.links import Link
from polycore.cache.view import CacheView, Context, OwnOrders
from polycore.clock import Clock, WallClock
from polycore.dispatch.dispatcher import Dispatcher
from polycore.dispatch.guard import closed_check, watched
from polycore.dispatch.latency import Histogram
from polycore.dispatch.routes import bind_calls
from polycore.errors import HookError, PluginError, UsageError
from polycore.exchange.process import LocalExchange
from polycore.execution.checks import Gate, built_in_checks, register_checks
from polycore.execution.closing import until_nothing_rests
from polycore.execution.executor import Executor
from polycore.execution.reading import OpenOrdersReader
from polycore.hooks.instances import ObserverInstance, StrategyInstance
from polycore.hooks.manager import PluginManager
from polycore.model.events import BookDelta, BookSnapshot, LinkChange
from polycore.model.ids import AssetId
from polycore.model.intents import Intent, StopReason
from polycore.model.market import Market
from polycore.settings import Settings
from polycore.venue import Venue
from polycore.ws.manager import PolymarketWSManager
from polycore.ws.settings import WSSettings

log = logging.getLogger("polycore.app")

_TIMER_SECONDS = 1.0
_USER_FIRST_SECONDS = 3.0
_WARM_SECONDS = 10.0
_SETTLE_SECONDS = 1.0
_CANCEL_SECONDS = 5.0
_HOOK_STOP_SECONDS = 1.0


class App:
    """One run. Made from settings and prepared plugins; :meth:`start`, :meth:`run`, :meth:`stop`, once each.

    ``exchange`` is the local exchange to trade on, already started. All parts are readable while it runs.
    """

    def __init__(
        self,
        settings: Settings,
        plugins: PluginManager,
        exchange: LocalExchange,
        *,
        clock: Clock | None = None,
        sockets: WSSettings | None = None,
    ) -> None:
        refuse_network(settings)
        self.settings = settings
        self.plugins = plugins
        self.exchange = exchange
        self.clock = clock or WallClock()
        self.cache = GlobalMarketCache(self.clock, settings.run.stale_seconds)
        self.venue: Venue = plugins.venue(settings, exchange=exchange.url)
        self.gate = Gate()
        self.frames = 0
        self.open_at_end: int | None = None
        reading_wanted = asyncio.Event()
        self.dispatcher = Dispatcher(
            self.cache,
            self.clock,
            submit=self._submit,
            schedule=lambda call: self._loop.call_soon(call),
            on_trip=self._tripped,
            budget=settings.run.hook_budget_us * 1000,
        )
        self.hook_to_wire = Histogram()
        self._hook_error = watched("on_hook_error", plugins.hook.on_hook_error, _observer_raised)
        self.executor = Executor(
            self.cache,
            self.venue.gateway,
            self.clock,
            self.gate,
            check=closed_check(plugins.hook.check_order, self._check_raised),
            report=self.dispatcher.report,
            on_intent=watched("on_intent", plugins.hook.on_intent, _observer_raised),
            doubt=reading_wanted.set,
            record_wire=self.hook_to_wire.record,
        )
        self.venue.watch_writes(self.executor.first_write)
        self._reader = OpenOrdersReader(
            self.venue.gateway, self.executor, self.gate, self.clock, self._user_link, reading_wanted
        )
        self._hash_proof = HashProof(self.venue.prove, self.cache.books.proof, self.clock.monotonic())
        self._market_channel = self.venue.market_channel()
        self._user_channel = self.venue.user_channel()
        self._sockets_settings = sockets or WSSettings(connect_gap_seconds=0.05)
        self._sockets: PolymarketWSManager | None = None
        self._ended: asyncio.Future[StopReason] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._register_checks()

    # ── Life ───────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Open the venue, choose markets, start strategies, connect. Raises a ``PolycoreError``: then stop it."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        await self.venue.open()
        for strategy in self.plugins.strategies:
            self._add(strategy)
        for observer in self.plugins.observers:
            self._add(observer)
        markets = await self._choose_markets()
        self._spawn(self.executor.run(), "executor")
        for strategy in self.plugins.strategies:
            await self._on_start(strategy)
        self._sockets = PolymarketWSManager(
            self._market_channel,
            self._user_channel,
            self.cache,
            self.clock,
            on_frame=self._on_frame,
            on_read_end=self._on_read_end,
            on_link=self._on_link,
            fetch_books=self.venue.books,
            rng=SystemRandom(),
            settings=self._sockets_settings,
            on_polled=self._on_polled,
        )
        self.cache.books.on_suspect = self._sockets.doubt
        self._spawn(self._reader.run(), "open orders")
        await self._sockets.start([])
        # The user stream first, so that strategies are not shown a market they may not trade yet.
        await self._reader.until_open(_USER_FIRST_SECONDS)
        self._sockets.set_markets(markets)
        self._spawn(self._keep_time(), "timer")
        self._sockets.failed.add_done_callback(self._task_ended)

    async def run(self, seconds: float | None, tick: Callable[["App"], Awaitable[bool]]) -> StopReason:
        """Trade until ``seconds`` have passed, ``tick`` (awaited once a second) says so, or :meth:`end` is called."""
        if self._ended is None:
            raise UsageError("a run must be started before it runs")
        end = None if seconds is None else self._loop.time() + seconds
        while not self._ended.done():
            if await tick(self):
                await asyncio.wait([self._ended], timeout=_SETTLE_SECONDS)
                self.end(StopReason.FINISHED)
                break
            left = _TIMER_SECONDS if end is None else min(_TIMER_SECONDS, end - self._loop.time())
            if left <= 0:
                self.end(StopReason.FINISHED)
                break
            await asyncio.wait([self._ended], timeout=left)
        return await self._ended

    def end(self, reason: StopReason) -> None:
        """Ask the run to end: nothing opens from this moment on, and the cancels leave before anything else is asked.

        Safe to call twice; the first reason counts.
        """
        if self._sockets is not None and not self.gate.halted:
            self.executor.halt(f"run {reason.value}")
            self.executor.cancel_all()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)

    async def stop(self, reason: StopReason) -> None:
        """Stop quoting, cancel what rests, verify, close. Takes less than 10 s whatever the venue does."""
        self.end(reason)
        if self._sockets is not None:
            await asyncio.gather(*(self._on_stop(strategy, reason) for strategy in self.plugins.strategies))
            try:
                async with asyncio.timeout(_CANCEL_SECONDS):
                    await until_nothing_rests(self.executor, self.cache.orders, self.venue.gateway, self.clock)
                    self.open_at_end = 0
            except TimeoutError:
                log.error("could not verify within %g s that nothing rests at the venue", _CANCEL_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sockets is not None:
            await self._sockets.close()
        await self.venue.close()

    # ── What the summary reads ─────────────────────────────────────────────────

    @property
    def books(self) -> Books:
        return self.cache.books

    @property
    def reconnects(self) -> int:
        return 0 if self._sockets is None else self._sockets.reconnects

    # ── Frames in ──────────────────────────────────────────────────────────────

    def _on_frame(self, link: Link, frame: bytes, received: int) -> None:
        self.frames += 1
        channel = self._market_channel if link.channel == "market" else self._user_channel
        receive = self.dispatcher.receive
        events = channel.decode(frame, received)
        for event in events:
            receive(event, link)
        if self._hash_proof.due(received):
            for event in events:
                if isinstance(event, BookSnapshot):
                    self._note(frame, event.asset)
                elif isinstance(event, BookDelta):
                    for change in event.changes:
                        self._note(frame, change.asset)

    def _note(self, frame: bytes, asset: AssetId) -> None:
        book = self.cache.books.get(asset)
        if book is not None:
            self._hash_proof.note(frame, book)

    def _on_read_end(self) -> None:
        self.dispatcher.flush()
        self._hash_proof.settle(self.clock.monotonic())

    def _on_polled(self, books: Sequence[BookSnapshot]) -> None:
        for book in books:
            self.dispatcher.receive(book, None)
        self.dispatcher.flush()

    def _on_link(self, change: LinkChange) -> None:
        if change.channel == "user":
            self._reader.user_link_changed()
        self.dispatcher.receive(change, None)
        self.dispatcher.flush()

    # ── Orders out ─────────────────────────────────────────────────────────────

    def _submit(self, strategy: str, intents: tuple[Intent, ...], returned: int) -> None:
        # A run that ends cancels everything itself: what strategies still want then is of no use to anyone.
        if not self.gate.halted:
            self.executor.submit(strategy, intents, returned)

    def _register_checks(self) -> None:
        limits = self.settings.limits
        checks = built_in_checks(
            self.cache,
            self.gate,
            max_order=limits.max_order,
            max_position=limits.max_position,
            price_band=limits.price_band,
            probe=self._probe,
        )
        register_checks(self.plugins.register, checks)

    def _probe(self, asset: AssetId) -> None:
        if self._sockets is not None:
            self._sockets.probe(asset)

    def _tripped(self, strategy: str, error: HookError) -> None:
        log.error("%s; tripped: its hooks stop, its orders are cancelled", error, exc_info=error.__cause__)
        self.executor.cancel_all(strategy)
        self._hook_error(error=error)
        if self.settings.run.on_error == "stop_run" or not self.dispatcher.running:
            self.end(StopReason.TRIPPED)

    def _check_raised(self, error: HookError) -> None:
        log.error("%s; the order is refused", error, exc_info=error.__cause__)
        self._hook_error(error=error)

    # ── Loops beside the sockets ───────────────────────────────────────────────

    async def _keep_time(self) -> None:
        warm = self._loop.time() + _WARM_SECONDS
        while True:
            await asyncio.sleep(_TIMER_SECONDS)
            self.dispatcher.timer(self.clock.wall())
            if warm and self._loop.time() >= warm:
                warm = 0.0
                freeze_garbage()

    def _user_link(self) -> Link | None:
        return None if self._sockets is None else self._sockets.user_link

    # ── Strategies ─────────────────────────────────────────────────────────────

    def _add(self, part: StrategyInstance | ObserverInstance) -> None:
        name = part.name
        context = Context(
            name=name,
            config=part.config,
            cache=CacheView(self.cache),
            orders=OwnOrders(self.cache, name),
            inventory=self.cache.inventory(name),
            clock=self.clock,
            log=logging.LoggerAdapter(logging.getLogger(f"polycore.strategy.{name}"), {"strategy": name}),
            emit=lambda intents: self.dispatcher.emit(name, intents),
        )
        calls = bind_calls(lambda hook: self.plugins.bind(part, hook))
        self.dispatcher.add(name, context, calls, observes=isinstance(part, ObserverInstance))

    async def _choose_markets(self) -> list[Market]:
        """Ask every strategy for its markets, unite them, and make them known before anything is subscribed."""
        chosen: dict[str, list[Market]] = {}
        for strategy in self.plugins.strategies:
            select = self.plugins.bind(strategy, "select_markets")
            if select is None:
                found: Any = await self.venue.catalogue.find(strategy.markets)
            else:
                context = self._context(strategy.name)
                found = await self.dispatcher.ask(
                    strategy.name, "select_markets", select, self.venue.catalogue, context
                )
            chosen[strategy.name] = list(found or ())
        united = {market.id: market for markets in chosen.values() for market in markets}
        if not united:
            raise UsageError("no strategy selected a market: `polycore markets` lists what is offered")
        for market in united.values():
            self.cache.add(market)
        for name, markets in chosen.items():
            self.dispatcher.select(name, [asset for market in markets for asset in market.assets])
        return list(united.values())

    async def _on_start(self, strategy: StrategyInstance) -> None:
        call = self.plugins.bind(strategy, "on_start")
        if call is not None:
            await self.dispatcher.ask(strategy.name, "on_start", call, self._context(strategy.name))

    async def _on_stop(self, strategy: StrategyInstance, reason: StopReason) -> None:
        call = self.plugins.bind(strategy, "on_stop")
        if call is None:
            return
        try:
            async with asyncio.timeout(_HOOK_STOP_SECONDS):
                await self.dispatcher.stop(strategy.name, call, reason)
        except TimeoutError:
            log.error("%s: on_stop took longer than %g s and was left behind", strategy.name, _HOOK_STOP_SECONDS)

    def _context(self, name: str) -> Context:
        return next(listener.context for listener in self.dispatcher.listeners if listener.name == name)

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._task_ended)
        self._tasks.append(task)

    def _task_ended(self, task: asyncio.Future[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the run fails: %s", error, exc_info=error)
            self.end(StopReason.FAILED)


def freeze_garbage() -> None:
    """Take what lives through the warm-up out of the collector's sight: a full collection then costs milliseconds."""
    gc.collect()
    gc.freeze()


def refuse_network(settings: Settings) -> None:
    """Raise ``UsageError`` for a network that this version does not trade on."""
    if settings.venue.network != "local":
        raise UsageError(
            f"network {settings.venue.network} is refused in this version: it needs orders, fills and positions that "
            "survive a crash; use network local"
        )


def _observer_raised(error: HookError) -> None:
    log.error("%s; the run goes on", error, exc_info=error.__cause__)


def prepare(settings: Settings, without: Sequence[str] = (), faults: list[str] | None = None) -> PluginManager:
    """Load and verify the plugins and the venue of the settings; nothing is opened.

    Raises one error with every fault, those of reading the settings, given in ``faults``, among them.
    """
    plugins = PluginManager()
    plugins.prepare(settings, without, faults)
    if not plugins.strategies:
        raise PluginError("no strategy to run: name plugins with --plugins, `polycore plugins list` shows them")
    return plugins
