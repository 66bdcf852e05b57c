"""The end of a run: nothing of ours may rest when it says so."""

import asyncio

import pytest

from polycore import (
    Approved,
    AssetId,
    LinkError,
    OrderState,
    OutcomeUnknown,
    PlaceOrder,
    ProtocolViolation,
    Side,
    VenueRefusal,
)
from polycore.execution import closing

SHARE = 1_000_000


def bid(price=4_800, size=10 * SHARE):
    return PlaceOrder(AssetId("1"), Side.BUY, price, size)


def closed(desk):
    desk.executor.halt("the run ends")
    return asyncio.create_task(
        closing.until_nothing_rests(desk.executor, desk.cache.orders, desk.venue, desk.clock), name="closing"
    )


@pytest.fixture(autouse=True)
def _short_drain(monkeypatch):
    monkeypatch.setattr(closing, "_DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(closing, "_RETRY_SECONDS", 0.005)


async def test_what_rests_is_cancelled_and_its_absence_read(desk):
    async with desk.running():
        desk.submit(bid(), bid(4_700))
        await desk.until(lambda: len(desk.venue.resting) == 2)
        async with asyncio.timeout(2):
            await closed(desk)
    assert not desk.venue.resting


async def test_an_order_whose_post_is_on_its_way_is_waited_for_and_withdrawn(desk):
    opened = asyncio.Event()

    async def slow(orders):
        await opened.wait()

    desk.venue.on_post = slow
    async with desk.running():
        desk.submit(bid())
        await desk.until(lambda: desk.venue.posts)
        ending = closed(desk)
        await desk.until(lambda: desk.venue.log.count(("cancel", [])) > 3)
        assert not ending.done(), "the listing is empty, but an order is on its way there"
        opened.set()
        async with asyncio.timeout(2):
            await ending
    assert not desk.venue.resting


async def test_an_order_that_lands_after_its_request_was_given_up_is_withdrawn(desk):
    async def timeout(orders):
        raise OutcomeUnknown("timeout")

    desk.venue.on_post = timeout
    async with desk.running():
        desk.submit(bid())
        await desk.until(lambda: [o.state for o in desk.cache.orders.open()] == [OrderState.UNKNOWN])
        ending = closed(desk)
        await desk.until(lambda: desk.venue.log.count(("cancel", [])) > 3)
        assert not ending.done()
        (order,) = desk.cache.orders.open()
        desk.venue.resting[order.id] = Approved(order.client_order, order.strategy, order.market, order.place)
        async with asyncio.timeout(2):
            await ending
    assert not desk.venue.resting


@pytest.mark.parametrize(
    "error", [LinkError("down"), OutcomeUnknown("lost"), VenueRefusal(425, "restarting"), ProtocolViolation("nonsense")]
)
async def test_a_bad_answer_is_asked_for_again(desk, error):
    readings = []
    read = desk.venue.open_orders

    async def once():
        readings.append(1)
        if len(readings) == 1:
            raise error
        return await read()

    desk.venue.open_orders = once
    async with desk.running():
        async with asyncio.timeout(2):
            await closed(desk)
    assert len(readings) == 2
