"""All books: events applied, proofs made, states decided.

Owns every book, which link each depends on, and the two books of a market as mirrors of one another. Must not read a
clock, decode frames or talk to a venue.

A token's book goes EMPTY → SYNCING (subscribed) → LIVE (snapshot of the present connection) ↔ SUSPECT (a proof failed);
STALE when its connection is lost; DEGRADED when polled over REST.
"""

from collections.abc import Callable, Iterable, Iterator, MutableSet

from polycore.cache.book import EMPTY_ASK, EMPTY_BID, Book, BookState, Version
from polycore.cache.links import Link
from polycore.errors import UsageError
from polycore.model.events import BookDelta, BookSnapshot, LevelChange
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Market, Side
from polycore.model.money import PRICE_ONE, Price

CROSSED = "crossed: best bid at or above best ask"
"""Cause of a doubt that the next proven frame removes: the venue crosses books for a moment in a match."""

_NO_ECHO = -1
_UNEQUAL = -1
_NEAR_TICKS = 12
_BUY = Side.BUY
_LIVE = BookState.LIVE


class Proof:
    """Counters of the book proof.

    ``pairs`` counts frames after which both tokens' best quotes and their mirror agreed, ``tops_agreed`` and
    ``mirrors_agreed`` agreements one by one; ``suspect`` counts LIVE → SUSPECT.
    """

    __slots__ = (
        "pairs",
        "tops_agreed",
        "disagreed",
        "suspect",
        "mirrors_agreed",
        "mirror_disagreed",
        "hash_checked",
        "hash_agreed",
    )

    def __init__(self) -> None:
        self.pairs = 0
        self.tops_agreed = 0
        self.disagreed = 0
        self.suspect = 0
        self.mirrors_agreed = 0
        self.mirror_disagreed = 0
        self.hash_checked = 0
        self.hash_agreed = 0

    @property
    def agreed(self) -> int:
        """Best quotes of a book that were those a frame carries."""
        return 2 * self.pairs + self.tops_agreed

    @property
    def checked(self) -> int:
        """Best quotes of a book that were compared with a frame's."""
        return self.agreed + self.disagreed

    @property
    def mirror_agreed(self) -> int:
        """Tops of a market's two books that mirrored one another."""
        return self.pairs + self.mirrors_agreed

    @property
    def mirror_checked(self) -> int:
        """Tops of a market's two books that were compared with one another."""
        return self.mirror_agreed + self.mirror_disagreed


