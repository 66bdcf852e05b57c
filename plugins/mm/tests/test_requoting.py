"""Patience: what moves a quote, and what does not. Prices in the examples: tick 0.01, reservation 0.50."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycore import SIZE_ONE, Quote, Side
from polycore_mm.config import MarketMakerConfig
from polycore_mm.requoting import Moment, Resting, settle

CONFIG = MarketMakerConfig()
OLD, YOUNG = Moment(10**10, True), Moment(10**8, True)
COOLING = Moment(10**10, False)
WANTED = Quote(4800, 20 * SIZE_ONE)


def bid(price: int, shares: float, moment: Moment, wanted: Quote | None = WANTED) -> Quote | None:
    return settle(Side.BUY, wanted, Resting(price, round(shares * SIZE_ONE)), 5000.0, 100, moment, CONFIG)


@pytest.mark.parametrize(
    ("price", "shares", "moment", "expected"),
    [
        pytest.param(4800, 20, OLD, WANTED, id="right where it should be"),
        pytest.param(4700, 20, OLD, Quote(4700, 20 * SIZE_ONE), id="one tick too far stays"),
        pytest.param(4600, 20, OLD, WANTED, id="two ticks too far moves up"),
        pytest.param(4600, 20, YOUNG, Quote(4600, 20 * SIZE_ONE), id="too young to move up"),
        pytest.param(4900, 20, OLD, WANTED, id="one tick too close moves away"),
        pytest.param(4900, 20, YOUNG, Quote(4900, 20 * SIZE_ONE), id="too young to move away"),
        pytest.param(5000, 20, YOUNG, WANTED, id="at the reservation price moves at once"),
        pytest.param(5200, 20, YOUNG, WANTED, id="past the reservation price moves at once"),
        pytest.param(4750, 20, YOUNG, WANTED, id="off the grid moves at once"),
        pytest.param(4800, 16, OLD, Quote(4800, 16 * SIZE_ONE), id="a little filled stays"),
        pytest.param(4800, 14, OLD, WANTED, id="much filled is renewed"),
        pytest.param(4800, 14, YOUNG, Quote(4800, 14 * SIZE_ONE), id="much filled but young stays"),
        pytest.param(4800, 26, YOUNG, WANTED, id="too large shrinks at once"),
        pytest.param(4800, 14, COOLING, Quote(4800, 14 * SIZE_ONE), id="cooling: what is left stays"),
        pytest.param(4600, 20, COOLING, Quote(4600, 20 * SIZE_ONE), id="cooling: nothing moves up"),
        pytest.param(4900, 20, COOLING, None, id="cooling: too close is withdrawn"),
        pytest.param(5000, 20, COOLING, None, id="cooling: danger is withdrawn"),
    ],
)
def test_a_resting_bid(price, shares, moment, expected):
    assert bid(price, shares, moment) == expected


def test_nothing_wanted_withdraws():
    assert bid(4800, 20, OLD, wanted=None) is None


def test_nothing_rests_places_what_is_wanted_unless_cooling():
    assert settle(Side.BUY, WANTED, None, 5000.0, 100, YOUNG, CONFIG) == WANTED
    assert settle(Side.BUY, WANTED, None, 5000.0, 100, COOLING, CONFIG) is None


MOMENTS = st.builds(Moment, st.integers(0, 10**10), st.booleans())
STEPS = st.integers(1, 99)
SIZES = st.integers(1, 100).map(lambda count: count * SIZE_ONE)


@given(STEPS, SIZES, STEPS, SIZES, st.floats(1, 9_999), MOMENTS)
def test_an_ask_is_treated_as_a_bid_in_the_mirror(price, size, target, wanted, reservation, moment):
    straight = settle(
        Side.BUY, Quote(target * 100, wanted), Resting(price * 100, size), reservation, 100, moment, CONFIG
    )
    turned = settle(
        Side.SELL,
        Quote(10_000 - target * 100, wanted),
        Resting(10_000 - price * 100, size),
        10_000 - reservation,
        100,
        moment,
        CONFIG,
    )
    assert (straight and (straight.price, straight.size)) == (turned and (10_000 - turned.price, turned.size))


@given(STEPS, SIZES, STEPS, SIZES, st.floats(1, 9_999), MOMENTS)
def test_what_comes_out_is_what_rests_or_what_is_wanted_and_what_stays_is_safe(
    price, size, target, wanted, reservation, moment
):
    rests, wants = Resting(price * 100, size), Quote(target * 100, wanted)
    found = settle(Side.BUY, wants, rests, reservation, 100, moment, CONFIG)
    assert found in (None, wants, Quote(rests.price, rests.size))
    if found is not None and found != wants:
        assert found.price < reservation
        assert found.size <= wants.size * (1 + CONFIG.size_tolerance)
    if not moment.may_add:
        assert found in (None, Quote(rests.price, rests.size))
