"""User frames to order updates and fills. Pure: no clock, no I/O, no state, and nothing is ever raised.

A fill is read from *our* leg of a trade (side, token, size and price), never inferred from the taker's: makers may have
been matched through the other token, and one trade may fill several of our orders. The same fill is decoded again with
each settlement status; its key is ``(trade, order)``.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from polycore import (
    PRICE_ONE,
    AssetId,
    Fill,
    Malformed,
    MarketId,
    Money,
    OrderId,
    OrderState,
    OrderUpdate,
    Role,
    Settlement,
    Size,
    TradeId,
    UserEvent,
    complement,
    notional,
)
from polycore.venues.polymarket import reading
from polycore.venues.polymarket.wire import MakerOrder, UserMessage, UserOrder, UserTrade

_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)

DUST: Size = 10_000
"""A full fill can differ from the ordered size by up to 0.01 share: fills are rounded on the cent grid."""

_STATES = {
    "LIVE": OrderState.LIVE,
    "MATCHED": OrderState.FILLED,
    "DELAYED": OrderState.DELAYED,
}
_SETTLEMENTS = {settlement.value: settlement for settlement in Settlement}


class Account(NamedTuple):
    """Whose events these are: the API key that owns the orders, and the address that holds the money."""

    api_key: str
    funder: str


def decode_user(frame: bytes, account: Account, received_time: int) -> tuple[UserEvent, ...]:
    """Events of one frame of the user channel, in order. Raises nothing."""
    if reading.is_text_reply(frame):
        return reading.text_reply(frame, received_time)
    try:
        elements = reading.elements(frame)
    except _UNREADABLE as error:
        return (Malformed(f"not a frame: {error}", None, received_time),)
    events: list[UserEvent] = []
    for element in elements:
        try:
            events.extend(_judge(element, account, received_time))
        except _UNREADABLE as error:
            events.append(Malformed(str(error), None, received_time))
    return tuple(events)


def order_update(order: UserOrder, received_time: int) -> OrderUpdate:
    """An order event, or an entry of the open-order listing. Raises ``ValueError`` without an id or readable size."""
    matched, size = reading.optional_size(order.size_matched), reading.size(order.original_size, "original_size")
    state, reason = _order_state(order, matched, size)
    return OrderUpdate(
        order=OrderId(reading.required(order.id, "id")),
        market=MarketId(reading.text(order.market)),
        asset=AssetId(reading.text(order.asset_id)),
        side=reading.side(order.side),
        price=reading.noisy_price(order.price),
        size=size,
        matched=matched,
        state=state,
        reason=reason,
        venue_time=reading.nanoseconds(order.timestamp or order.created_at),
        received_time=received_time,
    )


def _judge(element: object, account: Account, received_time: int) -> Iterator[UserEvent]:
    message = msgspec.convert(element, UserMessage)
    kind, detail = reading.text(message.event_type), reading.text(message.type).upper()
    if kind == "order" or (not kind and detail in ("PLACEMENT", "UPDATE", "CANCELLATION")):
        yield order_update(msgspec.convert(element, UserOrder), received_time)
    elif kind == "trade" or (not kind and detail == "TRADE"):
        yield from _fills(msgspec.convert(element, UserTrade), account, received_time)
    else:
        yield reading.unknown(kind or detail, received_time)


def _order_state(order: UserOrder, matched: Size, size: Size) -> tuple[OrderState, str]:
    """State and reason. Statuses are an open set: ``CANCELED...`` and INVALID are terminal, unknown words are doubt."""
    status = reading.text(order.status).removeprefix("ORDER_STATUS_")
    word = status.upper()
    if word.startswith("CANCELED") or word == "INVALID" or reading.text(order.type).upper() == "CANCELLATION":
        expired = word == "CANCELED_EXPIRED_ORDER"
        return OrderState.EXPIRED if expired else OrderState.CANCELLED, status.removeprefix("CANCELED_")
    if not word:
        return OrderState.FILLED if matched and matched >= size else OrderState.LIVE, ""
    if word == "MATCHED" and matched + DUST < size:
        rests = reading.text(order.order_type).upper() not in ("FOK", "FAK")
        return OrderState.LIVE if rests else OrderState.CANCELLED, ""
    state = _STATES.get(word)
    return (state, "") if state else (OrderState.UNKNOWN, status)


def _fills(trade: UserTrade, account: Account, received_time: int) -> Iterator[UserEvent]:
    makers: list[MakerOrder] = []
    for entry in trade.maker_orders or ():
        try:
            makers.append(msgspec.convert(entry, MakerOrder))
        except msgspec.MsgspecError as error:
            yield Malformed(f"trade {trade.id}: maker order: {error}", None, received_time)
    base = _base(trade, received_time)
    status = _status(trade)
    if status not in _SETTLEMENTS:
        yield Malformed(f"trade {base.trade}: unknown status {status!r}, held as MATCHED", None, received_time)
    role = reading.text(trade.trader_side).upper()
    named = [maker for maker in makers if account.api_key and reading.text(maker.owner) == account.api_key]
    own = named or [maker for maker in makers if _is_funder(maker, account)]
    if role == "MAKER" or (role == "" and own):
        if not own:
            yield Malformed(f"trade {base.trade}: none of its maker orders is ours", None, received_time)
    else:
        yield _taker_fill(base, trade, makers)
        own = named  # a self-match: the key (trade, order) keeps a second sighting harmless
    for maker in own:
        try:
            yield _maker_fill(base, maker)
        except ValueError as error:
            yield Malformed(f"trade {base.trade}: our maker order {maker.order_id}: {error}", None, received_time)


def _base(trade: UserTrade, received_time: int) -> Fill:
    """The fill that all legs start from, with the taker's leg in it."""
    return Fill(
        trade=TradeId(reading.required(trade.id, "trade id")),
        order=OrderId(reading.text(trade.taker_order_id)),
        market=MarketId(reading.text(trade.market)),
        asset=AssetId(reading.required(trade.asset_id, "asset_id")),
        side=reading.side(trade.side),
        price=reading.noisy_price(trade.price),
        size=reading.size(trade.size),
        role=Role.TAKER,
        settlement=_SETTLEMENTS.get(_status(trade), Settlement.MATCHED),
        venue_time=reading.nanoseconds(trade.timestamp or trade.last_update or trade.match_time or trade.matchtime),
        received_time=received_time,
    )


