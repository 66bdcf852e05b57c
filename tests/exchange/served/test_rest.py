"""The HTTP side over real sockets: public reads, discovery, keys, orders, cancels, and the venue's refusals."""

import hashlib
import json
from typing import Any

import msgspec
import pytest

from polycore.exchange.eip712 import checksum_address, parse_address
from polycore.exchange.wallets import SignatureType, wallets_of
from polycore.model.market import Side
from polycore.model.money import MONEY_ONE, SIZE_ONE


async def test_public_answers_have_the_venues_forms(client, maker, plain, neg_risk):
    maker.place(Side.BUY, plain.first.asset, "0.45", 10)
    maker.place(Side.SELL, plain.first.asset, "0.46", 10)
    token = plain.first.asset
    assert await client.get("/ok") == "OK"
    assert isinstance(await client.get("/time"), int)
    assert await client.get("/version") == {"version": 2}
    assert await client.get("/price", token_id=token, side="BUY") == {"price": "0.45"}
    assert await client.get("/price", token_id=token, side="SELL") == {"price": "0.46"}
    assert await client.get("/midpoint", token_id=token) == {"mid": "0.455"}
    assert await client.get("/spread", token_id=token) == {"spread": "0.01"}
    assert await client.get("/last-trade-price", token_id=token) == {"price": "0.5", "side": ""}
    assert await client.get("/tick-size", token_id=token) == {"minimum_tick_size": 0.01}
    assert await client.get("/neg-risk", token_id=neg_risk[0].first.asset) == {"neg_risk": True}
    assert await client.get("/fee-rate", token_id=token) == {"base_fee": 1000}
    assert await client.get(f"/markets-by-token/{plain.second.asset}") == {
        "condition_id": plain.id,
        "primary_token_id": plain.first.asset,
        "secondary_token_id": plain.second.asset,
    }


async def test_batch_reads_leave_unknown_tokens_out(client, maker, plain):
    maker.place(Side.BUY, plain.first.asset, "0.45", 10)
    wanted = [{"token_id": plain.first.asset, "side": "BUY"}, {"token_id": "99", "side": "BUY"}]
    assert await client.call("POST", "/prices", wanted) == (200, {plain.first.asset: {"BUY": "0.45"}})
    assert await client.call("POST", "/midpoints", wanted) == (200, {plain.first.asset: "0.725"})
    assert await client.call("POST", "/spreads", wanted) == (200, {plain.first.asset: "0.55"})
    _, trades = await client.call("POST", "/last-trades-prices", wanted)
    assert trades == [{"token_id": plain.first.asset, "price": "0.5", "side": ""}]
    _, books = await client.call("POST", "/books", wanted)
    assert [book["asset_id"] for book in books] == [plain.first.asset]
    assert (await client.call("POST", "/books", wanted * 300))[0] == 400


@pytest.mark.parametrize("version", ["plain", "second_protocol"])
async def test_book_hash_follows_the_recipe(client, maker, request, version):
    market = request.getfixturevalue(version)
    maker.place(Side.BUY, market.first.asset, "0.4", 30)
    maker.place(Side.SELL, market.first.asset, "0.45", 20)
    book = await client.get("/book", token_id=market.first.asset)
    expected = [
        "market", "asset_id", "timestamp", "hash", "bids", "asks", "min_order_size", "tick_size", "neg_risk",
        "last_trade_price",
    ] + (["version"] if market.version == "v2" else [])  # fmt: skip
    assert list(book) == expected
    text = json.dumps(book | {"hash": ""}, separators=(",", ":"))
    assert book["hash"] == hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


async def test_unknown_tokens_and_markets_are_refused_in_the_venues_words(client):
    assert await client.call("GET", "/book", query={"token_id": "abc"}) == (400, {"error": "Invalid token id"})
    unknown = (404, {"error": "No orderbook exists for the requested token id"})
    assert await client.call("GET", "/book", query={"token_id": "99"}) == unknown
    assert await client.call("GET", "/clob-markets/0x12") == (404, {"error": "market not found"})
    status, body = await client.call("GET", "/nothing-here")
    assert status == 404
    assert list(body) == ["error"]


