"""Amounts in settings: written as text, held as exact integers.

Owns three types for the fields of settings, and nothing else. They exist in annotations and as ``Shares("10")`` only:
the value is a plain ``int`` in the unit of :mod:`polycore.model.money`, so that it goes wherever a ``Size``, ``Money``
or ``Price`` is wanted and every encoder takes it. A number without quotes is refused in settings: TOML would read
``0.1`` as a float.
"""

from typing import ClassVar, Self

from polycore.model.money import (
    Money,
    Price,
    Size,
    format_money,
    format_price,
    format_size,
    parse_money,
    parse_price,
    parse_size,
)


class _Unit(type):
    """Makes every plain integer an instance, because that is what the types below make: they have none of their own."""

    def __instancecheck__(cls, value: object) -> bool:
        return type(value) is int


class Amount(int, metaclass=_Unit):
    """What the three have in common. Raises ``ValueError`` for a text that is not such an amount."""

    what: ClassVar[str]
    example: ClassVar[str]

    def __new__(cls, text: str) -> Self:
        return cls.parse(text)  # type: ignore[return-value]  # a plain int, see above

    @staticmethod
    def parse(text: str) -> int:
        """Units of a text."""
        raise NotImplementedError

    @staticmethod
    def format(units: int) -> str:
        """Shortest text of units."""
        raise NotImplementedError


class Shares(Amount):
    """A size in settings: ``Shares("12.5")`` is 12_500_000, in millionths of a share."""

    what = "a number of shares"
    example = "50"

    @staticmethod
    def parse(text: str) -> Size:
        return parse_size(text)

    @staticmethod
    def format(units: Size) -> str:
        return format_size(units)


class Dollars(Amount):
    """An amount of pUSD in settings: ``Dollars("2.5")`` is 2_500_000, in millionths."""

    what = "an amount of pUSD"
    example = "25"

    @staticmethod
    def parse(text: str) -> Money:
        return parse_money(text)

    @staticmethod
    def format(units: Money) -> str:
        return format_money(units)


class PriceValue(Amount):
    """A price, or a distance of prices, in settings: ``PriceValue("0.01")`` is 100, in ten-thousandths of a pUSD."""

    what = "a price"
    example = "0.01"

    @staticmethod
    def parse(text: str) -> Price:
        return parse_price(text)

    @staticmethod
    def format(units: Price) -> str:
        return format_price(units)


def amount_from(kind: type[Amount], value: object) -> int:
    """Units of a setting's value. Raises ``ValueError`` that says what was found and how to write it."""
    if not isinstance(value, str):
        raise ValueError(f'expected {kind.what} as text, such as "{kind.example}", found {value!r} without quotes')
    try:
        return kind.parse(value)
    except ValueError as error:
        raise ValueError(f'expected {kind.what}, such as "{kind.example}": {error}') from None
