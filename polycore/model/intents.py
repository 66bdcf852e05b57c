"""What a strategy wants. A strategy returns intents; it never holds a gateway, a client or a key.

Market makers return the state they want (:class:`SetQuotes`), arbitrageurs the action they want (:class:`PlaceOrder`).
"""

from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from polycore.model.ids import AssetId, ClientOrderId, MarketId
from polycore.model.market import Side
from polycore.model.money import Price, Size


class TimeInForce(Enum):
    """How long an order may rest; the values are the venue's words.

    GTC rests until cancelled; GTD until ``expires``; FOK fills whole at once or not at all; FAK fills what it can at
    once and drops the rest.
    """

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"

    @property
    def rests(self) -> bool:
        return self is TimeInForce.GTC or self is TimeInForce.GTD


class Quote(Struct, frozen=True):
    """A wanted resting price and the size to show there."""

    price: Price
    size: Size


class SetQuotes(Struct, frozen=True):
    """The quotes wanted on one token, whole: what is not named is cancelled. Post-only.

    ``asks`` larger than the inventory of ``asset`` are placed as BUY of the other token at ``1 - price``, which is the
    same offer in the market's one book. Empty tuples withdraw both sides.
    """

    asset: AssetId
    bids: tuple[Quote, ...] = ()
    asks: tuple[Quote, ...] = ()


class PlaceOrder(Struct, frozen=True):
    """One order. ``tag`` is the strategy's own word and comes back in its updates and fills.

    ``expires`` is wall time in seconds, for GTD only. Orders of one hook call with the same non-empty ``basket`` are
    sent together, in one request where the venue allows it; if a check refuses one leg, none is sent.
    """

    asset: AssetId
    side: Side
    price: Price
    size: Size
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    expires: int = 0
    tag: str = ""
    basket: str = ""


class CancelOrder(Struct, frozen=True):
    """Withdraw one order by our own name of it."""

    client_order: ClientOrderId


class CancelAll(Struct, frozen=True):
    """Withdraw the strategy's orders: of one market, or all of them."""

    market: MarketId | None = None


class Approved(Struct, frozen=True):
    """An order that every check let through, under its own name. Only this type can be given to a gateway."""

    client_order: ClientOrderId
    strategy: str
    market: MarketId
    order: PlaceOrder


class Rejection(Struct, frozen=True):
    """A check's refusal: its name and the reason, with what was found and what was expected."""

    check: str
    reason: str


class StopReason(Enum):
    """Why a run ends."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    TRIPPED = "tripped"
    FAILED = "failed"


Intent: TypeAlias = SetQuotes | PlaceOrder | CancelOrder | CancelAll
Intents: TypeAlias = Intent | Iterable[Intent] | None
