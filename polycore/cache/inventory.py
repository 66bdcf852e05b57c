"""What we hold: positions and cash, from fills alone.

Owns the arithmetic of fills. Must not know prices of the market (the caller marks) or the venue's balances.
"""

from collections.abc import Callable
from enum import Enum

from polycore.model.events import Fill, Role, Settlement
from polycore.model.ids import AssetId, OrderId, TradeId
from polycore.model.market import Market, Side
from polycore.model.money import PRICE_ONE, Money, Price, Size


class Inventory:
    """Positions in shares and cash in pUSD, relative to the start of the run.

    ``provisional`` are shares bought by fills that the chain has not confirmed. A buy is charged its notional rounded
    up, a sale credited its notional rounded down.
    """

    def __init__(self) -> None:
        self.cash: Money = 0
        self.fees: Money = 0
        self._positions: dict[AssetId, Size] = {}
        self._provisional: dict[AssetId, Size] = {}

    def position(self, asset: AssetId) -> Size:
        """Shares held of a token; negative if more were sold than bought here."""
        return self._positions.get(asset, 0)

    def sellable(self, asset: AssetId) -> Size:
        """Shares whose purchase is confirmed, never below zero."""
        return max(self._positions.get(asset, 0) - self._provisional.get(asset, 0), 0)

    def net(self, market: Market) -> Size:
        """Shares of the first outcome less shares of the second: the directional position."""
        return self.position(market.first.asset) - self.position(market.second.asset)

    def pairs(self, market: Market) -> Size:
        """Complete sets held, each worth exactly 1 pUSD."""
        return max(min(self.position(market.first.asset), self.position(market.second.asset)), 0)

    @property
    def assets(self) -> tuple[AssetId, ...]:
        """Tokens with a position other than zero."""
        return tuple(asset for asset, size in self._positions.items() if size)

    def value(self, mark: Callable[[AssetId], Price | None]) -> Money:
        """Cash plus positions at ``mark``, rounded down. A token without a mark counts as nothing."""
        total = self.cash
        for asset, size in self._positions.items():
            price = mark(asset)
            if size and price is not None:
                total += size * price // PRICE_ONE
        return total

    def apply(self, fill: Fill) -> None:
        """Book one fill. Call once for each ``(trade, order)``: see :class:`Fills`."""
        self._book(fill, 1)
        if fill.side is Side.BUY and not fill.settlement.final:
            self._provisional[fill.asset] = self._provisional.get(fill.asset, 0) + fill.size

    def confirm(self, fill: Fill) -> None:
        """A fill applied before is final now."""
        if fill.side is Side.BUY:
            self._provisional[fill.asset] = self._provisional.get(fill.asset, 0) - fill.size

    def void(self, fill: Fill) -> None:
        """A fill applied before failed to settle: undo it whole."""
        self._book(fill, -1)
        self.confirm(fill)

    def redeem(self, asset: AssetId, price: Price) -> Money:
        """Turn a resolved token's position into cash at its payout (0 to ``PRICE_ONE``); returns what it paid."""
        size = self._positions.pop(asset, 0)
        self._provisional.pop(asset, None)
        paid = size * price // PRICE_ONE
        self.cash += paid
        return paid

    def _book(self, fill: Fill, sign: int) -> None:
        direction = sign if fill.side is Side.BUY else -sign
        exact = fill.price * fill.size
        rounded = -(-exact // PRICE_ONE) if fill.side is Side.BUY else exact // PRICE_ONE
        self.cash -= direction * (rounded if fill.cost is None else fill.cost)
        self._positions[fill.asset] = self._positions.get(fill.asset, 0) + direction * fill.size
        self.cash -= sign * fill.fee
        self.fees += sign * fill.fee


class FillNews(Enum):
    """What a report of a fill means: NEW to book, PROGRESS or VOID of one booked before, REPEAT to ignore.

    STILLBORN: the first report says already that it failed to settle, so there is nothing to book.
    """

    NEW = "new"
    PROGRESS = "progress"
    VOID = "void"
    REPEAT = "repeat"
    STILLBORN = "stillborn"


_RANK = {
    Settlement.MATCHED: 0,
    Settlement.RETRYING: 1,
    Settlement.MINED: 1,
    Settlement.CONFIRMED: 2,
    Settlement.FAILED: 2,
}


class Fills:
    """Every fill seen, by ``(trade, order, role)``: the same fill is booked once however often it is reported."""

    def __init__(self) -> None:
        self._seen: dict[tuple[TradeId, OrderId, Role], Fill] = {}

    def news(self, fill: Fill) -> FillNews:
        """Classify a report and remember it. Statuses join upwards; a terminal one absorbs the rest."""
        key = (fill.trade, fill.order, fill.role)
        known = self._seen.get(key)
        if known is None:
            self._seen[key] = fill
            return FillNews.STILLBORN if fill.settlement is Settlement.FAILED else FillNews.NEW
        if (
            _RANK[fill.settlement] < _RANK[known.settlement]
            or known.settlement.final
            or fill.settlement is known.settlement
        ):
            return FillNews.REPEAT
        self._seen[key] = fill
        return FillNews.VOID if fill.settlement is Settlement.FAILED else FillNews.PROGRESS
