"""The gateway over real sockets, against a server that answers by a script."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from polycore import (
    Approved,
    AssetId,
    ClientOrderId,
    LinkError,
    ManualClock,
    Market,
    MarketId,
    OrderId,
    OrderState,
    Outcome,
    OutcomeUnknown,
    PlaceOrder,
    ProtocolViolation,
    Secret,
    Side,
    SignedOrder,
    TimeInForce,
    UsageError,
    VenueRefusal,
)
from polycore.venues.polymarket.config import WalletKind
from polycore.venues.polymarket.credentials import l2_signature
from polycore.venues.polymarket.gateway import PolymarketGateway
from polycore.venues.polymarket.signer import OrderSigner
from polycore.venues.polymarket.transport import HttpTransport

KEY = Secret("0x" + "11" * 32)
YES, NO = AssetId("1" + "0" * 76), AssetId("2" + "0" * 76)
MARKET = Market(MarketId("0x" + "ab" * 32), "rain", "Rain?", Outcome(YES, "Yes"), Outcome(NO, "No"))
Handler = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


class Script:
    """A venue whose answers are set by the test; it keeps every request."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.keys = 0
        self.answers: dict[str, Handler] = {}
        self.url = ""

    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.requests]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.path_qs, dict(request.headers), body))
        if request.path == "/auth/api-key":
            if self.keys:
                return web.json_response({"error": "key exists"}, status=400)
            return self.new_key()
        if request.path == "/auth/derive-api-key":
            return self.new_key()
        return await self.answers[request.path](request, body)

    def new_key(self) -> web.Response:
        self.keys += 1
        return web.json_response({"apiKey": f"key-{self.keys}", "secret": "c2VjcmV0", "passphrase": "p"})


def always(body: object, status: int = 200) -> Handler:
    async def handler(_request: web.Request, _body: bytes) -> web.Response:
        return web.json_response(body, status=status)

    return handler


def accepted(signed: SignedOrder, **changed: object) -> dict[str, object]:
    return {"success": True, "errorMsg": "", "orderID": signed.order, "status": "live", **changed}


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", script.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    script.url = f"http://{host}:{port}"
    yield script
    await runner.cleanup()


@pytest.fixture
async def gateway(script: Script) -> AsyncIterator[PolymarketGateway]:
    transport = HttpTransport(total_seconds=1)
    gateway = PolymarketGateway(script.url, transport, OrderSigner(KEY, WalletKind.EOA, ""), ManualClock())
    gateway.learn(MARKET)
    await gateway.open()
    yield gateway
    await gateway.close()
    await transport.close()


def buy(name: str = "mm-1", **changed: Any) -> Approved:
    order: dict[str, Any] = {"asset": YES, "side": Side.BUY, "price": 5_000, "size": 10_000_000, **changed}
    return Approved(ClientOrderId(name), "mm", MARKET.id, PlaceOrder(**order))


async def test_credentials_are_created_and_derived_where_they_exist(script: Script, gateway: PolymarketGateway):
    assert script.paths() == ["POST /auth/api-key"]
    await gateway.open()
    assert script.paths()[1:] == ["POST /auth/api-key", "GET /auth/derive-api-key"]
    assert gateway.credentials.api_key == "key-2"


async def test_an_order_is_signed_without_a_request_and_posted_by_its_owner(script: Script, gateway: PolymarketGateway):
    before = len(script.requests)
    (signed,) = await gateway.sign([buy(post_only=True)])
    assert len(script.requests) == before
    script.answers["/order"] = always(accepted(signed))
    (posted,) = await gateway.post([signed])
    assert (posted.order, posted.state) == (signed.order, OrderState.LIVE)

    method, path, headers, body = script.requests[-1]
    sent = json.loads(body)
    assert (sent["owner"], sent["orderType"], sent["postOnly"], sent["deferExec"]) == ("key-1", "GTC", True, False)
    assert (sent["order"]["makerAmount"], sent["order"]["takerAmount"]) == ("5000000", "10000000")
    assert b" " not in body
    expected = l2_signature("c2VjcmV0", int(headers["POLY_TIMESTAMP"]), method, path, body)
    assert headers["POLY_SIGNATURE"] == expected
    assert headers["POLY_API_KEY"] == "key-1"


async def test_many_orders_go_by_fifteen_and_keep_their_order(script: Script, gateway: PolymarketGateway):
    signed = await gateway.sign([buy(f"mm-{number}") for number in range(31)])
    assert len({order.order for order in signed}) == 31
    by_salt = {json.loads(order.body)["order"]["salt"]: order for order in signed}

    async def batch(_request: web.Request, body: bytes) -> web.Response:
        orders = [by_salt[entry["order"]["salt"]] for entry in json.loads(body)]
        return web.json_response([accepted(order) for order in orders])

    script.answers["/orders"] = batch
    script.answers["/order"] = always(accepted(signed[30]))
    posted = await gateway.post(signed)
    assert [answer.order for answer in posted] == [order.order for order in signed]
    assert {answer.state for answer in posted} == {OrderState.LIVE}
    assert script.paths()[-3:] == ["POST /orders", "POST /orders", "POST /order"]


