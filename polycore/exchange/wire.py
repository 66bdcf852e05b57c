"""The venue's JSON bodies of requests, and of answers to orders and cancels.

One struct a shape, its fields in the venue's order, with the venue's conventions: numbers here, strings there, empty
strings for nothing. Knows no HTTP and no socket. Source: venue notes 4.6 and 6.3.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from polycore.exchange.values import CancelResult, Placed
from polycore.model.market import FeeSchedule, Side
from polycore.model.money import format_money

encode = msgspec.json.Encoder().encode


def number(text: str) -> msgspec.Raw:
    """A decimal text as a JSON number, never through a float."""
    return msgspec.Raw(text.encode())


# ── Bodies that clients send ──────────────────────────────────────────────────


class OrderBody(Struct, rename="camel", forbid_unknown_fields=True):
    """The signed order of a ``POST /order`` body (venue notes 6.3)."""

    salt: int
    maker: str
    signer: str
    token_id: str
    maker_amount: str
    taker_amount: str
    side: Side
    signature_type: int
    timestamp: str
    metadata: str
    builder: str
    signature: str
    expiration: str = "0"


class PostBody(Struct, rename="camel"):
    """One order of ``POST /order`` or ``POST /orders``. The order itself is read apart, to tell old versions by."""

    order: msgspec.Raw
    owner: str
    order_type: str
    post_only: bool = False
    defer_exec: bool = False


class CancelBody(Struct):
    """``DELETE /order``."""

    orderID: str


class CancelMarketBody(Struct):
    """``DELETE /cancel-market-orders``: both empty is an error."""

    market: str = ""
    asset_id: str = ""


class TokenBody(Struct):
    """One element of the batch reads; ``side`` only for ``POST /prices``."""

    token_id: str
    side: Side | None = None


class BeatBody(Struct):
    """``POST /v1/heartbeats``; empty for the first beat."""

    heartbeat_id: str = ""


# ── Answers to orders and cancels ─────────────────────────────────────────────


class PlacedAnswer(Struct):
    """An accepted order (venue notes 4.6)."""

    success: bool
    errorMsg: str
    orderID: str
    status: str
    makingAmount: str
    takingAmount: str
    transactionsHashes: tuple[str, ...]
    tradeIDs: tuple[str, ...]


class RefusedEntry(Struct):
    """A refused entry of a batch: ``success`` is true and only ``errorMsg`` and the empty id tell (venue notes 4.6)."""

    errorMsg: str
    orderID: str = ""
    takingAmount: str = ""
    makingAmount: str = ""
    status: str = ""
    success: bool = True


class CancelAnswer(Struct):
    """Ids withdrawn, and why each of the others was not."""

    canceled: tuple[str, ...]
    not_canceled: Mapping[str, str]


def placed_answer(placed: Placed) -> PlacedAnswer:
    """Amounts are those matched at once, in decimals; hashes are never there yet (venue notes 4.6)."""
    return PlacedAnswer(
        success=True,
        errorMsg="",
        orderID=placed.order,
        status=placed.status.value,
        makingAmount=format_money(placed.making),
        takingAmount=format_money(placed.taking),
        transactionsHashes=(),
        tradeIDs=placed.trades,
    )


def cancel_answer(result: CancelResult) -> CancelAnswer:
    """A cancel's result in the venue's form."""
    return CancelAnswer(result.canceled, {order: reason for order, reason in result.not_canceled.items()})


# ── Fees ──────────────────────────────────────────────────────────────────────


def base_fee(fee: FeeSchedule) -> int:
    """The venue's legacy fee figure, for display only: 1000 on markets with a fee, else 0 (venue notes 4.1)."""
    return 1000 if fee.rate_millionths else 0


def fee_rate(millionths: int) -> msgspec.Raw:
    """A rate in millionths as a JSON number: 70000 is 0.07."""
    return number(format_money(millionths))
