"""Market frames: every message of venue notes 1, its quirks, and that nothing is ever raised."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polycore import (
    AssetId,
    BestQuote,
    BookDelta,
    BookSnapshot,
    ChangeKind,
    FeeSchedule,
    LevelChange,
    Malformed,
    MarketChange,
    MarketId,
    Side,
    Trade,
)
from polycore.recordings import read_lines, recordings_folder
from polycore.venues.polymarket.decode import decode_market

MARKET = MarketId("0x" + "ab" * 32)
YES, NO = AssetId("1234567890" * 7), AssetId("9876543210" * 7)
NOW = 42
MS = 1_786_728_438_403


def entry(**changed: object) -> dict[str, object]:
    known: dict[str, object] = {
        "asset_id": YES, "price": "0.06", "size": "374.34", "side": "BUY", "hash": "f3" * 20,
        "best_bid": "0.07", "best_ask": "0.08",
    }  # fmt: skip
    return {name: value for name, value in {**known, **changed}.items() if value is not None}


def frame(event_type: str | None, **fields: object) -> bytes:
    message = {"market": MARKET, "timestamp": str(MS), **fields, "event_type": event_type}
    return json.dumps({name: value for name, value in message.items() if value is not None}).encode() + b"\n"


def price_change(*entries: object) -> bytes:
    return frame("price_change", price_changes=list(entries))


def book(**changed: object) -> dict[str, object]:
    known: dict[str, object] = {
        "asset_id": YES, "hash": "0a" * 20, "tick_size": "0.01", "last_trade_price": "",
        "bids": [{"price": "0.4", "size": "10"}, {"price": "0.5", "size": "2.5"}],
        "asks": [{"price": "0.7", "size": "3"}, {"price": "0.60", "size": "1"}],
    }  # fmt: skip
    return {**known, **changed}


def test_price_change_gives_both_tokens_in_order_with_the_best_quotes_the_frame_carries():
    other = entry(asset_id=NO, price="0.94", size="0", side="SELL", best_bid="0.92", best_ask="0.93")
    assert decode_market(price_change(entry(), other), NOW) == (
        BookDelta(
            MARKET,
            [
                LevelChange(YES, Side.BUY, 600, 374_340_000, 700, 800),
                LevelChange(NO, Side.SELL, 9_400, 0, 9_200, 9_300),
            ],
            MS * 1_000_000,
            NOW,
        ),
    )


def test_book_is_read_whatever_the_order_of_its_levels_and_without_event_type():
    levels = {4_000: 10_000_000, 5_000: 2_500_000}, {7_000: 3_000_000, 6_000: 1_000_000}
    expected = BookSnapshot(MARKET, YES, *levels, 100, MS * 1_000_000, NOW)
    bids = [{"price": "0.5", "size": "2.5"}, {"price": "0.4", "size": "10"}]
    assert decode_market(frame("book", **book()), NOW) == (expected,)
    assert decode_market(frame(None, **book(bids=bids)), NOW) == (expected,)


def test_an_array_holds_several_messages_and_an_object_one():
    array = b"[" + frame("book", **book()) + b"," + price_change(entry()) + b"]\n"
    assert [type(event) for event in decode_market(array, NOW)] == [BookSnapshot, BookDelta]
    assert [type(event) for event in decode_market(b"[" + frame("book", **book()) + b"]", NOW)] == [BookSnapshot]


def test_empty_book_of_a_new_market_is_a_book():
    (event,) = decode_market(frame("book", **book(bids=[], asks=[], version="v2")), NOW)
    assert isinstance(event, BookSnapshot)
    assert (event.bids, event.asks, event.tick) == ({}, {}, 100)


def test_book_of_old_servers_has_buys_and_sells_and_no_tick():
    old = book(buys=[{"price": ".48", "size": "30"}], sells=[{"price": ".52", "size": "25"}])
    for name in ("bids", "asks", "tick_size"):
        del old[name]
    (event,) = decode_market(frame("book", **old), NOW)
    assert isinstance(event, BookSnapshot)
    assert (event.bids, event.asks, event.tick) == ({4_800: 30_000_000}, {5_200: 25_000_000}, 0)


def test_levels_of_size_zero_are_no_levels():
    (event,) = decode_market(frame("book", **book(bids=[{"price": "0.4", "size": "0"}])), NOW)
    assert isinstance(event, BookSnapshot)
    assert event.bids == {}


@pytest.mark.parametrize(("bid", "ask"), [("0", "1"), ("", ""), ("0", ""), ("", "1")])
def test_empty_sides_are_zero_and_one_however_they_are_spelt(bid: str, ask: str):
    (event,) = decode_market(price_change(entry(best_bid=bid, best_ask=ask)), NOW)
    assert isinstance(event, BookDelta)
    assert (event.changes[0].best_bid, event.changes[0].best_ask) == (0, 10_000)


def test_old_forms_of_price_change_carry_no_best_quotes():
    flat = {name: value for name, value in entry().items() if not name.startswith("best")}
    listed = {name: value for name, value in flat.items() if name != "asset_id"}
    expected = [LevelChange(YES, Side.BUY, 600, 374_340_000, -1, -1)]
    for old in (frame("price_change", **flat), frame("price_change", asset_id=YES, changes=[listed])):
        (event,) = decode_market(old, NOW)
        assert isinstance(event, BookDelta)
        assert event.changes == expected


def test_lower_case_sides_and_times_in_seconds_are_understood():
    (event,) = decode_market(frame("price_change", price_changes=[entry(side="sell")], timestamp="1723967931"), NOW)
    assert isinstance(event, BookDelta)
    assert event.changes[0].side is Side.SELL
    assert event.venue_time == 1_723_967_931 * 1_000_000_000


def test_trade_takes_noise_digits_in_its_price_and_a_missing_hash():
    fields = {"asset_id": YES, "size": "2.46", "fee_rate_bps": "", "side": "SELL"}
    assert decode_market(frame("last_trade_price", price="0.040", **fields), NOW) == (
        Trade(MARKET, YES, Side.SELL, 400, 2_460_000, MS * 1_000_000, NOW),
    )
    (noisy,) = decode_market(frame("last_trade_price", price="0.0030000000012", **fields), NOW)
    assert isinstance(noisy, Trade)
    assert noisy.price == 30


def test_best_bid_ask_is_a_quote_and_its_empty_side_has_a_price():
    quote = frame("best_bid_ask", asset_id=YES, best_bid="0.585", best_ask="0.587", spread="0.002")
    assert decode_market(quote, NOW) == (BestQuote(MARKET, YES, 5_850, 5_870, MS * 1_000_000, NOW),)
    (empty,) = decode_market(frame("best_bid_ask", asset_id=YES, best_bid="", best_ask="0.587"), NOW)
    assert isinstance(empty, BestQuote)
    assert empty.best_bid == 0


def test_tick_change_and_resolution_are_market_changes():
    tick = frame("tick_size_change", asset_id=YES, old_tick_size="0.01", new_tick_size="0.001")
    assert decode_market(tick, NOW) == (
        MarketChange(MARKET, ChangeKind.TICK, asset=YES, tick=10, venue_time=MS * 1_000_000, received_time=NOW),
    )
    for winner in (YES, ""):
        (event,) = decode_market(frame("market_resolved", assets_ids=[YES, NO], winning_asset_id=winner), NOW)
        assert isinstance(event, MarketChange)
        assert (event.kind, event.winner) == (ChangeKind.RESOLVED, winner or None)


def test_new_market_is_listed_with_its_fees_as_exact_integers():
    listed = frame(
        "new_market", id="1", question="Rain?", slug="rain", assets_ids=[YES, NO], clob_token_ids=[YES, NO],
        condition_id=MARKET, outcomes=["Yes", "No"], order_price_min_tick_size="0.001", tags=["weather"],
        fees_enabled=True, line="",
        fee_schedule={"exponent": "1", "rate": "0.07", "taker_only": True, "rebate_rate": "0.25"},
    )  # fmt: skip
    (event,) = decode_market(listed, NOW)
    assert isinstance(event, MarketChange)
    assert event.listed is not None
    assert (event.kind, event.market, event.listed.assets) == (ChangeKind.LISTED, MARKET, (YES, NO))
    assert (event.listed.tick, event.listed.fee) == (10, FeeSchedule(70_000, 1, 250_000))


@pytest.mark.parametrize("bad", ["nan", "inf", "-0.5", "0.48001", "1.1", "5e-1", "", None, 1e300, True, ["0.5"]])
def test_an_unreadable_change_names_its_token_and_spares_the_others(bad: object):
    events = decode_market(price_change(entry(asset_id=NO, price="0.94"), {**entry(), "price": bad}), NOW)
    delta, fault = events
    assert isinstance(delta, BookDelta)
    assert isinstance(fault, Malformed)
    assert [change.asset for change in delta.changes] == [NO]
    assert fault.asset == YES


@pytest.mark.parametrize("size", ["nan", "-1", "1e3", "", "0.1234567", None])
def test_a_book_with_one_unreadable_level_is_no_book(size: str | None):
    array = json.dumps([json.loads(frame("book", **book(asks=[{"price": "0.7", "size": size}]))),
                        json.loads(frame("book", **book(asset_id=NO)))])  # fmt: skip
    fault, other = decode_market(array.encode(), NOW)
    assert isinstance(fault, Malformed)
    assert fault.asset == YES
    assert isinstance(other, BookSnapshot)


def test_a_truncated_frame_names_the_tokens_it_still_shows():
    cut = price_change(entry(), entry(asset_id=NO))[:-60]
    events = decode_market(cut, NOW)
    assert {event.asset for event in events if isinstance(event, Malformed)} == {YES, NO}


def test_unknown_kinds_and_complaints_are_counted_and_doubt_no_book():
    for odd in (frame("liquidity_rewards", asset_id=YES), b"INVALID OPERATION", b"{}", b"[1]", b'"x"', b"\xff\xfe"):
        (event,) = decode_market(odd, NOW)
        assert isinstance(event, Malformed)
        assert event.asset is None


def test_the_heartbeat_and_nothing_mean_nothing():
    for quiet in (b"PONG", b"PONG\n", b"PING", b"", b"\n", b"[]", price_change()):
        assert [event for event in decode_market(quiet, NOW) if not isinstance(event, BookDelta)] == []


def test_a_hundred_thousand_brackets_are_malformed():
    (event,) = decode_market(b"[" * 100_000, NOW)
    assert isinstance(event, Malformed)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise(noise: bytes):
    decode_market(noise, NOW)
    decode_market(b"{" + noise, NOW)


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    ["", "nan", "0.5", ".5", "0.50000000001", "-1", "9" * 400, "é", "\ud83d", None, True, 0, -1, 10**30, 1.5, [],
     {}, [None], {"price": []}, "BUY", "book", "price_change", "1e999999999"]
)  # fmt: skip
VALID = [
    frame("book", **book()),
    price_change(entry(), entry(asset_id=NO)),
    frame("last_trade_price", asset_id=YES, price="0.5", size="1", side="BUY"),
    frame("best_bid_ask", asset_id=YES, best_bid="0.1", best_ask="0.2"),
    frame("tick_size_change", asset_id=YES, new_tick_size="0.001"),
    frame(
        "new_market", clob_token_ids=[YES, NO], outcomes=["a", "b"], fees_enabled=True, fee_schedule={"rate": "0.07"}
    ),
    frame("market_resolved", winning_asset_id=YES),
]


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_no_mutation_of_a_valid_frame_raises(data: st.DataObject):
    message = json.loads(data.draw(st.sampled_from(VALID)))
    place = message
    for _ in range(data.draw(st.integers(0, 3))):
        if isinstance(place, dict) and place:
            key: object = data.draw(st.sampled_from(sorted(place)))
        elif isinstance(place, list) and place:
            key = data.draw(st.integers(0, len(place) - 1))
        else:
            break
        inner = place[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            place = inner
            continue
        place[key] = data.draw(JUNK)
        break
    text = json.dumps([message] if data.draw(st.booleans()) else message).encode()
    decode_market(text, NOW)
    decode_market(text[: data.draw(st.integers(0, len(text)))], NOW)


def test_a_recorded_session_is_read_without_a_fault():
    frames = read_lines(recordings_folder() / "2026-05-19_12markets_market.jsonl")
    events = [event for _, line in frames for event in decode_market(line, NOW)]
    assert len(events) == 143
    assert not [event for event in events if isinstance(event, Malformed)]
