"""Markets, links and events in one line each."""

from collections.abc import Callable

import pytest

from polycore import (
    AssetId,
    Book,
    BookDelta,
    BookSnapshot,
    LevelChange,
    ManualClock,
    Market,
    MarketId,
    Outcome,
    Side,
    parse_price,
    parse_size,
)
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link


class World:
    """One market, one link, a cache, and short ways to send events."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cache = GlobalMarketCache(self.clock)
        self.market = Market(MarketId("0xm"), "m", "M?", Outcome(AssetId("1"), "Yes"), Outcome(AssetId("2"), "No"))
        self.cache.add(self.market)
        self.link = Link("market-1", "market", 1, self.clock.monotonic())
        self.cache.books.subscribed(self.link, self.market.assets)
        self.touched: set[Book] = set()
        self.suspects: list[str] = []
        self.cache.books.on_suspect = lambda book: self.suspects.append(book.asset)
        self.time = 0

    @property
    def yes(self):
        return self.cache.books.get(self.market.first.asset)

    @property
    def no(self):
        return self.cache.books.get(self.market.second.asset)

    def snapshot(self, bids: str = "0.48@100", asks: str = "0.52@100", link: Link | None = None) -> None:
        """Snapshots of both tokens, the second mirrored from the first."""
        link = self.link if link is None else link
        self.time += 1
        first_bids, first_asks = levels(bids), levels(asks)
        mirrored = (
            {10_000 - p: s for p, s in first_asks.items()},
            {10_000 - p: s for p, s in first_bids.items()},
        )
        for asset, (b, a) in zip(self.market.assets, ((first_bids, first_asks), mirrored), strict=True):
            event = BookSnapshot(self.market.id, asset, b, a, 100, self.time, self.time)
            self.cache.apply(event, link, self.touched)

    def change(self, *changes: str, best: str, link: Link | None = None) -> None:
        """``BUY 0.48@50`` on the first token, each with its mirror on the second; ``best`` is ``0.48/0.52``."""
        self.time += 1
        bid, ask = (parse_price(text) for text in best.split("/"))
        made = []
        for text in changes:
            side_text, level = text.split()
            price, size = pair(level)
            side = Side(side_text)
            made.append(LevelChange(self.market.first.asset, side, price, size, bid, ask))
            made.append(
                LevelChange(self.market.second.asset, side.opposite, 10_000 - price, size, 10_000 - ask, 10_000 - bid)
            )
        self.send(made, link)

    def send(self, changes: list[LevelChange], link: Link | None = None) -> None:
        event = BookDelta(self.market.id, changes, self.time, self.time)
        self.cache.apply(event, self.link if link is None else link, self.touched)


def pair(text: str) -> tuple[int, int]:
    price, size = text.split("@")
    return parse_price(price), parse_size(size)


def levels(text: str) -> dict[int, int]:
    return dict(pair(level) for level in text.split())


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def new_link(world: World) -> Callable[[], Link]:
    return lambda: Link("market-1", "market", 2, world.clock.monotonic())
