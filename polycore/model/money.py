"""Prices, sizes and money as integers, and the only conversions from and to text.

=========  =====================================  =============================
type       unit                                   example
=========  =====================================  =============================
``Price``  ten-thousandths of a pUSD a share      ``5300`` is 0.53
``Size``   millionths of a share                  ``12_500_000`` is 12.5 shares
``Money``  millionths of a pUSD                   ``1_000_000`` is 1 pUSD
=========  =====================================  =============================

Every tick of the venue (0.1 to 0.0001) is a whole number of ten-thousandths, so a book keyed by ``Price`` survives a
tick change without being rekeyed. Texts become integers by a lookup or digit by digit, never through a float.
"""

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

Price: TypeAlias = int
Size: TypeAlias = int
Money: TypeAlias = int

PRICE_ONE: Price = 10_000
SIZE_ONE: Size = 1_000_000
MONEY_ONE: Money = 1_000_000

_PRICE_DECIMALS = 4
_MICRO_DECIMALS = 6
_MOST_SIZES = 1 << 16


def _digits(text: str, decimals: int, what: str) -> int:
    """Read a plain decimal exactly: at most ``decimals`` significant places, no sign, no exponent."""
    whole, _, fraction = text.partition(".")
    kept, lost = fraction[:decimals], fraction[decimals:]
    digits = whole + kept.ljust(decimals, "0")
    if not (whole or fraction) or not (digits + lost).isdecimal() or not text.isascii():
        raise ValueError(f"{what} {text!r} is not a plain decimal")
    if lost and lost.strip("0"):
        raise ValueError(f"{what} {text!r} has more than {decimals} decimals")
    return int(digits)


def _price_texts() -> dict[str, Price]:
    texts = {"0": 0, "1": PRICE_ONE}
    for decimals in range(1, _PRICE_DECIMALS + 1):
        step = 10 ** (_PRICE_DECIMALS - decimals)
        for count in range(10**decimals + 1):
            texts[f"{count // 10**decimals}.{count % 10**decimals:0{decimals}d}"] = count * step
    return texts


PRICES: dict[str, Price] = _price_texts()
"""Every text of a price on the finest grid. Complete: what is not here needs :func:`parse_price` to say why."""
SIZES: dict[str, Size] = {}
"""Sizes by their texts, as far as they were met: a plain dictionary, because a subclass costs half as much again to
read. What is not here is read, and kept here, by :func:`parse_size`."""

if TYPE_CHECKING:
    PriceText: TypeAlias = Price
else:

    class PriceText(Enum):
        """A field of this type is decoded by msgspec, in C, from every text of a price on the finest grid to the price.

        msgspec looks a text up in an enumeration's table of members. Ours holds the integers in their place, so that a
        price costs neither a string nor a step in Python. Any other text fails the whole message.
        """

        ZERO = "0"

    PriceText._value2member_map_ = PRICES


def parse_price(text: str) -> Price:
    """Price of a text such as ``"0.53"``: 0 to 1, at most 4 decimals. Raises ``ValueError`` naming the text."""
    known = PRICES.get(text)
    if known is not None:
        return known
    price = _digits(text, _PRICE_DECIMALS, "price")
    if price > PRICE_ONE:
        raise ValueError(f"price {text!r} is above 1")
    return price


def parse_size(text: str) -> Size:
    """Size of a text such as ``"374.34"``: at most 6 decimals. Raises ``ValueError`` naming the text."""
    known = SIZES.get(text)
    if known is not None:
        return known
    size = _digits(text, _MICRO_DECIMALS, "size")
    if len(SIZES) >= _MOST_SIZES:
        SIZES.clear()
    SIZES[text] = size
    return size


def parse_money(text: str) -> Money:
    """Amount of a text such as ``"250.5"`` pUSD: at most 6 decimals. Raises ``ValueError`` naming the text."""
    return _digits(text, _MICRO_DECIMALS, "amount")


def nearest_price(text: str) -> Price:
    """Price of a text that carries noise digits past the grid (``"0.0030000000012"``), rounded half up.

    The venue sends such texts as the maker price of a trade (seen 2026-01-19).
    """
    whole, _, fraction = text.partition(".")
    scaled = _digits(f"{whole}.{fraction[: _PRICE_DECIMALS + 1].ljust(_PRICE_DECIMALS + 1, '0')}", 5, "price")
    price = (scaled + 5) // 10
    if price > PRICE_ONE:
        raise ValueError(f"price {text!r} is above 1")
    return price


def format_price(price: Price) -> str:
    """Shortest text of a price: ``5300`` is ``"0.53"``."""
    return _decimal(price, _PRICE_DECIMALS)


def format_size(size: Size) -> str:
    """Shortest text of a size: ``12_500_000`` is ``"12.5"``."""
    return _decimal(size, _MICRO_DECIMALS)


def format_money(money: Money) -> str:
    """Shortest text of an amount: ``-1_500_000`` is ``"-1.5"``."""
    return _decimal(money, _MICRO_DECIMALS)


def _decimal(units: int, decimals: int) -> str:
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**decimals)
    text = f"{whole}.{fraction:0{decimals}d}".rstrip("0").rstrip(".")
    return sign + text


def complement(price: Price) -> Price:
    """Price of the other outcome: YES at ``p`` is NO at ``1 - p``."""
    return PRICE_ONE - price


def notional(price: Price, size: Size) -> Money:
    """What ``size`` shares cost at ``price``, rounded down to a millionth of a pUSD."""
    return price * size // PRICE_ONE


def round_down(price: Price, tick: Price) -> Price:
    """Nearest price on the grid at or below."""
    return price - price % tick


def round_up(price: Price, tick: Price) -> Price:
    """Nearest price on the grid at or above."""
    return price + -price % tick
