"""One socket: frames out of bytes, heartbeat, death, and what the venue's rules ask for."""

import asyncio
import contextlib
import json
import logging
import time
from random import Random

import pytest
from websockets.exceptions import ConnectionClosed

from polycore.cache.book import BookState
from polycore.cache.links import Link
from polycore.clock import WallClock
from polycore.errors import LinkError, UsageError, VenueRefusal
from polycore.model.events import LinkState
from polycore.venue import Heartbeat
from polycore.venues.polymarket.channels import MarketChannel, UserChannel
from polycore.venues.polymarket.credentials import Credentials
from polycore.ws.connection import Connection
from polycore.ws.settings import WSSettings


@pytest.fixture
async def opened(make_venue):
    """A connection that is open and begun, its venue, and the frames it has handed over."""
    venue, frames, reads = await make_venue(2), [], []
    channel = MarketChannel(venue.url)
    connection = Connection(
        channel,
        Link("one", "market", 1, 0),
        WallClock(),
        lambda link, frame, received_time: frames.append((frame, received_time)),
        lambda: reads.append(len(frames)),
        WSSettings(),
    )
    await connection.open()
    connection.begin(channel.opening([venue.markets[0].first.asset]))
    yield connection, venue, frames, reads
    await connection.close()


async def test_ping_leaves_only_after_the_opening_frame(make_venue, make_rig, until):
    venue = await make_venue(1)
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: len(venue.heard) == 1 and venue.heard[0].count("PING") >= 2)
    assert json.loads(venue.heard[0][0])["type"] == "market"
    assert all(change.state is LinkState.UP for change in rig.links)


async def test_a_frame_before_the_connection_is_refused_and_names_the_link(make_venue):
    venue = await make_venue(1)
    connection = Connection(
        MarketChannel(venue.url), Link("one", "market", 1, 0), WallClock(), print, print, WSSettings()
    )
    with pytest.raises(LinkError, match="one is not open, nothing was sent"):
        connection.send([b"{}"])
    assert connection.probe() is False
    assert venue.upgrades == []


async def test_an_address_that_is_not_a_websocket_is_a_mistake_of_ours():
    with pytest.raises(UsageError, match="ws:// or wss://"):
        Connection(MarketChannel("http://x"), Link("one", "market", 1, 0), WallClock(), print, print, WSSettings())


async def test_fragments_text_replies_and_binary_frames_are_handed_over_whole(opened, until):
    connection, venue, frames, _ = opened
    await until(lambda: frames)
    frames.clear()
    await venue.sockets[0].send(iter(["[1", ",2", ",3]"]))
    await venue.sockets[0].send("INVALID OPERATION")
    await venue.sockets[0].send(b"{}")
    await until(lambda: len(frames) == 3)
    assert [frame for frame, _ in frames] == [b"[1,2,3]", b"INVALID OPERATION", b"{}"]
    assert connection.is_open


async def test_protocol_pings_and_text_pings_of_the_venue_are_answered(opened, until):
    _, venue, frames, _ = opened
    await until(lambda: frames)
    async with asyncio.timeout(2):
        await (await venue.sockets[0].ping())
    await venue.sockets[0].send("PING")
    await until(lambda: "PONG" in venue.heard[0])
    assert len(frames) == 1


async def test_frames_of_one_read_share_a_time_and_end_with_one_call(opened, until):
    _, venue, frames, reads = opened
    await until(lambda: frames)
    asset = venue.markets[0].first.asset
    frames.clear()
    reads.clear()
    for size in range(1, 51):
        venue.change(asset, "BUY", 40, size)
    await until(lambda: len(frames) == 50)
    assert len({received_time for _, received_time in frames}) == len(reads)
    assert len(reads) < 25
    assert reads[-1] == 50


async def test_proof_is_stamped_by_a_pong_and_data_time_is_not(opened, until):
    connection, _, frames, _ = opened
    await until(lambda: frames)
    proof, heard = connection.link.proof_time, connection.link.heard_time
    assert connection.probe()
    await until(lambda: connection.link.proof_time > proof, within=1.0)
    assert connection.link.heard_time == heard


