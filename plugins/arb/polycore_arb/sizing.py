"""How much of a set to buy and at which limits, and how to repair a basket whose legs came out uneven.

Owns the legs' sizes and limit prices. Pure and exact: integers only, no clock, no I/O, no logging.

A basket is sized so that it profits even when every share costs its limit: the limits are the prices of the last set
bought, and that set pays. Sizes respect the venue's rules for orders that fill at once: a BUY pays whole cents and at
least one pUSD, a SELL gives whole hundredths of a share and takes at most four decimals (venue reference 4.7).
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from polycore import (
    MONEY_ONE,
    PRICE_ONE,
    AssetId,
    Market,
    Money,
    Price,
    Side,
    Size,
    format_money,
    format_size,
    notional,
    round_up,
)
from polycore_arb.detect import COST_ONE, Candidate, Cost, Kind, Leg, Levels, NoTrade, Tranche

SIZE_STEP: Size = 10_000
"""Sizes are whole hundredths of a share."""
SMALLEST_BUY: Money = MONEY_ONE
"""The venue refuses a BUY that would match at once for less than 1 pUSD."""
_BUY_STEP: Money = 10_000
_SALE_STEP: Money = 100
_FEE_STEP: Money = 10


class LegOrder(Struct, frozen=True):
    """One order of a basket. ``money`` is the most a BUY can cost, or the least a SELL can bring, fees included."""

    market: Market
    asset: AssetId
    side: Side
    price: Price
    size: Size
    money: Money


class BasketPlan(Struct, frozen=True):
    """Legs of equal size, thinnest first.

    ``payoff_of_one`` is what one set pays at least. ``cost`` is expected from the book, with fees, rounded up; at the
    limits it is the sum of the legs' ``money``.
    """

    kind: Kind
    legs: tuple[LegOrder, ...]
    size: Size
    payoff_of_one: Price
    cost: Money

    @property
    def payoff(self) -> Money:
        """What the basket pays at least, rounded down."""
        return notional(self.payoff_of_one, self.size)

    @property
    def profit(self) -> Money:
        """Expected profit after fees, whatever happens."""
        return self.payoff - self.cost


def size_basket(
    candidate: Candidate, tranches: Sequence[Tranche], spendable: Money, minimum_profit: Money
) -> BasketPlan | NoTrade:
    """Choose the most profitable size among those that end with a tranche.

    Where a basket ends decides its limits, the limits decide the step its size must be a multiple of, so each end is
    tried. Without a fit, the reason is that of the largest.
    """
    best: BasketPlan | None = None
    refusal = NoTrade("no size pays the least edge")
    reach = 0
    for count, tranche in enumerate(tranches, start=1):
        reach += tranche.size
        tried = _ending(candidate, tranches[:count], reach, spendable)
        if isinstance(tried, NoTrade):
            refusal = tried
        elif tried.profit < minimum_profit:
            refusal = NoTrade(
                "the profit is below the least profit",
                f"{format_money(tried.profit)} on {format_size(tried.size)} sets, least {format_money(minimum_profit)}",
            )
        elif best is None or tried.profit > best.profit:
            best = tried
    return best or refusal


def step(price: Price, side: Side) -> Size:
    """The size that an order filling at once must be a multiple of, at a limit price.

    In hundredths of a share ``k``, the money is ``price x k`` millionths of a pUSD: whole cents for a BUY, four
    decimals for a SELL.
    """
    money_step = _BUY_STEP if side is Side.BUY else _SALE_STEP
    return SIZE_STEP * (money_step // math.gcd(price, money_step))


def complete(shortages: Sequence[tuple[Leg, Size]], allowed: Money) -> tuple[LegOrder, ...] | NoTrade:
    """Buy what is missing of each leg, all of them or none, for no more than ``allowed`` together."""
    orders: list[LegOrder] = []
    for leg, missing in shortages:
        label = leg.market.slug
        limit = _worst_price(leg.asks, missing)
        if limit is None:
            return NoTrade("a missing leg is not offered any more", label)
        size = missing - missing % step(limit, Side.BUY)
        if notional(limit, size) < SMALLEST_BUY:
            return NoTrade("a missing leg is below the smallest buy", f"{label}: {format_size(missing)} shares")
        orders.append(LegOrder(leg.market, leg.asset, Side.BUY, limit, size, _bought(leg.cost(limit), size)))
    cost = sum(order.money for order in orders)
    if cost > allowed:
        return NoTrade(
            "completing would cost more than the basket pays", f"{format_money(cost)}, left {format_money(allowed)}"
        )
    return tuple(orders)


def unwind(
    market: Market, asset: AssetId, bids: Levels, surplus: Size, floor: Price, tick: Price
) -> LegOrder | NoTrade:
    """Sell as much of a surplus as is bid for at ``floor`` or more, fees not counted."""
    least = max(round_up(floor, tick), tick)
    size, limit = 0, 0
    for price, bid in bids:
        if price < least or size >= surplus:
            break
        size, limit = min(size + bid, surplus), price
    size -= size % step(limit, Side.SELL) if limit else 0
    if not size:
        return NoTrade("nobody bids enough for the surplus", f"{market.slug}: {format_size(surplus)} shares")
    money = notional(limit, size) - market.fee.taker_fee(limit, size)
    return LegOrder(market, asset, Side.SELL, limit, size, money)


def _ending(candidate: Candidate, tranches: Sequence[Tranche], reach: Size, spendable: Money) -> BasketPlan | NoTrade:
    limits = tranches[-1].prices
    worst: Cost = sum(leg.cost(price) for leg, price in zip(candidate.legs, limits, strict=True))
    lot = math.lcm(*(step(price, Side.BUY) for price in limits))
    rounding = (_FEE_STEP + 1) * len(limits) * len(tranches)
    affordable = max(spendable - rounding, 0) * COST_ONE // worst
    size = min(reach, affordable)
    size -= size % lot
    if not size:
        if affordable < lot:
            return NoTrade("the budget is used up", f"{format_money(spendable)} left")
        return NoTrade("too little depth", f"{format_size(reach)} sets, in steps of {format_size(lot)}")
    for leg, price in zip(candidate.legs, limits, strict=True):
        if size < leg.market.minimum_size or notional(price, size) < SMALLEST_BUY:
            what = f"{format_size(size)} of {leg.market.slug} at {price / PRICE_ONE:g}"
            return NoTrade("a leg would be below the venue's minimum", what)
    orders = [
        (sum(offer for ask, offer in leg.asks if ask <= price), _leg_order(leg, price, size))
        for leg, price in zip(candidate.legs, limits, strict=True)
    ]
    orders.sort(key=lambda entry: entry[0])
    return BasketPlan(
        candidate.kind,
        tuple(order for _, order in orders),
        size,
        candidate.payoff,
        _expected(candidate, tranches, size),
    )


def _leg_order(leg: Leg, price: Price, size: Size) -> LegOrder:
    return LegOrder(leg.market, leg.asset, Side.BUY, price, size, _bought(leg.cost(price), size))


def _expected(candidate: Candidate, tranches: Sequence[Tranche], size: Size) -> Money:
    """Cost of the first ``size`` sets of the tranches; each slice is rounded up by itself."""
    total = 0
    for tranche in tranches:
        part = min(size, tranche.size)
        if part:
            total += sum(
                _bought(leg.cost(price), part) for leg, price in zip(candidate.legs, tranche.prices, strict=True)
            )
        size -= part
    return total


def _bought(cost: Cost, size: Size) -> Money:
    """Money for ``size`` shares at a cost, rounded up, and one step more for the rounding of a fee by the venue."""
    return -(-cost * size // COST_ONE) + _FEE_STEP


def _worst_price(asks: Levels, size: Size) -> Price | None:
    """The price of the last share of ``size``; ``None`` when fewer are offered."""
    for price, offer in asks:
        size -= offer
        if size <= 0:
            return price
    return None
