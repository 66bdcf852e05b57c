"""Our orders in recorded flow: behind the displayed queue, filled by trades, never on touch alone."""

from typing import Any

import pytest

from polycore.exchange.models import FromBehind, Proportional, QueueModel
from polycore.exchange.tape import Tape
from polycore.exchange.values import BookNotice, FillNotice, LastTradeNotice, LevelsNotice
from polycore.model.events import Role
from polycore.model.intents import TimeInForce
from polycore.model.market import Side
from polycore.model.money import MONEY_ONE, SIZE_ONE


def shares(**levels: float) -> dict[int, int]:
    """Levels by cents: ``shares(c50=100)``."""
    return {int(name[1:]) * 100: round(size * SIZE_ONE) for name, size in levels.items()}


@pytest.fixture
def pit(make_pit: Any) -> Any:
    return make_pit(auto_tick=False)


@pytest.fixture
def tape(pit: Any) -> Tape:
    """A recording that shows 100 shares on each side of 50/52."""
    tape: Tape = pit.exchange.tape(pit.market.id)
    tape.show(shares(c50=100), shares(c52=100), pit.now)
    pit.exchange.drain()
    return tape


def sold(pit: Any, tape: Tape, size: float, cents: int = 50) -> None:
    tape.trade(pit.up, Side.SELL, cents * 100, round(size * SIZE_ONE), pit.now)


def test_behind_100_shares_trades_of_99_do_not_fill_and_the_next_does(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 50, 10)
    sold(pit, tape, 99)
    assert pit.shares(ann) == 0
    sold(pit, tape, 3)
    assert pit.shares(ann) == 2 * SIZE_ONE
    (fill,) = pit.heard(FillNotice)
    assert (fill.role, fill.trade.makers[0].price) == (Role.MAKER, 5000)


def test_a_trade_of_the_other_token_at_one_minus_the_price_serves_the_same_queue(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 50, 10)
    tape.trade(pit.down, Side.BUY, 5000, 99 * SIZE_ONE, pit.now)
    assert pit.shares(ann) == 0
    tape.trade(pit.down, Side.BUY, 5000, 11 * SIZE_ONE, pit.now)
    assert pit.shares(ann) == 10 * SIZE_ONE


def test_a_bid_for_the_other_token_waits_in_the_asks(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 48, 10, pit.down)
    tape.trade(pit.up, Side.BUY, 5200, 105 * SIZE_ONE, pit.now)
    assert pit.shares(ann, pit.down) == 5 * SIZE_ONE
    assert pit.money(ann) == 1000 * MONEY_ONE - 2_400_000


def test_touch_alone_never_fills(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 51, 10)
    tape.show(shares(c51=500), shares(c52=1), pit.now)
    tape.show(shares(c51=1), shares(c52=500), pit.now)
    tape.trade(pit.up, Side.BUY, 5200, 50 * SIZE_ONE, pit.now)
    assert pit.shares(ann) == 0


def test_shares_that_join_later_wait_behind(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 50, 10)
    tape.show(shares(c50=300), shares(c52=100), pit.now)
    sold(pit, tape, 110)
    assert pit.shares(ann) == 10 * SIZE_ONE


@pytest.mark.parametrize(("model", "needed"), [(FromBehind(), 100), (Proportional(), 75)])
def test_withdrawals_shorten_the_queue_as_the_model_says(make_pit: Any, model: QueueModel, needed: int) -> None:
    """100 ahead and 100 behind, 50 withdrawn: all from behind, or a quarter of each piece."""
    pit = make_pit(auto_tick=False, queue_model=model)
    tape = pit.exchange.tape(pit.market.id)
    tape.show(shares(c50=100), {}, pit.now)
    ann = pit.account("ann")
    pit.buy(ann, 50, 10)
    tape.show(shares(c50=200), {}, pit.now)
    tape.show(shares(c50=150), {}, pit.now)
    tape.show(shares(c50=150), {}, pit.now)
    sold(pit, tape, needed)
    assert pit.shares(ann) == 0
    sold(pit, tape, 1)
    assert pit.shares(ann) == SIZE_ONE


