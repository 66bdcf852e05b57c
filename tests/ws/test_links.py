"""Links lost and found again: epochs, retries, refusals, the REST fallback, the end."""

import asyncio
import logging
import time

import pytest

from polycore.cache.book import BookState
from polycore.errors import VenueRefusal
from polycore.model.events import BookSnapshot, LinkState
from polycore.ws.settings import WSSettings


async def test_every_subscription_is_back_after_a_reset_in_the_middle_of_a_frame(
    make_venue, fault_proxy, make_rig, until
):
    venue = await make_venue(4)
    proxy = await fault_proxy(venue)
    rig = make_rig(proxy.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    proxy.reset_after = 100
    started = time.monotonic()
    venue.change(venue.markets[0].first.asset, "BUY", 45, 1)
    await until(lambda: proxy.resets == 1 and len(rig.links) == 3 and rig.live(*venue.markets), within=2)
    assert time.monotonic() - started < 2
    assert [change.state for change in rig.links] == [LinkState.UP, LinkState.DOWN, LinkState.UP]
    assert rig.links[1].assets == rig.links[2].assets == tuple(a for m in venue.markets for a in m.assets)
    assert rig.manager.reconnects == 1
    assert rig.believes(venue, *venue.markets)
    assert len([1 for link, _, _ in rig.frames if link.epoch == 2]) == 1


async def test_the_venues_own_words_for_a_close_are_the_cause(make_venue, make_rig, until):
    venue = await make_venue(1)
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    await venue.sockets[0].close(1012, "deploy")
    await until(lambda: rig.manager.reconnects == 1 and rig.live(*venue.markets))
    assert rig.links[1].cause == "closed by the venue: 1012 (service restart) deploy"


async def test_books_are_stale_while_the_link_is_down_and_live_only_by_a_snapshot_of_the_new_one(
    make_venue, make_rig, until
):
    venue = await make_venue(1)
    asset = venue.markets[0].first.asset
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    assert not rig.cache.is_stale(asset)
    venue.refuse = 503, {}
    venue.sockets[0].transport.abort()
    await until(lambda: rig.links[-1].state is LinkState.DOWN)
    assert rig.cache.state(asset)[0] is BookState.STALE
    assert rig.cache.is_stale(asset)
    venue.mute = {asset: 1}
    venue.refuse = None
    await until(lambda: rig.links[-1].state is LinkState.UP)
    assert rig.cache.state(asset) == (BookState.SYNCING, "waiting for a snapshot")
    venue.change(asset, "BUY", 45, 1)
    await until(lambda: rig.cache.state(venue.markets[0].second.asset)[0] is BookState.LIVE)
    assert rig.cache.is_stale(asset)
    await until(lambda: not rig.cache.is_stale(asset))
    assert rig.believes(venue, *venue.markets)


async def test_frames_of_an_earlier_epoch_are_ignored(make_venue, make_rig, until):
    venue = await make_venue(1)
    asset = venue.markets[0].first.asset
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    venue.change(asset, "BUY", 45, 7)
    await until(lambda: len(rig.frames) == 2)
    old_link, old_frame, _ = rig.frames[1]
    venue.sockets[0].transport.abort()
    venue.levels[asset]["BUY"][45] = 9
    venue.levels[venue.markets[0].second.asset]["SELL"][55] = 9
    await until(lambda: rig.manager.reconnects == 1 and rig.live(*venue.markets))
    old_connection_link = rig.cache.books.link(asset)
    assert old_connection_link is not old_link
    assert old_connection_link.epoch == old_link.epoch + 1
    rig.on_frame(old_link, old_frame, rig.clock.monotonic())
    assert rig.cache.books.late == 1
    assert rig.believes(venue, *venue.markets)


async def test_a_lost_snapshot_is_asked_for_again_and_then_on_another_socket(make_venue, make_rig, until):
    venue = await make_venue(3)
    once, twice, healthy = venue.markets
    venue.mute = {once.first.asset: 1, twice.first.asset: 2}
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets), within=3)
    assert len(venue.sent_for(once.first.asset)) == 3, "opening, unsubscribe, subscribe"
    assert len(venue.open_sets) == 2
    assert venue.open_sets[1] == set(twice.assets)
    assert len(venue.sent_for(healthy.first.asset)) == 1


