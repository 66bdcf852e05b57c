"""Sets of outcomes whose payoff is certain, and whether buying one costs less than it pays.

Owns the arithmetic of finding. Pure and exact: integers only, no clock, no I/O, no logging.

========  ================================================  =====================
kind      one share of each of                              pays, whatever happens
========  ================================================  =====================
pair      both tokens of one market                         1
yes set   the first token of every market of an event       1
no set    the second token of N markets of an event         N - 1
========  ================================================  =====================

An event is a group of markets of which exactly one resolves YES. A yes set needs *all* of them; a no set does not: when
the winner is outside the set it pays N (strategy reference 3.5). A venue matches both tokens of a market in one book,
so a pair costs 1 plus the spread as long as that book is not crossed (reference 3.3).

Only buying is looked at. Selling a token at ``b`` is buying the other at ``1 - b`` in the same book, so a pair bid for
at more than 1 is a pair offered for less, and YES bids that add up to more than 1 are a no set at less than N - 1.
"""

from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct

from polycore import PRICE_ONE, AssetId, Depth, FeeSchedule, Market, Order, Price, Side, Size, format_price

Levels = tuple[tuple[Price, Size], ...]
Cost = int
"""Price of one share with its fee, in trillionths of a pUSD: fine enough that rounding never decides a trade."""

COST_ONE: Cost = 10**12
PRICE_COST: Cost = COST_ONE // PRICE_ONE
"""One ten-thousandth of a pUSD, as a cost."""
_MILLION_SHARES: Size = 10**12
_FEE_ROUNDING = 10


class Kind(Enum):
    """The value is how a log line names it."""

    PAIR = "pair"
    YES_SET = "yes set"
    NO_SET = "no set"


class NoTrade(Struct, frozen=True):
    """Why nothing is traded. ``reason`` is stable words, to compare; ``detail`` holds the numbers, to read."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class Leg(Struct, frozen=True):
    """One token of a set and what others offer of it: asks, best first."""

    market: Market
    asset: AssetId
    asks: Levels

    def cost(self, price: Price) -> Cost:
        return share_cost(price, self.market.fee)


class Candidate(Struct, frozen=True):
    """A set that could be bought. ``payoff`` is what one set pays at least, as a price."""

    kind: Kind
    legs: tuple[Leg, ...]
    payoff: Price


class Tranche(Struct, frozen=True):
    """``size`` more sets at one price for each leg, in the order of the legs."""

    size: Size
    prices: tuple[Price, ...]


def pair(market: Market, first: Levels, second: Levels) -> Candidate:
    """Both tokens of a market: one of them pays 1, and they can be merged into 1 at any time."""
    legs = (Leg(market, market.first.asset, first), Leg(market, market.second.asset, second))
    return Candidate(Kind.PAIR, legs, PRICE_ONE)


def yes_set(asks: Sequence[tuple[Market, Levels]]) -> Candidate:
    """The first token of every market of a complete event. The caller vouches that none is missing."""
    return Candidate(Kind.YES_SET, tuple(Leg(market, market.first.asset, levels) for market, levels in asks), PRICE_ONE)


def no_set(asks: Sequence[tuple[Market, Levels]]) -> Candidate:
    """The second token of some markets of an event: at most one of them resolves YES."""
    legs = tuple(Leg(market, market.second.asset, levels) for market, levels in asks)
    return Candidate(Kind.NO_SET, legs, PRICE_ONE * (len(legs) - 1))


def share_cost(price: Price, fee: FeeSchedule) -> Cost:
    """What one share costs a taker, fee included, rounded up.

    The schedule rounds to five decimals of a pUSD; asked about a million shares it is exact to eleven.
    """
    charged = fee.taker_fee(price, _MILLION_SHARES)
    return price * PRICE_COST + (charged + _FEE_ROUNDING if fee.rate_millionths else 0)


def touch_edge(candidate: Candidate) -> Cost | NoTrade:
    """Profit of one set at the best asks, fees included; negative when it costs more than it pays."""
    empty = [leg.market.label(leg.asset) for leg in candidate.legs if not leg.asks]
    if empty:
        return NoTrade("a leg is not offered, or only behind our own quotes", ", ".join(empty[:3]))
    return candidate.payoff * PRICE_COST - sum(leg.cost(leg.asks[0][0]) for leg in candidate.legs)


def walk(candidate: Candidate, minimum_edge: Price, most: Size, depth_percent: int = 100) -> tuple[Tranche, ...]:
    """Buy equal shares of every leg level by level while the next set still leaves ``minimum_edge`` after fees.

    Each tranche ends where some leg's level does. Of each level ``depth_percent`` is counted on. Costs rise from
    tranche to tranche, so the first one that does not pay ends the walk. Nothing beyond ``most`` sets.
    """
    hurdle = (candidate.payoff - minimum_edge) * PRICE_COST
    queues = [[(price, size * depth_percent // 100) for price, size in leg.asks] for leg in candidate.legs]
    places = [0] * len(queues)
    left = [queue[0][1] if queue else 0 for queue in queues]
    tranches: list[Tranche] = []
    while most > 0:
        for index, queue in enumerate(queues):
            while not left[index]:
                places[index] += 1
                if places[index] >= len(queue):
                    return tuple(tranches)
                left[index] = queue[places[index]][1]
        prices = tuple(queue[place][0] for queue, place in zip(queues, places, strict=True))
        if sum(leg.cost(price) for leg, price in zip(candidate.legs, prices, strict=True)) > hurdle:
            break
        size = min(most, *left)
        tranches.append(Tranche(size, prices))
        left = [remaining - size for remaining in left]
        most -= size
    return tuple(tranches)


def mirrored(first: Depth, second: Depth) -> bool:
    """Whether two books are one book seen twice: YES at ``p`` is NO at ``1 - p``, size for size, on every level."""
    return flipped(first.bids) == second.asks and flipped(first.asks) == second.bids


def no_edge(candidate: Candidate, edge: Cost) -> NoTrade:
    """Say that a set costs too much, and how much, and whether it is the prices or the fees."""
    best = [leg.asks[0][0] for leg in candidate.legs]
    asks, pays = sum(best), candidate.payoff
    reason = "fees eat the edge" if asks < pays else "the asks add up to what it pays or more"
    cost = (pays * PRICE_COST - edge) / COST_ONE
    return NoTrade(reason, f"asks {format_price(asks)}, with fees {cost:.4f}, pays {format_price(pays)}")


def reachable(asks: Levels, own: Iterable[Price]) -> Levels:
    """Asks in front of our own best one: from there on we would trade with ourselves, seen in the book yet or not."""
    wall = min(own, default=PRICE_ONE)
    return tuple(level for level in asks if level[0] < wall)


def own_offers(orders: Iterable[Order], asset: AssetId) -> set[Price]:
    """Prices of our own asks of a token: a SELL of it at ``p``, or a BUY of the other token at ``1 - p``.

    ``orders`` are those of the token's market.
    """
    return {
        order.price if order.side is Side.SELL else PRICE_ONE - order.price
        for order in orders
        if (order.side is Side.SELL) == (order.place.asset == asset)
    }


def flipped(levels: Levels) -> Levels:
    """Bids of a token as asks of the other one, and the reverse."""
    return tuple((PRICE_ONE - price, size) for price, size in levels)
