"""What is wanted, over many connections: spread, changed while running, kept with its pair."""

import asyncio
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycore.cache.book import BookState
from polycore.cache.cache import GlobalMarketCache
from polycore.clock import WallClock
from polycore.errors import UsageError
from polycore.model.events import LinkState
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Market, Outcome
from polycore.venues.polymarket.channels import MarketChannel
from polycore.ws.manager import PolymarketWSManager
from polycore.ws.settings import WSSettings


async def test_a_thousand_assets_are_spread_over_five_sockets_with_pairs_together(make_venue, make_rig, until):
    venue = await make_venue(500)
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets), within=15)
    assert [len(assets) for assets in venue.open_sets] == [200] * 5
    assert len(rig.manager.connections) == 5
    for market in venue.markets:
        assert sum(set(market.assets) <= assets for assets in venue.open_sets) == 1
    assert len(rig.links) == 5
    assert set().union(*(change.assets for change in rig.links)) == {a for m in venue.markets for a in m.assets}


async def test_connects_are_spaced(make_venue, make_rig, until):
    venue = await make_venue(8)
    rig = make_rig(venue.url, settings=WSSettings(connect_gap_seconds=0.1, fallback_after_seconds=0.15), per=4)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    gaps = [later - earlier for earlier, later in pairwise(venue.upgrades)]
    assert len(gaps) == 3
    assert min(gaps) > 0.09
    assert all(change.state is LinkState.UP for change in rig.links), "one that waits for its turn is not in trouble"


async def test_markets_come_and_go_on_running_connections(make_venue, make_rig, until):
    venue = await make_venue(5)
    rig = make_rig(venue.url, per=4)
    await rig.manager.start(venue.markets[:3])
    await until(lambda: rig.live(*venue.markets[:3]))
    gone, came = venue.markets[0], venue.markets[4]
    rig.manager.set_markets([venue.markets[1], venue.markets[2], came])
    await until(lambda: rig.live(came))
    assert len(venue.heard) == 2, "the free place of the first socket is used"
    assert set(came.assets) <= venue.open_sets[0]
    assert not set(gone.assets) & set().union(*venue.open_sets)
    assert rig.cache.state(gone.first.asset) == (BookState.EMPTY, "not subscribed")
    rig.manager.set_markets([venue.markets[1]])
    await until(lambda: len(venue.open_sets) == 1)
    await until(lambda: len(rig.manager.connections) == 1)
    assert rig.live(venue.markets[1])


async def test_an_unchanged_wish_sends_nothing(make_venue, make_rig, until):
    venue = await make_venue(3)
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    before = rig.cache.books.updates
    rig.manager.set_markets(list(reversed(venue.markets)))
    venue.change(venue.markets[0].first.asset, "BUY", 45, 1)
    await until(lambda: rig.cache.books.updates > before)
    assert [text for text in venue.heard[0] if text != "PING"] == [venue.heard[0][0]]


async def test_storms_of_wishes_during_a_reconnect_end_with_what_was_wished_last(make_venue, make_rig, until):
    venue = await make_venue(30)
    rng = Random(11)
    rig = make_rig(venue.url, per=20)
    await rig.manager.start(venue.markets[:20])
    await until(lambda: rig.live(*venue.markets[:20]))
    venue.refuse = 503, {}
    for connection in venue.sockets:
        connection.transport.abort()
    await until(lambda: [change.state for change in rig.links].count(LinkState.DOWN) == 2)
    before = {market.id: len(venue.sent_for(market.first.asset)) for market in venue.markets}
    for _ in range(200):
        rig.manager.set_markets(rng.sample(venue.markets, rng.randint(0, 30)))
        await asyncio.sleep(0)
    wanted = rng.sample(venue.markets, 17)
    rig.manager.set_markets(wanted)
    venue.refuse = None
    await until(lambda: rig.live(*wanted))
    assert set().union(*venue.open_sets) == {asset for market in wanted for asset in market.assets}
    assert sum(map(len, venue.open_sets)) == 34
    for market in venue.markets:
        assert len(venue.sent_for(market.first.asset)) - before[market.id] <= 2


async def test_storms_of_wishes_on_a_running_connection_end_with_what_was_wished_last(make_venue, make_rig, until):
    venue = await make_venue(12)
    rng = Random(5)
    rig = make_rig(venue.url, per=6)
    await rig.manager.start(venue.markets)
    for _ in range(60):
        wanted = rng.sample(venue.markets, rng.randint(1, 12))
        rig.manager.set_markets(wanted)
        if rng.random() < 0.1 and rig.manager.connections:
            venue.sockets[-1].transport.abort()
        await asyncio.sleep(rng.choice([0, 0, 0.005]))
    truth = {asset for market in wanted for asset in market.assets}
    await until(lambda: rig.live(*wanted) and set().union(*venue.open_sets) == truth)
    assert sum(map(len, venue.open_sets)) == len(truth)
    assert rig.believes(venue, *wanted)


async def test_a_probe_proves_the_tokens_link(make_venue, make_rig, until):
    venue = await make_venue(1)
    rig = make_rig(venue.url)
    asset = venue.markets[0].first.asset
    assert rig.manager.probe(asset) is False
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    link = rig.cache.books.link(asset)
    before = link.proof_time
    assert rig.manager.probe(asset)
    await until(lambda: link.proof_time > before, within=0.25)


async def test_a_channel_that_cannot_keep_a_pair_together_is_refused(make_venue, make_rig):
    venue = await make_venue(1)
    rig = make_rig(venue.url, per=1)
    with pytest.raises(UsageError, match="two tokens of a market need 2"):
        await rig.manager.start(venue.markets)


@given(st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=6), st.sampled_from([2, 4, 6, 200]))
def test_placing_keeps_limits_and_wants_whatever_the_wishes_were(wishes, per):
    """Without a venue: the sockets never connect, the placing is what is looked at."""

    async def play():
        manager, markets = _offline_rig(per)
        for wish in wishes:
            manager.set_markets([markets[number] for number in sorted(wish)])
            carried = [market for line in manager._lines for market in line.markets]
            assert sorted(carried) == sorted(markets[number].id for number in wish)
            assert all(0 < 2 * len(line.markets) <= per for line in manager._lines)
        await manager.close()

    asyncio.run(play())


def _offline_rig(per):
    channel = MarketChannel("ws://127.0.0.1:1/")
    channel.assets_per_connection = per
    clock = WallClock()

    async def fetch_books(assets):
        return []

    manager = PolymarketWSManager(
        channel,
        None,
        GlobalMarketCache(clock),
        clock,
        on_frame=print,
        on_read_end=print,
        on_link=print,
        fetch_books=fetch_books,
        rng=Random(1),
        settings=WSSettings(),
    )
    return manager, [_market(number) for number in range(12)]


def _market(number):
    yes, no = Outcome(AssetId(f"y{number}"), "Y"), Outcome(AssetId(f"n{number}"), "N")
    return Market(MarketId(f"m{number:02}"), f"m{number}", "?", yes, no)
