"""Orders and trades as their owners see them: the bodies of REST and the events of the user channel.

Owns one struct a shape, its fields in the venue's order (venue notes 2.2, 2.3 and 4.5). Pure: nothing is sent.
"""

import hashlib
import uuid
from collections.abc import Callable

from msgspec import Struct

from polycore.exchange.values import FillNotice, Order, OrderNotice, Trade
from polycore.model.events import Role
from polycore.model.ids import OrderId
from polycore.model.market import Market, Side
from polycore.model.money import format_price, format_size

OwnerOf = Callable[[OrderId, str], str]
"""The API key that an order belongs to, given its id and its account."""

# ── Orders ────────────────────────────────────────────────────────────────────


class OpenOrderBody(Struct):
    """An order as REST gives it; ``created_at`` is a number of seconds."""

    id: str
    status: str
    owner: str
    maker_address: str
    market: str
    asset_id: str
    side: Side
    original_size: str
    size_matched: str
    price: str
    outcome: str
    expiration: str
    order_type: str
    associate_trades: tuple[str, ...]
    created_at: int


class OrderEventBody(Struct):
    """An order as the user channel gives it; ``created_at`` is a string of seconds, ``timestamp`` of milliseconds."""

    id: str
    owner: str
    market: str
    asset_id: str
    side: Side
    order_owner: str
    original_size: str
    size_matched: str
    price: str
    associate_trades: tuple[str, ...] | None
    outcome: str
    type: str
    created_at: str
    expiration: str
    order_type: str
    status: str
    maker_address: str
    timestamp: str
    event_type: str = "order"


def open_order_body(order: Order, market: Market, owner: str) -> OpenOrderBody:
    """An open order for ``GET /data/orders``."""
    return OpenOrderBody(
        id=order.id,
        status=order.status,
        owner=owner,
        maker_address=order.account,
        market=order.market,
        asset_id=order.asset,
        side=order.side,
        original_size=format_size(order.size),
        size_matched=format_size(order.matched),
        price=format_price(order.price),
        outcome=market.label(order.asset),
        expiration=str(order.expires),
        order_type=order.kind.value,
        associate_trades=order.trades,
        created_at=order.created // 1_000_000_000,
    )


