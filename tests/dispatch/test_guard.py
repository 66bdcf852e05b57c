"""A strategy that misbehaves, and the others."""

import asyncio
import logging
from typing import cast

import pytest

from polycore import AssetId, CancelAll, HookError, PlaceOrder, Quote, SetQuotes, Side, StopReason, hookimpl
from polycore.dispatch.guard import closed_check, watched

SHARE = 1_000_000
YES = AssetId("1")


class Steady:
    def __init__(self):
        self.books = 0

    @hookimpl
    def on_book(self, book):
        self.books += 1


class Raises:
    def __init__(self, result=None):
        self.calls = 0
        self.result = result

    @hookimpl
    def on_book(self, book):
        self.calls += 1
        if self.result is None:
            raise ZeroDivisionError("fair value of nothing")
        return self.result

    @hookimpl
    def on_timer(self, now):
        self.calls += 1


def test_a_raising_strategy_is_tripped_once_and_the_other_runs_on(world):
    bad, good = Raises(), Steady()
    listener = world.add("bad", bad)
    world.add("good", good)
    for _ in range(3):
        world.snapshot(world.yes)
        world.snapshot(world.no)
        world.dispatcher.flush()
        world.dispatcher.timer(0)
    assert bad.calls == 1
    assert good.books == 6
    (strategy, error), *more = world.trips
    assert (strategy, more) == ("bad", [])
    assert isinstance(error, HookError)
    assert str(error) == "bad: on_book raised ZeroDivisionError: fair value of nothing"
    assert (listener.errors, world.dispatcher.running) == (1, 1)


def test_nothing_that_waited_reaches_a_tripped_strategy(world):
    heard = []

    class Bad:
        @hookimpl
        def on_fill(self, fill):
            heard.append(fill.trade)
            raise ValueError("no such order")

    world.add("mm", Bad())
    order = world.order(1)
    for number in range(3):
        world.dispatcher.receive(world.fill(order, f"t{number}", size=SHARE), None)
    world.dispatcher.flush()
    assert heard == ["t0"]
    assert world.cache.inventory("mm").position(world.yes) == 3 * SHARE


def test_a_tripped_strategy_cannot_speak_through_its_own_door(world):
    listener = world.add("bad", Raises())
    world.snapshot(world.yes)
    world.dispatcher.flush()
    listener.context.emit(CancelAll())
    assert world.submitted == []
    assert world.dispatcher.dropped_intents == 1


def test_fills_of_a_tripped_strategy_are_still_booked(world):
    world.add("mm", Raises())
    order = world.order(1)
    world.snapshot(world.yes)
    world.dispatcher.flush()
    world.dispatcher.receive(world.fill(order), None)
    assert world.cache.inventory("mm").position(world.yes) == 10 * SHARE


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("buy", "returned 'b'; expected SetQuotes"),
        (7, "'int' object is not iterable"),
        (
            SetQuotes(YES, bids=(Quote(cast(int, 0.53), SHARE),)),
            r"SetQuotes with a field of the wrong type.*\$\.bids\[0\]\.price",
        ),
        (PlaceOrder(YES, Side.BUY, 5_000, cast(int, 10.0)), r"PlaceOrder with a field of the wrong type.*\$\.size"),
        ((intent for intent in [1 / SHARE]), "returned 1e-06"),
    ],
)
def test_what_is_not_an_intent_trips_and_says_what_it_was(world, result, says):
    world.add("bad", Raises(result))
    world.snapshot(world.yes)
    world.dispatcher.flush()
    assert world.submitted == []
    with pytest.raises(HookError, match=says):
        raise world.trips[0][1]


def test_a_generator_that_raises_midway_hands_over_nothing(world):
    def intents():
        yield CancelAll()
        raise KeyError("lost")

    world.add("bad", Raises(intents()))
    world.snapshot(world.yes)
    world.dispatcher.flush()
    assert world.submitted == []
    assert len(world.trips) == 1


