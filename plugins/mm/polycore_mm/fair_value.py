"""What a share of the first outcome is worth, from the market's one book.

Owns the arithmetic of the fair value. Pure: no clock, no I/O, no logging. Everything is in the coordinate of the first
outcome ("YES"): a BUY of the second token at ``p`` is an ask on the first at ``1 - p``.

Our own orders are taken out of the levels before anything is computed, or the strategy would follow itself.
"""

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from polycore import PRICE_ONE, AssetId, Depth, Market, Order, Price, Side, Size

Levels = tuple[tuple[Price, Size], ...]


class NoQuote(Struct, frozen=True):
    """Why there is no quote. ``reason`` is stable words, to compare; ``detail`` holds the numbers, to read."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class FairValue(Struct, frozen=True):
    """A fair value as log-odds, and the best prices of others that it came from, in ten-thousandths."""

    log_odds: float
    bid: Price
    ask: Price

    @property
    def price(self) -> float:
        """The value in ten-thousandths of a pUSD, between ``bid`` and ``ask``."""
        return price_of(self.log_odds)


class OwnLevels(Struct, frozen=True):
    """The size of our own open orders by price, in the coordinate of the first outcome."""

    bids: Mapping[Price, Size]
    asks: Mapping[Price, Size]


def log_odds(price: float) -> float:
    """``ln(p / (1 - p))`` of a price in ten-thousandths, strictly between 0 and ``PRICE_ONE``."""
    return math.log(price / (PRICE_ONE - price))


def price_of(x: float) -> float:
    """Price in ten-thousandths of log-odds: the inverse of :func:`log_odds`, without overflow at either end."""
    if x >= 0:
        return PRICE_ONE / (1 + math.exp(-x))
    odds = math.exp(x)
    return PRICE_ONE * odds / (1 + odds)


def is_bid(side: Side, asset: AssetId, market: Market) -> bool:
    """Whether an order or fill is a bid in the coordinate of the first outcome."""
    return (side is Side.BUY) == (asset == market.first.asset)


def in_first(price: Price, asset: AssetId, market: Market) -> Price:
    """A price of either token, as a price of the first outcome."""
    return price if asset == market.first.asset else PRICE_ONE - price


def own_levels(orders: Iterable[Order], market: Market) -> OwnLevels:
    """Add up our own open orders of a market by price."""
    bids: dict[Price, Size] = {}
    asks: dict[Price, Size] = {}
    for order in orders:
        asset = order.place.asset
        price = in_first(order.price, asset, market)
        side = bids if is_bid(order.side, asset, market) else asks
        side[price] = side.get(price, 0) + order.remaining
    return OwnLevels(bids, asks)


def others(levels: Levels, own: Mapping[Price, Size]) -> Levels:
    """Levels without our own size; a level that is ours alone disappears."""
    if not own:
        return levels
    return tuple((price, left) for price, size in levels if (left := size - own.get(price, 0)) > 0)


def fair_value(depth: Depth, own: OwnLevels, *, levels: int, dust: Size) -> FairValue | NoQuote:
    """Weigh the best prices by the size behind the other side, over the first ``levels`` levels of others.

    ``m = (ask x bid_size + bid x ask_size) / (bid_size + ask_size)``: the larger side pushes the value towards the
    smaller one. Front levels that together show less than ``dust`` shares are skipped, so that an order of a few cents
    cannot move the value. The result always lies between the two best prices used, strictly inside (0, 1).
    """
    bids = _solid(others(depth.bids, own.bids), dust)
    asks = _solid(others(depth.asks, own.asks), dust)
    if not bids or not asks:
        empty = "neither bids nor asks" if not bids and not asks else "no bids" if not bids else "no asks"
        return NoQuote("the book is one-sided", f"{empty} by others")
    bid, ask = bids[0][0], asks[0][0]
    if bid >= ask:
        return NoQuote("the book is crossed", f"bid {bid / PRICE_ONE:g}, ask {ask / PRICE_ONE:g}")
    if bid <= 0 or ask >= PRICE_ONE:
        return NoQuote("the book leaves (0, 1)", f"bid {bid / PRICE_ONE:g}, ask {ask / PRICE_ONE:g}")
    bid_size = sum(size for _, size in bids[:levels])
    ask_size = sum(size for _, size in asks[:levels])
    middle = (ask * bid_size + bid * ask_size) / (bid_size + ask_size)
    return FairValue(log_odds(middle), bid, ask)


def _solid(levels: Levels, dust: Size) -> Levels:
    """Drop front levels until the size seen so far reaches ``dust``; nothing is left when it never does."""
    seen = 0
    for index, (_, size) in enumerate(levels):
        seen += size
        if seen >= dust:
            return levels[index:]
    return ()
