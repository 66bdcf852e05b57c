"""What an uneven basket can do now: buy what is missing, or sell the surplus.

Owns when a repair may be tried and at which limits. Reads the cache through the context; sends nothing.
"""

from msgspec import Struct

from polycore import PRICE_ONE, Context, MarketStatus, Price, notional
from polycore_arb.basket import Basket, Leg
from polycore_arb.config import ArbitrageConfig
from polycore_arb.detect import Leg as Offer
from polycore_arb.detect import NoTrade
from polycore_arb.sizing import SIZE_STEP, LegOrder, complete, unwind
from polycore_arb.watching import asks_of, bids_of


class NotYet(Struct, frozen=True):
    """A repair that may be possible later."""

    reason: str


def completion(basket: Basket, context: Context) -> tuple[LegOrder, ...] | NoTrade | NotYet:
    """Buy what the smaller legs lack, if the whole basket then still pays what it cost."""
    legs = basket.legs
    target = max(leg.held for leg in legs)
    missing = [leg for leg in legs if target - leg.held >= SIZE_STEP]
    stale = [leg for leg in missing if context.cache.is_stale(leg.order.asset)]
    if stale:
        return NotYet(f"the book of {stale[0].order.market.slug} is not proven fresh")
    allowed = notional(basket.plan.payoff_of_one, target) - basket.paid
    shortages = [(_offer(leg, context), target - leg.held) for leg in missing]
    return complete(shortages, allowed)


def sales(
    basket: Basket, context: Context, config: ArbitrageConfig, last_chance: bool
) -> tuple[LegOrder, ...] | NoTrade | NotYet:
    """Sell each leg's surplus over the smallest leg, at most ``unwind_loss`` below its average cost.

    All at once when all can be sold; at the last chance those that can. Shares can be sold once confirmed.
    """
    legs = basket.legs
    least = max(min(leg.held for leg in legs), 0)
    orders: list[LegOrder] = []
    obstacles: list[str] = []
    for leg in legs:
        surplus = leg.held - least
        if surplus < SIZE_STEP:
            continue
        sale = _sale(leg, surplus, context, config)
        if isinstance(sale, LegOrder):
            orders.append(sale)
        else:
            obstacles.append(str(sale))
    if obstacles and not last_chance:
        return NotYet(obstacles[0])
    return tuple(orders) or NoTrade("no surplus can be sold", "; ".join(obstacles))


def _sale(leg: Leg, surplus: int, context: Context, config: ArbitrageConfig) -> LegOrder | NoTrade:
    asset, market = leg.order.asset, leg.order.market
    now = context.cache.market(market.id)
    if now is None or now.status is not MarketStatus.OPEN:
        return NoTrade("the market is not open", market.slug)
    if context.cache.is_stale(asset):
        return NoTrade("the book is not proven fresh", market.slug)
    if context.inventory.sellable(asset) < surplus:
        return NoTrade("the surplus is not confirmed yet", market.slug)
    book = context.cache.get(asset)
    tick = book.tick if book else market.tick
    return unwind(market, asset, bids_of(asset, market, context), surplus, _floor(leg, config), tick)


def _floor(leg: Leg, config: ArbitrageConfig) -> Price:
    average = -(-leg.paid * PRICE_ONE // leg.held)
    return max(average - config.unwind_loss, 0)


def _offer(leg: Leg, context: Context) -> Offer:
    market, asset = leg.order.market, leg.order.asset
    return Offer(market, asset, asks_of(asset, market, context))
