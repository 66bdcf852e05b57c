"""Frames over a socket to ``on_book``: 10,000 a second to two strategies, then 50,000 to one that is too slow for them.

A process of its own sends; what receives is a whole run. The time of a frame is from just before its ``send`` to the
entry of the first ``on_book`` that shows the book with it or with something newer, for each token it changed and each
strategy: a frame that a newer one overtook in a mailbox counts with the wait it had. A send that blocks because we do
not read delays the next frames' time of leaving, so the feeder's own lateness is bounded too.
"""

import asyncio
import json
import resource
import time
from array import array
from collections import defaultdict
from typing import Any

from msgspec import Struct

from benchmarks import stream, whole
from benchmarks.quiet import Runs, repeated, resident
from benchmarks.report import Bar, at_most, quantile
from polycore import AssetId, hookimpl, parse_price, parse_size
from polycore.app import App
from polycore.dispatch.latency import Histogram
from polycore.dispatch.mailbox import Mailbox

P99_MICROSECONDS, CPU_MICROSECONDS, BURST_MILLISECONDS = 1_000.0, 40.0, 25.0
FRAMES, ASSETS = 100_000, 200
WORK_NANOSECONDS = 20_000
GROWTH = 1.5
"""A run that cannot keep up falls behind for as long as it is fed: its last quarter waits longest."""
_MILLISECOND = 1_000_000
_DRAIN_SECONDS = 5


class Listening:
    """Notes when it heard of which book, and of which frame; then works, if it is slow."""

    def __init__(self, work: int = 0) -> None:
        self.entered = array("q")
        self.frames = array("q")
        self.assets: list[str] = []
        self._work = work

    def on_book(self, book: Any) -> None:
        now = time.monotonic_ns()
        self.entered.append(now)
        self.frames.append(book.venue_time)
        self.assets.append(book.asset)
        if self._work:
            until = now + self._work
            while time.monotonic_ns() < until:
                pass


class Outcome(Struct):
    """One run. Times in nanoseconds; ``delays`` in the order in which the frames were sent."""

    delays: list[int]
    cpu: float
    inside: int
    lateness: int
    calls: int
    waiting: int
    memory: int


def measure() -> list[Bar]:
    """Both loads, each several times: a neighbour on a shared core spoils one run, not the median of three."""
    made = stream.make(FRAMES, ASSETS)
    touched = [_touched(frame) for frame in made.frames]
    wanted = stream.reference(made)
    with whole.feeder(made) as feeder:
        even = repeated(lambda: _run(feeder, made, touched, wanted, 10_000, [0, 0]))
        burst = repeated(lambda: _run(feeder, made, touched, wanted, 50_000, [WORK_NANOSECONDS]))
    return [*_even(even), *_burst(burst)]


def _even(runs: Runs[Outcome]) -> list[Bar]:
    return [
        at_most(
            "frame → on_book, 10,000/s, 2 strategies: p99",
            runs.median(lambda run: _micro(run.delays, 990)), P99_MICROSECONDS, "µs",
            runs=runs.each(lambda run: _micro(run.delays, 990)),
            p50=runs.median(lambda run: _micro(run.delays, 500)), p999=runs.median(lambda run: _micro(run.delays, 999)),
            data_received_to_hook_p99=runs.median(lambda run: run.inside / 1000), others=runs.company,
        ),
        at_most(
            "the same: CPU a frame", runs.median(lambda run: run.cpu), CPU_MICROSECONDS, "µs",
            runs=runs.each(lambda run: run.cpu),
        ),
    ]  # fmt: skip


def _burst(runs: Runs[Outcome]) -> list[Bar]:
    return [
        at_most(
            "burst of 50,000/s, a strategy that works 20 µs: p99",
            runs.median(lambda run: _micro(run.delays, 990) / 1000), BURST_MILLISECONDS, "ms",
            runs=runs.each(lambda run: _micro(run.delays, 990) / 1000),
            p50=runs.median(lambda run: _micro(run.delays, 500) / 1000),
            calls=round(runs.median(lambda run: run.calls)), others=runs.company,
        ),
        at_most(
            "the same: p99 of the last quarter over that of the first", runs.median(_growth), GROWTH, "×",
            quarters_ms=" ".join(f"{_micro(part, 990) / 1000:.3g}" for part in _quarters(_middle(runs))),
            books_waiting_at_the_end=runs.median(lambda run: run.waiting),
            feeder_late_ms=runs.median(lambda run: run.lateness / _MILLISECOND),
            resident_grew_mb=runs.median(lambda run: run.memory / 2**20),
        ),
    ]  # fmt: skip


