"""Answers to order requests, row by row of the outcome table: accepted and refused only when it is proven."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycore import (
    Approved,
    AssetId,
    ClientOrderId,
    MarketId,
    OrderId,
    OrderState,
    PlaceOrder,
    Posted,
    Response,
    Side,
    SignedOrder,
    TimeInForce,
)
from polycore.venues.polymarket.amounts import Amounts
from polycore.venues.polymarket.errors import RefusalKind, refusal_kind
from polycore.venues.polymarket.outcomes import Sent, batch_answers, one_answer

S = OrderState


def sent(name: str = "0xAb", kind: TimeInForce = TimeInForce.GTC, side: Side = Side.BUY) -> Sent:
    place = PlaceOrder(AssetId("1"), side, 5_000, 10_000_000, kind)
    given = Amounts(5_000_000, 10_000_000) if side is Side.BUY else Amounts(10_000_000, 5_000_000)
    return Sent(SignedOrder(Approved(ClientOrderId("mm-1"), "mm", MarketId("m"), place), OrderId(name), b"{}"), given)


def answer(**changed: object) -> dict[str, object]:
    known: dict[str, object] = {
        "success": True, "errorMsg": "", "orderID": "0xab", "status": "live", "makingAmount": "0",
        "takingAmount": "0", "transactionsHashes": [], "tradeIDs": [],
    }  # fmt: skip
    return {**known, **changed}


def response(body: object, status: int = 200) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def one(body: object, status: int = 200, order: Sent | None = None) -> Posted:
    return one_answer(order or sent(), response(body, status))


@pytest.mark.parametrize(
    ("fields", "order", "state", "matched"),
    [
        ({}, sent(), S.LIVE, 0),
        ({"makingAmount": "", "takingAmount": ""}, sent(), S.LIVE, 0),
        ({"status": "delayed"}, sent(), S.DELAYED, 0),
        ({"status": "matched", "makingAmount": "5", "takingAmount": "10"}, sent(), S.FILLED, 10_000_000),
        ({"status": "matched", "makingAmount": "4.9", "takingAmount": "9.995"}, sent(), S.FILLED, 9_995_000),
        ({"status": "matched", "makingAmount": "2", "takingAmount": "4"}, sent(), S.LIVE, 4_000_000),
        ({"status": "matched", "makingAmount": "4", "takingAmount": "2"}, sent(side=Side.SELL), S.LIVE, 4_000_000),
        ({"status": "matched", "takingAmount": "4"}, sent(kind=TimeInForce.FAK), S.CANCELLED, 4_000_000),
        ({"status": "matched", "takingAmount": "10"}, sent(kind=TimeInForce.FOK), S.FILLED, 10_000_000),
    ],
)
def test_accepted_orders(fields: dict[str, object], order: Sent, state: OrderState, matched: int):
    posted = one(answer(**fields), order=order)
    assert (posted.state, posted.matched, posted.order) == (state, matched, "0xAb")


@pytest.mark.parametrize(
    "refused",
    [
        (answer(success=False, orderID="", status="", errorMsg="not enough balance / allowance"), 200),
        (answer(orderID="", status="", errorMsg="post-only mode: only post-only orders and cancels are allowed"), 200),
        ({"error": "not enough balance / allowance"}, 400),
        ({"error": "invalid post-only order: order crosses book"}, 400),
        ({"error": "order 0xab is invalid. Price (0.505) breaks minimum tick size rule: 0.01"}, 400),
        ({"error": "order 0xab is invalid. Size (1) lower than the minimum: 5"}, 400),
        ({"error": "invalid order version, please use the latest clob-client"}, 400),
        ({"error": "Invalid order payload"}, 400),
        ({"error": "Unauthorized/Invalid api key"}, 401),
        ({"error": "Trading is restricted in your region"}, 403),
        ({"error": "No orderbook exists for the requested token id"}, 404),
        ({"error": "Too Many Requests"}, 429),
        ({"error": "order timed out"}, 500),
        ({"error": "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."}, 503),
        ({"error": "Trading is currently disabled. Check polymarket.com for updates"}, 503),
    ],
)
def test_the_three_shapes_of_a_proven_refusal(refused: tuple[object, int]):
    posted = one(*refused)
    assert posted.state is S.REJECTED
    assert posted.reason


@pytest.mark.parametrize(
    "killed",
    [
        ({"error": "order couldn't be fully filled. FOK orders are fully filled or killed."}, 400),
        ({"error": "no orders found to match with FAK order. FAK orders are partially filled or killed …"}, 400),
        ({"error": "FOK orders are filled or killed"}, 500),
        ({"error": "there are no matching orders"}, 500),
    ],
)
def test_an_order_that_found_nothing_is_cancelled(killed: tuple[object, int]):
    assert one(*killed, order=sent(kind=TimeInForce.FOK)).state is S.CANCELLED


@pytest.mark.parametrize(
    "unclear",
    [
        (b"", 200),
        (b"<html>Attention Required! | Cloudflare</html>", 200),
        (b"<html>Attention Required! | Cloudflare</html>", 403),
        (b"null", 200),
        ([], 200),
        ({}, 200),
        (answer(orderID=""), 200),
        (answer(orderID="0xother"), 200),
        (answer(errorMsg="but it was accepted"), 200),
        (answer(success=False), 200),
        (answer(status="unmatched"), 200),
        (answer(status=""), 200),
        (answer(status="matched", takingAmount="a lot"), 200),
        (answer(success="yes"), 200),
        ({"error": "order 0xab is invalid. Duplicated."}, 400),
        ({"error": "context canceled"}, 400),
        ({"error": "words that nobody has listed"}, 400),
        (None, 425),
        ({"error": "matching engine restarting: invalid"}, 425),
        ({"error": "Internal server error"}, 500),
        ({"error": "the trade contains rounding issues"}, 500),
        ({"error": "invalid memory address or nil pointer"}, 500),
        (b"Bad gateway", 502),
        ({"error": "timeout"}, 504),
    ],
)
def test_whatever_is_not_proven_is_unknown(unclear: tuple[object, int]):
    assert one(*unclear).state is S.UNKNOWN


def test_an_immediate_order_that_rests_is_unknown():
    assert one(answer(), order=sent(kind=TimeInForce.FAK)).state is S.UNKNOWN


@pytest.mark.parametrize("amount", ["", "0", None])
def test_a_match_without_its_amount_is_unknown_for_an_order_that_cannot_rest(amount: str | None):
    """Something filled, nobody says how much: as CANCELLED with nothing matched it would leave every limit."""
    posted = one(answer(status="matched", takingAmount=amount), order=sent(kind=TimeInForce.FAK))
    assert posted.state is S.UNKNOWN
    assert "amount" in posted.reason


def test_a_batch_is_answered_leg_by_leg():
    orders = [sent("0x01"), sent("0x02"), sent("0x03"), sent("0x04")]
    body = [
        answer(orderID="0x01"),
        answer(orderID="", status="", errorMsg="not enough balance / allowance"),
        "nonsense",
        answer(orderID="0x01"),
    ]
    found = batch_answers(orders, response(body))
    assert [posted.order for posted in found] == ["0x01", "0x02", "0x03", "0x04"]
    assert [posted.state for posted in found] == [S.LIVE, S.REJECTED, S.UNKNOWN, S.UNKNOWN]


@pytest.mark.parametrize(("body", "status", "state"), [
    ([answer()], 200, S.UNKNOWN),
    ({"error": "Internal server error"}, 500, S.UNKNOWN),
    (b"<html>", 403, S.UNKNOWN),
    ({"error": "Too many orders in payload: 16, max allowed: 15"}, 400, S.REJECTED),
])  # fmt: skip
def test_a_batch_that_fails_as_a_whole(body: object, status: int, state: OrderState):
    found = batch_answers([sent("0x01"), sent("0x02")], response(body, status))
    assert [posted.state for posted in found] == [state, state]


@given(st.binary(max_size=200), st.sampled_from([200, 400, 401, 403, 404, 425, 429, 500, 503]))
def test_no_answer_raises_and_noise_proves_nothing(noise: bytes, status: int):
    for posted in (one(noise, status), *batch_answers([sent(), sent()], response(noise, status))):
        assert posted.state is S.UNKNOWN


def test_refusals_have_a_class_to_act_on():
    assert refusal_kind(400, "not enough balance / allowance") is RefusalKind.FUNDS
    assert refusal_kind(400, "order 0x1 is invalid. Price (0.5) breaks minimum tick size rule: 1") is RefusalKind.TICK
    assert refusal_kind(400, "invalid order version, please use the latest clob-client") is RefusalKind.VERSION
    assert refusal_kind(400, "'0x1' address banned") is RefusalKind.ACCOUNT
    assert refusal_kind(401, "who are you") is RefusalKind.CREDENTIALS
    assert not RefusalKind.DUPLICATE.proven
    assert not RefusalKind.UNCLEAR.proven
