"""Wanted quotes against live orders: the smallest set of actions. Pure.

Owns the difference and nothing else. There is no amend at the venue: to change an order is to cancel it, post another
and stand at the end of the queue. Being still is worth money, so an order that is good enough stays.

Quotes are compared as *offers* in the market's one book: selling a token at ``p`` and buying the other at ``1 - p`` are
the same offer, so an ask that rests as either stays whatever the inventory has become.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from polycore.cache.orders import Order
from polycore.model.ids import AssetId
from polycore.model.intents import PlaceOrder, Quote, SetQuotes
from polycore.model.market import Market, Side
from polycore.model.money import PRICE_ONE, Price, Size, complement

SIZE_STEP: Size = 10_000
"""Sizes are whole hundredths of a share (venue reference 4.7)."""


class Actions(Struct, frozen=True):
    """Orders to cancel and orders to place, in this order."""

    cancels: tuple[Order, ...] = ()
    places: tuple[PlaceOrder, ...] = ()


class _Level(Struct):
    """What is wanted and what rests at one price of one side."""

    wanted: Size = 0
    live: list[Order] = []


def difference(
    quotes: SetQuotes, market: Market, live: Sequence[Order], sellable: Size, tolerance_percent: int = 0
) -> Actions:
    """Actions that turn ``live`` into ``quotes``.

    ``live`` are the orders made for earlier quotes of this token, in flight or resting, oldest first; one that is being
    cancelled, or has nothing left to fill, counts as gone. ``sellable`` is what may be offered as a sale, reservations
    of other orders deducted, those of ``live`` not. A level stays as it is while its size is within
    ``tolerance_percent`` of the wanted; a shortage of at least the market's minimum is added behind it, any other
    difference replaces it.

    An ask at or below the best bid of the same quotes is not placed: own quotes never cross each other.
    """
    other = market.other(quotes.asset)
    bids, asks = _uncrossed(quotes)
    levels: dict[tuple[Side, Price], _Level] = {}
    for side, wanted in ((Side.BUY, bids), (Side.SELL, asks)):
        for quote in wanted:
            level = levels.setdefault((side, quote.price), _Level())
            level.wanted += quote.size - quote.size % SIZE_STEP
    for order in live:
        if order.remaining and not order.cancelling:
            levels.setdefault(_offer(order, quotes.asset), _Level()).live.append(order)

    cancels: list[Order] = []
    missing: list[tuple[Side, Price, Size]] = []
    for (side, price), level in levels.items():
        kept, size = _keep(level, market.minimum_size, tolerance_percent)
        cancels += [order for order in level.live if order not in kept]
        if size:
            missing.append((side, price, size))
        sellable -= sum(o.remaining for o in kept if o.side is Side.SELL)
    return _spared(cancels, _places(missing, quotes.asset, other, sellable, market.minimum_size))


def _uncrossed(quotes: SetQuotes) -> tuple[list[Quote], list[Quote]]:
    """Both sides, best first, without the asks at or below the best bid."""
    bids = sorted((q for q in quotes.bids if q.size > 0), key=lambda q: -q.price)
    best = bids[0].price if bids else -1
    return bids, sorted((q for q in quotes.asks if q.size > 0 and q.price > best), key=lambda q: q.price)


def _offer(order: Order, asset: AssetId) -> tuple[Side, Price]:
    """An order as a bid or an ask on ``asset``."""
    if order.place.asset == asset:
        return order.side, order.price
    return order.side.opposite, complement(order.price)


def _keep(level: _Level, minimum: Size, tolerance_percent: int) -> tuple[list[Order], Size]:
    """Orders of a level that stay, and the size to place beside them."""
    wanted = level.wanted
    if not wanted:
        return [], 0
    slack = wanted * tolerance_percent // 100
    if level.live and abs(sum(order.remaining for order in level.live) - wanted) <= slack:
        return level.live, 0
    for order in level.live:
        if abs(order.remaining - wanted) <= slack:
            return [order], 0
    kept: list[Order] = []
    total = 0
    for order in level.live:
        if total + order.remaining <= wanted + slack:
            kept.append(order)
            total += order.remaining
    shortage = wanted - total
    if shortage <= slack:
        return kept, 0
    if kept and shortage < minimum:
        return [], wanted
    return kept, shortage - shortage % SIZE_STEP


def _places(
    missing: Iterable[tuple[Side, Price, Size]], asset: AssetId, other: AssetId, sellable: Size, minimum: Size
) -> Iterable[PlaceOrder]:
    """Orders for what is missing, best price first: asks from inventory as far as it goes, the rest as complement."""
    for side, price, size in missing:
        if side is Side.BUY:
            yield _post_only(asset, Side.BUY, price, size)
            continue
        sale = _sale(size, sellable, minimum)
        sellable -= sale
        if sale:
            yield _post_only(asset, Side.SELL, price, sale)
        if size > sale:
            yield _post_only(other, Side.BUY, PRICE_ONE - price, size - sale)


def _spared(cancels: list[Order], places: Iterable[PlaceOrder]) -> Actions:
    """The actions, less each pair that cancels an order and places the same again, further back in the queue."""
    placed: list[PlaceOrder] = []
    for place in places:
        wanted = (place.side, place.asset, place.price, place.size)
        same = [o for o in cancels if (o.side, o.place.asset, o.price, o.remaining) == wanted]
        if same:
            cancels.remove(same[0])
        else:
            placed.append(place)
    return Actions(tuple(cancels), tuple(placed))


def _sale(size: Size, sellable: Size, minimum: Size) -> Size:
    """How much of an ask is sold from inventory, so that neither part is below the venue's minimum."""
    sale = min(max(sellable - sellable % SIZE_STEP, 0), size)
    if 0 < size - sale < minimum:
        sale = size - minimum
    return sale if sale >= minimum or sale == size else 0


def _post_only(asset: AssetId, side: Side, price: Price, size: Size) -> PlaceOrder:
    return PlaceOrder(asset, side, price, size, post_only=True)
