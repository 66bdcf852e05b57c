"""The top of a book, read by another thread while the writer writes.

Ten million reads, each timed alone: two readings of the clock around one call, their own cost included and printed
beside. The writer, on the main thread as in a run, applies snapshots whose four numbers are one and the same, so that a
read that mixed two of them would show.
"""

import threading
import time
from collections import Counter
from statistics import median

from benchmarks import rig
from benchmarks.report import Bar, at_most
from benchmarks.stream import Token
from polycore import PRICE_ONE, AssetId, BookSnapshot, MarketId, WallClock
from polycore.cache.book import Book
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link

READS = 10_000_000
BAR = 1.0
_ASSET = AssetId("1")
_MARKET = MarketId("0x1")


class Reader(threading.Thread):
    """Reads ``count`` times. ``took`` counts the reads by their nanoseconds."""

    def __init__(self, cache: GlobalMarketCache, count: int) -> None:
        super().__init__(daemon=True)
        self.took: Counter[int] = Counter()
        self.torn = 0
        self.different = 0
        self._cache = cache
        self._count = count

    def run(self) -> None:
        best, clock, asset = self._cache.best, time.perf_counter_ns, _ASSET
        took: dict[int, int] = {}
        last = 0
        for _ in range(self._count):
            began = clock()
            top = best(asset)
            nanoseconds = clock() - began
            took[nanoseconds] = took.get(nanoseconds, 0) + 1
            assert top is not None
            bid, bid_size, ask, ask_size = top
            if not bid == bid_size == ask == ask_size:
                self.torn += 1
            if bid != last:
                self.different += 1
                last = bid
        self.took = Counter(took)


def measure() -> list[Bar]:
    """Both halves of the bar."""
    cache = GlobalMarketCache(WallClock())
    cache.add(rig.markets([Token(_MARKET, _ASSET), Token(_MARKET, "2")])[0])
    link = Link("market-1", "market", 1, 0)
    cache.books.subscribed(link, [_ASSET])
    _write(cache, link, 1)
    reader = Reader(cache, READS)
    written = 1
    reader.start()
    while reader.is_alive():
        for _ in range(100):
            written = written % (PRICE_ONE - 1) + 1
            _write(cache, link, written)
    reader.join()
    assert sum(reader.took.values()) == READS, "the reader ended early"
    assert reader.different > 100, f"the reader saw {reader.different} different books: nobody wrote meanwhile"
    return [
        at_most(
            "top of book from another thread: median of 10 million", _quantile(reader.took, 500) / 1000, BAR, "µs",
            p99=_quantile(reader.took, 990) / 1000, p999=_quantile(reader.took, 999) / 1000, clock=_clock() / 1000,
            books_seen=reader.different,
        ),
        at_most("the same: torn reads", float(reader.torn), 0.0, "of 10 million"),
    ]  # fmt: skip


def _write(cache: GlobalMarketCache, link: Link, number: int) -> None:
    touched: set[Book] = set()
    cache.apply(BookSnapshot(_MARKET, _ASSET, {number: number}, {number: number}, 10, number, number), link, touched)


def _quantile(took: Counter[int], per_mille: int) -> int:
    rank = -(-took.total() * per_mille // 1000)
    for nanoseconds in sorted(took):
        rank -= took[nanoseconds]
        if rank <= 0:
            return nanoseconds
    raise ValueError("nothing was counted")


def _clock() -> float:
    """Nanoseconds of the two readings of the clock alone."""
    clock = time.perf_counter_ns
    empty = []
    for _ in range(100_000):
        began = clock()
        empty.append(clock() - began)
    return float(median(empty))
