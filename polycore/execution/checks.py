"""Built-in order checks, written as implementations of ``check_order``.

Owns each limit an order must pass before it is signed. Every refusal names the check, what was found and what was
expected. Must not send, cancel or change anything; cancels are never asked about.
"""

from collections.abc import Callable, Iterable, Sequence

from polycore.cache.book import Best, BookState
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.view import CacheView
from polycore.execution.quotes import SIZE_STEP
from polycore.hooks.markers import hookimpl
from polycore.model.ids import AssetId
from polycore.model.intents import PlaceOrder, Rejection, TimeInForce
from polycore.model.market import Market, MarketStatus, Side
from polycore.model.money import (
    MONEY_ONE,
    PRICE_ONE,
    Money,
    Price,
    Size,
    complement,
    format_money,
    format_price,
    format_size,
    notional,
)

_DOUBTFUL = frozenset({BookState.SYNCING, BookState.SUSPECT, BookState.STALE})


class Gate:
    """Whether opening orders may leave at all.

    ``halted`` is the reason when they may not. ``user_up``: the user stream is up and the open orders were read since.
    """

    __slots__ = ("halted", "user_up")

    def __init__(self) -> None:
        self.halted = ""
        self.user_up = False


class KillSwitch:
    """``kill_switch``: nothing opens after a halt. Asked first, whatever else is registered."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @hookimpl(tryfirst=True)
    def check_order(self) -> Rejection | None:
        if self._gate.halted:
            return Rejection("kill_switch", f"halted: {self._gate.halted}; only cancels leave")
        return None


class UserStreamUp:
    """``user_stream``: without the user stream our fills are unseen, so nothing opens."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @hookimpl
    def check_order(self) -> Rejection | None:
        if not self._gate.user_up:
            return Rejection("user_stream", "user stream down; expected it up and open orders read since")
        return None


class WellFormed:
    """``form``: a size the venue can express, and a time in force that makes sense."""

    @hookimpl
    def check_order(self, order: PlaceOrder) -> Rejection | None:
        if order.size <= 0 or order.size % SIZE_STEP:
            found = format_size(order.size)
            return Rejection("form", f"size {found}; expected whole hundredths of a share above 0")
        if order.post_only and not order.time_in_force.rests:
            return Rejection("form", f"post-only {order.time_in_force.value}; expected GTC or GTD, which can rest")
        if (order.time_in_force is TimeInForce.GTD) != (order.expires > 0):
            found = f"{order.time_in_force.value} with expires {order.expires}"
            return Rejection("form", f"{found}; expected an expiry for GTD and 0 for any other")
        return None


class MarketOpen:
    """``market``: the token's market is known and takes orders."""

    @hookimpl
    def check_order(self, order: PlaceOrder, cache: CacheView) -> Rejection | None:
        market = cache.market_of(order.asset)
        if market is None:
            return Rejection("market", f"token {order.asset} is of no known market; expected one that was selected")
        if market.status is not MarketStatus.OPEN:
            return Rejection("market", f"{market.slug} is {market.status.value}; expected open")
        return None


class OnTick:
    """``tick``: the price is on the grid in force."""

    @hookimpl
    def check_order(self, order: PlaceOrder, cache: CacheView) -> Rejection | None:
        tick = _tick(cache, order.asset)
        if tick and order.price % tick:
            return Rejection("tick", f"price {format_price(order.price)}; expected a multiple of {format_price(tick)}")
        return None


class PriceBand:
    """``price_band``: inside 0 and 1, and not further through the other side's best quote than ``band``.

    Only the aggressive direction is limited: a bid far below the market waits, one far above it pays.
    """

    def __init__(self, band: Price) -> None:
        self._band = band

    @hookimpl
    def check_order(self, order: PlaceOrder, cache: CacheView) -> Rejection | None:
        tick = _tick(cache, order.asset) or 1
        if not tick <= order.price <= PRICE_ONE - tick:
            low, high = format_price(tick), format_price(PRICE_ONE - tick)
            return Rejection("price_band", f"price {format_price(order.price)}; expected {low} to {high}")
        best = cache.best(order.asset)
        if best is None:
            return None
        if order.side is Side.BUY and best.ask_size and order.price > best.ask + self._band:
            return self._refusal(order.price, f"at most {format_price(best.ask + self._band)}", best)
        if order.side is Side.SELL and best.bid_size and order.price < best.bid - self._band:
            return self._refusal(order.price, f"at least {format_price(best.bid - self._band)}", best)
        return None

    def _refusal(self, price: Price, expected: str, best: Best) -> Rejection:
        market = f"the book is {format_price(best.bid)}/{format_price(best.ask)}"
        return Rejection("price_band", f"price {format_price(price)}; expected {expected}: {market}")


