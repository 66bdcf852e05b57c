"""``polycore run``: trade with the named plugins until the recording ends, the time is up, or Ctrl-C.

Owns the command line of a run, its signals and what it shows. The run itself is ``polycore.app``.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import SimpleQueue

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler

from polycore.app import App, prepare, refuse_network
from polycore.cli.arguments import PluginNames, plugin_options, plugins_option, settings_option
from polycore.cli.duration import DURATION
from polycore.cli.report import Summary, book_states, plain_line, screen, summarise, summary_lines
from polycore.errors import LinkError, UsageError
from polycore.exchange.process import ExchangeStatus, LocalExchange
from polycore.model.intents import StopReason
from polycore.settings import Settings, load_settings

DEFAULT_SOURCES = "btc-updown-15m,neg-risk"
_SCENARIOS = frozenset({"neg-risk"})
_PLAIN_EVERY_SECONDS = 5.0
_LOOK_SECONDS = 0.5
_EXIT = {StopReason.FINISHED: 0, StopReason.INTERRUPTED: 0, StopReason.TRIPPED: 1, StopReason.FAILED: 1}

log = logging.getLogger("polycore.cli")


class Options(Struct, frozen=True):
    """What the command line says beside the settings. ``seconds`` is ``None`` for no limit of time."""

    exchange: str | None
    seconds: float | None
    summary: Path | None
    seed: int
    plain: bool


@click.command()
@plugins_option
@click.option("--without", type=PluginNames(), metavar="NAMES", help="Plugins of the settings' list to leave out.")
@settings_option
@click.option("--network", help="Which exchange to trade on: local (paper and mainnet are refused in this version).")
@click.option(
    "--recording", metavar="A,B", help=f"Recordings and scenarios to play, by name or path. Default: {DEFAULT_SOURCES}."
)
@click.option("--speed", type=float, help="How much faster the gaps between recorded events pass. Default: 6.")
@click.option("--seed", type=int, help="Seed of the scenarios. Default: 1.")
@click.option("--exchange", metavar="URL", help="Trade on a local exchange that is already running.")
@click.option("--for", "duration", type=DURATION, help="Stop after this long: 20s, 15m, 2h.")
@click.option(
    "--summary", type=click.Path(dir_okay=False, path_type=Path), help="Write the summary to this file as JSON."
)
@click.option("--plain", is_flag=True, help="Plain lines even on a terminal.")
def run(
    plugins: tuple[str, ...] | None,
    without: tuple[str, ...] | None,
    settings_path: Path | None,
    network: str | None,
    recording: str | None,
    speed: float | None,
    seed: int | None,
    exchange: str | None,
    duration: int | None,
    summary: Path | None,
    plain: bool,
) -> int:
    """Trade with plugins on recorded and simulated markets.

    Without --exchange a local exchange is started as a child process and plays the recordings; the run ends with them.
    Ctrl-C stops quoting, cancels what rests, verifies it and reports, within 10 seconds.
    """
    played = {"--recording": recording, "--speed": speed, "--seed": seed}
    if exchange is not None and (vain := [name for name, value in played.items() if value is not None]):
        raise UsageError(f"{', '.join(vain)} with --exchange: what a running exchange plays was said when it started")
    given = {
        "venues.polymarket.network": ("--network", network),
        "venues.polymarket.recording": ("--recording", recording),
        "run.speed": ("--speed", speed),
    }
    chosen = plugin_options(plugins) | {path: pair for path, pair in given.items() if pair[1] is not None}
    faults: list[str] = []
    settings = load_settings(settings_path, options=chosen, faults=faults)
    options = Options(
        exchange, None if duration is None else duration / 1e9, summary, 1 if seed is None else seed, plain
    )
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        reason = runner.run(_run(settings, without or (), faults, options))
    return _EXIT[reason]


async def _run(settings: Settings, without: Sequence[str], faults: list[str], options: Options) -> StopReason:
    refuse_network(settings)
    _check_writable(options.summary)
    plugins = prepare(settings, without, faults)
    console = Console()
    live_view = console.is_terminal and not options.plain
    exchange = LocalExchange(options.exchange, _exchange_arguments(settings, options))
    with _logging_to(console if live_view else None):
        try:
            await exchange.start()
            app = App(settings, plugins, exchange)
            return await _trade(app, options, console, live_view)
        finally:
            await exchange.stop()


async def _trade(app: App, options: Options, console: Console, live_view: bool) -> StopReason:
    began = time.monotonic()
    watch = _Watch(app, began, console, live_view)
    restore = _on_signals(lambda: app.end(StopReason.INTERRUPTED))
    reason, states = StopReason.FAILED, {}
    try:
        with watch:
            try:
                await app.start()
                reason = await app.run(options.seconds, watch.tick)
            finally:
                states = book_states(app)
                await watch.look()
                await app.stop(reason)
    finally:
        restore()
    if app.open_at_end is None:
        # Orders may rest at the venue: whoever started this run must look.
        reason = StopReason.FAILED
    summary = summarise(app, watch.status, time.monotonic() - began, reason, states)
    for line in summary_lines(summary):
        click.echo(line)
    if options.summary is not None:
        _write(options.summary, summary)
    return reason


class _Watch:
    """Looks at the exchange and shows the run: a live screen on a terminal, plain lines elsewhere."""

    def __init__(self, app: App, began: float, console: Console, live_view: bool) -> None:
        self.status = ExchangeStatus()
        self._app = app
        self._began = began
        self._next_line = 0.0
        self._live = Live(console=console, auto_refresh=False, transient=True) if live_view else None

    def __enter__(self) -> "_Watch":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    async def tick(self, app: App) -> bool:
        """Show the present state; whether everything there was to play has been played."""
        await self.look()
        seconds = time.monotonic() - self._began
        if self._live is not None:
            self._live.update(screen(app, self.status, seconds), refresh=True)
        elif seconds >= self._next_line:
            self._next_line = seconds + _PLAIN_EVERY_SECONDS
            click.echo(plain_line(app, self.status, seconds))
        if not app.exchange.running:
            log.error("the local exchange ended by itself")
            app.end(StopReason.FAILED)
        return self.status.done

    async def look(self) -> None:
        """Read the exchange's status; one that cannot be read soon leaves the last one standing."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                self.status = await self._app.exchange.status()
        except (LinkError, TimeoutError) as error:
            log.debug("%s", error or "the exchange's status takes too long")


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop when the extra ``fast`` is installed: half the CPU of a light load."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


