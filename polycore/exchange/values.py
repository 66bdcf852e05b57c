"""What the local exchange says and keeps: accounts, orders, trades, answers and notices, all immutable.

Owns the words between the exchange's matching side and its server. Amounts are base units (millionths of a pUSD or of a
share), prices ten-thousandths, times integer nanoseconds of wall time. No I/O, no clock, no wire text.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from polycore.model.events import LevelChange, Role, Settlement
from polycore.model.ids import AssetId, MarketId, OrderId, TradeId
from polycore.model.intents import TimeInForce
from polycore.model.market import Market, Side
from polycore.model.money import Money, Price, Size

Address: TypeAlias = str
"""The account's funder address, as text; compared without regard to case, kept as first given."""
Level: TypeAlias = tuple[Price, Size]

# ── What is listed ────────────────────────────────────────────────────────────


class Listing(Struct, frozen=True):
    """A market on the exchange and the terms that the shared ``Market`` does not carry.

    ``taker_delay`` (venue: ``itode``, about 250 ms) only makes the answer to a marketable order later; ``hold`` (venue:
    ``sd``, sports) answers ``delayed`` and matches later. ``auto_tick`` makes the grid finer at 0.96 and 0.04.
    ``payout`` is what a share of the first and of the second token pays at the end, in millionths, ``None`` when not
    known beforehand. ``assumed`` names what a recording lacks and was supplied.
    """

    market: Market
    taker_delay: int = 0
    hold: int = 0
    auto_tick: bool = True
    payout: tuple[Money, Money] | None = None
    source: str = ""
    credit: str = ""
    derived: bool = False
    assumed: tuple[str, ...] = ()


class ExchangeSettings(Struct, frozen=True):
    """Times of the exchange, nanoseconds. The settlement and heartbeat figures are assumptions of the venue notes.

    ``market_decimals`` enforces the venue's bounds on the amounts of FOK and FAK orders (2 decimals given, 4 taken).
    """

    mined_after: int = 2_000_000_000
    confirmed_after: int = 10_000_000_000
    heartbeat_silence: int = 10_000_000_000
    heartbeat_check: int = 5_000_000_000
    gtd_minimum: int = 180_000_000_000
    gtd_early: int = 60_000_000_000
    market_decimals: bool = True


# ── What a client asks and is answered ────────────────────────────────────────


class OrderRequest(Struct, frozen=True):
    """A signed order whose signature was already verified.

    BUY: ``maker_amount`` is pUSD offered, ``taker_amount`` shares wanted; SELL the reverse. ``expires`` is Unix
    seconds, 0 for none. ``id`` is the EIP-712 digest.
    """

    id: OrderId
    account: Address
    asset: AssetId
    side: Side
    maker_amount: int
    taker_amount: int
    kind: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    expires: int = 0


class PlaceStatus(Enum):
    """The venue's words for an accepted order."""

    LIVE = "live"
    MATCHED = "matched"
    DELAYED = "delayed"


class Placed(Struct, frozen=True):
    """An accepted order. ``making`` is what it gave at once and ``taking`` what it got, in base units, without the
    fee."""

    order: OrderId
    status: PlaceStatus
    making: int = 0
    taking: int = 0
    trades: tuple[TradeId, ...] = ()


class Refusal(Struct, frozen=True):
    """The venue's no: its HTTP status and the exact text of its ``error`` field."""

    status: int
    text: str


PlaceResult: TypeAlias = Placed | Refusal


class CancelResult(Struct, frozen=True):
    """Ids withdrawn, and the venue's reason for each that was not."""

    canceled: tuple[OrderId, ...] = ()
    not_canceled: Mapping[OrderId, str] = {}


class BeatAccepted(Struct, frozen=True):
    """A heartbeat that counted; ``next`` is the id that the next beat must carry."""

    next: str


class BeatRefused(Struct, frozen=True):
    """A heartbeat with a wrong id; it did not move the deadline. ``expected`` is the right id."""

    expected: str


# ── What the exchange keeps ───────────────────────────────────────────────────


