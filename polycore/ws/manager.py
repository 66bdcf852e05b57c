"""``PolymarketWSManager``: many connections, kept subscribed to what is wanted and honest about their health.

Owns which socket carries which market, the cure of failed books and the REST fallback. Must not read frames, touch
levels or know the venue beyond its name: all it says to a venue comes from a ``Channel``.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

from polycore.cache.book import Book, BookState
from polycore.cache.books import CROSSED
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore.clock import Clock
from polycore.errors import LinkError, OutcomeUnknown, UsageError, VenueRefusal
from polycore.model.events import BookSnapshot, LinkChange, LinkState
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Market
from polycore.venue import Channel
from polycore.ws.backoff import Spacing
from polycore.ws.connection import Connection, OnFrame, OnReadEnd
from polycore.ws.line import Line, Surroundings
from polycore.ws.settings import WSSettings
from polycore.ws.watch import BookWatch, Remedy

_NANOSECONDS = 1_000_000_000
_AWAITED = (BookState.SYNCING, BookState.EMPTY)
_POLL_TIMEOUT_SECONDS = 10.0

log = logging.getLogger("polycore.ws")


class PolymarketWSManager:
    """Keeps the market channel of all wanted markets, and the user channel, connected and subscribed.

    Built on the running loop; all callbacks are called there. ``on_frame`` and ``on_read_end`` as for a
    :class:`Connection`. ``on_link`` hears each change of a link: UP once the opening frames are sent, DOWN with its
    cause, DEGRADED when books are polled. ``fetch_books`` reads books over REST; what it returns goes to ``on_polled``,
    or straight into the cache when there is none.

    Await ``failed`` beside the run: it raises what must end it (``VenueRefusal`` when the venue forbids the socket with
    401 or 403, or an exception of one of the callbacks) and returns after :meth:`close`.
    """

    def __init__(
        self,
        market_channel: Channel,
        user_channel: Channel | None,
        cache: GlobalMarketCache,
        clock: Clock,
        *,
        on_frame: OnFrame,
        on_read_end: OnReadEnd,
        on_link: Callable[[LinkChange], None],
        fetch_books: Callable[[Sequence[AssetId]], Awaitable[Sequence[BookSnapshot]]],
        rng: Random,
        settings: WSSettings,
        on_polled: Callable[[Sequence[BookSnapshot]], None] | None = None,
    ) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = market_channel
        self._user_channel = user_channel
        self._cache = cache
        self._now = clock.monotonic
        self._settings = settings
        self._fetch_books = fetch_books
        self._on_polled = on_polled or self._apply_polled
        secure = any(channel and channel.url.startswith("wss:") for channel in (market_channel, user_channel))
        self._around = Surroundings(
            cache.books,
            clock,
            settings,
            rng,
            Spacing(rng, settings.connect_gap_seconds),
            ssl.create_default_context() if secure else None,
            on_frame,
            on_read_end,
            on_link,
        )
        self._watch = BookWatch(settings)
        self._lines: dict[Line, asyncio.Task[None]] = {}
        self._homes: dict[MarketId, Line] = {}
        self._user: Line | None = None
        self._names = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._doubted: dict[AssetId, Book] = {}
        self._wake = asyncio.Event()
        self._closed_reconnects = 0

    # ── Life ───────────────────────────────────────────────────────────────────

    async def start(self, markets: Sequence[Market]) -> None:
        """Begin to connect and return: ``on_link`` and the states of the books tell the rest."""
        if self._user_channel is not None:
            # Spaced on its own: after a restart of the venue, fills must not queue behind fifteen market sockets.
            spacing = Spacing(self._around.rng, self._settings.connect_gap_seconds)
            self._user = Line("user", self._user_channel, replace(self._around, spacing=spacing))
            self._own(self._user.run(), "user")
        self.set_markets(markets)
        self._own(self._review_forever(), "review")
        self._own(self._poll_forever(), "poll")

    async def close(self) -> None:
        """Close every socket and end every task, within a second."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if not self.failed.done():
            self.failed.set_result(None)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The open connections, that of the user channel among them."""
        lines = [*self._lines, self._user] if self._user else self._lines
        return tuple(line.connection for line in lines if line.connection is not None and line.is_open)

    @property
    def links(self) -> tuple[Link, ...]:
        """The link of every line, connected or not."""
        lines = [*self._lines, self._user] if self._user else self._lines
        return tuple(line.link for line in lines)

    @property
    def user_link(self) -> Link | None:
        """The link of the user channel: its proof of life is half of what an opening order needs."""
        return self._user.link if self._user else None

    @property
    def reconnects(self) -> int:
        """How often a lost connection was replaced."""
        lines = [*self._lines, self._user] if self._user else self._lines
        return self._closed_reconnects + sum(line.reconnects for line in lines)

    # ── What is wanted ─────────────────────────────────────────────────────────

    def set_markets(self, markets: Sequence[Market]) -> None:
        """Want exactly these markets from now on; running connections are told only what changes.

        Both tokens of a market share a socket. Free room is used before a socket is opened; one left empty is closed.
        """
        wanted = {market.id: market for market in markets}
        leaving: dict[Line, list[Market]] = defaultdict(list)
        for market_id, line in self._homes.items():
            if market_id not in wanted:
                leaving[line].append(line.markets[market_id])
        for line, gone in leaving.items():
            line.remove(gone)
            for market in gone:
                del self._homes[market.id]
                for asset in market.assets:
                    self._watch.forget(asset)
        new = [market for market in wanted.values() if market.id not in self._homes]
        for market in new:
            if self._cache.markets.get(market.id) is None:
                self._cache.add(market)
        self._place(new)
        self._close_empty()

    def _place(self, markets: Iterable[Market], avoid: Line | None = None) -> None:
        room = self._pairs_per_line()
        arriving: dict[Line, list[Market]] = {}
        free = {line: room - len(line.markets) for line in self._lines if line is not avoid}
        for market in markets:
            line = next((line for line, places in free.items() if places > 0), None)
            if line is None:
                line = Line(f"market-{next(self._names)}", self._channel, self._around)
                free[line] = room
            free[line] -= 1
            if not free[line]:
                del free[line]
            self._homes[market.id] = line
            arriving.setdefault(line, []).append(market)
        for line, newcomers in arriving.items():
            line.add(newcomers)
            if line not in self._lines:
                self._lines[line] = self._own(line.run(), line.name)

    def _pairs_per_line(self) -> int:
        assets = self._channel.assets_per_connection
        if assets == 1:
            raise UsageError("the market channel carries 1 asset a connection; the two tokens of a market need 2")
        return assets // 2 if assets else 2**31

    def _close_empty(self) -> None:
        for line in [line for line in self._lines if not line.markets]:
            self._closed_reconnects += line.reconnects
            self._lines.pop(line).cancel()

    # ── Health ─────────────────────────────────────────────────────────────────

    def doubt(self, book: Book) -> None:
        """A book became SUSPECT: cure it once the present read is finished. A crossed one is given time to heal."""
        if book.cause is not CROSSED:
            self._doubted[book.asset] = book
            self._wake.set()

    def probe(self, asset: AssetId) -> bool:
        """PING a token's connection unless a PONG is awaited; its link's ``proof_time`` shows the answer.

        Returns whether the token has an open connection.
        """
        market = self._cache.markets.of_asset(asset)
        line = self._homes.get(market.id) if market else None
        return line is not None and line.connection is not None and line.connection.probe()

    async def _review_forever(self) -> None:
        due = 0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.review_seconds):
                    await self._wake.wait()
            self._wake.clear()
            doubted, self._doubted = self._doubted, {}
            self._cure(doubted.values())
            if self._now() >= due:
                due = self._now() + round(self._settings.review_seconds * _NANOSECONDS)
                for line in list(self._lines):
                    self._review(line)
                    await asyncio.sleep(0)

    def _review(self, line: Line) -> None:
        if line.is_open:
            books = [book for asset in line.assets if (book := self._cache.books.get(asset)) is not None]
            self._cure(books)
            if not line.books_since and all(book.state not in _AWAITED for book in books):
                line.books_since = self._now()
        elif line.down_since and line.link.state is LinkState.DOWN:
            limit = self._settings.fallback_after_seconds
            if self._now() - line.down_since > limit * _NANOSECONDS:
                line.degrade(f"no socket for {limit:g} s: {line.link.cause}")

    def _cure(self, books: Iterable[Book]) -> None:
        """Apply the remedy of each book that has failed; moves and frames are gathered, one of each for a line."""
        now = self._now()
        again: dict[tuple[Line, str], list[AssetId]] = defaultdict(list)
        moves: dict[Line, dict[MarketId, Market]] = defaultdict(dict)
        for book in books:
            line = self._homes.get(book.market)
            if line is None or not line.is_open or not self._watch.has_failed(book, line.link, now):
                continue
            remedy = self._watch.remedy(book.asset, now)
            log.warning("%s: asset=%s cause=%s remedy=%s", book.state.value, book.asset, book.cause, remedy.value)
            if remedy is Remedy.MOVE:
                moves[line][book.market] = line.markets[book.market]
            else:
                again[line, book.cause].append(book.asset)
        for (line, cause), assets in again.items():
            line.resubscribe(assets, f"subscribed again: {cause}")
        for line, markets in moves.items():
            line.remove(markets.values())
            self._place(markets.values(), avoid=line)
            arrived: dict[Line, list[AssetId]] = defaultdict(list)
            for market in markets.values():
                arrived[self._homes[market.id]] += market.assets
            for home, tokens in arrived.items():
                home.tell(f"moved from {line.name}", tuple(tokens))
        self._close_empty()

    # ── REST fallback ──────────────────────────────────────────────────────────

    async def _poll_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            degraded = self._degraded()
            for start in range(0, len(degraded), self._settings.poll_assets):
                await self._poll(degraded[start : start + self._settings.poll_assets])
                await asyncio.sleep(self._settings.poll_seconds)

    async def _poll(self, assets: Sequence[AssetId]) -> None:
        try:
            async with asyncio.timeout(_POLL_TIMEOUT_SECONDS):
                snapshots = await self._fetch_books(assets)
        except (LinkError, OutcomeUnknown, VenueRefusal, TimeoutError) as error:
            log.warning("REST books not available: assets=%d cause=%s", len(assets), error or "timed out")
            return
        # A socket may have come back meanwhile: its own snapshots are newer and prove more.
        degraded = set(self._degraded())
        self._on_polled([snapshot for snapshot in snapshots if snapshot.asset in degraded])

    def _degraded(self) -> list[AssetId]:
        lines = [line for line in self._lines if line.link.state is LinkState.DEGRADED]
        return [asset for line in lines for asset in line.assets]

    def _apply_polled(self, snapshots: Sequence[BookSnapshot]) -> None:
        touched: set[Book] = set()
        for snapshot in snapshots:
            self._cache.apply(snapshot, None, touched)

    # ── Tasks ──────────────────────────────────────────────────────────────────

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=f"polycore.ws {name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)
