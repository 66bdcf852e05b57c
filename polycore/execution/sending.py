"""From an approved order to the venue's answer.

Owns the last steps: sign, name, mark as sent, post, adopt the answer. Nothing opens after a halt; nothing is sent
twice; an order whose answer is missing is UNKNOWN and stays so until something proves otherwise.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import ContextVar

from msgspec import Struct

from polycore.cache.orders import Order, Orders
from polycore.clock import Clock
from polycore.errors import LinkError, OutcomeUnknown, ProtocolViolation, UsageError, VenueRefusal
from polycore.execution.checks import Gate
from polycore.execution.tally import Tally
from polycore.model.events import OrderState, OrderUpdate
from polycore.model.ids import AssetId
from polycore.model.intents import Approved
from polycore.venue import OrderGateway, Posted, SignedOrder

log = logging.getLogger("polycore.execution")

BATCH = 15
"""Orders in one request (venue reference 4.6)."""


class Leg(Struct):
    """An approved order and its record."""

    approved: Approved
    order: Order


class Batch(Struct):
    """Legs for one request, all of one hook call. ``whole``: a basket, which goes whole or not at all.

    ``returned`` is when the hook returned, ``wait`` what the rate budget asks for first, both in nanoseconds.
    """

    legs: list[Leg]
    returned: int
    whole: bool = False
    wait: int = 0


class _Posting(Struct):
    """One POST in its task: whose bytes the transport is writing."""

    returned: int
    written: bool = False


_posting: ContextVar[_Posting | None] = ContextVar("polycore_posting", default=None)


class Sender:
    """Sends batches. ``answered(order)`` is called once for each leg that was posted, when its answer is adopted.

    ``stale(asset)`` says whether a token's book is no longer proven: asked again when a leg leaves, because waiting and
    signing take time.
    """

    def __init__(
        self,
        orders: Orders,
        gateway: OrderGateway,
        clock: Clock,
        gate: Gate,
        *,
        report: Callable[[OrderUpdate], None],
        answered: Callable[[Order], None],
        stale: Callable[[AssetId], bool],
        tally: Callable[[str], Tally],
        record_wire: Callable[[int], None],
    ) -> None:
        self._orders = orders
        self._gateway = gateway
        self._clock = clock
        self._gate = gate
        self._report = report
        self._answered = answered
        self._stale = stale
        self._tally = tally
        self._record_wire = record_wire

    def first_write(self, url: str, now: int) -> None:
        """Note that a POST began to be written at monotonic ``now``: the transport calls it in the task that posts."""
        posting = _posting.get()
        if posting is not None and not posting.written:
            posting.written = True
            self._record_wire(now - posting.returned)

    async def send(self, batch: Batch) -> None:
        """Carry one batch to the venue and adopt its answers."""
        if batch.wait:
            await asyncio.sleep(batch.wait / 1e9)
        signed = await self._sign(self._open(batch), batch.whole)
        # Signing took time: whoever was withdrawn or halted meanwhile does not leave.
        still = {leg.order.client_order for leg in self._open(batch)}
        leaving = [(leg, named) for leg, named in signed if leg.order.client_order in still]
        if leaving:
            await self._post(leaving, batch.returned)

    def _open(self, batch: Batch) -> list[Leg]:
        """Legs that are still wanted and allowed to leave: of a basket all or none."""
        waiting = [leg for leg in batch.legs if leg.order.state is OrderState.INTENT]
        if self._gate.halted:
            self._reject(waiting, f"not sent: halted: {self._gate.halted}")
        elif not self._gate.user_up:
            self._reject(waiting, "not sent: user stream down")
        else:
            doubted = [leg for leg in waiting if self._stale(leg.order.place.asset)]
            self._reject(doubted, "not sent: its book is not proven fresh any more")
            wanted = [leg for leg in waiting if leg.order.state is OrderState.INTENT]
            if not batch.whole or len(wanted) == len(batch.legs):
                return wanted
            self._reject(wanted, "not sent: another leg of the basket was withdrawn")
        return []

    async def _sign(self, legs: Sequence[Leg], whole: bool) -> list[tuple[Leg, SignedOrder]]:
        """Sign all, or each alone when one of them could never be taken."""
        if not legs:
            return []
        try:
            signed = await self._gateway.sign([leg.approved for leg in legs])
        except UsageError as error:
            if whole or len(legs) == 1:
                self._reject(legs, f"not sent: {error}")
                return []
            return [pair for leg in legs for pair in await self._sign([leg], True)]
        return list(zip(legs, signed, strict=True))

    async def _post(self, leaving: Sequence[tuple[Leg, SignedOrder]], returned: int) -> None:
        now = self._clock.monotonic()
        for leg, signed in leaving:
            self._orders.name(leg.order, signed.order)
            self._orders.move(leg.order, OrderState.SENT)
            leg.order.sent_time = now
            self._tally(leg.order.strategy).orders += 1
        token = _posting.set(_Posting(returned))
        answers: Sequence[Posted] = ()
        reason = "the answer is missing: the request was cancelled"
        try:
            answers = await self._gateway.post([signed for _, signed in leaving])
            reason = "the answer names no outcome for this order"
        except VenueRefusal as error:
            answers = [Posted(signed.order, OrderState.REJECTED, reason=str(error)) for _, signed in leaving]
        except LinkError as error:
            answers = [Posted(signed.order, OrderState.REJECTED, reason=f"not sent: {error}") for _, signed in leaving]
        except (OutcomeUnknown, ProtocolViolation) as error:
            reason = str(error)
        finally:
            # Also when this task is cancelled: what was sent may be live.
            _posting.reset(token)
            self._adopt(leaving, answers, reason)

    def _adopt(self, leaving: Sequence[tuple[Leg, SignedOrder]], answers: Sequence[Posted], missing: str) -> None:
        complete = len(answers) == len(leaving)
        for place, (leg, signed) in enumerate(leaving):
            order = leg.order
            answer = answers[place] if complete else None
            if answer is None or answer.order not in ("", signed.order):
                answer = Posted(signed.order, OrderState.UNKNOWN, reason=missing)
            if self._orders.move(order, answer.state, matched=answer.matched, reason=answer.reason):
                self._count(order, answer)
                self._report(order.update(order.state, order.reason))
            self._answered(order)

    def _count(self, order: Order, answer: Posted) -> None:
        if order.state is OrderState.REJECTED:
            self._tally(order.strategy).refuse(answer.reason)
            log.info("%s refused by the venue: %s", order.client_order, answer.reason)
        elif order.state is OrderState.UNKNOWN:
            self._tally(order.strategy).unknown += 1
            log.warning("%s: outcome unknown: %s; looked up, never sent again", order.client_order, answer.reason)

    def _reject(self, legs: Sequence[Leg], reason: str) -> None:
        for leg in legs:
            self._orders.move(leg.order, OrderState.REJECTED, reason=reason)
            self._report(leg.order.update(leg.order.state, reason))
            self._tally(leg.order.strategy).rejected["not_sent"] += 1
