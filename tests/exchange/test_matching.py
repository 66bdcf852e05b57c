"""Price, then time, over one unified book, in all three kinds of match."""

from typing import Any

from polycore.exchange.values import (
    BookNotice,
    FillNotice,
    LastTradeNotice,
    LevelsNotice,
    OrderNotice,
    OrderRequest,
    Placed,
    PlaceStatus,
    TickNotice,
)
from polycore.model.events import Role
from polycore.model.ids import OrderId
from polycore.model.intents import TimeInForce
from polycore.model.market import FeeSchedule, Side
from polycore.model.money import MONEY_ONE, SIZE_ONE


def test_a_buy_is_displayed_as_a_sell_of_the_other_token_at_one_minus_the_price(pit: Any) -> None:
    pit.buy(pit.account("ann"), 40, 10)
    (change,) = pit.heard(LevelsNotice)
    up, down = change.changes
    assert (up.asset, up.side, up.price, up.size, up.best_bid, up.best_ask) == (
        pit.up,
        Side.BUY,
        4000,
        10_000_000,
        4000,
        10_000,
    )
    assert (down.asset, down.side, down.price, down.size) == (pit.down, Side.SELL, 6000, 10_000_000)
    assert (down.best_bid, down.best_ask) == (0, 6000)
    assert pit.exchange.book(pit.down, pit.now).asks == ((6000, 10_000_000),)


def test_the_taker_gets_the_makers_price(pit: Any) -> None:
    ann, bob = pit.account("ann", tokens=10), pit.account("bob")
    pit.sell(ann, 40, 10)
    placed = pit.buy(bob, 45, 10)
    assert isinstance(placed, Placed)
    assert (placed.status, placed.making, placed.taking) == (PlaceStatus.MATCHED, 4_000_000, 10_000_000)
    assert pit.money(bob) == 996 * MONEY_ONE
    assert pit.money(ann) == 1004 * MONEY_ONE


def test_better_prices_fill_first_then_earlier_orders(pit: Any) -> None:
    first, second, best = (pit.account(name, tokens=10) for name in ("first", "second", "best"))
    for account, cents in ((first, 41), (second, 41), (best, 40)):
        pit.sell(account, cents, 10)
    pit.buy(pit.account("taker"), 41, 25)
    sold = [10 * SIZE_ONE - pit.shares(account) for account in (best, first, second)]
    assert sold == [10 * SIZE_ONE, 10 * SIZE_ONE, 5 * SIZE_ONE]


def test_two_buys_of_opposite_tokens_mint_a_pair(pit: Any) -> None:
    ann, bob = pit.account("ann"), pit.account("bob")
    pit.buy(ann, 60, 10, pit.down)
    pit.buy(bob, 45, 10, pit.up)
    assert pit.shares(ann, pit.down) == pit.shares(bob, pit.up) == 10 * SIZE_ONE
    assert pit.money(ann) == 994 * MONEY_ONE
    assert pit.money(bob) == 996 * MONEY_ONE
    assert pit.exchange.totals().locked == 10 * MONEY_ONE


def test_two_sells_of_opposite_tokens_merge_a_pair(pit: Any) -> None:
    ann, bob = pit.account("ann", tokens=10), pit.account("bob", tokens=10)
    pit.sell(ann, 60, 10, pit.down)
    pit.sell(bob, 35, 10, pit.up)
    assert pit.money(ann) == 1006 * MONEY_ONE
    assert pit.money(bob) == 1004 * MONEY_ONE
    assert pit.exchange.totals().locked == 10 * MONEY_ONE


def test_one_trade_names_all_makers_some_on_the_other_token(pit: Any) -> None:
    ann, bob, eve = pit.account("ann", tokens=10), pit.account("bob"), pit.account("eve")
    pit.sell(ann, 40, 10)
    pit.buy(bob, 59, 10, pit.down)
    pit.exchange.drain()
    placed = pit.buy(eve, 41, 20)
    notices = pit.exchange.drain()
    fills = [notice for notice in notices if isinstance(notice, FillNotice)]
    assert [(fill.account, fill.role) for fill in fills] == [(eve, Role.TAKER), (ann, Role.MAKER), (bob, Role.MAKER)]
    assert {fill.trade.id for fill in fills} == set(placed.trades)
    trade = fills[0].trade
    assert [(maker.account, maker.asset, maker.side, maker.price) for maker in trade.makers] == [
        (ann, pit.up, Side.SELL, 4000),
        (bob, pit.down, Side.BUY, 5900),
    ]
    assert (trade.price, trade.size, trade.money) == (4100, 20 * SIZE_ONE, 8_100_000)


def test_two_orders_of_one_account_in_a_trade_are_told_once(pit: Any) -> None:
    ann = pit.account("ann", tokens=20)
    pit.sell(ann, 40, 10)
    pit.sell(ann, 41, 10)
    pit.exchange.drain()
    pit.buy(pit.account("bob"), 41, 20)
    makers = [fill for fill in pit.heard(FillNotice) if fill.role is Role.MAKER]
    assert len(makers) == 1
    assert len(makers[0].trade.makers) == 2


