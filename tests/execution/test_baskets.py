"""A basket goes whole or not at all, also when something happens between its approval and its request."""

import asyncio

from polycore import AssetId, CancelAll, CancelOrder, ClientOrderId, OrderState, PlaceOrder, Side
from polycore.execution.limiter import Budget

SHARE = 1_000_000


def leg(asset):
    return PlaceOrder(asset, Side.BUY, 4_800, 10 * SHARE, basket="set", tag=asset)


def states(desk):
    return [desk.cache.orders.get(ClientOrderId(f"mm-{number}")).state for number in (1, 2)]


async def test_a_basket_that_loses_a_leg_while_it_is_signed_does_not_leave(desk):
    signing, go_on = asyncio.Event(), asyncio.Event()

    async def hold(orders):
        signing.set()
        await go_on.wait()

    desk.venue.on_sign = hold
    async with desk.running():
        desk.submit(leg("1"), leg("2"))
        await signing.wait()
        desk.submit(CancelOrder(ClientOrderId("mm-1")))
        go_on.set()
        await desk.until(lambda: not desk.open)
        assert desk.venue.posts == []
    assert states(desk) == [OrderState.CANCELLED, OrderState.REJECTED]
    assert "another leg" in desk.rejections[0]


async def test_a_basket_that_loses_a_leg_while_it_waits_for_the_budget_does_not_leave(make_desk):
    desk = make_desk(orders=Budget(per_second=20, burst=2))
    async with desk.running():
        desk.submit(PlaceOrder(AssetId("1"), Side.BUY, 4_700, 10 * SHARE))
        desk.submit(leg("1"), leg("2"))
        desk.submit(CancelOrder(ClientOrderId("mm-3")))
        await desk.until(lambda: len(desk.venue.posts) == 1 and len(desk.open) == 1)
    assert [len(post) for post in desk.venue.posts] == [1]


async def test_a_basket_withdrawn_whole_is_told_as_withdrawn(desk):
    async with desk.running():
        desk.submit(leg("1"), leg("2"))
        desk.submit(CancelAll())
        await desk.until(lambda: not desk.open)
    assert states(desk) == [OrderState.CANCELLED, OrderState.CANCELLED]
    assert desk.venue.posts == []


async def test_an_order_whose_book_is_doubted_while_it_is_signed_does_not_leave(desk):
    signing, go_on = asyncio.Event(), asyncio.Event()

    async def hold(orders):
        signing.set()
        await go_on.wait()

    desk.venue.on_sign = hold
    async with desk.running():
        desk.submit(
            PlaceOrder(AssetId("1"), Side.BUY, 4_800, 10 * SHARE), PlaceOrder(AssetId("2"), Side.BUY, 4_800, 10 * SHARE)
        )
        await signing.wait()
        desk.cache.books.suspect(desk.yes, "a change was lost")
        go_on.set()
        await desk.until(lambda: len(desk.open) == 1 and desk.venue.posts)
    assert desk.venue.posts == [["0xmm-2"]]
    assert "not proven fresh" in desk.rejections[0]
