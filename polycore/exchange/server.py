"""The local exchange as a process: builds it from its options, listens on loopback, stops when told.

Owns the composition of the exchange's server side and its life. Everything that the venue spreads over hosts is under
one address here: the CLOB at ``/``, the channels at ``/ws/…``, Gamma at ``/gamma``, the relayer at ``/relayer``.
"""

import asyncio
import ipaddress
import math
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

from aiohttp import web
from msgspec import Struct

from polycore.clock import Clock, WallClock
from polycore.errors import UsageError
from polycore.exchange.account_rest import AccountRest
from polycore.exchange.channels import Channels
from polycore.exchange.eip712 import parse_address
from polycore.exchange.exchange import Exchange
from polycore.exchange.gamma import Gamma
from polycore.exchange.http import answer, refusals
from polycore.exchange.local_rest import LocalRest
from polycore.exchange.playback import Flow, Playback
from polycore.exchange.recorded import RecordedFlow
from polycore.exchange.rest import PublicRest
from polycore.exchange.scenarios import NegRiskScenario
from polycore.exchange.service import Service
from polycore.exchange.state import StateKeeper, load_state, new_state
from polycore.exchange.traffic import TrafficLog
from polycore.exchange.values import Address, ExchangeSettings
from polycore.model.money import Money
from polycore.recordings import load_recording

DEFAULT_PORT = 8930
SCENARIOS = ("neg-risk",)
_SCENARIO_LENGTH = 150_000_000_000
_SHUTDOWN_SECONDS = 1.0


class ServeOptions(Struct, frozen=True):
    """What ``polycore exchange serve`` was asked for. ``port`` 0 takes a free one.

    ``flows`` are sources made by the caller, beside those named; ``settings`` the exchange's own times.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    recordings: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    seed: int = 1
    speed: float = 1.0
    state: Path | None = None
    log: Path | None = None
    funds: dict[Address, Money] = {}
    until_end: bool = False
    flows: tuple[Flow, ...] = ()
    settings: ExchangeSettings = ExchangeSettings()


class Ready(Struct, frozen=True):
    """The line that ``serve`` prints when it answers: where, and what it plays."""

    url: str
    ready: bool
    recordings: tuple[str, ...]
    scenarios: tuple[str, ...]


class ExchangeServer:
    """A served exchange. Use it as an async context: inside, ``url`` answers.

    Raises ``UsageError`` for an address that is not loopback, a port in use, a state file that cannot be read, and
    ``RecordingError`` for a recording that cannot be played.
    """

    def __init__(self, options: ServeOptions, clock: Clock | None = None) -> None:
        self.options = options
        self.url = ""
        self._clock = clock or WallClock()
        self._stack = AsyncExitStack()
        self._work: list[asyncio.Task[None]] = []
        self.service = self._build()
        self._keeper = StateKeeper(options.state, self.service.saved)
        self._channels = Channels(self.service)
        self.service.on_change = self._keeper.changed

    async def __aenter__(self) -> "ExchangeServer":
        async with AsyncExitStack() as stack:
            stack.callback(self.service.log.close)
            await self._keeper.flush()
            listener = _listen(self.options.host, self.options.port)
            stack.callback(listener.close)
            runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.SockSite(runner, listener).start()
            stack.push_async_callback(self._channels.close)
            stack.push_async_callback(self._keeper.flush)
            self._work = [asyncio.create_task(self.service.run()), asyncio.create_task(self._keeper.run())]
            stack.push_async_callback(_end, self._work)
            host, port = listener.getsockname()[:2]
            self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def ready(self) -> Ready:
        """The line that says so."""
        return Ready(self.url, True, self.options.recordings, self.options.scenarios)

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set or, with ``until_end``, everything has been played.

        Raises what the exchange raised.
        """
        waits = [asyncio.create_task(stop.wait())]
        if self.options.until_end:
            waits.append(asyncio.create_task(self.service.ended.wait()))
        done, _ = await asyncio.wait([*waits, *self._work], return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        for task in done:
            task.result()

    def _build(self) -> Service:
        options = self.options
        _check_host(options.host)
        log = TrafficLog(options.log, self._clock)
        recordings = [load_recording(name) for name in options.recordings]
        self._licences = {recording.name: recording.licence for recording in recordings}
        recorded = [RecordedFlow(recording) for recording in recordings]
        wall = [int(flow.length / options.speed) for flow in recorded] if 0 < options.speed < math.inf else []
        length = max(wall, default=_SCENARIO_LENGTH)
        flows: Sequence[Flow] = [
            *recorded,
            *(self._scenario(name, length) for name in options.scenarios),
            *options.flows,
        ]
        exchange = Exchange(random=Random(options.seed), settings=options.settings)
        playback = Playback(exchange, flows, speed=options.speed)
        state = load_state(options.state) if options.state else new_state()
        return Service(exchange, playback, clock=self._clock, log=log, state=state, funds=options.funds)

    def _scenario(self, name: str, length: int) -> NegRiskScenario:
        if name not in SCENARIOS:
            raise UsageError(f"no scenario is called {name!r}; there are {', '.join(SCENARIOS)}")
        return NegRiskScenario(self.options.seed, length)

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[refusals])
        parts = (
            PublicRest(self.service),
            AccountRest(self.service, self._keeper),
            Gamma(self.service),
            LocalRest(self.service, self._licences, self.options.speed),
            self._channels,
        )
        for part in parts:
            app.add_routes(part.routes())
        app.add_routes([web.get("/relayer/deployed", self._deployed)])
        return app

    async def _deployed(self, request: web.Request) -> web.Response:
        """The relayer's answer whether a wallet's contract exists."""
        try:
            parse_address(request.query.get("address", ""))
        except ValueError:
            return answer({"error": "invalid address"}, status=400)
        return answer({"deployed": self.service.is_deployed(request.query["address"])})


def _check_host(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UsageError(f"the exchange listens on loopback only, got host {host!r}: use 127.0.0.1")


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ``UsageError`` when the port is taken."""
    address = "127.0.0.1" if host == "localhost" else host
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        cure = "stop what uses it, or choose another with --port (0 takes a free one)"
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}; {cure}") from None
    listener.setblocking(False)
    return listener


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