def test_a_match_is_heard_as_trade_then_levels_then_books_of_both_tokens(pit: Any) -> None:
    pit.sell(pit.account("ann", tokens=10), 40, 10)
    pit.exchange.drain()
    pit.buy(pit.account("bob"), 40, 5)
    market_data = [notice for notice in pit.exchange.drain() if not isinstance(notice, FillNotice | OrderNotice)]
    assert [type(notice) for notice in market_data] == [LastTradeNotice, LevelsNotice, BookNotice, BookNotice]
    trade, levels, up, down = market_data
    assert (trade.asset, trade.side, trade.price, trade.size) == (pit.up, Side.BUY, 4000, 5 * SIZE_ONE)
    assert levels.changes[0].size == 5 * SIZE_ONE
    assert (up.last_trade, down.last_trade) == (4000, 6000)


def test_the_taker_pays_the_fee_of_each_makers_part_and_makers_pay_none(make_pit: Any) -> None:
    pit = make_pit(fee=FeeSchedule(rate_millionths=70_000))
    ann, bob = pit.account("ann", tokens=200), pit.account("bob")
    pit.sell(ann, 50, 100)
    pit.sell(ann, 60, 100)
    pit.buy(bob, 60, 200)
    assert pit.money(bob) == 1000 * MONEY_ONE - 110 * MONEY_ONE - 1_750_000 - 1_680_000
    assert pit.money(ann) == 1000 * MONEY_ONE + 110 * MONEY_ONE
    assert pit.exchange.totals().fees == 3_430_000


def test_a_selling_taker_pays_the_fee_from_what_it_gets(make_pit: Any) -> None:
    pit = make_pit(fee=FeeSchedule(rate_millionths=70_000))
    ann, bob = pit.account("ann"), pit.account("bob", tokens=100)
    pit.buy(ann, 30, 100)
    pit.sell(bob, 30, 100)
    assert pit.money(bob) == 1030 * MONEY_ONE - 1_470_000


def test_what_a_maker_gets_follows_the_contracts_floor(pit: Any) -> None:
    """A market BUY of 1 pUSD at 0.07: clients ask for 14.2857 shares, and 0.07 x 14.2857 is 0.999999 exactly."""
    ann, bob = pit.account("ann", tokens=20), pit.account("bob")
    pit.sell(ann, 7, 20)
    request = OrderRequest(OrderId("0x1"), bob, pit.up, Side.BUY, 1_000_000, 14_285_700, TimeInForce.FOK)
    placed = pit.exchange.place(request, pit.now)
    assert (placed.making, placed.taking) == (999_999, 14_285_700)


def test_a_partly_matched_order_rests_with_the_remainder(pit: Any) -> None:
    ann, bob = pit.account("ann", tokens=10), pit.account("bob")
    pit.sell(ann, 40, 10)
    placed = pit.buy(bob, 45, 25)
    order = pit.exchange.order(placed.order)
    assert (placed.status, order.status, order.matched) == (PlaceStatus.MATCHED, "LIVE", 10 * SIZE_ONE)
    assert pit.exchange.book(pit.up, pit.now).bids == ((4500, 15 * SIZE_ONE),)
    assert pit.exchange.money(bob).reserved == 6_750_000


def test_a_trade_beyond_96_cents_makes_the_grid_finer_and_shows_new_books(pit: Any) -> None:
    pit.sell(pit.account("ann", tokens=10), 97, 10)
    pit.exchange.drain()
    pit.buy(pit.account("bob"), 97, 5)
    notices = pit.exchange.drain()[-4:]
    assert [type(notice) for notice in notices] == [TickNotice, TickNotice, BookNotice, BookNotice]
    assert [(notice.old, notice.new) for notice in notices if isinstance(notice, TickNotice)] == [(100, 10)] * 2
    assert [notice.tick for notice in notices if isinstance(notice, BookNotice)] == [10, 10]
    assert isinstance(pit.buy(pit.account("eve"), 50.5, 10), Placed)


def test_a_coarser_grid_refuses_the_old_prices_but_keeps_resting_orders(make_pit: Any) -> None:
    pit = make_pit(tick=10)
    ann = pit.account("ann")
    pit.buy(ann, 50.5, 10)
    pit.exchange.set_tick(pit.market.id, 100, pit.now)
    refused = pit.buy(ann, 50.5, 10)
    assert refused.text.endswith("is invalid. Price (0.505) breaks minimum tick size rule: 0.01")
    assert pit.exchange.book(pit.up, pit.now).bids == ((5050, 10 * SIZE_ONE),)


def test_fak_matches_what_it_can_and_drops_the_rest(pit: Any) -> None:
    ann, bob = pit.account("ann", tokens=10), pit.account("bob")
    pit.sell(ann, 40, 10)
    pit.exchange.drain()
    placed = pit.buy(bob, 40, 25, kind=TimeInForce.FAK)
    assert (placed.status, placed.taking) == (PlaceStatus.MATCHED, 10 * SIZE_ONE)
    assert pit.exchange.order(placed.order).status == "CANCELED"
    assert pit.exchange.money(bob).reserved == 0
    assert pit.exchange.book(pit.up, pit.now).bids == ()
