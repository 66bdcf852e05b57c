"""The arbitrageur's hooks: thin. A book that changed raises one question, "is there a set to buy now?", that
``watching`` answers; an order or fill of ours raises another, "what does its basket need?", that ``basket`` and
``repairing`` answer.

Owns the memory between events: the sets under watch and the open baskets. Never opens a second basket on an event
while one is open. Must not hold prices or positions of its own: the cache and the inventory have them.
"""

from collections import deque

from polycore import (
    Book,
    CancelAll,
    Catalogue,
    Context,
    EventId,
    Fill,
    Intents,
    LinkChange,
    LinkState,
    Market,
    MarketChange,
    MarketId,
    Money,
    OrderUpdate,
    PlaceOrder,
    Settlement,
    StopReason,
    TimeInForce,
    format_money,
    format_size,
    hookimpl,
    notional,
)
from polycore_arb.basket import Basket, Phase, Scope
from polycore_arb.config import ArbitrageConfig
from polycore_arb.detect import Kind, NoTrade
from polycore_arb.repairing import NotYet, completion, sales
from polycore_arb.sizing import BasketPlan
from polycore_arb.watching import Watch, examine

_SECOND = 1_000_000_000
_LOOKS_A_SECOND = 2
"""Sets looked at in full on each timer, in turn, to say why: the hook has a budget, and a run may watch thousands."""
_GLANCES_A_SECOND = 100
"""Sets whose best asks alone are added up on each timer, for those whose books are quiet."""


