"""One token's depth book, with its state, its best quotes and its proof.

Owns the levels of one token. Must not know markets, links, clocks or venues.

Threads: the loop writes; any thread reads. ``top`` is one immutable tuple replaced in one store, so a reader never sees
half of it. Depth is copied under a version that is odd while a change of its market is being applied (a seqlock: the
writer never waits; a reader copies again until the version stood still).
"""

import time
from enum import Enum
from typing import NamedTuple

from polycore.cache.links import Link
from polycore.model.ids import AssetId, MarketId
from polycore.model.money import PRICE_ONE, Price, Size

EMPTY_BID: Price = 0
EMPTY_ASK: Price = PRICE_ONE


class BookState(Enum):
    """Only LIVE may be quoted.

    EMPTY: nothing known. SYNCING: subscribed, waiting for a snapshot. LIVE: built from a snapshot of the present
    connection and proven. SUSPECT: a proof failed. STALE: its connection is lost or too quiet to trust.
    DEGRADED: polled over REST, good for marks only.
    """

    EMPTY = "EMPTY"
    SYNCING = "SYNCING"
    LIVE = "LIVE"
    SUSPECT = "SUSPECT"
    STALE = "STALE"
    DEGRADED = "DEGRADED"


class Best(NamedTuple):
    """Top of a book. An empty side has price 0 (bid) or ``PRICE_ONE`` (ask) and size 0."""

    bid: Price
    bid_size: Size
    ask: Price
    ask_size: Size


_NOTHING = Best(EMPTY_BID, 0, EMPTY_ASK, 0)


class Depth(NamedTuple):
    """A consistent copy of a book, best level first on both sides."""

    bids: tuple[tuple[Price, Size], ...]
    asks: tuple[tuple[Price, Size], ...]
    version: int


class Version:
    """Number of the last event of a market's two books, times two; odd while one is being applied."""

    __slots__ = ("number",)

    def __init__(self, number: int = 0) -> None:
        self.number = number


class Book:
    """The depth book of one token.

    ``tick`` is an attribute: changing it rekeys nothing. ``cause`` says why the state is what it is. ``link`` is the
    connection it depends on, ``source`` the one whose changes it takes: the same, once its snapshot has come.
    ``venue_time`` and ``received_time`` are of the last event. ``top`` is the plain tuple behind :attr:`best`. The two
    books of a market share a version: nearly every frame changes both.
    """

    __slots__ = (
        "asset", "market", "bids", "asks", "tick", "state", "cause", "link", "source", "venue_time", "received_time",
        "best_bid", "best_ask", "top", "shared_version",
    )  # fmt: skip

    def __init__(self, asset: AssetId, market: MarketId, tick: Price, version: Version | None = None) -> None:
        self.asset = asset
        self.market = market
        self.bids: dict[Price, Size] = {}
        self.asks: dict[Price, Size] = {}
        self.tick = tick
        self.state = BookState.EMPTY
        self.cause = "nothing received"
        self.link: Link | None = None
        self.source: Link | None = None
        self.shared_version = version or Version()
        self.venue_time = 0
        self.received_time = 0
        self.best_bid: Price = EMPTY_BID
        self.best_ask: Price = EMPTY_ASK
        self.top: tuple[Price, Size, Price, Size] = _NOTHING

    # ── Reading, from any thread ───────────────────────────────────────────────

    @property
    def version(self) -> int:
        """Rises by two with each event applied to a book of the market; odd during one."""
        return self.shared_version.number

    @property
    def best(self) -> Best:
        """Top of the book, all of one version."""
        return Best._make(self.top)

    @property
    def live(self) -> bool:
        """Whether it may be quoted on. Also look at the link's proof of life, which the cache does."""
        return self.state is BookState.LIVE

    @property
    def mid(self) -> float | None:
        """Middle of the best quotes in pUSD; ``None`` when a side is empty."""
        bid, bid_size, ask, ask_size = self.top
        if not (bid_size and ask_size):
            return None
        return (bid + ask) / (2 * PRICE_ONE)

    @property
    def micro_price(self) -> float | None:
        """Best quotes weighted by the size on the other side, in pUSD; ``None`` when a side is empty.

        ``(ask x bid_size + bid x ask_size) / (bid_size + ask_size)`` (Stoikov 2018, its first-order form).
        """
        bid, bid_size, ask, ask_size = self.top
        if not (bid_size and ask_size):
            return None
        return (ask * bid_size + bid * ask_size) / ((bid_size + ask_size) * PRICE_ONE)

    def depth(self, levels: int | None = None) -> Depth:
        """A consistent copy, best first, at most ``levels`` a side. Safe in any thread; costs a sort."""
        while True:
            version = self.version
            bids, asks = self.bids.copy(), self.asks.copy()
            if version == self.version and not version & 1:
                break
            time.sleep(0)
        return Depth(tuple(sorted(bids.items(), reverse=True)[:levels]), tuple(sorted(asks.items())[:levels]), version)

    def copy(self) -> "Book":
        """A book of your own: a strategy keeps this, never the live one."""
        twin = Book(self.asset, self.market, self.tick)
        while True:
            version = self.version
            twin.bids, twin.asks = self.bids.copy(), self.asks.copy()
            twin.top = self.top
            if version == self.version and not version & 1:
                break
            time.sleep(0)
        twin.best_bid, twin.best_ask = twin.top[0], twin.top[2]
        twin.state, twin.cause, twin.shared_version.number = self.state, self.cause, version
        twin.venue_time, twin.received_time = self.venue_time, self.received_time
        return twin

    # ── Writing, on the loop only ──────────────────────────────────────────────

    def replace(self, bids: dict[Price, Size], asks: dict[Price, Size]) -> None:
        """Take both sides as they are; the dictionaries belong to the book from now on."""
        self.shared_version.number += 1
        self.bids, self.asks = bids, asks
        self.find_best()
        self.publish()
        self.shared_version.number += 1

    def find_best(self) -> None:
        """Look the best quotes up among all levels. Levels come in order as a rule: sorting those beats a search."""
        self.best_bid = sorted(self.bids)[-1] if self.bids else EMPTY_BID
        self.best_ask = sorted(self.asks)[0] if self.asks else EMPTY_ASK

    def publish(self) -> None:
        """Make the outcome of an event visible, in one store."""
        bid, ask = self.best_bid, self.best_ask
        self.top = (bid, self.bids.get(bid, 0), ask, self.asks.get(ask, 0))

    def clear(self, state: BookState, cause: str) -> None:
        """Forget every level: a new connection, a new grid."""
        self.replace({}, {})
        self.source = None
        self.state, self.cause = state, cause
