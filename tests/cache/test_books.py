"""Books equal what the venue holds, and every disagreement is a doubt."""

from hypothesis import given
from hypothesis import strategies as st

from polycore import (
    BookDelta,
    BookSnapshot,
    BookState,
    ChangeKind,
    LevelChange,
    ManualClock,
    Market,
    MarketChange,
    MarketId,
    Outcome,
    Side,
)
from polycore.cache.books import CROSSED, Books
from polycore.cache.links import Link
from polycore.model.ids import AssetId


def test_a_book_is_live_only_by_a_snapshot_of_its_own_link(world, new_link) -> None:
    assert world.yes.state is BookState.SYNCING
    world.change("BUY 0.48@5", best="0.48/0.52")
    assert world.yes.state is BookState.SYNCING
    assert not world.yes.bids
    world.snapshot(link=new_link())
    assert not world.yes.live
    world.snapshot()
    assert world.yes.live
    assert world.yes.best == (4800, 100_000_000, 5200, 100_000_000)


def test_changes_move_the_best_quotes_of_both_tokens(world) -> None:
    world.snapshot()
    world.change("BUY 0.49@7", best="0.49/0.52")
    assert world.yes.best[:2] == (4900, 7_000_000)
    assert world.no.best[2:] == (5100, 7_000_000)
    world.change("BUY 0.49@0", best="0.48/0.52")
    assert world.yes.best[:2] == (4800, 100_000_000)
    proof = world.cache.books.proof
    assert (proof.checked, proof.agreed, proof.mirror_checked, proof.mirror_agreed, proof.suspect) == (
        4,
        4,
        2,
        2,
        0,
    )


def test_only_the_last_entry_of_a_token_is_its_proof(world) -> None:
    """Earlier entries of a frame carry the best quotes of the end of the frame as well."""
    world.snapshot()
    world.change("BUY 0.49@7", "SELL 0.51@3", best="0.49/0.51")
    assert world.yes.state is BookState.LIVE
    assert world.yes.best == (4900, 7_000_000, 5100, 3_000_000)


def test_a_lost_change_is_suspect_by_the_next_frame_with_a_best_quote(world) -> None:
    world.snapshot()
    # Lost: BUY 0.49@7.
    world.change("SELL 0.55@1", best="0.49/0.52")
    assert world.yes.state is world.no.state is BookState.SUSPECT
    assert world.yes.cause == "best quotes disagree: book 0.48/0.52, venue 0.49/0.52"
    assert world.suspects == ["1", "2"]
    world.change("SELL 0.55@2", best="0.49/0.52")
    assert world.suspects == ["1", "2"], "a doubt is reported once"


def test_a_snapshot_heals_a_doubt(world) -> None:
    world.snapshot()
    world.change("SELL 0.55@1", best="0.49/0.52")
    world.snapshot(bids="0.49@7 0.48@100")
    assert world.yes.state is world.no.state is BookState.LIVE


def test_an_altered_size_at_the_top_is_found_by_the_mirror(world) -> None:
    world.snapshot()
    world.time += 1
    world.send(
        [
            LevelChange(AssetId("1"), Side.BUY, 4800, 90_000_000, 4800, 5200),
            LevelChange(AssetId("2"), Side.SELL, 5200, 80_000_000, 4800, 5200),
        ]
    )
    assert world.yes.state is world.no.state is BookState.SUSPECT
    assert "mirror" in world.yes.cause


def test_a_crossed_book_is_doubted_and_heals_by_the_next_proven_frame(world) -> None:
    world.snapshot()
    world.change("BUY 0.52@5", best="0.52/0.52")
    assert world.yes.state is BookState.SUSPECT
    assert world.yes.cause == CROSSED
    assert world.suspects == [], "nothing was lost: no resubscription"
    world.change("SELL 0.52@0", "SELL 0.53@4", best="0.52/0.53")
    assert world.yes.state is world.no.state is BookState.LIVE


def test_a_frame_of_an_old_connection_is_ignored(world, new_link) -> None:
    world.snapshot()
    new = new_link()
    world.cache.books.subscribed(new, world.market.assets)
    world.change("BUY 0.49@7", best="0.49/0.52")
    world.snapshot()
    assert world.yes.state is BookState.SYNCING
    assert world.cache.books.late == 3
    world.snapshot(link=new)
    assert world.yes.live


def test_a_lost_link_makes_its_books_stale(world) -> None:
    world.snapshot()
    assert set(world.cache.books.lost(world.link, "connection reset")) == {"1", "2"}
    assert world.cache.state(AssetId("1")) == (BookState.STALE, "connection reset")


