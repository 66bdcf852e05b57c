"""The market maker's hooks: thin. What they hear becomes one question, "which quotes do we want now?", that
``fair_value``, ``quoting`` and ``requoting`` answer.

Owns the memory between events: what was asked for last, when a side last moved, when it may add again. Must not hold a
price, a position or an order of its own: the cache and the inventory have them.
"""

from polycore import (
    Book,
    CancelAll,
    ChangeKind,
    Context,
    Fill,
    Intents,
    LinkChange,
    LinkState,
    Market,
    MarketChange,
    MarketId,
    MarketStatus,
    OrderState,
    OrderUpdate,
    Price,
    Quote,
    SetQuotes,
    Settlement,
    Side,
    StopReason,
    format_price,
    format_size,
    hookimpl,
)
from polycore_mm.config import MarketMakerConfig
from polycore_mm.fair_value import NoQuote, fair_value, is_bid, own_levels
from polycore_mm.quoting import Grid, Plan, plan
from polycore_mm.requoting import Moment, resting, settle

_SECOND = 1_000_000_000
_LONGEST_PAUSE_SECONDS = 60.0
_MARKETS_A_SECOND = 4
"""Markets asked for anew on each timer, in turn: the hook has a budget, and a run may quote hundreds."""


class MarketMaker:
    """Quotes both sides of each market around a fair value, post-only, leaning against its position."""

    def __init__(self, config: MarketMakerConfig) -> None:
        self._config = config
        self._markets: dict[MarketId, _Quoting] = {}
        self._blind: dict[str, str] = {}
        self._turn = 0

    # ── Hooks ──────────────────────────────────────────────────────────────────

    @hookimpl
    def on_book(self, book: Book, context: Context) -> Intents:
        """Requote. Both tokens' books arrive; they are one book seen twice, and the first outcome's drives."""
        market = context.cache.market(book.market)
        if market is None or book.asset != market.first.asset:
            return None
        return self._requote(market, context)

    @hookimpl
    def on_fill(self, fill: Fill, context: Context) -> Intents:
        """Lean against the new position at once; let the side that was hit cool down first."""
        market = context.cache.market(fill.market)
        if market is None:
            return None
        quoting = self._quoting(market.id)
        quoting.asked = None
        if fill.settlement is Settlement.MATCHED:
            side = quoting.bid if is_bid(fill.side, fill.asset, market) else quoting.ask
            side.hold(context.clock.monotonic(), self._config.fill_cooldown_seconds)
            size, price = format_size(fill.size), format_price(fill.price)
            inventory = format_size(context.inventory.net(market))
            context.log.info("[MM Fill] %s %s @ %s - New inventory: %s", fill.side.value, size, price, inventory)
        return self._requote(market, context)

    @hookimpl
    def on_order(self, update: OrderUpdate, context: Context) -> Intents:
        """Remember that what rests has changed; back off when an order was rejected."""
        quoting = self._quoting(update.market)
        quoting.asked = None
        if update.state is OrderState.LIVE:
            quoting.rejections = 0
        elif update.state is OrderState.REJECTED:
            pause = min(self._config.rejection_pause_seconds * 2**quoting.rejections, _LONGEST_PAUSE_SECONDS)
            quoting.rejections = min(quoting.rejections + 1, 10)
            for side in (quoting.bid, quoting.ask):
                side.hold(context.clock.monotonic(), pause)
            market = context.cache.market(update.market)
            name = market.slug if market else update.market
            context.log.warning("%s: order rejected, nothing new for %g s: %s", name, pause, update.reason)
        return None

    @hookimpl
    def on_market_change(self, change: MarketChange, context: Context) -> Intents:
        """Withdraw on a new grid, a pause or the end; the next LIVE book brings the quotes back."""
        market = context.cache.market(change.market)
        if market is None or change.kind is ChangeKind.LISTED:
            return None
        if change.kind is ChangeKind.RESOLVED:
            self._markets.pop(market.id, None)
            return CancelAll(market.id)
        return self._requote(market, context)

    @hookimpl
    def on_link(self, change: LinkChange, context: Context) -> Intents:
        """Quote nothing while fills cannot be heard; look again at the markets whose books depend on the link."""
        if change.channel == "user":
            if change.state is LinkState.UP:
                self._blind.pop(change.link, None)
            else:
                self._blind[change.link] = change.cause or change.state.value
        return self._requote_all(context)

    @hookimpl
    def on_timer(self, now: int, context: Context) -> Intents:
        """Notice what no event tells: a book gone stale, an end that comes near, a patience that is over.

        A few markets in turn are asked for anew: it costs nothing when their quotes rest, and makes good what was lost.
        """
        markets = [market for key in self._markets if (market := context.cache.market(key)) is not None]
        start = self._turn % max(len(markets), 1)
        self._turn = start + _MARKETS_A_SECOND
        intents: list[SetQuotes] = []
        for index, market in enumerate(markets):
            quoting = self._quoting(market.id)
            if (index - start) % len(markets) < _MARKETS_A_SECOND:
                quoting.asked = None
            elif not quoting.unsettled and self._obstacle(market, context) is None:
                continue
            if (intent := self._requote(market, context)) is not None:
                intents.append(intent)
        return intents

    @hookimpl
    def on_stop(self, context: Context, reason: StopReason) -> Intents:
        """Withdraw everything; positions stay, and are worth what the market resolves to."""
        return CancelAll()

    # ── One decision ───────────────────────────────────────────────────────────

    def _requote_all(self, context: Context) -> Intents:
        markets = [market for key in self._markets if (market := context.cache.market(key)) is not None]
        return [intent for market in markets if (intent := self._requote(market, context)) is not None]

    def _requote(self, market: Market, context: Context) -> SetQuotes | None:
        quoting = self._quoting(market.id)
        wanted = self._plan(market, context)
        bid = ask = None
        if isinstance(wanted, Plan):
            bid, ask = self._settle(wanted, quoting, market, context)
            quoting.unsettled = (bid, ask) != (wanted.bid, wanted.ask)
        quoting.explain(_explanation(wanted), market, context, self._config.log_seconds)
        asked = SetQuotes(market.first.asset, (bid,) if bid else (), (ask,) if ask else ())
        if asked == quoting.asked:
            return None
        now = context.clock.monotonic()
        quoting.bid.ask_for(bid, now)
        quoting.ask.ask_for(ask, now)
        quoting.asked = asked
        return asked

    def _plan(self, market: Market, context: Context) -> Plan | NoQuote:
        cache, config = context.cache, self._config
        book = cache.get(market.first.asset)
        if book is None:
            return NoQuote("the book is unknown")
        obstacle = self._obstacle(market, context)
        if obstacle is not None:
            return obstacle
        own = own_levels(cache.open_orders(market=market.id), market)
        value = fair_value(book.depth(), own, levels=config.levels, dust=config.dust)
        if isinstance(value, NoQuote):
            return value
        grid = Grid(book.tick, market.minimum_size)
        return plan(value, context.inventory.net(market), book.best, grid, config)

    def _obstacle(self, market: Market, context: Context) -> NoQuote | None:
        if market.status is not MarketStatus.OPEN:
            return NoQuote(f"the market is {market.status.value}")
        if market.event is not None and not self._config.quote_events:
            return NoQuote("the market is one of an event with one winner", "quote_events is off")
        if self._blind:
            return NoQuote("fills cannot be heard", ", ".join(f"{link}: {why}" for link, why in self._blind.items()))
        for outcome in (market.first, market.second):
            if context.cache.is_stale(outcome.asset):
                state, cause = context.cache.state(outcome.asset)
                why = f"{state.value} {cause}" if cause else f"{state.value} on a link without a recent proof"
                return NoQuote("the book is not proven fresh", f"{outcome.label}: {why}")
        last = market.end_time - round(self._config.stop_before_end_seconds * _SECOND)
        if market.end_time and context.clock.wall() >= last:
            return NoQuote("the market is about to end, or should have")
        return None

    def _settle(
        self, wanted: Plan, quoting: "_Quoting", market: Market, context: Context
    ) -> tuple[Quote | None, Quote | None]:
        now = context.clock.monotonic()
        orders = context.orders.open(market.id)
        book = context.cache.get(market.first.asset)
        tick = market.tick if book is None else book.tick

        def one(side: Side, quote: Quote | NoQuote, memory: _Side) -> Quote | None:
            return settle(
                side,
                quote if isinstance(quote, Quote) else None,
                resting(orders, market, side),
                wanted.reservation,
                tick,
                Moment(now - memory.moved, now >= memory.quiet_until),
                self._config,
            )

        return one(Side.BUY, wanted.bid, quoting.bid), one(Side.SELL, wanted.ask, quoting.ask)

    def _quoting(self, market: MarketId) -> "_Quoting":
        return self._markets.setdefault(market, _Quoting())


