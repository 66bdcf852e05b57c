"""Sizing: a basket that is bought profits in every state of the world, and the venue would take its orders."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from polycore import (
    FREE,
    MONEY_ONE,
    PRICE_ONE,
    SIZE_ONE,
    AssetId,
    EventId,
    FeeSchedule,
    Market,
    MarketId,
    Outcome,
    Side,
    parse_money,
    parse_size,
)
from polycore_arb.detect import Candidate, Kind, Leg, NoTrade, no_set, pair, walk, yes_set
from polycore_arb.sizing import BasketPlan, complete, size_basket, step, unwind

FEES = st.builds(FeeSchedule, rate_millionths=st.integers(0, 100_000))


def market(number: int, fee: FeeSchedule = FREE) -> Market:
    yes, no = (Outcome(AssetId(f"{number}-{label}"), label) for label in ("Yes", "No"))
    return Market(MarketId(str(number)), f"m{number}", "?", yes, no, event=EventId("e"), event_complete=True, fee=fee)


@st.composite
def bargains(draw: st.DrawFn) -> Candidate:
    """Sets whose first levels add up to a little less than they pay, on the grids of the venue."""
    kind, grid = draw(st.sampled_from(Kind)), draw(st.sampled_from([10, 50, 100, 100, 100]))
    count = 2 if kind is Kind.PAIR else draw(st.integers(2, 5))
    pays = PRICE_ONE * (count - 1 if kind is Kind.NO_SET else 1)
    fair = pays // count
    legs = []
    for _ in range(count):
        best = max(fair - draw(st.integers(200, 1_500)), grid) // grid * grid
        steps = draw(st.lists(st.integers(1, 5), min_size=0, max_size=3))
        prices, price = [best], best
        for more in steps:
            price += more * grid
            if price < PRICE_ONE:
                prices.append(price)
        legs.append(tuple((p, draw(st.integers(20_000, 900_000)) * 1_000) for p in prices))
    fees = [draw(FEES) for _ in range(count)]
    if kind is Kind.PAIR:
        return pair(market(0, fees[0]), legs[0], legs[1])
    made = [(market(i, fee), leg) for i, (fee, leg) in enumerate(zip(fees, legs, strict=True))]
    return yes_set(made) if kind is Kind.YES_SET else no_set(made)


def payouts(candidate: Candidate) -> Iterator[int]:
    """What one set pays in each state of the world, in whole pUSD, from the rules of the event alone."""
    markets = list({leg.market.id: leg.market for leg in candidate.legs}.values())
    outside = [None] if candidate.kind in (Kind.NO_SET, Kind.PAIR) else []
    for winner in [*markets, *outside]:
        yield sum(1 for leg in candidate.legs if (leg.asset == leg.market.first.asset) == (leg.market is winner))


def cost_of(candidate: Candidate, plan: BasketPlan, at_limit: bool) -> int:
    """Pay for the basket against the books, a fill a level, as the venue charges: notional and rounded fee."""
    total = 0
    for order in plan.legs:
        leg = next(leg for leg in candidate.legs if leg.asset == order.asset)
        left = order.size
        for price, size in leg.asks:
            part = min(left, size)
            if not part:
                break
            assert price <= order.price, "the limit does not reach the depth that was counted on"
            at = order.price if at_limit else price
            total += -(-at * part // PRICE_ONE) + leg.market.fee.taker_fee(at, part)
            left -= part
        assert not left, "more than is offered"
    return total


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(bargains(), st.integers(1, 200), st.integers(20, 500), st.integers(50, 100))
def test_a_basket_profits_in_every_state_of_the_world(candidate, edge, budget, percent):
    tranches = walk(candidate, edge, 200 * SIZE_ONE, percent)
    plan = size_basket(candidate, tranches, budget * MONEY_ONE, 1)
    assume(isinstance(plan, BasketPlan))
    assert isinstance(plan, BasketPlan)
    paid = cost_of(candidate, plan, at_limit=False)
    worst = min(payouts(candidate)) * plan.size
    assert paid <= plan.cost <= budget * MONEY_ONE
    assert sum(order.money for order in plan.legs) <= budget * MONEY_ONE
    assert worst == plan.payoff
    assert worst - paid >= plan.profit > 0
    assert worst - cost_of(candidate, plan, at_limit=True) > 0
    for order in plan.legs:
        assert order.side is Side.BUY
        assert order.size == plan.size >= order.market.minimum_size
        assert order.price * order.size >= MONEY_ONE * PRICE_ONE
        assert order.price * order.size % (10_000 * PRICE_ONE) == 0, "a marketable BUY pays whole cents"
        assert order.size % 10_000 == 0


@given(st.integers(1, PRICE_ONE - 1), st.sampled_from(Side), st.integers(1, 400))
def test_step_is_the_smallest_size_that_the_venue_takes(price, side, count):
    """BUY: money of 2 decimals, shares of 4. SELL: shares of 2 decimals, money of 4."""
    size = count * 10_000
    money_decimals = 10_000 if side is Side.BUY else 100
    fits = price * size % (money_decimals * PRICE_ONE) == 0
    assert fits == (size % step(price, side) == 0)


LEGS = [(market(i), ((3_100, 100 * SIZE_ONE), (3_300, 100 * SIZE_ONE))) for i in range(3)]


def sized(candidate: Candidate, budget: str = "1000", least: str = "0.1", edge: int = 50) -> BasketPlan | NoTrade:
    tranches = walk(candidate, edge, 1_000 * SIZE_ONE)
    return size_basket(candidate, tranches, parse_money(budget), parse_money(least))


def test_takes_the_second_level_when_it_still_pays():
    plan = sized(yes_set(LEGS))
    assert isinstance(plan, BasketPlan)
    assert plan.size == 200 * SIZE_ONE
    assert {order.price for order in plan.legs} == {3_300}
    assert plan.payoff == 200 * MONEY_ONE
    assert plan.profit == parse_money("7.99994")  # 100 x 0.07 + 100 x 0.01, less a fee step for each of 6 slices


def test_stops_before_the_level_that_does_not():
    plan = sized(yes_set(LEGS), edge=200)
    assert isinstance(plan, BasketPlan)
    assert plan.size == 100 * SIZE_ONE
    assert {order.price for order in plan.legs} == {3_100}


def test_the_thinnest_leg_goes_first():
    thin = (market(3), ((500, 30 * SIZE_ONE),))
    plan = sized(yes_set([*LEGS[:2], thin]))
    assert isinstance(plan, BasketPlan)
    assert plan.legs[0].market.slug == "m3"


@pytest.mark.parametrize(
    ("candidate", "budget", "least", "reason"),
    [
        pytest.param(yes_set(LEGS), "0.5", "0.1", "the budget is used up", id="budget"),
        pytest.param(yes_set(LEGS), "-3", "0.1", "the budget is used up", id="overspent"),
        pytest.param(yes_set(LEGS), "1000", "50", "the profit is below the least profit", id="profit"),
        pytest.param(
            yes_set([(m, ((3_100, 4 * SIZE_ONE),)) for m, _ in LEGS]),
            "1000",
            "0.1",
            "a leg would be below the venue's minimum",
            id="minimum size",
        ),
        pytest.param(
            yes_set([*LEGS[:2], (market(3), ((100, 60 * SIZE_ONE),))]),
            "1000",
            "0.1",
            "a leg would be below the venue's minimum",
            id="a cheap leg below one pUSD",
        ),
        pytest.param(
            yes_set([(m, ((3_111, 50 * SIZE_ONE),)) for m, _ in LEGS]), "1000", "0.1", "too little depth", id="steps"
        ),
    ],
)
def test_says_why_not(candidate, budget, least, reason):
    budget_money = -parse_money(budget[1:]) if budget.startswith("-") else parse_money(budget)
    found = size_basket(candidate, walk(candidate, 50, 1_000 * SIZE_ONE), budget_money, parse_money(least))
    assert isinstance(found, NoTrade)
    assert found.reason == reason


def test_completing_is_all_or_nothing_and_within_what_is_left():
    legs = [Leg(m, m.first.asset, asks) for m, asks in LEGS]
    both = complete([(legs[0], 20 * SIZE_ONE), (legs[1], 10 * SIZE_ONE)], parse_money("10"))
    assert isinstance(both, tuple)
    assert [(order.price, order.size) for order in both] == [(3_100, 20 * SIZE_ONE), (3_100, 10 * SIZE_ONE)]
    dear = complete([(legs[0], 20 * SIZE_ONE), (legs[1], 10 * SIZE_ONE)], parse_money("9"))
    assert isinstance(dear, NoTrade)
    none_left = complete([(legs[0], 20 * SIZE_ONE), (legs[1], 300 * SIZE_ONE)], parse_money("1000"))
    assert isinstance(none_left, NoTrade)
    assert none_left.reason == "a missing leg is not offered any more"


def test_a_level_taken_to_its_last_share_is_the_limit_and_not_the_next():
    leg = Leg(LEGS[0][0], LEGS[0][0].first.asset, LEGS[0][1])
    exactly, one_more = (complete([(leg, size * SIZE_ONE)], parse_money("1000")) for size in (100, 101))
    assert isinstance(exactly, tuple)
    assert isinstance(one_more, tuple)
    assert (exactly[0].price, one_more[0].price) == (3_100, 3_300)


def test_a_sale_is_cut_to_a_size_the_venue_takes():
    """Four decimals of money at 0.2901: whole shares only."""
    bids = ((2_901, parse_size("7.55")),)
    order = unwind(market(0), AssetId("0-Yes"), bids, 20 * SIZE_ONE, 2_900, 1)
    assert not isinstance(order, NoTrade)
    assert order.size == 7 * SIZE_ONE
    assert order.price * order.size % (100 * PRICE_ONE) == 0


def test_unwinding_sells_down_to_the_floor_and_not_below():
    bids = ((3_000, 5 * SIZE_ONE), (2_900, 5 * SIZE_ONE), (2_000, 100 * SIZE_ONE))
    order = unwind(market(0), AssetId("0-Yes"), bids, 20 * SIZE_ONE, 2_850, 100)
    assert not isinstance(order, NoTrade)
    assert (order.side, order.price, order.size) == (Side.SELL, 2_900, 10 * SIZE_ONE)
    assert isinstance(unwind(market(0), AssetId("0-Yes"), bids, 20 * SIZE_ONE, 3_050, 100), NoTrade)
