"""The hooks: events in, intents out, on a real cache."""

import logging

import msgspec
import pytest

from polycore import (
    PRICE_ONE,
    SIZE_ONE,
    AssetId,
    Book,
    BookSnapshot,
    CancelAll,
    ChangeKind,
    EventId,
    LinkChange,
    LinkState,
    Market,
    MarketChange,
    MarketId,
    OrderState,
    Outcome,
    Quote,
    SetQuotes,
    Shares,
    Side,
    StopReason,
)

YES, NO = AssetId("yes"), AssetId("no")


def shares(count: float) -> int:
    return round(count * SIZE_ONE)


BOOK = {4900: shares(100), 4800: shares(100)}, {5100: shares(100), 5200: shares(100)}
BOTH = SetQuotes(YES, (Quote(4900, shares(20)),), (Quote(5100, shares(20)),))
NOTHING = SetQuotes(YES)


def test_a_live_book_is_quoted_on_both_sides(make_world):
    assert make_world().book(*BOOK) == [BOTH]


def test_the_book_of_the_second_outcome_drives_nothing(make_world):
    world = make_world()
    world.book(*BOOK)
    assert world.book({4000: shares(100)}, {4200: shares(100)}, only=NO) == []


def test_the_same_wish_is_not_repeated_for_each_book(make_world):
    world = make_world()
    world.book(*BOOK)
    assert world.book(*BOOK) == []


def test_the_timer_asks_again_in_case_an_intent_was_lost(make_world):
    world = make_world()
    world.book(*BOOK)
    assert world.wait(1) == [BOTH]


def test_the_timer_asks_again_for_every_market_in_turn(make_world):
    world = make_world()
    world.book(*BOOK)
    touched: set[Book] = set()
    for number in range(9):
        yes, no = (Outcome(AssetId(f"{number}-{label}"), label) for label in ("yes", "no"))
        market = Market(MarketId(str(number)), f"m{number}", "?", yes, no)
        world.cache.add(market)
        world.cache.books.subscribed(world.link, market.assets)
        for asset in market.assets:
            whole = BookSnapshot(market.id, asset, {4900: shares(100)}, {5100: shares(100)}, 0, 1, 1)
            world.cache.apply(whole, world.link, touched)
    for book in touched:
        world.strategy.on_book(book, world.context)
    rounds = [{intent.asset for intent in world.wait(1)} for _ in range(3)]
    assert all(len(asked) < 10 for asked in rounds)
    assert set.union(*rounds) == {YES, *(f"{number}-yes" for number in range(9))}


def test_a_fill_leans_the_other_quotes_and_lets_its_own_side_cool_down(make_world):
    world = make_world(gamma=0.01)
    world.rest_as_asked(BOTH)
    world.book(*BOOK)
    world.move(world.orders[0], OrderState.FILLED, matched=shares(20))
    (after,) = world.fill(YES, Side.BUY, 4900, shares(20))
    assert after.bids == ()
    assert world.wait(2)[0].bids == ()
    (later,) = world.wait(1.5)
    assert later.bids == (Quote(4400, shares(16)),)  # 20 shares long: -0.2 log-odds, and a fifth less size


def test_a_fill_of_the_second_token_counts_as_the_ask(make_world):
    world = make_world()
    world.book(*BOOK)
    (after,) = world.fill(NO, Side.BUY, 4900, shares(20))
    assert after.asks == ()
    assert after.bids


def test_a_partly_filled_quote_keeps_its_place(make_world):
    world = make_world()
    world.book(*BOOK)
    world.rest_as_asked(BOTH)
    world.move(world.orders[0], OrderState.LIVE, matched=shares(4))
    (after,) = world.fill(YES, Side.BUY, 4900, shares(4))
    assert after.bids == (Quote(4900, shares(16)),)


