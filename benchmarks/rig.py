"""The core, put together as the app does it, around the made-up stream.

Owns the joining alone: every part is the shipped one.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import pluggy
from msgspec import Struct

from benchmarks.stream import Stream, Token
from polycore import (
    AssetId,
    BookDelta,
    CacheView,
    Context,
    Market,
    MarketId,
    Outcome,
    OwnOrders,
    WallClock,
)
from polycore.cache.cache import GlobalMarketCache
from polycore.cache.links import Link
from polycore.dispatch.dispatcher import Dispatcher
from polycore.dispatch.routes import bind_calls
from polycore.hooks import specs
from polycore.hooks.binding import bind
from polycore.hooks.markers import PROJECT
from polycore.model.money import SIZES
from polycore.venues.polymarket.channels import MarketChannel

NO_ADDRESS = "ws://127.0.0.1:1"


class Fed(Struct):
    """A cache that has heard the opening of a stream over one link."""

    cache: GlobalMarketCache
    link: Link
    channel: MarketChannel


def markets(tokens: Sequence[Token]) -> list[Market]:
    pairs = zip(tokens[::2], tokens[1::2], strict=True)
    return [
        Market(
            MarketId(yes.market), f"market-{number}", "?",
            Outcome(AssetId(yes.asset), "Yes"), Outcome(AssetId(no.asset), "No"), tick=10,
        )
        for number, (yes, no) in enumerate(pairs)
    ]  # fmt: skip


def fed(stream: Stream) -> Fed:
    """Every book LIVE. Sizes are known as far as the opening shows them."""
    SIZES.clear()
    cache, channel = GlobalMarketCache(WallClock()), MarketChannel(NO_ADDRESS)
    for market in markets(stream.tokens):
        cache.add(market)
    link = Link("market-1", "market", 1, 0)
    cache.books.subscribed(link, [AssetId(token.asset) for token in stream.tokens])
    feed(Fed(cache, link, channel), stream.opening)
    return Fed(cache, link, channel)


def feed(to: Fed, frames: Sequence[bytes]) -> None:
    """The market path and nothing else: what ``Dispatcher.receive`` does with the market events of each frame."""
    decode, link, delta, apply = to.channel.decode, to.link, to.cache.delta, to.cache.apply
    touched: set[object] = set()
    for frame in frames:
        for event in decode(frame, 1):
            if type(event) is BookDelta:
                delta(event, link, touched)  # type: ignore[arg-type]
            else:
                apply(event, link, touched)  # type: ignore[arg-type]


def dispatcher(
    cache: GlobalMarketCache,
    strategies: Sequence[object],
    schedule: Callable[[Callable[[], None]], object] | None = None,
) -> Dispatcher:
    """A dispatcher whose strategies hear every token of the cache; their hooks are bound as a plugin's are."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    clock = WallClock()
    made = Dispatcher(
        cache,
        clock,
        submit=lambda strategy, intents, returned: None,
        schedule=schedule or (lambda call: asyncio.get_running_loop().call_soon(call)),
    )
    assets = [book.asset for book in cache.books]
    for number, strategy in enumerate(strategies):
        name = f"strategy-{number}"
        manager.register(strategy, name)
        context = Context(
            name=name,
            config=None,
            cache=CacheView(cache),
            orders=OwnOrders(cache, name),
            inventory=cache.inventory(name),
            clock=clock,
            log=logging.LoggerAdapter(logging.getLogger(name), {}),
            emit=lambda intents, name=name: made.emit(name, intents),  # type: ignore[misc]
        )
        made.add(name, context, bind_calls(lambda hook, strategy=strategy: bind(manager, strategy, hook)))  # type: ignore[misc]
        made.select(name, assets)
    return made
