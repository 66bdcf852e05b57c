"""One book to two strategies: each call guarded and timed. Beside it, the whole way through the mailboxes.

The hooks are bound as a plugin's are and do nothing but count, so what is measured is ours. Rounds of the pieces
alternate; the figures are medians of rounds.
"""

import gc
import time
from statistics import median

from msgspec import Struct

from benchmarks import rig, stream
from benchmarks.quiet import repeated
from benchmarks.report import Bar, at_most
from polycore import BookDelta, Context, hookimpl
from polycore.cache.book import Book
from polycore.dispatch.dispatcher import Dispatcher

BAR = 0.5
ROUNDS, CALLS = 31, 20_000
_FRAMES = 2_000


class Counting:
    """Counts what it hears."""

    def __init__(self) -> None:
        self.heard = 0

    @hookimpl
    def on_book(self, book: Book, context: Context) -> None:
        self.heard += 1


class Raising:
    @hookimpl
    def on_book(self, book: Book) -> None:
        raise ValueError("on purpose")


class Cost(Struct):
    """Microseconds for two strategies: guarded calls, bare calls, all between a decoded event and the hooks' end."""

    guarded: float
    bare: float
    all: float


def measure() -> list[Bar]:
    """The bar on the two guarded calls, and what surrounds them."""
    _check_guarded()
    made = stream.make(_FRAMES)
    runs = repeated(lambda: _run(made))
    return [
        at_most(
            "dispatch of a book to 2 strategies, guarded and timed", runs.median(lambda run: run.guarded), BAR, "µs",
            runs=runs.each(lambda run: run.guarded), two_bare_calls=runs.median(lambda run: run.bare),
            all_from_event_to_hook=runs.median(lambda run: run.all), others=runs.company,
        )
    ]  # fmt: skip


def _run(made: stream.Stream) -> Cost:
    strategies = [Counting(), Counting()]
    to = rig.fed(made)
    joined = rig.dispatcher(to.cache, strategies, schedule=lambda call: None)
    book = next(iter(to.cache.books))
    rounds = [(_guarded(joined, book), _bare(joined, book)) for _ in range(ROUNDS)]
    assert strategies[0].heard == strategies[1].heard == 2 * ROUNDS * CALLS, "every call arrives"
    guarded, bare = (median(column) for column in zip(*rounds, strict=True))
    whole = [_delivered(made) - _applied(made) for _ in range(ROUNDS // 3)]
    return Cost(guarded, bare, median(whole))


def _guarded(joined: Dispatcher, book: Book) -> float:
    """Microseconds for both calls, each timed by the end of the one before, as a delivery times them."""
    first, second = joined.listeners
    one, other = first.guard, second.guard
    one_call, other_call = first.calls["on_book"], second.calls["on_book"]
    one_context, other_context = first.context, second.context
    gc.collect()
    began = time.perf_counter_ns()
    now = time.monotonic_ns()
    for _ in range(CALLS):
        one.call("on_book", one_call, book, one_context, now)
        other.call("on_book", other_call, book, other_context, one.returned)
        now = other.returned
    return (time.perf_counter_ns() - began) / CALLS / 1000


def _bare(joined: Dispatcher, book: Book) -> float:
    first, second = joined.listeners
    one_call, other_call = first.calls["on_book"], second.calls["on_book"]
    one_context, other_context = first.context, second.context
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        one_call(book, one_context)
        other_call(book, other_context)
    return (time.perf_counter_ns() - began) / CALLS / 1000


def _delivered(made: stream.Stream) -> float:
    """Microseconds a touched book: changes received and delivered through the mailboxes."""
    strategies = [Counting(), Counting()]
    to = rig.fed(made)
    joined = rig.dispatcher(to.cache, strategies, schedule=lambda call: None)
    deltas = _deltas(to, made)
    gc.collect()
    began = time.perf_counter_ns()
    for delta in deltas:
        joined.receive(delta, to.link)
        joined.flush()
    taken = time.perf_counter_ns() - began
    assert strategies[0].heard == strategies[1].heard == 2 * len(deltas), "both books of each frame reach both"
    return taken / (2 * len(deltas)) / 1000


def _applied(made: stream.Stream) -> float:
    """Microseconds a touched book: the same changes applied to the cache alone."""
    to = rig.fed(made)
    deltas = _deltas(to, made)
    touched: set[Book] = set()
    gc.collect()
    began = time.perf_counter_ns()
    for delta in deltas:
        to.cache.delta(delta, to.link, touched)
        touched.clear()
    return (time.perf_counter_ns() - began) / (2 * len(deltas)) / 1000


def _deltas(to: rig.Fed, made: stream.Stream) -> list[BookDelta]:
    now = time.monotonic_ns()
    return [event for frame in made.frames for event in to.channel.decode(frame, now) if isinstance(event, BookDelta)]


def _check_guarded() -> None:
    """A strategy that raises trips, alone."""
    made = stream.make(0, 2)
    to = rig.fed(made)
    healthy = Counting()
    joined = rig.dispatcher(to.cache, [Raising(), healthy], schedule=lambda call: None)
    link = to.link
    for event in to.channel.decode(made.opening[0], 1):
        joined.receive(event, link)
    joined.flush()
    assert [listener.guard.tripped for listener in joined.listeners] == [True, False]
    assert healthy.heard == 1
