"""One set under watch: read its books, and say what to buy or why nothing.

Owns the order of the gates, cheapest and most telling first, and the memory of one set. Reads the cache through the
context; sends nothing.
"""

from collections.abc import Sequence

from polycore import (
    PRICE_ONE,
    AssetId,
    Context,
    Market,
    MarketId,
    MarketStatus,
    Money,
    format_price,
)
from polycore_arb.basket import Scope
from polycore_arb.config import ArbitrageConfig
from polycore_arb.detect import (
    COST_ONE,
    PRICE_COST,
    Candidate,
    Kind,
    Levels,
    NoTrade,
    flipped,
    mirrored,
    no_edge,
    no_set,
    own_offers,
    pair,
    reachable,
    touch_edge,
    walk,
    yes_set,
)
from polycore_arb.sizing import BasketPlan, size_basket


class Watch:
    """One set and what is remembered of it. Times are monotonic nanoseconds, 0 for never."""

    __slots__ = ("explained", "explained_time", "kind", "markets", "name", "scope", "seen_since")

    def __init__(self, kind: Kind, scope: Scope, name: str, markets: tuple[MarketId, ...]) -> None:
        self.kind = kind
        self.scope = scope
        self.name = name
        self.markets = markets
        self.seen_since = 0
        self.explained = ""
        self.explained_time = 0

    def known_markets(self, context: Context) -> list[Market]:
        """The set's markets as they are now; those the cache does not know are missing."""
        return [market for key in self.markets if (market := context.cache.market(key)) is not None]

    def assets(self, markets: Sequence[Market]) -> list[AssetId]:
        """The token of each leg."""
        if self.kind is Kind.PAIR:
            return list(markets[0].assets)
        return [(market.first if self.kind is Kind.YES_SET else market.second).asset for market in markets]

    def promising(self, context: Context) -> bool:
        """Whether the best asks alone add up to less than the set pays: a few reads, for every book that changes."""
        markets = self.known_markets(context)
        total = 0
        for asset in self.assets(markets):
            best = context.cache.best(asset)
            if best is None or not best.ask_size:
                return False
            total += best.ask
        return total < payoff(self.kind, len(markets))

    def explain(self, why: NoTrade, context: Context, every_seconds: float) -> None:
        """Log why nothing is bought: when the reason changes, and not more often than allowed."""
        now = context.clock.monotonic()
        if why.reason == self.explained:
            return
        if self.explained and now - self.explained_time < every_seconds * 1_000_000_000:
            return
        self.explained, self.explained_time = why.reason, now
        context.log.info("%s, %s: no trade: %s", self.name, self.kind.value, why)


def examine(watch: Watch, spendable: Money, context: Context, config: ArbitrageConfig) -> BasketPlan | NoTrade:
    """Take a set through every gate; the first that stays shut is the reason."""
    markets = watch.known_markets(context)
    obstacle = _obstacle(watch, markets, context, config)
    if obstacle is not None:
        return obstacle
    if watch.kind is Kind.PAIR and (seen_twice := _mirror(markets[0], context)):
        return seen_twice
    candidate = _candidate(watch.kind, markets, context)
    edge = touch_edge(candidate)
    if isinstance(edge, NoTrade):
        return edge
    if edge < config.minimum_edge * PRICE_COST:
        return no_edge(candidate, edge)
    if edge > config.maximum_edge * PRICE_COST:
        return NoTrade("too good to be true: the data must be wrong", f"{edge / COST_ONE:.4f} a set")
    if watch.kind is Kind.PAIR and not _same_moment(markets[0], context):
        return NoTrade("its two books are of different moments")
    tranches = walk(candidate, config.minimum_edge, config.max_sets, config.depth_percent)
    return size_basket(candidate, tranches, spendable, config.minimum_profit)


def payoff(kind: Kind, legs: int) -> int:
    """What one set of so many markets pays at least, as a price."""
    return PRICE_ONE * (legs - 1 if kind is Kind.NO_SET else 1)


def _obstacle(watch: Watch, markets: Sequence[Market], context: Context, config: ArbitrageConfig) -> NoTrade | None:
    if len(markets) < len(watch.markets):
        return NoTrade("a market of the set is unknown")
    for market in markets:
        if market.status is not MarketStatus.OPEN:
            return NoTrade("a market of the set is not open", f"{market.slug} is {market.status.value}")
    if watch.kind is Kind.YES_SET and not all(market.event_complete for market in markets):
        return NoTrade("the event may have other outcomes than those listed")
    assets = watch.assets(markets)
    if len(assets) > config.max_legs:
        return NoTrade("the set has too many legs", f"{len(assets)}, at most {config.max_legs}")
    for asset in assets:
        if context.cache.is_stale(asset):
            of = context.cache.market_of(asset)
            state, cause = context.cache.state(asset)
            name = f"{of.slug} {of.label(asset)}" if of else asset
            why = f"{state.value} {cause}" if cause else f"{state.value} on a link without a recent proof"
            return NoTrade("a book is not proven fresh", f"{name}: {why}")
    return None


def _candidate(kind: Kind, markets: Sequence[Market], context: Context) -> Candidate:
    if kind is Kind.PAIR:
        market = markets[0]
        first, second = (asks_of(asset, market, context) for asset in market.assets)
        return pair(market, first, second)
    if kind is Kind.YES_SET:
        return yes_set([(market, asks_of(market.first.asset, market, context)) for market in markets])
    return no_set([(market, asks_of(market.second.asset, market, context)) for market in markets])


def asks_of(asset: AssetId, market: Market, context: Context) -> Levels:
    """What can be bought of a token without meeting an order of ours, best first."""
    depth = context.cache.get_order_book(asset)
    own = own_offers(context.cache.open_orders(market=market.id), asset)
    return reachable(depth.asks, own) if depth else ()


def bids_of(asset: AssetId, market: Market, context: Context) -> Levels:
    """What a token can be sold for without meeting an order of ours, best first.

    A bid on a token is an ask of the other one, so the same rule holds in the mirror.
    """
    depth = context.cache.get_order_book(asset)
    if depth is None:
        return ()
    own = own_offers(context.cache.open_orders(market=market.id), market.other(asset))
    return flipped(reachable(flipped(depth.bids), own))


def _mirror(market: Market, context: Context) -> NoTrade | None:
    """Tell one book seen twice from two: a venue that matches both tokens together shows the same book for each."""
    first, second = (context.cache.get_order_book(asset) for asset in market.assets)
    if first is None or second is None or not mirrored(first, second):
        return None
    best = [depth.asks[0][0] for depth in (first, second) if depth.asks]
    sums = f"asks add up to {format_price(sum(best))}" if len(best) == 2 else "one side is empty"
    return NoTrade("its two books mirror each other, so a pair costs 1 plus the spread", sums)


def _same_moment(market: Market, context: Context) -> bool:
    first, second = (context.cache.get(asset) for asset in market.assets)
    return first is not None and second is not None and first.venue_time == second.venue_time
