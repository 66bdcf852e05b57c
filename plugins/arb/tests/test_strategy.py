"""The hooks: what is bought, what is not and why, on a real cache."""

import logging

import pytest

from polycore import (
    SIZE_ONE,
    AssetId,
    CancelAll,
    ChangeKind,
    LinkChange,
    LinkState,
    MarketChange,
    PlaceOrder,
    PriceValue,
    Side,
    StopReason,
    TimeInForce,
    parse_money,
)


def shares(count: float) -> int:
    return round(count * SIZE_ONE)


def cheap_yes(world, size=100):
    """YES asks of 0.31 for each of three: a set costs 0.93 and about 0.026 of fees."""
    for name in ("ann", "bob", "cat"):
        world.book(name, {2900: shares(size)}, {3100: shares(size)})


def fair(world):
    for name in ("ann", "bob", "cat"):
        world.book(name, {3200: shares(100)}, {3500: shares(100)})


def test_a_cheap_yes_set_is_bought_once_it_was_seen_twice(make_world):
    world = make_world()
    cheap_yes(world)
    assert world.sent == []
    orders = world.wait(1)
    assert [(order.asset, order.price, order.size) for order in orders] == [
        (f"{name}-yes", 3100, shares(50)) for name in ("ann", "bob", "cat")
    ]
    for order in orders:
        assert (order.side, order.time_in_force, order.post_only) == (Side.BUY, TimeInForce.FAK, False)
    assert len({order.basket for order in orders}) == 1
    assert orders[0].basket
    assert len({order.tag for order in orders}) == 3


def test_a_cheap_no_set_is_bought(make_world):
    """YES bids of 0.36 are NO asks of 0.64: three cost 1.92 and pay at least 2."""
    world = make_world()
    for name in ("ann", "bob", "cat"):
        world.book(name, {3600: shares(100)}, {3800: shares(100)})
    orders = world.wait(1)
    assert {(order.asset, order.price) for order in orders} == {(f"{n}-no", 6400) for n in ("ann", "bob", "cat")}


def test_a_signal_that_goes_away_before_it_is_seen_again_is_left(make_world):
    world = make_world()
    cheap_yes(world)
    fair(world)
    cheap_yes(world)
    assert world.sent == []


def test_a_signal_found_false_by_the_timer_waits_anew_when_it_comes_back(make_world):
    world = make_world(confirm_seconds=1.5)
    cheap_yes(world)
    world.cache.books.suspect(AssetId("ann-yes"), "a proof failed")
    assert world.wait(1) == [], "a book is in doubt: seen no longer"
    cheap_yes(world)
    assert world.wait(1) == [], "two seconds after the first sight, one after the second"
    assert len(world.wait(1)) == 3


def test_one_book_seen_twice_is_named_and_nothing_is_placed(make_world, make_market, caplog):
    world = make_world([make_market("up", None)])
    with caplog.at_level(logging.INFO):
        for bid in (4000, 4900, 5000, 6000):
            world.book("up", {bid: shares(100)}, {bid + 100: shares(100)})
            world.wait(31)
    assert world.sent == []
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "will-up-win, pair: no trade: its two books mirror each other, so a pair costs 1 plus the spread "
        "(asks add up to 1.01)"
    ]


def test_a_quote_of_our_own_on_the_only_level_does_not_hide_the_mirror(make_world, make_market, caplog):
    world = make_world([make_market("up", None)])
    world.track(PlaceOrder(AssetId("up-yes"), Side.SELL, 5000, shares(10)))
    with caplog.at_level(logging.INFO):
        world.book("up", {4900: shares(100)}, {5000: shares(10)})
        world.wait(1)
    assert "its two books mirror each other" in caplog.text


def test_two_books_that_are_not_mirrors_can_offer_a_pair(make_world, make_market):
    """A venue that keeps a book for each token; both were told at one moment."""
    world = make_world([make_market("up", None)])
    yes, no = world.markets["up"].assets
    world.books({yes: ({3900: shares(100)}, {4000: shares(100)}), no: ({4900: shares(50)}, {5000: shares(60)})})
    orders = world.wait(1)
    assert {(order.asset, order.price, order.size) for order in orders} == {
        (yes, 4000, shares(48)),
        (no, 5000, shares(48)),
    }


def test_two_books_of_different_moments_prove_nothing(make_world, make_market, caplog):
    world = make_world([make_market("up", None)])
    yes, no = world.markets["up"].assets
    with caplog.at_level(logging.INFO):
        world.books({yes: ({3900: shares(100)}, {4000: shares(100)})}, venue_time=1)
        world.books({no: ({4900: shares(50)}, {5000: shares(60)})}, venue_time=2)
        world.wait(1)
        world.wait(60)
    assert world.sent == []
    assert "its two books are of different moments" in caplog.text


@pytest.mark.parametrize(
    ("asks", "settings", "reason"),
    [
        pytest.param(3500, {}, "the asks add up to what it pays or more", id="no edge"),
        pytest.param(3300, {}, "fees eat the edge", id="fees"),
        pytest.param(1000, {}, "too good to be true", id="too good"),
        pytest.param(3100, {"max_legs": 2}, "the set has too many legs", id="legs"),
        pytest.param(3100, {"minimum_edge": PriceValue("0.06")}, "fees eat the edge", id="edge"),
    ],
)
def test_says_why_a_yes_set_is_not_bought(make_world, caplog, asks, settings, reason):
    world = make_world(**settings)
    with caplog.at_level(logging.INFO):
        for name in ("ann", "bob", "cat"):
            world.book(name, {asks - 100: shares(100)}, {asks: shares(100)})
        world.wait(1)
        world.wait(60)
    assert all("no" in order.asset for order in world.sent)
    assert f"event race, yes set: no trade: {reason}" in caplog.text