def test_a_new_tick_drops_the_levels_until_the_next_snapshot(world) -> None:
    world.snapshot()
    world.cache.apply(MarketChange(world.market.id, ChangeKind.TICK, asset=AssetId("1"), tick=10), world.link, set())
    assert (world.yes.state, world.yes.tick, world.yes.bids) == (BookState.SYNCING, 10, {})
    assert (world.no.state, world.no.tick) == (BookState.LIVE, 100), "each token is told its own"
    world.change("BUY 0.481@1", best="0.481/0.52")
    assert world.yes.bids == {}
    world.snapshot()
    assert world.yes.live


def test_a_new_tick_of_a_market_is_that_of_both_books(world) -> None:
    world.snapshot()
    world.cache.apply(MarketChange(world.market.id, ChangeKind.TICK, tick=10), world.link, set())
    assert [(book.state, book.tick) for book in (world.yes, world.no)] == [(BookState.SYNCING, 10)] * 2


def test_a_rest_book_never_replaces_a_live_one_and_is_never_live(world) -> None:
    world.snapshot()
    rest = BookSnapshot(world.market.id, AssetId("1"), {100: 1}, {9900: 1}, 100, 99, 99)
    world.cache.apply(rest, None, world.touched)
    assert world.yes.best.bid == 4800
    world.cache.books.lost(world.link, "down")
    world.cache.apply(rest, None, world.touched)
    assert (world.yes.state, world.yes.best.bid) == (BookState.DEGRADED, 100)


def test_an_older_rest_book_is_not_taken(world) -> None:
    world.snapshot()
    world.time = 50
    world.snapshot()
    world.cache.books.lost(world.link, "down")
    stale = BookSnapshot(world.market.id, AssetId("1"), {100: 1}, {9900: 1}, 100, 3, 99)
    world.cache.apply(stale, None, world.touched)
    assert (world.yes.state, world.yes.best.bid) == (BookState.STALE, 4800)


_change = st.tuples(
    st.booleans(), st.integers(1, 99).map(lambda n: n * 100), st.sampled_from([0, 0, 1_000_000, 2_500_000, 7])
)


@given(st.lists(st.lists(_change, min_size=1, max_size=4), max_size=30))
def test_a_book_equals_a_plain_reference_after_every_frame(frames: list[list[tuple[bool, int, int]]]) -> None:
    books, link = Books(), Link("l", "market", 1, 0)
    books.add(Market(MarketId("m"), "m", "?", Outcome(AssetId("1"), "Y"), Outcome(AssetId("2"), "N")))
    books.subscribed(link, (AssetId("1"), AssetId("2")))
    books.snapshot(BookSnapshot(MarketId("m"), AssetId("1"), {}, {}, 100, 0, 0), link, set())
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    book = books.get(AssetId("1"))
    assert book is not None
    for frame in frames:
        for is_bid, price, size in frame:
            side = bids if is_bid else asks
            side[price] = size
            if not size:
                del side[price]
        best = (max(bids, default=0), min(asks, default=10_000))
        changes = [
            LevelChange(AssetId("1"), Side.BUY if is_bid else Side.SELL, price, size, *best)
            for is_bid, price, size in frame
        ]
        version = book.version
        books.delta(BookDelta(MarketId("m"), changes, 1, 1), link, set())
        assert (book.bids, book.asks) == (bids, asks)
        assert book.best == (best[0], bids.get(best[0], 0), best[1], asks.get(best[1], 0))
        assert book.version == version + 2
        assert (book.state is BookState.LIVE) == (best[0] < best[1])
    assert books.proof.checked == books.proof.agreed == len(frames)


def test_staleness_is_the_links_proof_of_life_and_not_silence(world) -> None:
    world.snapshot()
    asset = AssetId("1")
    assert not world.cache.is_stale(asset)
    world.clock.advance(2.1)
    assert world.cache.is_stale(asset)
    assert world.cache.is_market_stale(asset)
    world.link.proof_time = world.clock.monotonic()
    assert not world.cache.is_stale(asset), "a PONG is enough: the market is quiet, not stale"


def test_an_unknown_token_is_empty_and_stale(world) -> None:
    assert world.cache.state(AssetId("9"))[0] is BookState.EMPTY
    assert world.cache.is_stale(AssetId("9"))
    assert world.cache.get_latest_price(AssetId("9")) is None
    assert world.cache.get_order_book(AssetId("9")) is None


def test_the_micro_price_leans_to_the_thinner_side(world) -> None:
    world.snapshot(bids="0.40@300", asks="0.60@100")
    assert world.cache.get_latest_price(AssetId("1")) == 0.55
    world.snapshot(bids="", asks="0.60@100")
    assert world.cache.get_latest_price(AssetId("1")) is None


def test_clocks_of_the_test_agree() -> None:
    clock = ManualClock()
    clock.advance(1.5)
    assert clock.monotonic() == 2_500_000_000
