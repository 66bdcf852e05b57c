"""``polycore markets``: markets on offer, of the bundled recordings or of a running exchange.

Owns the listing only. A running exchange is asked through the venue's own catalogue, found by its name.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from msgspec import Struct

from polycore.cli.arguments import json_option, settings_option
from polycore.cli.display import clean, print_json, print_table
from polycore.errors import UsageError
from polycore.hooks.manager import PluginManager
from polycore.model.market import Market
from polycore.model.money import format_price, format_size
from polycore.recordings import list_recordings
from polycore.settings import Settings, load_settings


class MarketLine(Struct, frozen=True):
    """One market. ``source`` is the recording or the exchange that offers it."""

    slug: str
    question: str
    outcomes: tuple[str, str]
    tick: str
    minimum_size: str
    status: str
    event: str | None
    tags: tuple[str, ...]
    id: str
    assets: tuple[str, str]
    source: str


@click.command()
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option("--exchange", "url", metavar="URL", help="Ask a running local exchange, such as http://127.0.0.1:8930.")
@settings_option
@json_option
def markets(selectors: tuple[str, ...], url: str | None, settings_path: Path | None, as_json: bool) -> None:
    """List markets: a slug, a market id, event:SLUG, tag:NAME, or * for all, which is the default.

    Without --exchange those of the bundled recordings.
    """
    wanted = selectors or ("*",)
    if url is None:
        lines = list(_recorded(wanted))
    else:
        settings = load_settings(settings_path)
        lines = [_line(market, url) for market in asyncio.run(_offered(settings, url, wanted))]
    if as_json:
        print_json(lines)
    else:
        rows = [
            (line.slug, clean(line.question), " / ".join(map(clean, line.outcomes)), line.tick, line.minimum_size,
             line.status, line.source)
            for line in lines
        ]  # fmt: skip
        print_table(("MARKET", "QUESTION", "OUTCOMES", "TICK", "MINIMUM", "STATUS", "FROM"), rows)


def _recorded(selectors: Sequence[str]) -> Iterator[MarketLine]:
    offered = [(market.market, recording.name) for recording in list_recordings() for market in recording.markets]
    for selector in selectors:
        if not any(_selects(selector, market) for market, _ in offered):
            raise UsageError(f"no market of the bundled recordings matches {selector}; polycore markets lists them all")
    for market, recording in offered:
        if any(_selects(selector, market) for selector in selectors):
            yield _line(market, recording)


def _selects(selector: str, market: Market) -> bool:
    kind, _, name = selector.partition(":")
    if kind == "tag":
        return name in market.tags
    if kind == "event":
        return name == market.event
    return selector in ("*", market.slug, market.id)


async def _offered(settings: Settings, url: str, selectors: Sequence[str]) -> Sequence[Market]:
    manager = PluginManager()
    manager.load([settings.venue.name])
    venue = manager.venue(settings, exchange=url, network="local")
    try:
        return await venue.catalogue.find(selectors)
    finally:
        await venue.close()


def _line(market: Market, source: str) -> MarketLine:
    return MarketLine(
        slug=market.slug,
        question=market.question,
        outcomes=(market.first.label, market.second.label),
        tick=format_price(market.tick),
        minimum_size=format_size(market.minimum_size),
        status=market.status.value,
        event=market.event,
        tags=market.tags,
        id=market.id,
        assets=market.assets,
        source=source,
    )
