"""The user channel over real sockets: login, filters, and the events of orders and trades."""

from polycore.model.market import Side


def user_frame(client, **more: object) -> dict[str, object]:
    return {"type": "user", "auth": dict(client.credentials), **more}


async def test_bad_user_credentials_close_the_connection(connect, trader):
    for change in ({"apiKey": "x"}, {"secret": "x"}, {"passphrase": "x"}):
        async with connect("user", {"type": "user", "auth": trader.credentials | change}) as socket:
            assert (await socket.closed())[0] == 1008


async def test_user_channel_has_no_snapshot_and_filters_by_market(connect, trader, plain, fine):
    await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.2", 10, salt=1))
    async with (
        connect("user", user_frame(trader, markets=[fine.id])) as some,
        connect("user", user_frame(trader)) as everything,
    ):
        for socket in (some, everything):
            await socket.quiet()
        await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.2", 10, salt=2))
        assert (await everything.next())["type"] == "PLACEMENT"
        await some.quiet()
        await some.send({"operation": "subscribe", "markets": [plain.id]})
        await some.quiet()
        await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.2", 10, salt=3))
        assert (await some.next())["market"] == plain.id
        await some.send({"operation": "unsubscribe", "markets": [plain.id]})
        await some.quiet()
        await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.2", 10, salt=4))
        await some.quiet()


async def test_order_and_trade_events_have_the_venues_keys(connect, maker, trader, plain):
    async with connect("user", user_frame(trader)) as socket:
        await socket.quiet()
        await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.45", 10))
        placed = await socket.next()
        assert list(placed) == [
            "id", "owner", "market", "asset_id", "side", "order_owner", "original_size", "size_matched", "price",
            "associate_trades", "outcome", "type", "created_at", "expiration", "order_type", "status", "maker_address",
            "timestamp", "event_type",
        ]  # fmt: skip
        assert placed["associate_trades"] is None
        maker.place(Side.SELL, plain.first.asset, "0.45", 5)
        trade = await socket.until("trade")
        assert list(trade) == [
            "type", "id", "taker_order_id", "market", "asset_id", "side", "size", "fee_rate_bps", "price", "status",
            "match_time", "last_update", "outcome", "owner", "trade_owner", "maker_address", "transaction_hash",
            "bucket_index", "maker_orders", "trader_side", "timestamp", "event_type",
        ]  # fmt: skip
        (own,) = trade["maker_orders"]
        assert list(own) == [
            "order_id", "owner", "maker_address", "matched_amount", "price", "fee_rate_bps", "asset_id", "outcome",
            "outcome_index", "side",
        ]  # fmt: skip
        assert (trade["trader_side"], trade["side"], own["side"], own["matched_amount"]) == (
            "MAKER",
            "SELL",
            "BUY",
            "5",
        )
        assert own["owner"] == trade["trade_owner"] == trader.credentials["apiKey"]
        assert trade["owner"] != trader.credentials["apiKey"]


async def test_maker_of_the_other_token_is_told_its_own_leg(connect, maker, trader, plain):
    await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.4", 10, asset=plain.second.asset))
    async with connect("user", user_frame(trader)) as socket:
        await socket.quiet()
        maker.place(Side.BUY, plain.first.asset, "0.6", 10)
        trade = await socket.until("trade")
        (own,) = trade["maker_orders"]
        assert (trade["asset_id"], trade["side"], trade["outcome"]) == (plain.first.asset, "BUY", "Yes")
        assert (own["asset_id"], own["side"], own["outcome"], own["outcome_index"]) == (
            plain.second.asset,
            "BUY",
            "No",
            1,
        )
        assert own["price"] == "0.4"


async def test_killed_order_has_empty_texts(connect, trader, plain):
    async with connect("user", user_frame(trader)) as socket:
        await socket.quiet()
        status, body = await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.5", 10, kind="FOK"))
        assert status == 400
        killed = await socket.next()
        assert killed["status"] == f"CANCELED_{body['error']}"
        assert (killed["size_matched"], killed["outcome"], killed["created_at"]) == ("", "", "")
        assert (killed["type"], killed["order_type"]) == ("CANCELLATION", "FOK")


async def test_others_hear_nothing(connect, served, client, trader, plain):
    stranger = type(client)(client.url, client.session, bytes([7]) * 32)
    await stranger.log_in()
    async with connect("user", user_frame(stranger)) as socket:
        await socket.quiet()
        await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.45", 10))
        await socket.quiet()
