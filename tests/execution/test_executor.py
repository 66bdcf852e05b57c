"""From intents to the venue and back."""

import asyncio

import pytest

from polycore import (
    Approved,
    CancelAll,
    CancelOrder,
    ClientOrderId,
    LinkError,
    OrderId,
    OrderState,
    OutcomeUnknown,
    PlaceOrder,
    Posted,
    Quote,
    Rejection,
    SetQuotes,
    Side,
    TimeInForce,
    VenueRefusal,
)
from polycore.execution.limiter import Budget

SHARE = 1_000_000


def bid(price=4_800, size=10 * SHARE, asset="1", **fields):
    return PlaceOrder(asset, Side.BUY, price, size, **fields)


def quotes(*bids, asks=(), asset="1"):
    return SetQuotes(
        asset, tuple(Quote(price, 10 * SHARE) for price in bids), tuple(Quote(price, 10 * SHARE) for price in asks)
    )


class Door:
    """Something to hold requests at: closed until opened."""

    def __init__(self, then=None):
        self.opened = asyncio.Event()
        self.then = then

    async def __call__(self, orders):
        await self.opened.wait()
        if self.then is not None:
            raise self.then


# ── Sending ────────────────────────────────────────────────────────────────────


async def test_an_order_is_tracked_named_and_sent_before_its_post(desk):
    seen: list[tuple[OrderState, str]] = []

    async def look(orders):
        seen.extend((desk.cache.orders.find(o.order).state, o.approved.client_order) for o in orders)

    desk.venue.on_post = look
    async with desk.running():
        desk.submit(bid(tag="mine"))
        (order,) = desk.cache.orders.open()
        assert order.state is OrderState.INTENT
        await desk.settled()
    assert seen == [(OrderState.SENT, "mm-1")]
    assert [(u.state, u.client_order, u.tag) for u in desk.reports] == [(OrderState.LIVE, "mm-1", "mine")]
    assert isinstance(desk.verdicts[0], Approved)


async def test_orders_of_one_call_share_a_request_of_at_most_fifteen(desk):
    async with desk.running():
        desk.submit(*(bid(price=100 * step, size=5 * SHARE) for step in range(1, 21)))
        await desk.settled()
    assert sorted(len(post) for post in desk.venue.posts) == [5, 15]
    assert len(desk.open) == 20


async def test_each_leg_of_a_request_gets_its_own_answer(desk):
    states = {
        4_100: OrderState.LIVE, 4_200: OrderState.REJECTED, 4_300: OrderState.UNKNOWN, 4_400: OrderState.FILLED,
        4_500: OrderState.DELAYED, 4_600: OrderState.CANCELLED,
    }  # fmt: skip
    desk.venue.answer = lambda signed: Posted(signed.order, states[signed.approved.order.price], reason="why 12.5")
    async with desk.running():
        desk.submit(*(bid(price=price) for price in states))
        await desk.until(lambda: len(desk.reports) == 6)
    assert {update.price: update.state for update in desk.reports} == states
    tally = desk.executor.tally("mm")
    assert (tally.orders, tally.unknown, dict(tally.refused)) == (6, 1, {"why #": 1})


async def test_a_refused_order_is_told_with_its_reason_and_never_signed(desk):
    async with desk.running():
        desk.submit(bid(price=4_850, tag="odd"))
        await asyncio.sleep(0)
    (update,) = desk.reports
    assert (update.state, update.tag, update.strategy) == (OrderState.REJECTED, "odd", "mm")
    assert update.reason == "tick: price 0.485; expected a multiple of 0.01"
    assert desk.verdicts == [Rejection("tick", "price 0.485; expected a multiple of 0.01")]
    assert desk.venue.log == []
    assert dict(desk.executor.tally("mm").rejected) == {"tick": 1}


async def test_intents_before_the_start_leave_at_the_start(desk):
    desk.submit(bid())
    async with desk.running():
        await desk.settled()
    assert desk.venue.posts == [["0xmm-1"]]


