"""One market's unified book: price levels of orders in time order, seen from either token.

Owns who waits where. Levels are kept at the *first* token's price: a bid is a BUY of the first or a SELL of the second
token, an ask the reverse. Knows nothing of money, accounts or rules, and announces changes only when asked.
"""

from collections.abc import Iterator

from polycore.exchange.values import Address, Level, Order
from polycore.model.events import LevelChange
from polycore.model.ids import AssetId, MarketId, OrderId, TradeId
from polycore.model.intents import TimeInForce
from polycore.model.market import Side
from polycore.model.money import PRICE_ONE, SIZE_ONE, Money, Price, Size, complement

CRUMB: Size = SIZE_ONE // 100
"""An order with less than this left after a fill counts as filled whole."""


class Resting:
    """An order while it can still change. ``recorded`` marks liquidity of a recording, which no account owns.

    ``bid`` and ``level`` are its place in the unified book; ``price`` is on its own token.
    """

    __slots__ = (
        "account", "asset", "bid", "created", "expires", "id", "kind", "level", "maker_amount", "market", "matched",
        "post_only", "price", "recorded", "side", "size", "status", "taker_amount", "trades",
    )  # fmt: skip

    def __init__(
        self,
        order: OrderId,
        account: Address,
        market: MarketId,
        asset: AssetId,
        side: Side,
        price: Price,
        maker_amount: int,
        taker_amount: int,
        *,
        first: bool,
        created: int,
        kind: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        expires: int = 0,
        recorded: bool = False,
    ) -> None:
        self.id = order
        self.account = account
        self.market = market
        self.asset = asset
        self.side = side
        self.price = price
        self.maker_amount = maker_amount
        self.taker_amount = taker_amount
        self.size: Size = taker_amount if side is Side.BUY else maker_amount
        self.matched: Size = 0
        self.kind = kind
        self.post_only = post_only
        self.expires = expires
        self.created = created
        self.recorded = recorded
        self.status = "LIVE"
        self.trades: list[TradeId] = []
        self.bid = (side is Side.BUY) is first
        self.level: Price = price if first else complement(price)

    @property
    def remaining(self) -> Size:
        return self.size - self.matched

    def amounts(self, size: Size) -> tuple[Size, Money]:
        """Shares and pUSD that move when at most ``size`` shares of this order are filled.

        The contract's rule (venue notes 6.5): ``f`` units of the maker asset give ``floor(f x taker / maker)`` of the
        taker asset. A BUY gives pUSD, so the shares can come out a few millionths below ``size``.
        """
        if self.side is Side.SELL:
            return size, size * self.taker_amount // self.maker_amount
        money = size * self.maker_amount // self.taker_amount
        return money * self.taker_amount // self.maker_amount, money

    @property
    def spent(self) -> bool:
        """Whether a fill leaves nothing worth keeping: rounding moves fills by up to 0.01 shares (venue notes 2.4)."""
        return self.remaining == 0 if self.recorded else self.remaining < CRUMB

    @property
    def cover(self) -> int:
        """What the unfilled rest holds back: pUSD for a BUY, shares for a SELL."""
        if self.side is Side.SELL:
            return self.remaining
        return -(-self.remaining * self.maker_amount // self.taker_amount)

    def view(self) -> Order:
        """The order at this moment, immutable."""
        return Order(
            id=self.id, account=self.account, market=self.market, asset=self.asset, side=self.side, price=self.price,
            size=self.size, matched=self.matched, kind=self.kind, post_only=self.post_only, expires=self.expires,
            created=self.created, status=self.status, trades=tuple(self.trades),
        )  # fmt: skip


Queue = list[Resting]
"""One price level, first come first: orders of accounts between pieces of recorded liquidity."""


class Book:
    """The levels of one market and the view of them that was last announced."""

    def __init__(self, first: AssetId, second: AssetId) -> None:
        self.first = first
        self.second = second
        self.bids: dict[Price, Queue] = {}
        self.asks: dict[Price, Queue] = {}
        self._shown_bids: dict[Price, Size] = {}
        self._shown_asks: dict[Price, Size] = {}
        self._touched: set[tuple[bool, Price]] = set()

    def side(self, bid: bool) -> dict[Price, Queue]:
        return self.bids if bid else self.asks

    def queue(self, bid: bool, level: Price) -> Queue:
        """The orders waiting at a level, in time order; empty when there is none."""
        return self.side(bid).get(level, [])

    def total(self, bid: bool, level: Price) -> Size:
        return sum(order.remaining for order in self.queue(bid, level))

    def add(self, order: Resting) -> None:
        """Put an order behind everything at its price."""
        self.side(order.bid).setdefault(order.level, []).append(order)
        self._touched.add((order.bid, order.level))

    def remove(self, order: Resting) -> None:
        """Take an order out; one that isn't there is left alone."""
        side = self.side(order.bid)
        queue = side.get(order.level)
        if queue is None or order not in queue:
            return
        queue.remove(order)
        if not queue:
            del side[order.level]
        self._touched.add((order.bid, order.level))

    def filled(self, order: Resting) -> None:
        """Note that an order's matched size grew; a spent one leaves."""
        self._touched.add((order.bid, order.level))
        if order.spent:
            self.remove(order)

    def opposite(self, bid: bool, limit: Price) -> Iterator[Resting]:
        """What an incoming order meets: best price first, then time. ``bid`` says that it buys the first token."""
        side = self.side(not bid)
        for level in sorted(side, reverse=not bid):
            if level > limit if bid else level < limit:
                return
            yield from side[level]

    def crosses(self, bid: bool, limit: Price) -> bool:
        """Whether an order at ``limit`` would meet anything."""
        return next(self.opposite(bid, limit), None) is not None

    def levels(self, asset: AssetId) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """A token's bids ascending and asks descending: the best is last on both sides."""
        bids = [(price, self.total(True, price)) for price in self.bids]
        asks = [(price, self.total(False, price)) for price in self.asks]
        if asset == self.second:
            bids, asks = (
                [(complement(price), size) for price, size in asks],
                [(complement(price), size) for price, size in bids],
            )
        return tuple(sorted(bids)), tuple(sorted(asks, reverse=True))

    def announce(self) -> list[tuple[LevelChange, ...]]:
        """Changes since the last call, a mirrored pair for each level, those that shrink first.

        Shrinking first keeps the announced book uncrossed after every single change.
        """
        changed = []
        for bid, level in self._touched:
            size = self.total(bid, level)
            before = (self._shown_bids if bid else self._shown_asks).get(level, 0)
            if size != before:
                changed.append((size > before, bid, level, size))
        self._touched.clear()
        return [self._pair(bid, level, size) for _, bid, level, size in sorted(changed)]

    def _pair(self, bid: bool, level: Price, size: Size) -> tuple[LevelChange, ...]:
        shown = self._shown_bids if bid else self._shown_asks
        if size:
            shown[level] = size
        else:
            shown.pop(level, None)
        best_bid, best_ask = max(self._shown_bids, default=0), min(self._shown_asks, default=PRICE_ONE)
        own, mirror = (Side.BUY, Side.SELL) if bid else (Side.SELL, Side.BUY)
        return (
            LevelChange(self.first, own, level, size, best_bid, best_ask),
            LevelChange(self.second, mirror, complement(level), size, complement(best_ask), complement(best_bid)),
        )