async def test_a_flapping_venue_is_not_hammered(make_venue, make_rig, until):
    venue = await make_venue(1)
    venue.flap = True
    settings = WSSettings(connect_gap_seconds=0.0, first_retry_seconds=0.05, longest_retry_seconds=60)
    rig = make_rig(venue.url, settings=settings)
    await rig.manager.start(venue.markets)
    await until(lambda: len(venue.upgrades) >= 4)
    await asyncio.wait({asyncio.get_running_loop().create_task(asyncio.sleep(0.5))})
    assert len(venue.upgrades) <= 9, "a connection that merely opens does not reset the backoff"


async def test_the_backoff_starts_again_only_after_a_useful_connection(make_venue, make_rig, until):
    venue = await make_venue(1)
    settings = WSSettings(connect_gap_seconds=0, first_retry_seconds=0.01, useful_seconds=0.1, review_seconds=0.02)
    rig = make_rig(venue.url, settings=settings)
    await rig.manager.start(venue.markets)
    (line,) = rig.manager._lines
    for attempt in (1, 2, 3):
        await until(lambda: rig.live(*venue.markets))
        venue.sockets[-1].transport.abort()
        await until(lambda attempt=attempt: line._backoff.attempt == attempt)
    await until(lambda: line.books_since and rig.clock.monotonic() - line.books_since > 150_000_000)
    venue.sockets[-1].transport.abort()
    await until(lambda: line._backoff.attempt == 1)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_venue_is_not_asked_again_before_its_retry_after(make_venue, make_rig, status, until):
    venue = await make_venue(1)
    venue.refuse = status, {"Retry-After": "1"}
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.links)
    assert f"({status})" in rig.links[0].cause
    venue.refuse = None
    await until(lambda: rig.live(*venue.markets))
    assert venue.upgrades[1] - venue.upgrades[0] >= 1
    assert not rig.manager.failed.done()


@pytest.mark.parametrize("status", [401, 403])
async def test_a_venue_that_forbids_the_socket_ends_the_run_with_one_alert(make_venue, make_rig, status, caplog):
    venue = await make_venue(1)
    venue.refuse = status, {}
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    with pytest.raises(VenueRefusal) as refusal:
        await asyncio.wait_for(asyncio.shield(rig.manager.failed), 2)
    assert refusal.value.status == status
    assert len(venue.upgrades) == 1
    assert rig.links[-1].state is LinkState.DOWN
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


async def test_an_exception_of_a_callback_ends_the_run_and_is_not_swallowed(make_venue, make_rig, caplog):
    venue = await make_venue(1)
    rig = make_rig(venue.url)

    def broken(raw):
        raise ZeroDivisionError("a fault of ours")

    rig.channel.decode = lambda frame, received_time: broken(frame)
    await rig.manager.start(venue.markets)
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        await asyncio.wait_for(asyncio.shield(rig.manager.failed), 2)


async def test_rest_polling_begins_when_no_socket_can_be_had_and_ends_when_one_is_back(make_venue, make_rig, until):
    venue = await make_venue(1)
    market, asset = venue.markets[0], venue.markets[0].first.asset
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(market))
    later = venue.clock * 1_000_000 + 10**9
    rig.rest = lambda token: BookSnapshot(market.id, token, {1000: 5}, {9000: 5}, 0, later, rig.clock.monotonic())
    venue.refuse = 503, {}
    venue.sockets[0].transport.abort()
    await until(lambda: rig.cache.state(asset)[0] is BookState.DEGRADED)
    assert [change.state for change in rig.links] == [LinkState.UP, LinkState.DOWN, LinkState.DEGRADED]
    assert rig.links[-1].assets == market.assets
    assert "no socket for 0.4 s: upgrade refused" in rig.links[-1].cause
    assert rig.cache.is_stale(asset), "a polled book is never quoted"
    assert rig.cache.get(asset).best.bid == 1000
    venue.refuse = None
    await until(lambda: rig.live(market))
    assert rig.links[-1].state is LinkState.UP
    polls = len(rig.polls)
    venue.change(asset, "BUY", 45, 1)
    await until(lambda: rig.believes(venue, market))
    await asyncio.wait({asyncio.get_running_loop().create_task(asyncio.sleep(0.1))})
    assert len(rig.polls) == polls


