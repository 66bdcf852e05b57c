"""User frames: order states, and fills read from our own leg of a trade (venue notes 2)."""

import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polycore import (
    AssetId,
    Fill,
    Malformed,
    MarketId,
    OrderId,
    OrderState,
    OrderUpdate,
    Role,
    Settlement,
    Side,
    notional,
)
from polycore.venues.polymarket.fills import Account, decode_user

MARKET = MarketId("0x" + "ab" * 32)
YES, NO = AssetId("1234567890" * 7), AssetId("9876543210" * 7)
KEY, OTHER_KEY = "3e2c94ca-8124-c4c1-c7ea-be1ea21b71fe", "86f776cc-e18b-c94e-80b4-a7364e0ecec5"
FUNDER, STRANGER = "0xa3D82Ed56F4c68d2328Fb8c29e568Ba2cAF7d7c8", "0x" + "11" * 20
ACCOUNT = Account(KEY, FUNDER)
NOW = 7


def order(**changed: object) -> bytes:
    known: dict[str, object] = {
        "event_type": "order", "type": "PLACEMENT", "id": "0x0f", "owner": KEY, "market": MARKET, "asset_id": YES,
        "side": "BUY", "price": "0.513", "original_size": "5", "size_matched": "0", "order_type": "GTC",
        "status": "LIVE", "created_at": "1725842520", "expiration": "0", "associate_trades": None,
        "timestamp": "1725842520990",
    }  # fmt: skip
    return json.dumps({**known, **changed}).encode()


def maker(**changed: object) -> dict[str, object]:
    known: dict[str, object] = {
        "order_id": "0xaa", "owner": KEY, "maker_address": FUNDER, "matched_amount": "5", "price": "0.518",
        "fee_rate_bps": "0", "asset_id": YES, "outcome": "Yes",
    }  # fmt: skip
    return {name: value for name, value in {**known, **changed}.items() if value is not None}


def trade(*makers: object, **changed: object) -> bytes:
    known: dict[str, object] = {
        "event_type": "trade", "type": "TRADE", "id": "83b5c849", "taker_order_id": "0xcc", "market": MARKET,
        "asset_id": YES, "side": "BUY", "size": "5", "price": "0.518", "status": "MATCHED", "owner": OTHER_KEY,
        "trader_side": "MAKER", "match_time": "1725868859", "timestamp": "1725868885871",
        "maker_orders": list(makers),
    }  # fmt: skip
    return json.dumps({name: value for name, value in {**known, **changed}.items() if value is not None}).encode()


def one_order(frame: bytes) -> OrderUpdate:
    (event,) = decode_user(frame, ACCOUNT, NOW)
    assert isinstance(event, OrderUpdate)
    return event


def one_fill(frame: bytes) -> Fill:
    (event,) = decode_user(frame, ACCOUNT, NOW)
    assert isinstance(event, Fill)
    return event


def test_placement_is_a_live_order_with_its_time_in_nanoseconds():
    assert one_order(order()) == OrderUpdate(
        OrderId("0x0f"), MARKET, YES, Side.BUY, 5_130, 5_000_000, 0, OrderState.LIVE,
        venue_time=1_725_842_520_990_000_000, received_time=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"type": "UPDATE", "size_matched": "2"}, OrderState.LIVE),
        ({"type": "UPDATE", "size_matched": "5", "status": "MATCHED"}, OrderState.FILLED),
        ({"type": "UPDATE", "size_matched": "4.995", "status": "MATCHED"}, OrderState.FILLED),
        ({"type": "UPDATE", "size_matched": "2", "status": "MATCHED"}, OrderState.LIVE),
        ({"type": "UPDATE", "size_matched": "2", "status": "MATCHED", "order_type": "FAK"}, OrderState.CANCELLED),
        ({"status": "DELAYED"}, OrderState.DELAYED),
        ({"status": "ORDER_STATUS_LIVE"}, OrderState.LIVE),
        ({"status": "live"}, OrderState.LIVE),
        ({"status": "UNMATCHED"}, OrderState.UNKNOWN),
        ({"status": "SOMETHING_NEW"}, OrderState.UNKNOWN),
        ({"type": "CANCELLATION", "status": "CANCELED"}, OrderState.CANCELLED),
        ({"type": "CANCELLATION", "status": "INVALID"}, OrderState.CANCELLED),
        ({"type": "CANCELLATION", "status": "LIVE"}, OrderState.CANCELLED),
        ({"type": "CANCELLATION", "status": None}, OrderState.CANCELLED),
        ({"type": "CANCELLATION", "status": "CANCELED_EXPIRED_ORDER"}, OrderState.EXPIRED),
        ({"status": "CANCELED_NOT_ENOUGH_BALANCE"}, OrderState.CANCELLED),
        ({"status": "CANCELED_for a reason nobody has seen"}, OrderState.CANCELLED),
        ({"status": None}, OrderState.LIVE),
        ({"status": None, "type": "UPDATE", "size_matched": "5"}, OrderState.FILLED),
    ],
)
def test_statuses_are_an_open_set(fields: dict[str, object], state: OrderState):
    assert one_order(order(**fields)).state is state