async def test_compact_market_record(client, plain, neg_risk, second_protocol):
    found = await client.get(f"/clob-markets/{plain.id}")
    assert found["t"] == [{"t": plain.first.asset, "o": "Yes"}, {"t": plain.second.asset, "o": "No"}]
    assert (found["mos"], found["mts"], found["ao"], found["v"]) == (5, 0.01, True, "v1")
    assert found["fd"] == {"r": 0.04, "e": 1, "to": True}
    assert "nr" not in found
    grouped = await client.get(f"/clob-markets/{neg_risk[0].id}")
    assert grouped["nr"] is True
    assert "fd" not in grouped
    assert (await client.get(f"/clob-markets/{second_protocol.id}"))["v"] == "v2"


async def test_market_listings_are_pages(client, served, plain):
    for path in ("/markets", "/sampling-markets", "/simplified-markets", "/sampling-simplified-markets"):
        page = await client.get(path)
        assert (page["count"], page["next_cursor"]) == (6, "LTE=")
        assert page["data"][0]["condition_id"] == plain.id
    assert (await client.get("/markets", next_cursor="LTE="))["data"] == []
    assert (await client.call("GET", "/markets", query={"next_cursor": "?"}))[0] == 400
    served.service.exchange.resolve(plain.id, (MONEY_ONE, 0), served.service.now())
    served.service.pump()
    ended = await client.get(f"/markets/{plain.id}")
    assert (ended["closed"], ended["accepting_orders"]) == (True, False)
    assert [(token["price"], token["winner"]) for token in ended["tokens"]] == [(1, True), (0, False)]


async def test_gamma_finds_markets_by_every_filter(client, plain, neg_risk, second_protocol):
    everything = await client.get("/gamma/markets")
    assert [market["slug"] for market in everything] == ["plain", "fine", "neg-3", "neg-4", "neg-5", "second-protocol"]
    for name, value in {
        "slug": plain.slug, "condition_ids": plain.id, "clob_token_ids": plain.second.asset, "id": everything[0]["id"],
    }.items():  # fmt: skip
        page = await client.get("/gamma/markets/keyset", **{name: value})
        assert [market["slug"] for market in page["markets"]] == ["plain"], name
        assert "next_cursor" not in page
    assert (await client.get(f"/gamma/markets/slug/{plain.slug}"))["conditionId"] == plain.id
    assert (await client.get("/gamma/markets", closed="true")) == []
    assert len(await client.get("/gamma/markets", limit="2", offset="3")) == 2
    newer = await client.get("/gamma/markets/slug/second-protocol")
    assert (newer["version"], newer["clobTokenIds"], newer["positionIds"]) == ("v2", None, list(second_protocol.assets))
    assert newer["conditionId"] == second_protocol.id[:64]
    assert (await client.call("GET", "/gamma/markets/slug/none"))[0] == 404


async def test_gamma_pages_by_cursor(client):
    slugs: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.get("/gamma/markets/keyset", limit="4", **cursor)
        slugs += [market["slug"] for market in page["markets"]]
        if "next_cursor" not in page:
            break
        cursor = {"after_cursor": page["next_cursor"]}
    assert len(slugs) == len(set(slugs)) == 6


async def test_gamma_market_mixes_texts_and_numbers_as_the_venue_does(client, maker, plain):
    maker.place(Side.BUY, plain.first.asset, "0.4", 10)
    found = await client.get("/gamma/markets/slug/plain")
    assert json.loads(found["clobTokenIds"]) == list(plain.assets)
    assert found["outcomes"] == '["Yes", "No"]'
    assert (found["orderPriceMinTickSize"], found["orderMinSize"], found["bestBid"]) == (0.01, 5, 0.4)
    assert found["feeSchedule"] == {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25}
    assert [tag["slug"] for tag in found["tags"]] == ["testing"]


async def test_gamma_groups_a_neg_risk_event(client, neg_risk):
    event = await client.get("/gamma/events/slug/who-wins")
    assert (event["negRisk"], event["negRiskAugmented"], event["enableNegRisk"]) == (True, False, True)
    assert [market["slug"] for market in event["markets"]] == [market.slug for market in neg_risk]
    assert {market["negRiskMarketID"] for market in event["markets"]} == {event["negRiskMarketID"]}
    page = await client.get("/gamma/events/keyset", tag_slug="testing")
    assert [found["slug"] for found in page["events"]] == ["plain", "fine", "who-wins"]