async def test_an_answer_that_never_comes_leaves_the_order_unknown(script: Script, gateway: PolymarketGateway):
    async def hangs(_request: web.Request, _body: bytes) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def drops(request: web.Request, _body: bytes) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    signed = await gateway.sign([buy()])
    for handler in (hangs, drops):
        script.answers["/order"] = handler
        (posted,) = await gateway.post(signed)
        assert (posted.state, posted.order) == (OrderState.UNKNOWN, signed[0].order)


async def test_a_refused_connection_proves_that_nothing_was_sent(script: Script):
    transport = HttpTransport()
    nowhere = PolymarketGateway("http://127.0.0.1:1", transport, OrderSigner(KEY, WalletKind.EOA, ""), ManualClock())
    nowhere.learn(MARKET)
    with pytest.raises(LinkError, match="nothing was sent"):
        await nowhere.open()
    nowhere._base = script.url
    await nowhere.open()
    nowhere._base = "http://127.0.0.1:1"
    (posted,) = await nowhere.post(await nowhere.sign([buy()]))
    assert posted.state is OrderState.REJECTED
    assert posted.reason.startswith("not sent")
    await nowhere.close()
    await transport.close()


async def test_refused_credentials_are_derived_once_and_the_same_order_goes_again(
    script: Script, gateway: PolymarketGateway
):
    (signed,) = await gateway.sign([buy()])

    async def only_the_new_key(request: web.Request, body: bytes) -> web.Response:
        if json.loads(body)["owner"] != "key-2" or request.headers["POLY_API_KEY"] != "key-2":
            return web.json_response({"error": "Unauthorized/Invalid api key"}, status=401)
        return web.json_response(accepted(signed))

    script.answers["/order"] = only_the_new_key
    posts = await asyncio.gather(*(gateway.post([signed]) for _ in range(5)))
    assert {posted.state for (posted,) in posts} == {OrderState.LIVE}
    assert script.paths().count("GET /auth/derive-api-key") == 1
    sent = [json.loads(body)["order"] for _, path, _, body in script.requests if path == "/order"]
    assert all(order == sent[0] for order in sent)


async def test_credentials_refused_twice_are_a_refusal(script: Script, gateway: PolymarketGateway):
    script.answers["/order"] = always({"error": "Unauthorized/Invalid api key"}, 401)
    (posted,) = await gateway.post(await gateway.sign([buy()]))
    assert posted.state is OrderState.REJECTED
    assert script.paths().count("POST /order") == 2


async def test_a_tick_refusal_teaches_the_tick_in_force(script: Script, gateway: PolymarketGateway):
    words = "order 0x1 is invalid. Price (0.573) breaks minimum tick size rule: 0.001"
    script.answers["/order"] = always({"error": words}, 400)
    kind: dict[str, Any] = {"price": 5_730, "size": 7_000_000, "time_in_force": TimeInForce.FAK}
    for expected in ("6998200", "6998250"):
        (signed,) = await gateway.sign([buy(**kind)])
        assert json.loads(signed.body)["order"]["takerAmount"] == expected
        await gateway.post([signed])


async def test_unknown_tokens_and_early_expiries_are_never_signed(gateway: PolymarketGateway):
    with pytest.raises(UsageError, match="no market"):
        await gateway.sign([buy(asset="3")])
    now = ManualClock().wall() // 1_000_000_000
    with pytest.raises(UsageError, match="180 s"):
        await gateway.sign([buy(time_in_force=TimeInForce.GTD, expires=now + 179)])
    (signed,) = await gateway.sign([buy(time_in_force=TimeInForce.GTD, expires=now + 200)])
    assert json.loads(signed.body)["order"]["expiration"] == str(now + 200)


async def test_cancels_report_every_id(script: Script, gateway: PolymarketGateway):
    script.answers["/orders"] = always({"canceled": ["0x1"], "not_canceled": {"0x2": "already canceled or matched"}})
    found = await gateway.cancel([OrderId(name) for name in ("0x1", "0x2", "0x3")])
    assert found.cancelled == ("0x1",)
    assert dict(found.refused) == {"0x2": "already canceled or matched", "0x3": "the answer does not name it"}
    assert json.loads(script.requests[-1][3]) == ["0x1", "0x2", "0x3"]

    script.answers["/order"] = always({"canceled": ["0x1"], "not_canceled": {}})
    assert (await gateway.cancel([OrderId("0x1")])).cancelled == ("0x1",)
    assert json.loads(script.requests[-1][3]) == {"orderID": "0x1"}

    script.answers["/cancel-all"] = always({"canceled": ["0x1", "0x2"], "not_canceled": {}})
    assert (await gateway.cancel_all()).cancelled == ("0x1", "0x2")
    method, path, headers, body = script.requests[-1]
    assert body == b""
    assert headers["POLY_SIGNATURE"] == l2_signature("c2VjcmV0", int(headers["POLY_TIMESTAMP"]), method, path)


