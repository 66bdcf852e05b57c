"""The venue's messages as they travel, and nothing about what they mean.

Two families. ``MarketFrame`` and its parts are exact: prices are decoded to integers in C, and a frame with any text
off the venue's finest grid fails as a whole. ``Loose*`` and the user-channel structs are permissive: every field may be
missing, null, a number or a text, so that each element of a failed frame can be judged alone. Wire structs never leave
this package, except ``Change``, which is a ``LevelChange``.
"""

from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from polycore import AssetId, LevelChange, MarketId, PriceText, Side

Text: TypeAlias = str | int | None
"""A field that the venue sends as text, sometimes as a number, sometimes as null."""


class Level(Struct, gc=False):
    price: PriceText
    size: str


class Change(LevelChange, frozen=False, gc=False, rename={"asset": "asset_id"}):  # type: ignore[misc]
    """One complete entry of ``price_changes``: the model's own value, made in C. The old forms take the slow path.

    ``size`` is a text until ``decode`` has put the number in its place; from then on it is a ``LevelChange`` like any.
    """

    asset: AssetId
    side: Side
    price: PriceText
    size: str  # type: ignore[assignment]
    best_bid: PriceText
    best_ask: PriceText

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LevelChange) and astuple(self) == astuple(other)


class MarketFrame(Struct, gc=False):
    """Any message of the market channel. ``timestamp`` is a text on the wire and becomes an integer when decoded.

    One struct with defaults: ``event_type`` comes last on the wire, which makes a tagged union cost a third more.
    Fields are in the wire order of ``price_change``, which the decoder walks along.
    """

    market: MarketId = MarketId("")
    price_changes: list[Change] | None = None
    timestamp: int = 0
    event_type: str = ""
    asset_id: AssetId = AssetId("")
    bids: list[Level] | None = None
    asks: list[Level] | None = None
    tick_size: PriceText | None = None
    price: PriceText | None = None
    size: str = ""
    side: Side | None = None
    best_bid: PriceText | None = None
    best_ask: PriceText | None = None


decode_market_frames = msgspec.json.Decoder(MarketFrame | list[MarketFrame], strict=False).decode
"""One object or an array of them. Raises ``MsgspecError``, ``ValueError`` or ``RecursionError``."""

decode_anything = msgspec.json.Decoder(float_hook=str).decode
"""Any JSON, a number with a point kept as its text so that no binary float ever exists."""


class LooseLevel(Struct):
    price: Text = None
    size: Text = None


class LooseChange(Struct):
    """An entry of ``price_changes`` or of the older ``changes`` (its asset is in the frame), or a flat old frame."""

    asset_id: Text = None
    price: Text = None
    size: Text = None
    side: Text = None
    best_bid: Text = None
    best_ask: Text = None


class LooseFrame(Struct):
    event_type: Text = None
    market: Text = None
    asset_id: Text = None
    timestamp: Text = None
    price_changes: list[Any] | None = None
    changes: list[Any] | None = None
    bids: list[LooseLevel] | None = None
    asks: list[LooseLevel] | None = None
    buys: list[LooseLevel] | None = None
    sells: list[LooseLevel] | None = None
    tick_size: Text = None
    new_tick_size: Text = None
    price: Text = None
    size: Text = None
    side: Text = None
    best_bid: Text = None
    best_ask: Text = None
    winning_asset_id: Text = None


class WireFees(Struct):
    """Fee parameters of ``new_market``: texts there, numbers on Gamma. Both decode to ``Decimal`` exactly."""

    rate: Decimal = Decimal(0)
    exponent: Decimal = Decimal(1)
    rebate_rate: Decimal = Decimal(0)


class NewMarket(Struct):
    """``new_market``: a market was listed."""

    market: str = ""
    condition_id: str = ""
    slug: str = ""
    question: str = ""
    assets_ids: list[str] = []
    clob_token_ids: list[str] = []
    outcomes: list[str] = []
    order_price_min_tick_size: Text = None
    fees_enabled: bool = False
    fee_schedule: WireFees | None = None
    tags: list[str] | None = None
    version: Text = None


class ProofChange(Struct, gc=False):
    asset_id: AssetId = AssetId("")
    hash: str = ""


class ProofFrame(Struct, gc=False):
    """The fields of a market message, or of a REST book, that enter a book's hash beside its levels, as sent."""

    event_type: str = ""
    market: str = ""
    asset_id: AssetId = AssetId("")
    timestamp: str = ""
    hash: str = ""
    price_changes: list[ProofChange] | None = None
    tick_size: str = ""
    price: str = ""
    last_trade_price: str | None = None
    min_order_size: str = ""
    neg_risk: bool | None = None
    version: str = ""