class Arbitrage:
    """Buys sets that cost less than they pay, as baskets of orders that fill at once; holds them to resolution."""

    def __init__(self, config: ArbitrageConfig) -> None:
        self._config = config
        self._events: dict[EventId, tuple[MarketId, ...]] = {}
        self._watches: dict[MarketId, list[Watch]] = {}
        self._rota: deque[Watch] = deque()
        self._baskets: dict[Scope, Basket] = {}
        self._quiet_until: dict[Scope, int] = {}
        self._blind: set[str] = set()
        self._opened = 0

    # ── Hooks ──────────────────────────────────────────────────────────────────

    @hookimpl
    async def select_markets(self, catalogue: Catalogue, context: Context) -> list[Market]:
        """Choose markets, and note which events are chosen whole: a set of an event needs every outcome.

        ``event:SLUG`` and ``*`` name whole events. A tag, a slug or an id may name a part of one, which can look like a
        bargain: its asks add up to less because an outcome is missing.
        """
        chosen: dict[MarketId, Market] = {}
        whole: dict[EventId, dict[MarketId, None]] = {}
        for selector in self._config.markets:
            for market in await catalogue.find([selector]):
                chosen[market.id] = market
                if market.event is not None and (selector == "*" or selector.startswith("event:")):
                    whole.setdefault(market.event, {})[market.id] = None
        self._events = {event: tuple(markets) for event, markets in whole.items()}
        self._watches.clear()
        self._rota.clear()
        return list(chosen.values())

    @hookimpl
    def on_book(self, book: Book, context: Context) -> Intents:
        """Look at every set that the token is part of, if the best asks alone say that it may pay."""
        market = context.cache.market(book.market)
        if market is None:
            return None
        basket = self._baskets.get(_scope(market))
        if basket is not None:
            return self._advance(basket, context)
        for watch in self._watches_of(market, context):
            if watch.promising(context):
                orders = self._look(watch, context)
                if orders:
                    return orders
            else:
                watch.seen_since = 0
        return None

    @hookimpl
    def on_order(self, update: OrderUpdate, context: Context) -> Intents:
        """Pass a leg's state to its basket, and take the basket's next step."""
        for basket in list(self._baskets.values()):
            if basket.hear_order(update):
                if update.reason and basket.is_news(update.reason):
                    context.log.info(
                        "basket %s: %s is %s: %s", basket.name, update.tag, update.state.value, update.reason
                    )
                return self._advance(basket, context)
        return None

    @hookimpl
    def on_fill(self, fill: Fill, context: Context) -> Intents:
        """Pass a leg's fill, or its settlement, to its basket, and take the basket's next step."""
        if fill.settlement is Settlement.FAILED:
            context.log.warning("fill %s of %s failed to settle: it is undone", fill.trade, fill.tag or fill.order)
        for basket in list(self._baskets.values()):
            if basket.hear_fill(fill):
                return self._advance(basket, context)
        return None

    @hookimpl
    def on_market_change(self, change: MarketChange, context: Context) -> Intents:
        """Stop trusting an event as whole when a market is added to it."""
        event = change.listed.event if change.listed else None
        if event in self._events and change.market not in self._events[event]:
            context.log.warning("a market was added to event %s: its sets are not traded any more", event)
            for key in self._events.pop(event):
                self._watches.pop(key, None)
            self._rota = deque(watch for watch in self._rota if watch.scope != event)
        return None

    @hookimpl
    def on_link(self, change: LinkChange, context: Context) -> Intents:
        """Open nothing while fills cannot be heard."""
        if change.channel == "user":
            (self._blind.discard if change.state is LinkState.UP else self._blind.add)(change.link)
        return None

    @hookimpl
    def on_timer(self, now: int, context: Context) -> Intents:
        """Take the next step of every basket; look again at sets that paid, and at others in turn, to say why not."""
        orders: list[PlaceOrder] = []
        for basket in list(self._baskets.values()):
            orders += self._advance(basket, context)
        due = [
            watch
            for turn, watch in enumerate(self._rota)
            if watch.seen_since or turn < _LOOKS_A_SECOND or (turn < _GLANCES_A_SECOND and watch.promising(context))
        ]
        self._rota.rotate(-_LOOKS_A_SECOND)
        for watch in due:
            orders += self._look(watch, context)
        return orders

    @hookimpl
    def on_stop(self, context: Context, reason: StopReason) -> Intents:
        """Say what is left open. Nothing of ours rests: every order fills at once or is gone."""
        for basket in self._baskets.values():
            context.log.warning("basket %s is left open, %s: %s", basket.name, basket.phase.value, _standing(basket))
        return CancelAll()

    # ── Opening ────────────────────────────────────────────────────────────────

    def _look(self, watch: Watch, context: Context) -> tuple[PlaceOrder, ...]:
        now = context.clock.monotonic()
        if watch.scope in self._baskets or now < self._quiet_until.get(watch.scope, 0):
            watch.seen_since = 0
            return ()
        found = (
            NoTrade("fills cannot be heard")
            if self._blind
            else examine(watch, self._spendable(context), context, self._config)
        )
        if isinstance(found, NoTrade):
            watch.seen_since = 0
            watch.explain(found, context, self._config.log_seconds)
            return ()
        if not watch.seen_since:
            watch.seen_since = now
        if now - watch.seen_since < self._config.confirm_seconds * _SECOND:
            return ()
        watch.seen_since = 0
        return self._open(watch, found, context)

    def _spendable(self, context: Context) -> Money:
        locked = max(-context.inventory.cash, 0) + sum(basket.reserved for basket in self._baskets.values())
        return min(self._config.basket_budget, self._config.total_budget - locked)

    def _open(self, watch: Watch, plan: BasketPlan, context: Context) -> tuple[PlaceOrder, ...]:
        self._opened += 1
        now = context.clock.monotonic()
        basket = Basket(f"{context.name}-{self._opened}", watch.scope, plan, now)
        self._baskets[watch.scope] = basket
        watch.explained = ""
        context.log.info(
            "%s, %s: basket %s buys %s sets for %s, which pay %s: profit %s in %d legs",
            watch.name, watch.kind.value, basket.name, format_size(plan.size), format_money(plan.cost),
            format_money(plan.payoff), format_money(plan.profit), len(plan.legs),
        )  # fmt: skip
        return basket.send(plan.legs, TimeInForce(self._config.order), now)

    # ── From then on ───────────────────────────────────────────────────────────

    def _advance(self, basket: Basket, context: Context) -> tuple[PlaceOrder, ...]:
        """Take a basket as far as it can go now: at most one step sends orders."""
        now = context.clock.monotonic()
        self._give_up_on_lost(basket, now, context)
        while not basket.waiting:
            if not basket.preparing and (basket.even or not basket.begin_repair(now)):
                self._settle(basket, now, context)
                break
            last_chance = now - basket.since >= self._config.repair_seconds * _SECOND
            step = (
                completion(basket, context)
                if basket.phase is Phase.COMPLETING
                else sales(basket, context, self._config, last_chance)
            )
            if isinstance(step, tuple):
                context.log.info("basket %s: %s: %s", basket.name, basket.phase.value, _standing(basket))
                return basket.send(step, TimeInForce.FAK, now)
            if isinstance(step, NotYet) and not last_chance:
                break
            context.log.info("basket %s: cannot go on with %s: %s", basket.name, basket.phase.value, step)
            basket.give_up_repair()
        return ()

    def _give_up_on_lost(self, basket: Basket, now: int, context: Context) -> None:
        if not basket.waiting:
            return
        tags = [order.place.tag for order in context.orders.open()]
        for tag in basket.give_up_on(tags, now - round(self._config.answer_seconds * _SECOND)):
            context.log.warning("basket %s: %s is neither open nor reported: it was never sent", basket.name, tag)

    def _settle(self, basket: Basket, now: int, context: Context) -> None:
        """Let the basket go once its fills are final, or when that takes too long."""
        basket.begin_settling(now)
        late = now - basket.since >= self._config.settle_seconds * _SECOND
        if not basket.settled and not late:
            return
        del self._baskets[basket.scope]
        self._quiet_until[basket.scope] = now + round(self._config.cooldown_seconds * _SECOND)
        say = context.log.info if basket.even and basket.settled else context.log.warning
        say("basket %s is over: %s%s", basket.name, _standing(basket), "" if basket.settled else ", not confirmed yet")

    # ── Watches ────────────────────────────────────────────────────────────────

    def _watches_of(self, market: Market, context: Context) -> list[Watch]:
        known = self._watches.get(market.id)
        if known is None:
            scope = _scope(market)
            known = [Watch(Kind.PAIR, scope, market.slug, (market.id,))]
            self._rota.append(known[0])
            known += self._event_watches(market)
            self._watches[market.id] = known
        return known

    def _event_watches(self, market: Market) -> list[Watch]:
        """The event's two sets, shared by its markets; none unless the event was selected whole."""
        if market.event is None or len(members := self._events.get(market.event, ())) < 2:
            return []
        for member in members:
            for watch in self._watches.get(member, ()):
                if watch.kind is Kind.YES_SET:
                    return [w for w in self._watches[member] if w.kind is not Kind.PAIR]
        made = [Watch(kind, market.event, f"event {market.event}", members) for kind in (Kind.YES_SET, Kind.NO_SET)]
        self._rota.extend(made)
        return made


def _scope(market: Market) -> Scope:
    return market.id if market.event is None else market.event


def _standing(basket: Basket) -> str:
    """One line: sets held, what they cost and pay, and what is held beside them."""
    sets, one = basket.sets, basket.plan.payoff_of_one
    text = (
        f"{format_size(sets)} sets held for {format_money(basket.paid)}, which pay {format_money(notional(one, sets))}"
    )
    surplus = [
        f"{format_size(leg.held - sets)} of {leg.order.market.slug} {leg.order.market.label(leg.order.asset)}"
        for leg in basket.legs
        if leg.held > sets
    ]
    return f"{text}; and {', '.join(surplus)}" if surplus else text