def _run(
    feeder: whole.Feeder, made: stream.Stream, touched: list[tuple[str, ...]], wanted: Any, rate: int, works: list[int]
) -> Outcome:
    listening = [Listening(work) for work in works]
    with asyncio.Runner(loop_factory=whole.loop_factory()) as runner:
        return runner.run(_played(feeder, made, touched, wanted, rate, listening))


async def _played(
    feeder: whole.Feeder,
    made: stream.Stream,
    touched: list[tuple[str, ...]],
    wanted: Any,
    rate: int,
    listening: list[Listening],
) -> Outcome:
    makers = {f"feed_{number}": _strategy(one) for number, one in enumerate(listening)}
    async with whole.run(feeder.url, whole.markets_of(made), makers) as app:
        await whole.until_live(app, 10)
        await asyncio.sleep(0.2)
        whole.warm_up()
        for one in listening:
            del one.entered[:], one.frames[:], one.assets[:]
        app.dispatcher.frame_to_hook = Histogram()
        memory, used = resident(), _cpu()
        sent, lateness = await feeder.play(rate)
        waiting = max(map(len, _mailboxes(app)))
        await _until_heard(app, len(made.frames))
        cpu = (_cpu() - used) / len(made.frames) * 1e6
        grew = resident() - memory
        _check(app, wanted)
        inside = app.dispatcher.frame_to_hook.p99
    first = int(json.loads(made.frames[0])["timestamp"]) * _MILLISECOND
    delays = _delays(listening, sent, touched, first)
    assert lateness < BURST_MILLISECONDS * _MILLISECOND * 4, f"the feeder was {lateness / 1e6:.0f} ms late: no room"
    calls = sum(len(one.entered) for one in listening)
    return Outcome(delays, cpu, inside, lateness, calls, waiting, grew)


async def _until_heard(app: App, frames: int) -> None:
    async with asyncio.timeout(_DRAIN_SECONDS):
        while app.frames < frames or any(map(len, _mailboxes(app))):  # noqa: ASYNC110 - watched from outside
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)


def _mailboxes(app: App) -> list[Mailbox]:
    return [listener.mailbox for listener in app.dispatcher.listeners]


def _check(app: App, wanted: Any) -> None:
    """Every book is LIVE and equals the plain reference; no proof failed."""
    for asset, sides in wanted.items():
        book = app.cache.get(AssetId(asset))
        assert book is not None
        assert book.live, f"{asset} is {book.state.value}: {book.cause}"
        for levels, texts in zip((book.bids, book.asks), sides, strict=True):
            assert levels == {parse_price(price): parse_size(size) for price, size in texts.items()}, asset
    assert app.books.proof.checked == app.books.proof.agreed > 0
    assert app.reconnects == 0


def _delays(listening: list[Listening], sent: "array[int]", touched: list[tuple[str, ...]], first: int) -> list[int]:
    """The delay of each frame, for each token it changed and each strategy."""
    delays: list[int] = []
    for one in listening:
        calls: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for entered, venue_time, asset in zip(one.entered, one.frames, one.assets, strict=True):
            calls[asset].append(((venue_time - first) // _MILLISECOND, entered))
        place = dict.fromkeys(calls, 0)
        for number, assets in enumerate(touched):
            for asset in assets:
                heard, at = calls[asset], place[asset]
                while heard[at][0] < number:
                    at += 1
                place[asset] = at
                delays.append(heard[at][1] - sent[number])
    return delays


def _touched(frame: bytes) -> tuple[str, ...]:
    message = json.loads(frame)
    if "price_changes" in message:
        return tuple(dict.fromkeys(change["asset_id"] for change in message["price_changes"]))
    return (message["asset_id"],) if "bids" in message else ()


def _strategy(listening: Listening) -> Any:
    class Strategy:
        @hookimpl
        def on_book(self, book: Any) -> None:
            listening.on_book(book)

    return Strategy


def _middle(runs: Runs[Outcome]) -> Outcome:
    return sorted(runs.counted, key=lambda run: _micro(run.delays, 990))[len(runs.counted) // 2]


def _growth(run: Outcome) -> float:
    first, *_, last = _quarters(run)
    return _micro(last, 990) / _micro(first, 990)


def _quarters(run: Outcome) -> list[list[int]]:
    """Delays of one strategy, by when their frame was sent."""
    size = len(run.delays) // 4
    return [run.delays[start : start + size] for start in range(0, 4 * size, size)]


def _micro(values: list[int], per_mille: int) -> float:
    return float(quantile(sorted(values), per_mille)) / 1000


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
