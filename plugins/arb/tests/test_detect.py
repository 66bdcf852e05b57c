"""Finding sets: exact, complete, and never fooled by one book seen twice."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycore import (
    PRICE_ONE,
    SIZE_ONE,
    AssetId,
    Depth,
    EventId,
    FeeSchedule,
    Market,
    MarketId,
    Outcome,
    PlaceOrder,
    Side,
)
from polycore_arb.detect import (
    COST_ONE,
    Candidate,
    Kind,
    Levels,
    NoTrade,
    mirrored,
    no_set,
    own_offers,
    pair,
    reachable,
    share_cost,
    touch_edge,
    walk,
    yes_set,
)
from polycore_arb.watching import bids_of

FEES = st.builds(FeeSchedule, rate_millionths=st.integers(0, 250_000), exponent=st.integers(1, 2))


def market(number: int, fee: FeeSchedule) -> Market:
    yes, no = (Outcome(AssetId(f"{number}-{label}"), label) for label in ("Yes", "No"))
    return Market(MarketId(str(number)), f"m{number}", "?", yes, no, event=EventId("e"), event_complete=True, fee=fee)


@st.composite
def asks(draw: st.DrawFn, biggest: int = 10**9) -> Levels:
    prices = draw(st.sets(st.integers(1, PRICE_ONE - 1), min_size=1, max_size=4))
    return tuple((price, draw(st.integers(1, biggest))) for price in sorted(prices))


@st.composite
def candidates(draw: st.DrawFn, biggest: int = 10**9) -> Candidate:
    kind = draw(st.sampled_from(Kind))
    if kind is Kind.PAIR:
        return pair(market(0, draw(FEES)), draw(asks(biggest)), draw(asks(biggest)))
    count = draw(st.integers(2, 4))
    legs = [(market(i, draw(FEES)), draw(asks(biggest))) for i in range(count)]
    return yes_set(legs) if kind is Kind.YES_SET else no_set(legs)


def exact_cost(price: int, fee: FeeSchedule) -> Fraction:
    p = Fraction(price, PRICE_ONE)
    return p + Fraction(fee.rate_millionths, 10**6) * (p * (1 - p)) ** fee.exponent


@given(st.integers(1, PRICE_ONE - 1), FEES)
def test_cost_of_a_share_is_never_below_the_exact_one_and_hardly_above(price, fee):
    cost = Fraction(share_cost(price, fee), COST_ONE)
    assert 0 <= cost - exact_cost(price, fee) <= Fraction(2, 10**11)


@given(candidates(biggest=20), st.integers(1, 500), st.integers(0, 60))
def test_walk_buys_what_buying_share_by_share_would(candidate, minimum_edge, most):
    """The reference lays every share of each leg in a row and takes one of each while that set pays."""
    rows = [[price for price, size in leg.asks for _ in range(size)] for leg in candidate.legs]
    taken: list[tuple[int, ...]] = []
    for prices in zip(*rows, strict=False):
        cost = sum(leg.cost(price) for leg, price in zip(candidate.legs, prices, strict=True))
        if len(taken) == most or cost > (candidate.payoff - minimum_edge) * COST_ONE // PRICE_ONE:
            break
        taken.append(prices)
    walked = [t.prices for t in walk(candidate, minimum_edge, most) for _ in range(t.size)]
    assert walked == taken


@pytest.mark.parametrize(("minimum_edge", "walked"), [(400, 1), (401, 0)])
def test_a_set_that_earns_exactly_the_least_edge_is_bought(minimum_edge, walked):
    candidate = yes_set([(market(i, FeeSchedule()), ((3200, SIZE_ONE),)) for i in range(3)])
    assert len(walk(candidate, minimum_edge, SIZE_ONE)) == walked


@given(candidates(), st.integers(1, 100))
def test_walk_counts_on_no_more_than_the_share_of_each_level(candidate, percent):
    tranches = walk(candidate, -PRICE_ONE * 5, 10**15, percent)
    for index, leg in enumerate(candidate.legs):
        for price, size in leg.asks:
            used = sum(t.size for t in tranches if t.prices[index] == price)
            assert used <= size * percent // 100
    assert all(t.size > 0 for t in tranches)


@st.composite
def depths(draw: st.DrawFn) -> Depth:
    prices = sorted(draw(st.sets(st.integers(1, PRICE_ONE - 1), min_size=2, max_size=10)))
    cut = draw(st.integers(1, len(prices) - 1))
    sizes = st.integers(1, 10**12)
    return Depth(
        tuple((p, draw(sizes)) for p in reversed(prices[:cut])), tuple((p, draw(sizes)) for p in prices[cut:]), 2
    )


def flip(depth: Depth) -> Depth:
    bids, asks = (tuple((PRICE_ONE - p, s) for p, s in side) for side in (depth.asks, depth.bids))
    return Depth(bids, asks, 2)


@given(depths(), FEES)
def test_one_book_seen_twice_never_offers_a_pair_below_one(depth, fee):
    other = flip(depth)
    assert mirrored(depth, other)
    edge = touch_edge(pair(market(0, fee), depth.asks, other.asks))
    assert isinstance(edge, int)
    assert edge < 0


@given(depths(), st.data())
def test_a_single_different_size_is_no_mirror(depth, data):
    other = flip(depth)
    index = data.draw(st.integers(0, len(other.asks) - 1))
    changed = tuple((p, s + (i == index)) for i, (p, s) in enumerate(other.asks))
    assert not mirrored(depth, other._replace(asks=changed))


def test_a_leg_without_offers_is_named():
    found = touch_edge(yes_set([(market(0, FeeSchedule()), ((4000, 1),)), (market(1, FeeSchedule()), ())]))
    assert isinstance(found, NoTrade)
    assert found.reason == "a leg is not offered, or only behind our own quotes"


@pytest.mark.parametrize(("kind", "payoff"), [("yes", PRICE_ONE), ("no", 2 * PRICE_ONE)])
def test_what_a_set_of_three_pays(kind, payoff):
    legs = [(market(i, FeeSchedule()), ((3000, SIZE_ONE),)) for i in range(3)]
    assert (yes_set(legs) if kind == "yes" else no_set(legs)).payoff == payoff


def test_nothing_is_reachable_at_or_behind_our_own_best_offer(make_world, make_market):
    world = make_world([make_market("ann")])
    yes, no = world.markets["ann"].assets
    places = [
        PlaceOrder(yes, Side.SELL, 6200, 5 * SIZE_ONE),
        PlaceOrder(no, Side.BUY, 4000, 7 * SIZE_ONE),
        PlaceOrder(yes, Side.BUY, 3000, 9 * SIZE_ONE),
    ]
    orders = [world.track(place) for place in places]
    assert own_offers(orders, yes) == {6200, 6000}
    assert own_offers(orders, no) == {7000}
    levels = ((5900, 1), (6000, 12 * SIZE_ONE), (6100, 1))
    assert reachable(levels, {6200, 6000}) == ((5900, 1),)
    assert reachable(levels, {5950}) == ((5900, 1),), "ours need not show in the book yet"
    assert reachable(levels, set()) == levels
    world.book("ann", {2900: 1, 3000: 9, 3100: 5}, {6000: 7})
    assert bids_of(yes, world.markets["ann"], world.context) == ((3100, 5),)
    assert bids_of(no, world.markets["ann"], world.context) == ()
