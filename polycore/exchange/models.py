"""What the exchange assumes where nobody can know: queue position in recorded flow, latency, fees. Each replaceable.

The models are pure: they are given what they decide on and change nothing but the queue they were handed.
"""

from typing import Protocol

from polycore.exchange.book import Queue
from polycore.exchange.values import Listing
from polycore.model.market import Market
from polycore.model.money import Money, Price, Size


class QueueModel(Protocol):
    """Where our orders stand among recorded liquidity of one price level.

    A level is a list in time order: our orders between pieces of recorded liquidity. An order joins at the end, so it
    is behind all that is displayed when it arrives; recorded trades take from the front whatever the model.
    """

    def shrink(self, queue: Queue, by: Size) -> None:
        """Take ``by`` shares of recorded liquidity away that no recorded trade explains. ``by`` is at most what is
        there.

        Only ``matched`` of recorded pieces may be raised; spent pieces are cleared away by the caller.
        """
        ...


class FromBehind:
    """Withdrawals come from behind our orders first: the pessimist's choice, and the default.

    Our place improves only when everything that came after us is gone.
    """

    def shrink(self, queue: Queue, by: Size) -> None:
        for piece in reversed(queue):
            if piece.recorded and by:
                taken = min(by, piece.remaining)
                piece.matched += taken
                by -= taken


class Proportional:
    """Withdrawals come from every recorded piece in proportion to its size, the remainder from behind."""

    def shrink(self, queue: Queue, by: Size) -> None:
        pieces = [piece for piece in queue if piece.recorded]
        total = sum(piece.remaining for piece in pieces)
        if not total:
            return
        left = by
        for piece in pieces:
            share = by * piece.remaining // total
            piece.matched += share
            left -= share
        FromBehind().shrink(queue, left)


class LatencyModel(Protocol):
    """How much later than its arrival an order enters the book."""

    def entry_delay(self, listing: Listing, marketable: bool) -> int:
        """Nanoseconds to wait before an order that just arrived is placed."""
        ...


class VenueDelay:
    """The venue's own delay on marketable orders of up/down markets; nothing for others. Networks are not modelled."""

    def entry_delay(self, listing: Listing, marketable: bool) -> int:
        return listing.taker_delay if marketable else 0


class FeeModel(Protocol):
    """What a taker pays; makers pay nothing."""

    def taker_fee(self, market: Market, price: Price, size: Size) -> Money:
        """Fee for ``size`` shares filled at ``price``: called for each maker's part of a trade."""
        ...


class ScheduleFee:
    """The market's own fee schedule (venue notes 8.1)."""

    def taker_fee(self, market: Market, price: Price, size: Size) -> Money:
        return market.fee.taker_fee(price, size)
