"""The rule for a leg that fails: every path of the machine, with the venue's answers in any order."""

import itertools
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polycore import (
    SIZE_ONE,
    ChangeKind,
    MarketChange,
    MarketId,
    OrderState,
    PriceValue,
    Settlement,
    Side,
    TimeInForce,
)

NAMES = ("ann", "bob", "cat")


def shares(count: float) -> int:
    return round(count * SIZE_ONE)


def opened(make_world, **config):
    """A basket of 50 YES sets at 0.31 a leg, not answered yet."""
    world = make_world(**config)
    for name in NAMES:
        world.book(name, {2900: shares(100)}, {3100: shares(100)})
    legs = world.wait(1)
    assert [order.size for order in legs] == [shares(50)] * 3
    return world, legs


def held(world):
    return [world.inventory.position(f"{name}-yes") for name in NAMES]


def is_over(world):
    return not world.strategy._baskets


def test_all_legs_filled_and_confirmed_is_over(make_world, caplog):
    world, legs = opened(make_world)
    with caplog.at_level(logging.INFO):
        for order in legs:
            assert world.answer(order, order.size) == []
        assert not is_over(world)
        world.confirm_all()
    assert is_over(world)
    assert "basket arb-1 is over: 50 sets held for 47.7834, which pay 50" in caplog.text


def test_nothing_filled_is_over_at_once(make_world):
    world, legs = opened(make_world)
    for order in legs:
        world.end(world.track(order), 0, "no orders found to match", OrderState.REJECTED)
    assert is_over(world)
    assert held(world) == [0, 0, 0]


def test_all_legs_filled_alike_in_part_needs_no_repair(make_world):
    world, legs = opened(make_world)
    for order in legs:
        assert world.answer(order, shares(30)) == []
    world.confirm_all()
    assert is_over(world)


def test_nothing_is_repaired_before_every_leg_has_its_answer(make_world):
    world, legs = opened(make_world)
    assert world.answer(legs[0], shares(50)) == []
    assert world.answer(legs[1], shares(0)) == []
    last = world.track(legs[2])
    world.cache.orders.move(last, OrderState.UNKNOWN)
    world.strategy.on_order(last.update(OrderState.UNKNOWN), world.context)
    assert world.wait(120) == [], "an UNKNOWN order may yet fill"
    assert world.end(last, shares(50)) != []


def test_a_missing_leg_is_bought_once_within_what_the_basket_pays(make_world):
    world, legs = opened(make_world)
    world.answer(legs[0], shares(50))
    world.answer(legs[1], shares(50))
    (repair,) = world.answer(legs[2], shares(20))
    assert (repair.asset, repair.side, repair.price, repair.size) == ("cat-yes", Side.BUY, 3100, shares(30))
    assert repair.time_in_force is TimeInForce.FAK
    assert repair.tag not in {order.tag for order in legs}
    assert world.answer(repair, shares(30)) == []
    world.confirm_all()
    assert is_over(world)
    assert held(world) == [shares(50)] * 3


def test_completing_may_pay_more_than_planned_but_never_more_than_the_set_pays(make_world):
    for ask, bought in ((3300, True), (3600, False)):
        world, legs = opened(make_world)
        world.book("cat", {ask - 200: shares(100)}, {ask: shares(100)})
        world.answer(legs[0], shares(50))
        world.answer(legs[1], shares(50))
        out = world.answer(legs[2], 0)
        assert bool(out) is bought
        if out:
            assert (out[0].asset, out[0].price, out[0].size) == ("cat-yes", ask, shares(50))


def test_what_cannot_be_completed_is_unwound_once_it_is_confirmed(make_world):
    world, legs = opened(make_world)
    world.book("cat", {4800: shares(100)}, {5000: shares(100)})
    world.answer(legs[0], shares(50))
    world.answer(legs[1], shares(50))
    assert world.answer(legs[2], shares(20)) == []
    assert world.wait(1) == [], "shares not confirmed cannot be sold"
    sales = world.confirm_all()
    assert {(order.asset, order.side, order.price, order.size) for order in sales} == {
        ("ann-yes", Side.SELL, 2900, shares(30)),
        ("bob-yes", Side.SELL, 2900, shares(30)),
    }
    assert all(order.basket == "" for order in sales)
    for order in sales:
        world.answer(order, order.size)
    world.confirm_all()
    assert is_over(world)
    assert held(world) == [shares(20)] * 3


def test_a_surplus_is_not_sold_on_a_book_that_is_not_proven_fresh(make_world):
    world, legs = opened(make_world)
    world.book("cat", {4800: shares(100)}, {5000: shares(100)})
    for order, count in zip(legs, (50, 50, 20), strict=True):
        world.answer(order, shares(count))
    for name in ("ann", "bob"):
        world.cache.books.suspect(f"{name}-yes", "a proof failed")
    assert world.confirm_all() == []
    assert world.book("ann", {2900: shares(100)}, {3100: shares(100)}) == [], "all or nothing before the last chance"
    assert len(world.book("bob", {2900: shares(100)}, {3100: shares(100)})) == 2


def test_a_surplus_is_not_sold_in_a_market_that_is_paused(make_world):
    world, legs = opened(make_world)
    world.book("cat", {4800: shares(100)}, {5000: shares(100)})
    for order, count in zip(legs, (50, 50, 20), strict=True):
        world.answer(order, shares(count))
    world.cache.apply(MarketChange(MarketId("ann"), ChangeKind.PAUSED), None, set())
    assert world.confirm_all() == []
    world.cache.apply(MarketChange(MarketId("ann"), ChangeKind.RESUMED), None, set())
    assert len(world.wait(1)) == 2


