"""One name that is kept connected: connection after connection, each with all that the name should carry.

Owns a line's subscriptions, its retries and its links, one for each connection. Must not choose which markets it
carries (the manager does) or read frames.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from polycore.cache.books import Books
from polycore.cache.links import Link
from polycore.clock import Clock
from polycore.errors import LinkError, VenueRefusal
from polycore.model.events import LinkChange, LinkState
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Market
from polycore.venue import Channel
from polycore.ws.backoff import Backoff, Spacing
from polycore.ws.connection import Connection, OnFrame, OnReadEnd
from polycore.ws.settings import WSSettings

_NANOSECONDS = 1_000_000_000
_FINAL_STATUSES = (401, 403)

log = logging.getLogger("polycore.ws")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all lines of a manager share."""

    books: Books
    clock: Clock
    settings: WSSettings
    rng: Random
    spacing: Spacing
    tls: ssl.SSLContext | None
    on_frame: OnFrame
    on_read_end: OnReadEnd
    on_link: Callable[[LinkChange], None]


class Line:
    """A named place for a connection. :meth:`run` keeps it connected until it is cancelled.

    ``markets`` is what it should carry, both tokens of each. ``link`` is that of the present connection, or of the last
    one. ``down_since`` is monotonic, in nanoseconds, 0 while connected and before the first attempt. ``books_since`` is
    when the present connection had a snapshot of every book, 0 before.
    """

    def __init__(self, name: str, channel: Channel, around: Surroundings) -> None:
        self.name = name
        self.markets: dict[MarketId, Market] = {}
        self.connection: Connection | None = None
        self.reconnects = 0
        self.books_since = 0
        self._channel = channel
        self._around = around
        self._books = around.books
        self._now = around.clock.monotonic
        self._backoff = Backoff(around.rng, around.settings.first_retry_seconds, around.settings.longest_retry_seconds)
        self.link = Link(name, channel.name, 0, self._now())
        self.link.state, self.link.cause = LinkState.DOWN, "connecting"
        self.down_since = 0
        self._told_down = False

    @property
    def assets(self) -> tuple[AssetId, ...]:
        """Tokens it should carry, those of a market side by side."""
        return tuple(asset for market in self.markets.values() for asset in market.assets)

    @property
    def is_open(self) -> bool:
        return self.connection is not None and self.connection.is_open

    # ── What it carries ────────────────────────────────────────────────────────

    def add(self, markets: Iterable[Market]) -> None:
        """Carry these markets too: now if connected, else with the next connection."""
        added = list(markets)
        self.markets.update((market.id, market) for market in added)
        self._subscribe([asset for market in added for asset in market.assets], "waiting for a snapshot")

    def remove(self, markets: Iterable[Market]) -> None:
        """Carry these markets no longer."""
        removed = list(markets)
        for market in removed:
            self.markets.pop(market.id, None)
        assets = [asset for market in removed for asset in market.assets]
        self._books.forget(assets)
        self._send(self._channel.unsubscribe(assets))

    def resubscribe(self, assets: Sequence[AssetId], cause: str) -> None:
        """Ask for new snapshots of tokens it carries. Their books wait for them; ``cause`` says why."""
        if self.is_open:
            self._send(self._channel.unsubscribe(assets))
            self._subscribe(assets, cause)

    def _subscribe(self, assets: Sequence[AssetId], cause: str) -> None:
        if self.is_open:
            self._books.subscribed(self.link, assets, cause)
            self._send(self._channel.subscribe(assets))
            _log_assets(assets)

    def _send(self, frames: Sequence[bytes]) -> None:
        if self.connection is not None and self.connection.is_open:
            self.connection.send(frames)

    # ── Connection after connection ────────────────────────────────────────────

    async def run(self) -> None:
        """Stay connected. Raises ``VenueRefusal`` when the venue forbids it (401, 403): trying again cannot help."""
        try:
            while True:
                cause, retry_after = await self._connect_once()
                self._down(cause)
                delay = self._backoff.next(retry_after)
                log.info("Reconnecting in %.3gs (attempt %d)...: link=%s", delay, self._backoff.attempt, self.name)
                await asyncio.sleep(delay)
        finally:
            self.connection = None
            self.link.state, self.link.cause = LinkState.DOWN, "closed by us"
            self._books.lost(self.link, "closed by us")

    def tell(self, cause: str, assets: tuple[AssetId, ...]) -> None:
        """Report the link's present state for these tokens: their books have just come to depend on it."""
        self._around.on_link(LinkChange(self.name, self._channel.name, self.link.state, cause, assets, self._now()))

    def degrade(self, cause: str) -> None:
        """Tell that the books are polled over REST until a socket can be had again."""
        self.link.state, self.link.cause = LinkState.DEGRADED, cause
        log.warning("WebSocket failed - using REST fallback: link=%s cause=%s", self.name, cause)
        self.tell(cause, self.assets)

    async def _connect_once(self) -> tuple[str, float]:
        """One connection from start to end; returns the cause of its end and the seconds the venue asks us to wait."""
        await asyncio.sleep(self._around.spacing.take(self._now()))
        self.down_since = self.down_since or self._now()
        connection = self._next_connection()
        try:
            await connection.open()
            self._up(connection)
            return await connection.ended(), 0.0
        except LinkError as error:
            return str(error), 0.0
        except VenueRefusal as refusal:
            cause = f"upgrade refused: {refusal}"
            if refusal.status not in _FINAL_STATUSES:
                return cause, connection.retry_after
            log.error("WebSocket refused for good: link=%s cause=%s", self.name, cause)
            self._down(cause)
            raise
        finally:
            await connection.close()

    def _next_connection(self) -> Connection:
        around = self._around
        link = Link(self.name, self._channel.name, self.link.epoch + 1, self._now())
        return Connection(
            self._channel, link, around.clock, around.on_frame, around.on_read_end, around.settings, around.tls
        )

    def _up(self, connection: Connection) -> None:
        assets = self.assets
        connection.begin(self._channel.opening(assets))
        self.connection, self.link = connection, connection.link
        self.down_since, self.books_since = 0, 0
        self._told_down = False
        log.info("WebSocket connected: link=%s epoch=%d", self.name, self.link.epoch)
        if self.link.epoch > 1:
            self.reconnects += 1
            log.info("Resubscribing to %d assets...: link=%s", len(assets), self.name)
        if assets:
            self._books.subscribed(self.link, assets)
        else:
            self.books_since = self._now()
        _log_assets(assets)
        self.tell("", assets)

    def _down(self, cause: str) -> None:
        if self.books_since and self._now() - self.books_since >= self._around.settings.useful_seconds * _NANOSECONDS:
            self._backoff.reset()
        self.connection, self.books_since = None, 0
        self.down_since = self.down_since or self._now()
        self.link.cause = cause
        if self._told_down:
            log.info("WebSocket not connected: link=%s cause=%s", self.name, cause)
            return
        self._told_down = True
        self.link.state = LinkState.DOWN
        self._books.lost(self.link, cause)
        log.warning("WebSocket connection closed: link=%s cause=%s", self.name, cause)
        if self.markets:
            log.warning("STALE DATA: %d assets - no WebSocket: link=%s", 2 * len(self.markets), self.name)
        self.tell(cause, self.assets)


def _log_assets(assets: Iterable[AssetId]) -> None:
    if log.isEnabledFor(logging.DEBUG):
        for asset in assets:
            log.debug("Subscribed to asset: %s", asset)