async def test_login_opens_an_account_and_issues_one_key(client, served):
    status, first = await client.log_in()
    assert (status, sorted(first)) == (200, ["apiKey", "passphrase", "secret"])
    assert await client.log_in() == (400, {"error": "Could not create api key"})
    assert await client.log_in(path="/auth/derive-api-key") == (200, first)
    assert (await client.log_in(path="/auth/derive-api-key", nonce=3))[0] == 400
    assert served.service.exchange.money(client.address).total == 1_000 * MONEY_ONE
    assert await client.signed("GET", "/auth/api-keys") == (200, {"apiKeys": [first["apiKey"]]})
    assert await client.signed("DELETE", "/auth/api-key") == (200, "OK")
    assert (await client.signed("GET", "/auth/api-keys"))[0] == 401


async def test_unsigned_and_wrongly_signed_requests_are_refused(client, trader):
    refusal = (401, {"error": "Unauthorized/Invalid api key"})
    assert await client.call("GET", "/data/orders") == refusal
    assert await client.call("POST", "/order", {}) == refusal
    trader.credentials = trader.credentials | {"passphrase": "00"}
    assert await trader.signed("GET", "/data/orders") == refusal
    assert await client.call("POST", "/auth/api-key") == (401, {"error": "Invalid L1 Request headers"})


async def test_balances_are_base_units_of_the_wallet_asked_for(trader, plain):
    status, found = await trader.signed("GET", "/balance-allowance", query={"asset_type": "COLLATERAL"})
    assert (status, found["balance"]) == (200, "1000000000")
    assert len(found["allowances"]) == 3
    conditional = {"asset_type": "CONDITIONAL", "token_id": plain.first.asset, "signature_type": "3"}
    assert (await trader.signed("GET", "/balance-allowance", query=conditional))[1]["balance"] == "0"
    assert (await trader.signed("GET", "/balance-allowance", query={"asset_type": "GOLD"}))[0] == 400
    assert (await trader.signed("GET", "/balance-allowance/update", query=conditional))[0] == 200


async def test_resting_order_and_its_cancel(trader, plain):
    status, placed = await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.5", 10))
    assert status == 200
    assert list(placed) == [
        "success", "errorMsg", "orderID", "status", "makingAmount", "takingAmount", "transactionsHashes", "tradeIDs",
    ]  # fmt: skip
    assert (placed["status"], placed["makingAmount"], placed["tradeIDs"]) == ("live", "0", [])
    status, page = await trader.signed("GET", "/data/orders")
    (order,) = page["data"]
    assert list(order) == [
        "id", "status", "owner", "maker_address", "market", "asset_id", "side", "original_size", "size_matched",
        "price", "outcome", "expiration", "order_type", "associate_trades", "created_at",
    ]  # fmt: skip
    assert isinstance(order["created_at"], int)
    assert (await trader.signed("GET", "/data/orders", query={"market": "0x1"}))[1]["data"] == []
    assert await trader.signed("GET", f"/data/order/{placed['orderID']}") == (200, order)
    assert (await trader.signed("GET", "/data/order/0x12"))[0] == 404
    cancel = await trader.signed("DELETE", "/order", {"orderID": placed["orderID"]})
    assert cancel == (200, {"canceled": [placed["orderID"]], "not_canceled": {}})
    status, again = await trader.signed("DELETE", "/orders", [placed["orderID"], "0x12"])
    assert (status, again["canceled"], set(again["not_canceled"])) == (200, [], {placed["orderID"], "0x12"})


async def test_every_way_to_cancel(trader, plain, fine):
    async def post(market, salt: int) -> str:
        return (await trader.signed("POST", "/order", trader.order(market, Side.BUY, "0.2", 10, salt=salt)))[1][
            "orderID"
        ]

    first, second, third = await post(plain, 1), await post(plain, 2), await post(fine, 3)
    assert (await trader.signed("DELETE", "/cancel-market-orders", {"market": fine.id}))[1]["canceled"] == [third]
    assert (await trader.signed("DELETE", "/orders", [first]))[1]["canceled"] == [first]
    assert (await trader.signed("DELETE", "/cancel-all"))[1]["canceled"] == [second]
    assert (await trader.signed("DELETE", "/cancel-market-orders", {}))[0] == 400


