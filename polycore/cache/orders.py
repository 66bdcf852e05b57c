"""Our orders, from before they are sent until they are terminal; every lifecycle transition in one table.

Owns order records and who owns each. Must not send anything or decide what to send.
"""

from collections.abc import Iterable, Iterator

from polycore.errors import UsageError
from polycore.model.events import OrderState, OrderUpdate
from polycore.model.ids import ClientOrderId, MarketId, OrderId
from polycore.model.intents import Approved, PlaceOrder
from polycore.model.market import Side
from polycore.model.money import Price, Size

DUST: Size = 10_000
"""What the sizes of fills may drift from the ordered size: 0.01 share (venue reference 2.4)."""

_S = OrderState

TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    _S.INTENT: frozenset({_S.SENT, _S.CANCELLED, _S.REJECTED}),
    _S.SENT: frozenset({_S.UNKNOWN, _S.LIVE, _S.DELAYED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    _S.UNKNOWN: frozenset({_S.LIVE, _S.DELAYED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    _S.DELAYED: frozenset({_S.LIVE, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    _S.LIVE: frozenset({_S.FILLED, _S.CANCELLED, _S.EXPIRED}),
    _S.FILLED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.REJECTED: frozenset(),
}
"""State to the states it may move to. Terminal states absorb: a late report changes ``matched`` at most.

The one way back is :meth:`Orders.revive`.
"""


class Order:
    """One of our orders. ``cancelling`` is a flag, not a state.

    ``matched`` is what the venue says was filled, ``booked`` what fills have told so far, those that failed to settle
    included. Both are cumulative and only grow; ``booked`` follows, because an answer or an event may beat the fill.
    """

    __slots__ = (
        "client_order", "strategy", "market", "place", "id", "state", "matched", "booked", "reason", "cancelling",
        "sent_time",
    )  # fmt: skip

    def __init__(self, approved: Approved) -> None:
        self.client_order = approved.client_order
        self.strategy = approved.strategy
        self.market = approved.market
        self.place: PlaceOrder = approved.order
        self.id: OrderId | None = None
        self.state = OrderState.INTENT
        self.matched: Size = 0
        self.booked: Size = 0
        self.reason = ""
        self.cancelling = False
        self.sent_time = 0

    @property
    def side(self) -> Side:
        return self.place.side

    @property
    def price(self) -> Price:
        return self.place.price

    @property
    def remaining(self) -> Size:
        """Shares not matched yet."""
        return max(self.place.size - self.matched, 0)

    @property
    def pending(self) -> Size:
        """Shares that may still change a position: not matched yet, or matched without a fill so far.

        Once the order has ended, less than ``DUST`` is the rounding of fills.
        """
        if not self.state.terminal:
            return max(self.place.size, self.matched) - self.booked
        missing = self.matched - self.booked
        return missing if missing > DUST else 0

    def update(self, state: OrderState, reason: str = "") -> OrderUpdate:
        """An event that says where the order stands."""
        return OrderUpdate(
            order=self.id or OrderId(""),
            market=self.market,
            asset=self.place.asset,
            side=self.place.side,
            price=self.place.price,
            size=self.place.size,
            matched=self.matched,
            state=state,
            reason=reason,
            client_order=self.client_order,
            strategy=self.strategy,
            tag=self.place.tag,
        )


class Orders:
    """Every order of this run, by our name and by the venue's. Written on the loop only."""

    def __init__(self) -> None:
        self._by_client: dict[ClientOrderId, Order] = {}
        self._by_id: dict[OrderId, Order] = {}
        self._open: dict[ClientOrderId, Order] = {}
        self._unbooked: dict[ClientOrderId, Order] = {}

    def track(self, approved: Approved) -> Order:
        """Begin to track an order, before anything is sent."""
        if approved.client_order in self._by_client:
            raise UsageError(f"order {approved.client_order} is tracked already: each order needs a name of its own")
        order = Order(approved)
        self._by_client[order.client_order] = order
        self._open[order.client_order] = order
        return order

    def name(self, order: Order, order_id: OrderId) -> None:
        """Learn the venue's id of an order, before it is sent."""
        order.id = order_id
        self._by_id[order_id] = order

    def find(self, order_id: OrderId) -> Order | None:
        return self._by_id.get(order_id)

    def get(self, client_order: ClientOrderId) -> Order | None:
        return self._by_client.get(client_order)

    def move(self, order: Order, state: OrderState, *, matched: Size = 0, reason: str = "") -> bool:
        """Record what was learned; returns whether anything changed.

        ``matched`` is cumulative and never goes down. A transition the table does not allow is ignored: events of one
        match arrive in any order, and a terminal state absorbs late news.
        """
        changed = matched > order.matched
        order.matched = max(order.matched, matched)
        if state is not order.state and state in TRANSITIONS[order.state]:
            order.state, order.reason, changed = state, reason, True
            if state.terminal:
                self._open.pop(order.client_order, None)
        self._await_fills(order)
        return changed

    def revive(self, order: Order) -> None:
        """Track an order as open again: it was taken as gone, and the venue lists it."""
        order.state, order.reason, order.cancelling = OrderState.LIVE, "", False
        self._open[order.client_order] = order
        self._await_fills(order)

    def book(self, order: Order, size: Size) -> None:
        """Record that ``size`` of what matched has been told by a fill, whatever became of it."""
        order.booked += size
        self._await_fills(order)

    def open(self, strategy: str | None = None, market: MarketId | None = None) -> Iterator[Order]:
        """Orders that are not terminal, oldest first: all, a strategy's, a market's."""
        for order in list(self._open.values()):
            if strategy in (None, order.strategy) and market in (None, order.market):
                yield order

    def exposed(self, strategy: str | None = None, market: MarketId | None = None) -> Iterator[Order]:
        """Orders that may still change a position: the open ones, then those that ended with fills to come."""
        yield from self.open(strategy, market)
        for order in list(self._unbooked.values()):
            if strategy in (None, order.strategy) and market in (None, order.market):
                yield order

    def unlisted(self, listed: Iterable[OrderId]) -> list[Order]:
        """Open orders with an id that a complete listing does not name; the caller decides what that proves."""
        names = set(listed)
        return [order for order in self._open.values() if order.id is not None and order.id not in names]

    def _await_fills(self, order: Order) -> None:
        if order.state.terminal and order.pending:
            self._unbooked[order.client_order] = order
        else:
            self._unbooked.pop(order.client_order, None)