async def test_one_order_that_cannot_be_signed_does_not_take_the_others_with_it(desk):
    desk.venue.unsignable = {4_700}
    async with desk.running():
        desk.submit(bid(4_600), bid(4_700), bid(4_800))
        await desk.settled()
    assert [price for _, _, price, _ in desk.open] == [4_600, 4_800]
    assert desk.rejections == ["not sent: order mm-2: no amount fits"]


async def test_the_time_from_hook_to_wire_is_taken_once_a_post(desk):
    async with desk.running():
        desk.submit(bid(4_600), bid(4_700))
        await desk.settled()
        desk.venue.on_write("/elsewhere", 5)  # a write outside of a POST of ours
    assert len(desk.wire) == 1
    assert 0 < desk.wire[0] < 1_000_000_000


# ── Baskets ────────────────────────────────────────────────────────────────────


async def test_a_basket_leaves_in_one_request(desk):
    async with desk.running():
        desk.submit(
            bid(4_800, basket="set"), bid(4_700), bid(4_900, asset="2", basket="set", time_in_force=TimeInForce.FAK)
        )
        await desk.settled()
    assert sorted(desk.venue.posts) == [["0xmm-1"], ["0xmm-2", "0xmm-3"]]


async def test_one_refused_leg_refuses_the_basket(desk):
    async with desk.running():
        desk.submit(bid(4_600, basket="s"), bid(4_650, basket="s"), bid(4_700, basket="s"))
        await asyncio.sleep(0.01)
    assert desk.venue.log == []
    assert desk.open == []
    assert sorted(reason.partition(":")[0] for reason in desk.rejections) == ["basket", "basket", "tick"]


async def test_a_basket_with_a_leg_that_cannot_be_signed_stays(desk):
    desk.venue.unsignable = {4_700}
    async with desk.running():
        desk.submit(bid(4_600, basket="s"), bid(4_700, basket="s"))
        await desk.until(lambda: len(desk.reports) == 2)
    assert desk.venue.posts == []


async def test_legs_of_a_basket_count_for_each_other(make_desk):
    desk = make_desk(max_position=15 * SHARE)
    async with desk.running():
        desk.submit(bid(4_600, basket="s"), bid(4_700, basket="s"))
        await asyncio.sleep(0.01)
    assert desk.venue.log == []
    assert "max_position" in desk.rejections[0]


# ── Outcomes that are not known ────────────────────────────────────────────────


async def test_an_order_of_unknown_outcome_is_never_sent_again(desk):
    async def lost(orders):
        raise OutcomeUnknown("no answer in 5 s")

    desk.venue.on_post = lost
    async with desk.running():
        desk.submit(quotes(4_800))
        await desk.until(lambda: desk.reports)
        assert desk.reports[0].state is OrderState.UNKNOWN
        assert desk.executor.in_doubt
        for _ in range(5):
            desk.submit(quotes(4_800))  # the strategy goes on wanting the same
            await asyncio.sleep(0.002)
    assert len(desk.venue.posts) == 1
    assert len(desk.doubts) == 1


async def test_an_unknown_order_that_is_listed_is_adopted(desk):
    desk.venue.answer = lambda signed: Posted(signed.order, OrderState.UNKNOWN)
    async with desk.running():
        desk.submit(bid())
        await desk.until(lambda: desk.reports)
        desk.executor.reconcile(await desk.venue.open_orders(), desk.clock.monotonic())
    assert [update.state for update in desk.reports] == [OrderState.UNKNOWN, OrderState.LIVE]


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (VenueRefusal(401, "Unauthorized"), OrderState.REJECTED, "the venue refused (401): Unauthorized"),
        (LinkError("connection refused"), OrderState.REJECTED, "not sent: connection refused"),
        (OutcomeUnknown("reset by peer"), OrderState.UNKNOWN, "reset by peer"),
    ],
)
async def test_a_failed_request_says_what_it_proves(desk, error, state, reason):
    async def fail(orders):
        raise error

    desk.venue.on_post = fail
    async with desk.running():
        desk.submit(bid(4_600), bid(4_700))
        await desk.until(lambda: len(desk.reports) == 2)
    assert {(update.state, update.reason) for update in desk.reports} == {(state, reason)}