def test_a_killed_fok_is_cancelled_with_its_reason_despite_empty_numbers():
    killed = order(
        type="CANCELLATION", order_type="FOK", size_matched="", created_at="", outcome="",
        status="CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.",
    )  # fmt: skip
    event = one_order(killed)
    assert (event.state, event.matched) == (OrderState.CANCELLED, 0)
    assert event.reason.startswith("order couldn't be fully filled")


def test_orders_without_event_type_and_with_times_in_seconds_are_known_by_their_type():
    assert one_order(order(event_type=None, timestamp="1672290687")).venue_time == 1_672_290_687 * 1_000_000_000


def test_taker_fill_is_the_top_level_leg():
    fill = one_fill(trade(maker(owner=OTHER_KEY, maker_address=STRANGER), trader_side="TAKER", owner=KEY))
    assert (fill.order, fill.asset, fill.side, fill.price, fill.size) == ("0xcc", YES, Side.BUY, 5_180, 5_000_000)
    assert (fill.role, fill.cost, fill.venue_time) == (Role.TAKER, None, 1_725_868_885_871_000_000)


def test_taker_fill_costs_what_its_makers_cost_whatever_price_is_on_top():
    makers = (
        maker(owner=OTHER_KEY, maker_address=STRANGER, matched_amount="10", price="0.518"),
        maker(owner=OTHER_KEY, maker_address=STRANGER, matched_amount="20", price="0.48", asset_id=NO),
    )
    fill = one_fill(trade(*makers, trader_side="TAKER", size="30", price="0.6"))
    exact = 10_000_000 * 518 // 1_000 + 20_000_000 * 52 // 100
    assert fill.cost == exact
    assert fill.price == 5_193
    assert abs(notional(fill.price, fill.size) - exact) < 30 * 50


def test_makers_that_do_not_cover_the_trade_leave_the_top_level_price():
    fill = one_fill(trade(maker(owner=OTHER_KEY, matched_amount="3"), trader_side="TAKER", price="0.52"))
    assert (fill.price, fill.cost) == (5_200, None)


@pytest.mark.parametrize(
    ("taker_side", "other_token", "stated", "expected"),
    [
        ("BUY", False, None, Side.SELL),
        ("SELL", False, None, Side.BUY),
        ("BUY", True, None, Side.BUY),
        ("SELL", True, None, Side.SELL),
        ("BUY", False, "SELL", Side.SELL),
        ("SELL", False, "buy", Side.BUY),
        ("BUY", True, "BUY", Side.BUY),
        ("SELL", True, "SELL", Side.SELL),
    ],
)
def test_maker_fill_has_our_own_token_side_and_price(
    taker_side: str, other_token: bool, stated: str | None, expected: Side
):
    ours = maker(asset_id=NO if other_token else YES, price="0.482" if other_token else "0.518", side=stated)
    fill = one_fill(trade(ours, side=taker_side))
    assert (fill.asset, fill.side, fill.role) == (NO if other_token else YES, expected, Role.MAKER)
    assert (fill.order, fill.price, fill.size) == ("0xaa", 4_820 if other_token else 5_180, 5_000_000)


def test_two_of_our_orders_in_one_trade_are_two_fills_and_a_strangers_is_none():
    mine = [maker(order_id="0xaa", price="0.4"), maker(order_id="0xbb", price="0.3")]
    events = decode_user(trade(mine[0], maker(order_id="0xee", owner=OTHER_KEY), mine[1], size="15"), ACCOUNT, NOW)
    fills = [event for event in events if isinstance(event, Fill)]
    assert [(fill.trade, fill.order, fill.price) for fill in fills] == [
        ("83b5c849", "0xaa", 4_000),
        ("83b5c849", "0xbb", 3_000),
    ]


