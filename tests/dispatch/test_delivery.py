"""Who hears what, and in which order."""

import pytest

from polycore import (
    CancelAll,
    ChangeKind,
    LinkChange,
    LinkState,
    MarketChange,
    OrderId,
    OrderState,
    OrderUpdate,
    PlaceOrder,
    Quote,
    SetQuotes,
    Side,
    Trade,
    hookimpl,
)
from polycore.dispatch.dispatcher import SLICE_NANOSECONDS

SHARE = 1_000_000


class Recorder:
    """A strategy that writes down what it hears."""

    def __init__(self):
        self.heard = []

    @hookimpl
    def on_book(self, book, context):
        self.heard.append(("book", book.asset, book.best.bid))

    @hookimpl
    def on_fill(self, fill, context):
        self.heard.append(("fill", fill.trade, context.inventory.position(fill.asset)))

    @hookimpl
    def on_order(self, update):
        self.heard.append(("order", update.client_order, update.state))

    @hookimpl
    def on_trade(self, trade):
        self.heard.append(("trade", trade.price))

    @hookimpl
    def on_timer(self, now):
        self.heard.append(("timer", now))

    @hookimpl
    def on_market_change(self, change):
        self.heard.append(("change", change.kind))

    @hookimpl
    def on_link(self, change, context):
        self.heard.append(("link", change.state))


def test_book_is_heard_once_however_often_it_changed(world):
    mm = Recorder()
    world.add("mm", mm)
    world.snapshot(world.yes)
    for bid in (5_010, 5_020, 5_030):
        world.delta(world.yes, bid, SHARE)
    world.dispatcher.flush()
    assert mm.heard == [("book", world.yes, 5_030)]


def test_books_are_heard_in_the_order_of_their_first_change(make_world):
    world = make_world(markets=3)
    mm = Recorder()
    world.add("mm", mm)
    firsts = [market.first.asset for market in world.markets]
    for asset in (firsts[2], firsts[0], firsts[1], firsts[2]):
        world.snapshot(asset)
    world.dispatcher.flush()
    assert [heard[1] for heard in mm.heard] == [firsts[2], firsts[0], firsts[1]]


def test_fills_and_orders_are_heard_before_waiting_books(world):
    mm = Recorder()
    world.add("mm", mm)
    order = world.order(1)
    world.snapshot(world.yes)
    world.dispatcher.receive(world.fill(order), None)
    world.dispatcher.flush()
    assert [heard[0] for heard in mm.heard] == ["fill", "order", "book"]


def test_only_selected_tokens_are_heard(make_world):
    world = make_world(markets=2)
    mm = Recorder()
    chosen, left_out = (market.first.asset for market in world.markets)
    world.add("mm", mm, assets=[chosen])
    for asset in (chosen, left_out):
        world.snapshot(asset)
        market = world.cache.markets.of_asset(asset)
        world.dispatcher.receive(Trade(market.id, asset, Side.BUY, 5_100, SHARE, 0, 0), world.link)
        world.dispatcher.receive(MarketChange(market.id, ChangeKind.LISTED), world.link)
    world.dispatcher.flush()
    assert [heard for heard in mm.heard if heard[0] == "book"] == [("book", chosen, 5_000)] * 2
    assert [heard[0] for heard in mm.heard if heard[0] != "book"] == ["trade", "change"]


def test_a_deselected_token_is_not_heard_even_when_it_waits(world):
    mm = Recorder()
    world.add("mm", mm)
    world.snapshot(world.yes)
    world.dispatcher._mark()
    world.dispatcher.select("mm", [world.no])
    world.dispatcher.flush()
    assert mm.heard == []


def test_ten_thousand_fills_arrive_whole_and_in_order_at_a_slow_strategy(world):
    class Slow(Recorder):
        @hookimpl
        def on_fill(self, fill, context):
            world.clock.advance(0.0001)
            super().on_fill(fill, context)

    mm = Slow()
    world.add("mm", mm)
    order = world.order(1, size=20_000 * SHARE)
    for number in range(10_000):
        world.dispatcher.receive(world.fill(order, trade=f"t{number}", size=SHARE), None)
    world.dispatcher.flush()
    turns = world.run_scheduled()
    assert [heard[1] for heard in mm.heard if heard[0] == "fill"] == [f"t{number}" for number in range(10_000)]
    assert turns > 100  # in slices, with the sockets read between them


def test_a_backlog_is_delivered_in_slices_and_the_slow_strategy_sees_the_newest_state_only(make_world):
    world = make_world(markets=50)

    class Slow(Recorder):
        @hookimpl
        def on_book(self, book, context):
            world.clock.advance(0.001)
            super().on_book(book, context)

    slow, quick = Slow(), Recorder()
    world.add("slow", slow)
    world.add("quick", quick)
    firsts = [market.first.asset for market in world.markets]
    for asset in firsts:
        world.snapshot(asset)
    before = world.clock.monotonic()
    world.dispatcher.flush()
    assert world.clock.monotonic() - before <= 2 * SLICE_NANOSECONDS
    assert 0 < len(slow.heard) < 50
    assert len(quick.heard) == 50  # the slow one does not hold it up

    for bid in range(5_001, 5_010):  # the socket is read again and again while the slow one works
        for asset in firsts:
            world.delta(asset, bid, SHARE)
        world.dispatcher.flush()
    heard_late = len(slow.heard)
    world.run_scheduled()
    assert len(slow.heard) - heard_late == 50
    assert all(bid == 5_009 for _, _, bid in slow.heard[heard_late:])


