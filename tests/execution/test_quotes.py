"""Wanted quotes against live orders."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polycore import (
    Approved,
    AssetId,
    ClientOrderId,
    Market,
    MarketId,
    OrderState,
    Outcome,
    PlaceOrder,
    Quote,
    SetQuotes,
    Side,
)
from polycore.cache.orders import Orders
from polycore.execution.quotes import difference

SHARE = 1_000_000
MARKET = Market(MarketId("0xm"), "rain", "Rain?", Outcome(AssetId("1"), "Yes"), Outcome(AssetId("2"), "No"))
YES, NO = MARKET.assets


class Live:
    """Orders that rest, and what becomes of them when actions are carried out."""

    def __init__(self):
        self.orders = Orders()
        self.number = 0

    def place(self, order, matched=0):
        self.number += 1
        tracked = self.orders.track(Approved(ClientOrderId(f"mm-{self.number}"), "mm", MARKET.id, order))
        self.orders.move(tracked, OrderState.SENT)
        self.orders.move(tracked, OrderState.LIVE, matched=matched)
        return tracked

    def carry_out(self, actions):
        for order in actions.cancels:
            self.orders.move(order, OrderState.CANCELLED)
        for order in actions.places:
            self.place(order)

    @property
    def list(self):
        return list(self.orders.open())

    def offers(self):
        """Size by side and price, seen from YES."""
        found: dict[tuple[Side, int], int] = {}
        for order in self.list:
            if order.remaining:
                up = (order.side is Side.BUY) == (order.place.asset == YES)
                key = Side.BUY if up else Side.SELL, order.price if order.place.asset == YES else 10_000 - order.price
                found[key] = found.get(key, 0) + order.remaining
        return found


def quotes(bids=(), asks=()):
    return SetQuotes(YES, tuple(Quote(p, s * SHARE) for p, s in bids), tuple(Quote(p, s * SHARE) for p, s in asks))


def short(places):
    return [(order.side, order.asset, order.price, order.size // SHARE) for order in places]


def test_quotes_are_post_only_and_rest():
    actions = difference(quotes([(4_800, 10)]), MARKET, [], 0)
    assert actions.places == (PlaceOrder(YES, Side.BUY, 4_800, 10 * SHARE, post_only=True),)


def test_an_ask_without_inventory_is_a_purchase_of_the_other_token():
    actions = difference(quotes([], [(5_300, 10)]), MARKET, [], 0)
    assert short(actions.places) == [(Side.BUY, NO, 4_700, 10)]


@pytest.mark.parametrize(
    ("sellable", "expected"),
    [
        (20, [(Side.SELL, YES, 5_300, 20)]),
        (12, [(Side.SELL, YES, 5_300, 12), (Side.BUY, NO, 4_700, 8)]),
        (17, [(Side.SELL, YES, 5_300, 15), (Side.BUY, NO, 4_700, 5)]),  # neither part below the minimum of 5
        (4, [(Side.BUY, NO, 4_700, 20)]),
        (-3, [(Side.BUY, NO, 4_700, 20)]),
    ],
)
def test_an_ask_is_sold_from_inventory_as_far_as_it_goes(sellable, expected):
    assert short(difference(quotes([], [(5_300, 20)]), MARKET, [], sellable * SHARE).places) == expected


def test_the_best_ask_has_the_inventory_first():
    actions = difference(quotes([], [(5_400, 10), (5_300, 10)]), MARKET, [], 10 * SHARE)
    assert short(actions.places) == [(Side.SELL, YES, 5_300, 10), (Side.BUY, NO, 4_600, 10)]


def test_an_order_that_matches_stays_whatever_the_inventory_became():
    live = Live()
    live.place(PlaceOrder(NO, Side.BUY, 4_700, 10 * SHARE))
    actions = difference(quotes([], [(5_300, 10)]), MARKET, live.list, 50 * SHARE)
    assert (actions.cancels, actions.places) == ((), ())


def test_what_is_not_wanted_any_more_is_cancelled():
    live = Live()
    old = live.place(PlaceOrder(YES, Side.BUY, 4_800, 10 * SHARE))
    actions = difference(quotes([(4_700, 10)]), MARKET, live.list, 0)
    assert actions.cancels == (old,)
    assert short(actions.places) == [(Side.BUY, YES, 4_700, 10)]


def test_a_partly_filled_quote_stays_within_the_tolerance_and_keeps_its_place():
    live = Live()
    live.place(PlaceOrder(YES, Side.BUY, 4_800, 10 * SHARE), matched=2 * SHARE)
    assert difference(quotes([(4_800, 10)]), MARKET, live.list, 0, 20) == difference(quotes(), MARKET, [], 0)
    assert difference(quotes([(4_800, 10)]), MARKET, live.list, 0, 10).cancels


def test_a_shortage_of_at_least_the_minimum_is_added_behind():
    live = Live()
    live.place(PlaceOrder(YES, Side.BUY, 4_800, 10 * SHARE), matched=6 * SHARE)
    actions = difference(quotes([(4_800, 10)]), MARKET, live.list, 0)
    assert actions.cancels == ()
    assert short(actions.places) == [(Side.BUY, YES, 4_800, 6)]


def test_an_order_being_cancelled_or_filled_up_counts_as_gone():
    live = Live()
    live.place(PlaceOrder(YES, Side.BUY, 4_800, 10 * SHARE)).cancelling = True
    live.place(PlaceOrder(YES, Side.BUY, 4_800, 10 * SHARE), matched=10 * SHARE)
    actions = difference(quotes([(4_800, 10)]), MARKET, live.list, 0)
    assert actions.cancels == ()
    assert short(actions.places) == [(Side.BUY, YES, 4_800, 10)]


def test_an_order_with_nothing_left_to_fill_is_not_cancelled():
    live = Live()
    live.place(PlaceOrder(YES, Side.BUY, 4_800, 10 * SHARE), matched=10 * SHARE)
    assert difference(quotes(), MARKET, live.list, 0).cancels == ()


def test_of_several_orders_at_a_price_the_one_that_fits_stays():
    live = Live()
    small, fitting = (live.place(PlaceOrder(YES, Side.BUY, 4_800, size * SHARE)) for size in (6, 10))
    actions = difference(quotes([(4_800, 10)]), MARKET, live.list, 0)
    assert (actions.cancels, actions.places) == ((small,), ())
    assert fitting in live.list


def test_of_several_orders_at_a_price_those_that_add_up_to_what_is_wanted_stay():
    live = Live()
    five, again, large = (live.place(PlaceOrder(YES, Side.BUY, 4_800, size * SHARE)) for size in (5, 5, 20))
    actions = difference(quotes([(4_800, 10)]), MARKET, live.list, 0)
    assert (actions.cancels, actions.places) == ((large,), ())
    assert {five, again} <= set(live.list)


def test_inventory_that_a_resting_sale_has_promised_is_not_sold_twice():
    live = Live()
    live.place(PlaceOrder(YES, Side.SELL, 5_300, 10 * SHARE))
    actions = difference(quotes([], [(5_300, 10), (5_400, 10)]), MARKET, live.list, 15 * SHARE)
    assert short(actions.places) == [(Side.SELL, YES, 5_400, 5), (Side.BUY, NO, 4_600, 5)]


def test_own_quotes_never_cross():
    actions = difference(quotes([(5_000, 10)], [(4_900, 10), (5_000, 10), (5_100, 10)]), MARKET, [], 0)
    assert short(actions.places) == [(Side.BUY, YES, 5_000, 10), (Side.BUY, NO, 4_900, 10)]


def test_a_quote_of_no_size_is_no_quote_and_hides_none_of_the_other_side():
    actions = difference(quotes([(5_000, 0)], [(4_900, 10), (5_100, 0)]), MARKET, [], 0)
    assert short(actions.places) == [(Side.BUY, NO, 5_100, 10)]


# ── Properties ─────────────────────────────────────────────────────────────────

_prices = st.integers(45, 55).map(lambda p: p * 100)
# Hundredths of a share, at least the minimum; round ones too, so that orders at a price add up to what is wanted.
_sizes = st.one_of(st.integers(500, 3_000), st.sampled_from([500, 1_000, 1_500, 2_000]))
_levels = st.lists(st.tuples(_prices, _sizes), max_size=4, unique_by=lambda level: level[0])


@st.composite
def _wanted(draw):
    bids, asks = draw(_levels), draw(_levels)
    return SetQuotes(
        YES, tuple(Quote(p, s * 10_000) for p, s in bids), tuple(Quote(p, s * 10_000) for p, s in asks)
    )  # fmt: skip


@st.composite
def _resting(draw):
    side, asset = draw(st.sampled_from([(Side.BUY, YES), (Side.SELL, YES), (Side.BUY, NO)]))
    size = draw(_sizes) * 10_000
    return PlaceOrder(asset, side, draw(_prices), size), draw(st.integers(0, size // 10_000)) * 10_000


_scenes = st.tuples(_wanted(), st.lists(_resting(), max_size=6), st.integers(0, 40).map(lambda s: s * SHARE))


def _expected(wanted):
    best = max((quote.price for quote in wanted.bids), default=-1)
    expected = {(Side.BUY, quote.price): quote.size for quote in wanted.bids}
    return expected | {(Side.SELL, quote.price): quote.size for quote in wanted.asks if quote.price > best}


@settings(max_examples=200, deadline=None)
@given(_scenes)
def test_carrying_out_the_actions_gives_what_was_wanted(scene):
    wanted, resting, sellable = scene
    live = Live()
    for order, matched in resting:
        live.place(order, matched)
    live.carry_out(difference(wanted, MARKET, live.list, sellable))
    assert live.offers() == _expected(wanted)


@settings(max_examples=200, deadline=None)
@given(_scenes, st.integers(0, 30))
def test_a_second_difference_is_empty(scene, tolerance):
    wanted, resting, sellable = scene
    live = Live()
    for order, matched in resting:
        live.place(order, matched)
    live.carry_out(difference(wanted, MARKET, live.list, sellable, tolerance))
    assert difference(wanted, MARKET, live.list, sellable, tolerance) == difference(SetQuotes(YES), MARKET, [], 0)
    for key, size in _expected(wanted).items():
        assert abs(live.offers().get(key, 0) - size) <= size * tolerance // 100
    assert live.offers().keys() == _expected(wanted).keys()


@settings(max_examples=200, deadline=None)
@given(_scenes, st.integers(0, 30))
def test_nothing_identical_is_cancelled_and_placed_again(scene, tolerance):
    wanted, resting, sellable = scene
    live = Live()
    for order, matched in resting:
        live.place(order, matched)
    actions = difference(wanted, MARKET, live.list, sellable, tolerance)
    gone = {(o.side, o.place.asset, o.price, o.remaining) for o in actions.cancels}
    assert gone.isdisjoint({(o.side, o.asset, o.price, o.size) for o in actions.places})
    assert all(order.size >= MARKET.minimum_size for order in actions.places)


def test_a_level_made_anew_spares_the_order_that_it_would_place_again():
    """Found by the property above: 10.01 wanted, 5 and 5 rest, 6 can be sold: the sale replaces one of the two."""
    live = Live()
    for _ in range(2):
        live.place(PlaceOrder(NO, Side.BUY, 4500, 5_000_000))
    wanted = SetQuotes(YES, asks=(Quote(5500, 10_010_000),))
    actions = difference(wanted, MARKET, live.list, 6_000_000)
    assert [order.remaining for order in actions.cancels] == [5_000_000]
    assert [(o.side, o.asset, o.size) for o in actions.places] == [(Side.SELL, YES, 5_010_000)]


@settings(max_examples=200, deadline=None)
@given(_scenes)
def test_sales_never_exceed_the_inventory(scene):
    wanted, resting, sellable = scene
    live = Live()
    for order, matched in resting:
        if order.side is Side.BUY:
            live.place(order, matched)
    live.carry_out(difference(wanted, MARKET, live.list, sellable))
    assert sum(order.remaining for order in live.list if order.side is Side.SELL) <= sellable