def test_a_slow_call_is_counted_and_warned_about_once_a_minute(world, caplog):
    class Slow:
        @hookimpl
        def on_timer(self, now):
            world.clock.advance(0.0006)

    guard = world.add("slow", Slow()).guard
    with caplog.at_level(logging.WARNING, "polycore.dispatch"):
        for _ in range(10):
            world.dispatcher.timer(0)
        assert (guard.slow, len(caplog.records)) == (10, 1)
        assert "slow: on_timer took 600 µs, budget 500 µs" in caplog.text
        world.clock.advance(61)
        world.dispatcher.timer(0)
    assert (guard.slow, len(caplog.records)) == (11, 2)


async def test_cold_hooks_may_be_async_and_trip_alike(world):
    world.add("a", Steady())
    world.add("b", Steady())

    async def start(context):
        await asyncio.sleep(0)
        return context.name

    async def broken(context):
        raise RuntimeError("no model file")

    a, b = world.dispatcher.listeners
    assert await world.dispatcher.ask("a", "on_start", start, a.context) == "a"
    assert await world.dispatcher.ask("b", "on_start", broken, b.context) is None
    assert [strategy for strategy, _ in world.trips] == ["b"]
    assert await world.dispatcher.ask("b", "on_start", start, b.context) is None


async def test_last_intents_of_a_strategy_are_handed_over(world):
    world.add("mm", Steady())
    heard = []

    def on_stop(context, reason):
        heard.append((context.name, reason))
        return CancelAll()

    await world.dispatcher.stop("mm", on_stop, StopReason.FINISHED)
    await world.dispatcher.stop("mm", lambda context, reason: "rubbish", StopReason.FINISHED)
    assert heard == [("mm", StopReason.FINISHED)]
    assert [what[:2] for what in world.submitted] == [("mm", (CancelAll(),))]
    assert [error.hook for _, error in world.trips] == ["on_stop"]


def test_a_check_that_raises_refuses():
    told: list[HookError] = []

    def check(*, order, strategy, cache):
        raise ValueError("limits file")

    rejection = closed_check(check, told.append)(order=None, strategy="mm", cache=None)
    assert rejection is not None
    assert rejection.check == "check_order"
    assert "ValueError: limits file" in rejection.reason
    assert len(told) == 1


def test_an_observer_that_raises_disturbs_nobody():
    told: list[HookError] = []

    def on_intent(**arguments):
        raise ValueError("disk full")

    watched("on_intent", on_intent, told.append)(intent=None, strategy="mm", verdict=None)
    assert "on_intent raised ValueError: disk full" in str(told[0])


def test_a_strategy_that_would_end_the_process_is_tripped_instead(world):
    """Orders rest at the venue: only the run may end, which cancels them first."""

    class Leaves:
        @hookimpl
        def on_book(self, book):
            raise SystemExit("enough")

    world.add("bad", Leaves())
    good = Steady()
    world.add("good", good)
    world.snapshot(world.yes)
    world.dispatcher.flush()
    assert [strategy for strategy, _ in world.trips] == ["bad"]
    assert good.books == 1


async def test_a_strategy_that_would_end_the_process_as_it_starts_is_tripped_instead(world):
    world.add("bad", Steady())

    async def on_start(context):
        raise SystemExit

    assert await world.dispatcher.ask("bad", "on_start", on_start, None) is None
    assert [strategy for strategy, _ in world.trips] == ["bad"]


def test_a_check_or_an_observer_that_would_end_the_process_is_only_told_of():
    told: list[object] = []

    def leave(**arguments):
        raise SystemExit

    verdict = closed_check(leave, told.append)(order=PlaceOrder(YES, Side.BUY, 4_000, SHARE), strategy="mm", cache=None)
    assert verdict is not None
    watched("on_intent", leave, told.append)(intent=None)
    assert len(told) == 2
