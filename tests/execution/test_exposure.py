"""What limits count between a match and its fill: the venue says "matched" by three ways, and shares come by one."""

import pytest

from polycore import (
    Fill,
    OrderState,
    OrderUpdate,
    PlaceOrder,
    Posted,
    Role,
    Settlement,
    Side,
    TimeInForce,
    TradeId,
)
from polycore.dispatch.account import Account

SHARE = 1_000_000


def buy(size=10 * SHARE, kind=TimeInForce.GTC, asset="1", price=4_800):
    return PlaceOrder(asset, Side.BUY, price, size, kind)


def fill(order, trade="t1", size=10 * SHARE, settlement=Settlement.MATCHED):
    return Fill(
        TradeId(trade), order.id, order.market, order.place.asset, order.side, order.price, size, Role.TAKER, settlement
    )


def update(order, state, matched):
    return OrderUpdate(
        order.id, order.market, order.place.asset, order.side, order.price, order.place.size, matched, state
    )


async def test_what_the_answer_to_a_post_matched_counts_until_its_fill_is_booked(make_desk):
    desk = make_desk(max_position=15 * SHARE)
    account = Account(desk.cache)
    desk.venue.answer = lambda signed: Posted(signed.order, OrderState.FILLED, matched=10 * SHARE)
    async with desk.running():
        desk.submit(buy(kind=TimeInForce.FAK, price=6_000))
        await desk.until(lambda: not desk.open)
        (order,) = [desk.cache.orders.find(posted) for posted in desk.venue.posts[0]]
        assert desk.cache.inventory("mm").position(desk.yes) == 0, "the fill has not come"
        assert desk.check(buy()).check == "max_position"
        assert desk.check(buy(5 * SHARE)) is None
    account.fill(fill(order))
    assert desk.check(buy()).check == "max_position", "now the position itself counts, and once"
    assert desk.check(buy(5 * SHARE)) is None


@pytest.mark.parametrize("state", [OrderState.LIVE, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED])
def test_what_an_order_event_matched_counts_until_its_fill_is_booked(make_desk, state):
    desk = make_desk(max_position=15 * SHARE)
    account = Account(desk.cache)
    order = desk.track(buy())
    account.order(update(order, state, matched=10 * SHARE))
    assert desk.check(buy()).check == "max_position"
    account.fill(fill(order))
    assert desk.check(buy(5 * SHARE)) is None


def test_a_fill_after_the_cancel_counts_once(make_desk):
    desk = make_desk(max_position=15 * SHARE)
    account = Account(desk.cache)
    order = desk.track(buy())
    desk.cache.orders.move(order, OrderState.CANCELLED)
    assert desk.check(buy()) is None
    account.order(update(order, OrderState.CANCELLED, matched=8 * SHARE))
    assert desk.check(buy()).check == "max_position"
    account.fill(fill(order, size=8 * SHARE))
    assert desk.check(buy(7 * SHARE)) is None


def test_shares_whose_sale_matched_are_not_sold_again_before_its_fill(still_desk):
    desk, account = still_desk, Account(still_desk.cache)
    desk.hold(desk.yes, 10 * SHARE)
    sale = PlaceOrder(desk.yes, Side.SELL, 5_200, 10 * SHARE)
    order = desk.track(sale)
    desk.cache.orders.move(order, OrderState.FILLED, matched=10 * SHARE)
    assert desk.check(sale).check == "sellable"
    account.fill(fill(order))
    assert desk.check(sale).check == "sellable"
    desk.hold(desk.yes, 10 * SHARE)
    assert desk.check(sale) is None


def test_the_rounding_of_fills_does_not_count_for_ever(make_desk):
    desk = make_desk(max_position=15 * SHARE)
    account = Account(desk.cache)
    order = desk.track(buy())
    desk.cache.orders.move(order, OrderState.FILLED, matched=10 * SHARE)
    account.fill(fill(order, size=10 * SHARE - 9_000))
    assert desk.check(buy(5 * SHARE)) is None


@pytest.mark.parametrize("first", [Settlement.MATCHED, Settlement.FAILED])
def test_a_match_that_failed_to_settle_counts_no_longer(make_desk, first):
    desk = make_desk(max_position=15 * SHARE)
    account = Account(desk.cache)
    order = desk.track(buy())
    desk.cache.orders.move(order, OrderState.FILLED, matched=10 * SHARE)
    account.fill(fill(order, settlement=first))
    account.fill(fill(order, settlement=Settlement.FAILED))
    assert desk.check(buy(15 * SHARE)) is None


async def test_a_quote_does_not_offer_shares_that_matched_already(desk):
    from polycore import Quote, SetQuotes

    desk.hold(desk.yes, 10 * SHARE)
    order = desk.track(PlaceOrder(desk.yes, Side.SELL, 5_200, 10 * SHARE))
    desk.cache.orders.move(order, OrderState.FILLED, matched=10 * SHARE)
    async with desk.running():
        desk.submit(SetQuotes(desk.yes, (), (Quote(5_500, 10 * SHARE),)))
        await desk.settled()
    assert desk.open == [("BUY", desk.no, 4_500, 10 * SHARE)], "an ask without shares is a purchase of the other token"
