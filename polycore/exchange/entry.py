"""Orders in and out: reads a request, admits it, matches it, rests it, withdraws it.

Owns the course of one order; the rules are in ``admission``, the walk through the book in ``matching``, the money in
``trading``.
"""

from collections.abc import Iterable, Sequence

from polycore.exchange import admission
from polycore.exchange.accounts import Accounts
from polycore.exchange.book import CRUMB, Resting
from polycore.exchange.desk import Desk
from polycore.exchange.matching import Slice, limit_price, plan
from polycore.exchange.timers import Timers
from polycore.exchange.trading import Trading
from polycore.exchange.values import (
    Address,
    ExchangeSettings,
    OrderEvent,
    OrderRequest,
    Placed,
    PlaceResult,
    PlaceStatus,
    Refusal,
)
from polycore.model.ids import TradeId
from polycore.model.intents import TimeInForce
from polycore.model.market import MarketStatus, Side

_SECOND = 1_000_000_000


class Entry:
    """The way in and the way out of every book."""

    def __init__(self, accounts: Accounts, trading: Trading, timers: Timers, settings: ExchangeSettings) -> None:
        self._accounts = accounts
        self._trading = trading
        self._timers = timers
        self._settings = settings

    def read(self, desk: Desk, request: OrderRequest, now: int) -> Resting | None:
        """The order that a request stands for; ``None`` when its amounts are no price of the grid."""
        if request.maker_amount <= 0 or request.taker_amount <= 0:
            return None
        price = limit_price(request.side, request.maker_amount, request.taker_amount, desk.market.tick)
        if price is None:
            return None
        return Resting(
            request.id, request.account, desk.market.id, request.asset, request.side, price, request.maker_amount,
            request.taker_amount, first=desk.is_first(request.asset), created=now, kind=request.kind,
            post_only=request.post_only, expires=request.expires,
        )  # fmt: skip

    def place(self, desk: Desk, request: OrderRequest, now: int) -> PlaceResult:
        """Check, match and rest one order."""
        self._accounts[request.account]
        if request.id in self._trading.orders:
            return admission.duplicated(request)
        if refusal := admission.check_form(request, desk.market, self._settings, now):
            return refusal
        order = self.read(desk, request, now)
        if order is None:
            return admission.breaks_tick(request, desk.market)
        marketable = desk.book.crosses(order.bid, order.level)
        if refusal := admission.check_size(order, desk.market, marketable):
            return refusal
        if order.post_only and marketable:
            return admission.CROSSES
        if not self._affordable(desk, order):
            return admission.NO_FUNDS
        self._trading.record(order)
        if order.kind is TimeInForce.GTD:
            due = order.expires * _SECOND - self._settings.gtd_early
            self._timers.at(due, lambda later: self._expire(desk, order, later))
        if marketable and desk.listing.hold:
            return self._hold(desk, order, now)
        return self._enter(desk, order, now)

    def withdraw(self, desk: Desk, order: Resting, status: str, now: int) -> None:
        """Take a live or held order out under its last status."""
        desk.book.remove(order)
        self._trading.close(order, status)
        self._trading.tell_order(order, OrderEvent.CANCELLATION, now)

    def publish(self, desk: Desk, now: int, *, traded: bool = False) -> None:
        self._trading.outbox += desk.publish(now, books=traded)

    def uncovered(self, account: Address) -> Iterable[Resting]:
        """The newest open orders whose withdrawal brings the reservations back under the balances."""
        holding = self._accounts[account]
        money = holding.money - self._trading.reserved_money(account)
        shares = {
            asset: size - self._trading.reserved_shares(account, asset) for asset, size in list(holding.shares.items())
        }
        for order in reversed(self._trading.open_of(account)):
            if order.side is Side.BUY and money < 0:
                money += order.cover
                yield order
            elif order.side is Side.SELL and shares.get(order.asset, 0) < 0:
                shares[order.asset] += order.cover
                yield order

    # ── The course of an order ────────────────────────────────────────────────

    def _plan(self, desk: Desk, order: Resting) -> Sequence[Slice]:
        return plan(order, desk.book.opposite(order.bid, order.level), order.remaining)

    def _affordable(self, desk: Desk, order: Resting) -> bool:
        """Whether the account can give what the order offers, the fee of a BUY on top (venue notes 8.1)."""
        holding = self._accounts[order.account]
        if order.side is Side.SELL:
            free = holding.shares.get(order.asset, 0) - self._trading.reserved_shares(order.account, order.asset)
            return order.cover <= free
        fee = self._trading.fee(desk, order, self._plan(desk, order))
        return order.cover + fee <= holding.money - self._trading.reserved_money(order.account)

    def _enter(self, desk: Desk, order: Resting, now: int, event: OrderEvent = OrderEvent.PLACEMENT) -> PlaceResult:
        """Match at once, then rest, or drop what an immediate order leaves."""
        slices = self._plan(desk, order)
        missing = order.remaining - sum(part.size for part in slices)
        if order.kind is TimeInForce.FOK and missing >= CRUMB:
            return self._kill(desk, order, admission.FOK_KILLED, now)
        if order.kind is TimeInForce.FAK and not slices:
            return self._kill(desk, order, admission.FAK_EMPTY, now)
        trade = self._trading.execute(desk, order, slices, now) if slices else None
        left = trade is None or not order.spent
        if left and order.kind.rests:
            order.status = "LIVE"
            desk.book.add(order)
        elif not left:
            self._trading.close(order, "MATCHED")
        self._trading.tell_order(order, event, now)
        if left and not order.kind.rests:
            self.withdraw(desk, order, "CANCELED", now)
        self.publish(desk, now, traded=trade is not None)
        if trade is None:
            return Placed(order.id, PlaceStatus.LIVE)
        making, taking = trade.money, trade.size
        if order.side is Side.SELL:
            making, taking = taking, making
        return Placed(order.id, PlaceStatus.MATCHED, making, taking, (TradeId(trade.id),))

    def _kill(self, desk: Desk, order: Resting, refusal: Refusal, now: int) -> Refusal:
        self.withdraw(desk, order, f"CANCELED_{refusal.text}", now)
        return refusal

    def _hold(self, desk: Desk, order: Resting, now: int) -> Placed:
        """Delay a marketable order: it cannot be cancelled meanwhile, and is checked again afterwards."""
        order.status = "DELAYED"
        self._timers.at(now + desk.listing.hold, lambda later: self._release(desk, order, later))
        self._trading.tell_order(order, OrderEvent.PLACEMENT, now)
        return Placed(order.id, PlaceStatus.DELAYED)

    def _release(self, desk: Desk, order: Resting, now: int) -> None:
        if order.status != "DELAYED":
            return
        if desk.market.status is not MarketStatus.OPEN:
            self.withdraw(desk, order, "INVALID", now)
            return
        self._enter(desk, order, now, OrderEvent.UPDATE)

    def _expire(self, desk: Desk, order: Resting, now: int) -> None:
        if order.status in ("LIVE", "DELAYED"):
            self.withdraw(desk, order, "CANCELED_EXPIRED_ORDER", now)
            self.publish(desk, now)
