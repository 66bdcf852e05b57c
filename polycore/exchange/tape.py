"""Recorded flow in one market's book: displayed depth and trades of a recording, among orders of real accounts.

Owns what the recording last showed and the pieces of depth that stand for it in the book. The rules:

* Depth that a client takes stays taken until the recording changes that level.
* A recorded level that grows is an incoming order for the difference: where it meets a client's resting order it fills
  that order, at that order's price, and only the rest is displayed.
* A recorded trade takes from the front of its level's queue, so a client's order fills when everything recorded ahead
  of it has traded; a trade at a worse price than a client's order fills that order first.
* A recorded level that shrinks without a trade is left to the queue model. A recording may tell the shrinking before
  the trade that caused it; then the trade first uses up that shrinking, so that the queue is not served twice. A
  shrinking counts until the next recorded book, or until its level changes again.
"""

from collections import defaultdict
from collections.abc import Mapping

from polycore.exchange.accounts import Holding
from polycore.exchange.book import Resting
from polycore.exchange.desk import Desk
from polycore.exchange.matching import Slice, plan
from polycore.exchange.models import QueueModel
from polycore.exchange.trading import Trading
from polycore.exchange.values import LastTradeNotice
from polycore.model.ids import AssetId
from polycore.model.market import Side
from polycore.model.money import PRICE_ONE, Price, Size, complement

_Key = tuple[bool, Price]


class Tape:
    """The door by which a playback moves one market. Prices of :meth:`show` are on the first token's terms."""

    def __init__(self, desk: Desk, trading: Trading, holding: Holding, queue_model: QueueModel) -> None:
        self._desk = desk
        self._trading = trading
        self._holding = holding
        self._model = queue_model
        self._shown: dict[_Key, Size] = {}
        self._unexplained: defaultdict[_Key, Size] = defaultdict(int)

    def show(self, bids: Mapping[Price, Size], asks: Mapping[Price, Size], now: int, *, whole: bool = True) -> None:
        """The recording shows this depth now. ``whole`` says that levels not named are gone, and announces whole books;
        otherwise only the named levels change (size 0 removes one)."""
        told = {(True, price): size for price, size in bids.items()}
        told |= {(False, price): size for price, size in asks.items()}
        keys = told.keys() | (self._shown.keys() if whole else ())
        if whole:
            self._unexplained.clear()
        changes: list[tuple[Size, _Key]] = []
        for key in keys:
            size, before = told.get(key, 0), self._shown.get(key, 0)
            if size == before:
                continue
            self._unexplained[key] = max(0, before - size)
            self._remember(key, size)
            changes.append((size - self._displayed(key), key))
        for change, key in sorted(changes):
            if change < 0:
                self._shrink(key, -change)
            elif change:
                self._grow(key, change, now)
        self._trading.outbox += self._desk.publish(now, books=whole)

    def trade(self, asset: AssetId, side: Side, price: Price, size: Size, now: int) -> None:
        """The recording shows a trade; ``side`` is its taker's on ``asset``."""
        taker = self._order(asset, side, price, size, now)
        key = (not taker.bid, taker.level)
        met = [order for order in self._desk.book.opposite(taker.bid, taker.level) if not order.recorded]
        slices = list(plan(taker, [order for order in met if order.level != taker.level], size))
        left = size - sum(part.size for part in slices)
        explained = min(left, self._unexplained[key])
        self._unexplained[key] -= explained
        slices += self._serve(key, taker, left - explained)
        if slices:
            trade = self._trading.execute(self._desk, taker, slices, now)
            size -= trade.size
        if size:
            self._desk.traded(asset, price)
            self._trading.outbox.append(LastTradeNotice(self._desk.market.id, asset, side, price, size, now))
        self._trading.outbox += self._desk.publish(now, books=bool(slices))

    def _serve(self, key: _Key, taker: Resting, size: Size) -> list[Slice]:
        """Take ``size`` from the front of a level: recorded pieces vanish, clients' orders become slices."""
        slices: list[Slice] = []
        recorded = size
        for waiting in list(self._desk.book.queue(*key)):
            if size <= 0:
                break
            if waiting.recorded:
                gone = min(size, waiting.remaining)
                waiting.matched += gone
                self._desk.book.filled(waiting)
                size -= gone
                continue
            filled = plan(taker, [waiting], size)
            moved = sum(part.size for part in filled)
            slices += filled
            size -= moved
            recorded -= moved
        self._remember(key, max(0, self._shown.get(key, 0) - recorded))
        return slices

    def _displayed(self, key: _Key) -> Size:
        return sum(piece.remaining for piece in self._desk.book.queue(*key) if piece.recorded)

    def _remember(self, key: _Key, size: Size) -> None:
        if size:
            self._shown[key] = size
        else:
            self._shown.pop(key, None)

    def _shrink(self, key: _Key, by: Size) -> None:
        queue = self._desk.book.queue(*key)
        self._model.shrink(queue, by)
        for piece in [piece for piece in queue if piece.recorded]:
            self._desk.book.filled(piece)

    def _grow(self, key: _Key, by: Size, now: int) -> None:
        bid, level = key
        book = self._desk.book
        piece = self._order(book.first, Side.BUY if bid else Side.SELL, level, by, now)
        slices = plan(piece, [order for order in book.opposite(bid, level) if not order.recorded], by)
        if slices:
            self._trading.execute(self._desk, piece, slices, now)
        queue = book.queue(bid, level)
        if piece.remaining and queue and queue[-1].recorded:
            queue[-1].size += piece.remaining
            book.filled(queue[-1])
        elif piece.remaining:
            book.add(piece)

    def _order(self, asset: AssetId, side: Side, price: Price, size: Size, now: int) -> Resting:
        """A recorded order at an exact grid price."""
        amounts = (price, PRICE_ONE) if side is Side.BUY else (PRICE_ONE, price)
        order = Resting(
            self._trading.new_id(), self._holding.address, self._desk.market.id, asset, side, price, *amounts,
            first=self._desk.is_first(asset), created=now, recorded=True,
        )  # fmt: skip
        order.size = size
        return order


def mirrored(levels: Mapping[Price, Size]) -> dict[Price, Size]:
    """One side of the second token's book as the opposite side of the first token's."""
    return {complement(price): size for price, size in levels.items()}
