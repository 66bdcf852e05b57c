"""Which books have failed, and which remedy is due."""

from itertools import pairwise

from polycore.cache.book import Book, BookState
from polycore.cache.books import CROSSED
from polycore.cache.links import Link
from polycore.model.ids import AssetId, MarketId
from polycore.ws.settings import WSSettings
from polycore.ws.watch import BookWatch, Remedy

SECOND = 1_000_000_000
ASSET = AssetId("1")


def a_book(state: BookState, cause: str = "") -> Book:
    book = Book(ASSET, MarketId("m"), 100)
    book.state, book.cause = state, cause
    return book


def test_a_book_may_wait_five_seconds_for_its_snapshot():
    watch, book, link = BookWatch(WSSettings()), a_book(BookState.SYNCING), Link("a", "market", 1, 0)
    assert not watch.has_failed(book, link, 10 * SECOND)
    assert not watch.has_failed(book, link, 15 * SECOND - 1)
    assert watch.has_failed(book, link, 15 * SECOND)


def test_a_new_connection_starts_the_wait_anew():
    watch, book = BookWatch(WSSettings()), a_book(BookState.SYNCING)
    assert not watch.has_failed(book, Link("a", "market", 1, 0), 0)
    assert not watch.has_failed(book, Link("a", "market", 2, 0), 30 * SECOND)


def test_a_doubted_book_fails_at_once_and_a_live_one_never():
    watch, link = BookWatch(WSSettings()), Link("a", "market", 1, 0)
    assert watch.has_failed(a_book(BookState.SUSPECT, "best quotes disagree"), link, 0)
    assert not watch.has_failed(a_book(BookState.LIVE), link, 100 * SECOND)


def test_a_crossed_book_is_given_a_second_and_healing_starts_it_anew():
    watch, link = BookWatch(WSSettings()), Link("a", "market", 1, 0)
    crossed = a_book(BookState.SUSPECT, CROSSED)
    assert not watch.has_failed(crossed, link, 0)
    assert not watch.has_failed(a_book(BookState.LIVE), link, SECOND // 2)
    assert not watch.has_failed(crossed, link, SECOND)
    assert watch.has_failed(crossed, link, 2 * SECOND)


def test_the_second_failure_within_a_minute_moves_and_one_after_it_does_not():
    watch = BookWatch(WSSettings())
    assert watch.remedy(ASSET, 100 * SECOND) is Remedy.RESUBSCRIBE
    assert watch.remedy(ASSET, 160 * SECOND) is Remedy.MOVE
    assert watch.remedy(ASSET, 221 * SECOND) is Remedy.RESUBSCRIBE


def test_a_token_that_nothing_cures_is_tried_ever_less_often():
    watch, link, now, times = BookWatch(WSSettings()), Link("a", "market", 1, 0), 100 * SECOND, []
    hopeless = a_book(BookState.SUSPECT, "best quotes disagree")
    while now < 400 * SECOND:
        if watch.has_failed(hopeless, link, now):
            times.append(now)
            watch.remedy(ASSET, now)
        now += SECOND // 4
    gaps = [(later - earlier) // SECOND for earlier, later in pairwise(times)]
    assert gaps[:8] == [0, 1, 2, 4, 8, 16, 32, 60]


def test_a_forgotten_token_has_no_past():
    watch = BookWatch(WSSettings())
    watch.remedy(ASSET, 100 * SECOND)
    watch.forget(ASSET)
    assert watch.remedy(ASSET, 101 * SECOND) is Remedy.RESUBSCRIBE
