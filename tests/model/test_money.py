"""Texts and integers: exact both ways, and nothing but plain decimals is read."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycore import (
    PRICE_ONE,
    SIZES,
    FeeSchedule,
    PriceText,
    complement,
    format_money,
    format_price,
    format_size,
    nearest_price,
    notional,
    parse_money,
    parse_price,
    parse_size,
    round_down,
    round_up,
)

prices = st.integers(0, PRICE_ONE)
sizes = st.integers(0, 10**15)


@given(prices)
def test_a_price_survives_its_text(price: int) -> None:
    assert parse_price(format_price(price)) == price
    assert Decimal(format_price(price)) * PRICE_ONE == price


@given(sizes)
def test_a_size_survives_its_text(size: int) -> None:
    assert parse_size(format_size(size)) == size
    assert Decimal(format_size(size)) * 10**6 == size


@given(st.integers(-(10**15), 10**15))
def test_the_text_of_an_amount_is_exact(money: int) -> None:
    assert Decimal(format_money(money)) * 10**6 == money


@given(prices, st.integers(0, 4))
def test_every_spelling_of_a_price_is_decoded_to_its_integer(price: int, zeros: int) -> None:
    text = format_price(price)
    if "." in text:
        text = (text + "0" * zeros)[: text.index(".") + 5]
    decoded = msgspec.json.decode(f'"{text}"', type=PriceText)
    assert type(decoded) is int
    assert decoded == price
    assert parse_price(text) == price


@pytest.mark.parametrize("text", ["", ".48", "0.48001", "1.1", "nan", "-0.5"])
def test_a_text_off_the_finest_grid_is_not_decoded(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f'"{text}"', type=PriceText)


def test_sizes_forget_their_texts_when_there_are_too_many() -> None:
    for number in range(70_000):
        parse_size(f"{number}.5")
    assert len(SIZES) < 70_000
    assert parse_size("1.5") == SIZES["1.5"] == 1_500_000


@pytest.mark.parametrize(
    "text", ["", ".", "nan", "inf", "-0.5", "+0.5", "1e-2", "0,5", "\u0660.\u0665", " 0.5", "0.5 ", "0x1"]
)
def test_what_is_not_a_plain_decimal_is_refused_by_name(text: str) -> None:
    for parse in (parse_price, parse_size, parse_money):
        with pytest.raises(ValueError, match="not a plain decimal"):
            parse(text)


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_price, "0.12345", "more than 4 decimals"),
        (parse_price, "1.0001", "above 1"),
        (parse_size, "1.1234567", "more than 6 decimals"),
    ],
)
def test_what_does_not_fit_the_unit_is_refused(parse: object, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)  # type: ignore[operator]


def test_trailing_zeros_past_the_unit_are_no_loss() -> None:
    assert parse_price("0.500000") == 5000
    assert parse_size("1.50000000") == 1_500_000


@pytest.mark.parametrize(
    ("text", "price"),
    [("0.0030000000012", 30), ("0.52999999999", 5300), ("0.00005", 1), ("0.00004", 0), ("1", 10_000)],
)
def test_noise_digits_round_to_the_grid(text: str, price: int) -> None:
    assert nearest_price(text) == price


@pytest.mark.parametrize("text", ["1.00005", "1.1", "2"])
def test_noise_digits_are_no_way_above_one(text: str) -> None:
    with pytest.raises(ValueError, match="above 1"):
        nearest_price(text)


@given(prices, st.sampled_from([1, 10, 25, 50, 100, 1000]))
def test_rounding_to_a_tick_brackets_the_price(price: int, tick: int) -> None:
    low, high = round_down(price, tick), round_up(price, tick)
    assert low <= price <= high
    assert low % tick == high % tick == 0
    assert high - low in (0, tick)


@given(prices, sizes)
def test_a_pair_costs_at_most_its_worth(price: int, size: int) -> None:
    assert 0 <= size - (notional(price, size) + notional(complement(price), size)) <= 1


@pytest.mark.parametrize(
    ("rate", "price", "size", "fee"),
    [
        (70_000, 5000, 100_000_000, 1_750_000),
        (70_000, 3000, 100_000_000, 1_470_000),
        (70_000, 9900, 100_000_000, 69_300),
        (50_000, 5000, 100_000_000, 1_250_000),
        (70_000, 5000, 1, 0),
        (0, 5000, 100_000_000, 0),
    ],
)
def test_the_taker_fee_is_the_venues_formula_to_five_decimals(rate: int, price: int, size: int, fee: int) -> None:
    assert FeeSchedule(rate).taker_fee(price, size) == fee


@given(prices, sizes, st.integers(0, 100_000))
def test_the_fee_is_symmetric_and_on_its_grid(price: int, size: int, rate: int) -> None:
    fee = FeeSchedule(rate).taker_fee(price, size)
    assert fee == FeeSchedule(rate).taker_fee(complement(price), size)
    assert fee % 10 == 0
    exact = Decimal(size) * rate * price * (PRICE_ONE - price) / (10**6 * PRICE_ONE**2)
    assert abs(Decimal(fee) - exact) <= 5
