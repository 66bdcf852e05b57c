"""Whether a resting quote is worth moving: a place in the queue has value and messages are limited.

Owns patience, not prices. Pure: what rests, what is wanted and the time come in; the quote to ask for goes out. The
venue has no amend: a move is a cancel and a new order at the back of the queue (strategy reference 2.9).
"""

from collections.abc import Iterable

from msgspec import Struct

from polycore import Market, Order, Price, Quote, Side, Size
from polycore_mm.config import MarketMakerConfig
from polycore_mm.fair_value import in_first, is_bid


class Resting(Struct, frozen=True):
    """What rests of ours on one side, in the coordinate of the first outcome; all at one price."""

    price: Price
    size: Size


class Moment(Struct, frozen=True):
    """What patience depends on besides prices.

    ``age`` is nanoseconds since the side last moved. ``may_add`` is false while the side cools down after a fill or a
    rejection: then what rests may stay or go, and nothing new is placed.
    """

    age: int
    may_add: bool


def resting(orders: Iterable[Order], market: Market, side: Side) -> Resting | None:
    """One side of our open orders as a single quote; ``None`` when nothing rests there, or at more than one price.

    One ask may rest as a SELL of the first token and a BUY of the second: they are one quote. An order on its way out
    does not rest; one whose fate is UNKNOWN may, and counts.
    """
    price: Price | None = None
    size = 0
    for order in orders:
        if order.cancelling:
            continue
        asset = order.place.asset
        if is_bid(order.side, asset, market) is not (side is Side.BUY):
            continue
        here = in_first(order.price, asset, market)
        if price is not None and here != price:
            return None
        price, size = here, size + order.remaining
    return None if price is None or not size else Resting(price, size)


def settle(
    side: Side,
    wanted: Quote | None,
    rests: Resting | None,
    reservation: float,
    tick: Price,
    moment: Moment,
    config: MarketMakerConfig,
) -> Quote | None:
    """Keep what rests, or move to what is wanted; ``None`` withdraws the side.

    In order: not wanted → withdraw. At or past the reservation price, off the grid, or too large → move at once. Closer
    than wanted by ``retreat_ticks``, further by ``improve_ticks``, or too small → move once the quote has lived its
    life. Otherwise stay, with the size that is left.
    """
    if wanted is None:
        return None
    fresh = wanted if moment.may_add else None
    if rests is None:
        return fresh
    stay = Quote(rests.price, rests.size)
    toward = 1 if side is Side.BUY else -1
    closer = toward * (rests.price - wanted.price)
    if toward * (rests.price - reservation) >= 0 or rests.price % tick:
        return fresh
    if rests.size > wanted.size * (1 + config.size_tolerance):
        return fresh
    if moment.age < config.quote_life_seconds * 1_000_000_000:
        return stay
    if closer >= config.retreat_ticks * tick:
        return fresh
    further, smaller = -closer >= config.improve_ticks * tick, rests.size < wanted.size * (1 - config.size_tolerance)
    return wanted if (further or smaller) and moment.may_add else stay
