"""The market channel's frames: books as clients see them, with the venue's hash of each state.

Owns a copy of every displayed book, built from the exchange's notices alone, so that a frame's hash and best quotes are
those of a client that applied the same frames. Pure: text out, nothing is sent. Shapes: venue notes 1.4 to 1.9.
"""

import hashlib
from bisect import bisect_left, insort
from collections.abc import Iterable

from msgspec import Struct

from polycore.exchange.announcements import market_resolved_message
from polycore.exchange.values import (
    BookNotice,
    LastTradeNotice,
    Level,
    LevelsNotice,
    Listing,
    ResolvedNotice,
    TickNotice,
)
from polycore.exchange.wire import encode
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Side
from polycore.model.money import PRICE_ONE, Money, Price, format_price, format_size

MarketNotice = BookNotice | LevelsNotice | LastTradeNotice | TickNotice | ResolvedNotice


class Frame(Struct, frozen=True):
    """One frame for every market connection that shows any of ``assets``; ``custom`` ones only where the flag is on."""

    assets: tuple[AssetId, ...]
    text: bytes
    custom: bool = False


class LastTrade(Struct, frozen=True):
    """A market's last trade as announced, on whichever of its tokens it was. ``price`` 0 means never traded."""

    price: Price = 0
    side: Side | None = None