class MinimumSize:
    """``minimum``: the market's fewest shares, and 1 pUSD for a purchase that takes (venue reference 4.7)."""

    @hookimpl
    def check_order(self, order: PlaceOrder, cache: CacheView) -> Rejection | None:
        market = cache.market_of(order.asset)
        if market is not None and order.size < market.minimum_size:
            found, least = format_size(order.size), format_size(market.minimum_size)
            return Rejection("minimum", f"size {found}; expected at least {least} shares in {market.slug}")
        best = cache.best(order.asset)
        takes = best is not None and order.side is Side.BUY and best.ask_size > 0 and order.price >= best.ask
        cost = notional(order.price, order.size)
        if takes and cost < MONEY_ONE:
            return Rejection("minimum", f"a purchase of {format_money(cost)} pUSD that takes; expected at least 1 pUSD")
        return None


class MaximumOrder:
    """``max_order``: the most one order may cost or bring, in pUSD."""

    def __init__(self, most: Money) -> None:
        self._most = most

    @hookimpl
    def check_order(self, order: PlaceOrder) -> Rejection | None:
        found = notional(order.price, order.size)
        if found > self._most:
            limit = format_money(self._most)
            reason = f"order of {format_money(found)} pUSD; expected at most {limit} (limits.max_order)"
            return Rejection("max_order", reason)
        return None


class Sellable:
    """``sellable``: a sale is covered by confirmed shares that no other sale has promised, or sold unbooked yet."""

    @hookimpl
    def check_order(self, order: PlaceOrder, strategy: str, cache: CacheView) -> Rejection | None:
        if order.side is not Side.SELL:
            return None
        promised = sum(
            o.pending for o in cache.exposed_orders(strategy)
            if o.side is Side.SELL and o.place.asset == order.asset
        )  # fmt: skip
        free = cache.sellable(strategy, order.asset) - promised
        if order.size > free:
            found, most = format_size(order.size), format_size(max(free, 0))
            return Rejection("sellable", f"sale of {found} shares; expected at most {most}: confirmed and not promised")
        return None


class MaximumPosition:
    """``max_position``: the worst the strategy's orders could make of its position in a market.

    In shares of either outcome, each at most 1 pUSD: position and every order of that direction filled, none of the
    other. What the venue has matched counts as an order's until its fill is booked. An order that reduces the position
    passes even above the limit.
    """

    def __init__(self, most: Size) -> None:
        self._most = most

    @hookimpl
    def check_order(self, order: PlaceOrder, strategy: str, cache: CacheView) -> Rejection | None:
        market = cache.market_of(order.asset)
        if market is None:
            return None
        up = _buys_first(order, market)
        first, second = market.assets
        net = cache.position(strategy, first) - cache.position(strategy, second)
        orders = cache.exposed_orders(strategy, market.id)
        pending = sum(o.pending for o in orders if _buys_first(o.place, market) is up)
        worst = (net if up else -net) + pending + order.size
        if worst > self._most:
            outcome = market.label(first if up else second)
            found, most = format_size(worst), format_size(self._most)
            reason = f"{found} shares of {outcome} at worst, open orders included; expected at most {most}"
            return Rejection("max_position", f"{reason} (limits.max_position)")
        return None


