"""What the two streams send, and that credentials show nowhere but in the frame that needs them."""

import json

from polycore import (
    AssetId,
    Channel,
    Fill,
)
from polycore.venues.polymarket.channels import ASSETS_PER_CONNECTION, MarketChannel, UserChannel
from polycore.venues.polymarket.credentials import Credentials

ASSETS = [AssetId(str(10**77 + number)) for number in range(450)]
SECRETS = ("c2VjcmV0", "pass-1")
CREDENTIALS = Credentials("key-1", *SECRETS)


def user_channel() -> UserChannel:
    return UserChannel("ws://127.0.0.1/ws/user", lambda: CREDENTIALS, "0xF")


def test_the_first_market_frame_has_a_type_and_the_later_ones_an_operation():
    channel: Channel = MarketChannel("ws://127.0.0.1/ws/market")
    first, *later = (json.loads(frame) for frame in channel.opening(ASSETS))
    assert first == {"type": "market", "assets_ids": ASSETS[:200], "custom_feature_enabled": True}
    sizes = [(frame["operation"], len(frame["assets_ids"])) for frame in later]
    assert sizes == [("subscribe", 200), ("subscribe", 50)]
    assert all("type" not in frame and frame["custom_feature_enabled"] is True for frame in later)
    assert channel.assets_per_connection == ASSETS_PER_CONNECTION == 200


def test_without_assets_the_stream_opens_for_market_news():
    (frame,) = MarketChannel("ws://x").opening([])
    assert json.loads(frame)["assets_ids"] == []


def test_subscribing_and_unsubscribing_go_in_slices_and_nothing_sends_nothing():
    channel = MarketChannel("ws://x")
    assert [json.loads(frame)["operation"] for frame in channel.unsubscribe(ASSETS)] == ["unsubscribe"] * 3
    joined = [asset for frame in channel.subscribe(ASSETS) for asset in json.loads(frame)["assets_ids"]]
    assert joined == ASSETS
    assert list(channel.subscribe([])) == list(channel.unsubscribe([])) == []


def test_the_user_frame_covers_every_market_and_carries_the_credentials_in_force():
    current = [CREDENTIALS]
    channel = UserChannel("ws://x", lambda: current[0], "0xF")
    (frame,) = channel.opening(ASSETS[:1])
    auth = {"apiKey": "key-1", "secret": SECRETS[0], "passphrase": SECRETS[1]}
    assert json.loads(frame) == {"type": "user", "auth": auth}
    current[0] = Credentials("key-2", "a", "b")
    assert json.loads(channel.opening([])[0])["auth"]["apiKey"] == "key-2"
    assert list(channel.subscribe(ASSETS[:1])) == list(channel.unsubscribe(ASSETS[:1])) == []


def test_the_user_channel_does_not_show_its_credentials():
    for shown in (repr(user_channel()), str(vars(user_channel()))):
        assert not any(secret in shown for secret in SECRETS)


def test_fills_are_told_by_the_key_in_force():
    maker = {"order_id": "0x1", "owner": "key-1", "matched_amount": "5", "price": "0.5", "asset_id": "9"}
    trade = {"event_type": "trade", "id": "t", "taker_order_id": "0x2", "asset_id": "9", "side": "BUY", "size": "5",
             "price": "0.5", "status": "MATCHED", "trader_side": "MAKER", "maker_orders": [maker]}  # fmt: skip
    (event,) = user_channel().decode(json.dumps(trade).encode(), 3)
    assert isinstance(event, Fill)
    assert (event.order, event.received_time) == ("0x1", 3)


def test_the_heartbeat_is_the_venues():
    for channel in (MarketChannel("ws://x"), user_channel()):
        beat = channel.heartbeat
        assert (beat.ping, beat.pong, beat.every_seconds, beat.deadline_seconds) == (b"PING", b"PONG", 5.0, 2.0)
