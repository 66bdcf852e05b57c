"""Bar 1: bytes → decoded → both tokens' books → touch known and proven, beside ``orjson.loads`` of the same frames.

Rounds alternate in one process; the figure is the median of their ratios. Each round begins with fresh books and with
the sizes of the opening alone, so that new sizes cost what they cost in life.
"""

import gc
import statistics
import time

import orjson

from benchmarks import rig, stream
from benchmarks.report import Bar, at_most
from polycore import AssetId, BookState, parse_price, parse_size

ROUNDS = 15
BAR = 2.2


def measure() -> list[Bar]:
    """The bar on time."""
    made = stream.make()
    check(made)
    rounds = []
    for _ in range(ROUNDS):
        floor = _timed(_floor, made.frames)
        to = rig.fed(made)
        rounds.append((floor, _timed(lambda frames, to=to: rig.feed(to, frames), made.frames)))
    ratio = statistics.median(ours / floor for floor, ours in rounds)
    floor, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    return [
        at_most(
            "market path, both books proven",
            ratio, BAR, "× orjson.loads",
            us_a_frame=ours / 1000, orjson_us_a_frame=floor / 1000, frames=len(made.frames),
            bytes_a_frame=round(made.average_bytes),
        )
    ]  # fmt: skip


def check(made: stream.Stream) -> None:
    """Every level of every book equals a plain reference, every touch is exact, every proof agrees."""
    to = rig.fed(made)
    rig.feed(to, made.frames)
    for asset, (bids, asks) in stream.reference(made).items():
        book = to.cache.get(AssetId(asset))
        assert book is not None
        wanted_bids, wanted_asks = (
            {parse_price(price): parse_size(size) for price, size in side.items()} for side in (bids, asks)
        )
        assert (book.bids, book.asks) == (wanted_bids, wanted_asks), f"book of {asset} differs from the reference"
        bid, ask = max(wanted_bids), min(wanted_asks)
        assert book.best == (bid, wanted_bids[bid], ask, wanted_asks[ask]), f"touch of {asset}"
        assert book.state is BookState.LIVE, f"{asset}: {book.cause}"
    proof = to.cache.books.proof
    changed = sum(b'"price_changes"' in frame for frame in made.frames)
    assert proof.checked == proof.agreed == 2 * changed, "both tokens of every change are proven by their best quotes"
    assert proof.mirror_checked == proof.mirror_agreed == changed, "and by their mirror"


def _floor(frames: list[bytes]) -> None:
    loads = orjson.loads
    for frame in frames:
        loads(frame)


def _timed(work, frames: list[bytes]) -> float:
    """Nanoseconds a frame."""
    gc.collect()
    began = time.perf_counter_ns()
    work(frames)
    return (time.perf_counter_ns() - began) / len(frames)
