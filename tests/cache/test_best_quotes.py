"""The best quotes after the best level went away, wherever the next one lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycore import AssetId, BookDelta, BookSnapshot, BookState, LevelChange, Market, MarketId, Outcome, Side
from polycore.cache.books import Books
from polycore.cache.links import Link

MARKET, YES, NO = MarketId("m"), AssetId("1"), AssetId("2")


def books_with(bids: dict[int, int], asks: dict[int, int], tick: int = 100) -> tuple[Books, Link]:
    """One LIVE book, the first token's."""
    books, link = Books(), Link("l", "market", 1, 0)
    books.add(Market(MARKET, "m", "?", Outcome(YES, "Y"), Outcome(NO, "N")))
    books.subscribed(link, (YES, NO))
    books.snapshot(BookSnapshot(MARKET, YES, bids, asks, tick, 0, 0), link, set())
    return books, link


def remove(books: Books, link: Link, side: Side, price: int, best: tuple[int, int]) -> None:
    books.delta(BookDelta(MARKET, [LevelChange(YES, side, price, 0, *best)], 1, 1), link, set())


def test_a_level_off_the_grid_is_not_passed_over() -> None:
    """A coarser tick leaves old levels between the new grid's prices (venue reference 1.6)."""
    books, link = books_with({4800: 1, 4750: 2, 4700: 3}, {5200: 1, 5250: 2, 5300: 3})
    book = books.get(YES)
    assert book is not None
    remove(books, link, Side.BUY, 4800, (4750, 5200))
    assert (book.state, book.best[:2]) == (BookState.LIVE, (4750, 2))
    remove(books, link, Side.SELL, 5200, (4750, 5250))
    assert (book.state, book.best[2:]) == (BookState.LIVE, (5250, 2))


@pytest.mark.parametrize("ticks", [1, 2, 3, 11, 12, 13, 30])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_level_the_venue_no_longer_has_is_found_when_the_best_goes(side: Side, ticks: int) -> None:
    """Lost: the removal of the only level behind the best. It shows as soon as it is the best itself."""
    if side is Side.BUY:
        books, link = books_with({4800: 1, 4800 - 100 * ticks: 2}, {5200: 1})
        remove(books, link, side, 4800, (0, 5200))
    else:
        books, link = books_with({4800: 1}, {5200: 1, 5200 + 100 * ticks: 2})
        remove(books, link, side, 5200, (4800, 10_000))
    book = books.get(YES)
    assert book is not None
    assert book.state is BookState.SUSPECT
    assert book.cause.startswith("best quotes disagree")


prices = st.integers(1, 9_999)


@given(
    st.sets(prices, min_size=1, max_size=30), st.sets(prices, min_size=1, max_size=30), st.sampled_from([1, 10, 100])
)
def test_the_best_is_exact_wherever_the_levels_lie(bids: set[int], asks: set[int], tick: int) -> None:
    books, link = books_with(dict.fromkeys(bids, 5), dict.fromkeys(asks, 7), tick)
    book = books.get(YES)
    assert book is not None
    while bids and asks:
        for side, levels, best in ((Side.BUY, bids, max), (Side.SELL, asks, min)):
            price = best(levels)
            levels.remove(price)
            remove(books, link, side, price, (max(bids, default=0), min(asks, default=10_000)))
            assert (book.best.bid, book.best.ask) == (max(bids, default=0), min(asks, default=10_000))
    assert books.proof.checked == books.proof.agreed


def test_who_is_told_of_a_doubt_may_read_the_book() -> None:
    """The version is even again by then: a copy of the depth waits for that."""
    books, link = books_with({4800: 1, 4600: 3}, {5200: 1})
    seen = []
    books.on_suspect = lambda book: seen.append(book.depth().bids)
    remove(books, link, Side.BUY, 4800, (4700, 5200))
    assert seen == [((4600, 3),)]


@pytest.mark.parametrize("contradiction", [(4700, 5200), (4800, 5300)])
def test_each_token_is_proven_by_its_own_best_quotes(contradiction: tuple[int, int]) -> None:
    """The two books mirror one another, and the venue contradicts itself about one of them."""
    for wrong in (0, 1):
        books, link = books_with({4800: 5}, {5200: 7})
        books.snapshot(BookSnapshot(MARKET, NO, {4800: 7}, {5200: 5}, 100, 0, 0), link, set())
        best = [(4800, 5200), (4800, 5200)]
        best[wrong] = contradiction
        changes = [LevelChange(YES, Side.BUY, 4500, 1, *best[0]), LevelChange(NO, Side.SELL, 5500, 1, *best[1])]
        books.delta(BookDelta(MARKET, changes, 1, 1), link, set())
        assert [book.state is BookState.SUSPECT for book in books] == [wrong == 0, wrong == 1]
        assert (books.proof.checked, books.proof.agreed, books.proof.mirror_agreed) == (2, 1, 1)


def test_one_crossed_book_of_two_heals_by_the_next_proven_frame() -> None:
    books, link = books_with({5200: 5}, {5200: 7})
    books.snapshot(BookSnapshot(MARKET, NO, {4700: 7}, {5100: 5}, 100, 0, 0), link, set())
    yes, no = books
    assert (yes.state, no.state) == (BookState.SUSPECT, BookState.LIVE)
    changes = [
        LevelChange(YES, Side.BUY, 5200, 0, 4900, 5300),
        LevelChange(YES, Side.BUY, 4900, 5, 4900, 5300),
        LevelChange(YES, Side.SELL, 5200, 0, 4900, 5300),
        LevelChange(YES, Side.SELL, 5300, 7, 4900, 5300),
        LevelChange(NO, Side.SELL, 5100, 5, 4700, 5100),
    ]
    books.delta(BookDelta(MARKET, changes, 1, 1), link, set())
    assert (yes.state, no.state) == (BookState.LIVE, BookState.LIVE)
