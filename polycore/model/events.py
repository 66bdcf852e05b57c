"""What happened: immutable values, made by a venue's decoder or by the core, applied to the cache, then heard by hooks.

Times are integer nanoseconds. ``venue_time`` is the venue's wall clock as sent (0 when not sent); ``received_time`` is
our monotonic clock at the entry of ``data_received`` with the frame's last byte.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from polycore.model.ids import AssetId, ClientOrderId, MarketId, OrderId, TradeId
from polycore.model.market import Market, Side
from polycore.model.money import Money, Price, Size


class BookSnapshot(Struct, frozen=True, gc=False):
    """The whole book of one token; it replaces what was known.

    ``bids`` and ``asks`` map price to size, in no order. They belong to the cache from ``GlobalMarketCache.apply`` on:
    whoever made the event must not touch them afterwards. ``tick`` is 0 when the frame does not carry it.
    """

    market: MarketId
    asset: AssetId
    bids: dict[Price, Size]
    asks: dict[Price, Size]
    tick: Price
    venue_time: int
    received_time: int


class LevelChange(Struct, frozen=True, gc=False):
    """The new total size of one price level (0 removes it), with the best quotes the venue says are true afterwards.

    ``best_bid`` is 0 and ``best_ask`` is 1 (``PRICE_ONE``) for an empty side; both are -1 when the frame carries none.
    """

    asset: AssetId
    side: Side
    price: Price
    size: Size
    best_bid: Price
    best_ask: Price


class BookDelta(Struct, frozen=True, gc=False):
    """Level changes of one market, applied together: the best quotes describe the book after the last of a token's."""

    market: MarketId
    changes: Sequence[LevelChange]
    venue_time: int
    received_time: int


class BestQuote(Struct, frozen=True, gc=False):
    """The venue's own word on a token's best quotes, sent alone and ahead of the change it tells of: a hint."""

    market: MarketId
    asset: AssetId
    best_bid: Price
    best_ask: Price
    venue_time: int
    received_time: int


class Trade(Struct, frozen=True, gc=False):
    """Anyone's execution. ``side`` is the taker's on ``asset``."""

    market: MarketId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    venue_time: int
    received_time: int


class ChangeKind(Enum):
    """TICK: a new grid, the book starts anew. RESOLVED: the market pays out. LISTED: a market was announced."""

    TICK = "tick"
    PAUSED = "paused"
    RESUMED = "resumed"
    CLOSED = "closed"
    RESOLVED = "resolved"
    LISTED = "listed"


class MarketChange(Struct, frozen=True):
    """A market's terms changed. ``tick`` is set for TICK; ``winner`` for RESOLVED, ``None`` if not announced."""

    market: MarketId
    kind: ChangeKind
    asset: AssetId | None = None
    tick: Price = 0
    winner: AssetId | None = None
    listed: Market | None = None
    venue_time: int = 0
    received_time: int = 0


class OrderState(Enum):
    """Life of one of our orders.

    INTENT is tracked but not sent. UNKNOWN: sent, and the venue's answer is missing or unreadable; it may be live.
    DELAYED: accepted, held by the venue. The last four are terminal.
    """

    INTENT = "intent"
    SENT = "sent"
    UNKNOWN = "unknown"
    LIVE = "live"
    DELAYED = "delayed"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def terminal(self) -> bool:
        return self in _TERMINAL


_TERMINAL = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED})


class OrderUpdate(Struct, frozen=True):
    """One of our orders changed, as the venue or the core says.

    ``matched`` is cumulative. ``client_order``, ``strategy`` and ``tag`` are filled in by the core from its own record;
    they are empty in what a venue decodes and for an order that this run did not send.
    """

    order: OrderId
    market: MarketId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    matched: Size
    state: OrderState
    reason: str = ""
    client_order: ClientOrderId = ClientOrderId("")
    strategy: str = ""
    tag: str = ""
    venue_time: int = 0
    received_time: int = 0


class Settlement(Enum):
    """Where a fill stands on chain. All but the last two are provisional; FAILED voids the fill."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"

    @property
    def final(self) -> bool:
        return self is Settlement.CONFIRMED or self is Settlement.FAILED


class Role(Enum):
    """Whether our order rested (MAKER, no fee) or came in (TAKER)."""

    MAKER = "MAKER"
    TAKER = "TAKER"


class Fill(Struct, frozen=True):
    """Our execution. Its key is ``(trade, order)``: one trade can fill several of our orders.

    ``side``, ``asset``, ``price`` are those of *our* leg, never inferred from the taker's. The same fill arrives again
    with each settlement status. ``fee`` is computed by the core (the venue sends none). ``client_order``, ``strategy``
    and ``tag`` as in :class:`OrderUpdate`. ``cost`` is the exact amount before the fee where it is not
    ``price x size``: a taker's fill against several prices, whose ``price`` is the nearest average.
    """

    trade: TradeId
    order: OrderId
    market: MarketId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    role: Role
    settlement: Settlement
    fee: Money = 0
    client_order: ClientOrderId = ClientOrderId("")
    strategy: str = ""
    tag: str = ""
    venue_time: int = 0
    received_time: int = 0
    cost: Money | None = None


class LinkState(Enum):
    """UP: connected and proven. DOWN: lost, reconnecting. DEGRADED: books polled over REST, marks only."""

    UP = "up"
    DOWN = "down"
    DEGRADED = "degraded"


class LinkChange(Struct, frozen=True):
    """The health of a connection as strategies see it.

    ``channel`` is ``market`` or ``user``; ``assets`` are those whose books depend on it. On DOWN all of them are STALE;
    on UP each becomes LIVE by a snapshot of the new connection.
    """

    link: str
    channel: str
    state: LinkState
    cause: str = ""
    assets: tuple[AssetId, ...] = ()
    received_time: int = 0


class Malformed(Struct, frozen=True):
    """A frame, or a part of one, that could not be read. Where the token can be named its book becomes SUSPECT."""

    reason: str
    asset: AssetId | None = None
    received_time: int = 0


MarketEvent: TypeAlias = BookSnapshot | BookDelta | BestQuote | Trade | MarketChange | Malformed
UserEvent: TypeAlias = OrderUpdate | Fill | Malformed
Event: TypeAlias = MarketEvent | UserEvent | LinkChange
Events: TypeAlias = Sequence[Event]
Levels: TypeAlias = Mapping[Price, Size]
