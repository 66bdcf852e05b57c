"""Who trades with whom and for how much: price, then time, over one unified book.

Owns the plan of a match. Pure: it moves no money and changes no order.

Three kinds of match come out of one walk: a BUY against a SELL of the same token, a BUY against a BUY of the other
token (a pair is minted), a SELL against a SELL of the other token (a pair is merged).
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from polycore.exchange.book import Resting
from polycore.model.market import Side
from polycore.model.money import PRICE_ONE, Money, Price, Size

AMOUNT_DECIMALS = {1000: 3, 100: 4, 50: 5, 25: 6, 10: 5, 1: 6}
"""Decimals of a notional on each tick (venue notes 4.7); the keys are ticks in ten-thousandths."""


class Slice(Struct, frozen=True):
    """One resting order's part of a match: ``size`` shares, ``maker_money`` for the maker, ``taker_money`` for the
    taker.

    Same token: the two are equal, one pays the other. Other token: they add up to ``size``, the pair's worth.
    """

    maker: Resting
    size: Size
    maker_money: Money
    taker_money: Money


def limit_price(side: Side, maker_amount: int, taker_amount: int, tick: Price) -> Price | None:
    """The grid price that an order's amounts stand for, ``None`` when they stand for none.

    A BUY may offer, and a SELL may ask, up to one unit of the tick's amount decimals more (less) than the grid price
    times the shares: clients round the amounts of market orders that way (venue notes 4.7).
    """
    slack = 10 ** (6 - AMOUNT_DECIMALS.get(tick, 6))
    if side is Side.BUY:
        price = maker_amount * PRICE_ONE // taker_amount // tick * tick
        off = maker_amount * PRICE_ONE - price * taker_amount
    else:
        price = -(-taker_amount * PRICE_ONE // (maker_amount * tick)) * tick
        off = price * maker_amount - taker_amount * PRICE_ONE
    if off >= slack * PRICE_ONE or not tick <= price <= PRICE_ONE - tick:
        return None
    return price


def plan(taker: Resting, makers: Iterable[Resting], size: Size) -> Sequence[Slice]:
    """The slices that fill up to ``size`` shares of ``taker`` from ``makers``, in their order. Changes nothing.

    Makers that can no longer move a unit are passed over.
    """
    slices: list[Slice] = []
    for maker in makers:
        if size <= 0:
            break
        moved, money = maker.amounts(min(size, maker.remaining))
        if moved == 0:
            continue
        taker_money = money if maker.asset == taker.asset else moved - money
        slices.append(Slice(maker, moved, money, taker_money))
        size -= moved
    return slices


def slice_price(taker: Resting, part: Slice) -> Price:
    """The maker's price, on the taker's token."""
    return part.maker.price if part.maker.asset == taker.asset else PRICE_ONE - part.maker.price
