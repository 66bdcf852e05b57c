"""One market's desk: its listing, its book, its last trade, and the making of market-data notices. No accounts."""

import msgspec

from polycore.exchange.book import Book
from polycore.exchange.values import BookNotice, LevelsNotice, Listing, Notice, TickNotice
from polycore.model.ids import AssetId
from polycore.model.market import Market, MarketStatus
from polycore.model.money import Price, complement

_FINER_ABOVE: Price = 9_600
_FINER_BELOW: Price = 400
_COARSE: Price = 100
_FINE: Price = 10


class Desk:
    """A listed market. ``last_trade`` is on the first token's terms, 0 before any."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.book = Book(*listing.market.assets)
        self.last_trade: Price = 0

    @property
    def market(self) -> Market:
        """The market, with the tick and the status in force."""
        return self.listing.market

    def is_first(self, asset: AssetId) -> bool:
        """Whether a token is the market's first."""
        return asset == self.market.first.asset

    def traded(self, asset: AssetId, price: Price) -> None:
        """Note the price of a trade, on whichever token it was."""
        self.last_trade = price if self.is_first(asset) else complement(price)

    def set_status(self, status: MarketStatus) -> None:
        """Open, pause, close or resolve the market; nothing is announced."""
        self.listing = msgspec.structs.replace(self.listing, market=msgspec.structs.replace(self.market, status=status))

    def set_tick(self, tick: Price, now: int) -> list[Notice]:
        """Adopt a grid: a notice for each token, then the books anew."""
        old = self.market.tick
        self.listing = msgspec.structs.replace(self.listing, market=msgspec.structs.replace(self.market, tick=tick))
        changes: list[Notice] = [TickNotice(self.market.id, asset, old, tick, now) for asset in self.market.assets]
        return changes + self.snapshots(now)

    def snapshot(self, asset: AssetId, now: int) -> BookNotice:
        """One token's whole book as displayed now."""
        bids, asks = self.book.levels(asset)
        last = self.last_trade if self.is_first(asset) or not self.last_trade else complement(self.last_trade)
        return BookNotice(self.market.id, asset, bids, asks, self.market.tick, last, now)

    def snapshots(self, now: int) -> list[Notice]:
        """Both tokens' whole books as displayed now."""
        return [self.snapshot(asset, now) for asset in self.market.assets]

    def publish(self, now: int, *, books: bool) -> list[Notice]:
        """What the world has not heard yet: level changes, then whole books if asked, then a finer grid if it is
        due."""
        notices: list[Notice] = [LevelsNotice(self.market.id, pair, now) for pair in self.book.announce()]
        if books:
            notices += self.snapshots(now)
        extreme = self.last_trade and not _FINER_BELOW <= self.last_trade <= _FINER_ABOVE
        if extreme and self.listing.auto_tick and self.market.tick == _COARSE:
            notices += self.set_tick(_FINE, now)
        return notices
