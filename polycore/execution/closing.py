"""The end of a run: what it takes to say that nothing of ours rests at the venue.

Owns the last cancels and their proof. Sends no order; how long it may take is the caller's to say.
"""

import asyncio
import logging

from polycore.cache.orders import Order, Orders
from polycore.clock import Clock
from polycore.errors import LinkError, OutcomeUnknown, ProtocolViolation, VenueRefusal
from polycore.execution.executor import Executor
from polycore.model.events import OrderState
from polycore.venue import OrderGateway

log = logging.getLogger("polycore.execution")

_DRAIN_SECONDS = 2.0
_RETRY_SECONDS = 0.1
_LATE_SECONDS = 10.0
"""How long after it was sent an order without an answer may still come to rest: twice the longest request."""


async def until_nothing_rests(executor: Executor, orders: Orders, gateway: OrderGateway, clock: Clock) -> None:
    """Cancel until a complete reading shows no open order and none of ours is still on its way there.

    Halt first. A cancel that overtakes a POST finds nothing, so an order without an answer keeps this going.
    """
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            await executor.drain()
    except TimeoutError:
        for order in orders.open():
            log.warning("%s is still %s (%s)", order.client_order, order.state.value, order.reason or order.id)
    while True:
        try:
            began = clock.monotonic()
            on_the_way = any(_may_land(order, began) for order in orders.open())
            listing = await gateway.open_orders()
            if not (listing or on_the_way):
                return
            executor.reconcile(listing, began)
            await gateway.cancel_all()
        except (LinkError, OutcomeUnknown, VenueRefusal, ProtocolViolation) as error:
            log.warning("cancelling at the end: %s", error)
        await asyncio.sleep(_RETRY_SECONDS)


def _may_land(order: Order, now: int) -> bool:
    if not order.place.time_in_force.rests:
        return False
    late = now - order.sent_time >= _LATE_SECONDS * 1_000_000_000
    return order.state is OrderState.SENT or (order.state is OrderState.UNKNOWN and not late)
