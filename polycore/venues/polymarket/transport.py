"""HTTP over aiohttp, one session for each venue. Knows nothing of what it carries and logs none of it.

Never follows a redirect, reads no proxy from the environment, keeps no cookie. The one thing it must be exact about is
whether a request can have left: an exception before its first write proves that it did not.
"""

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import aiohttp

from polycore import LinkError, OutcomeUnknown, Response

FirstWrite = Callable[[str, int], None]
"""Told the URL and the monotonic nanoseconds at which a POST began to be written."""

_TOTAL_SECONDS = 5.0
_CONNECT_SECONDS = 2.0
_KEEP_ALIVE_SECONDS = 30.0
_CONNECTIONS = 32


class HttpTransport:
    """Fulfils ``Transport``. Connects when first used; ``close`` ends every connection."""

    def __init__(self, *, on_first_write: FirstWrite | None = None, total_seconds: float = _TOTAL_SECONDS) -> None:
        self.on_first_write = on_first_write
        self._timeout = aiohttp.ClientTimeout(total=total_seconds, sock_connect=_CONNECT_SECONDS)
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        sending = _Sending()
        try:
            async with self._opened().request(
                method, url, headers=headers, data=body, allow_redirects=False, trace_request_ctx=sending
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            what = f"{method} {url.partition('?')[0]}: {type(error).__name__}: {error}"
            if sending.written:
                raise OutcomeUnknown(f"{what}; the request had begun to be sent") from error
            raise LinkError(f"{what}; nothing was sent") from error
        named = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status, named, content)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(self._headers_sent)
            trace.on_request_chunk_sent.append(self._chunk_sent)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                trace_configs=[trace],
                trust_env=False,
            )
        return self._session

    async def _headers_sent(
        self, _session: aiohttp.ClientSession, context: SimpleNamespace, _: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        context.trace_request_ctx.written = True

    async def _chunk_sent(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, sent: aiohttp.TraceRequestChunkSentParams
    ) -> None:
        """Headers wait in a buffer for the body, so the body's chunk is when a POST begins to leave."""
        if self.on_first_write is not None and sent.method == "POST":
            self.on_first_write(str(sent.url), time.monotonic_ns())


class _Sending:
    """Whether one request may have begun to be written."""

    written = False