class Books:
    """Every known book. ``on_suspect`` is called once each time a LIVE book becomes SUSPECT for lost data."""

    def __init__(self, on_suspect: Callable[[Book], None] = lambda book: None) -> None:
        self.proof = Proof()
        self._unproven = 0
        self.late = 0
        self.on_suspect = on_suspect
        self._books: dict[AssetId, Book] = {}
        self._pairs: dict[MarketId, tuple[Book, Book, Version]] = {}

    # ── Membership and links ───────────────────────────────────────────────────

    def add(self, market: Market) -> None:
        """Make both books of a market known. Adding it again changes nothing."""
        if market.id in self._pairs:
            return
        version = Version()
        first, second = (Book(asset, market.id, market.tick, version) for asset in market.assets)
        self._books[first.asset], self._books[second.asset] = first, second
        self._pairs[market.id] = first, second, version

    def get(self, asset: AssetId) -> Book | None:
        return self._books.get(asset)

    def __iter__(self) -> Iterator[Book]:
        return iter(list(self._books.values()))

    def __len__(self) -> int:
        return len(self._books)

    @property
    def updates(self) -> int:
        """Events applied to a book: snapshots, and each frame's changes of one token."""
        return self._unproven + self.proof.checked

    def link(self, asset: AssetId) -> Link | None:
        """The connection a book depends on."""
        book = self._books.get(asset)
        return None if book is None else book.link

    def subscribed(self, link: Link, assets: Iterable[AssetId], cause: str = "waiting for a snapshot") -> None:
        """From now on these books depend on ``link``; what another connection says of them is ignored."""
        for asset in assets:
            book = self._books.get(asset)
            if book is None:
                raise UsageError(f"asset {asset} was subscribed before its market was added to the cache")
            book.link = link
            book.clear(BookState.SYNCING, cause)

    def lost(self, link: Link, cause: str) -> list[AssetId]:
        """The connection is gone: its books are STALE, their levels kept for display only. Returns the assets."""
        books = [book for book in self._books.values() if book.link is link]
        for book in books:
            book.state, book.cause = BookState.STALE, cause
        return [book.asset for book in books]

    def forget(self, assets: Iterable[AssetId]) -> None:
        """These books are not subscribed any more."""
        for asset in assets:
            book = self._books.get(asset)
            if book is not None:
                book.link = None
                book.clear(BookState.EMPTY, "not subscribed")

    # ── Events ─────────────────────────────────────────────────────────────────

    def snapshot(self, event: BookSnapshot, link: Link | None, touched: MutableSet[Book]) -> None:
        """Replace a book. Without a link it is a REST book: never over a LIVE one, never LIVE."""
        book = self._books.get(event.asset)
        if book is None:
            return
        if link is None:
            if book.state is BookState.LIVE or event.venue_time < book.venue_time:
                return
            state, cause = BookState.DEGRADED, "polled over REST"
        elif book.link is not link:
            self.late += 1
            return
        else:
            state, cause = BookState.LIVE, ""
            book.source = link
        if event.tick:
            book.tick = event.tick
        book.replace(event.bids, event.asks)
        book.venue_time, book.received_time = event.venue_time, event.received_time
        book.state, book.cause = state, cause
        if book.best_bid >= book.best_ask and state is BookState.LIVE:
            self._doubt(book, CROSSED)
        self._unproven += 1
        touched.add(book)

    def delta(self, event: BookDelta, link: Link, touched: MutableSet[Book]) -> None:
        """Apply a frame's changes, then prove each touched book by the frame's best quotes and by its mirror.

        A changed book is added to ``touched``. Changes that came by another link than the book's are ignored. One long
        function, because a call costs as much as a level: see docs/performance.md before dividing it.
        """
        try:
            first, second, version = self._pairs[event.market]
        except KeyError:
            return
        # Not of an old connection, not before the snapshot: no change names such a book's asset then.
        first_asset = first.asset if first.source is link else None
        second_asset = second.asset if second.source is link else None
        first_echo: LevelChange | None = None
        second_echo: LevelChange | None = None
        buy = _BUY
        version.number += 1
        for change in event.changes:
            asset = change.asset
            if asset == first_asset:
                book = first
                first_echo = change
            elif asset == second_asset:
                book = second
                second_echo = change
            else:
                continue
            price = change.price
            size = change.size
            if change.side is buy:
                if size:
                    book.bids[price] = size
                    if price > book.best_bid:
                        book.best_bid = price
                elif book.bids.pop(price, 0) and price == book.best_bid:
                    book.best_bid = _next_bid(book)
            elif size:
                book.asks[price] = size
                if price < book.best_ask:
                    book.best_ask = price
            elif book.asks.pop(price, 0) and price == book.best_ask:
                book.best_ask = _next_ask(book)
        if first_echo is None or second_echo is None:
            echo, book = (second_echo, second) if first_echo is None else (first_echo, first)
            if echo is None:
                self.late += 1
                version.number += 1
                return
            touched.add(book)
            _publish(event, book, echo)
            version.number += 1
            self._prove(book, echo)
            return
        touched.add(first)
        touched.add(second)
        bid = first.best_bid
        ask = first.best_ask
        other_bid = second.best_bid
        other_ask = second.best_ask
        # All that is left to do for nearly every frame of a live market: both tokens changed, and every proof agrees.
        try:
            bid_size = first.bids[bid]
            ask_size = first.asks[ask]
            other_bid_size = second.bids[other_bid]
            other_ask_size = second.asks[other_ask]
        except KeyError:  # a side is empty: the long way
            bid_size, other_ask_size = 0, _UNEQUAL
        if (
            bid == first_echo.best_bid == PRICE_ONE - other_ask
            and ask == first_echo.best_ask == PRICE_ONE - other_bid
            and other_bid == second_echo.best_bid
            and other_ask == second_echo.best_ask
            and bid_size == other_ask_size
            and ask_size == other_bid_size
            and bid < ask
            and first.state is _LIVE
            and second.state is _LIVE
        ):
            first.top = (bid, bid_size, ask, ask_size)
            second.top = (other_bid, other_bid_size, other_ask, other_ask_size)
            first.venue_time = second.venue_time = event.venue_time
            first.received_time = second.received_time = event.received_time
            version.number += 1
            self.proof.pairs += 1
            return
        _publish(event, first, first_echo)
        _publish(event, second, second_echo)
        version.number += 1
        self._prove(first, first_echo)
        self._prove(second, second_echo)
        self._mirror(first, second)

    def tick_change(self, asset: AssetId, tick: Price) -> None:
        """A new grid is a new epoch: the levels are dropped until the next snapshot."""
        book = self._books.get(asset)
        if book is None or book.tick == tick:
            return
        book.tick = tick
        book.clear(BookState.SYNCING, f"tick changed to {tick / PRICE_ONE:g}, waiting for a snapshot")

    def suspect(self, asset: AssetId, cause: str) -> None:
        """Doubt a book from outside: a frame about it could not be read."""
        book = self._books.get(asset)
        if book is not None and book.state is BookState.LIVE:
            self._doubt(book, cause)
            self.on_suspect(book)

    # ── Proof ──────────────────────────────────────────────────────────────────

    def _prove(self, book: Book, echo: LevelChange) -> None:
        """Prove one book by the best quotes that a frame carries for it; its state follows."""
        if echo.best_bid == _NO_ECHO:
            self._unproven += 1
        elif book.best_bid == echo.best_bid and book.best_ask == echo.best_ask:
            self.proof.tops_agreed += 1
        else:
            self.proof.disagreed += 1
            if book.state is _LIVE:
                self._doubt(book, _disagreement(book, echo))
                self.on_suspect(book)
            return
        if book.best_bid >= book.best_ask:
            if book.state is _LIVE:
                self._doubt(book, CROSSED)
        elif book.cause is CROSSED:
            book.state, book.cause = BookState.LIVE, ""

    def _mirror(self, first: Book, second: Book) -> None:
        bid, bid_size, ask, ask_size = first.top
        if second.top == (PRICE_ONE - ask, ask_size, PRICE_ONE - bid, bid_size):
            self.proof.mirrors_agreed += 1
            return
        self.proof.mirror_disagreed += 1
        for book in (first, second):
            if book.state is _LIVE:
                self._doubt(book, "the market's two books do not mirror each other")
                self.on_suspect(book)

    def _doubt(self, book: Book, cause: str) -> None:
        book.state, book.cause = BookState.SUSPECT, cause
        self.proof.suspect += 1


