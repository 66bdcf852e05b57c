"""What the exchange refuses, in the venue's exact words, and how orders leave."""

from typing import Any

import msgspec
import pytest

from polycore.exchange.values import ExchangeSettings, OrderEvent, OrderNotice, Placed, PlaceStatus, Refusal
from polycore.model.intents import TimeInForce
from polycore.model.market import FeeSchedule, Side
from polycore.model.money import MONEY_ONE, SIZE_ONE

SECOND = 1_000_000_000


def test_an_off_grid_price_is_refused_in_the_venues_words(pit: Any) -> None:
    request = pit.request(pit.account("ann"), Side.BUY, pit.up, 50.5, 10)
    assert pit.exchange.place(request, pit.now) == Refusal(
        400, f"order {request.id} is invalid. Price (0.505) breaks minimum tick size rule: 0.01"
    )


@pytest.mark.parametrize("cents", [100, 99.99])
def test_a_price_outside_the_grids_range_is_refused(pit: Any, cents: float) -> None:
    assert "breaks minimum tick size rule" in pit.buy(pit.account("ann"), cents, 10).text


@pytest.mark.parametrize("field", ["maker_amount", "taker_amount"])
@pytest.mark.parametrize("side", Side)
def test_an_order_that_gives_or_takes_nothing_is_refused(pit: Any, side: Side, field: str) -> None:
    request = pit.request(pit.account("ann", tokens=10), side, pit.up, 50, 10)
    refused = pit.exchange.place(msgspec.structs.replace(request, **{field: 0}), pit.now)
    assert isinstance(refused, Refusal)
    assert pit.exchange.entry_delay(msgspec.structs.replace(request, **{field: 0})) == 0


def test_a_small_size_is_refused_in_the_venues_words(pit: Any) -> None:
    request = pit.request(pit.account("ann"), Side.BUY, pit.up, 50, 1)
    assert pit.exchange.place(request, pit.now) == Refusal(
        400, f"order {request.id} is invalid. Size (1) lower than the minimum: 5"
    )


def test_a_marketable_buy_below_one_dollar_is_refused(pit: Any) -> None:
    pit.sell(pit.account("ann", tokens=100), 10, 50)
    refused = pit.buy(pit.account("bob"), 10, 5, kind=TimeInForce.FAK)
    assert refused == Refusal(400, "invalid amount for a marketable BUY order ($0.5), min size: $1")


def test_the_same_order_twice_is_duplicated(pit: Any) -> None:
    request = pit.request(pit.account("ann"), Side.BUY, pit.up, 50, 10)
    assert isinstance(pit.exchange.place(request, pit.now), Placed)
    assert pit.exchange.place(request, pit.now) == Refusal(400, f"order {request.id} is invalid. Duplicated.")


def test_a_post_only_order_that_would_cross_is_refused_also_against_the_other_token(pit: Any) -> None:
    pit.buy(pit.account("ann"), 60, 10, pit.down)
    bob = pit.account("bob")
    assert pit.buy(bob, 40, 10, post_only=True) == Refusal(400, "invalid post-only order: order crosses book")
    assert pit.buy(bob, 39, 10, post_only=True).status is PlaceStatus.LIVE


def test_post_only_with_an_immediate_kind_is_no_order(pit: Any) -> None:
    assert pit.buy(pit.account("ann"), 40, 10, kind=TimeInForce.FAK, post_only=True).text == "Invalid order payload"


def test_a_fok_fills_whole_or_not_at_all(pit: Any) -> None:
    ann, bob = pit.account("ann", tokens=20), pit.account("bob")
    pit.sell(ann, 40, 20)
    pit.exchange.drain()
    refused = pit.buy(bob, 40, 21, kind=TimeInForce.FOK)
    assert refused == Refusal(400, "order couldn't be fully filled. FOK orders are fully filled or killed.")
    assert pit.shares(bob) == 0
    (killed,) = pit.heard(OrderNotice)
    assert killed.event is OrderEvent.CANCELLATION
    assert killed.order.status == f"CANCELED_{refused.text}"
    assert pit.buy(bob, 40, 20, kind=TimeInForce.FOK).status is PlaceStatus.MATCHED


def test_a_fak_that_meets_nothing_is_refused_in_the_venues_words(pit: Any) -> None:
    assert pit.buy(pit.account("ann"), 40, 10, kind=TimeInForce.FAK) == Refusal(
        400,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
    )


def test_market_orders_carry_two_decimals_of_what_they_give(pit: Any) -> None:
    pit.sell(pit.account("ann", tokens=20), 33, 20)
    assert pit.buy(pit.account("bob"), 33, 10.55, kind=TimeInForce.FAK).text.startswith("invalid amounts")


def test_open_orders_reserve_over_all_tokens(pit: Any) -> None:
    ann = pit.account("ann", money=10)
    assert isinstance(pit.buy(ann, 40, 15), Placed)
    assert pit.buy(ann, 50, 10, pit.down) == Refusal(400, "not enough balance / allowance")
    assert pit.exchange.money(ann).available == 4 * MONEY_ONE
    assert isinstance(pit.buy(ann, 40, 10, pit.down), Placed)


def test_a_sell_needs_tokens_that_no_other_sell_offers(pit: Any) -> None:
    ann = pit.account("ann", tokens=10)
    assert isinstance(pit.sell(ann, 60, 6), Placed)
    assert pit.sell(ann, 70, 5).text == "not enough balance / allowance"
    assert pit.exchange.shares(ann, pit.up).reserved == 6 * SIZE_ONE