async def test_matched_order_answers_with_what_moved(trader, maker, plain, served):
    maker.place(Side.SELL, plain.first.asset, "0.4", 10)
    _, placed = await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.5", 10))
    assert (placed["status"], placed["makingAmount"], placed["takingAmount"]) == ("matched", "4", "10")
    assert (placed["transactionsHashes"], len(placed["tradeIDs"])) == ([], 1)
    assert served.service.exchange.shares(trader.address, plain.first.asset).total == 10 * SIZE_ONE
    _, page = await trader.signed("GET", "/data/trades")
    (trade,) = page["data"]
    assert (trade["id"], trade["trader_side"]) == (placed["tradeIDs"][0], "TAKER")
    assert trade["status"].startswith("TRADE_STATUS_")
    for query, count in (
        ({"id": trade["id"]}, 1), ({"id": "x"}, 0), ({"asset_id": plain.second.asset}, 0), ({"market": plain.id}, 1),
        ({"after": trade["match_time"]}, 0), ({"after": str(int(trade["match_time"]) - 1)}, 1),
        ({"before": trade["match_time"]}, 0), ({"maker_address": trader.address.lower()}, 1),
    ):  # fmt: skip
        assert len((await trader.signed("GET", "/data/trades", query=query))[1]["data"]) == count, query
    assert (await trader.signed("GET", "/data/trades", query={"after": "soon"}))[0] == 400


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "bytes flipped in the amount": ({"makerAmount": "6000000"}, "invalid signature"),
    "another maker": ({"maker": "0x" + "22" * 20}, "invalid signature"),
    "another signer": (
        {"signer": "0x" + "22" * 20},
        "the order signer address has to be the address of the API KEY",
    ),
    "old version": ({"nonce": "0", "feeRateBps": "0"}, "invalid order version, please use the latest clob-client"),
    "no amounts": ({"makerAmount": "0"}, "Invalid order payload"),
    "amount that is no number": ({"takerAmount": "ten"}, "Invalid order payload"),
    "signature that is no hex": ({"signature": "0xzz"}, "Invalid order payload"),
    "unknown wallet kind": ({"signatureType": 9}, "Invalid order payload"),
    "unknown token": ({"tokenId": "99"}, "market not found"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_wrong_orders_are_refused(trader, plain, name):
    changes, text = REFUSALS[name]
    status, body = await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.5", 10, **changes))
    assert (status, body) == (404 if "not found" in text else 400, {"error": text})


async def test_order_signed_for_the_other_contract_is_refused(trader, plain, neg_risk):
    flipped = msgspec.structs.replace(plain, neg_risk=True)
    assert (await trader.signed("POST", "/order", trader.order(flipped, Side.BUY, "0.5", 10)))[1] == {
        "error": "invalid signature"
    }
    assert (await trader.signed("POST", "/order", trader.order(neg_risk[0], Side.BUY, "0.5", 10)))[0] == 200


async def test_orders_spend_from_the_keys_own_wallets_only(client, trader, plain):
    stranger = type(client)(client.url, client.session, bytes([7]) * 32)
    for number, kind in enumerate((SignatureType.PROXY, SignatureType.SAFE, SignatureType.EOA)):
        (own,), (theirs,) = (wallets_of(parse_address(who.address))[kind] for who in (trader, stranger))
        for wallet, status in ((own, 200), (theirs, 400)):
            body = trader.order(
                plain, Side.BUY, "0.2", 10, wallet=checksum_address(wallet), wallet_kind=kind, salt=number
            )
            found, answer = await trader.signed("POST", "/order", body)
            assert (found, answer.get("error")) == (status, "invalid signature" if status == 400 else None)
    assert len((await trader.signed("GET", "/data/orders"))[1]["data"]) == 3


async def test_orders_of_others_cannot_be_read_or_cancelled(client, trader, plain):
    stranger = type(client)(client.url, client.session, bytes([7]) * 32)
    await stranger.log_in()
    _, placed = await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.2", 10))
    order = placed["orderID"]
    assert (await stranger.signed("GET", f"/data/order/{order}"))[0] == 404
    assert (await stranger.signed("GET", "/data/orders"))[1]["data"] == []
    for path, body in (("/order", {"orderID": order}), ("/orders", [order]), ("/cancel-all", None)):
        assert (await stranger.signed("DELETE", path, body))[1]["canceled"] == []
    assert (await trader.signed("GET", f"/data/order/{order}"))[1]["status"] == "LIVE"


async def test_order_owner_must_be_the_key(trader, plain):
    body = trader.order(plain, Side.BUY, "0.5", 10) | {"owner": "00000000-0000-0000-0000-000000000000"}
    refusal = (400, {"error": "the order owner has to be the owner of the API KEY"})
    assert await trader.signed("POST", "/order", body) == refusal


async def test_matching_rules_speak_the_venues_words(trader, maker, plain):
    maker.place(Side.SELL, plain.first.asset, "0.4", 10)
    order = trader.order(plain, Side.BUY, "0.3", 10)
    assert (await trader.signed("POST", "/order", order))[0] == 200
    status, body = await trader.signed("POST", "/order", order)
    assert (status, body["error"].endswith("is invalid. Duplicated.")) == (400, True)
    (kept,) = (await trader.signed("GET", "/data/orders"))[1]["data"]
    assert kept["owner"] == trader.credentials["apiKey"]
    crossing = trader.order(plain, Side.BUY, "0.4", 10, post_only=True, salt=2)
    assert (await trader.signed("POST", "/order", crossing))[1] == {
        "error": "invalid post-only order: order crosses book"
    }
    small = trader.order(plain, Side.BUY, "0.3", 1, salt=3)
    assert "lower than the minimum: 5" in (await trader.signed("POST", "/order", small))[1]["error"]
    status, body = await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.4", 50, kind="FOK", salt=4))
    assert (status, body["error"][:34]) == (400, "order couldn't be fully filled. FO")
    assert (await trader.signed("POST", "/order", {"order": {}}))[1] == {"error": "Invalid order payload"}


async def test_batch_answers_in_order_and_refuses_with_success_true(trader, plain):
    bodies = [trader.order(plain, Side.BUY, "0.2", shares, salt=shares) for shares in (10, 1, 20)]
    status, found = await trader.signed("POST", "/orders", bodies)
    assert status == 200
    assert [bool(entry["orderID"]) for entry in found] == [True, False, True]
    assert found[1]["success"] is True
    assert "lower than the minimum" in found[1]["errorMsg"]
    status, body = await trader.signed("POST", "/orders", bodies * 6)
    assert (status, body) == (400, {"error": "Too many orders in payload: 18, max allowed: 15"})


async def test_heartbeat_chain_and_its_refusal(trader):
    status, first = await trader.signed("POST", "/v1/heartbeats", {"heartbeat_id": ""})
    assert status == 200
    status, refused = await trader.signed("POST", "/v1/heartbeats", {"heartbeat_id": "wrong"})
    assert (status, refused) == (400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": first["heartbeat_id"]})
    assert (await trader.signed("POST", "/v1/heartbeats", first))[0] == 200


async def test_small_account_endpoints(trader):
    assert await trader.signed("GET", "/auth/ban-status/closed-only") == (200, {"closed_only": False})
    assert await trader.signed("GET", "/order-scoring", query={"order_id": "0x1"}) == (200, {"scoring": False})
    assert await trader.signed("POST", "/orders-scoring", ["0x1"]) == (200, {"0x1": False})
    assert await trader.signed("GET", "/notifications", query={"signature_type": "0"}) == (200, [])


async def test_relayer_knows_the_wallets_of_those_who_logged_in(client):
    owned = wallets_of(parse_address(client.address))
    current, older = map(checksum_address, owned[SignatureType.DEPOSIT_WALLET])
    assert await client.get("/relayer/deployed", address=current, type="WALLET") == {"deployed": False}
    await client.log_in()
    assert await client.get("/relayer/deployed", address=current, type="WALLET") == {"deployed": True}
    assert await client.get("/relayer/deployed", address=older, type="WALLET") == {"deployed": False}
    assert (await client.call("GET", "/relayer/deployed", query={"address": "me"}))[0] == 400


async def test_status_tells_of_sources_and_results(client, served, plain):
    before = await client.get("/polycore/status")
    assert (before["playing"], before["done"], before["progress"]) == (False, False, 0.0)
    assert [source["name"] for source in before["sources"]] == ["quiet"]
    assert (await client.call("POST", "/polycore/start"))[1]["done"] is True
    served.service.exchange.resolve(plain.id, (MONEY_ONE, 0), served.service.now())
    served.service.pump()
    after = await client.get("/polycore/status")
    assert after["resolved"] == [{"market": plain.id, "slug": "plain", "payout": [1_000_000, 0]}]


async def test_tick_switch_changes_the_grid(client, fine):
    assert (await client.call("POST", "/polycore/tick", {"market": fine.id, "tick": "0.01"}))[0] == 200
    assert await client.get("/tick-size", token_id=fine.first.asset) == {"minimum_tick_size": 0.01}
    assert (await client.call("POST", "/polycore/tick", {"market": "0x1", "tick": "0.01"}))[0] == 404
    assert (await client.call("POST", "/polycore/tick", {"market": fine.id, "tick": "x"}))[0] == 400