def _publish(event: BookDelta, book: Book, echo: LevelChange) -> None:
    """Show what a frame made of a book. Where its best quotes are not the venue's, every level is looked at first."""
    if book.best_bid != echo.best_bid or book.best_ask != echo.best_ask:
        book.find_best()
    book.publish()
    book.venue_time, book.received_time = event.venue_time, event.received_time


def _next_bid(book: Book) -> Price:
    """Best bid after the best was removed: the next level down the grid, where it is near.

    A level off the grid would be passed over, so the outcome is believed only where the frame's own best quote is the
    same: ``_publish`` looks at every level. Doing so here would cost a tenth of the market path.
    """
    bids, removed, tick = book.bids, book.best_bid, book.tick
    for price in range(removed - tick, removed - _NEAR_TICKS * tick, -tick):
        if price in bids:
            return price
    return max(bids, default=EMPTY_BID)


def _next_ask(book: Book) -> Price:
    asks, removed, tick = book.asks, book.best_ask, book.tick
    for price in range(removed + tick, removed + _NEAR_TICKS * tick, tick):
        if price in asks:
            return price
    return min(asks, default=EMPTY_ASK)


def _disagreement(book: Book, echo: LevelChange) -> str:
    return (
        f"best quotes disagree: book {book.best_bid / PRICE_ONE:g}/{book.best_ask / PRICE_ONE:g}, "
        f"venue {echo.best_bid / PRICE_ONE:g}/{echo.best_ask / PRICE_ONE:g}"
    )