def order_event_body(notice: OrderNotice, market: Market, owner: str) -> OrderEventBody:
    """A killed FOK has empty strings for its matched size, outcome and creation (a capture of 2026-05)."""
    order = notice.order
    killed = order.status.startswith("CANCELED_") and not order.kind.rests and order.matched == 0
    return OrderEventBody(
        id=order.id,
        owner=owner,
        market=order.market,
        asset_id=order.asset,
        side=order.side,
        order_owner=owner,
        original_size=format_size(order.size),
        size_matched="" if killed else format_size(order.matched),
        price=format_price(order.price),
        associate_trades=order.trades or (() if killed else None),
        outcome="" if killed else market.label(order.asset),
        type=notice.event.value,
        created_at="" if killed else str(order.created // 1_000_000_000),
        expiration=str(order.expires),
        order_type=order.kind.value,
        status=order.status,
        maker_address=order.account,
        timestamp=str(notice.time // 1_000_000),
    )


# ── Trades ────────────────────────────────────────────────────────────────────


class MakerOrderBody(Struct):
    """A maker's part in a trade, on the maker's own token."""

    order_id: str
    owner: str
    maker_address: str
    matched_amount: str
    price: str
    fee_rate_bps: str
    asset_id: str
    outcome: str
    outcome_index: int
    side: Side


class TradeEventBody(Struct):
    """A trade as the user channel gives it to one participant; price, side, asset and size are always the taker's."""

    type: str
    id: str
    taker_order_id: str
    market: str
    asset_id: str
    side: Side
    size: str
    fee_rate_bps: str
    price: str
    status: str
    match_time: str
    last_update: str
    outcome: str
    owner: str
    trade_owner: str
    maker_address: str
    transaction_hash: str
    bucket_index: int
    maker_orders: tuple[MakerOrderBody, ...]
    trader_side: str
    timestamp: str
    event_type: str = "trade"


class TradeBody(Struct):
    """A trade as REST gives it; the status has a prefix there."""

    id: str
    taker_order_id: str
    market: str
    asset_id: str
    side: Side
    size: str
    fee_rate_bps: str
    price: str
    status: str
    match_time: str
    match_time_nano: str
    last_update: str
    outcome: str
    bucket_index: int
    owner: str
    maker_address: str
    transaction_hash: str
    err_msg: str
    maker_orders: tuple[MakerOrderBody, ...]
    trader_side: str


def trade_event_body(notice: FillNotice, market: Market, owner_of: OwnerOf) -> TradeEventBody:
    """``owner`` is the taker's key, ``trade_owner`` that of the account that the message is for (venue notes 2.3)."""
    trade = notice.trade
    taker = owner_of(trade.taker_order, trade.taker)
    return TradeEventBody(
        type="TRADE",
        id=trade.id,
        taker_order_id=trade.taker_order or flow_order(trade, 0),
        market=trade.market,
        asset_id=trade.asset,
        side=trade.side,
        size=format_size(trade.size),
        fee_rate_bps="0",
        price=format_price(trade.price),
        status=trade.settlement.value,
        match_time=str(trade.matched_time // 1_000_000_000),
        last_update=str(trade.updated_time // 1_000_000_000),
        outcome=market.label(trade.asset),
        owner=taker,
        trade_owner=taker if notice.role is Role.TAKER else _maker_owner(trade, notice.account, owner_of),
        maker_address=trade.taker,
        transaction_hash=trade.transaction,
        bucket_index=0,
        maker_orders=_maker_orders(trade, market, owner_of),
        trader_side=notice.role.value,
        timestamp=str(notice.time // 1_000_000),
    )


def trade_body(trade: Trade, market: Market, account: str, owner_of: OwnerOf) -> TradeBody:
    """A trade for ``GET /data/trades``, as ``account`` took part in it."""
    role = Role.TAKER if trade.taker.lower() == account.lower() else Role.MAKER
    return TradeBody(
        id=trade.id,
        taker_order_id=trade.taker_order or flow_order(trade, 0),
        market=trade.market,
        asset_id=trade.asset,
        side=trade.side,
        size=format_size(trade.size),
        fee_rate_bps="0",
        price=format_price(trade.price),
        status="TRADE_STATUS_" + trade.settlement.value,
        match_time=str(trade.matched_time // 1_000_000_000),
        match_time_nano=str(trade.matched_time),
        last_update=str(trade.updated_time // 1_000_000_000),
        outcome=market.label(trade.asset),
        bucket_index=0,
        owner=owner_of(trade.taker_order, trade.taker),
        maker_address=trade.taker,
        transaction_hash=trade.transaction,
        err_msg="",
        maker_orders=_maker_orders(trade, market, owner_of),
        trader_side=role.value,
    )


def flow_order(trade: Trade, place: int) -> str:
    """An order id for recorded flow, whose orders are not known one by one: the same for the same trade and place."""
    return "0x" + hashlib.sha256(f"{trade.id}:{place}".encode()).hexdigest()


def flow_owner(account: str) -> str:
    """An API key id for an account that no client owns, such as recorded flow."""
    return str(uuid.UUID(bytes=hashlib.sha256(account.lower().encode()).digest()[:16], version=4))


def _maker_orders(trade: Trade, market: Market, owner_of: OwnerOf) -> tuple[MakerOrderBody, ...]:
    return tuple(
        MakerOrderBody(
            order_id=maker.order or flow_order(trade, place),
            owner=owner_of(maker.order, maker.account),
            maker_address=maker.account,
            matched_amount=format_size(maker.size),
            price=format_price(maker.price),
            fee_rate_bps="0",
            asset_id=maker.asset,
            outcome=market.label(maker.asset),
            outcome_index=market.assets.index(maker.asset),
            side=maker.side,
        )
        for place, maker in enumerate(trade.makers, start=1)
    )


def _maker_owner(trade: Trade, account: str, owner_of: OwnerOf) -> str:
    for maker in trade.makers:
        if maker.account.lower() == account.lower():
            return owner_of(maker.order, maker.account)
    return flow_owner(account)
