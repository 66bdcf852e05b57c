"""The way out that is always open: cancels.

Owns which cancels are wanted and gets them through: a queue, a budget and a request path of their own, many ids in one
request, repeated until the venue answers. Takes no check, no book, no halt into account. Must not open anything.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import count

from polycore.cache.orders import Order, Orders
from polycore.errors import LinkError, OutcomeUnknown, ProtocolViolation, VenueRefusal
from polycore.execution.limiter import Bucket
from polycore.model.events import OrderState, OrderUpdate
from polycore.model.ids import OrderId
from polycore.venue import Cancelled, OrderGateway

log = logging.getLogger("polycore.execution")

BATCH = 100
"""Ids in one request. The venue takes more, but its bucket for cancels holds 120."""
WITHDRAWN = "withdrawn before it was sent"

_RETRY_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0)


class Cancels:
    """Cancels on their way. An order that is wanted gone has ``cancelling`` set until it is known to be gone.

    ``settled(order)`` is called when it is gone. A refused cancel (``already canceled or matched``, ``not found``)
    proves nothing: the order stays open, ``doubt()`` asks for a reading of the open orders, and one that is still
    listed there is cancelled again.
    """

    def __init__(
        self,
        orders: Orders,
        gateway: OrderGateway,
        bucket: Bucket,
        *,
        report: Callable[[OrderUpdate], None],
        settled: Callable[[Order], None],
        doubt: Callable[[], None],
    ) -> None:
        self.requests = 0
        self.refused = 0
        self._orders = orders
        self._gateway = gateway
        self._bucket = bucket
        self._report = report
        self._settled = settled
        self._doubt = doubt
        self._queue: dict[OrderId, Order] = {}
        self._refused: dict[OrderId, Order] = {}
        self._wanted = asyncio.Event()

    def ask(self, orders: Iterable[Order]) -> None:
        """Want these orders gone. One that was not sent yet is withdrawn at once; one whose POST is on its way waits
        for its answer, because a cancel that overtakes it would be refused.
        """
        for order in orders:
            if order.state.terminal or order.cancelling:
                continue
            if order.state is OrderState.INTENT:
                self._orders.move(order, OrderState.CANCELLED, reason=WITHDRAWN)
                self._report(order.update(order.state, WITHDRAWN))
                continue
            order.cancelling = True
            if order.state is not OrderState.SENT:
                self.enqueue(order)

    def answered(self, order: Order) -> None:
        """A POST was answered: send the cancel that waited for it."""
        if order.cancelling and not order.state.terminal:
            self.enqueue(order)

    def listed(self, order_ids: Iterable[OrderId]) -> None:
        """These orders are open at the venue: cancel again those whose cancel was refused."""
        for order_id in order_ids:
            if (order := self._refused.pop(order_id, None)) is not None:
                self.answered(order)
        self._refused = {order_id: order for order_id, order in self._refused.items() if not order.state.terminal}

    def enqueue(self, order: Order) -> None:
        """Send a cancel as soon as the budget allows."""
        if order.id is not None:
            self._queue[order.id] = order
            self._wanted.set()

    async def run(self) -> None:
        """Send cancels until cancelled. Requests do not wait for one another: one that hangs holds up only itself."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                while batch := self._next():
                    group.create_task(self._deliver(batch))

    def _next(self) -> dict[OrderId, Order]:
        batch = dict(list(self._queue.items())[:BATCH])
        for order_id in batch:
            del self._queue[order_id]
        return batch

    async def _deliver(self, batch: dict[OrderId, Order]) -> None:
        """Repeat one request until the venue has answered it, which is harmless."""
        for attempt in count():
            ended = [order for order in batch.values() if order.state.terminal]
            batch = {order_id: order for order_id, order in batch.items() if not order.state.terminal}
            for order in ended:
                self._settled(order)
            if not batch:
                return
            if wait := self._bucket.take(len(batch)):
                await asyncio.sleep(wait / 1e9)
            self.requests += 1
            try:
                answer = await self._gateway.cancel(list(batch))
            except (VenueRefusal, OutcomeUnknown, LinkError, ProtocolViolation) as error:
                log.warning("cancel of %d orders failed, repeated: %s", len(batch), error)
                await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
                continue
            self._adopt(batch, answer)
            return

    def _adopt(self, batch: dict[OrderId, Order], answer: Cancelled) -> None:
        gone = set(answer.cancelled)
        for order_id, order in batch.items():
            if order_id in gone and self._orders.move(order, OrderState.CANCELLED, reason="cancelled"):
                self._report(order.update(order.state, order.reason))
            if order.state.terminal:
                self._settled(order)
                continue
            self.refused += 1
            self._refused[order_id] = order
            reason = answer.refused.get(order_id, "not mentioned in the answer")
            log.warning("cancel of %s refused: %s; reading the open orders", order.client_order, reason)
            self._doubt()
