"""The market channel over real sockets: subscriptions, heartbeats, refusals and the frames themselves."""

import asyncio
import hashlib
import json
import time
from typing import Any

import msgspec
import pytest

from polycore.exchange import channels
from polycore.exchange.values import Listing
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Outcome, Side
from polycore.model.money import MONEY_ONE

EMPTY_LIFECYCLE = {"type": "market", "assets_ids": [], "custom_feature_enabled": True}


def subscription(*markets, **more) -> dict[str, Any]:
    return {"type": "market", "assets_ids": [asset for market in markets for asset in market.assets], **more}


async def test_first_books_come_as_one_array_with_the_best_level_last(connect, maker, plain, fine):
    maker.place(Side.BUY, plain.first.asset, "0.4", 30)
    maker.place(Side.BUY, plain.first.asset, "0.39", 10)
    maker.place(Side.SELL, plain.first.asset, "0.45", 20)
    async with connect("market", subscription(plain, fine)) as socket:
        text = await socket.raw()
        assert text.endswith("]\n")
        books = json.loads(text)
        assert [book["asset_id"] for book in books] == [*plain.assets, *fine.assets]
        assert books[0]["bids"] == [{"price": "0.39", "size": "10"}, {"price": "0.4", "size": "30"}]
        assert books[1]["asks"] == [{"price": "0.61", "size": "10"}, {"price": "0.6", "size": "30"}]
        assert books[1]["bids"] == [{"price": "0.55", "size": "20"}]
        assert list(books[0]) == [
            "market", "asset_id", "timestamp", "hash", "bids", "asks", "tick_size", "event_type", "last_trade_price",
        ]  # fmt: skip
        await socket.quiet()


async def test_ping_before_the_first_frame_closes_the_connection(connect):
    for channel in ("market", "user"):
        async with connect(channel, "PING") as socket:
            assert await socket.closed() == (1008, "invalid subscription payload")


@pytest.mark.parametrize(
    "frame", ["rubbish", "[]", {"type": "market"}, {"type": "user", "assets_ids": []}, {"operation": "subscribe"}]
)
async def test_malformed_first_frame_closes_the_connection(connect, frame):
    async with connect("market", frame) as socket:
        assert (await socket.closed())[0] == 1008


async def test_ping_is_always_answered_after_the_first_frame(connect):
    async with connect("market", EMPTY_LIFECYCLE) as socket:
        for _ in range(3):
            await socket.quiet()


async def test_second_first_frame_is_an_invalid_operation_without_effect(connect, maker, plain, fine):
    async with connect("market", subscription(plain)) as socket:
        await socket.next()
        for wrong in (
            subscription(fine),
            "rubbish",
            {"operation": "dance", "assets_ids": []},
            {"operation": "subscribe"},
        ):
            await socket.send(wrong)
            assert await socket.raw() == "INVALID OPERATION"
        maker.place(Side.BUY, fine.first.asset, "0.4", 10)
        await socket.quiet()


async def test_operation_decides_when_a_later_frame_has_a_type_too(connect, plain, fine):
    async with connect("market", subscription(plain)) as socket:
        await socket.next()
        await socket.send(subscription(fine, operation="subscribe"))
        assert [book["asset_id"] for book in await socket.next()] == list(fine.assets)


async def test_subscribing_again_sends_no_book_until_unsubscribed(connect, plain):
    async with connect("market", subscription(plain)) as socket:
        await socket.next()
        again = {"operation": "subscribe", "assets_ids": [plain.first.asset]}
        await socket.send(again)
        await socket.quiet()
        await socket.send({"operation": "unsubscribe", "assets_ids": [plain.first.asset]})
        await socket.send(again)
        assert [book["asset_id"] for book in await socket.next()] == [plain.first.asset]


async def test_unsubscribed_tokens_are_silent(connect, maker, plain):
    async with connect("market", subscription(plain)) as socket:
        await socket.next()
        await socket.send({"operation": "unsubscribe", "assets_ids": list(plain.assets)})
        await socket.quiet()
        maker.place(Side.BUY, plain.first.asset, "0.4", 10)
        await socket.quiet()


async def test_initial_dump_can_be_declined(connect, plain):
    async with connect("market", subscription(plain, initial_dump=False)) as socket:
        await socket.quiet()


async def test_more_than_500_tokens_get_changes_but_no_first_books(connect, maker, plain):
    many = {"type": "market", "assets_ids": [plain.first.asset, *(str(n) for n in range(500))]}
    async with connect("market", many) as socket:
        await socket.quiet()
        maker.place(Side.BUY, plain.first.asset, "0.4", 10)
        assert (await socket.next())["event_type"] == "price_change"
    async with connect("market", many | {"assets_ids": many["assets_ids"][:500]}) as socket:
        assert [book["asset_id"] for book in await socket.next()] == [plain.first.asset]


