"""Markets on offer, from the venue's discovery service, and books over REST.

Owns the meaning of a selector. A neg-risk event counts as complete only where every one of its markets is among those
found and tradable: a basket over a part of an event is a bet, not an arbitrage.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from polycore import (
    AssetId,
    BookSnapshot,
    Clock,
    EventId,
    LinkError,
    Market,
    MarketId,
    MarketStatus,
    Outcome,
    OutcomeUnknown,
    ProtocolViolation,
    Response,
    Transport,
    UsageError,
)
from polycore.venues.polymarket.config import Hosts
from polycore.venues.polymarket.decode import decode_market, fee_schedule
from polycore.venues.polymarket.errors import require_ok
from polycore.venues.polymarket.wire import GammaEvent, GammaMarket, GammaPage, Text

_T = TypeVar("_T")
_PAGE = 100
_BOOKS_PER_REQUEST = 100
_CONDITION_DIGITS = 64
log = logging.getLogger("polycore.venues.polymarket")

_NOTHING_OFFERED = "the venue offers no market; a local exchange has those of its --recording and --scenario options"


class PolymarketCatalogue:
    """Fulfils ``Catalogue``. ``learn`` is told every market found, before ``find`` returns."""

    def __init__(self, hosts: Hosts, transport: Transport, clock: Clock, learn: Callable[[Market], None]) -> None:
        self._hosts = hosts
        self._transport = transport
        self._clock = clock
        self._learn = learn

    async def find(self, selectors: Sequence[str]) -> Sequence[Market]:
        """Markets of every selector, each once, in the order of the selectors. Raises as ``Catalogue.find`` says."""
        found = _Found()
        for selector in selectors:
            before = found.seen
            await self._select(selector, found)
            if found.seen == before:
                raise UsageError(
                    _NOTHING_OFFERED
                    if selector == "*"
                    else f"{selector!r} matches no market of the venue: "
                    "`polycore markets --exchange URL` lists what is offered"
                )
        for slug in found.incomplete_events():
            event = await self._one(f"/events/slug/{quote(slug, safe='')}", GammaEvent)
            if event is not None:
                found.describe(event)
        markets = found.markets()
        for market in markets:
            self._learn(market)
        return markets

    async def books(self, assets: Sequence[AssetId]) -> Sequence[BookSnapshot]:
        """Books over REST, at most 100 a request; a token unknown to the venue is missing. Raises ``LinkError``."""
        found: list[BookSnapshot] = []
        for start in range(0, len(assets), _BOOKS_PER_REQUEST):
            part = assets[start : start + _BOOKS_PER_REQUEST]
            body = msgspec.json.encode([{"token_id": asset} for asset in part])
            response = await self._request("POST", self._hosts.clob + "/books", body)
            events = decode_market(require_ok(response, "POST /books"), self._clock.monotonic())
            found.extend(event for event in events if isinstance(event, BookSnapshot))
        return found

    async def _select(self, selector: str, found: "_Found") -> None:
        kind, _, name = selector.partition(":")
        if selector == "*":
            await self._events({"closed": "false"}, found)
        elif kind == "event" and name:
            event = await self._one(f"/events/slug/{quote(name, safe='')}", GammaEvent)
            if event is not None:
                found.add_event(event)
        elif kind == "tag" and name:
            await self._events({"closed": "false", "tag_slug": name}, found)
        elif selector.startswith("0x"):
            page = await self._page("/markets/keyset", {"condition_ids": selector})
            for market in page.markets or ():
                found.add_named(_decode(market, GammaMarket))
        else:
            named = await self._one(f"/markets/slug/{quote(selector, safe='')}", GammaMarket)
            if named is not None:
                found.add_named(named)

    async def _events(self, filters: dict[str, str], found: "_Found") -> None:
        cursor, seen = "", set[str]()
        while True:
            after = {"after_cursor": cursor} if cursor else {}
            page = await self._page("/events/keyset", {**filters, "limit": str(_PAGE), **after})
            for event in page.events or ():
                found.add_event(event)
            cursor = page.next_cursor or ""
            if not cursor:
                return
            if cursor in seen:
                raise LinkError(f"the event listing repeats its cursor {cursor!r}")
            seen.add(cursor)

    async def _page(self, path: str, query: dict[str, str]) -> GammaPage:
        response = await self._request("GET", f"{self._hosts.gamma}{path}?{urlencode(query)}")
        return _decode(require_ok(response, f"GET {path}"), GammaPage)

    async def _one(self, path: str, kind: type[_T]) -> _T | None:
        """One object, ``None`` where the venue has none of that name."""
        response = await self._request("GET", self._hosts.gamma + path)
        return None if response.status == 404 else _decode(require_ok(response, f"GET {path}"), kind)

    async def _request(self, method: str, url: str, body: bytes | None = None) -> Response:
        headers = {"Content-Type": "application/json"} if body else None
        try:
            return await self._transport.request(method, url, headers=headers, body=body)
        except OutcomeUnknown as error:
            raise LinkError(str(error)) from error


class _Found:
    """Markets collected so far, and the events that say which of them belong together."""

    def __init__(self) -> None:
        self.seen = 0
        self._markets: dict[MarketId, Market] = {}
        self._members: dict[EventId, frozenset[MarketId]] = {}
        self._described: set[EventId] = set()

    def add_event(self, event: GammaEvent) -> None:
        for raw in event.markets or ():
            try:
                market = read_market(_decode(raw, GammaMarket), event)
            except (ProtocolViolation, ValueError) as error:
                log.warning("a market of event %s is left out: %s", event.slug or event.id, error)
                continue
            self._add(market)
        self.describe(event)

    def add_named(self, market: GammaMarket) -> None:
        """Add a market asked for by name: one that cannot be read is an error, not left out."""
        parents = market.events or ()
        try:
            self._add(read_market(market, parents[0] if parents else GammaEvent()))
        except ValueError as error:
            raise ProtocolViolation(f"market {market.slug or market.condition_id} cannot be read: {error}") from error

    def describe(self, event: GammaEvent) -> None:
        """Learn all members of an event. It is never complete with a member that cannot be read, nor when augmented:
        then some of its outcomes are not listed."""
        name = event_id(event)
        if name is None:
            return
        self._described.add(name)
        if event.neg_risk and not event.neg_risk_augmented and event.markets is not None:
            with suppress(ProtocolViolation):
                members = [_decode(raw, GammaMarket) for raw in event.markets]
                self._members[name] = frozenset(market_id(member.condition_id) for member in members)

    def incomplete_events(self) -> list[str]:
        """Neg-risk events of found markets of which only the name is known."""
        named = dict.fromkeys(market.event for market in self._markets.values() if market.event)
        return [event for event in named if event not in self._described]

    def markets(self) -> list[Market]:
        tradable = {market.id for market in self._markets.values() if market.status is MarketStatus.OPEN}
        complete = {event for event, members in self._members.items() if members and members <= tradable}
        return [
            msgspec.structs.replace(market, event_complete=market.event in complete) if market.event else market
            for market in self._markets.values()
        ]

    def _add(self, market: Market | None) -> None:
        if market is not None:
            self.seen += 1
            self._markets.setdefault(market.id, market)


def read_market(market: GammaMarket, event: GammaEvent) -> Market | None:
    """A market of the catalogue; ``None`` for one without tokens yet. Raises ``ValueError`` for nonsense."""
    assets, labels = _assets(market), _texts(market.outcomes)
    if not assets:
        return None
    if len(assets) != 2 or len(labels) != 2:
        raise ValueError(f"{market.slug}: {len(assets)} tokens and {len(labels)} outcomes, expected 2 and 2")
    fees = market.fee_schedule if market.fees_enabled is not False else None
    return Market(
        id=market_id(market.condition_id),
        slug=market.slug,
        question=market.question or "",
        first=Outcome(AssetId(assets[0]), labels[0]),
        second=Outcome(AssetId(assets[1]), labels[1]),
        tick=_units(market.order_price_min_tick_size, 10_000, 100),
        minimum_size=_units(market.order_min_size, 1_000_000, 5_000_000),
        neg_risk=bool(market.neg_risk),
        event=event_id(event) if market.neg_risk else None,
        fee=fee_schedule(fees),
        status=_status(market),
        tags=tuple(dict.fromkeys(tag.slug for tag in (*(event.tags or ()), *(market.tags or ())) if tag.slug)),
        version=market.version or "v1",
        end_time=_nanoseconds(market.end_date),
    )


def market_id(condition: str) -> MarketId:
    """The id that the order side uses: a protocol v2 condition has 62 digits here and is padded to 64 there."""
    digits = condition.removeprefix("0x")
    return MarketId("0x" + digits.ljust(_CONDITION_DIGITS, "0"))


def event_id(event: GammaEvent) -> EventId | None:
    name: Text = event.slug or event.id
    return EventId(str(name)) if name else None


def _assets(market: GammaMarket) -> list[str]:
    """Token ids by the market's version: a v2 market may carry the old field too."""
    return list(market.position_ids or ()) if market.version == "v2" else _texts(market.clob_token_ids)


def _texts(field: str | list[str] | None) -> list[str]:
    """An array of texts, or a text that holds one."""
    if not field:
        return []
    return field if isinstance(field, list) else _decode(field.encode(), list[str])


def _status(market: GammaMarket) -> MarketStatus:
    """Tradable is all four flags together; a resolved market may still say that it accepts orders."""
    if market.uma_resolution_status in ("resolved", "settled") or market.resolution_status == "resolved":
        return MarketStatus.RESOLVED
    if market.closed:
        return MarketStatus.CLOSED
    tradable = market.active and market.accepting_orders and market.enable_order_book
    return MarketStatus.OPEN if tradable else MarketStatus.PAUSED


def _units(number: Decimal | None, scale: int, otherwise: int) -> int:
    if number is None:
        return otherwise
    if not number.is_finite() or not 0 < number < 1_000_000 or number * scale != int(number * scale):
        raise ValueError(f"{number} is not a positive number of 1/{scale}")
    return int(number * scale)


def _nanoseconds(moment: str | None) -> int:
    if not moment:
        return 0
    parsed = datetime.fromisoformat(moment)
    aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def _decode(body: bytes | msgspec.Raw, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolViolation(f"the catalogue's answer cannot be read: {error}") from error
