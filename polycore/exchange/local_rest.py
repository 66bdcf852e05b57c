"""The exchange's own endpoints under ``/polycore``: status, and the few switches a test bed needs. Not the venue's.

They need no key: the server listens on loopback only and the money is play money.
"""

from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from polycore.errors import VenueRefusal
from polycore.exchange.http import answer, read_body
from polycore.exchange.process import Source
from polycore.exchange.scenarios import Mispricing, NegRiskScenario
from polycore.exchange.service import Service
from polycore.model.ids import MarketId
from polycore.model.money import Money, parse_price


class Resolved(Struct):
    """A market that paid out: what a share of each of its tokens was worth, in millionths of a pUSD."""

    market: str
    slug: str
    payout: tuple[Money, Money]


class MispricingStatus(Struct):
    """One known mispricing of a scenario, with the wall time at which its prices stood, 0 before the start."""

    scenario: str
    truth: Mispricing
    edge: Money


class Status(Struct):
    """What ``GET /polycore/status`` answers; a superset of :class:`polycore.exchange.process.ExchangeStatus`."""

    playing: bool
    done: bool
    progress: float
    speed: float
    sources: tuple[Source, ...]
    mispricings: tuple[MispricingStatus, ...]
    resolved: tuple[Resolved, ...]


class TickBody(Struct, forbid_unknown_fields=True):
    """``POST /polycore/tick``: a market's id and its new tick, as text."""

    market: str
    tick: str


class LocalRest:
    """Handlers of ``/polycore``."""

    def __init__(self, service: Service, licences: dict[str, str], speed: float) -> None:
        self._service = service
        self._licences = licences
        self._speed = speed

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/polycore/status", self._status),
            web.post("/polycore/start", self._start),
            web.post("/polycore/tick", self._tick),
        ]

    async def _status(self, request: web.Request) -> web.Response:
        return answer(self.status())

    async def _start(self, request: web.Request) -> web.Response:
        self._service.start()
        return answer(self.status())

    async def _tick(self, request: web.Request) -> web.Response:
        """Change a market's grid now, as the venue does at 0.96 and 0.04."""
        body = await read_body(request, TickBody)
        market = MarketId(body.market)
        try:
            tick = parse_price(body.tick)
        except ValueError as error:
            raise VenueRefusal(400, str(error)) from None
        if self._service.exchange.listing(market) is None:
            raise VenueRefusal(404, "market not found")
        self._service.exchange.set_tick(market, tick, self._service.now())
        self._service.pump()
        return answer({"market": market, "tick": body.tick})

    def status(self) -> Status:
        """The run so far."""
        playback, now = self._service.playback, self._service.now()
        return Status(
            playing=self._service.started and not playback.finished,
            done=playback.finished,
            progress=playback.progress(now),
            speed=self._speed,
            sources=tuple(
                Source(
                    name=flow.name,
                    kind="recording" if flow.recorded else "scenario",
                    credit=flow.credit,
                    licence=self._licences.get(flow.name, ""),
                    derived=flow.derived,
                    progress=playback.progress(now),
                    ended=playback.finished,
                )
                for flow in playback.flows
            ),
            mispricings=tuple(
                MispricingStatus(flow.name, truth, truth.edge)
                for flow in playback.flows
                if isinstance(flow, NegRiskScenario)
                for truth in flow.mispricings
            ),
            resolved=tuple(
                Resolved(notice.market, self._service.market(notice.market).slug, notice.payout)
                for notice in self._service.resolved
            ),
        )