async def test_one_token_subscription_gets_the_frame_with_both_mirrored_entries(connect, maker, plain):
    async with connect("market", {"type": "market", "assets_ids": [plain.first.asset]}) as socket:
        await socket.next()
        maker.place(Side.BUY, plain.first.asset, "0.4", 12)
        text = await socket.raw()
        assert text.endswith("}\n")
        change = json.loads(text)
        assert list(change) == ["market", "price_changes", "timestamp", "event_type"]
        own, mirror = change["price_changes"]
        assert list(own) == ["asset_id", "price", "size", "side", "hash", "best_bid", "best_ask"]
        assert (own["side"], own["price"], own["best_bid"], own["best_ask"]) == ("BUY", "0.4", "0.4", "1")
        assert (mirror["side"], mirror["price"], mirror["best_bid"], mirror["best_ask"]) == ("SELL", "0.6", "0", "0.6")


async def test_custom_feature_is_a_flag_of_the_connection(connect, maker, plain):
    async with connect("market", subscription(plain)) as socket:
        await socket.next()
        maker.place(Side.BUY, plain.first.asset, "0.4", 10)
        assert (await socket.next())["event_type"] == "price_change"
        await socket.quiet()
        toggle = {"operation": "subscribe", "assets_ids": [plain.first.asset], "custom_feature_enabled": True}
        await socket.send(toggle)
        await socket.quiet()
        maker.place(Side.BUY, plain.first.asset, "0.41", 10)
        assert (await socket.next())["event_type"] == "price_change"
        best = await socket.next()
        assert list(best) == ["market", "asset_id", "best_bid", "best_ask", "spread", "timestamp", "event_type"]
        assert (best["best_bid"], best["best_ask"], best["spread"]) == ("0.41", "1", "0.59")