class _Side:
    """Memory of one side of one market. Times are monotonic nanoseconds."""

    __slots__ = ("moved", "price", "quiet_until")

    def __init__(self) -> None:
        self.price: Price | None = None
        self.moved = 0
        self.quiet_until = 0

    def hold(self, now: int, seconds: float) -> None:
        """Add nothing for so long."""
        self.quiet_until = max(self.quiet_until, now + round(seconds * _SECOND))

    def ask_for(self, quote: Quote | None, now: int) -> None:
        """Remember since when the side is where it is."""
        price = quote.price if quote else None
        if price != self.price:
            self.price, self.moved = price, now


class _Quoting:
    """Memory of one market.

    ``asked`` is the last intent, ``None`` when it must be said anew. ``unsettled`` when patience holds back from what
    is wanted, so that time alone may change the quotes.
    """

    __slots__ = ("ask", "asked", "bid", "explained", "explained_time", "rejections", "unsettled")

    def __init__(self) -> None:
        self.bid = _Side()
        self.ask = _Side()
        self.asked: SetQuotes | None = None
        self.rejections = 0
        self.unsettled = False
        self.explained: str | None = None
        self.explained_time = 0

    def explain(self, why: NoQuote, market: Market, context: Context, every_seconds: float) -> None:
        """Log why there is a quote or none: when the reason changes, and not more often than allowed."""
        now = context.clock.monotonic()
        if why.reason == self.explained:
            return
        if self.explained is not None and now - self.explained_time < every_seconds * _SECOND:
            return
        self.explained, self.explained_time = why.reason, now
        context.log.info("%s: %s", market.slug, why)


def _explanation(wanted: Plan | NoQuote) -> NoQuote:
    """Why there is no quote, or which side is missing and why; patience is no reason worth a line."""
    if isinstance(wanted, NoQuote):
        return NoQuote(f"not quoting: {wanted.reason}", wanted.detail)
    missing = [(name, why) for name, why in (("bid", wanted.bid), ("ask", wanted.ask)) if isinstance(why, NoQuote)]
    if not missing:
        return NoQuote("quoting both sides")
    reasons = "; ".join(f"no {name}: {why.reason}" for name, why in missing)
    return NoQuote(reasons, "; ".join(why.detail for _, why in missing if why.detail))
