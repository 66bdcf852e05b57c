"""From the start of a run to the last of 3,000 books LIVE: fifteen sockets, an opening array of 200 books on each.

The sockets connect as far apart as a run on the local exchange has them; on the venue itself their gap is a second.
"""

import asyncio
import time
from typing import Any

from benchmarks import stream, whole
from benchmarks.quiet import repeated
from benchmarks.report import Bar, at_most
from polycore import AssetId, hookimpl, parse_price, parse_size

ASSETS, SOCKETS, LEVELS = 3_000, 15, 100
SECONDS = 10.0
_LONGEST_SECONDS = 60


class Deaf:
    """Hears every book and does nothing."""

    @hookimpl
    def on_book(self, book: Any) -> None: ...


def measure() -> list[Bar]:
    """The bar on the opening."""
    made = stream.make(0, ASSETS, (LEVELS, LEVELS))
    wanted = stream.reference(made)
    with whole.feeder(made) as feeder:
        runs = repeated(lambda: _run(feeder, made, wanted))
    return [
        at_most(
            "3,000 books of 100 levels a side over 15 sockets, all LIVE",
            runs.median(lambda run: run), SECONDS, "s",
            runs=runs.each(lambda run: run), megabytes=sum(map(len, made.opening)) / 1e6, others=runs.company,
        )
    ]  # fmt: skip


def _run(feeder: whole.Feeder, made: stream.Stream, wanted: Any) -> float:
    with asyncio.Runner(loop_factory=whole.loop_factory()) as runner:
        return runner.run(_opened(feeder, made, wanted))


async def _opened(feeder: whole.Feeder, made: stream.Stream, wanted: Any) -> float:
    began = time.monotonic()
    async with whole.run(feeder.url, whole.markets_of(made), {"feed": Deaf}) as app:
        await whole.until_live(app, _LONGEST_SECONDS)
        taken = time.monotonic() - began
        used = {link.name for asset in wanted if (link := app.books.link(AssetId(asset))) is not None}
        assert len(used) == SOCKETS, f"{len(used)} sockets"
        for asset, sides in wanted.items():
            book = app.cache.get(AssetId(asset))
            assert book is not None
            for levels, texts in zip((book.bids, book.asks), sides, strict=True):
                assert levels == {parse_price(price): parse_size(size) for price, size in texts.items()}, asset
                assert len(levels) == LEVELS, f"{len(levels)} levels"
        assert app.reconnects == 0
    return taken