def _exchange_arguments(settings: Settings, options: Options) -> list[str]:
    arguments = ["--port", "0", "--speed", f"{settings.run.speed:g}", "--seed", str(options.seed)]
    for source in _names(settings.venue.recording or DEFAULT_SOURCES):
        arguments += ["--scenario" if source in _SCENARIOS else "--recording", source]
    return arguments


def _on_signals(end: Callable[[], None]) -> Callable[[], None]:
    """Call ``end`` on the first Ctrl-C or SIGTERM; returns how to undo it."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, end)

    def restore() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    return restore


@contextlib.contextmanager
def _logging_to(console: Console | None) -> Iterator[None]:
    """Log to standard error, or above the live screen, from a thread: a slow terminal must not hold up the loop."""
    handler: logging.Handler
    if console is None:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    else:
        handler = RichHandler(console=console, show_path=False, markup=False, log_time_format="%H:%M:%S")
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    writer = QueueListener(queue, handler)
    root = logging.getLogger("polycore")
    before = root.level, root.handlers[:], root.propagate
    root.setLevel(min(root.level or logging.INFO, logging.INFO))
    root.handlers[:], root.propagate = [QueueHandler(queue)], False
    writer.start()
    try:
        yield
    finally:
        writer.stop()
        root.setLevel(before[0])
        root.handlers[:], root.propagate = before[1], before[2]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _check_writable(path: Path | None) -> None:
    if path is not None and not path.resolve().parent.is_dir():
        raise UsageError(f"--summary {path}: there is no folder {path.parent}")


def _write(path: Path, summary: Summary) -> None:
    text = msgspec.json.format(msgspec.json.encode(summary), indent=2)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("wb"))
        except OSError as error:
            raise UsageError(f"--summary {path} cannot be written: {error.strerror}") from error
        file.write(text + b"\n")