def test_a_buying_taker_must_cover_its_fee_too(make_pit: Any) -> None:
    pit = make_pit(fee=FeeSchedule(rate_millionths=70_000))
    pit.sell(pit.account("ann", tokens=100), 50, 100)
    assert pit.buy(pit.account("bob", money=51), 50, 100).text == "not enough balance / allowance"
    assert isinstance(pit.buy(pit.account("eve", money=52), 50, 100), Placed)


def test_a_market_that_takes_no_orders_says_so(pit: Any) -> None:
    pit.exchange.set_accepting(pit.market.id, False)
    assert pit.buy(pit.account("ann"), 40, 10) == Refusal(400, "the market is not yet ready to process new orders")


@pytest.mark.parametrize(
    ("kind", "seconds"), [(TimeInForce.GTD, 179), (TimeInForce.GTD, None), (TimeInForce.GTC, 1_000)]
)
def test_an_expiry_too_near_or_out_of_place_is_invalid(pit: Any, kind: TimeInForce, seconds: int | None) -> None:
    expires = 0 if seconds is None else pit.now // SECOND + seconds
    assert pit.buy(pit.account("ann"), 40, 10, kind=kind, expires=expires).text == "invalid expiration"


def test_a_gtd_order_is_withdrawn_a_minute_before_its_stated_time(pit: Any) -> None:
    ann = pit.account("ann")
    placed = pit.buy(ann, 40, 10, kind=TimeInForce.GTD, expires=pit.now // SECOND + 200)
    pit.later(139)
    assert pit.exchange.order(placed.order).status == "LIVE"
    pit.exchange.drain()
    pit.later(1)
    (notice,) = pit.heard(OrderNotice)
    assert (notice.event, notice.order.status) == (OrderEvent.CANCELLATION, "CANCELED_EXPIRED_ORDER")
    assert pit.exchange.money(ann).reserved == 0


def test_cancels_answer_for_each_order(pit: Any) -> None:
    ann, bob = pit.account("ann"), pit.account("bob")
    mine, others = pit.buy(ann, 40, 10).order, pit.buy(bob, 40, 10).order
    result = pit.exchange.cancel(ann, [mine, others, "0xnone"], pit.now)
    assert result.canceled == (mine,)
    assert dict(result.not_canceled) == {
        others: "Order not found or already canceled", "0xnone": "Order not found or already canceled"
    }  # fmt: skip
    again = pit.exchange.cancel(ann, [mine], pit.now)
    assert dict(again.not_canceled) == {mine: "already canceled or matched"}


def test_cancels_of_a_market_or_a_token_leave_the_rest(pit: Any) -> None:
    ann = pit.account("ann")
    up, down = pit.buy(ann, 40, 10).order, pit.buy(ann, 40, 10, pit.down).order
    assert pit.exchange.cancel_market(ann, pit.now, asset=pit.down).canceled == (down,)
    assert [order.id for order in pit.exchange.open_orders(ann)] == [up]
    assert pit.exchange.cancel_all(ann, pit.now).canceled == (up,)


def test_a_split_that_takes_the_cover_cancels_the_newest_bids(pit: Any) -> None:
    ann = pit.account("ann", money=20)
    old, new = pit.buy(ann, 50, 20).order, pit.buy(ann, 40, 20).order
    pit.exchange.drain()
    assert pit.exchange.split(ann, pit.market.id, 5 * MONEY_ONE, pit.now) is None
    assert pit.exchange.order(new).status == "CANCELED_NOT_ENOUGH_BALANCE"
    assert pit.exchange.order(old).status == "LIVE"


def test_a_held_order_cannot_be_cancelled_and_matches_afterwards(make_pit: Any) -> None:
    pit = make_pit(hold=3 * SECOND)
    pit.sell(pit.account("ann", tokens=10), 40, 10)
    bob = pit.account("bob")
    placed = pit.buy(bob, 40, 15)
    assert (placed.status, placed.taking, placed.trades) == (PlaceStatus.DELAYED, 0, ())
    assert pit.exchange.cancel(bob, [placed.order], pit.now).canceled == ()
    assert pit.exchange.money(bob).reserved == 6 * MONEY_ONE
    pit.later(2.9)
    assert pit.shares(bob) == 0
    pit.exchange.drain()
    pit.later(0.1)
    assert pit.shares(bob) == 10 * SIZE_ONE
    mine = [notice for notice in pit.heard(OrderNotice) if notice.account == bob]
    assert [(notice.event, notice.order.status) for notice in mine] == [(OrderEvent.UPDATE, "LIVE")]


def test_only_marketable_orders_wait_for_the_taker_delay(make_pit: Any) -> None:
    pit = make_pit(taker_delay=250_000_000)
    ann, bob = pit.account("ann", tokens=10), pit.account("bob")
    assert pit.exchange.entry_delay(pit.request(ann, Side.SELL, pit.up, 40, 10)) == 0
    pit.sell(ann, 40, 10)
    assert pit.exchange.entry_delay(pit.request(bob, Side.BUY, pit.up, 40, 10)) == 250_000_000
    assert pit.exchange.entry_delay(pit.request(bob, Side.BUY, pit.up, 39, 10)) == 0


def test_the_clients_bounds_on_market_amounts_can_be_lifted(make_pit: Any) -> None:
    pit = make_pit(settings=ExchangeSettings(market_decimals=False))
    pit.sell(pit.account("ann", tokens=20), 33, 20)
    assert isinstance(pit.buy(pit.account("bob"), 33, 10.55, kind=TimeInForce.FAK), Placed)