def test_an_event_that_may_have_other_outcomes_is_no_yes_set(make_world, make_market, caplog):
    world = make_world([make_market(name, complete=name != "cat") for name in ("ann", "bob", "cat")])
    with caplog.at_level(logging.INFO):
        cheap_yes(world)
        world.wait(1)
    assert world.sent == []
    assert "the event may have other outcomes than those listed" in caplog.text


def test_an_event_that_was_chosen_in_part_has_no_sets(make_world, make_market):
    """A missing outcome makes the rest look cheap."""
    world = make_world(markets=("will-ann-win", "will-bob-win"))
    world.book("ann", {4300: shares(100)}, {4500: shares(100)})
    world.book("bob", {4300: shares(100)}, {4500: shares(100)})
    world.wait(1)
    world.wait(1)
    assert world.sent == []


def test_every_market_of_every_selector_is_chosen_once(make_world):
    world = make_world(markets=("will-bob-win", "event:race"))
    assert [market.slug for market in world.selected] == ["will-bob-win", "will-ann-win", "will-cat-win"]


def test_an_event_named_whole_is_traded(make_world):
    world = make_world(markets=("event:race",))
    cheap_yes(world)
    assert len(world.wait(1)) == 3


def test_a_market_added_to_an_event_ends_its_sets(make_world, make_market):
    world = make_world()
    cheap_yes(world)
    new = make_market("dan")
    world.strategy.on_market_change(MarketChange(new.id, ChangeKind.LISTED, listed=new), world.context)
    assert world.wait(1) == []
    cheap_yes(world)
    assert world.wait(1) == []


def test_every_leg_must_be_fresh(make_world, caplog):
    world = make_world()
    cheap_yes(world)
    world.cache.books.suspect("cat-yes", "a proof failed")
    with caplog.at_level(logging.INFO):
        assert world.wait(1) == []
    assert "a book is not proven fresh" in caplog.text


def test_a_stale_link_opens_nothing(make_world):
    world = make_world()
    cheap_yes(world)
    world.clock.advance(60)
    assert world.strategy.on_timer(world.clock.wall(), world.context) == []


def test_a_paused_market_opens_nothing(make_world):
    world = make_world()
    cheap_yes(world)
    world.cache.apply(MarketChange(world.markets["bob"].id, ChangeKind.PAUSED), None, set())
    assert world.wait(1) == []


def test_nothing_is_opened_while_fills_cannot_be_heard(make_world):
    world = make_world()
    cheap_yes(world)
    world.strategy.on_link(LinkChange("user-1", "user", LinkState.DOWN), world.context)
    assert world.wait(1) == []
    world.strategy.on_link(LinkChange("user-1", "user", LinkState.UP), world.context)
    world.wait(1)
    assert len(world.wait(1)) == 3


@pytest.mark.parametrize(("price", "bought"), [(6900, 0), (7000, 0), (6800, 3)])
def test_a_quote_of_our_own_is_a_wall(make_world, price, bought):
    """Our BUY of NO at 0.69 is an offer of YES at 0.31: buying there would meet it."""
    world = make_world()
    cheap_yes(world)
    world.track(PlaceOrder(AssetId("bob-no"), Side.BUY, price, shares(10)))
    assert len(world.wait(1)) == bought


def test_money_that_is_spent_is_not_spent_again(make_world):
    world = make_world(cooldown_seconds=0.0)
    world.inventory.cash = -parse_money("480")
    cheap_yes(world)
    orders = world.wait(1)
    assert {order.size for order in orders} == {shares(20)}


def test_no_second_basket_on_an_event_while_one_is_open_nor_while_it_cools_down(make_world):
    world = make_world(cooldown_seconds=10.0)
    cheap_yes(world)
    first = world.wait(1)
    cheap_yes(world, size=200)
    assert world.wait(1) == []
    for order in first:
        world.answer(order, order.size)
    assert world.wait(30) == [], "filled, but not confirmed"
    world.confirm_all()
    cheap_yes(world)
    assert world.wait(1) == [], "cooling down"
    world.wait(10)
    assert len(world.wait(1)) == 3


def test_a_market_of_its_own_is_looked_at_while_another_event_is_busy(make_world, make_market):
    others = [make_market(name, "other") for name in ("dan", "eve")]
    world = make_world([make_market(name) for name in ("ann", "bob", "cat")] + others)
    cheap_yes(world)
    assert len(world.wait(1)) == 3
    world.book("dan", {4200: shares(100)}, {4400: shares(100)})
    world.book("eve", {4200: shares(100)}, {4400: shares(100)})
    assert {order.asset for order in world.wait(1)} == {"dan-yes", "eve-yes"}


def test_stop_tells_of_baskets_left_open(make_world, caplog):
    world = make_world()
    cheap_yes(world)
    world.wait(1)
    assert world.strategy.on_stop(world.context, StopReason.INTERRUPTED) == CancelAll()
    assert "basket arb-1 is left open, opening: 0 sets held" in caplog.text