def test_while_a_slice_is_scheduled_socket_reads_do_not_add_slices_of_their_own(make_world):
    world = make_world(markets=50)

    class Slow(Recorder):
        @hookimpl
        def on_book(self, book, context):
            world.clock.advance(0.001)
            super().on_book(book, context)

    slow = Slow()
    world.add("slow", slow)
    for market in world.markets:
        world.snapshot(market.first.asset)
    world.dispatcher.flush()
    heard = len(slow.heard)
    world.dispatcher.flush()
    assert len(slow.heard) == heard
    assert len(world.scheduled) == 1


def test_intents_are_handed_over_with_their_owner_and_the_time_the_hook_returned(world):
    class Quoter:
        @hookimpl
        def on_book(self, book):
            world.clock.advance(0.0001)
            return SetQuotes(book.asset, bids=(Quote(5_000, 10 * SHARE),))

        @hookimpl
        def on_timer(self, now):
            return [CancelAll(), PlaceOrder(world.yes, Side.BUY, 5_000, 10 * SHARE)]

    listener = world.add("mm", Quoter(), assets=[world.yes])
    world.snapshot(world.yes)
    started = world.clock.monotonic()
    world.dispatcher.flush()
    world.dispatcher.timer(7)
    quotes = SetQuotes(world.yes, bids=(Quote(5_000, 10 * SHARE),))
    assert world.submitted[0] == ("mm", (quotes,), started + 100_000)
    assert world.submitted[1][1] == (CancelAll(), PlaceOrder(world.yes, Side.BUY, 5_000, 10 * SHARE))
    assert (listener.on_book, listener.intents) == (1, 3)


def test_intents_from_a_task_go_the_same_way(world):
    listener = world.add("mm", Recorder())
    listener.context.emit(CancelAll())
    assert world.submitted == [("mm", (CancelAll(),), world.clock.monotonic())]
    with pytest.raises(TypeError, match="expected SetQuotes"):
        listener.context.emit("sell everything")


def test_a_lost_link_is_told_and_its_books_are_looked_at_again(world):
    mm = Recorder()
    world.add("mm", mm)
    world.snapshot(world.yes)
    world.dispatcher.flush()
    mm.heard.clear()
    assets = tuple(world.cache.books.lost(world.link, "gone"))
    world.dispatcher.link(LinkChange("market-0", "market", LinkState.DOWN, "gone", assets))
    world.dispatcher.flush()
    assert ("link", LinkState.DOWN) in mm.heard
    assert {heard[1] for heard in mm.heard if heard[0] == "book"} == set(assets)


def test_a_book_heard_for_a_lost_link_does_not_count_as_a_slow_frame(world):
    world.add("mm", Recorder())
    world.snapshot(world.yes)
    world.dispatcher.flush()
    world.clock.advance(60)
    world.dispatcher.link(LinkChange("market-0", "market", LinkState.DOWN, "gone", (world.yes,)))
    world.dispatcher.flush()
    assert world.dispatcher.frame_to_hook.count == 1
    assert world.dispatcher.frame_to_hook.max < 1_000_000_000


def test_the_user_stream_is_told_to_everyone(world):
    mm = Recorder()
    world.add("mm", mm, assets=[])
    world.dispatcher.link(LinkChange("user", "user", LinkState.DOWN, "gone"))
    world.dispatcher.flush()
    assert mm.heard == [("link", LinkState.DOWN)]


def test_a_report_of_the_executor_is_delivered_in_the_next_turn_of_the_loop(world):
    mm = Recorder()
    world.add("mm", mm)
    order = world.order(1)
    world.dispatcher.report(order.update(OrderState.LIVE))
    assert mm.heard == []
    world.run_scheduled()
    assert mm.heard == [("order", "mm-1", OrderState.LIVE)]


def test_a_report_made_while_hooks_run_is_heard_before_the_books_that_wait(make_world):
    world = make_world(markets=2)

    class Quoter(Recorder):
        @hookimpl
        def on_book(self, book, context):
            super().on_book(book, context)
            return SetQuotes(book.asset)

    mm = Quoter()
    world.add("mm", mm)
    order = world.order(1)
    world.dispatcher._submit = lambda *what: world.dispatcher.report(order.update(OrderState.REJECTED))
    for market in world.markets:
        world.snapshot(market.first.asset)
    world.dispatcher.flush()
    assert [heard[0] for heard in mm.heard] == ["book", "order", "book", "order"]


def test_an_observer_hears_every_fill_and_its_intents_are_dropped(world):
    class Watcher(Recorder):
        @hookimpl
        def on_fill(self, fill, context):
            super().on_fill(fill, context)
            return CancelAll()

    watcher, mm = Watcher(), Recorder()
    world.add("mm", mm)
    world.add("watch", watcher, assets=[], observes=True)
    world.dispatcher.receive(world.fill(world.order(1)), None)
    world.dispatcher.flush()
    assert [heard[0] for heard in watcher.heard] == ["fill", "order"]
    assert world.submitted == []
    assert world.dispatcher.dropped_intents == 1
    assert world.dispatcher.running == 1


def test_an_order_of_nobody_goes_to_observers_alone(world):
    watcher, mm = Recorder(), Recorder()
    world.add("mm", mm)
    world.add("watch", watcher, assets=[], observes=True)
    update = OrderUpdate(OrderId("0xstranger"), world.market.id, world.yes, Side.BUY, 5_000, SHARE, 0, OrderState.LIVE)
    world.dispatcher.receive(update, None)
    world.dispatcher.flush()
    assert (mm.heard, len(watcher.heard)) == ([], 1)
    assert world.dispatcher.account.foreign_orders == 1