async def test_answers_that_do_not_match_the_orders_prove_nothing(desk):
    desk.venue.answer = lambda signed: Posted(OrderId("0xother"), OrderState.REJECTED, reason="?")
    async with desk.running():
        desk.submit(bid())
        await desk.until(lambda: desk.reports)
    assert desk.reports[0].state is OrderState.UNKNOWN


async def test_an_order_in_flight_when_the_run_is_cut_off_is_unknown(desk):
    desk.venue.on_post = Door()
    async with desk.running():
        desk.submit(bid())
        await desk.until(lambda: desk.venue.posts)
    assert [update.state for update in desk.reports] == [OrderState.UNKNOWN]


async def test_a_fault_of_ours_ends_the_run_and_leaves_the_order_unknown(desk):
    async def bug(orders):
        raise RuntimeError("bug")

    desk.venue.on_post = bug
    task = asyncio.create_task(desk.executor.run())
    desk.submit(bid())
    with pytest.raises(ExceptionGroup):
        await task
    assert desk.reports[0].state is OrderState.UNKNOWN


# ── Quotes ─────────────────────────────────────────────────────────────────────


async def test_the_same_quotes_again_do_nothing_not_even_while_in_flight(desk):
    door = desk.venue.on_post = Door()
    async with desk.running():
        for _ in range(5):
            desk.submit(quotes(4_800, asks=[5_300]))
            await asyncio.sleep(0.001)
        door.opened.set()
        await desk.settled()
        desk.submit(quotes(4_800, asks=[5_300]))
        await desk.settled()
    assert desk.venue.log == [("post", ["0xmm-1", "0xmm-2"])]
    assert desk.open == [("BUY", "1", 4_800, 10 * SHARE), ("BUY", "2", 4_700, 10 * SHARE)]


async def test_new_quotes_replace_the_old_ones(desk):
    async with desk.running():
        desk.submit(quotes(4_800, asks=[5_300]))
        await desk.settled()
        desk.submit(quotes(4_700, asks=[5_300]))
        await desk.settled()
        assert desk.open == [("BUY", "1", 4_700, 10 * SHARE), ("BUY", "2", 4_700, 10 * SHARE)]
        desk.submit(quotes())
        await desk.settled()
    assert desk.open == []
    assert desk.venue.resting == {}


async def test_quotes_leave_other_orders_of_the_strategy_alone(desk):
    async with desk.running():
        desk.submit(bid(4_500), quotes(4_800))
        desk.submit(quotes(4_400), strategy="arb")
        await desk.settled()
        desk.submit(quotes())
        await desk.settled()
    assert [price for _, _, price, _ in desk.open] == [4_400, 4_500]


async def test_quotes_that_would_meet_an_order_being_cancelled_wait_for_its_end(desk):
    async with desk.running():
        desk.submit(quotes(4_800, asks=[4_900]))
        await desk.settled()
        door = desk.venue.on_cancel = Door()
        desk.submit(quotes(4_900, asks=[5_300]))
        await desk.until(lambda: desk.venue.cancels)
        await asyncio.sleep(0.01)
        assert ("BUY", "1", 4_900, 10 * SHARE) not in desk.open
        door.opened.set()
        await desk.until(lambda: ("BUY", "1", 4_900, 10 * SHARE) in desk.open)
        await desk.settled()
    assert desk.open == [("BUY", "1", 4_900, 10 * SHARE), ("BUY", "2", 4_700, 10 * SHARE)]
    assert desk.rejections == []


