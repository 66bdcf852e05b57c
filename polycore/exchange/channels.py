"""The two WebSocket channels: the rules of connections, subscriptions and heartbeats, and nothing of matching.

Owns the sockets of clients. Each has a queue of its own, so that a slow reader delays nobody. Rules: venue notes 1.1,
1.2, 1.8 and 2.1; the close code of a bad login is not documented by the venue, 1008 is ours.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Struct

from polycore.exchange.auth import read_channel_login
from polycore.exchange.service import Service
from polycore.model.ids import AssetId

SNAPSHOT_LIMIT = 500
"""A connection with more tokens gets changes but no first books any more (venue notes 1.8)."""
BACKLOG_LIMIT = 100_000
_CLOSE_SECONDS = 0.5
_BAD_SUBSCRIPTION = b"invalid subscription payload"
_INVALID = b"INVALID OPERATION"


class _Auth(Struct, rename="camel"):
    api_key: str = ""
    secret: str = ""
    passphrase: str = ""


class _ClientFrame(Struct):
    """Any frame that a client sends. ``operation`` decides; a frame with only ``type`` may come once."""

    type: str = ""
    operation: str = ""
    assets_ids: tuple[str, ...] | None = None
    custom_feature_enabled: bool | None = None
    initial_dump: bool = True
    auth: _Auth | None = None
    markets: tuple[str, ...] | None = None


_read = msgspec.json.Decoder(_ClientFrame).decode


class Channels:
    """The handlers of ``/ws/market`` and ``/ws/user``, and the connections they hold."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open: set[_Connection] = set()
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/ws/market", self._market), web.get("/ws/user", self._user)]

    async def close(self) -> None:
        """End every connection, as the venue does when it goes away."""
        await asyncio.gather(*(connection.close(WSCloseCode.GOING_AWAY, b"") for connection in self._open))

    async def _market(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, MarketConnection(self._service, next(self._numbers)))

    async def _user(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, UserConnection(self._service, next(self._numbers)))

    async def _serve(self, request: web.Request, connection: "_Connection") -> web.StreamResponse:
        self._open.add(connection)
        try:
            return await connection.serve(request)
        finally:
            self._open.discard(connection)


