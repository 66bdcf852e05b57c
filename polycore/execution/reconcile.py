"""The venue's open orders against ours.

Owns what a complete listing proves. A failed or partial read proves nothing and never gets here: ``open_orders``
raises. Must not send anything.
"""

import logging
from collections.abc import Sequence

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


def reconcile(orders: Orders, listing: Sequence[OrderUpdate], started: int) -> tuple[list[Order], list[OrderUpdate]]:
    """Adopt a complete listing whose reading began at monotonic ``started``.

    Returns our orders that changed, and what the account holds open that this run did not send. An open order that is
    not listed is CANCELLED with the reason ``not listed`` once it was sent long enough before: a fill that ended it may
    still be reported and is booked all the same.
    """
    changed: list[Order] = []
    foreign: list[OrderUpdate] = []
    for update in listing:
        order = orders.find(update.order)
        if order is None:
            foreign.append(update)
            continue
        state = update.state if order.state in _ADOPTS else order.state
        if orders.move(order, state, matched=update.matched):
            changed.append(order)
    for order in orders.unlisted(update.order for update in listing):
        patience = LOST_SECONDS if order.state in _LOST else SETTLE_SECONDS
        if order.sent_time + round(patience * _SECOND) < started and orders.move(
            order, OrderState.CANCELLED, reason=NOT_LISTED
        ):
            log.warning("order %s was open and is not listed: taken as gone", order.client_order)
            changed.append(order)
    return changed, foreign