def _status(trade: UserTrade) -> str:
    status = reading.text(trade.status).upper().removeprefix("TRADE_STATUS_")
    return "MATCHED" if status == "MATCHED_NOT_BROADCASTED" else status


def _taker_fill(base: Fill, trade: UserTrade, makers: list[MakerOrder]) -> Fill:
    """The taker's leg, at what its makers really cost: the top-level price may be the average or the worst of them."""
    reading.required(trade.taker_order_id, "taker_order_id")
    cost = _cost(base, makers)
    if cost is None:
        return base
    price = (2 * cost * PRICE_ONE + base.size) // (2 * base.size)
    exact = abs(cost - notional(price, base.size)) <= 1
    return msgspec.structs.replace(base, price=price, cost=None if exact else cost)


def _cost(base: Fill, makers: list[MakerOrder]) -> Money | None:
    """Sum over the makers at their own prices, seen from the taker's token; ``None`` unless they cover the trade."""
    total, covered = 0, 0
    try:
        for maker in makers:
            matched = reading.size(maker.matched_amount, "matched_amount")
            price = reading.noisy_price(maker.price)
            total += matched * (price if _same_token(maker, base) else complement(price))
            covered += matched
    except ValueError:
        return None
    return total // PRICE_ONE if base.size and abs(covered - base.size) < DUST else None


def _maker_fill(base: Fill, maker: MakerOrder) -> Fill:
    inferred = base.side.opposite if _same_token(maker, base) else base.side
    return msgspec.structs.replace(
        base,
        order=OrderId(reading.required(maker.order_id, "order_id")),
        asset=AssetId(reading.text(maker.asset_id) or base.asset),
        side=reading.side(maker.side) if maker.side else inferred,
        price=reading.noisy_price(maker.price, "maker price"),
        size=reading.size(maker.matched_amount, "matched_amount"),
        role=Role.MAKER,
    )


def _same_token(maker: MakerOrder, base: Fill) -> bool:
    """Entries without ``asset_id`` (seen in documentation) are of the taker's token."""
    return not maker.asset_id or reading.text(maker.asset_id) == base.asset


def _is_funder(maker: MakerOrder, account: Account) -> bool:
    return bool(account.funder) and reading.text(maker.maker_address).lower() == account.funder.lower()
