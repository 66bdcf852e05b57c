"""All books: events applied, proofs made, states decided.

Owns every book, which link each depends on, and the two books of a market as mirrors of one another. Must not read a
clock, decode frames or talk to a venue.

A token's book goes EMPTY → SYNCING (subscribed) → LIVE (snapshot of the present connection) ↔ SUSPECT (a proof failed);
STALE when its connection is lost; DEGRADED when polled over REST.
"""

from collections.abc import Callable, Iterable, Iterator, MutableSet

from polycore.cache.book import EMPTY_ASK, EMPTY_BID, Book, BookState
from polycore.cache.links import Link
from polycore.errors import UsageError
from polycore.model.events import BookDelta, BookSnapshot, LevelChange
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Market, Side
from polycore.model.money import PRICE_ONE, Price

CROSSED = "crossed: best bid at or above best ask"
"""Cause of a doubt that the next proven frame removes: the venue crosses books for a moment in a match."""

_NO_ECHO = -1
_BUY = Side.BUY
_LIVE = BookState.LIVE
_SYNCING = BookState.SYNCING


class Proof:
    """Counters of the book proof. ``checked`` = ``agreed`` + disagreements; ``suspect`` counts LIVE → SUSPECT."""

    __slots__ = (
        "checked",
        "agreed",
        "suspect",
        "mirror_checked",
        "mirror_agreed",
        "hash_checked",
        "hash_agreed",
    )

    def __init__(self) -> None:
        self.checked = 0
        self.agreed = 0
        self.suspect = 0
        self.mirror_checked = 0
        self.mirror_agreed = 0
        self.hash_checked = 0
        self.hash_agreed = 0


class _Pair:
    """The two books of one market: YES at p is NO at 1 - p, so each proves the other."""

    __slots__ = ("first", "second", "first_asset", "second_asset")

    def __init__(self, first: Book, second: Book) -> None:
        self.first = first
        self.second = second
        self.first_asset = first.asset
        self.second_asset = second.asset


class Books:
    """Every known book. ``on_suspect`` is called once each time a LIVE book becomes SUSPECT for lost data."""

    def __init__(self, on_suspect: Callable[[Book], None] = lambda book: None) -> None:
        self.proof = Proof()
        self.updates = 0
        self.late = 0
        self.on_suspect = on_suspect
        self._books: dict[AssetId, Book] = {}
        self._pairs: dict[MarketId, _Pair] = {}

    # ── Membership and links ───────────────────────────────────────────────────

    def add(self, market: Market) -> None:
        """Make both books of a market known. Adding it again changes nothing."""
        if market.id in self._pairs:
            return
        first, second = (Book(asset, market.id, market.tick) for asset in market.assets)
        self._books[first.asset], self._books[second.asset] = first, second
        self._pairs[market.id] = _Pair(first, second)

    def get(self, asset: AssetId) -> Book | None:
        return self._books.get(asset)

    def __iter__(self) -> Iterator[Book]:
        return iter(list(self._books.values()))

    def __len__(self) -> int:
        return len(self._books)

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
        if event.tick:
            book.tick = event.tick
        book.replace(event.bids, event.asks)
        book.venue_time, book.received_time = event.venue_time, event.received_time
        book.state, book.cause = state, cause
        if book.best_bid >= book.best_ask and state is BookState.LIVE:
            self._doubt(book, CROSSED)
        self.updates += 1
        touched.add(book)

    def delta(self, event: BookDelta, link: Link, touched: MutableSet[Book]) -> None:
        """Apply a frame's changes, then prove each touched book by the frame's best quotes and by its mirror."""
        pair = self._pairs.get(event.market)
        if pair is None:
            return
        first, second = pair.first, pair.second
        first_echo: LevelChange | None = None
        second_echo: LevelChange | None = None
        for change in event.changes:
            asset = change.asset
            if asset == pair.first_asset:
                book = first
                if first_echo is None and not _begin(book, link):
                    continue
                first_echo = change
            elif asset == pair.second_asset:
                book = second
                if second_echo is None and not _begin(book, link):
                    continue
                second_echo = change
            else:
                continue
            price, size = change.price, change.size
            # Written out here and not in Book: a call for each level is a tenth of the whole market path.
            if change.side is _BUY:
                if size:
                    book.bids[price] = size
                    if price > book.best_bid:
                        book.best_bid = price
                elif book.bids.pop(price, 0) and price == book.best_bid:
                    book.best_bid = max(book.bids, default=EMPTY_BID)
            elif size:
                book.asks[price] = size
                if price < book.best_ask:
                    book.best_ask = price
            elif book.asks.pop(price, 0) and price == book.best_ask:
                book.best_ask = min(book.asks, default=EMPTY_ASK)
        if first_echo is not None:
            self._settle(first, first_echo, event)
            touched.add(first)
        if second_echo is not None:
            self._settle(second, second_echo, event)
            touched.add(second)
            if first_echo is not None:
                self._mirror(first, second)
        elif first_echo is None:
            self.late += 1

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

    def _settle(self, book: Book, echo: LevelChange, event: BookDelta) -> None:
        book.publish()
        book.venue_time, book.received_time = event.venue_time, event.received_time
        self.updates += 1
        if echo.best_bid != _NO_ECHO:
            self.proof.checked += 1
            if book.best_bid != echo.best_bid or book.best_ask != echo.best_ask:
                if book.state is _LIVE:
                    self._doubt(book, _disagreement(book, echo))
                    self.on_suspect(book)
                return
            self.proof.agreed += 1
        if book.best_bid >= book.best_ask:
            if book.state is _LIVE:
                self._doubt(book, CROSSED)
        elif book.cause is CROSSED:
            book.state, book.cause = BookState.LIVE, ""

    def _mirror(self, first: Book, second: Book) -> None:
        bid, bid_size, ask, ask_size = first.top
        self.proof.mirror_checked += 1
        if second.top == (PRICE_ONE - ask, ask_size, PRICE_ONE - bid, bid_size):
            self.proof.mirror_agreed += 1
            return
        for book in (first, second):
            if book.state is _LIVE:
                self._doubt(book, "the market's two books do not mirror each other")
                self.on_suspect(book)

    def _doubt(self, book: Book, cause: str) -> None:
        book.state, book.cause = BookState.SUSPECT, cause
        self.proof.suspect += 1


def _begin(book: Book, link: Link) -> bool:
    """Open a book for the changes of one event; not of an old connection, not before its snapshot."""
    if book.link is not link or book.state is _SYNCING:
        return False
    book.version += 1
    return True


def _disagreement(book: Book, echo: LevelChange) -> str:
    return (
        f"best quotes disagree: book {book.best_bid / PRICE_ONE:g}/{book.best_ask / PRICE_ONE:g}, "
        f"venue {echo.best_bid / PRICE_ONE:g}/{echo.best_ask / PRICE_ONE:g}"
    )