async def test_while_the_budget_is_spent_the_newest_quotes_win(make_desk):
    desk = make_desk(orders=Budget(per_second=100, burst=2))
    async with desk.running():
        desk.submit(quotes(4_800, asks=[5_300]))
        for price in range(4_100, 4_800, 100):
            desk.submit(quotes(price, asks=[5_300]))
        await desk.settled()
        await desk.until(lambda: len(desk.open) == 2)
        await desk.settled()
    assert desk.open == [("BUY", "1", 4_700, 10 * SHARE), ("BUY", "2", 4_700, 10 * SHARE)]
    sent = [order for post in desk.venue.posts for order in post]
    assert len(sent) <= 3


async def test_a_lone_order_may_wait_a_second_for_the_budget_and_no_longer(make_desk):
    desk = make_desk(orders=Budget(per_second=20, burst=1))
    async with desk.running():
        desk.submit(*(bid(100 * step) for step in range(10, 40)))
        await desk.settled()
    assert 20 <= len(desk.open) <= 22
    assert all(reason.startswith("rate: budget is free in 1.0") for reason in desk.rejections)
    assert len(desk.rejections) == 30 - len(desk.open)


async def test_quotes_of_an_unknown_token_are_refused(desk):
    async with desk.running():
        desk.submit(quotes(4_800, asks=[5_300], asset="7"))
        await asyncio.sleep(0.005)
    assert len(desk.rejections) == 2
    assert desk.venue.log == []


# ── Cancels ────────────────────────────────────────────────────────────────────


async def test_cancels_do_not_wait_behind_orders(make_desk):
    desk = make_desk(orders=Budget(per_second=4, burst=2))
    async with desk.running():
        desk.submit(bid(4_600), bid(4_700))
        await desk.settled()
        desk.venue.on_post = Door()
        desk.submit(bid(4_500), bid(4_400))  # waits for the budget, then hangs
        started = desk.clock.monotonic()
        desk.submit(CancelOrder(ClientOrderId("mm-1")), CancelOrder(ClientOrderId("mm-2")))
        await desk.until(lambda: not desk.venue.resting)
        assert desk.clock.monotonic() - started < 100_000_000
    assert len(desk.venue.posts) == 1


async def test_cancels_of_one_turn_share_a_request(desk):
    async with desk.running():
        desk.submit(*(bid(100 * step) for step in range(10, 22)))
        await desk.settled()
        for number in range(1, 13):
            desk.submit(CancelOrder(ClientOrderId(f"mm-{number}")))
        await desk.settled()
    assert [len(request) for request in desk.venue.cancels] == [12]


async def test_a_request_that_hangs_holds_up_no_other(desk):
    async with desk.running():
        desk.submit(bid(4_600), bid(4_700))
        await desk.settled()
        desk.venue.on_cancel = Door()
        desk.submit(CancelOrder(ClientOrderId("mm-1")))
        await desk.until(lambda: desk.venue.cancels)
        desk.venue.on_cancel = None
        desk.submit(CancelOrder(ClientOrderId("mm-2")))
        await desk.until(lambda: len(desk.open) == 1)


async def test_a_failed_cancel_is_repeated_until_it_is_answered(desk):
    failures = [OutcomeUnknown("timeout"), VenueRefusal(503, "disabled"), LinkError("refused")]

    async def fail(orders):
        if failures:
            raise failures.pop()

    async with desk.running():
        desk.submit(bid())
        await desk.settled()
        desk.venue.on_cancel = fail
        desk.submit(CancelAll())
        await desk.until(lambda: not desk.open)
    assert len(desk.venue.cancels) == 4
    assert desk.doubts == []


async def test_an_order_not_sent_yet_is_withdrawn_without_a_request(desk):
    async with desk.running():
        desk.submit(bid())
        desk.submit(CancelAll())
        await asyncio.sleep(0.01)
    assert desk.venue.log == []
    assert desk.rejections == []
    assert [(u.state, u.reason) for u in desk.reports] == [(OrderState.CANCELLED, "withdrawn before it was sent")]


