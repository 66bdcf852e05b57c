"""The venue's answers to order requests, as outcomes. Pure; the table is reliability section 7 and venue notes 4.6.

An order is ACCEPTED only by ``success``, no ``errorMsg``, our own id and a known status; REJECTED only by words that
prove it; all else is UNKNOWN: it may be live and must be looked up by its id.
"""

from collections.abc import Sequence

import msgspec

from polycore import OrderState, Posted, Response, Side, SignedOrder, Size, parse_size
from polycore.venues.polymarket.amounts import Amounts
from polycore.venues.polymarket.errors import RefusalKind, error_text, refusal_kind
from polycore.venues.polymarket.fills import DUST
from polycore.venues.polymarket.wire import OrderAnswer, Text


class Sent(msgspec.Struct, frozen=True):
    """A signed order and the amounts it was signed with."""

    signed: SignedOrder
    amounts: Amounts


def one_answer(sent: Sent, response: Response) -> Posted:
    """Outcome of ``POST /order``."""
    if response.status != 200:
        return _refused_request([sent], response)[0]
    try:
        answer = msgspec.json.decode(response.body, type=OrderAnswer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return unknown(sent, "the answer cannot be read")
    return outcome(sent, answer)


def batch_answers(sent: Sequence[Sent], response: Response) -> list[Posted]:
    """Outcomes of ``POST /orders``, an answer for each order in the order of the request."""
    if response.status != 200:
        return _refused_request(sent, response)
    try:
        entries = msgspec.json.decode(response.body, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return [unknown(order, "the answer cannot be read") for order in sent]
    if len(entries) != len(sent):
        return [unknown(order, f"{len(entries)} answers for {len(sent)} orders") for order in sent]
    return [_entry(order, entry) for order, entry in zip(sent, entries, strict=True)]


def outcome(sent: Sent, answer: OrderAnswer) -> Posted:
    """Outcome of one order by its own answer."""
    words, order, status = str(answer.errorMsg or ""), str(answer.orderID or ""), str(answer.status or "").lower()
    if words:
        if answer.success and order:
            return unknown(sent, f"accepted and refused at once: {words}")
        return refused(sent, 200, words)
    if not answer.success or not order:
        return unknown(sent, "neither an order id nor a reason")
    if order.lower() != sent.signed.order.lower():
        return unknown(sent, f"the answer is for order {order}")
    return _accepted(sent, answer, status)


def refused(sent: Sent, status: int, words: str) -> Posted:
    """Outcome of an order that the venue refused in words."""
    kind = refusal_kind(status, words)
    if kind is RefusalKind.NOT_FILLED:
        return Posted(sent.signed.order, OrderState.CANCELLED, reason=words)
    return Posted(sent.signed.order, OrderState.REJECTED if kind.proven else OrderState.UNKNOWN, reason=words)


def unknown(sent: Sent, why: str) -> Posted:
    return Posted(sent.signed.order, OrderState.UNKNOWN, reason=why)


def _entry(sent: Sent, entry: msgspec.Raw) -> Posted:
    try:
        return outcome(sent, msgspec.json.decode(entry, type=OrderAnswer))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return unknown(sent, "the answer cannot be read")


def _refused_request(sent: Sequence[Sent], response: Response) -> list[Posted]:
    """A request that failed as a whole. A page that is not the API's proves nothing, nor does a restart (425)."""
    words = error_text(response)
    if words is None or response.status == 425:
        page = words or "no readable reason"
        return [unknown(order, f"the venue answered {response.status}: {page}") for order in sent]
    return [refused(order, response.status, words) for order in sent]


def _accepted(sent: Sent, answer: OrderAnswer, status: str) -> Posted:
    order, place = sent.signed.order, sent.signed.approved.order
    try:
        matched = _shares(answer.takingAmount if place.side is Side.BUY else answer.makingAmount)
    except ValueError as error:
        return unknown(sent, f"the matched amount cannot be read: {error}")
    if status == "delayed":
        return Posted(order, OrderState.DELAYED, matched)
    if status == "matched" and not matched and not place.time_in_force.rests:
        return unknown(sent, "matched, without the amount")
    whole = matched + DUST >= sent.amounts.shares(place.side)
    if status == "matched" and (whole or not place.time_in_force.rests):
        return Posted(order, OrderState.FILLED if whole else OrderState.CANCELLED, matched)
    if status in ("live", "matched") and place.time_in_force.rests:
        return Posted(order, OrderState.LIVE, matched)
    return unknown(sent, f"status {status!r}")


def _shares(amount: Text) -> Size:
    """Matched amounts are human decimals, not base units; empty when nothing matched."""
    return parse_size(str(amount)) if amount not in (None, "") else 0
