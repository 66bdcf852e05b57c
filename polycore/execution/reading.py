"""When the account's open orders are read: at start, after each change of the user link, and whenever one is in doubt.

Owns the opening of the gate: nothing opens until a reading that began on the present user link succeeded. What a
reading proves is :mod:`polycore.execution.reconcile`'s. A failed reading changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable

from polycore.cache.links import Link
from polycore.clock import Clock
from polycore.errors import LinkError, OutcomeUnknown, ProtocolViolation, VenueRefusal
from polycore.execution.checks import Gate
from polycore.execution.executor import Executor
from polycore.model.events import LinkState
from polycore.venue import OrderGateway

log = logging.getLogger("polycore.execution")

_AGAIN_SECONDS = 0.1
_LONGEST_SECONDS = 1.0
_DOUBT_SECONDS = 5.0


class OpenOrdersReader:
    """Reads and reconciles. ``user_link`` gives the user stream's link of the moment, ``None`` before there is one."""

    def __init__(
        self,
        gateway: OrderGateway,
        executor: Executor,
        gate: Gate,
        clock: Clock,
        user_link: Callable[[], Link | None],
        wanted: asyncio.Event,
    ) -> None:
        self._gateway = gateway
        self._executor = executor
        self._gate = gate
        self._clock = clock
        self._user_link = user_link
        self._wanted = wanted
        self._opened = asyncio.Event()

    def user_link_changed(self) -> None:
        """Fills may have been missed: close the gate until the open orders were read on the new connection."""
        self._gate.user_up = False
        self._opened.clear()
        self._wanted.set()

    async def until_open(self, seconds: float) -> None:
        """Wait for the gate to open, no longer than ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._opened.wait()
        except TimeoutError:
            log.warning("the user stream is not up after %g s: nothing opens until it is", seconds)

    async def run(self) -> None:
        """Read whenever it is wanted, until cancelled."""
        failures = 0
        while True:
            self._wanted.clear()
            if await self._read(failures):
                failures = 0
            else:
                await asyncio.sleep(min(_AGAIN_SECONDS * 2**failures, _LONGEST_SECONDS))
                failures += 1
                self._wanted.set()
            try:
                async with asyncio.timeout(_DOUBT_SECONDS if self._executor.in_doubt else None):
                    await self._wanted.wait()
            except TimeoutError:
                log.debug("reading the open orders again: where one stands is not known")

    async def _read(self, failures: int) -> bool:
        link = self._user_link()
        began = self._clock.monotonic()
        try:
            listing = await self._gateway.open_orders()
        except (LinkError, OutcomeUnknown, VenueRefusal, ProtocolViolation) as error:
            level = logging.DEBUG if failures else logging.WARNING
            log.log(level, "open orders could not be read, trying until they are: %s", error)
            return False
        self._executor.reconcile(listing, began)
        if link is not None and link is self._user_link() and link.state is LinkState.UP and not self._wanted.is_set():
            if not self._gate.user_up:
                log.info("Subscribed to user fill channel: %d orders open at the venue", len(listing))
            self._gate.user_up = True
            self._opened.set()
        return True