class _Connection:
    """One client's socket: reads one frame after another, writes what was queued, in order."""

    channel = ""

    def __init__(self, service: Service, number: int) -> None:
        self._service = service
        self._number = number
        self._socket = web.WebSocketResponse(compress=False, timeout=_CLOSE_SECONDS)
        self._queue: deque[bytes] = deque()
        self._queued = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    def send(self, text: bytes) -> None:
        """Queue a frame. A client that lets too many wait is cut off: it could not read a close frame either."""
        if len(self._queue) >= BACKLOG_LIMIT and self._transport is not None:
            self._queue.clear()
            self._transport.abort()
            self.note("too slow")
            return
        self._queue.append(text)
        self._queued.set()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        await self._socket.prepare(request)
        self._transport = request.transport
        self.note("connect")
        writer = asyncio.create_task(self._write())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._hear(message.data)
        finally:
            self.leave()
            writer.cancel()
            await asyncio.wait([writer])
            self.note("disconnect", code=self._socket.close_code or 0)
        return self._socket

    async def close(self, code: int, reason: bytes) -> None:
        await self._socket.close(code=code, message=reason)

    def note(self, event: str, **fields: str | int | bool | tuple[str, ...]) -> None:
        self._service.log.write(event, channel=self.channel, connection=self._number, **fields)

    @property
    def subscribed(self) -> bool:
        """Whether the first frame came and was good."""
        raise NotImplementedError

    async def begin(self, frame: _ClientFrame) -> bool:
        """Act on the first frame; false when it is not acceptable."""
        raise NotImplementedError

    def change(self, frame: _ClientFrame) -> bool:
        """Act on a later frame; false when it is not an operation."""
        raise NotImplementedError

    def leave(self) -> None:
        """The client is gone: stop listening."""
        raise NotImplementedError

    async def _hear(self, text: str) -> None:
        if self.subscribed and text == "PING":
            self.send(b"PONG")
            return
        try:
            frame = _read(text)
        except msgspec.DecodeError:
            frame = None
        if self.subscribed:
            if frame is None or not self.change(frame):
                self.send(_INVALID)
        elif frame is None or not await self.begin(frame):
            self.note("refused")
            await self.close(WSCloseCode.POLICY_VIOLATION, _BAD_SUBSCRIPTION)

    async def _write(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                try:
                    await self._socket.send_str(self._queue.popleft().decode())
                except ConnectionError:
                    return


class MarketConnection(_Connection):
    """A connection of the market channel; no login. ``custom`` is its flag for the extra messages."""

    channel = "market"

    def __init__(self, service: Service, number: int) -> None:
        super().__init__(service, number)
        self.custom = False
        self._assets: set[AssetId] = set()
        self._begun = False

    @property
    def subscribed(self) -> bool:
        return self._begun

    async def begin(self, frame: _ClientFrame) -> bool:
        if frame.type.lower() != self.channel or frame.assets_ids is None:
            return False
        self._begun = True
        self._subscribe(frame)
        return True

    def change(self, frame: _ClientFrame) -> bool:
        if frame.assets_ids is None or frame.operation not in ("subscribe", "unsubscribe"):
            return False
        if frame.operation == "subscribe":
            self._subscribe(frame)
        else:
            gone = {AssetId(text) for text in frame.assets_ids} & self._assets
            self._assets -= gone
            self._service.unlisten(self, gone)
            self.note("unsubscribe", assets=tuple(gone))
        return True

    def leave(self) -> None:
        self._service.forget(self, self._assets)

    def _subscribe(self, frame: _ClientFrame) -> None:
        if frame.custom_feature_enabled is not None:
            self.custom = frame.custom_feature_enabled
        new = [asset for asset in map(AssetId, dict.fromkeys(frame.assets_ids or ())) if asset not in self._assets]
        if new:
            self._service.start()
        self._assets.update(new)
        self._service.listen(self, new)
        books = self._first_books(new) if frame.initial_dump and len(self._assets) <= SNAPSHOT_LIMIT else []
        self.note("subscribe", assets=tuple(new), books=len(books), custom=self.custom)
        if books:
            self.send(b"[" + b",".join(books) + b"]\n")

    def _first_books(self, assets: Sequence[AssetId]) -> list[bytes]:
        self._service.pump()
        shown = ((asset, self._service.display.of(asset)) for asset in assets)
        return [market.initial(asset) for asset, market in shown if market is not None]


class UserConnection(_Connection):
    """A connection of the user channel, logged in by its first frame. No first state is sent."""

    channel = "user"

    def __init__(self, service: Service, number: int) -> None:
        super().__init__(service, number)
        self.address = ""
        self.markets: set[str] | None = None

    @property
    def subscribed(self) -> bool:
        return bool(self.address)

    async def begin(self, frame: _ClientFrame) -> bool:
        if frame.type.lower() != self.channel or frame.auth is None:
            return False
        auth = frame.auth
        credentials = read_channel_login(auth.api_key, auth.secret, auth.passphrase, self._service.keys)
        if credentials is None:
            return False
        self.address = credentials.address
        self.markets = set(frame.markets) if frame.markets else None
        self._service.listen_user(self)
        self.note("subscribe", address=self.address)
        return True

    def change(self, frame: _ClientFrame) -> bool:
        if frame.markets is None or frame.operation not in ("subscribe", "unsubscribe"):
            return False
        if self.markets is not None and frame.operation == "subscribe":
            self.markets.update(frame.markets)
        elif self.markets is not None:
            self.markets.difference_update(frame.markets)
        return True

    def leave(self) -> None:
        self._service.forget_user(self)