class TokenBook:
    """One token's displayed levels, best last on both sides, and the texts they are sent as."""

    def __init__(self, asset: AssetId) -> None:
        self.asset = asset
        self.bids = _Side(1)
        self.asks = _Side(-1)

    def replace(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        self.bids.replace(bids)
        self.asks.replace(asks)

    def side(self, side: Side) -> "_Side":
        """One side of the book."""
        return self.bids if side is Side.BUY else self.asks

    @property
    def best_bid(self) -> Price:
        """0 when there is no bid."""
        return self.bids.best if self.bids else 0

    @property
    def best_ask(self) -> Price:
        """1 (``PRICE_ONE``) when there is no ask."""
        return self.asks.best if self.asks else PRICE_ONE


class MarketBook:
    """Both tokens of one market: tick, last trade and time of the last change are the market's, as on the venue.

    A capture of 2026-05-19 shows the two books of a market with one timestamp and one ``last_trade_price``.
    """

    def __init__(self, listing: Listing, number: int, time: int) -> None:
        market = listing.market
        self.listing = listing
        self.number = number
        self.tick = market.tick
        self.last_trade = LastTrade()
        self.payout: tuple[Money, Money] | None = None
        self.milliseconds = time // 1_000_000
        self.tokens = {asset: TokenBook(asset) for asset in market.assets}

    def rest(self, asset: AssetId) -> bytes:
        """The answer of REST ``/book`` (venue notes 4.2)."""
        stamp = b'"timestamp":"%d","hash":"%b"' % (self.milliseconds, self.hash(asset))
        return b"{%b,%b,%b}" % (self._names(asset), stamp, self._state(asset))

    def initial(self, asset: AssetId) -> bytes:
        """The first ``book`` of a subscription, one element of its array frame."""
        market = self.listing.market
        return (
            b'{%b,"timestamp":"%d","hash":"%b",%b,"tick_size":"%b","event_type":"book","last_trade_price":"%b"%b}'
            % (
                self._names(asset),
                self.milliseconds,
                self.hash(asset),
                self._levels(asset),
                format_price(self.tick).encode(),
                self._last_trade(),
                b',"version":"v2"' if market.version == "v2" else b"",
            )
        )

    def after_trade(self, asset: AssetId) -> bytes:
        """The ``book`` pushed after a trade: other keys in another order, and no ``last_trade_price``."""
        return b'{%b,%b,"hash":"%b","timestamp":"%d","tick_size":"%b","event_type":"book"}\n' % (
            self._names(asset),
            self._levels(asset),
            self.hash(asset),
            self.milliseconds,
            format_price(self.tick).encode(),
        )

    def hash(self, asset: AssetId) -> bytes:
        """Recipe 1.9 on the book as displayed now: 40 hex digits."""
        stamp = b'"timestamp":"%d","hash":""' % self.milliseconds
        text = b"{%b,%b,%b}" % (self._names(asset), stamp, self._state(asset))
        return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()

    def _names(self, asset: AssetId) -> bytes:
        return f'"market":"{self.listing.market.id}","asset_id":"{asset}"'.encode()

    def _levels(self, asset: AssetId) -> bytes:
        book = self.tokens[asset]
        return b'"bids":[%b],"asks":[%b]' % (book.bids.text(), book.asks.text())

    def _state(self, asset: AssetId) -> bytes:
        market = self.listing.market
        return b'%b,"min_order_size":"%b","tick_size":"%b","neg_risk":%b,"last_trade_price":"%b"%b' % (
            self._levels(asset),
            format_size(market.minimum_size).encode(),
            format_price(self.tick).encode(),
            b"true" if market.neg_risk else b"false",
            self._last_trade(),
            b',"version":"v2"' if market.version == "v2" else b"",
        )

    def _last_trade(self) -> bytes:
        return trade_price_text(self.last_trade.price).encode() if self.last_trade.price else b""


class Display:
    """Every market's books as shown so far."""

    def __init__(self) -> None:
        self._markets: dict[MarketId, MarketBook] = {}
        self._by_asset: dict[AssetId, MarketBook] = {}

    def add(self, listing: Listing, time: int) -> MarketBook:
        """Show a market, empty. Markets are numbered from 1 in the order they were added."""
        market = MarketBook(listing, len(self._markets) + 1, time)
        self._markets[listing.market.id] = market
        self._by_asset.update(dict.fromkeys(listing.market.assets, market))
        return market

    def market(self, market: MarketId) -> MarketBook:
        """A market that was added. Raises ``KeyError`` for another."""
        return self._markets[market]

    def of(self, asset: AssetId) -> MarketBook | None:
        """The market that shows a token."""
        return self._by_asset.get(asset)

    def markets(self) -> list[MarketBook]:
        """In the order they were added."""
        return list(self._markets.values())

    def apply(self, notice: MarketNotice) -> list[Frame]:
        """Change what is shown and return the frames that say so, in order."""
        market = self._markets[notice.market]
        market.milliseconds = notice.time // 1_000_000
        match notice:
            case BookNotice():
                return self._book(market, notice)
            case LevelsNotice():
                return self._levels(market, notice)
            case LastTradeNotice():
                market.last_trade = LastTrade(notice.price, notice.side)
                return [Frame((notice.asset,), _last_trade_frame(notice))]
            case TickNotice():
                market.tick = notice.new
                return [Frame((notice.asset,), _tick_frame(notice))]
            case ResolvedNotice():
                market.payout = notice.payout
                message = market_resolved_message(market.listing.market, market.number, notice)
                return [Frame(market.listing.market.assets, encode(message) + b"\n", custom=True)]

    def _book(self, market: MarketBook, notice: BookNotice) -> list[Frame]:
        book = market.tokens[notice.asset]
        before = book.best_bid, book.best_ask
        book.replace(notice.bids, notice.asks)
        market.tick = notice.tick
        if not market.last_trade.price:
            market.last_trade = LastTrade(notice.last_trade)
        frames = [Frame((notice.asset,), market.after_trade(notice.asset))]
        return frames + _best_frames(market, book, before)

    def _levels(self, market: MarketBook, notice: LevelsNotice) -> list[Frame]:
        before = {asset: (book.best_bid, book.best_ask) for asset, book in market.tokens.items()}
        entries = []
        for change in notice.changes:
            book = market.tokens[change.asset]
            book.side(change.side).set(change.price, change.size)
            entries.append(
                b'{"asset_id":"%b","price":"%b","size":"%b","side":"%b","hash":"%b","best_bid":"%b","best_ask":"%b"}'
                % (
                    change.asset.encode(),
                    format_price(change.price).encode(),
                    format_size(change.size).encode(),
                    change.side.value.encode(),
                    market.hash(change.asset),
                    format_price(book.best_bid).encode(),
                    format_price(book.best_ask).encode(),
                )
            )
        text = b'{"market":"%b","price_changes":[%b],"timestamp":"%d","event_type":"price_change"}\n' % (
            notice.market.encode(),
            b",".join(entries),
            market.milliseconds,
        )
        changed = dict.fromkeys(change.asset for change in notice.changes)
        frames = [Frame(tuple(changed), text)]
        for asset in changed:
            frames += _best_frames(market, market.tokens[asset], before[asset])
        return frames


def trade_price_text(price: Price) -> str:
    """A last trade's price as books carry it: three decimals at least (``0.040``), four where the price has them."""
    whole, fraction = divmod(price, PRICE_ONE)
    text = f"{whole}.{fraction:04d}"
    return text[:-1] if text.endswith("0") else text


def _last_trade_frame(notice: LastTradeNotice) -> bytes:
    return (
        b'{"market":"%b","asset_id":"%b","price":"%b","size":"%b","fee_rate_bps":"0","side":"%b","timestamp":"%d",'
        b'"event_type":"last_trade_price","transaction_hash":"%b"}\n'
    ) % (
        notice.market.encode(),
        notice.asset.encode(),
        format_price(notice.price).encode(),
        format_size(notice.size).encode(),
        notice.side.value.encode(),
        notice.time // 1_000_000,
        notice.transaction.encode(),
    )


def _tick_frame(notice: TickNotice) -> bytes:
    return (
        b'{"asset_id":"%b","event_type":"tick_size_change","market":"%b","new_tick_size":"%b","old_tick_size":"%b",'
        b'"timestamp":"%d"}\n'
    ) % (
        notice.asset.encode(),
        notice.market.encode(),
        format_price(notice.new).encode(),
        format_price(notice.old).encode(),
        notice.time // 1_000_000,
    )


def _best_frames(market: MarketBook, book: TokenBook, before: tuple[Price, Price]) -> list[Frame]:
    best = book.best_bid, book.best_ask
    if best == before:
        return []
    text = (
        b'{"market":"%b","asset_id":"%b","best_bid":"%b","best_ask":"%b","spread":"%b","timestamp":"%d",'
        b'"event_type":"best_bid_ask"}\n'
    ) % (
        market.listing.market.id.encode(),
        book.asset.encode(),
        format_price(best[0]).encode(),
        format_price(best[1]).encode(),
        format_price(best[1] - best[0]).encode(),
        market.milliseconds,
    )
    return [Frame((book.asset,), text, custom=True)]


class _Side:
    """Levels of one side, worst first, each with its text. ``sign`` is 1 for bids (ascending), -1 for asks."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []
        self._texts: dict[int, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def best(self) -> Price:
        return self._keys[-1] * self._sign

    def text(self) -> bytes:
        return b",".join(map(self._texts.__getitem__, self._keys))

    def replace(self, levels: Iterable[Level]) -> None:
        self._texts = {price * self._sign: _level(price, size) for price, size in levels}
        self._keys = sorted(self._texts)

    def set(self, price: Price, size: int) -> None:
        key = price * self._sign
        if size:
            if key not in self._texts:
                insort(self._keys, key)
            self._texts[key] = _level(price, size)
        elif self._texts.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]


def _level(price: Price, size: int) -> bytes:
    return f'{{"price":"{format_price(price)}","size":"{format_size(size)}"}}'.encode()
