"""One socket driving one channel: connect, upgrade, frames out of bytes, heartbeat, death.

Owns one TCP connection from connect to close; it is never reused. Must not read frames, keep subscriptions or
reconnect. The WebSocket protocol is the ``websockets`` library's sans-IO layer; the socket around it is ours.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.frames import OP_BINARY, OP_CLOSE, OP_CONT, OP_TEXT, Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from polycore.cache.links import Link
from polycore.clock import Clock
from polycore.errors import LinkError, UsageError, VenueRefusal
from polycore.venue import Channel
from polycore.ws.backoff import retry_after_seconds
from polycore.ws.settings import WSSettings

OnFrame: TypeAlias = Callable[[Link, bytes, int], None]
"""Called with each data frame: its link, its bytes, the monotonic time at which its last byte was read."""
OnReadEnd: TypeAlias = Callable[[], None]
"""Called once after the frames of one read of the socket."""

_NANOSECONDS = 1_000_000_000
_EARLY = 0.99
"""A PING leaves a hundredth early, so that late timers do not stretch the time in which a dead link is found."""
_LATE_SECONDS = 0.1

log = logging.getLogger("polycore.ws")


class Connection(asyncio.Protocol):
    """One socket of one link, used once: :meth:`open`, :meth:`begin`, :meth:`ended`, :meth:`close`.

    Frames go to ``on_frame`` in order of arrival, on the loop, inside the read that completed them. ``link`` is stamped
    before: ``proof_time`` by a frame of any kind, ``heard_time`` by one with data. An exception of ``on_frame`` or
    ``on_read_end`` ends the connection and is raised by :meth:`ended`. ``retry_after`` is what a refused upgrade asked
    for, in seconds.
    """

    def __init__(
        self,
        channel: Channel,
        link: Link,
        clock: Clock,
        on_frame: OnFrame,
        on_read_end: OnReadEnd,
        settings: WSSettings,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.link = link
        self.retry_after = 0.0
        self._channel = channel
        self._heartbeat = channel.heartbeat
        self._longest_word = max(len(self._heartbeat.ping), len(self._heartbeat.pong))
        self._clock = clock
        self._now = clock.monotonic
        self._on_frame = on_frame
        self._on_read_end = on_read_end
        self._settings = settings
        self._tls = tls
        try:
            self._uri = parse_uri(channel.url)
        except InvalidURI as error:
            raise UsageError(f"the {channel.name} channel's address must be ws:// or wss://: {error}") from error
        self._protocol = ClientProtocol(self._uri, max_size=settings.frame_limit)
        # At DEBUG the library writes out every frame, and the user channel's first one carries credentials.
        self._protocol.debug = False
        self._loop = asyncio.get_running_loop()
        self._upgraded: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._begun = False
        self._leaving = ""
        self._parts: list[bytes] = []
        self._bytes_time = 0
        self._pinged = 0
        self._beat_timer: asyncio.TimerHandle | None = None
        self._pong_timer: asyncio.TimerHandle | None = None

    # ── For the owner ──────────────────────────────────────────────────────────

    @property
    def is_open(self) -> bool:
        """Whether frames may be sent: upgraded, begun, and neither closing nor lost."""
        return self._begun and not self._leaving and not self._ended.done() and self._protocol.state is OPEN

    async def open(self) -> None:
        """Connect and upgrade. Raises ``LinkError`` when that fails, ``VenueRefusal`` when the venue's HTTP says no."""
        host, port = self._uri.host, self._uri.port
        tls = (self._tls or ssl.create_default_context()) if self._uri.secure else None
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                await self._loop.create_connection(lambda: self, host, port, ssl=tls)
                await self._upgraded
        except TimeoutError as error:
            self._die("no answer to the upgrade")
            raise LinkError(
                f"{self.link.name}: {host}:{port} did not complete the connection within "
                f"{self._settings.connect_seconds:g} s"
            ) from error
        except OSError as error:
            raise LinkError(f"{self.link.name}: cannot connect to {host}:{port}: {error}") from error

    def begin(self, frames: Iterable[bytes]) -> None:
        """Send the channel's opening frames; the heartbeat starts after them."""
        self._begun = True
        self.send(frames)
        self._beat_timer = self._loop.call_later(self._heartbeat.every_seconds * _EARLY, self._beat)

    def send(self, frames: Iterable[bytes]) -> None:
        """Send text frames. Raises ``LinkError`` when the connection is not open: nothing was sent then."""
        if not self.is_open:
            raise LinkError(f"{self.link.name} is not open, nothing was sent; wait until it is connected")
        for frame in frames:
            self._protocol.send_text(frame)
        self._flush()

    def probe(self) -> bool:
        """Send a PING now unless one is waiting for its PONG. Returns whether a PONG can be expected at all."""
        if not self.is_open:
            return False
        if not self._pinged:
            self._pinged = self._now()
            self.send((self._heartbeat.ping,))
            self._expect_pong(self._heartbeat.deadline_seconds)
        return True

    async def ended(self) -> str:
        """Wait for the end of the connection and return its cause."""
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Say goodbye and close; a peer that does not answer in ``close_seconds`` is cut off. Never raises."""
        transport = self._transport
        if transport is None or self._ended.done():
            return
        self._leave("closed by us")
        try:
            await asyncio.wait([self._ended], timeout=self._settings.close_seconds)
        finally:
            if not self._ended.done():
                transport.abort()
        await asyncio.wait([self._ended], timeout=self._settings.close_seconds)

    # ── For the event loop ─────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        request = self._protocol.connect()
        request.headers["User-Agent"] = "polycore"
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        entered = self._now()
        if self._leaving:
            return
        protocol = self._protocol
        protocol.receive_data(data)
        self._bytes_time = entered
        events = protocol.events_received()
        if events:
            link = self.link
            link.proof_time = entered
            heard = False
            for event in events:
                if type(event) is not Frame:
                    continue
                if event.opcode is OP_TEXT and event.fin:
                    frame = bytes(event.data)
                    if len(frame) <= self._longest_word and self._heard_word(frame):
                        continue
                elif (whole := self._other_frame(event)) is None:
                    continue
                else:
                    frame = whole
                link.heard_time = entered
                heard = True
                self._on_frame(link, frame, entered)
            if heard:
                self._on_read_end()
        if not self._upgraded.done():
            self._finish_upgrade(events)
        self._flush()
        if protocol.close_expected():
            self._leave(self._protocol_cause())

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        if not self._upgraded.done():
            self._finish_upgrade(self._protocol.events_received())

    def connection_lost(self, error: Exception | None) -> None:
        for timer in (self._beat_timer, self._pong_timer):
            if timer is not None:
                timer.cancel()
        cause = self._leaving or (f"connection lost: {error}" if error else self._protocol_cause())
        if not self._upgraded.done():
            self._upgraded.set_exception(LinkError(f"{self.link.name}: {cause} during the upgrade"))
        if error is None or isinstance(error, OSError):
            self._ended.set_result(cause)
        else:
            self._ended.set_exception(error)

    # ── Frames ─────────────────────────────────────────────────────────────────

    def _heard_word(self, frame: bytes) -> bool:
        if frame == self._heartbeat.pong:
            self._pinged = 0
            if self._pong_timer is not None:
                self._pong_timer.cancel()
            return True
        if frame == self._heartbeat.ping and self.is_open:
            self.send((self._heartbeat.pong,))
            return True
        return False

    def _other_frame(self, frame: Frame) -> bytes | None:
        """Binary frames and fragments: the whole message once complete. The library checks order and size."""
        if frame.opcode is OP_CLOSE or frame.opcode not in (OP_TEXT, OP_BINARY, OP_CONT):
            return None
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole

    def _finish_upgrade(self, events: Sequence[object]) -> None:
        refused = self._protocol.handshake_exc
        if isinstance(refused, InvalidStatus):
            response = refused.response
            self.retry_after = retry_after_seconds(response.headers.get("Retry-After"), self._clock.wall())
            self._upgraded.set_exception(VenueRefusal(response.status_code, response.reason_phrase))
        elif refused is not None:
            self._upgraded.set_exception(LinkError(f"{self.link.name}: not a WebSocket server: {refused}"))
        elif events:
            self._upgraded.set_result(None)

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.close()

    # ── Heartbeat ──────────────────────────────────────────────────────────────

    def _beat(self) -> None:
        if not self.is_open:
            return
        idle = self._settings.idle_seconds
        if idle and self._now() - self.link.heard_time > idle * _NANOSECONDS:
            self._die(f"no data for {idle:g} s")
            return
        self._beat_timer = self._loop.call_later(self._heartbeat.every_seconds * _EARLY, self._beat)
        self.probe()

    def _expect_pong(self, seconds: float) -> None:
        if self._pong_timer is not None:
            self._pong_timer.cancel()
        due = self._loop.time() + seconds
        self._pong_timer = self._loop.call_at(due, self._check_pong, due)

    def _check_pong(self, due: float) -> None:
        deadline = self._heartbeat.deadline_seconds
        left = 0.0
        if self._loop.time() - due > _LATE_SECONDS:
            # Our own loop stood still: the PONG may lie unread in the socket, and some loops run timers first.
            left = _LATE_SECONDS
        elif self._bytes_time > max(self._pinged, self.link.proof_time):
            # In the middle of a frame: the PONG waits behind it (an opening array of 1.65 MiB on a slow line).
            left = deadline - (self._now() - self._bytes_time) / _NANOSECONDS
        if left > 0:
            self._expect_pong(left)
        else:
            self._die(f"no PONG within {deadline:g} s")

    # ── Ends ───────────────────────────────────────────────────────────────────

    def _protocol_cause(self) -> str:
        protocol = self._protocol
        if protocol.parser_exc is not None and protocol.close_rcvd is None and protocol.close_sent is not None:
            return f"the venue broke the protocol: {protocol.parser_exc}"
        if protocol.close_rcvd is not None:
            return f"closed by the venue: {protocol.close_rcvd}"
        return "closed by the venue without a close frame"

    def _leave(self, cause: str) -> None:
        """Close in order: what is written still leaves, nothing is read any more."""
        if self._leaving:
            return
        self._leaving = cause
        if self._protocol.state is OPEN:
            self._protocol.send_close(1000)
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _die(self, cause: str) -> None:
        """Cut the connection off: nobody is there to say goodbye to."""
        self._leaving = self._leaving or cause
        if self._transport is not None:
            self._transport.abort()
