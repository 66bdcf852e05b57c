"""What the HTTP sides of the exchange share: answers, refusals, pages and the check of signed requests.

Owns the envelopes. Must not know a path or decide anything about orders.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
from aiohttp import web

from polycore.errors import VenueRefusal
from polycore.exchange.auth import Credentials, read_request
from polycore.exchange.service import Service
from polycore.exchange.wire import encode

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SignedHandler = Callable[[web.Request, Credentials], Awaitable[web.StreamResponse]]
T = TypeVar("T")

END_CURSOR = "LTE="
"""base64 of ``-1``: there are no more pages (venue notes 4.4)."""


def answer(body: object, *, status: int = 200) -> web.Response:
    """A JSON answer; ``body`` is anything that msgspec encodes."""
    return raw_answer(encode(body), status=status)


def raw_answer(body: bytes, *, status: int = 200) -> web.Response:
    """An answer that is JSON already."""
    return web.Response(body=body, status=status, content_type="application/json")


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a refusal raised by a handler, and a path that is not there, into the venue's error bodies."""
    try:
        return await handler(request)
    except VenueRefusal as refusal:
        return answer({"error": refusal.reason}, status=refusal.status)
    except web.HTTPException as error:
        return answer({"error": error.reason}, status=error.status)


def signed(service: Service, handler: SignedHandler) -> Handler:
    """A handler that only a request signed with an API key reaches (L2); each is noted in the exchange's log."""

    async def checked(request: web.Request) -> web.StreamResponse:
        now_seconds = service.now() // 1_000_000_000
        body = await request.read()
        credentials = read_request(request.headers, request.method, request.path, body, service.keys, now_seconds)
        if credentials is None:
            service.log.write("request", method=request.method, path=request.path, status=401)
            raise VenueRefusal(401, "Unauthorized/Invalid api key")
        service.log.write("request", method=request.method, path=request.path, address=credentials.address)
        return await handler(request, credentials)

    return checked


async def read_body(request: web.Request, kind: type[T], refusal: str = "Invalid payload") -> T:
    """The body as ``kind``. Raises ``VenueRefusal`` 400."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError:
        raise VenueRefusal(400, refusal) from None


def page(items: Sequence[T], cursor: str, size: int) -> tuple[Sequence[T], str]:
    """The items of one page and the cursor of the next (base64 of an offset). Raises ``VenueRefusal`` for a bad one."""
    try:
        start = int(base64.b64decode(cursor, validate=True)) if cursor else 0
    except ValueError:
        raise VenueRefusal(400, "invalid next_cursor") from None
    if start < 0:
        return (), END_CURSOR
    end = start + size
    return items[start:end], base64.b64encode(str(end).encode()).decode() if end < len(items) else END_CURSOR


def page_answer(items: Sequence[object], query: Mapping[str, str], size: int) -> web.Response:
    """A page in the CLOB's envelope (venue notes 4.4)."""
    data, cursor = page(items, query.get("next_cursor", ""), size)
    return answer({"limit": size, "count": len(data), "next_cursor": cursor, "data": data})
