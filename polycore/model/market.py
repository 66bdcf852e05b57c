"""What can be traded: markets, their two outcomes, their grid and their fees.

Owns the words. Immutable: a market that changes is another value. Must not know a venue's forms.
"""

from enum import Enum

from msgspec import Struct

from polycore.model.ids import AssetId, EventId, MarketId
from polycore.model.money import MONEY_ONE, PRICE_ONE, Money, Price, Size


class Side(Enum):
    """Direction of an order, a fill or a trade. The value is the venue's word."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class MarketStatus(Enum):
    """OPEN may be quoted; PAUSED and CLOSED take no orders; RESOLVED pays out."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"
    RESOLVED = "resolved"


class FeeSchedule(Struct, frozen=True):
    """A market's taker fee: ``size x rate x (p (1 - p)) ^ exponent``, in pUSD; makers pay nothing.

    ``rate_millionths`` is the rate times a million (0.07 is ``70_000``). ``rebate_millionths`` is the makers' share of
    the fees collected. Source: the venue's fee page as of 2026-09-17; the rate is read for each market.
    """

    rate_millionths: int = 0
    exponent: int = 1
    rebate_millionths: int = 0

    def taker_fee(self, price: Price, size: Size) -> Money:
        """Fee in millionths of a pUSD, rounded half up to 5 decimals (the venue does not document its tie rule)."""
        if not self.rate_millionths:
            return 0
        numerator, denominator = size * self.rate_millionths, MONEY_ONE
        for _ in range(self.exponent):
            numerator *= price * (PRICE_ONE - price)
            denominator *= PRICE_ONE * PRICE_ONE
        step = 10
        return (2 * numerator + denominator * step) // (2 * denominator * step) * step


FREE = FeeSchedule()


class Outcome(Struct, frozen=True):
    """One tradable token of a market and its label, such as ``Yes`` or ``Up``."""

    asset: AssetId
    label: str


class Market(Struct, frozen=True):
    """A binary question with two tokens; a pair of them is always worth exactly 1 pUSD.

    ``first`` is the YES side. ``tick`` is the grid at the time of listing: the book's tick is the one in force.
    ``event`` groups markets of which exactly one resolves YES; ``None`` when the market stands alone.
    ``event_complete`` is true when the event's listed markets are all of its outcomes: one of them must resolve YES.
    ``end_time`` is wall time in nanoseconds, 0 when unknown.
    """

    id: MarketId
    slug: str
    question: str
    first: Outcome
    second: Outcome
    tick: Price = 100
    minimum_size: Size = 5_000_000
    neg_risk: bool = False
    event: EventId | None = None
    event_complete: bool = False
    fee: FeeSchedule = FREE
    status: MarketStatus = MarketStatus.OPEN
    tags: tuple[str, ...] = ()
    version: str = "v1"
    end_time: int = 0

    @property
    def assets(self) -> tuple[AssetId, AssetId]:
        return self.first.asset, self.second.asset

    def other(self, asset: AssetId) -> AssetId:
        """The complementary token. Raises ``KeyError`` for a token of another market."""
        if asset == self.first.asset:
            return self.second.asset
        if asset == self.second.asset:
            return self.first.asset
        raise KeyError(asset)

    def label(self, asset: AssetId) -> str:
        """The outcome's label. Raises ``KeyError`` for a token of another market."""
        return self.second.label if self.other(asset) == self.first.asset else self.first.label