def test_own_orders_do_not_move_the_fair_value(make_world):
    world = make_world()
    world.book(*BOOK)
    world.rest_as_asked(BOTH)
    ours = {4900: shares(120), 4800: shares(100)}, {5100: shares(120), 5200: shares(100)}
    assert world.book(*ours) == [BOTH]
    alone = {4900: shares(20)}, {5100: shares(20)}
    assert world.book(*alone) == [NOTHING]


def test_a_rejection_pauses_twice_as_long_each_time_until_an_order_rests(make_world):
    world = make_world()
    world.book(*BOOK)
    for seconds in (2, 4, 8):
        order = world.send(YES, Side.BUY, 4900, shares(20))
        assert world.move(order, OrderState.REJECTED, reason="check size: too large") == []
        assert world.wait(seconds - 0.1) == [NOTHING]
        assert world.wait(0.2) == [BOTH]
    world.rest_as_asked(BOTH)
    world.move(world.send(YES, Side.BUY, 4700, shares(20)), OrderState.REJECTED)
    assert world.strategy.on_timer(0, world.context) == [BOTH]  # what rests may stay
    for order in world.context.orders.open():
        world.move(order, OrderState.CANCELLED)
    assert world.wait(1.9) == [NOTHING]
    assert world.wait(0.2) == [BOTH], "an order rested: the pause is the first one again"


@pytest.mark.parametrize(
    ("book", "reason"),
    [
        pytest.param(({4900: shares(100)}, {}), "the book is one-sided (no asks by others)", id="one-sided"),
        pytest.param(({5100: shares(9)}, {5100: shares(9)}), "the book is not proven fresh", id="crossed"),
        pytest.param(({4000: shares(9)}, {6000: shares(9)}), "the book is too wide", id="wide"),
        pytest.param(({100: shares(9)}, {200: shares(9)}), "outside the price band", id="band"),
    ],
)
def test_withdraws_and_says_why(make_world, caplog, book, reason):
    world = make_world(log_seconds=0)
    world.book(*BOOK)
    with caplog.at_level(logging.INFO):
        assert world.book(*book) == [NOTHING]
    assert reason in caplog.text
    assert "will-it" in caplog.text


def test_a_stale_link_is_noticed_by_the_timer(make_world):
    world = make_world()
    world.book(*BOOK)
    world.clock.advance(60)
    assert world.strategy.on_timer(world.clock.wall(), world.context) == [NOTHING]


def test_a_lost_market_link_withdraws(make_world):
    world = make_world()
    world.book(*BOOK)
    world.cache.books.lost(world.link, "closed")
    change = LinkChange("market-1", "market", LinkState.DOWN, "closed", world.market.assets)
    assert world.strategy.on_link(change, world.context) == [NOTHING]


def test_nothing_is_quoted_while_fills_cannot_be_heard(make_world):
    world = make_world()
    world.book(*BOOK)
    assert world.strategy.on_link(LinkChange("user-1", "user", LinkState.DOWN), world.context) == [NOTHING]
    assert world.wait(1) == [NOTHING]
    assert world.strategy.on_link(LinkChange("user-1", "user", LinkState.UP), world.context) == [BOTH]


def test_a_doubt_about_the_second_book_withdraws_too(make_world):
    world = make_world()
    world.book(*BOOK)
    world.cache.books.suspect(NO, "a proof failed")
    assert world.wait(1) == [NOTHING]


def test_a_new_tick_withdraws_until_the_next_snapshot(make_world):
    world = make_world(half_spread=0.06)
    assert world.book(*BOOK)[0].bids[0].price == 4800
    change = MarketChange(world.market.id, ChangeKind.TICK, tick=10)
    world.cache.apply(change, None, set())
    assert world.strategy.on_market_change(change, world.context) == NOTHING
    (again,) = world.book(*BOOK)
    assert again.bids[0].price == 4850


@pytest.mark.parametrize("kind", [ChangeKind.PAUSED, ChangeKind.CLOSED])
def test_a_market_that_is_not_open_is_not_quoted(make_world, kind):
    world = make_world()
    world.book(*BOOK)
    change = MarketChange(world.market.id, kind)
    world.cache.apply(change, None, set())
    assert world.strategy.on_market_change(change, world.context) == NOTHING