async def test_a_probe_sends_nothing_while_a_pong_is_awaited(opened, until):
    connection, venue, frames, _ = opened
    await until(lambda: frames)
    venue.answer_pings = False
    for _ in range(20):
        connection.probe()
    await venue.sockets[0].send("{}")
    await until(lambda: len(frames) == 2)
    await until(lambda: "PING" in venue.heard[0])
    assert venue.heard[0].count("PING") == 1


async def test_a_frame_over_sixteen_mebibytes_closes_the_connection_and_one_below_does_not(opened, until):
    connection, venue, frames, _ = opened
    await until(lambda: frames)
    await venue.sockets[0].send("x" * (16 * 2**20))
    await until(lambda: len(frames) == 2)
    with contextlib.suppress(ConnectionClosed):
        await venue.sockets[0].send("x" * (16 * 2**20 + 1))
    async with asyncio.timeout(5):
        cause = await connection.ended()
    assert "limit" in cause
    assert "frame" in cause
    assert len(frames) == 2


async def test_an_opening_array_over_a_mebibyte_is_received(make_venue, make_rig, until):
    venue = await make_venue(100)
    venue.filler = 6_000
    rig = make_rig(venue.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    assert len(rig.frames[0][1]) > 2**20
    assert len(venue.heard) == 1


async def test_frames_cut_into_slices_of_one_to_three_bytes_make_the_same_book(
    make_venue, fault_proxy, make_rig, until
):
    venue = await make_venue(2)
    proxy = await fault_proxy(venue)
    proxy.slicer = Random(3)
    rig = make_rig(proxy.url, heartbeat=Heartbeat())
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    for price in range(30, 48):
        venue.change(venue.markets[price % 2].first.asset, "BUY", price, price)
    await until(lambda: rig.believes(venue, *venue.markets))
    assert rig.live(*venue.markets)


async def test_a_half_open_link_is_found_within_heartbeat_and_deadline(make_venue, fault_proxy, make_rig, until):
    venue = await make_venue(1)
    proxy = await fault_proxy(venue)
    rig = make_rig(proxy.url, heartbeat=Heartbeat(every_seconds=0.5, deadline_seconds=0.2))
    await rig.manager.start(venue.markets)
    await until(lambda: "PING" in str(venue.heard))
    link = rig.links[0]
    assert link.state is LinkState.UP
    proof = rig.cache.books.link(venue.markets[0].first.asset)
    await until(lambda: proof.proof_time - proof.heard_time > 1_000_000)
    proxy.swallow = True
    await until(lambda: len(rig.links) == 2)
    down = rig.links[1]
    assert (down.state, down.cause) == (LinkState.DOWN, "no PONG within 0.2 s")
    assert (down.received_time - proof.proof_time) / 1e9 < 0.7 + 0.15
    assert rig.cache.state(venue.markets[0].first.asset)[0] is BookState.STALE


async def test_a_slow_line_whose_pongs_are_in_time_is_kept(make_venue, fault_proxy, make_rig, until):
    venue = await make_venue(1)
    proxy = await fault_proxy(venue)
    proxy.latency = 0.05
    rig = make_rig(proxy.url, heartbeat=Heartbeat(every_seconds=0.2, deadline_seconds=0.5))
    await rig.manager.start(venue.markets)
    await until(lambda: venue.heard and venue.heard[0].count("PING") == 4)
    assert [change.state for change in rig.links] == [LinkState.UP]


async def test_a_pong_behind_a_long_frame_on_a_slow_line_is_not_a_death(make_venue, make_rig, until):
    venue = await make_venue(1)
    venue.answer_pings = False
    rig = make_rig(venue.url, heartbeat=Heartbeat(every_seconds=0.2, deadline_seconds=0.1))
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    header = b"\x81\x7e" + (1000).to_bytes(2, "big")
    venue.sockets[0].transport.write(header)
    for _ in range(20):
        venue.sockets[0].transport.write(b"x" * 50)
        await asyncio.sleep(0.03)
    assert [change.state for change in rig.links] == [LinkState.UP]
    await until(lambda: len(rig.links) == 2)
    assert rig.links[1].cause == "no PONG within 0.1 s"


async def test_a_socket_without_data_for_the_idle_limit_is_replaced_whatever_its_pongs_say(make_venue, make_rig, until):
    venue = await make_venue(1)
    rig = make_rig(venue.url, settings=WSSettings(idle_seconds=0.4, first_retry_seconds=0.01, connect_gap_seconds=0))
    await rig.manager.start(venue.markets)
    await until(lambda: len(rig.links) == 3)
    assert rig.links[1].cause == "no data for 0.4 s"
    assert "PING" in venue.heard[0]


async def test_a_loop_that_stood_still_reads_before_it_declares_a_link_dead(make_venue, make_rig, until):
    venue = await make_venue(1)
    rig = make_rig(venue.url, heartbeat=Heartbeat(every_seconds=60, deadline_seconds=0.1))
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    link = rig.cache.books.link(venue.markets[0].first.asset)
    proof = link.proof_time
    rig.manager.probe(venue.markets[0].first.asset)
    time.sleep(0.3)  # noqa: ASYNC251 - a loop that stands still is what is tested
    await until(lambda: link.proof_time > proof or len(rig.links) > 1)
    assert len(rig.links) == 1


async def test_what_arrives_while_closing_is_dropped(opened, until):
    connection, _, frames, _ = opened
    await until(lambda: frames)
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    connection.data_received(b"\x81\x02{}")
    await closing
    assert len(frames) == 1


async def test_a_refused_upgrade_names_status_and_retry_after(make_venue):
    venue = await make_venue(1)
    venue.refuse = 429, {"Retry-After": "3"}
    connection = Connection(
        MarketChannel(venue.url), Link("one", "market", 1, 0), WallClock(), print, print, WSSettings()
    )
    with pytest.raises(VenueRefusal) as refusal:
        await connection.open()
    assert refusal.value.status == 429
    assert connection.retry_after == 3


async def test_something_that_is_not_a_websocket_server_is_a_link_error(make_venue):
    async def answer(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        channel = MarketChannel(f"ws://127.0.0.1:{port}/")
        connection = Connection(channel, Link("one", "market", 1, 0), WallClock(), print, print, WSSettings())
        with pytest.raises(LinkError, match="not a WebSocket server"):
            await connection.open()


async def test_a_server_that_never_answers_the_upgrade_is_given_up(make_venue):
    async def silence(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        channel = MarketChannel(f"ws://127.0.0.1:{port}/")
        settings = WSSettings(connect_seconds=0.1)
        connection = Connection(channel, Link("one", "market", 1, 0), WallClock(), print, print, settings)
        with pytest.raises(LinkError, match=r"did not complete the connection within 0\.1 s"):
            async with asyncio.timeout(2):
                await connection.open()
        await connection.close()


async def test_closing_does_not_wait_for_a_peer_that_reads_nothing(opened):
    connection, venue, _, _ = opened
    venue.sockets[0].transport.pause_reading()
    connection.send([b"x" * 2**20] * 32)
    async with asyncio.timeout(1):
        await connection.close()
        assert await connection.ended() == "closed by us"


async def test_the_credentials_of_the_user_channel_reach_no_log(make_venue, caplog, until):
    caplog.set_level(logging.DEBUG)
    venue = await make_venue(1)
    credentials = Credentials("the-key", "c2VjcmV0LXZhbHVl", "the-passphrase")
    channel = UserChannel(venue.url, lambda: credentials, "0xfunder")
    link = Link("user", "user", 1, 0)
    connection = Connection(channel, link, WallClock(), print, print, WSSettings())
    await connection.open()
    connection.begin(channel.opening([]))
    await until(lambda: venue.heard and venue.heard[0])
    await connection.close()
    assert "the-passphrase" in venue.heard[0][0]
    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert not [text for text in ours if "the-passphrase" in text or "c2VjcmV0" in text or "the-key" in text]
