"""Each loss is seen and cured: a proxy drops, alters, duplicates and swaps frames between the venue and the manager."""

import asyncio
import contextlib
import json
from collections.abc import Callable

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from polycore.cache.book import BookState
from polycore.cache.books import CROSSED
from polycore.model.events import LinkState


class FrameProxy:
    """Whole frames in the middle. ``alter`` gets each text of the venue and returns the texts to pass on instead."""

    def __init__(self, url: str) -> None:
        self._upstream = url
        self.alter: Callable[[str], list[str]] = lambda text: [text]

    async def open(self) -> None:
        self._server = await serve(self._join, "127.0.0.1", 0, compression=None)
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/ws/market"

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _join(self, client: ServerConnection) -> None:
        async with connect(self._upstream, compression=None, max_size=None) as venue:

            async def up() -> None:
                async for text in client:
                    await venue.send(text)
                await venue.close()

            upward = asyncio.create_task(up())
            with contextlib.suppress(ConnectionClosed):
                async for text in venue:
                    assert isinstance(text, str)
                    for altered in self.alter(text):
                        await client.send(altered)
            upward.cancel()
            await asyncio.gather(upward, return_exceptions=True)


class Faults:
    """What the proxy does to the next ``price_change`` frames of the venue, once."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.done = 0
        self.held: str | None = None

    def __call__(self, text: str) -> list[str]:
        if '"price_change"' not in text or (self.done and self.held is None):
            return [text]
        self.done += 1
        if self.kind == "swap":
            if self.held is None:
                self.held = text
                return []
            held, self.held = self.held, None
            return [text, held]
        if self.kind == "duplicate":
            return [text, text]
        return [] if self.kind == "drop" else [self._altered(text)]

    def _altered(self, text: str) -> str:
        frame = json.loads(text)
        frame["price_changes"][0]["size"] = "0" if self.kind == "remove" else "77.5"
        return json.dumps(frame)


@pytest.fixture
async def joined(make_venue, make_rig, closing, until):
    """A venue, the frame proxy in front of it, and a rig whose two markets are live."""
    venue = await make_venue(2)
    proxy = FrameProxy(venue.url)
    await proxy.open()
    closing.push_async_callback(proxy.close)
    rig = make_rig(proxy.url)
    await rig.manager.start(venue.markets)
    await until(lambda: rig.live(*venue.markets))
    return venue, proxy, rig


def resubscribed(venue, asset):
    return [text for heard in venue.heard for text in heard if '"subscribe"' in text and asset in text]


@pytest.mark.parametrize(
    ("kind", "changes", "passed"),
    [
        ("drop", [("BUY", 50, 10), ("BUY", 49, 60)], 1),
        ("drop", [("SELL", 51, 0), ("SELL", 52, 75)], 1),
        ("remove", [("BUY", 50, 10)], 1),
        ("alter", [("BUY", 50, 10)], 1),
        ("swap", [("BUY", 50, 10), ("BUY", 50, 0), ("BUY", 48, 101)], 3),
    ],
)
async def test_a_loss_is_suspect_by_the_next_best_quote_and_a_new_snapshot_heals_it(
    joined, kind, changes, passed, until
):
    venue, proxy, rig = joined
    asset = venue.markets[0].first.asset
    proxy.alter = Faults(kind)
    for side, price, size in changes:
        venue.change(asset, side, price, size)
        await asyncio.sleep(0.01)
    await until(lambda: resubscribed(venue, asset) and rig.live(*venue.markets))
    opening, *seen, healed = rig.states[asset]
    assert [look.state for look in seen] == [BookState.LIVE] * (len(seen) - 1) + [BookState.SUSPECT]
    assert seen[-1].frames == passed + 1, "seen by the first frame that could show it, after the opening"
    assert seen[-1].cause.startswith(("best quotes disagree", "the market's two books do not mirror"))
    assert (opening.quotable, seen[-1].quotable, healed.quotable) == (True, False, True)
    assert rig.believes(venue, *venue.markets)
    assert len(resubscribed(venue, asset)) == 1
    assert rig.live(venue.markets[1])
    assert resubscribed(venue, venue.markets[1].first.asset) == []
    assert [change.state for change in rig.links] == [LinkState.UP], "the connection is kept"


async def test_a_suspect_token_says_why_while_it_waits_for_its_snapshot(joined, until):
    venue, proxy, rig = joined
    asset = venue.markets[0].first.asset
    venue.mute = {asset: 1}
    proxy.alter = Faults("remove")
    venue.change(asset, "BUY", 50, 10)
    await until(lambda: rig.cache.state(asset)[0] is BookState.SYNCING)
    assert rig.cache.state(asset)[1].startswith(
        "subscribed again: best quotes disagree: book 0.49/0.51, venue 0.5/0.51"
    )


async def test_a_duplicated_frame_changes_nothing(joined, until):
    venue, proxy, rig = joined
    asset = venue.markets[0].first.asset
    proxy.alter = Faults("duplicate")
    for price in (50, 47, 46):
        venue.change(asset, "BUY", price, 10)
    await until(lambda: len(rig.frames) == 5)
    assert rig.live(*venue.markets)
    assert rig.believes(venue, *venue.markets)
    assert rig.cache.books.proof.suspect == 0
    assert resubscribed(venue, asset) == []


async def test_the_second_failure_moves_the_market_to_another_socket(joined, until):
    venue, proxy, rig = joined
    market = venue.markets[0]
    for connections in (1, 2):
        proxy.alter = Faults("remove")
        venue.change(market.first.asset, "BUY", 50, 10 * connections)
        await until(lambda connections=connections: rig.cache.books.proof.suspect == 2 * connections)
        await until(lambda: rig.live(*venue.markets))
        assert len(venue.open_sets) == connections
    assert set(market.assets) in venue.open_sets
    assert set(venue.markets[1].assets) in venue.open_sets
    assert rig.cache.books.link(market.first.asset).name == "market-2"
    assert rig.believes(venue, *venue.markets)
    first, moved, second = rig.links
    assert (moved.link, moved.state, moved.cause) == ("market-2", LinkState.DOWN, "moved from market-1")
    assert moved.assets == second.assets == market.assets, "strategies are told of both tokens, the healthy one too"
    assert (first.state, second.state) == (LinkState.UP, LinkState.UP)


async def test_a_crossed_book_heals_by_itself_and_is_not_resubscribed(joined, until):
    venue, _, rig = joined
    asset = venue.markets[0].first.asset
    venue.change(asset, "BUY", 51, 5)
    await until(lambda: rig.cache.state(asset) == (BookState.SUSPECT, CROSSED))
    assert rig.cache.is_stale(asset)
    venue.change(asset, "SELL", 51, 0)
    await until(lambda: rig.live(*venue.markets))
    assert resubscribed(venue, asset) == []


async def test_a_book_that_stays_crossed_is_resubscribed(joined, until):
    venue, _, rig = joined
    asset = venue.markets[0].first.asset
    venue.change(asset, "BUY", 51, 5)
    await until(lambda: resubscribed(venue, asset))
    for token, side in ((asset, "BUY"), (venue.markets[0].second.asset, "SELL")):
        venue.levels[token][side].pop(51 if side == "BUY" else 49)
    await until(lambda: rig.live(*venue.markets))


async def test_a_frame_that_cannot_be_read_makes_its_token_suspect_and_the_connection_stays(joined, until):
    venue, _, rig = joined
    asset = venue.markets[0].first.asset
    unreadable = venue.book(asset) | {"bids": [{"price": "high", "size": "1"}]}
    venue.publish(asset, json.dumps(unreadable))
    venue.publish(asset, "INVALID OPERATION")
    await until(lambda: rig.cache.malformed == 2)
    await until(lambda: resubscribed(venue, asset))
    await until(lambda: rig.live(*venue.markets))
    assert len(rig.links) == 1