class Reader:
    """A client's book, rebuilt from frames alone, with the hash of recipe 1.9."""

    def __init__(self, market, book: dict[str, Any]) -> None:
        self.market = market
        self.last_trade = book["last_trade_price"]
        self.tick = book["tick_size"]
        self.replace(book)

    def replace(self, book: dict[str, Any]) -> None:
        self.asset = book["asset_id"]
        self.sides = {
            "BUY": {level["price"]: level["size"] for level in book["bids"]},
            "SELL": {level["price"]: level["size"] for level in book["asks"]},
        }
        assert book["hash"] == self.hash(book["timestamp"])

    def change(self, entry: dict[str, Any], timestamp: str) -> None:
        side = self.sides[entry["side"]]
        side[entry["price"]] = entry["size"]
        if entry["size"] == "0":
            del side[entry["price"]]
        assert entry["hash"] == self.hash(timestamp)
        assert entry["best_bid"] == max(self.sides["BUY"], default="0")
        assert entry["best_ask"] == min(self.sides["SELL"], default="1")

    def hash(self, timestamp: str) -> str:
        bids, asks = (
            [{"price": price, "size": size} for price, size in sorted(self.sides[side].items(), reverse=side == "SELL")]
            for side in ("BUY", "SELL")
        )
        body = {
            "market": self.market.id, "asset_id": self.asset, "timestamp": timestamp, "hash": "", "bids": bids,
            "asks": asks, "min_order_size": "5", "tick_size": self.tick, "neg_risk": self.market.neg_risk,
            "last_trade_price": self.last_trade,
        }  # fmt: skip
        if self.market.version == "v2":
            body["version"] = "v2"
        return hashlib.sha1(json.dumps(body, separators=(",", ":")).encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("which", ["plain", "neg_risk", "second_protocol"])
async def test_every_hash_and_best_quote_is_that_of_the_frames_applied_so_far(connect, maker, trader, request, which):
    chosen = request.getfixturevalue(which)
    market = chosen[0] if isinstance(chosen, tuple) else chosen
    maker.place(Side.SELL, market.first.asset, "0.45", 20)
    async with connect("market", subscription(market)) as socket:
        readers = {book["asset_id"]: Reader(market, book) for book in await socket.next()}
        began = int(time.time() * 1_000)
        maker.place(Side.SELL, market.first.asset, "0.46", 15)
        maker.place(Side.BUY, market.second.asset, "0.54", 5)
        maker.place(Side.BUY, market.first.asset, "0.30", 5)
        status, body = await trader.signed("POST", "/order", trader.order(market, Side.BUY, "0.46", 32))
        assert (status, body["status"]) == (200, "matched")
        await socket.send("PING")
        seen = []
        while (text := await socket.raw()) != "PONG":
            message = json.loads(text)
            seen.append(message["event_type"])
            assert began <= int(message["timestamp"]) <= time.time() * 1_000
            if message["event_type"] == "price_change":
                for entry in message["price_changes"]:
                    readers[entry["asset_id"]].change(entry, message["timestamp"])
            elif message["event_type"] == "last_trade_price":
                price = message["price"]
                for reader in readers.values():
                    reader.last_trade = price + "0" * (5 - len(price))
            elif message["event_type"] == "book":
                readers[message["asset_id"]].replace(message)
        assert {"price_change", "last_trade_price", "book"} <= set(seen)


async def test_book_pushed_after_a_trade_has_the_venues_keys(connect, maker, trader, plain):
    maker.place(Side.SELL, plain.first.asset, "0.45", 20)
    async with connect("market", subscription(plain)) as socket:
        await socket.next()
        await trader.signed("POST", "/order", trader.order(plain, Side.BUY, "0.45", 10))
        trade = await socket.until("last_trade_price")
        assert list(trade) == [
            "market", "asset_id", "price", "size", "fee_rate_bps", "side", "timestamp", "event_type",
            "transaction_hash",
        ]  # fmt: skip
        assert (trade["price"], trade["size"], trade["side"]) == ("0.45", "10", "BUY")
        book = await socket.until("book")
        assert list(book) == ["market", "asset_id", "bids", "asks", "hash", "timestamp", "tick_size", "event_type"]
    async with connect("market", subscription(plain)) as socket:
        assert {book["last_trade_price"] for book in await socket.next()} == {"0.450"}


async def test_tick_change_is_announced_and_followed_by_a_book(connect, served, plain):
    async with connect("market", subscription(plain)) as socket:
        await socket.next()
        served.service.exchange.set_tick(plain.id, 10, served.service.now())
        served.service.pump()
        change = await socket.next()
        assert list(change) == ["asset_id", "event_type", "market", "new_tick_size", "old_tick_size", "timestamp"]
        assert (change["old_tick_size"], change["new_tick_size"]) == ("0.01", "0.001")
        assert (await socket.until("book"))["tick_size"] == "0.001"


async def test_resolution_is_told_to_custom_connections_of_the_market(connect, served, plain, fine):
    async with (
        connect("market", subscription(plain, custom_feature_enabled=True)) as told,
        connect("market", subscription(plain)) as plainly,
        connect("market", subscription(fine, custom_feature_enabled=True)) as other,
    ):
        for socket in (told, plainly, other):
            await socket.next()
        served.service.exchange.resolve(plain.id, (0, MONEY_ONE), served.service.now())
        served.service.pump()
        resolved = await told.until("market_resolved")
        assert (resolved["winning_asset_id"], resolved["winning_outcome"]) == (plain.second.asset, "No")
        assert resolved["tags"] == ["Testing"]
        await other.quiet()
        await plainly.send("PING")
        texts = []
        while (text := await plainly.raw()) != "PONG":
            texts.append(text)
        assert not any("market_resolved" in text for text in texts)


async def test_new_market_is_announced_to_custom_connections(connect, served, plain):
    async with connect("market", EMPTY_LIFECYCLE) as socket:
        await socket.quiet()
        tokens = {"first": Outcome(AssetId("71"), "Yes"), "second": Outcome(AssetId("72"), "No")}
        late = msgspec.structs.replace(plain, id=MarketId("0x" + "7" * 64), slug="late", **tokens)
        served.service.exchange.list_market(Listing(late))
        served.service.pump()
        found = await socket.next()
        assert (found["event_type"], found["slug"], found["assets_ids"]) == ("new_market", "late", ["71", "72"])
        assert found["fee_schedule"] == {"exponent": "1", "rate": "0.04", "taker_only": True, "rebate_rate": "0.25"}


async def test_reader_that_stops_reading_delays_nobody_and_is_cut_off(
    connect, maker, served, plain, monkeypatch, until
):
    monkeypatch.setattr(channels, "BACKLOG_LIMIT", 100)
    _, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rsplit(":", 1)[1]), limit=1024)
    writer.write(
        b"GET /ws/market HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    first = json.dumps(subscription(plain)).encode()
    writer.write(bytes([0x81, 0x80 | 126]) + len(first).to_bytes(2, "big") + bytes(4) + first)
    connections = served._channels._open
    await until(lambda: bool(connections))
    (slow,) = connections
    async with connect("market", subscription(plain)) as quick:
        await quick.next()
        for number in range(1_000):
            slow.send(b"x" * 100_000)
            if number % 50 == 0:
                maker.place(Side.BUY, plain.first.asset, "0.4", 5)
                assert (await quick.next())["event_type"] == "price_change"
            if slow not in connections:
                break
        assert slow not in connections
    writer.close()
