"""The two integer amounts of an order, by the venue's rounding rules (venue notes 4.7).

Owns the rounding. Pure: nothing is signed or sent. Amounts are base units: millionths of a pUSD or of a share. A BUY
gives money and takes shares, a SELL the reverse.
"""

from msgspec import Struct

from polycore import PRICE_ONE, Approved, Money, Price, Side, Size, TimeInForce, UsageError, format_size

_CENT = 10_000
"""A hundredth of a pUSD or of a share: the grid of what an order is made from."""
AMOUNT_DECIMALS: dict[Price, int] = {1_000: 3, 100: 4, 50: 5, 25: 6, 10: 5, 1: 6}
"""Decimals of a computed amount, for each tick."""


class Amounts(Struct, frozen=True):
    """What an order gives (``maker``) and wants (``taker``), in base units."""

    maker: int
    taker: int

    def shares(self, side: Side) -> Size:
        return self.taker if side is Side.BUY else self.maker


def amounts(approved: Approved, tick: Price) -> Amounts:
    """Amounts of an order. ``tick`` matters to a FOK or FAK BUY alone.

    Raises ``UsageError`` for an order that the venue could never take.
    """
    order = approved.order
    if not 0 < order.price < PRICE_ONE:
        raise UsageError(f"order {approved.client_order}: price {order.price} is not between 1 and {PRICE_ONE - 1}")
    if order.post_only and not order.time_in_force.rests:
        raise UsageError(f"order {approved.client_order}: {order.time_in_force.value} cannot be post-only")
    if order.side is Side.BUY and order.time_in_force in (TimeInForce.FOK, TimeInForce.FAK):
        found = market_buy(order.price, order.price * order.size // PRICE_ONE, tick)
    else:
        found = limit(order.side, order.price, order.size)
    if found.maker <= 0 or found.taker <= 0:
        raise UsageError(
            f"order {approved.client_order}: {format_size(order.size)} shares round to nothing on the venue's cent grid"
        )
    return found


def limit(side: Side, price: Price, size: Size) -> Amounts:
    """Amounts of a limit order: shares rounded down to two decimals. On any grid the money is then exact."""
    shares = size - size % _CENT
    money = shares * price // PRICE_ONE
    return Amounts(money, shares) if side is Side.BUY else Amounts(shares, money)


def market_buy(price: Price, money: Money, tick: Price) -> Amounts:
    """Amounts of a BUY that never rests: whole cents, and the shares they buy at the worst price.

    The shares are rounded up four places past the tick's amount decimals and then down at them, as the official client
    does: the price that the amounts spell is never below the one aimed at. Raises ``UsageError`` for an unknown tick.
    """
    decimals = AMOUNT_DECIMALS.get(tick)
    if decimals is None:
        raise UsageError(f"tick {tick} is none of the venue's: {sorted(AMOUNT_DECIMALS)} (ten-thousandths)")
    spent = money - money % _CENT
    fine = -(-spent * PRICE_ONE * 10 ** (decimals + 4) // (price * 1_000_000))
    return Amounts(spent, fine // 10_000 * 10 ** (6 - decimals))
