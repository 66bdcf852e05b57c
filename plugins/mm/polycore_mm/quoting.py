"""Where and how much to quote: pure arithmetic from a fair value and a position.

Owns the formulas. No clock, no I/O, no logging, no memory: ``requoting`` decides whether moving there is worth it.
Floats appear only on the way to a price; every price leaves as an integer on the tick grid, rounded away from the
reservation price, so that rounding gives no edge away.
"""

import math

from msgspec import Struct

from polycore import PRICE_ONE, SIZE_ONE, Best, Price, Quote, Size, format_size, round_down, round_up
from polycore_mm.config import MarketMakerConfig
from polycore_mm.fair_value import FairValue, NoQuote, price_of

SIZE_STEP: Size = 10_000
"""The venue takes sizes in hundredths of a share (venue reference, price and size rules)."""

_NOISE = 1e-6
"""In ten-thousandths of a pUSD: a smaller difference is noise of the floats and must not cost a whole tick."""


class Grid(Struct, frozen=True):
    """What the market allows: the tick in force and the smallest order."""

    tick: Price
    minimum_size: Size


class Plan(Struct, frozen=True):
    """The quotes wanted, or for each side why not. ``reservation`` is where we are indifferent, in ten-thousandths."""

    bid: Quote | NoQuote
    ask: Quote | NoQuote
    reservation: float


def plan(value: FairValue, position: Size, best: Best, grid: Grid, config: MarketMakerConfig) -> Plan | NoQuote:
    """Quote both sides around the reservation price of ``position`` (YES coordinate, long positive).

    ``best`` is the top of the whole book, our own orders included, because that is what a post-only order must not
    cross. Guarantees, whatever the input: bid < reservation < ask; both on the grid and inside (0, 1); the bid at least
    a tick below the best ask and the ask at least a tick above the best bid; neither better than the best price of
    others by more than ``-touch_ticks``; no size below the minimum, none that could carry the position past its cap.
    """
    if not config.min_price <= value.price <= config.max_price:
        return NoQuote("the fair value is outside the price band", f"{value.price / PRICE_ONE:.4f}")
    if value.ask - value.bid > config.max_spread:
        return NoQuote("the book is too wide", f"spread {(value.ask - value.bid) / PRICE_ONE:g}")
    x = value.log_odds - skew(position, config)
    distance = half_spread(config)
    middle = price_of(x)
    apart = config.minimum_ticks * grid.tick
    behind = config.touch_ticks * grid.tick
    low = math.floor(min(price_of(x - distance), middle - apart) + _NOISE)
    high = math.ceil(max(price_of(x + distance), middle + apart) - _NOISE)
    bid = round_down(min(low, value.bid - behind, best.ask - grid.tick), grid.tick)
    ask = round_up(max(high, value.ask + behind, best.bid + grid.tick), grid.tick)
    return Plan(_quote(bid, position, grid, config), _quote(ask, -position, grid, config), reservation=middle)


def skew(position: Size, config: MarketMakerConfig) -> float:
    """How far the reservation price moves against the position, in log-odds: ``gamma x q``, capped.

    Holding ``q`` shares to resolution, an investor with constant risk aversion ``gamma`` is indifferent at exactly
    ``logit p - gamma q``, at every price (strategy reference 2.3: the exact hold-to-resolution skew).
    """
    wanted = config.gamma * position / SIZE_ONE
    return max(-config.max_skew, min(config.max_skew, wanted))


def half_spread(config: MarketMakerConfig) -> float:
    """The larger of the configured half-spread and Glosten and Milgrom's break-even, in log-odds.

    When a share ``a`` of takers know the outcome, a maker breaks even at ``ln((1 + a) / (1 - a))`` from fair value,
    the same in log-odds at every price (strategy reference 2.1).
    """
    informed = config.informed_share
    return max(config.half_spread, math.log((1 + informed) / (1 - informed)))


def tapered(held: Size, config: MarketMakerConfig) -> Size:
    """Size of a side that already holds ``held`` shares its way (negative: the side reduces the position).

    Whole while it reduces; shrinking in a straight line to nothing at ``max_position`` while it adds, so that no fill
    carries the position past it. Rounded down to the venue's size step.
    """
    size: Size = config.size
    if held > 0:
        size = size * max(config.max_position - held, 0) // config.max_position
    return size - size % SIZE_STEP


def _quote(price: Price, held: Size, grid: Grid, config: MarketMakerConfig) -> Quote | NoQuote:
    if not grid.tick <= price <= PRICE_ONE - grid.tick:
        return NoQuote("the quote leaves (0, 1)", f"{price / PRICE_ONE:g}")
    size = tapered(held, config)
    if size < grid.minimum_size:
        at_cap = held > 0 and size < config.size
        why = "the position is at its cap" if at_cap else "the size is below the market's minimum"
        return NoQuote(why, f"size {format_size(size)}, minimum {format_size(grid.minimum_size)}")
    return Quote(price, size)
