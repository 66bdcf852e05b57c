"""``polycore exchange``: serve the local exchange by itself, for any client of the venue.

Owns the command line of the exchange alone; what it serves is built in ``polycore.exchange.server``.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import click
import msgspec

from polycore.exchange.eip712 import parse_address
from polycore.exchange.server import DEFAULT_PORT, SCENARIOS, ExchangeServer, ServeOptions
from polycore.model.money import Money, parse_money


def _read_funds(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, Money]:
    funds = {}
    for text in texts:
        address, _, amount = text.partition("=")
        try:
            parse_address(address)
            funds[address] = parse_money(amount)
        except ValueError as error:
            raise click.BadParameter(f"{error}; expected ADDRESS=AMOUNT in pUSD, such as 0x…=250.5") from None
    return funds


@click.group()
def exchange() -> None:
    """The local exchange: real matching on the venue's own protocol, with play money."""


@exchange.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--recording", "recordings", multiple=True, metavar="NAME|PATH", help="Play a recording. Repeatable.")
@click.option(
    "--scenario", "scenarios", multiple=True, type=click.Choice(SCENARIOS), help="Play a seeded scenario. Repeatable."
)
@click.option("--seed", default=1, show_default=True, help="Seed of scenarios and of made-up ids.")
@click.option("--speed", default=1.0, show_default=True, help="How much faster the gaps between recorded events pass.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep accounts, keys and balances in this file over restarts.",
)
@click.option(
    "--fund",
    "funds",
    multiple=True,
    metavar="ADDRESS=AMOUNT",
    callback=_read_funds,
    help="Set an address's pUSD (default 1000). Repeatable.",
)
@click.option("--until-end", is_flag=True, help="Stop when everything has been played.")
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append one JSON line for each order, cancel, login and channel event.",
)
@click.option(
    "--with-parent", is_flag=True, help="Stop when standard input ends: a parent holds the other end of the pipe."
)
def serve(
    host: str,
    port: int,
    recordings: tuple[str, ...],
    scenarios: tuple[str, ...],
    seed: int,
    speed: float,
    state: Path | None,
    funds: dict[str, Money],
    until_end: bool,
    log: Path | None,
    with_parent: bool,
) -> None:
    """Serve the exchange until interrupted.

    Prints one JSON line when it answers: url, recordings, scenarios. Recorded flow starts with the first subscription
    to the market channel (or POST /polycore/start), so that no client misses the beginning.
    """
    options = ServeOptions(
        host=host,
        port=port,
        recordings=recordings,
        scenarios=scenarios,
        seed=seed,
        speed=speed,
        state=state,
        log=log,
        funds=funds,
        until_end=until_end,
    )
    asyncio.run(_serve(options, with_parent))


async def _serve(options: ServeOptions, with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        threading.Thread(target=_watch_parent, args=(loop, stop), daemon=True).start()
    async with ExchangeServer(options) as server:
        click.echo(msgspec.json.encode(server.ready))
        await server.serve(stop)


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when standard input ends: it does when whoever holds the pipe's other end is gone, however that came."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: it stopped by itself
        loop.call_soon_threadsafe(stop.set)