class BookFresh:
    """``book``: the token's book is LIVE, its connection proven lately, and the other token's book not in doubt.

    When only the proof of life is old, ``probe`` asks the connection for a new one, so that the next order may pass.
    """

    def __init__(self, proof_age: Callable[[AssetId], int | None], probe: Callable[[AssetId], None]) -> None:
        self._proof_age = proof_age
        self._probe = probe

    @hookimpl
    def check_order(self, order: PlaceOrder, cache: CacheView) -> Rejection | None:
        state, cause = cache.state(order.asset)
        if state is not BookState.LIVE:
            return Rejection("book", f"book is {state.value} ({cause}); expected LIVE")
        market = cache.market_of(order.asset)
        if market is not None:
            state, cause = cache.state(market.other(order.asset))
            if state in _DOUBTFUL:
                other = market.label(market.other(order.asset))
                return Rejection("book", f"book of {other} is {state.value} ({cause}); expected LIVE")
        if cache.is_stale(order.asset):
            self._probe(order.asset)
            age = self._proof_age(order.asset)
            found = "link down" if age is None else f"last proof of life {age / 1e9:.1f} s ago"
            return Rejection("book", f"book is stale: {found}; expected a recent one, asked for it")
        return None


class OwnCrossing:
    """``own_cross``: we never trade with ourselves, over both tokens and all strategies.

    The venue documents no self-trade prevention. An order counts until it is known to be gone.
    """

    @hookimpl
    def check_order(self, order: PlaceOrder, cache: CacheView) -> Rejection | None:
        market = cache.market_of(order.asset)
        if market is None:
            return None
        up, price = _buys_first(order, market), _first_price(order, market)
        for own in cache.open_orders(None, market.id):
            if _buys_first(own.place, market) is up:
                continue
            theirs = _first_price(own.place, market)
            if (price >= theirs) if up else (price <= theirs):
                what = f"{own.side.value} {market.label(own.place.asset)} at {format_price(own.price)}"
                found = f"{order.side.value} {market.label(order.asset)} at {format_price(order.price)}"
                return Rejection("own_cross", f"{found} would meet our {own.client_order} ({what}); expected not to")
        return None


def built_in_checks(
    cache: GlobalMarketCache,
    gate: Gate,
    *,
    max_order: Money,
    max_position: Size,
    price_band: Price = 1_000,
    probe: Callable[[AssetId], None] = lambda asset: None,
) -> Sequence[tuple[str, object]]:
    """Every built-in check with the name it is registered under, in the order in which they are asked.

    ``max_order`` in pUSD, ``max_position`` in shares (as many pUSD at most), ``price_band`` in price.
    """
    return [
        ("checks.kill_switch", KillSwitch(gate)),
        ("checks.user_stream", UserStreamUp(gate)),
        ("checks.form", WellFormed()),
        ("checks.market", MarketOpen()),
        ("checks.book", BookFresh(cache.proof_age, probe)),
        ("checks.tick", OnTick()),
        ("checks.price_band", PriceBand(price_band)),
        ("checks.minimum", MinimumSize()),
        ("checks.max_order", MaximumOrder(max_order)),
        ("checks.sellable", Sellable()),
        ("checks.max_position", MaximumPosition(max_position)),
        ("checks.own_cross", OwnCrossing()),
    ]


def register_checks(register: Callable[[object, str], object], checks: Iterable[tuple[str, object]]) -> None:
    """Register checks with a plugin manager so that they are asked in the order given: pluggy asks the last first.

    Call it after the plugins' own checks are registered: the built-in ones are then asked before them.
    """
    for name, check in reversed(list(checks)):
        register(check, name)


def _tick(cache: CacheView, asset: AssetId) -> Price:
    """The grid in force: the book's, or the market's while there is no book; 0 when neither is known."""
    book = cache.get(asset)
    if book is not None:
        return book.tick
    market = cache.market_of(asset)
    return 0 if market is None else market.tick


def _buys_first(order: PlaceOrder, market: Market) -> bool:
    """Whether an order is for the first outcome: buying it, or selling the second."""
    return (order.side is Side.BUY) == (order.asset == market.first.asset)


def _first_price(order: PlaceOrder, market: Market) -> Price:
    """An order's price as a price of the first outcome."""
    return order.price if order.asset == market.first.asset else complement(order.price)