def test_our_funder_counts_in_any_case_where_no_owner_is_ours():
    ours = maker(owner=OTHER_KEY, maker_address=FUNDER.upper().replace("0X", "0x"))
    assert one_fill(trade(ours, maker(owner=OTHER_KEY, maker_address=STRANGER))).order == "0xaa"
    named = maker(order_id="0xbb")
    assert one_fill(trade(ours, named)).order == "0xbb"


def test_a_maker_trade_without_an_order_of_ours_is_reported_and_empty_names_match_nothing():
    strangers = trade(maker(owner="", maker_address=""))
    for account in (ACCOUNT, Account("", "")):
        (event,) = decode_user(strangers, account, NOW)
        assert isinstance(event, Malformed)


def test_a_self_match_seen_by_the_taker_fills_both_orders():
    events = decode_user(trade(maker(), trader_side="TAKER", owner=KEY), ACCOUNT, NOW)
    assert [(event.order, event.role, event.side) for event in events if isinstance(event, Fill)] == [
        ("0xcc", Role.TAKER, Side.BUY),
        ("0xaa", Role.MAKER, Side.SELL),
    ]


def test_noise_digits_of_a_maker_price_are_rounded_to_the_grid():
    assert one_fill(trade(maker(price="0.0030000000012", side="SELL"))).price == 30


@pytest.mark.parametrize(
    ("status", "settlement"),
    [
        ("MATCHED", Settlement.MATCHED),
        ("TRADE_STATUS_MINED", Settlement.MINED),
        ("MATCHED_NOT_BROADCASTED", Settlement.MATCHED),
        ("RETRYING", Settlement.RETRYING),
        ("CONFIRMED", Settlement.CONFIRMED),
        ("failed", Settlement.FAILED),
    ],
)
def test_settlement_statuses(status: str, settlement: Settlement):
    assert one_fill(trade(maker(), status=status)).settlement is settlement


def test_an_unknown_settlement_is_reported_and_the_fill_held_as_provisional():
    fault, fill = decode_user(trade(maker(), status="TELEPORTED"), ACCOUNT, NOW)
    assert isinstance(fault, Malformed)
    assert isinstance(fill, Fill)
    assert fill.settlement is Settlement.MATCHED


def test_an_unreadable_maker_order_does_not_hide_the_other():
    events = decode_user(trade(maker(order_id="0xaa", matched_amount="?"), maker(order_id="0xbb"), 5), ACCOUNT, NOW)
    assert [event.order for event in events if isinstance(event, Fill)] == ["0xbb"]
    assert sum(isinstance(event, Malformed) for event in events) == 2


def test_arrays_heartbeats_and_complaints():
    assert len(decode_user(b"[" + order() + b"," + trade(maker()) + b"]\n", ACCOUNT, NOW)) == 2
    assert decode_user(b"PONG", ACCOUNT, NOW) == ()
    for odd in (b"INVALID OPERATION", b'{"event_type":"x"}', b"{", b"[1]"):
        (event,) = decode_user(odd, ACCOUNT, NOW)
        assert isinstance(event, Malformed)


JUNK: list[object] = ["", "nan", "-1", None, True, 10**30, 1.5, [], {}, [None], "é", "9" * 400, "BUY"]


@pytest.mark.parametrize("valid", [order(), trade(maker(), maker(asset_id=NO)), trade(maker(), trader_side="TAKER")])
def test_no_field_can_make_it_raise(valid: bytes):
    message = json.loads(valid)
    for field, junk in product(message, JUNK):
        decode_user(json.dumps({**message, field: junk}).encode(), ACCOUNT, NOW)
    if "maker_orders" in message:
        for field, junk in product(message["maker_orders"][0], JUNK):
            broken = {**message, "maker_orders": [{**message["maker_orders"][0], field: junk}]}
            decode_user(json.dumps(broken).encode(), ACCOUNT, NOW)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise(noise: bytes):
    decode_user(noise, ACCOUNT, NOW)
    decode_user(b"{" + noise, ACCOUNT, NOW)
