"""Book hashes and best quotes of the bundled captures, and that an altered capture is found out."""

import hashlib
import json
import random
from collections.abc import Iterable

import msgspec
import pytest

from polycore import (
    AssetId,
    BookDelta,
    BookSnapshot,
    Market,
    MarketId,
    Outcome,
    RecordingError,
    Side,
)
from polycore.recordings import read_lines, recordings_folder
from polycore.venues.polymarket import verify, verify_changes
from polycore.venues.polymarket.bookhash import BookHead, HashFacts, last_trade_text
from polycore.venues.polymarket.decode import decode_market
from polycore.venues.polymarket.proof import BookProof

TWELVE = "2026-05-19_12markets_market.jsonl"
WINDOW = "2025-10-30_btc-updown-15m-1761786000_book_up.jsonl.gz"
YES, M = AssetId("1"), MarketId("m")
CHANGES = "2025-10-30_btc-updown-15m-1761786000_first_changes_up.jsonl"


def lines_of(name: str) -> list[bytes]:
    return [line for _, line in read_lines(recordings_folder() / name)]


class View(msgspec.Struct):
    """A book as the core shows it."""

    asset: AssetId
    market: MarketId
    bids: dict[int, int]
    asks: dict[int, int]
    tick: int


def replay(lines: Iterable[bytes]) -> Iterable[tuple[bytes, View]]:
    """Each frame beside every book it touched, as it is after the frame."""
    books: dict[str, View] = {}
    for line in lines:
        touched: dict[str, View] = {}
        for event in decode_market(line, 0):
            if isinstance(event, BookSnapshot):
                books[event.asset] = View(event.asset, event.market, event.bids, event.asks, event.tick)
                touched[event.asset] = books[event.asset]
            elif isinstance(event, BookDelta):
                for change in event.changes:
                    view = touched[change.asset] = books[change.asset]
                    side = view.bids if change.side is Side.BUY else view.asks
                    side[change.price] = change.size
                    if not change.size:
                        del side[change.price]
        yield from ((line, view) for view in touched.values())


def test_twelve_markets_capture():
    found = verify(lines_of(TWELVE))
    assert (found.books, found.book_hashes_right) == (24, 24)
    assert (found.changes, found.change_hashes_right) == (218, 210)
    assert (found.best_checked, found.best_right) == (109, 109)
    assert found.assumed == {"min_order_size": "5 for 24 books", "neg_risk": "false for 16 books, true for 8 books"}


def test_fifteen_minutes_of_books():
    found = verify(lines_of(WINDOW))
    assert (found.books, found.book_hashes_right) == (597, 597)
    assert set(found.assumed) == {"min_order_size", "tick_size", "neg_risk", "last_trade_price"}


def test_changes_turn_book_one_into_book_two():
    applied = verify_changes(lines_of(WINDOW), lines_of(CHANGES), 1, 2)
    assert (applied.changes, applied.change_hashes_right) == (69, 69)
    assert (applied.best_checked, applied.best_right) == (69, 69)
    assert applied.equal
    assert not verify_changes(lines_of(WINDOW), lines_of(CHANGES)[:-1], 1, 2).equal
    assert not verify_changes(lines_of(WINDOW), lines_of(CHANGES), 1, 3).levels_equal


@pytest.mark.parametrize("seed", range(50))
def test_altering_any_one_level_lowers_the_count(seed: int):
    dice = random.Random(seed)
    lines = lines_of(TWELVE)[:1]
    books = json.loads(lines[0])
    level = dice.choice([level for book in books for side in ("bids", "asks") for level in book[side]])
    if dice.random() < 0.5:
        level["size"] = str(int(float(level["size"])) + 1)
    else:
        level["price"] = "0.4321"
    found = verify([json.dumps(books).encode()])
    assert (found.books, found.book_hashes_right) == (24, 23)


def test_an_altered_level_is_wrong_in_every_change_after_it():
    lines = lines_of(TWELVE)
    books = json.loads(lines[0])
    named = json.loads(lines[1])["price_changes"][0]["asset_id"]
    (altered,) = (book for book in books if book["asset_id"] == named)
    altered["bids"][0]["size"] = "1"
    found = verify([json.dumps(books).encode(), *lines[1:]])
    assert found.book_hashes_right == 23
    assert found.change_hashes_right < 210


def test_a_lost_change_is_seen_by_the_best_quotes():
    lines = lines_of(TWELVE)
    found = verify(lines)
    without = [verify([*lines[:lost], *lines[lost + 1 :]]) for lost in range(1, 40)]
    assert found.best_right == found.best_checked
    assert any(lossy.best_right < lossy.best_checked for lossy in without)


def test_live_proof_agrees_with_the_capture_and_not_with_an_altered_book():
    proof = BookProof()
    verdicts = []
    for line, view in replay(lines_of(TWELVE)):
        verdicts.append(proof.prove(line, view))
        view.bids[1] = view.bids.get(1, 0) + 1_000_000
        assert proof.prove(line, view) is False
        view.bids[1] -= 1_000_000
        if not view.bids[1]:
            del view.bids[1]
    assert (len(verdicts), verdicts.count(True)) == (242, 234)


