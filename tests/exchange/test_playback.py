"""Recordings played into an exchange: the right books at the right times, on both tokens, and fills from its trades."""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from polycore.errors import RecordingError, UsageError
from polycore.exchange.exchange import Exchange
from polycore.exchange.playback import Flow, Playback
from polycore.exchange.recorded import RecordedFlow
from polycore.exchange.values import FillNotice, LastTradeNotice, LevelsNotice, OrderRequest, ResolvedNotice
from polycore.model.ids import OrderId
from polycore.model.market import Side
from polycore.model.money import MONEY_ONE, SIZE_ONE, complement, notional, parse_price, parse_size
from polycore.recordings import FileKind, load_recording

NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
MINE = "0x" + "01" * 20


class Stage:
    """An exchange with flows, played in jumps from one due time to the next."""

    def __init__(self, flows: Sequence[Flow], *, speed: float = 1.0) -> None:
        self.exchange = Exchange(random=Random(3))
        self.playback = Playback(self.exchange, flows, speed=speed)
        self.now = NOW
        self.notices: list[object] = []
        self.exchange.open_account(MINE, 100_000 * MONEY_ONE)

    def start(self, *, skip: int = 0) -> None:
        self.playback.start(NOW, skip=skip)
        self.notices += self.exchange.drain()

    def step(self) -> bool:
        """Go to the next due time; false at the end."""
        due = [time for time in (self.playback.next_due, self.exchange.next_due) if time is not None]
        if not due:
            return False
        self.now = min(due)
        self.exchange.advance(self.now)
        self.playback.advance(self.now)
        self.notices += self.exchange.drain()
        return True

    def run(self) -> list[object]:
        self.start()
        while self.step():
            pass
        return self.notices


def recorded(name: str) -> RecordedFlow:
    return RecordedFlow(load_recording(name))


def test_every_recorded_book_is_shown_as_recorded_on_both_tokens() -> None:
    recording = load_recording("btc-updown-15m")
    market = recording.markets[0].market
    lines = gzip.decompress(recording.of_kind(FileKind.FRAMES)[0].path.read_bytes()).splitlines()
    stage = Stage([RecordedFlow(recording)])
    shown = 0
    stage.start()
    for line in lines:
        frame = json.loads(line)
        offset = int(frame["timestamp"]) * 1_000_000 - recording.start
        while stage.playback.next_due is not None and stage.playback.next_due <= NOW + offset:
            stage.step()
        up, down = (stage.exchange.book(asset, stage.now) for asset in market.assets)
        bids = [(parse_price(level["price"]), parse_size(level["size"])) for level in frame["bids"]]
        asks = [(parse_price(level["price"]), parse_size(level["size"])) for level in frame["asks"]]
        shown += sorted(bids) == list(up.bids) and sorted(asks, reverse=True) == list(up.asks)
        assert [(complement(price), size) for price, size in up.asks] == list(down.bids)
    # Books that share their millisecond, or a trade that follows within it, are not seen one by one.
    assert shown >= 590


def test_all_recorded_trades_are_told_and_the_market_resolves_by_its_payout() -> None:
    stage = Stage([recorded("btc-updown-15m")])
    notices = stage.run()
    assert sum(isinstance(notice, LastTradeNotice) for notice in notices) == 594
    (resolved,) = [notice for notice in notices if isinstance(notice, ResolvedNotice)]
    assert resolved.winner == stage.exchange.listings[0].market.second.asset
    assert stage.playback.finished
    assert stage.exchange.totals().locked == 0


def test_the_announced_book_never_crosses_and_follows_from_its_changes() -> None:
    stage = Stage([recorded("btc-updown-15m-2026-09-28"), recorded("12-markets")])
    books: dict[tuple[str, Side], dict[int, int]] = {}
    for notice in stage.run():
        for change in notice.changes if isinstance(notice, LevelsNotice) else ():
            levels = books.setdefault((change.asset, change.side), {})
            levels[change.price] = change.size
            if not change.size:
                del levels[change.price]
            bids = books.get((change.asset, Side.BUY), {})
            asks = books.get((change.asset, Side.SELL), {})
            assert (change.best_bid, change.best_ask) == (max(bids, default=0), min(asks, default=10_000))
            assert change.best_bid < change.best_ask