class Order(Struct, frozen=True):
    """An order as the exchange sees it at one moment. ``status`` is the venue's word (``LIVE``, ``MATCHED``,
    ``CANCELED``, ``CANCELED_MARKET_RESOLVED`` …); ``matched`` is cumulative."""

    id: OrderId
    account: Address
    market: MarketId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    matched: Size
    kind: TimeInForce
    post_only: bool
    expires: int
    created: int
    status: str
    trades: tuple[TradeId, ...] = ()


class MakerFill(Struct, frozen=True):
    """One resting order's part in a trade, in its own terms: it gave or got ``money`` for ``size`` of ``asset``.

    Recorded flow, whose orders are not known one by one, trades under made-up order ids. ``asset`` may be the other
    token of the market (a pair was minted or merged).
    """

    order: OrderId
    account: Address
    asset: AssetId
    side: Side
    price: Price
    size: Size
    money: Money


class Trade(Struct, frozen=True):
    """A match. ``asset``, ``side``, ``size`` and ``price`` (the worst maker price, on the taker's token) are the
    taker's.

    ``money`` is what the taker paid or got before ``fee``; the same trade is announced again with each ``settlement``.
    ``transaction`` is empty until mined.
    """

    id: TradeId
    market: MarketId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    money: Money
    fee: Money
    taker: Address
    taker_order: OrderId
    makers: tuple[MakerFill, ...]
    settlement: Settlement
    matched_time: int
    updated_time: int
    transaction: str = ""


class Balance(Struct, frozen=True):
    """What an account holds of pUSD or of one token: ``total``, of which open orders hold ``reserved``."""

    total: int
    reserved: int = 0

    @property
    def available(self) -> int:
        """What is not reserved."""
        return self.total - self.reserved


class AccountState(Struct, frozen=True):
    """An account as ``serve --state`` keeps it. Resting orders are not part of it."""

    address: Address
    money: Money
    shares: Mapping[AssetId, Size] = {}


class Totals(Struct, frozen=True):
    """The exchange's accounts added up. ``deposited == money + fees + locked`` always; in every market the supplies
    of the two tokens are equal, and before it resolves equal to what is locked for it."""

    deposited: Money
    money: Money
    fees: Money
    locked: Money
    supply: Mapping[AssetId, Size]


# ── What the exchange announces, in order ─────────────────────────────────────


class BookNotice(Struct, frozen=True):
    """The whole book of one token: bids ascending, asks descending, the best last. ``last_trade`` is 0 before any."""

    market: MarketId
    asset: AssetId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    tick: Price
    last_trade: Price
    time: int


class LevelsNotice(Struct, frozen=True):
    """Levels changed, on both tokens: each element carries that token's best quotes after *it* was applied."""

    market: MarketId
    changes: tuple[LevelChange, ...]
    time: int


class LastTradeNotice(Struct, frozen=True):
    """A trade for everyone. ``side`` is the taker's on ``asset``."""

    market: MarketId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    time: int
    transaction: str = ""


class TickNotice(Struct, frozen=True):
    """A token's grid changed; a :class:`BookNotice` of it follows."""

    market: MarketId
    asset: AssetId
    old: Price
    new: Price
    time: int


class ResolvedNotice(Struct, frozen=True):
    """A market paid out. ``winner`` is ``None`` for a split payout."""

    market: MarketId
    winner: AssetId | None
    payout: tuple[Money, Money]
    time: int


class OrderEvent(Enum):
    """The venue's words for what happened to an order."""

    PLACEMENT = "PLACEMENT"
    UPDATE = "UPDATE"
    CANCELLATION = "CANCELLATION"


class OrderNotice(Struct, frozen=True):
    """An account's order changed. A killed FOK or an empty FAK is a CANCELLATION without a placement."""

    account: Address
    event: OrderEvent
    order: Order
    time: int


class FillNotice(Struct, frozen=True):
    """A trade, told to one participant in its role; told again with each settlement status."""

    account: Address
    role: Role
    trade: Trade
    time: int


Notice: TypeAlias = BookNotice | LevelsNotice | LastTradeNotice | TickNotice | ResolvedNotice | OrderNotice | FillNotice
