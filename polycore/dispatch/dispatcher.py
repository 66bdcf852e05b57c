"""Event → cache → mailboxes → hooks → intents.

Owns the order of delivery: the cache first, facts before books, books coalesced, a long backlog in slices. Must not
decide what may be sent (execution does) or read a socket (ws does). One writer: everything here runs on the loop.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, MutableSet
from typing import TYPE_CHECKING, cast

from polycore.cache.book import Book
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore.cache.view import Context
from polycore.clock import Clock
from polycore.dispatch.account import Account
from polycore.dispatch.guard import BUDGET_NANOSECONDS, Guard, HookCall, as_intents
from polycore.dispatch.latency import Histogram
from polycore.dispatch.mailbox import Fact
from polycore.dispatch.routes import Listener, Routes
from polycore.errors import HookError, UsageError
from polycore.model.events import (
    BookDelta,
    Event,
    Fill,
    LinkChange,
    Malformed,
    MarketChange,
    OrderUpdate,
    Trade,
)
from polycore.model.ids import AssetId
from polycore.model.intents import Intent, StopReason

log = logging.getLogger("polycore.dispatch")

SLICE_NANOSECONDS = 1_000_000
"""Longest delivery before the sockets are read again."""

if TYPE_CHECKING:
    _Base = dict[Book, None]
else:
    _Base = dict


class _Touched(_Base):
    """Books in the order in which they were first touched: a dictionary whose ``add`` is ``setdefault``, in C."""

    __slots__ = ()
    add = dict.setdefault


class Dispatcher:
    """Receives events, delivers them to strategies, hands their intents to ``submit``.

    ``submit(strategy, intents, returned)`` gets the monotonic time at which the hook returned. ``schedule`` is the
    loop's ``call_soon``: a backlog is delivered in slices with socket reads between them. ``on_trip(strategy, error)``
    is called once for each strategy that raised; it cancels its orders, and may end the run. ``frame_to_hook`` holds
    the nanoseconds from a book's frame, whole in our hands, to the entry of each ``on_book`` that it caused.
    """

    def __init__(
        self,
        cache: GlobalMarketCache,
        clock: Clock,
        *,
        submit: Callable[[str, tuple[Intent, ...], int], None],
        schedule: Callable[[Callable[[], None]], object],
        on_trip: Callable[[str, HookError], None] = lambda strategy, error: None,
        budget: int = BUDGET_NANOSECONDS,
    ) -> None:
        self.cache = cache
        self.account = Account(cache)
        self.frame_to_hook = Histogram()
        self.dropped_intents = 0
        self._clock = clock
        self._monotonic = clock.monotonic
        self._submit = submit
        self._schedule = schedule
        self._on_trip = on_trip
        self._budget = budget
        self._routes = Routes()
        self._listeners: list[Listener] = []
        self._by_name: dict[str, Listener] = {}
        self._touched = cast(MutableSet[Book], _Touched())
        self._delivering = False
        self._scheduled = False

    # ── Who listens ────────────────────────────────────────────────────────────

    def add(self, name: str, context: Context, calls: Mapping[str, HookCall], *, observes: bool = False) -> Listener:
        """Add a strategy or an observer. Order of calls is order of being added."""
        if name in self._by_name:
            raise UsageError(f"strategy {name} was added to the dispatcher twice: each needs a name of its own")

        def trip(error: HookError) -> None:
            self._tripped(listener, error)

        listener = Listener(name, context, Guard(name, self._clock, trip, self._budget), calls, observes)
        self._listeners.append(listener)
        self._by_name[name] = listener
        return listener

    def select(self, name: str, assets: Iterable[AssetId]) -> None:
        """Replace the tokens a strategy hears about. Their markets must be in the cache."""
        self._by_name[name].assets = frozenset(assets)
        self._routes.compile(self._listeners, self.cache.books)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Strategies and observers, with their counters."""
        return tuple(self._listeners)

    @property
    def running(self) -> int:
        """Strategies that have not tripped."""
        return sum(not (listener.observes or listener.guard.tripped) for listener in self._listeners)

    async def ask(self, name: str, hook: str, call: HookCall, *arguments: object) -> object:
        """Call a cold hook of a strategy (``on_start``, ``select_markets``); a raise trips it and gives ``None``."""
        listener = self._by_name[name]
        return None if listener.guard.tripped else await listener.guard.call_cold(hook, call, *arguments)

    async def stop(self, name: str, call: HookCall, reason: StopReason) -> None:
        """Call a strategy's ``on_stop`` and submit what it returns."""
        listener = self._by_name[name]

        async def last_intents() -> tuple[Intent, ...]:
            wanted = await listener.guard.call_cold("on_stop", call, listener.context, reason)
            return () if wanted is None else as_intents(wanted)

        intents = await self.ask(name, "on_stop", last_intents)
        if intents:
            self._hand_over(listener, cast(tuple[Intent, ...], intents), self._monotonic())

    # ── What happened ──────────────────────────────────────────────────────────

    def receive(self, event: Event, link: Link | None) -> None:
        """Apply one event to the cache and note who must hear of it; :meth:`flush` delivers.

        ``link`` is the connection it came by, ``None`` for what was polled over REST.
        """
        if type(event) is BookDelta and link is not None:
            self.cache.delta(event, link, self._touched)
        elif isinstance(event, Fill):
            for news in self.account.fill(event):
                self._tell_owner(news)
        elif isinstance(event, OrderUpdate):
            update = self.account.order(event)
            if update is not None:
                self._tell_owner(update)
        elif isinstance(event, LinkChange):
            self.link(event)
        else:
            self.cache.apply(event, link, self._touched)
            if isinstance(event, Trade):
                self._tell("on_trade", event, (event.asset,))
            elif isinstance(event, MarketChange):
                self._market_changed(event)
            elif isinstance(event, Malformed) and event.asset is not None:
                self._touch((event.asset,))

    def link(self, change: LinkChange) -> None:
        """Tell strategies of a link's health. The books it carries were given their new state before."""
        self._touch(change.assets)
        self._tell("on_link", change, change.assets, everyone=not change.assets)

    def timer(self, now: int) -> None:
        """Tell strategies the time, wall nanoseconds, and deliver."""
        self._tell("on_timer", now, (), everyone=True)
        self.flush()

    def report(self, update: OrderUpdate) -> None:
        """Tell an order's owner what the executor learned of it; the cache has adopted it already."""
        self._tell_owner(update)
        self._resume_soon()

    def emit(self, name: str, intents: tuple[Intent, ...]) -> None:
        """Take intents from a strategy's own task: the narrow door. ``TypeError`` for what is not an intent."""
        listener = self._by_name[name]
        self._hand_over(listener, as_intents(intents), self._monotonic())

    # ── Delivery ───────────────────────────────────────────────────────────────

    def flush(self) -> None:
        """Deliver what waits, at most a slice of it; the rest follows after the sockets were read. Never re-entered."""
        self._mark()
        if not (self._delivering or self._scheduled):
            self._deliver()

    def _mark(self) -> None:
        routes = self._routes.books
        for book in self._touched:
            for slot in routes.get(book.asset, ()):
                if not slot.dirty:
                    slot.dirty = True
                    slot.waiting.append(slot)
        self._touched.clear()

    def _deliver(self) -> None:
        self._delivering = True
        try:
            now = self._monotonic()
            end = now + SLICE_NANOSECONDS
            share = SLICE_NANOSECONDS // max(len(self._listeners), 1)
            waiting = True
            while waiting and now < end:
                waiting = False
                for listener in self._listeners:
                    mailbox = listener.mailbox
                    if mailbox.facts or mailbox.books:
                        now = self._serve(listener, now, now + share)
                        if mailbox.facts or mailbox.books:
                            waiting = True
        finally:
            self._delivering = False
        if waiting:
            self._resume_soon()

    def _serve(self, listener: Listener, now: int, until: int) -> int:
        """Deliver one inbox until it is empty or ``until``; returns the time."""
        facts, books, guard, context = listener.mailbox.facts, listener.mailbox.books, listener.guard, listener.context
        book_call, record = listener.book_call, self.frame_to_hook.record
        while now < until:
            if facts:
                hook, call, event = facts.popleft()
                if hook == "on_fill":
                    listener.on_fill += 1
                elif hook == "on_book":
                    listener.on_book += 1
                intents = guard.call(hook, call, event, context, now)
            elif books:
                slot = books.popleft()
                slot.dirty = False
                book = slot.book
                listener.on_book += 1
                record(now - book.received_time)
                intents = guard.call("on_book", book_call, book, context, now)  # type: ignore[arg-type]
            else:
                break
            now = guard.returned
            if intents:
                self._hand_over(listener, intents, now)
                now = self._monotonic()
        return now

    def _resume_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._schedule(self._resume)

    def _resume(self) -> None:
        self._scheduled = False
        self.flush()

    def _hand_over(self, listener: Listener, intents: tuple[Intent, ...], returned: int) -> None:
        if listener.observes or listener.guard.tripped:
            self.dropped_intents += len(intents)
            log.warning("%s: %d intents dropped: it has tripped or only observes", listener.name, len(intents))
            return
        listener.intents += len(intents)
        self._submit(listener.name, intents, returned)

    # ── Addressing ─────────────────────────────────────────────────────────────

    def _touch(self, assets: Iterable[AssetId]) -> None:
        """These books changed their state without a frame: who quotes on them must look again."""
        for asset in assets:
            book = self.cache.get(asset)
            if book is not None:
                for listener in self._listeners:
                    if asset in listener.slots:
                        self._put(listener, "on_book", book)

    def _market_changed(self, change: MarketChange) -> None:
        market = self.cache.markets.get(change.market)
        if market is None:
            return
        self.account.resolve(market)
        self._tell("on_market_change", change, market.assets)
        self._touch(market.assets)

    def _tell_owner(self, event: OrderUpdate | Fill) -> None:
        hook = "on_fill" if isinstance(event, Fill) else "on_order"
        owner = self._by_name.get(event.strategy)
        if owner is not None:
            self._put(owner, hook, event)
        for listener in self._listeners:
            if listener.observes:
                self._put(listener, hook, event)

    def _tell(self, hook: str, event: object, assets: Iterable[AssetId], everyone: bool = False) -> None:
        for listener in self._listeners:
            if everyone or not listener.assets.isdisjoint(assets):
                self._put(listener, hook, event)

    def _put(self, listener: Listener, hook: str, event: object) -> None:
        call = listener.calls.get(hook)
        if call is not None and not listener.guard.tripped:
            listener.mailbox.facts.append(Fact(hook, call, event))

    def _tripped(self, listener: Listener, error: HookError) -> None:
        listener.mailbox.clear()
        self._routes.compile(self._listeners, self.cache.books)
        self._on_trip(listener.name, error)
