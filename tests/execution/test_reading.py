"""When open orders are read, and what a reading that fails must not do."""

import asyncio
import contextlib

import pytest

from polycore import (
    Approved,
    AssetId,
    LinkError,
    OrderState,
    OrderUpdate,
    OutcomeUnknown,
    PlaceOrder,
    ProtocolViolation,
    Side,
    VenueRefusal,
)
from polycore.cache.links import Link
from polycore.execution.reading import OpenOrdersReader

SHARE = 1_000_000


def bid():
    return PlaceOrder(AssetId("1"), Side.BUY, 4_800, 10 * SHARE)


@contextlib.asynccontextmanager
async def reading(desk):
    link = Link("user", "user", 1, desk.clock.monotonic())
    reader = OpenOrdersReader(
        desk.venue, desk.executor, desk.gate, desk.clock, user_link=lambda: link, wanted=asyncio.Event()
    )
    reader.user_link_changed()
    task = asyncio.create_task(reader.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    "error", [LinkError("down"), OutcomeUnknown("lost"), VenueRefusal(425, "restarting"), ProtocolViolation("nonsense")]
)
async def test_a_bad_answer_keeps_the_gate_shut_and_is_asked_for_again(desk, error):
    shut: list[bool] = []
    read = desk.venue.open_orders

    async def once():
        if not shut:
            shut.append(not desk.gate.user_up)
            raise error
        return await read()

    desk.venue.open_orders = once
    async with reading(desk):
        await desk.until(lambda: desk.gate.user_up)
    assert shut == [True]


@pytest.mark.parametrize("state", [OrderState.LIVE, OrderState.DELAYED, OrderState.UNKNOWN])
def test_an_open_order_that_is_not_listed_is_looked_for_again(still_desk, state):
    """Too young to be taken as gone, it would count, and be thought to rest, for ever."""
    desk = still_desk
    order = desk.track(bid(), state=state)
    order.sent_time = desk.clock.monotonic()
    desk.clock.advance(1)
    desk.executor.reconcile([], desk.clock.monotonic())
    assert not order.state.terminal
    assert desk.executor.in_doubt
    desk.clock.advance(61)
    desk.executor.reconcile([], desk.clock.monotonic())
    assert order.state is OrderState.CANCELLED
    assert not desk.executor.in_doubt


def test_an_order_that_is_listed_is_not_in_doubt(still_desk):
    desk = still_desk
    order = desk.track(bid())
    desk.clock.advance(1)
    listed = OrderUpdate(
        order.id, order.market, order.place.asset, order.side, order.price, order.place.size, 0, OrderState.LIVE
    )
    desk.executor.reconcile([listed], desk.clock.monotonic())
    assert not desk.executor.in_doubt


@pytest.mark.parametrize(
    ("state", "reason"), [(OrderState.REJECTED, "not sent: proven"), (OrderState.CANCELLED, "not listed")]
)
async def test_an_order_taken_as_gone_that_is_listed_counts_again_and_is_withdrawn(desk, state, reason):
    order = desk.track(bid(), state=OrderState.SENT)
    desk.cache.orders.move(order, state, reason=reason)
    desk.venue.resting[order.id] = Approved(order.client_order, order.strategy, order.market, order.place)
    async with desk.running():
        desk.executor.reconcile(await desk.venue.open_orders(), desk.clock.monotonic())
        assert desk.open, "it is there, so it counts"
        await desk.until(lambda: not desk.venue.resting)
        await desk.until(lambda: not desk.open)
    assert order.state is OrderState.CANCELLED
    assert [report.state for report in desk.reports] == [OrderState.LIVE, OrderState.CANCELLED]


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.FILLED, OrderState.EXPIRED])
def test_an_end_in_the_venues_own_words_stands_against_a_listing_that_lags(still_desk, state):
    order = still_desk.track(bid())
    still_desk.cache.orders.move(order, state, reason="cancelled")
    listed = OrderUpdate(
        order.id, order.market, order.place.asset, order.side, order.price, order.place.size, 0, OrderState.LIVE
    )
    still_desk.executor.reconcile([listed], still_desk.clock.monotonic())
    assert order.state is state
    assert still_desk.open == []
