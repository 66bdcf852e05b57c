"""Gamma, the venue's discovery API, under ``/gamma``: markets, events and tags (venue notes 7).

Owns the paths that a client needs to find markets, and their filters.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
from aiohttp import web

from polycore.errors import VenueRefusal
from polycore.exchange.gamma_records import GammaEvent, GammaMarket, GammaTag, gamma_events, gamma_tags
from polycore.exchange.http import END_CURSOR, answer, page
from polycore.exchange.records import labels
from polycore.exchange.service import Service

T = TypeVar("T")
_LARGEST_PAGE = 100


class Gamma:
    """Handlers of discovery; none needs a key."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/gamma/markets", self._markets),
            web.get("/gamma/markets/keyset", self._markets_keyset),
            web.get("/gamma/markets/slug/{slug}", self._market),
            web.get("/gamma/markets/{id}", self._market),
            web.get("/gamma/events", self._events),
            web.get("/gamma/events/keyset", self._events_keyset),
            web.get("/gamma/events/slug/{slug}", self._event),
            web.get("/gamma/events/{id}", self._event),
            web.get("/gamma/tags", self._tags),
            web.get("/gamma/tags/slug/{slug}", self._tag),
        ]

    async def _markets(self, request: web.Request) -> web.Response:
        return answer(_window(self._find_markets(request), request.query))

    async def _markets_keyset(self, request: web.Request) -> web.Response:
        return _keyset("markets", self._find_markets(request), request.query)

    async def _market(self, request: web.Request) -> web.Response:
        return answer(_one(self._all_markets(), request, lambda market: (market.id, market.slug)))

    async def _events(self, request: web.Request) -> web.Response:
        return answer(_window(self._find_events(request), request.query))

    async def _events_keyset(self, request: web.Request) -> web.Response:
        return _keyset("events", self._find_events(request), request.query)

    async def _event(self, request: web.Request) -> web.Response:
        return answer(_one(self._all_events(), request, lambda event: (event.id, event.slug)))

    async def _tags(self, request: web.Request) -> web.Response:
        return answer(_window(self._all_tags(), request.query))

    async def _tag(self, request: web.Request) -> web.Response:
        return answer(_one(self._all_tags(), request, lambda tag: (tag.id, tag.slug)))

    # ── Finding ───────────────────────────────────────────────────────────────

    def _find_markets(self, request: web.Request) -> list[GammaMarket]:
        filters: dict[str, Callable[[GammaMarket], Sequence[str]]] = {
            "closed": lambda market: (_word(market.closed),),
            "active": lambda market: (_word(market.active),),
            "id": lambda market: (market.id,),
            "slug": lambda market: (market.slug,),
            "condition_ids": lambda market: (market.condition_id,),
            "question_ids": lambda market: (market.question_id,),
            "clob_token_ids": lambda market: msgspec.json.decode(market.clob_token_ids or "[]", type=list[str]),
            "position_ids": lambda market: market.position_ids or (),
            "version": lambda market: (market.version,),
            "tag_id": lambda market: [tag.id for tag in market.tags],
            "tag_slug": lambda market: [tag.slug for tag in market.tags],
            "uma_resolution_status": lambda market: (market.uma_resolution_status or "",),
        }
        return [market for market in self._all_markets() if _passes(market, filters, request)]

    def _find_events(self, request: web.Request) -> list[GammaEvent]:
        filters: dict[str, Callable[[GammaEvent], Sequence[str]]] = {
            "closed": lambda event: (_word(event.closed),),
            "active": lambda event: (_word(event.active),),
            "id": lambda event: (event.id,),
            "slug": lambda event: (event.slug,),
            "tag_id": lambda event: [tag.id for tag in event.tags],
            "tag_slug": lambda event: [tag.slug for tag in event.tags],
        }
        return [event for event in self._all_events() if _passes(event, filters, request)]

    def _all_markets(self) -> list[GammaMarket]:
        return [market for event in self._all_events() for market in event.markets]

    def _all_events(self) -> list[GammaEvent]:
        return gamma_events(self._service.display, self._service.exchange.listings)

    def _all_tags(self) -> list[GammaTag]:
        known = labels(self._service.exchange.listings)
        return list(gamma_tags(known, known))


def _word(value: bool) -> str:
    return "true" if value else "false"


def _passes(item: T, filters: Mapping[str, Callable[[T], Sequence[str]]], request: web.Request) -> bool:
    for name, values in filters.items():
        wanted = {text for value in request.query.getall(name, []) for text in value.split(",")}
        if wanted and wanted.isdisjoint(values(item)):
            return False
    return True


def _one(items: Sequence[T], request: web.Request, names: Callable[[T], Sequence[str]]) -> T:
    """The item that the path names by id or by slug. Raises ``VenueRefusal`` 404."""
    by_slug = "slug" in request.match_info
    wanted = request.match_info["slug" if by_slug else "id"]
    for item in items:
        if names(item)[1 if by_slug else 0] == wanted:
            return item
    raise VenueRefusal(404, "not found")


def _window(items: Sequence[T], query: Mapping[str, str]) -> Sequence[T]:
    """The bare array of the older listings: ``limit`` items from ``offset``."""
    start, size = _count(query, "offset", 0), _count(query, "limit", _LARGEST_PAGE)
    return items[start : start + size]


def _keyset(name: str, items: Sequence[object], query: Mapping[str, str]) -> web.Response:
    """A page of the newer listings; ``next_cursor`` is missing on the last."""
    size = min(max(1, _count(query, "limit", _LARGEST_PAGE)), _LARGEST_PAGE)
    found, cursor = page(items, query.get("after_cursor", ""), size)
    body: dict[str, object] = {name: found}
    return answer(body if cursor == END_CURSOR else body | {"next_cursor": cursor})


def _count(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, str(otherwise))
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise VenueRefusal(400, f"invalid {name}")
    return number
