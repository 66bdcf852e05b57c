"""Intents → checks → rate budget → requests.

Owns which orders and cancels a strategy's intents become, and the tasks that carry them out. Must not book fills (the
user stream brings them) or know a venue. Everything here runs on the loop.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from polycore.cache.cache import GlobalMarketCache
from polycore.cache.orders import Order
from polycore.cache.view import CacheView
from polycore.clock import Clock
from polycore.execution.cancels import Cancels
from polycore.execution.checks import Gate
from polycore.execution.limiter import Limiter
from polycore.execution.quotes import difference
from polycore.execution.reconcile import reconcile
from polycore.execution.sending import BATCH, Batch, Leg, Sender
from polycore.execution.tally import Tally
from polycore.model.events import OrderState, OrderUpdate
from polycore.model.ids import AssetId, ClientOrderId, MarketId, OrderId
from polycore.model.intents import Approved, CancelOrder, Intent, PlaceOrder, Rejection, SetQuotes
from polycore.model.market import Market, Side
from polycore.model.money import Size
from polycore.venue import OrderGateway

log = logging.getLogger("polycore.execution")

LONGEST_WAIT = 1_000_000_000
"""Nanoseconds a ``PlaceOrder`` may wait for the rate budget; beyond that its price is too old to send."""
TOLERANCE_PERCENT = 10
"""How far the size of a resting quote may be from the wanted one before it is touched."""

_POLL_SECONDS = 0.005

_Key = tuple[str, AssetId]
"""A strategy and the token it quotes."""


class _Waiting(Struct):
    """Quotes not fully placed yet, and when their hook returned. Newer ones replace them."""

    quotes: SetQuotes
    returned: int


class Executor:
    """Carries out intents. ``submit`` is called from dispatch; ``run`` must be running for anything to leave.

    ``check`` and ``on_intent`` are the hooks of those names, guarded, called with their arguments by name. ``report``
    tells an order's owner of a change the cache has adopted. ``doubt`` asks for a reading of the open orders, whose
    result is given to :meth:`reconcile`. ``record_wire`` gets the nanoseconds from a hook's return to the first write
    of its POST: the transport announces writes through :attr:`first_write`.
    """

    def __init__(
        self,
        cache: GlobalMarketCache,
        gateway: OrderGateway,
        clock: Clock,
        gate: Gate,
        *,
        check: Callable[..., Rejection | None],
        report: Callable[[OrderUpdate], None],
        on_intent: Callable[..., object] = lambda **arguments: None,
        doubt: Callable[[], None] = lambda: None,
        record_wire: Callable[[int], None] = lambda nanoseconds: None,
        limiter: Limiter | None = None,
        tolerance_percent: int = TOLERANCE_PERCENT,
    ) -> None:
        self.foreign_orders = 0
        self.limiter = Limiter(clock) if limiter is None else limiter
        self._cache = cache
        self._view = CacheView(cache)
        self._orders = cache.orders
        self._gate = gate
        self._check_hook = check
        self._report = report
        self._on_intent = on_intent
        self._doubt = doubt
        self._tolerance = tolerance_percent
        self._tallies: dict[str, Tally] = {}
        self._numbers: dict[str, int] = {}
        self._quotes: dict[_Key, list[Order]] = {}
        self._waiting: dict[_Key, _Waiting] = {}
        self._unstarted: list[Batch] = []
        self._group: asyncio.TaskGroup | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._foreign: set[OrderId] = set()
        self._unlisted: list[Order] = []
        self.cancels = Cancels(
            self._orders, gateway, self.limiter.cancels, report=report, settled=self._settled, doubt=doubt
        )
        self._sender = Sender(
            self._orders, gateway, clock, gate,
            report=report, answered=self._answered, stale=self._view.is_stale, tally=self.tally,
            record_wire=record_wire,
        )  # fmt: skip
        self.first_write = self._sender.first_write

    # ── Intents ────────────────────────────────────────────────────────────────

    def submit(self, strategy: str, intents: Sequence[Intent], returned: int) -> None:
        """Carry out what one hook call returned at monotonic ``returned``. Never raises for what a strategy wants."""
        loose = Batch([], returned)
        baskets: dict[str, list[PlaceOrder]] = {}
        self.tally(strategy).intents += len(intents)
        for intent in intents:
            if isinstance(intent, SetQuotes):
                self._waiting[strategy, intent.asset] = _Waiting(intent, returned)
                self._requote((strategy, intent.asset), loose)
            elif isinstance(intent, PlaceOrder):
                if intent.basket:
                    baskets.setdefault(intent.basket, []).append(intent)
                else:
                    self._place(strategy, [intent], loose)
            elif isinstance(intent, CancelOrder):
                order = self._orders.get(intent.client_order)
                if order is not None and order.strategy == strategy:
                    self._cancel([order])
            else:
                self.cancel_all(strategy, intent.market)
        self._launch(loose)
        for legs in baskets.values():
            basket = Batch([], returned, whole=True)
            self._place(strategy, legs, basket)
            self._launch(basket)

    def cancel_all(self, strategy: str | None = None, market: MarketId | None = None) -> None:
        """Withdraw open orders and waiting quotes: of a strategy, of a market, or all."""
        for key in [key for key in self._waiting if strategy in (None, key[0]) and self._concerns(key, market)]:
            del self._waiting[key]
        self._cancel(self._orders.open(strategy, market))

    def halt(self, reason: str) -> None:
        """Engage the kill switch: no opening order leaves from now on, cancels do. There is no way back in this run."""
        self._gate.halted = self._gate.halted or reason
        log.warning("halted: %s; only cancels leave", self._gate.halted)

    def tally(self, strategy: str) -> Tally:
        """A strategy's counters."""
        found = self._tallies.get(strategy)
        if found is None:
            found = self._tallies[strategy] = Tally()
        return found

    # ── Life ───────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Send orders and cancels until cancelled. A fault of ours ends it with that exception.

        An order whose answer has not come when it is cancelled is UNKNOWN: :meth:`drain` first.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for batch in self._unstarted:
                    group.create_task(self._sender.send(batch))
                self._unstarted.clear()
                group.create_task(self.cancels.run())
        finally:
            self._group = None
            if self._retry is not None:
                self._retry.cancel()

    async def drain(self) -> None:
        """Cancel everything and wait until no order is open, however long it takes: the caller sets the deadline.

        Halt first, or strategies quote on.
        """
        self.cancel_all()
        # Looked at now and then, not awaited: orders also end by the user stream, which does not pass here.
        while next(self._orders.open(), None) is not None:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)

    def reconcile(self, listing: Sequence[OrderUpdate], started: int) -> None:
        """Adopt a complete listing of the account's open orders whose reading began at monotonic ``started``."""
        found = reconcile(self._orders, listing, started)
        for update in found.foreign:
            if update.order not in self._foreign:
                self._foreign.add(update.order)
                self.foreign_orders += 1
                log.warning("the account holds order %s, which this run did not send: left alone", update.order)
        for order in found.changed:
            self._report(order.update(order.state, order.reason))
            self.cancels.answered(order)
        self._cancel(found.revived)
        self.cancels.listed(update.order for update in listing)
        missing = self._orders.unlisted(update.order for update in listing)
        self._unlisted = [order for order in missing if order.sent_time < started]
        self._retry_waiting()

    @property
    def in_doubt(self) -> bool:
        """Whether open orders should be read again soon: an outcome is unknown, or one that was sent is not listed."""
        return any(not order.state.terminal for order in self._unlisted) or any(
            order.state is OrderState.UNKNOWN for order in self._orders.open()
        )

    # ── Quotes ─────────────────────────────────────────────────────────────────

    def _requote(self, key: _Key, batch: Batch) -> None:
        """Turn a token's waiting quotes into cancels and orders; what cannot be done now stays waiting."""
        strategy, asset = key
        quotes = self._waiting[key].quotes
        market = self._cache.markets.of_asset(asset)
        if market is None:
            del self._waiting[key]
            bids = [PlaceOrder(asset, Side.BUY, quote.price, quote.size, post_only=True) for quote in quotes.bids]
            asks = [PlaceOrder(asset, Side.SELL, quote.price, quote.size, post_only=True) for quote in quotes.asks]
            self._place(strategy, bids + asks, batch)
            return
        live = self._quotes[key] = [order for order in self._quotes.get(key, ()) if not order.state.terminal]
        actions = difference(quotes, market, live, self._sellable(strategy, asset, live), self._tolerance)
        self._cancel(actions.cancels)
        if actions.places and (wait := self.limiter.orders.wait(len(actions.places))):
            self._retry_in(wait)
            return
        held = False
        for place in actions.places:
            verdict = self._check(place, strategy, market)
            if verdict is None:
                leg = self._approve(strategy, place, market)
                live.append(leg.order)
                batch.legs.append(leg)
                self.limiter.orders.take(1)
            elif self._being_cancelled(market):
                # What is being cancelled still counts in the checks: decided when the cancel is answered.
                held = True
            else:
                self._refuse(strategy, place, verdict)
        if not held:
            del self._waiting[key]

    def _sellable(self, strategy: str, asset: AssetId, live: Sequence[Order]) -> Size:
        """Confirmed shares, less those promised or sold unbooked yet, what these quotes still offer not deducted."""
        promised = sum(
            order.pending - (order.remaining if order in live and not order.cancelling else 0)
            for order in self._orders.exposed(strategy)
            if order.side is Side.SELL and order.place.asset == asset
        )
        return self._cache.inventory(strategy).sellable(asset) - promised

    def _being_cancelled(self, market: Market) -> bool:
        return any(order.cancelling for order in self._orders.open(None, market.id))

    def _concerns(self, key: _Key, market: MarketId | None) -> bool:
        found = self._cache.markets.of_asset(key[1])
        return market is None or (found is not None and found.id == market)

    def _retry_in(self, wait: int) -> None:
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(wait / 1e9, self._budget_returned)

    def _budget_returned(self) -> None:
        self._retry = None
        self._retry_waiting()

    def _retry_waiting(self, market: MarketId | None = None) -> None:
        """Look again at quotes that wait, oldest first: budget came back, or an order of the market ended."""
        for key in [key for key in self._waiting if self._concerns(key, market)]:
            batch = Batch([], self._waiting[key].returned)
            self._requote(key, batch)
            self._launch(batch)

    # ── Orders ─────────────────────────────────────────────────────────────────

    def _place(self, strategy: str, places: Sequence[PlaceOrder], batch: Batch) -> None:
        """Approve orders into a batch. In a basket one refusal refuses all: legs approved before it are taken back."""
        wait = self.limiter.orders.wait(len(places))
        approved: list[Leg] = []
        for number, place in enumerate(places):
            market = self._cache.markets.of_asset(place.asset)
            verdict = _too_late(wait) if wait > LONGEST_WAIT else self._check(place, strategy, market)
            if market is not None and verdict is None:
                approved.append(self._approve(strategy, place, market))
            elif verdict is not None:
                self._refuse(strategy, place, verdict)
                if batch.whole:
                    self._break_basket(strategy, approved, places[number + 1 :], verdict)
                    return
        if approved:
            batch.wait = max(batch.wait, self.limiter.orders.take(len(approved)))
            batch.legs += approved

    def _check(self, place: PlaceOrder, strategy: str, market: Market | None) -> Rejection | None:
        verdict = self._check_hook(order=place, strategy=strategy, cache=self._view)
        if verdict is None and market is None:
            return Rejection("market", f"token {place.asset} is of no known market; expected one that was selected")
        return verdict

    def _break_basket(
        self, strategy: str, approved: Sequence[Leg], unasked: Iterable[PlaceOrder], cause: Rejection
    ) -> None:
        broken = Rejection("basket", f"another leg was refused by {cause.check}: {cause.reason}")
        reason = f"{broken.check}: {broken.reason}"
        for leg in approved:
            self._orders.move(leg.order, OrderState.REJECTED, reason=reason)
            self.tally(strategy).rejected[broken.check] += 1
            self._report(leg.order.update(leg.order.state, reason))
        for place in unasked:
            self._refuse(strategy, place, broken)

    def _approve(self, strategy: str, place: PlaceOrder, market: Market) -> Leg:
        approved = Approved(self._name(strategy), strategy, market.id, place)
        order = self._orders.track(approved)
        self._on_intent(intent=place, strategy=strategy, verdict=approved)
        return Leg(approved, order)

    def _refuse(self, strategy: str, place: PlaceOrder, verdict: Rejection) -> None:
        rejected = self.tally(strategy).rejected
        rejected[verdict.check] += 1
        level = logging.INFO if rejected[verdict.check] == 1 else logging.DEBUG
        log.log(level, "%s: order refused by %s: %s", strategy, verdict.check, verdict.reason)
        self._on_intent(intent=place, strategy=strategy, verdict=verdict)
        market = self._cache.markets.of_asset(place.asset)
        self._report(
            OrderUpdate(
                order=OrderId(""),
                market=MarketId("") if market is None else market.id,
                asset=place.asset,
                side=place.side,
                price=place.price,
                size=place.size,
                matched=0,
                state=OrderState.REJECTED,
                reason=f"{verdict.check}: {verdict.reason}",
                client_order=self._name(strategy),
                strategy=strategy,
                tag=place.tag,
            )
        )

    def _name(self, strategy: str) -> ClientOrderId:
        number = self._numbers[strategy] = self._numbers.get(strategy, 0) + 1
        return ClientOrderId(f"{strategy}-{number}")

    def _launch(self, batch: Batch) -> None:
        for start in range(0, len(batch.legs), BATCH):
            part = Batch(batch.legs[start : start + BATCH], batch.returned, batch.whole, batch.wait)
            if self._group is None:
                self._unstarted.append(part)
            else:
                self._group.create_task(self._sender.send(part))

    # ── What became of them ────────────────────────────────────────────────────

    def _cancel(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if not (order.state.terminal or order.cancelling):
                self.tally(order.strategy).cancels += 1
                self.cancels.ask([order])

    def _answered(self, order: Order) -> None:
        """An order's POST was answered."""
        if order.state is OrderState.UNKNOWN:
            self._doubt()
        self.cancels.answered(order)
        self._settled(order)

    def _settled(self, order: Order) -> None:
        """An order may be out of the way: quotes of its market that wait are looked at again."""
        if self._waiting:
            self._retry_waiting(order.market)


def _too_late(wait: int) -> Rejection:
    return Rejection("rate", f"budget is free in {wait / 1e9:.2f} s; expected within {LONGEST_WAIT / 1e9:g} s")