async def test_more_than_a_thousand_cancels_go_in_parts(script: Script, gateway: PolymarketGateway):
    async def all_of_them(_request: web.Request, body: bytes) -> web.Response:
        return web.json_response({"canceled": json.loads(body), "not_canceled": {}})

    script.answers["/orders"] = all_of_them
    ids = [OrderId(hex(number)) for number in range(1_500)]
    assert (await gateway.cancel(ids)).cancelled == tuple(ids)
    assert script.paths().count("DELETE /orders") == 2


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"error": "Too Many Requests"}, 429, VenueRefusal),
        ({"error": "Internal server error"}, 500, OutcomeUnknown),
        ({"canceled": ["0x1"], "not_canceled": {}}, 502, OutcomeUnknown),
        ("?", 200, OutcomeUnknown),
    ],
)
async def test_a_cancel_without_a_proper_answer_raises(
    script: Script, gateway: PolymarketGateway, body: object, status: int, error: type[Exception]
):
    script.answers["/cancel-all"] = always(body, status)
    with pytest.raises(error):
        await gateway.cancel_all()


def open_order(number: int, **changed: object) -> dict[str, object]:
    known = {"id": f"0x{number}", "status": "LIVE", "market": MARKET.id, "asset_id": YES, "side": "BUY",
             "price": "0.6000", "original_size": "200.0000", "size_matched": "50.0", "created_at": 1703875200,
             "expiration": None, "order_type": "GTC"}  # fmt: skip
    return {**known, **changed}


async def test_open_orders_are_read_page_by_page(script: Script, gateway: PolymarketGateway):
    pages = {"MA==": ([1, 2], "Mg=="), "Mg==": ([2, 3], "LTE=")}

    async def page(request: web.Request, _body: bytes) -> web.Response:
        numbers, following = pages[request.query["next_cursor"]]
        return web.json_response({"data": [open_order(number) for number in numbers], "next_cursor": following})

    script.answers["/data/orders"] = page
    found = await gateway.open_orders()
    assert [update.order for update in found] == ["0x1", "0x2", "0x3"]
    assert (found[0].price, found[0].size, found[0].matched) == (6_000, 200_000_000, 50_000_000)
    assert found[0].venue_time == 1_703_875_200_000_000_000
    method, _, headers, _ = script.requests[-1]
    signed = l2_signature("c2VjcmV0", int(headers["POLY_TIMESTAMP"]), method, "/data/orders")
    assert headers["POLY_SIGNATURE"] == signed


@pytest.mark.parametrize(
    ("second", "status", "error"),
    [
        ({"error": "Internal server error"}, 500, LinkError),
        ({"error": "slow down"}, 429, VenueRefusal),
        ({"data": [open_order(2, original_size="?")], "next_cursor": "LTE="}, 200, ProtocolViolation),
        ({"data": [], "next_cursor": "MA=="}, 200, ProtocolViolation),
        ({"next_cursor": "LTE="}, 200, ProtocolViolation),
    ],
)
async def test_a_listing_that_breaks_off_raises_rather_than_return_a_part(
    script: Script, gateway: PolymarketGateway, second: object, status: int, error: type[Exception]
):
    async def page(request: web.Request, _body: bytes) -> web.Response:
        if request.query["next_cursor"] == "MA==":
            return web.json_response({"data": [open_order(1)], "next_cursor": "Mg=="})
        return web.json_response(second, status=status)

    script.answers["/data/orders"] = page
    with pytest.raises(error):
        await gateway.open_orders()


async def test_balances_are_base_units_by_token(script: Script, gateway: PolymarketGateway):
    async def balance(request: web.Request, _body: bytes) -> web.Response:
        kind, token = request.query["asset_type"], request.query.get("token_id", "")
        assert request.query["signature_type"] == "0"
        units = "250500000" if kind == "COLLATERAL" else {str(YES): "7", str(NO): "8"}[token]
        return web.json_response({"balance": units, "allowances": {}})

    script.answers["/balance-allowance"] = balance
    found = await gateway.balances([YES, NO])
    assert (found.money, dict(found.shares)) == (250_500_000, {YES: 7, NO: 8})
    script.answers["/balance-allowance"] = always({"error": "Internal server error"}, 500)
    with pytest.raises(LinkError):
        await gateway.balances([YES])


async def test_the_time_of_a_posts_first_write_is_told(script: Script):
    seen: list[tuple[str, int]] = []
    transport = HttpTransport(on_first_write=lambda url, moment: seen.append((url, moment)))
    script.answers["/order"] = always({})
    await transport.request("POST", f"{script.url}/order", body=b"{}")
    await transport.request("DELETE", f"{script.url}/order", body=b"{}")
    assert [url for url, _ in seen] == [f"{script.url}/order"]
    assert seen[0][1] > 0
    await transport.close()


async def test_redirects_are_answers_and_not_followed(script: Script):
    async def elsewhere(_request: web.Request, _body: bytes) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    script.answers["/order"] = elsewhere
    transport = HttpTransport()
    response = await transport.request("POST", f"{script.url}/order", body=b"{}")
    assert (response.status, response.headers["location"]) == (302, "/elsewhere")
    assert script.paths() == ["POST /order"]
    await transport.close()