def test_live_proof_finds_a_last_trade_it_never_saw_and_learns_those_it_sees():
    proof = BookProof()
    verdicts = [proof.prove(line, view) for line, view in replay(lines_of(WINDOW))]
    assert (len(verdicts), verdicts.count(True)) == (597, 597)


def test_live_proof_cannot_tell_from_frames_without_a_hash():
    view = View(YES, M, {}, {}, 100)
    proof = BookProof()
    trade = b'{"event_type":"last_trade_price","asset_id":"1","price":"0.04","size":"1","side":"BUY"}'
    for frame in (b"PONG", b"{", b"[]", trade, b'{"event_type":"price_change","price_changes":[]}'):
        assert proof.prove(frame, view) is None


def test_facts_of_the_catalogue_enter_the_hash():
    market = Market(
        M, "s", "q", Outcome(YES, "Yes"), Outcome(AssetId("2"), "No"), 10, 15_000_000, neg_risk=True, version="v2"
    )
    view = View(YES, M, {100: 1_000_000}, {}, 10)
    facts = HashFacts("15", "0.001", True, "0.040", "v2")
    wanted = BookHead(M, YES, "5", view.bids, view.asks).hash(facts)
    frame = json.dumps(
        {"event_type": "book", "market": "m", "asset_id": "1", "timestamp": "5", "hash": wanted, "bids": [], "asks": [],
         "last_trade_price": "0.040"}
    ).encode()  # fmt: skip
    knowing, ignorant = BookProof(), BookProof()
    knowing.learn(market)
    assert knowing.prove(frame, view) is True
    assert ignorant.prove(frame, view) is False


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_recipe_is_compact_json_with_the_version_last_on_v2(version: str):
    wire = {
        "market": "m", "asset_id": "1", "timestamp": "5", "hash": "",
        "bids": [{"price": "0.1", "size": "2.5"}, {"price": "0.25", "size": "30"}],
        "asks": [{"price": "0.9", "size": "1"}, {"price": "0.333", "size": "4"}],
        "min_order_size": "5", "tick_size": "0.001", "neg_risk": True, "last_trade_price": "",
        **({"version": "v2"} if version == "v2" else {}),
    }  # fmt: skip
    bids, asks = {2_500: 30_000_000, 1_000: 2_500_000}, {3_330: 4_000_000, 9_000: 1_000_000}
    found = BookHead(M, YES, "5", bids, asks).hash(HashFacts("5", "0.001", True, "", version))
    assert found == hashlib.sha1(json.dumps(wire, separators=(",", ":")).encode(), usedforsecurity=False).hexdigest()


def test_last_trades_are_printed_with_three_decimals_or_four():
    texts = {400: "0.040", 3_700: "0.370", 5_850: "0.585", 12: "0.0012", 10_000: "1.000"}
    assert {price: last_trade_text(price) for price in texts} == texts


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([b'{"event_type":"book","asset_id":"1","bids":[],"asks":[]}', b'{"event_type":"bo'], "line 2"),
        ([b'{"event_type":"book","asset_id":"1","bids":[{"price":"x","size":"1"}],"asks":[]}'], "line 1"),
        ([b'{"topic":"crypto_prices"}'], "no line"),
        ([], "no line"),
    ],
)
def test_a_capture_that_cannot_be_read_is_refused_with_the_place(lines: list[bytes], words: str):
    with pytest.raises(RecordingError, match=words):
        verify(lines)


@pytest.mark.parametrize(
    ("rows", "first", "last", "words"),
    [
        ([], 0, 2, "no book 0"),
        ([], 1, 598, "no book 598"),
        ([b"{}"], 1, 2, "row 1"),
        ([b'{"timestamp":"1","change":{"asset_id":"5","price":"0.1","size":"1","side":"BUY"}}'], 1, 2, "another token"),
        ([b'{"timestamp":"1","change":{"asset_id":"5","price":"x","size":"1","side":"BUY"}}'], 1, 2, "row 1"),
    ],
)
def test_changes_that_cannot_be_applied_are_refused(rows: list[bytes], first: int, last: int, words: str):
    with pytest.raises(RecordingError, match=words):
        verify_changes(lines_of(WINDOW), rows, first, last)


def test_a_trade_supplies_the_last_trade_price_of_the_books_after_it():
    """Four decimals, so that no search for a three-digit price can stand in for the trade."""
    trade = json.dumps(
        {"event_type": "last_trade_price", "market": "m", "asset_id": "1", "price": "0.0012", "size": "1",
         "side": "BUY", "timestamp": "4"}
    ).encode()  # fmt: skip
    view = View(YES, M, {100: 1_000_000}, {}, 1)
    wanted = BookHead(M, YES, "5", view.bids, view.asks).hash(HashFacts("5", "0.0001", False, "0.0012"))
    book = json.dumps(
        {"event_type": "book", "market": "m", "asset_id": "1", "timestamp": "5", "hash": wanted,
         "bids": [{"price": "0.01", "size": "1"}], "asks": []}
    ).encode()  # fmt: skip
    assert (verify([book]).book_hashes_right, verify([trade, book]).book_hashes_right) == (0, 1)
    live = BookProof()
    assert live.prove(book, view) is False
    live.prove(trade, view)
    assert live.prove(book, view) is True