async def test_a_rest_answer_that_comes_after_the_socket_is_dropped(make_venue, make_rig, until):
    venue = await make_venue(1)
    market = venue.markets[0]
    rig, gate, answered = make_rig(venue.url), asyncio.Event(), []

    async def slow(assets):
        rig.polls.append(assets)
        await gate.wait()
        answered.append(assets)
        now = rig.clock.monotonic()
        return [BookSnapshot(market.id, token, {1000: 5}, {9000: 5}, 0, 2**62, now) for token in assets]

    rig.manager._fetch_books = slow
    venue.refuse = 503, {}
    await rig.manager.start(venue.markets)
    await until(lambda: rig.polls)
    venue.mute = dict.fromkeys(market.assets, 1)
    venue.refuse = None
    await until(lambda: rig.links[-1].state is LinkState.UP)
    gate.set()
    await until(lambda: answered)
    assert rig.cache.state(market.first.asset) == (BookState.SYNCING, "waiting for a snapshot")
    await until(lambda: rig.live(market))
    assert rig.believes(venue, market)


async def test_a_rest_that_is_away_too_is_asked_again_and_ends_nothing(make_venue, make_rig, until):
    venue = await make_venue(3)
    venue.refuse = 503, {}
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: len(rig.polls) > 3)
    assert rig.links[-1].state is LinkState.DEGRADED
    assert all(len(poll) == 6 for poll in rig.polls)
    assert not rig.manager.failed.done()


async def test_the_user_channel_is_one_more_connection_and_reports_its_own_health(make_venue, make_rig, until):
    venue, account = await make_venue(1), await make_venue(0)
    rig = make_rig(venue.url, user=account.url)
    await rig.manager.start(venue.markets)
    await until(lambda: {change.channel for change in rig.links} == {"market", "user"})
    assert len(rig.manager.connections) == 2
    account.sockets[0].transport.abort()
    await until(
        lambda: [c.state for c in rig.links if c.channel == "user"] == [LinkState.UP, LinkState.DOWN, LinkState.UP]
    )
    assert rig.manager.user_link.epoch == 2
    assert rig.live(*venue.markets)


async def test_the_user_channel_does_not_queue_behind_market_sockets(make_venue, make_rig, until):
    venue, account = await make_venue(1), await make_venue(0)
    rig = make_rig(venue.url, settings=WSSettings(connect_gap_seconds=30), user=account.url)
    await rig.manager.start(venue.markets)
    await until(lambda: len(rig.manager.connections) == 2, within=2)


async def test_close_ends_everything_within_a_second_even_on_dead_links(make_venue, fault_proxy, make_rig, until):
    venue = await make_venue(10)
    proxy = await fault_proxy(venue)
    rig = make_rig(proxy.url, per=4)
    tasks = len(asyncio.all_tasks())
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    proxy.swallow = True
    started = time.monotonic()
    await rig.manager.close()
    assert time.monotonic() - started < 1
    assert await rig.manager.failed is None
    assert rig.manager.connections == ()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("polycore.ws")]
    assert len(asyncio.all_tasks()) >= tasks
    assert rig.cache.is_stale(venue.markets[0].first.asset)


async def test_the_log_speaks_the_words_of_the_guide(make_venue, make_rig, caplog, until):
    caplog.set_level(logging.DEBUG, "polycore.ws")
    venue = await make_venue(2)
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    venue.sockets[0].transport.abort()
    await until(lambda: rig.manager.reconnects == 1 and rig.live(*venue.markets))
    text = caplog.text
    for words in (
        "WebSocket connected",
        f"Subscribed to asset: {venue.markets[0].first.asset}",
        "WebSocket connection closed",
        "STALE DATA: 4 assets - no WebSocket",
        "(attempt 1)...",
        "Resubscribing to 4 assets...",
    ):
        assert words in text
    assert "Reconnecting in " in text