def test_nothing_is_sold_below_the_floor_and_what_is_left_is_held_and_told(make_world, caplog):
    world, legs = opened(make_world, unwind_loss=PriceValue("0.01"))
    world.book("cat", {4800: shares(100)}, {5000: shares(100)})
    for order, count in zip(legs, (50, 50, 20), strict=True):
        world.answer(order, shares(count))
    assert world.confirm_all() == []
    assert world.wait(59) == []
    assert not is_over(world), "a bid may yet come"
    world.wait(2)
    assert is_over(world)
    assert "and 30 of will-ann-win Yes, 30 of will-bob-win Yes" in caplog.text


def test_a_bid_that_comes_in_time_takes_the_surplus(make_world):
    world, legs = opened(make_world, unwind_loss=PriceValue("0.01"))
    world.book("cat", {4800: shares(100)}, {5000: shares(100)})
    for order, count in zip(legs, (50, 50, 20), strict=True):
        world.answer(order, shares(count))
    world.confirm_all()
    assert world.book("ann", {3200: shares(100)}, {3400: shares(100)}) == []
    assert len(world.book("bob", {3200: shares(100)}, {3400: shares(100)})) == 2


def test_at_the_last_chance_what_can_be_sold_is_sold(make_world):
    world, legs = opened(make_world, unwind_loss=PriceValue("0.01"))
    world.book("cat", {4800: shares(100)}, {5000: shares(100)})
    for order, count in zip(legs, (50, 50, 20), strict=True):
        world.answer(order, shares(count))
    world.confirm_all()
    world.book("ann", {3200: shares(100)}, {3400: shares(100)})
    assert [order.asset for order in world.wait(61)] == ["ann-yes"]


def test_a_repair_waits_for_a_fresh_book_and_then_gives_up(make_world):
    world, legs = opened(make_world)
    world.cache.books.suspect("cat-yes", "a proof failed")
    world.answer(legs[0], shares(50))
    world.answer(legs[1], shares(50))
    assert world.answer(legs[2], shares(20)) == []
    assert world.wait(5) == []
    (repair,) = world.book("cat", {2900: shares(100)}, {3100: shares(100)})
    assert repair.asset == "cat-yes"


def test_a_repair_is_tried_once(make_world):
    world, legs = opened(make_world)
    world.answer(legs[0], shares(50))
    world.answer(legs[1], shares(50))
    (repair,) = world.answer(legs[2], 0)
    world.confirm_all()
    sales = world.answer(repair, 0)
    assert {order.side for order in sales} == {Side.SELL}


def test_a_fill_that_fails_to_settle_opens_the_basket_again(make_world):
    world, legs = opened(make_world)
    for order in legs:
        world.answer(order, order.size)
    lost = world.fills.pop(0)
    (repair,) = world.settle(lost, Settlement.FAILED)
    assert (repair.asset, repair.side, repair.size) == (lost.asset, Side.BUY, shares(50))


def test_a_refused_basket_whose_other_legs_are_never_reported_is_let_go(make_world, caplog):
    world, legs = opened(make_world)
    world.end(world.track(legs[0]), 0, "check size: too large", OrderState.REJECTED)
    assert world.wait(4) == []
    assert not is_over(world)
    world.wait(2)
    assert is_over(world)
    assert "neither open nor reported" in caplog.text


def test_an_order_that_is_still_open_is_waited_for(make_world):
    world, legs = opened(make_world)
    tracked = [world.track(order) for order in legs]
    world.wait(60)
    assert not is_over(world)
    for order in tracked:
        world.end(order, 0)
    assert is_over(world)


def test_fills_that_are_never_confirmed_let_the_basket_go_in_the_end(make_world, caplog):
    world, legs = opened(make_world)
    for order in legs:
        world.answer(order, order.size)
    world.wait(179)
    assert not is_over(world)
    world.wait(2)
    assert is_over(world)
    assert "not confirmed yet" in caplog.text


def test_more_than_was_asked_for_counts_as_it_came(make_world):
    """Price improvement may give a BUY more shares than its size."""
    world, legs = opened(make_world)
    world.answer(legs[0], shares(50))
    world.answer(legs[1], shares(50))
    repairs = world.answer(legs[2], shares(56))
    assert {(order.asset, order.size) for order in repairs} == {("ann-yes", shares(6)), ("bob-yes", shares(6))}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_fills_and_final_states_in_any_order_end_alike(make_world, order):
    """The user channel and the answer of the POST race each other; a fill may come after the order's last word."""
    world, legs = opened(make_world)
    tracked = [world.track(leg) for leg in legs]
    for index in order:
        world.end(tracked[index], shares(50))
    for index in reversed(order):
        world.fill(tracked[index], shares(50))
    assert world.sent == list(legs)
    world.confirm_all()
    assert is_over(world)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.integers(0, 50), min_size=12, max_size=12), st.booleans())
def test_every_run_ends_with_at_most_two_repairs_and_an_honest_account(make_world, counts, cheap):
    """Whatever fills: no order before the last is answered, each repair once, held shares agree with the inventory."""
    world, batch = opened(make_world)
    if not cheap:
        world.book("cat", {4800: shares(100)}, {5000: shares(100)})
    basket = world.strategy._baskets["race"]
    answers = iter(counts)
    rounds = 0
    while batch and rounds < 5:
        rounds += 1
        following = []
        for index, order in enumerate(batch):
            out = world.answer(order, min(shares(next(answers, 0)), order.size))
            assert not out or index == len(batch) - 1
            following = out
        batch = following or world.confirm_all()
    assert rounds <= 3
    assert [leg.held for leg in sorted(basket.legs, key=lambda leg: leg.order.asset)] == held(world)
    assert basket.paid == -world.inventory.cash
    world.confirm_all()
    for _ in range(4):
        world.wait(61)
    assert is_over(world)
