"""The venue's open orders against ours.

Owns what a complete listing proves. A failed or partial read proves nothing and never gets here: ``open_orders``
raises. Must not send anything.
"""

import logging
from collections.abc import Sequence

from msgspec import Struct

from polycore.cache.orders import Order, Orders
from polycore.model.events import OrderState, OrderUpdate

log = logging.getLogger("polycore.execution")

SETTLE_SECONDS = 5.0
"""A listing may lag behind an order this young (reliability F-65)."""
LOST_SECONDS = 60.0
"""How old an order of unknown outcome must be before its absence counts (reliability section 7)."""

NOT_LISTED = "not listed"

_SECOND = 1_000_000_000
_ADOPTS = frozenset({OrderState.SENT, OrderState.UNKNOWN, OrderState.DELAYED})
_LOST = frozenset({OrderState.SENT, OrderState.UNKNOWN})


class Found(Struct):
    """What a listing changed: orders of ours, those of them to withdraw, and what this run did not send."""

    changed: list[Order] = []
    revived: list[Order] = []
    foreign: list[OrderUpdate] = []


def reconcile(orders: Orders, listing: Sequence[OrderUpdate], started: int) -> Found:
    """Adopt a complete listing whose reading began at monotonic ``started``.

    An open order that is not listed is CANCELLED with the reason ``not listed`` once it was sent long enough before: a
    fill that ended it may still be reported and is booked all the same. One that is listed, though it was taken as gone
    in this way or as refused, is LIVE again, and to be withdrawn: its owner has done with it.
    """
    found = Found()
    for update in listing:
        order = orders.find(update.order)
        if order is None:
            found.foreign.append(update)
            continue
        if order.state is OrderState.REJECTED or (order.state.terminal and order.reason == NOT_LISTED):
            log.error("order %s was taken as gone and is listed: it is withdrawn", order.client_order)
            orders.revive(order)
            found.revived.append(order)
        state = update.state if order.state in _ADOPTS else order.state
        if orders.move(order, state, matched=update.matched) or order in found.revived:
            found.changed.append(order)
    for order in orders.unlisted(update.order for update in listing):
        patience = LOST_SECONDS if order.state in _LOST else SETTLE_SECONDS
        if order.sent_time + round(patience * _SECOND) < started and orders.move(
            order, OrderState.CANCELLED, reason=NOT_LISTED
        ):
            log.warning("order %s was open and is not listed: taken as gone", order.client_order)
            found.changed.append(order)
    return found