def test_in_proportion_not_a_share_more_or_less_is_withdrawn(make_pit: Any) -> None:
    """Pieces of 100 and 50, 100 withdrawn: two thirds of each, the millionth that is left over from behind."""
    pit = make_pit(auto_tick=False, queue_model=Proportional())
    tape = pit.exchange.tape(pit.market.id)
    tape.show(shares(c50=100), {}, pit.now)
    pit.buy(pit.account("ann"), 50, 10)
    tape.show(shares(c50=150), {}, pit.now)
    tape.show(shares(c50=50), {}, pit.now)
    assert pit.exchange.book(pit.up, pit.now).bids == ((5000, 60 * SIZE_ONE),), "50 recorded and 10 of ours"


def test_more_withdrawn_than_waits_behind_comes_from_ahead(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 50, 10)
    tape.show(shares(c50=40), shares(c52=100), pit.now)
    tape.show(shares(c50=40), shares(c52=100), pit.now)
    sold(pit, tape, 41)
    assert pit.shares(ann) == SIZE_ONE


def test_a_book_that_tells_of_a_trade_before_the_trade_does_not_serve_the_queue_twice(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 50, 10)
    tape.show(shares(c50=40), shares(c52=100), pit.now)
    sold(pit, tape, 60)
    sold(pit, tape, 40)
    assert pit.shares(ann) == 0
    sold(pit, tape, 1)
    assert pit.shares(ann) == SIZE_ONE


def test_the_trade_then_the_book_does_not_serve_the_queue_twice_either(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 50, 10)
    sold(pit, tape, 60)
    tape.show(shares(c50=40), shares(c52=100), pit.now)
    sold(pit, tape, 40)
    assert pit.shares(ann) == 0


def test_a_trade_through_the_price_fills_first(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 50, 10)
    sold(pit, tape, 4, cents=49)
    assert pit.shares(ann) == 4 * SIZE_ONE
    assert pit.money(ann) == 998 * MONEY_ONE


def test_recorded_depth_that_crosses_our_price_fills_us_and_only_the_rest_is_shown(pit: Any, tape: Tape) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 51, 10)
    tape.show(shares(c48=5), shares(c49=30), pit.now)
    assert pit.shares(ann) == 10 * SIZE_ONE
    assert pit.money(ann) == 1000 * MONEY_ONE - 5_100_000
    assert pit.exchange.book(pit.up, pit.now).asks == ((4900, 20 * SIZE_ONE),)


def test_taken_depth_stays_taken_until_the_recorded_level_changes(pit: Any, tape: Tape) -> None:
    placed = pit.buy(pit.account("ann"), 52, 30, kind=TimeInForce.FAK)
    assert placed.taking == 30 * SIZE_ONE
    tape.show(shares(c50=90), shares(c52=100), pit.now)
    assert pit.exchange.book(pit.up, pit.now).asks == ((5200, 70 * SIZE_ONE),)
    tape.show(shares(c50=90), shares(c52=95), pit.now)
    assert pit.exchange.book(pit.up, pit.now).asks == ((5200, 95 * SIZE_ONE),)


def test_a_marketable_order_walks_recorded_depth_and_our_own_orders_by_price_and_time(pit: Any, tape: Tape) -> None:
    ann, bob = pit.account("ann", tokens=20), pit.account("bob")
    pit.sell(ann, 52, 20)
    placed = pit.buy(bob, 52, 110, kind=TimeInForce.FAK)
    assert placed.taking == 110 * SIZE_ONE
    assert pit.shares(ann) == 10 * SIZE_ONE


def test_recorded_trades_are_told_with_their_own_size_whoever_filled_them(pit: Any, tape: Tape) -> None:
    pit.buy(pit.account("ann"), 50, 10)
    pit.exchange.drain()
    sold(pit, tape, 105)
    assert sum(notice.size for notice in pit.heard(LastTradeNotice)) == 105 * SIZE_ONE


def test_a_recorded_book_becomes_level_changes_of_both_tokens_and_never_crosses(pit: Any, tape: Tape) -> None:
    tape.show(shares(c53=7, c50=100), shares(c55=9), pit.now)
    notices = pit.exchange.drain()
    levels = [notice for notice in notices if isinstance(notice, LevelsNotice)]
    assert [(pair.changes[0].price, pair.changes[0].size) for pair in levels] == [
        (5200, 0), (5500, 9 * SIZE_ONE), (5300, 7 * SIZE_ONE)
    ]  # fmt: skip
    assert all(change.best_bid < change.best_ask for pair in levels for change in pair.changes)
    assert [type(notice) for notice in notices[-2:]] == [BookNotice, BookNotice]
    totals = pit.exchange.totals()
    assert totals.deposited == totals.money + totals.fees + totals.locked
