"""What a complete listing of open orders proves."""

import pytest

from polycore import AssetId, OrderState, OrderUpdate, PlaceOrder, Side
from polycore.execution.reconcile import LOST_SECONDS, NOT_LISTED, SETTLE_SECONDS

SHARE = 1_000_000
YES = AssetId("1")
ORDER = PlaceOrder(YES, Side.BUY, 4_800, 10 * SHARE)


def listed(order, matched=0, order_id=None):
    return OrderUpdate(order_id or order.id, order.market, YES, Side.BUY, 4_800, 10 * SHARE, matched, OrderState.LIVE)


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.UNKNOWN, OrderState.DELAYED])
def test_a_listed_order_is_adopted_as_live(still_desk, state):
    order = still_desk.track(ORDER, state=state)
    still_desk.executor.reconcile([listed(order, 3 * SHARE)], still_desk.clock.monotonic())
    assert (order.state, order.matched) == (OrderState.LIVE, 3 * SHARE)
    assert [update.state for update in still_desk.reports] == [OrderState.LIVE]


def test_a_listing_that_says_nothing_new_is_silent(still_desk):
    order = still_desk.track(ORDER)
    still_desk.executor.reconcile([listed(order)], still_desk.clock.monotonic())
    assert still_desk.reports == []


@pytest.mark.parametrize(
    ("state", "patience"),
    [(OrderState.LIVE, SETTLE_SECONDS), (OrderState.UNKNOWN, LOST_SECONDS), (OrderState.SENT, LOST_SECONDS)],
)
def test_an_unlisted_order_is_gone_only_when_it_was_sent_long_enough_before(still_desk, state, patience):
    order = still_desk.track(ORDER, state=state)
    order.sent_time = still_desk.clock.monotonic()
    still_desk.clock.advance(patience)
    still_desk.executor.reconcile([], still_desk.clock.monotonic())
    assert order.state is state
    still_desk.clock.advance(0.001)
    still_desk.executor.reconcile([], still_desk.clock.monotonic())
    assert (order.state, order.reason) == (OrderState.CANCELLED, NOT_LISTED)
    assert [update.reason for update in still_desk.reports] == [NOT_LISTED]


def test_an_order_sent_after_the_reading_began_is_untouched(still_desk):
    started = still_desk.clock.monotonic()
    still_desk.clock.advance(100)
    order = still_desk.track(ORDER)
    order.sent_time = still_desk.clock.monotonic()
    still_desk.executor.reconcile([], started)
    assert order.state is OrderState.LIVE


def test_an_order_not_sent_yet_is_untouched(still_desk):
    order = still_desk.track(ORDER, state=OrderState.INTENT)
    still_desk.clock.advance(100)
    still_desk.executor.reconcile([], still_desk.clock.monotonic())
    assert order.state is OrderState.INTENT


def test_a_strangers_order_is_counted_once_and_left_alone(still_desk, caplog):
    ours = still_desk.track(ORDER)
    stranger = listed(ours, order_id="0xstranger")
    for _ in range(2):
        still_desk.executor.reconcile([listed(ours), stranger], still_desk.clock.monotonic())
    assert still_desk.executor.foreign_orders == 1
    assert caplog.text.count("0xstranger") == 1
    assert still_desk.reports == []