async def test_an_order_whose_post_is_on_its_way_is_cancelled_after_its_answer(desk):
    door = desk.venue.on_post = Door()
    async with desk.running():
        desk.submit(bid())
        await desk.until(lambda: desk.venue.posts)
        desk.submit(CancelAll())
        await asyncio.sleep(0.01)
        assert desk.venue.cancels == []
        door.opened.set()
        await desk.until(lambda: not desk.open)
    assert [what for what, _ in desk.venue.log] == ["post", "cancel"]
    assert desk.venue.resting == {}


async def test_a_refused_cancel_proves_nothing_and_asks_for_a_reading(desk):
    async with desk.running():
        desk.submit(bid())
        await desk.settled()
        held = desk.venue.resting.copy()
        desk.venue.resting.clear()  # the venue denies knowing it
        desk.submit(CancelAll())
        await desk.until(lambda: desk.doubts)
        assert len(desk.open) == 1
        desk.submit(quotes())
        await asyncio.sleep(0.01)
        assert len(desk.venue.cancels) == 1  # not asked again and again
        desk.venue.resting.update(held)  # but the reading shows it
        desk.executor.reconcile(await desk.venue.open_orders(), desk.clock.monotonic())
        await desk.until(lambda: not desk.open)
    assert desk.venue.resting == {}


async def test_a_strategy_cannot_cancel_anothers_order(desk):
    async with desk.running():
        desk.submit(bid(), strategy="mm")
        await desk.settled()
        desk.submit(CancelOrder(ClientOrderId("mm-1")), CancelAll(), strategy="arb")
        await asyncio.sleep(0.01)
    assert len(desk.open) == 1


# ── The end ────────────────────────────────────────────────────────────────────


async def test_no_order_leaves_after_a_halt_wherever_it_is(make_desk):
    desk = make_desk(orders=Budget(per_second=20, burst=2))
    async with desk.running():
        desk.submit(quotes(4_800, asks=[5_300]))  # signed in the next turn
        desk.submit(bid(4_000))  # waits for the budget
        desk.submit(quotes(4_700, asks=[5_400]))  # waits for the budget
        desk.executor.halt("operator")
        desk.submit(bid(4_100))
        desk.submit(quotes(4_200))
        await asyncio.sleep(0.15)
    assert (desk.venue.posts, desk.venue.signed, desk.open) == ([], 0, [])
    assert "not sent: halted: operator" in desk.rejections
    assert "kill_switch: halted: operator; only cancels leave" in desk.rejections


async def test_no_order_leaves_that_was_being_signed_at_the_halt(desk):
    door = desk.venue.on_sign = Door()
    async with desk.running():
        desk.submit(bid(4_600), bid(4_700))
        await asyncio.sleep(0.005)
        desk.executor.halt("operator")
        door.opened.set()
        await desk.until(lambda: not desk.open)
    assert (desk.venue.signed, desk.venue.posts) == (2, [])


async def test_no_order_leaves_when_the_user_stream_is_lost_before_its_post(desk):
    async with desk.running():
        desk.submit(bid())
        desk.gate.user_up = False
        await asyncio.sleep(0.01)
    assert desk.venue.posts == []
    assert desk.rejections == ["not sent: user stream down"]


async def test_after_a_halt_everything_is_cancelled_also_what_was_in_flight(desk):
    async with desk.running():
        desk.submit(bid(4_600), bid(4_500), strategy="arb")
        await desk.settled()
        door = desk.venue.on_post = Door()
        desk.submit(bid(4_700))
        await desk.until(lambda: len(desk.venue.posts) == 2)
        desk.executor.halt("stop")
        draining = asyncio.create_task(desk.executor.drain())
        await desk.until(lambda: len(desk.open) == 1)
        door.opened.set()
        async with asyncio.timeout(2):
            await draining
    assert desk.venue.resting == {}


async def test_only_the_named_strategys_orders_are_cancelled(desk):
    async with desk.running():
        desk.submit(bid(4_600), strategy="bad")
        desk.submit(quotes(4_500), strategy="bad")
        desk.submit(bid(4_400), strategy="good")
        await desk.settled()
        desk.executor.cancel_all("bad")
        await desk.settled()
    assert [price for _, _, price, _ in desk.open] == [4_400]
