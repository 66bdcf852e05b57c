"""The life of an order: every pair of state and report, and what is remembered of it."""

import itertools

import pytest

from polycore import (
    Approved,
    AssetId,
    ClientOrderId,
    MarketId,
    OrderId,
    OrderState,
    PlaceOrder,
    Side,
    UsageError,
)
from polycore.cache.orders import TRANSITIONS, Orders

S = OrderState
LEGAL = {
    S.INTENT: {S.SENT, S.CANCELLED, S.REJECTED},
    S.SENT: {S.UNKNOWN, S.LIVE, S.DELAYED, S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED},
    S.UNKNOWN: {S.LIVE, S.DELAYED, S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED},
    S.DELAYED: {S.LIVE, S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED},
    S.LIVE: {S.FILLED, S.CANCELLED, S.EXPIRED},
}


def _order(orders: Orders, name: str = "mm-1", strategy: str = "mm"):
    place = PlaceOrder(AssetId("1"), Side.BUY, 4800, 10_000_000)
    return orders.track(Approved(ClientOrderId(name), strategy, MarketId("m"), place))


@pytest.mark.parametrize(("before", "after"), list(itertools.product(S, S)))
def test_every_pair_of_state_and_report(before: OrderState, after: OrderState) -> None:
    orders = Orders()
    order = _order(orders)
    order.state = before
    allowed = after in LEGAL.get(before, set())
    assert orders.move(order, after, reason="because") is allowed
    assert order.state is (after if allowed else before)
    assert set(TRANSITIONS) == set(S)


def test_an_order_is_found_by_both_names_and_open_until_terminal() -> None:
    orders = Orders()
    order = _order(orders)
    orders.name(order, OrderId("0xa"))
    for found in (orders.find(OrderId("0xa")), orders.get(ClientOrderId("mm-1"))):
        assert found is order
    orders.move(order, S.SENT)
    orders.move(order, S.LIVE)
    assert list(orders.open("mm")) == [order]
    assert list(orders.open("arb")) == []
    orders.move(order, S.CANCELLED)
    assert list(orders.open()) == []
    assert orders.find(OrderId("0xa")) is order


def test_matched_is_cumulative_and_only_grows_even_when_terminal() -> None:
    orders = Orders()
    order = _order(orders)
    orders.move(order, S.SENT)
    assert orders.move(order, S.LIVE, matched=4_000_000)
    assert not orders.move(order, S.LIVE, matched=3_000_000)
    orders.move(order, S.CANCELLED)
    assert orders.move(order, S.LIVE, matched=6_000_000)
    assert (order.state, order.matched, order.remaining) == (S.CANCELLED, 6_000_000, 4_000_000)


def test_a_name_serves_one_order() -> None:
    orders = Orders()
    _order(orders)
    with pytest.raises(UsageError, match="mm-1 is tracked already"):
        _order(orders)


def test_what_a_listing_does_not_name_is_only_what_has_an_id() -> None:
    orders = Orders()
    named, _unnamed = _order(orders, "mm-1"), _order(orders, "mm-2")
    orders.name(named, OrderId("0xa"))
    assert orders.unlisted([]) == [named]
    assert orders.unlisted([OrderId("0xa")]) == []