class ChangeRow(Struct):
    """One line of a file of changes: a level change beside the time of the frame it came in."""

    timestamp: str
    change: dict[str, str]


decode_proof_frames = msgspec.json.Decoder(ProofFrame | list[ProofFrame]).decode
decode_change_row = msgspec.json.Decoder(ChangeRow).decode


class UserMessage(Struct):
    """What tells the messages of the user channel apart. Some captures lack ``event_type``."""

    event_type: Text = None
    type: Text = None


class UserOrder(Struct):
    """An ``order`` event, and an entry of ``GET /data/orders``. ``size_matched`` is cumulative, or ``""``."""

    id: Text = None
    type: Text = None
    market: Text = None
    asset_id: Text = None
    side: Text = None
    price: Text = None
    original_size: Text = None
    size_matched: Text = None
    order_type: Text = None
    status: Text = None
    timestamp: Text = None
    created_at: Text = None


class MakerOrder(Struct):
    """One resting order that a trade matched; its token may be the other one, ``side`` came in 2026."""

    order_id: Text = None
    owner: Text = None
    maker_address: Text = None
    matched_amount: Text = None
    price: Text = None
    asset_id: Text = None
    side: Text = None


class UserTrade(Struct):
    """A ``trade`` event. The top-level asset, side, size and price are the taker's."""

    id: Text = None
    taker_order_id: Text = None
    market: Text = None
    asset_id: Text = None
    side: Text = None
    size: Text = None
    price: Text = None
    status: Text = None
    owner: Text = None
    maker_orders: list[Any] | None = None
    trader_side: Text = None
    timestamp: Text = None
    last_update: Text = None
    match_time: Text = None
    matchtime: Text = None


class OrderAnswer(Struct):
    """Answer to one posted order. Refusals come as ``success: false`` and as ``success: true`` without an id."""

    success: bool = False
    errorMsg: Text = None
    orderID: Text = None
    status: Text = None
    makingAmount: Text = None
    takingAmount: Text = None


class CancelAnswer(Struct):
    """Answer to every cancel. Its status is 200 even when nothing was cancelled."""

    canceled: list[str]
    not_canceled: dict[str, str] = {}


class OrderPage(Struct):
    """A page of ``GET /data/orders``; ``LTE=`` is the cursor after the last."""

    data: list[UserOrder]
    next_cursor: str | None = None


class BalanceAnswer(Struct):
    """Answer of ``GET /balance-allowance``, in base units."""

    balance: str


class GammaTag(Struct):
    slug: str | None = None
    label: str | None = None


class GammaFees(Struct, rename="camel"):
    rate: Decimal = Decimal(0)
    exponent: Decimal = Decimal(1)
    rebate_rate: Decimal = Decimal(0)


class GammaEvent(Struct, rename="camel"):
    """A group of markets. ``markets`` is missing where the event is only named as a market's parent."""

    id: Text = None
    slug: str | None = None
    neg_risk: bool | None = None
    neg_risk_augmented: bool | None = None
    markets: list[msgspec.Raw] | None = None
    tags: list[GammaTag] | None = None


class GammaMarket(Struct, rename="camel"):
    """A market of the catalogue. Some arrays are texts that hold JSON; protocol v2 has a real array beside them."""

    condition_id: str
    slug: str = ""
    question: str | None = None
    outcomes: str | list[str] | None = None
    clob_token_ids: str | list[str] | None = None
    position_ids: list[str] | None = None
    order_price_min_tick_size: Decimal | None = None
    order_min_size: Decimal | None = None
    neg_risk: bool | None = None
    active: bool | None = None
    closed: bool | None = None
    accepting_orders: bool | None = None
    enable_order_book: bool | None = None
    fees_enabled: bool | None = None
    fee_schedule: GammaFees | None = None
    end_date: str | None = None
    uma_resolution_status: str | None = None
    resolution_status: str | None = None
    version: str | None = None
    events: list[GammaEvent] | None = None
    tags: list[GammaTag] | None = None


class GammaPage(Struct):
    """A page of either listing; it is the last when ``next_cursor`` is missing or empty."""

    markets: list[msgspec.Raw] | None = None
    events: list[GammaEvent] | None = None
    next_cursor: str | None = None
