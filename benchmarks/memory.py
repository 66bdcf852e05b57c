"""What 10,000 books of 100 levels a side take, and what a full collection costs then.

Measured in a process of its own, fed through the real decoder. Memory is what the process grew by, in pages the system
gave it: what the machine pays, fragments included. Every size is of its own, the dearest case: in life books share the
integers of sizes that were met before. What Python's allocator hands out for it (tracemalloc, in a second process,
because tracing slows and swells the first) is beside it. The pause is the first full collection after what the app does
at warm-up and 10,000 further changes.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from benchmarks import rig, stream
from benchmarks.quiet import resident
from benchmarks.report import Bar, at_most
from polycore import AssetId, WallClock
from polycore.app import freeze_garbage
from polycore.cache.book import Book
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore.venues.polymarket.channels import MarketChannel

BOOKS, LEVELS = 10_000, 100
KILOBYTES, MILLISECONDS = 25.0, 10.0
_CHANGES = 10_000
_ROOT = Path(__file__).parent.parent


def measure() -> list[Bar]:
    """The bar on memory and the bar on the pause."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream"
        made = stream.make(_CHANGES, BOOKS, (LEVELS, LEVELS))
        path.write_bytes(b"\n".join([json.dumps(made.tokens).encode(), *_own_sizes(made.opening), *made.frames]))
        plain, traced = _measured(path), _measured(path, "traced")
    return [
        at_most(
            "memory a book, 10,000 of 100 levels a side", plain["resident"] / BOOKS / 1000, KILOBYTES, "kB",
            by_tracemalloc=traced["traced"] / BOOKS / 1000, megabytes_of_all=plain["resident"] / 1e6,
        ),
        at_most(
            "the same: full collection after the warm-up", plain["pause"] / 1e6, MILLISECONDS, "ms",
            without_freezing=plain["unfrozen"] / 1e6,
        ),
    ]  # fmt: skip


def _own_sizes(opening: list[bytes]) -> Iterator[bytes]:
    """The same books with a size at each level that no other has."""
    number = 0
    for frame in opening:
        book = json.loads(frame)
        for level in book["bids"] + book["asks"]:
            number += 1
            level["size"] = f"{1_000 + number}.{number % 100:02}"
        yield json.dumps(book, separators=(",", ":")).encode()


def _measured(path: Path, *more: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(path), *more],
        cwd=_ROOT, env=os.environ | {"PYTHONHASHSEED": "0"}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _main(path: str, traced: bool) -> None:
    with Path(path).open("rb") as lines:
        tokens = [stream.Token(*token) for token in json.loads(next(lines))]
        cache, channel, link = GlobalMarketCache(WallClock()), MarketChannel(rig.NO_ADDRESS), Link("m", "market", 1, 0)
        markets = rig.markets(tokens)
        # The growth begins before the books: identifiers that markets hold anyway are not theirs.
        gc.collect()
        if traced:
            tracemalloc.start()
        before, allocated = resident(), tracemalloc.get_traced_memory()[0]
        for market in markets:
            cache.add(market)
        cache.books.subscribed(link, [AssetId(token.asset) for token in tokens])
        touched: set[Book] = set()
        for _ in tokens:
            _apply(cache, channel, link, next(lines), touched)
        touched = set()
        gc.collect()
        found = {"resident": resident() - before, "traced": tracemalloc.get_traced_memory()[0] - allocated}
        _check(cache)
        if not traced:
            found["unfrozen"] = _collection()
            freeze_garbage()
            for line in lines:
                _apply(cache, channel, link, line, touched)
                touched.clear()
            found["pause"] = _collection()
            assert cache.books.proof.checked == cache.books.proof.agreed > 0
    print(json.dumps(found))


def _apply(cache: GlobalMarketCache, channel: MarketChannel, link: Link, line: bytes, touched: set[Book]) -> None:
    for event in channel.decode(line, 1):
        cache.apply(event, link, touched)


def _check(cache: GlobalMarketCache) -> None:
    books = list(cache.books)
    assert len(books) == BOOKS, f"{len(books)} books"
    for book in books:
        assert book.live, f"{book.asset}: {book.cause}"
        assert len(book.bids) == len(book.asks) == LEVELS, f"{len(book.bids)} and {len(book.asks)} levels"


def _collection() -> int:
    began = time.perf_counter_ns()
    gc.collect()
    return time.perf_counter_ns() - began


if __name__ == "__main__":
    _main(sys.argv[1], "traced" in sys.argv)
