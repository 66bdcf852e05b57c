"""The fair value: inside the book, blind to our own orders and to dust."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from polycore import PRICE_ONE, SIZE_ONE, Depth, Side
from polycore_mm.fair_value import FairValue, NoQuote, OwnLevels, fair_value, log_odds, own_levels

NOTHING = OwnLevels({}, {})
SIZES = st.integers(1, 10**12)


@st.composite
def depths(draw: st.DrawFn) -> Depth:
    prices = sorted(draw(st.sets(st.integers(1, PRICE_ONE - 1), min_size=2, max_size=12)))
    cut = draw(st.integers(1, len(prices) - 1))
    bids = tuple((price, draw(SIZES)) for price in reversed(prices[:cut]))
    asks = tuple((price, draw(SIZES)) for price in prices[cut:])
    return Depth(bids, asks, 2)


def valued(depth: Depth, own: OwnLevels = NOTHING, levels: int = 3, dust: int = 0) -> FairValue:
    value = fair_value(depth, own, levels=levels, dust=dust)
    assert isinstance(value, FairValue)
    return value


@given(depths(), st.integers(1, 5))
def test_value_lies_between_the_best_prices(depth, levels):
    value = fair_value(depth, NOTHING, levels=levels, dust=0)
    assert isinstance(value, FairValue)
    assert (value.bid, value.ask) == (depth.bids[0][0], depth.asks[0][0])
    assert value.bid - 1e-6 <= value.price <= value.ask + 1e-6


@given(depths(), SIZES)
def test_more_size_on_the_bid_never_lowers_the_value(depth, more):
    heavier = Depth(((depth.bids[0][0], depth.bids[0][1] + more), *depth.bids[1:]), depth.asks, 2)
    before, after = valued(depth), valued(heavier)
    assert after.log_odds >= before.log_odds - 1e-9


@given(depths(), st.data())
def test_our_own_orders_change_nothing(depth, data):
    """Adding our own size to any levels, even better ones, and taking it out again leaves the value where it was."""
    bid, ask = depth.bids[0][0], depth.asks[0][0]
    own_bids = data.draw(st.dictionaries(st.integers(1, ask - 1), SIZES, max_size=3))
    own_asks = data.draw(st.dictionaries(st.integers(bid + 1, PRICE_ONE - 1), SIZES, max_size=3))
    assume(max(own_bids, default=0) < min(own_asks, default=PRICE_ONE))
    bids, asks = dict(depth.bids), dict(depth.asks)
    for side, own in ((bids, own_bids), (asks, own_asks)):
        for price, size in own.items():
            side[price] = side.get(price, 0) + size
    seen = Depth(tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items())), 2)
    assert fair_value(seen, OwnLevels(own_bids, own_asks), levels=3, dust=0) == fair_value(
        depth, NOTHING, levels=3, dust=0
    )


def test_weighted_mid_leans_towards_the_smaller_side():
    depth = Depth(((5000, 30 * SIZE_ONE),), ((5100, 10 * SIZE_ONE),), 2)
    assert round(valued(depth).price, 6) == 5075


def test_dust_in_front_is_skipped():
    clean = Depth(((5000, 30 * SIZE_ONE),), ((5100, 30 * SIZE_ONE),), 2)
    dusty = Depth(((5050, SIZE_ONE), *clean.bids), ((5090, SIZE_ONE), *clean.asks), 2)
    value = fair_value(dusty, NOTHING, levels=1, dust=5 * SIZE_ONE)
    assert value == fair_value(clean, NOTHING, levels=1, dust=5 * SIZE_ONE)


def test_a_side_of_nothing_but_our_own_order_is_empty():
    depth = Depth(((5000, SIZE_ONE),), ((5100, SIZE_ONE),), 2)
    found = fair_value(depth, OwnLevels({}, {5100: SIZE_ONE}), levels=3, dust=0)
    assert found == NoQuote("the book is one-sided", "no asks by others")


def test_a_crossed_book_has_no_value():
    depth = Depth(((5100, SIZE_ONE),), ((5100, SIZE_ONE),), 2)
    found = fair_value(depth, NOTHING, levels=3, dust=0)
    assert isinstance(found, NoQuote)
    assert found.reason == "the book is crossed"


@pytest.mark.parametrize(("bid", "ask"), [(0, 5100), (5000, PRICE_ONE), (0, PRICE_ONE)])
def test_a_book_that_leaves_zero_to_one_has_no_value(bid, ask):
    found = fair_value(Depth(((bid, SIZE_ONE),), ((ask, SIZE_ONE),), 2), NOTHING, levels=3, dust=0)
    assert isinstance(found, NoQuote)
    assert found.reason == "the book leaves (0, 1)"


def test_orders_on_either_token_are_counted_in_the_first_outcome(make_world):
    world = make_world()
    yes, no = world.market.assets
    orders = [
        world.rest(yes, Side.BUY, 4000, 10 * SIZE_ONE),
        world.rest(no, Side.SELL, 6000, 5 * SIZE_ONE),
        world.rest(no, Side.BUY, 4000, 7 * SIZE_ONE),
        world.rest(yes, Side.SELL, 6000, 8 * SIZE_ONE),
    ]
    assert own_levels(orders, world.market) == OwnLevels({4000: 15 * SIZE_ONE}, {6000: 15 * SIZE_ONE})
    assert log_odds(PRICE_ONE / 2) == 0
