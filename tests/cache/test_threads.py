"""Readers in other threads never wait for the writer and never see half an update."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from polycore import (
    AssetId,
    BookDelta,
    BookSnapshot,
    LevelChange,
    ManualClock,
    Market,
    MarketId,
    Outcome,
    Side,
)
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link

FIRST, SECOND, MARKET = AssetId("1"), AssetId("2"), MarketId("m")


@pytest.fixture
def short_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _cache() -> tuple[GlobalMarketCache, Link]:
    cache = GlobalMarketCache(ManualClock())
    cache.add(Market(MARKET, "m", "?", Outcome(FIRST, "Y"), Outcome(SECOND, "N")))
    link = Link("l", "market", 1, 0)
    cache.books.subscribed(link, (FIRST, SECOND))
    cache.apply(BookSnapshot(MARKET, FIRST, {100: 1}, {9900: 1}, 100, 0, 0), link, set())
    return cache, link


def _read_while_writing(write: Callable[[int], None], read: Callable[[], str | None], rounds: int) -> list[str]:
    """What two readers found torn. A reader that raises ends it at once, with what it raised."""
    torn: list[str] = []
    reads = [0, 0]
    done = threading.Event()

    def reader(slot: int) -> None:
        while not done.is_set():
            found = read()
            reads[slot] += 1
            if found:
                torn.append(found)

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(reader, slot) for slot in range(2)]
        number = 0
        while (number < rounds or min(reads) < 10_000) and not any(found.done() for found in readers):
            number += 1
            write(number)
        done.set()
    for found in readers:
        found.result()
    return torn


def test_the_best_quotes_are_all_of_one_update(short_switches) -> None:
    """The writer stores one number in every field; a reader that finds two numbers has seen half an update."""
    cache, link = _cache()

    def write(number: int) -> None:
        size = number % 1000 + 1
        best = (4000 + size, 6000 + size)
        changes = [LevelChange(FIRST, side, price, 0, *best) for side, price in _levels(cache)]
        changes += [
            LevelChange(FIRST, Side.BUY, best[0], size, *best),
            LevelChange(FIRST, Side.SELL, best[1], size, *best),
        ]
        cache.apply(BookDelta(MARKET, changes, number, number), link, set())

    def read() -> str | None:
        best = cache.best(FIRST)
        assert best is not None
        numbers = {best.bid - 4000, best.bid_size, best.ask - 6000, best.ask_size}
        return None if len(numbers) == 1 or best.bid == 100 else repr(best)

    assert _read_while_writing(write, read, 3000) == []


def test_a_copy_of_the_depth_is_all_of_one_update(short_switches) -> None:
    cache, link = _cache()

    def write(number: int) -> None:
        size = number % 1000 + 1
        changes = [LevelChange(FIRST, Side.BUY, 100 * n, size, 500, 9500) for n in range(1, 6)]
        changes += [LevelChange(FIRST, Side.SELL, 10_000 - 100 * n, size, 500, 9500) for n in range(1, 6)]
        cache.apply(BookDelta(MARKET, changes, number, number), link, set())

    def read() -> str | None:
        depth = cache.get_order_book(FIRST)
        assert depth is not None
        sizes = {size for _, size in depth.bids + depth.asks}
        return None if len(sizes) == 1 else repr(depth)

    assert _read_while_writing(write, read, 1000) == []


def _levels(cache: GlobalMarketCache) -> list[tuple[Side, int]]:
    book = cache.get(FIRST)
    assert book is not None
    return [(Side.BUY, price) for price in book.bids] + [(Side.SELL, price) for price in book.asks]
