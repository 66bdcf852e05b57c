"""``GlobalMarketCache``: apply an event, then read.

Owns the joined picture: books, markets, orders, inventories. Must not do I/O, deliver events or decide anything.
"""

from collections.abc import MutableSet

from polycore.cache.book import Best, Book, BookState, Depth
from polycore.cache.books import Books
from polycore.cache.inventory import Fills, Inventory
from polycore.cache.links import Link
from polycore.cache.markets import Markets
from polycore.cache.orders import Orders
from polycore.clock import Clock
from polycore.model.events import (
    BookDelta,
    BookSnapshot,
    ChangeKind,
    LinkState,
    Malformed,
    MarketChange,
    MarketEvent,
)
from polycore.model.ids import AssetId
from polycore.model.market import Market
from polycore.model.money import Price

STALE_SECONDS = 2.0


class GlobalMarketCache:
    """All we believe. One writer, the event loop; any number of readers, in any thread, without a lock.

    ``delta`` is :meth:`apply` for a ``BookDelta``, without a step between.

    ``stale_seconds`` is how old a connection's proof of life (any frame, PONG included) may be before its books count
    as stale. Silence of a book alone is not staleness: a quiet market on a proven link is fresh.
    """

    def __init__(self, clock: Clock, stale_seconds: float = STALE_SECONDS) -> None:
        self.books = Books()
        self.delta = self.books.delta
        self.markets = Markets()
        self.orders = Orders()
        self.fills = Fills()
        self.account = Inventory()
        self.malformed = 0
        self._clock = clock
        self._stale_nanoseconds = round(stale_seconds * 1_000_000_000)
        self._inventories: dict[str, Inventory] = {}

    # ── Writing, on the loop only ──────────────────────────────────────────────

    def add(self, market: Market) -> None:
        """Make a market and its two books known."""
        self.markets.add(market)
        self.books.add(market)

    def apply(self, event: MarketEvent, link: Link | None, touched: MutableSet[Book]) -> None:
        """Apply one market event of a connection; books that changed are added to ``touched``.

        ``link`` is ``None`` for what was polled over REST. Trades leave the cache as it is, and so do best quotes sent
        alone: in the 12-market capture all ten came before the change they tell of, so they prove nothing yet.
        """
        kind = type(event)
        if kind is BookDelta and link is not None:
            self.delta(event, link, touched)  # type: ignore[arg-type]
        elif isinstance(event, BookSnapshot):
            self.books.snapshot(event, link, touched)
        elif isinstance(event, MarketChange):
            self._market_change(event)
        elif isinstance(event, Malformed):
            self.malformed += 1
            if event.asset is not None:
                self.books.suspect(event.asset, f"unreadable frame: {event.reason}")

    def inventory(self, strategy: str) -> Inventory:
        """A strategy's own inventory, made at first use."""
        found = self._inventories.get(strategy)
        if found is None:
            found = self._inventories[strategy] = Inventory()
        return found

    # ── Reading, from any thread ───────────────────────────────────────────────

    def get(self, asset: AssetId) -> Book | None:
        """The book of a token: its best quotes, micro price, state and cause."""
        return self.books.get(asset)

    def best(self, asset: AssetId) -> Best | None:
        """Top of a token's book, all of one version."""
        book = self.books.get(asset)
        return None if book is None else book.best

    def get_latest_price(self, asset: AssetId) -> float | None:
        """Micro price of a token in pUSD; ``None`` when a side is empty or the token unknown."""
        book = self.books.get(asset)
        return None if book is None else book.micro_price

    def get_order_book(self, asset: AssetId, levels: int | None = None) -> Depth | None:
        """A consistent copy of a token's depth, best first; ``None`` when the token is unknown."""
        book = self.books.get(asset)
        return None if book is None else book.depth(levels)

    def state(self, asset: AssetId) -> tuple[BookState, str]:
        """State of a token's book and its cause; EMPTY when unknown."""
        book = self.books.get(asset)
        return (BookState.EMPTY, "unknown token") if book is None else (book.state, book.cause)

    def proof_age(self, asset: AssetId) -> int | None:
        """Nanoseconds since the token's connection was last proven alive; ``None`` when it has none or it is lost."""
        link = self.books.link(asset)
        if link is None or link.state is not LinkState.UP:
            return None
        return self._clock.monotonic() - link.proof_time

    def is_stale(self, asset: AssetId) -> bool:
        """Whether a quote on this token would rest on data that is not proven fresh."""
        book = self.books.get(asset)
        if book is None or book.state is not BookState.LIVE:
            return True
        age = self.proof_age(asset)
        return age is None or age > self._stale_nanoseconds

    is_market_stale = is_stale

    def mark(self, asset: AssetId) -> Price | None:
        """What a token can be sold at now: its best bid; ``None`` when there is none."""
        book = self.books.get(asset)
        if book is None or not book.best.bid_size:
            return None
        return book.best.bid

    def _market_change(self, change: MarketChange) -> None:
        if change.kind is ChangeKind.TICK:
            market = self.markets.get(change.market)
            assets = (change.asset,) if change.asset is not None else market.assets if market else ()
            for asset in assets:
                self.books.tick_change(asset, change.tick)
        else:
            self.markets.apply(change)
