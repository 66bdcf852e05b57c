"""Orders and fills as the venue reports them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from polycore import (
    ChangeKind,
    Fill,
    MarketChange,
    OrderId,
    OrderState,
    OrderUpdate,
    Role,
    Settlement,
    Side,
    TradeId,
    hookimpl,
)

SHARE = 1_000_000


class Listener:
    def __init__(self):
        self.heard = []

    @hookimpl
    def on_fill(self, fill):
        self.heard.append(fill)

    @hookimpl
    def on_order(self, update):
        self.heard.append(update)


def told(world, *events):
    """What the strategy hears of events."""
    if not world.dispatcher.listeners:
        world.add("mm", Listener())
    mm = world.manager.get_plugin("mm")
    before = len(mm.heard)
    for event in events:
        world.dispatcher.receive(event, None)
    world.dispatcher.flush()
    return mm.heard[before:]


def update(order, state, matched=0, reason=""):
    return OrderUpdate(
        order.id, order.market, order.place.asset, order.side, order.price, order.place.size, matched, state, reason
    )


def test_an_update_reaches_its_owner_under_our_names(world):
    order = world.order(1, state=OrderState.SENT)
    (heard,) = told(world, update(order, OrderState.LIVE))
    assert (heard.client_order, heard.strategy, heard.tag, heard.state) == ("mm-1", "mm", "t", OrderState.LIVE)


def test_an_update_that_says_nothing_new_is_not_delivered(world):
    order = world.order(1)
    assert told(world, update(order, OrderState.LIVE), update(order, OrderState.LIVE)) == []


def test_news_after_the_end_is_told_with_the_end_it_had(world):
    order = world.order(1)
    told(world, update(order, OrderState.CANCELLED, reason="cancelled"))
    (late,) = told(world, update(order, OrderState.LIVE, matched=3 * SHARE))
    assert (late.state, late.matched) == (OrderState.CANCELLED, 3 * SHARE)


def test_a_fill_before_the_answer_to_the_post_is_told_as_acceptance_then_fill_then_end(world):
    order = world.order(1, state=OrderState.SENT)
    accepted, fill, ended = told(world, world.fill(order))
    assert (accepted.state, ended.state) == (OrderState.LIVE, OrderState.FILLED)
    assert isinstance(fill, Fill)
    assert (fill.client_order, fill.strategy, fill.tag) == ("mm-1", "mm", "t")
    assert order.matched == 10 * SHARE


def test_a_fill_resolves_an_order_of_unknown_outcome(world):
    order = world.order(1, state=OrderState.UNKNOWN)
    accepted, _ = told(world, world.fill(order, size=SHARE))
    assert accepted.state is OrderState.LIVE
    assert order.remaining == 9 * SHARE


def test_each_status_is_told_once_and_booked_once(world):
    order = world.order(1)
    heard = told(
        world,
        *(
            world.fill(order, settlement=settlement)
            for settlement in (
                Settlement.MATCHED, Settlement.MATCHED, Settlement.MINED, Settlement.MATCHED, Settlement.CONFIRMED,
                Settlement.MINED, Settlement.CONFIRMED,
            )
        ),
    )  # fmt: skip
    assert [e.settlement for e in heard if isinstance(e, Fill)] == [
        Settlement.MATCHED, Settlement.MINED, Settlement.CONFIRMED,
    ]  # fmt: skip
    assert world.cache.inventory("mm").position(world.yes) == 10 * SHARE
    assert dict(world.dispatcher.account.fills) == {"mm": 1}


def test_bought_shares_may_be_sold_only_when_confirmed(world):
    order = world.order(1)
    told(world, world.fill(order))
    assert world.cache.inventory("mm").sellable(world.yes) == 0
    told(world, world.fill(order, settlement=Settlement.CONFIRMED))
    assert world.cache.inventory("mm").sellable(world.yes) == 10 * SHARE


def test_a_failed_fill_is_undone_whole_with_its_fee(world):
    order = world.order(1)
    told(world, world.fill(order, role=Role.TAKER))
    assert world.cache.inventory("mm").fees > 0
    told(world, world.fill(order, role=Role.TAKER, settlement=Settlement.FAILED))
    for inventory in (world.cache.inventory("mm"), world.cache.account):
        assert (inventory.position(world.yes), inventory.cash, inventory.fees) == (0, 0, 0)


def test_a_fill_first_heard_of_as_failed_changes_nothing(world):
    order = world.order(1)
    assert told(world, world.fill(order, settlement=Settlement.FAILED)) == []
    assert world.cache.inventory("mm").position(world.yes) == 0


def test_the_taker_pays_the_markets_fee_and_the_maker_none(world):
    order = world.order(1, size=20 * SHARE)
    taken, made = (
        e
        for e in told(world, world.fill(order, "t1", role=Role.TAKER), world.fill(order, "t2", role=Role.MAKER))
        if isinstance(e, Fill)
    )
    assert taken.fee == world.market.fee.taker_fee(5_000, 10 * SHARE) == 175_000
    assert made.fee == 0
    assert world.cache.inventory("mm").fees == 175_000


def test_a_fill_of_nobody_counts_for_the_account_and_no_strategy(world):
    stranger = Fill(
        TradeId("t9"),
        OrderId("0xstranger"),
        world.market.id,
        world.yes,
        Side.BUY,
        5_000,
        SHARE,
        Role.MAKER,
        Settlement.MATCHED,
    )
    assert told(world, stranger) == []
    assert world.cache.account.position(world.yes) == SHARE
    assert world.cache.inventory("mm").position(world.yes) == 0
    assert world.dispatcher.account.foreign_fills == 1


def test_an_overfill_is_booked_and_counted(world):
    order = world.order(1)
    told(world, world.fill(order, "t1"), world.fill(order, "t2", size=SHARE))
    assert world.cache.inventory("mm").position(world.yes) == 11 * SHARE
    assert world.dispatcher.account.overfilled == 1


def test_a_resolved_market_pays_winners_and_voids_losers(world):
    told(world, world.fill(world.order(1)), world.fill(world.order(2, asset=world.no, price=4_000), "t2"))
    world.dispatcher.receive(MarketChange(world.market.id, ChangeKind.RESOLVED, winner=world.no), world.link)
    for inventory in (world.cache.inventory("mm"), world.cache.account):
        assert inventory.assets == ()
        assert inventory.cash == 10 * SHARE - 5 * SHARE - 4 * SHARE


def test_without_a_named_winner_nothing_is_paid(world):
    told(world, world.fill(world.order(1)))
    world.dispatcher.receive(MarketChange(world.market.id, ChangeKind.RESOLVED), world.link)
    assert world.cache.inventory("mm").position(world.yes) == 10 * SHARE


def test_news_of_a_fill_after_the_payout_is_paid_out_too(world):
    order, late = world.order(1), world.order(2)
    told(world, world.fill(order))
    world.dispatcher.receive(MarketChange(world.market.id, ChangeKind.RESOLVED, winner=world.yes), world.link)
    told(world, world.fill(order, settlement=Settlement.CONFIRMED), world.fill(late, "t2"))
    inventory = world.cache.inventory("mm")
    assert (inventory.assets, inventory.sellable(world.yes), inventory.cash) == ((), 0, 10 * SHARE)
    told(world, world.fill(late, "t2", settlement=Settlement.FAILED))
    assert (inventory.assets, inventory.cash) == ((), 5 * SHARE)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(list(Settlement)), st.booleans()),
        max_size=40,
    )
)
def test_any_order_of_reports_ends_at_the_sum_of_what_did_not_fail(make_world_once, reports):
    """Position = what was applied less what was voided, whatever is repeated, skipped or out of order."""
    world = make_world_once()
    order = world.order(1, size=1_000 * SHARE)
    best: dict[int, Settlement] = {}
    for trade, settlement, _ in reports:
        told(world, world.fill(order, f"t{trade}", size=(trade + 1) * SHARE, settlement=settlement))
        if trade not in best or not best[trade].final:
            best[trade] = settlement
    expected = sum((trade + 1) * SHARE for trade, settlement in best.items() if settlement is not Settlement.FAILED)
    assert world.cache.inventory("mm").position(world.yes) == expected
    assert world.cache.account.position(world.yes) == expected