def test_speed_shrinks_the_gaps_between_recorded_events_only() -> None:
    ends = []
    for speed in (1.0, 6.0):
        stage = Stage([recorded("btc-updown-15m")], speed=speed)
        stage.run()
        ends.append(stage.now - NOW)
        assert stage.playback.progress(stage.now) == 1.0
    assert ends[0] == 867_843_000_000
    assert ends[1] == ends[0] // 6


def test_a_run_can_begin_in_the_middle() -> None:
    whole, late = Stage([recorded("btc-updown-15m")]), Stage([recorded("btc-updown-15m")])
    whole.start()
    while whole.now < NOW + 400 * SECOND:
        whole.step()
    late.start(skip=whole.now - NOW)
    asset = whole.exchange.listings[0].market.first.asset
    assert late.exchange.book(asset, 0) == whole.exchange.book(asset, 0)
    assert late.playback.progress(NOW) == pytest.approx(400 / 867.8, abs=0.01)


def test_a_quote_at_the_best_bid_is_filled_by_the_recordings_trades() -> None:
    """Join the best bids of both tokens after each trade: some are filled, and none of them above its price.

    The contract's rounding may cost a maker one unit more.
    """
    stage = Stage([recorded("btc-updown-15m")])
    market = stage.exchange.listings[0].market
    stage.start()
    number = 0
    while stage.now < NOW + 600 * SECOND and stage.step():
        stage.exchange.cancel_all(MINE, stage.now)
        for asset in market.assets:
            bids = stage.exchange.book(asset, stage.now).bids
            if bids:
                number += 1
                price, size = bids[-1][0], 10 * SIZE_ONE
                stage.exchange.place(
                    OrderRequest(
                        OrderId(str(number)), MINE, asset, Side.BUY, notional(price, size), size, post_only=True
                    ),
                    stage.now,
                )
    fills = [notice for notice in stage.notices if isinstance(notice, FillNotice) and notice.account == MINE]
    assert fills
    for fill in fills:
        for maker in fill.trade.makers:
            assert maker.account != MINE or maker.money <= notional(maker.price, maker.size) + 1
    totals = stage.exchange.totals()
    assert totals.deposited == totals.money + totals.fees + totals.locked


def test_several_recordings_are_served_at_once_with_their_own_markets() -> None:
    stage = Stage([recorded("btc-updown-15m"), recorded("btc-updown-15m-2026-09-28"), recorded("12-markets")], speed=6)
    notices = stage.run()
    counts = Counter(listing.source for listing in stage.exchange.listings)
    assert counts == {"btc-updown-15m": 1, "btc-updown-15m-2026-09-28": 1, "12-markets": 12}
    assert [listing.derived for listing in stage.exchange.listings] == [False, True, *[False] * 12]
    assert sum(isinstance(notice, ResolvedNotice) for notice in notices) == 2


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan"), 10_001])
def test_a_speed_that_plays_nothing_is_refused(speed: float) -> None:
    with pytest.raises(UsageError, match="speed must be above 0 and at most 10000, got"):
        Playback(Exchange(random=Random(0)), [], speed=speed)


def test_a_number_that_cannot_be_played_names_the_recording_and_the_message(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    levels = '[{"price":"0.5","size":"1.12345678"}]'
    path.write_text(f'{{"market":"0xm","asset_id":"1","timestamp":"1000","bids":{levels},"asks":[]}}\n')
    stage = Stage([RecordedFlow(load_recording(str(path)))])
    with pytest.raises(RecordingError, match=r"odd\.jsonl: the message of 0xm at 1000 .*more than 6 decimals"):
        stage.start()