def test_a_market_of_an_event_is_quoted_only_on_request(make_world):
    one = make_world().market
    member = msgspec.structs.replace(one, event=EventId("race"), event_complete=True)
    assert make_world(member).book(*BOOK) == [NOTHING]
    assert make_world(member, quote_events=True).book(*BOOK) == [BOTH]


def test_the_timer_moves_a_quote_whose_patience_is_over(make_world):
    world = make_world(quote_life_seconds=30.0)
    world.strategy._turn = 0
    world.rest_as_asked(world.book(*BOOK)[0])
    higher = {5100: shares(100), 5000: shares(100)}, {5300: shares(100), 5400: shares(100)}
    assert world.book(*higher)[0].bids == BOTH.bids, "two ticks too far, but young"
    assert world.wait(29)[0].bids == BOTH.bids
    assert world.wait(2)[0].bids == (Quote(5100, shares(20)),)


def test_the_timer_moves_an_ask_whose_patience_is_over(make_world):
    world = make_world(quote_life_seconds=30.0)
    world.rest_as_asked(world.book(*BOOK)[0])
    lower = {4700: shares(100), 4600: shares(100)}, {4900: shares(100), 5000: shares(100)}
    assert world.book(*lower)[0].asks == BOTH.asks, "two ticks too far, but young"
    assert world.wait(29)[0].asks == BOTH.asks
    assert world.wait(2)[0].asks == (Quote(4900, shares(20)),)


def test_a_resolved_market_is_left(make_world):
    world = make_world()
    world.book(*BOOK)
    change = MarketChange(world.market.id, ChangeKind.RESOLVED, winner=YES)
    world.cache.apply(change, None, set())
    assert world.strategy.on_market_change(change, world.context) == CancelAll(world.market.id)
    assert world.wait(1) == []


def test_quotes_end_before_the_market_does(make_world):
    world = make_world()
    end = world.clock.wall() + 60 * 10**9
    world = make_world(msgspec.structs.replace(world.market, end_time=end))
    assert world.book(*BOOK) == [BOTH]
    assert world.wait(29) == [BOTH]
    assert world.wait(2) == [NOTHING]


def test_a_reason_is_logged_once_and_again_only_when_it_changed_for_long_enough(make_world, caplog):
    world = make_world(log_seconds=10.0)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            world.book(*BOOK)
            world.book({4900: shares(100)}, {})
        assert len(caplog.records) == 1
        world.wait(11)
        assert len(caplog.records) == 2
        world.wait(11)
        world.wait(11)
        assert len(caplog.records) == 2, "nothing new to say"


def test_the_position_never_passes_its_cap_however_often_the_bid_is_hit(make_world):
    world = make_world(fill_cooldown_seconds=0.0, quote_life_seconds=0.0, gamma=0.0)
    for _ in range(60):
        world.book(*BOOK)
        world.wait(1)
        asked = world.strategy._quoting(world.market.id).asked
        for quote in asked.bids:
            world.fill(YES, Side.BUY, quote.price, quote.size)
        assert world.context.inventory.net(world.market) <= shares(100)
    assert world.context.inventory.net(world.market) >= shares(75)


def test_stop_withdraws_everything(make_world):
    world = make_world()
    world.book(*BOOK)
    assert world.strategy.on_stop(world.context, StopReason.FINISHED) == CancelAll()


def test_inventory_in_pairs_is_no_position(make_world):
    world = make_world(size=Shares("30"))
    world.book(*BOOK)
    world.fill(YES, Side.BUY, 4900, shares(40))
    world.fill(NO, Side.BUY, PRICE_ONE - 5100, shares(40))
    (after,) = world.wait(10)
    assert after == SetQuotes(YES, (Quote(4900, shares(30)),), (Quote(5100, shares(30)),))
