"""One hook call: timed, caught, tripping its strategy.

Owns the only ``except`` of anything around plugin code. A strategy that raised once no longer knows its position: there
is no "log and carry on". Must not know mailboxes, the cache or what an intent means.
"""

import inspect
import logging
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from polycore.clock import Clock
from polycore.errors import HookError
from polycore.model.intents import CancelAll, CancelOrder, Intent, PlaceOrder, Rejection, SetQuotes

log = logging.getLogger("polycore.dispatch")

HookCall: TypeAlias = Callable[..., object]
"""A bound hook implementation: called with the hook's arguments in the order of its specification."""

_RAISED = (Exception, SystemExit)
"""What plugin code may raise without taking the run with it. A plugin may not end the process: orders rest."""
BUDGET_NANOSECONDS = 500_000
_WARN_EVERY_NANOSECONDS = 60_000_000_000
_INTENT_TYPES = frozenset({SetQuotes, PlaceOrder, CancelOrder, CancelAll})


class Guard:
    """The calls into one plugin instance.

    ``on_trip`` is called once, with the first exception of any hook; afterwards ``tripped`` is true and the instance
    must not be called again. A call longer than ``budget`` nanoseconds is counted in ``slow`` and warned about at most
    once a minute. ``returned`` is the monotonic time at which the last hook returned.
    """

    __slots__ = (
        "name", "tripped", "slow", "slowest", "returned", "_monotonic", "_budget", "_on_trip", "_next_warning",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        clock: Clock,
        on_trip: Callable[[HookError], None],
        budget: int = BUDGET_NANOSECONDS,
    ) -> None:
        self.name = name
        self.tripped = False
        self.slow = 0
        self.slowest = 0
        self.returned = 0
        self._monotonic = clock.monotonic
        self._budget = budget
        self._on_trip = on_trip
        self._next_warning = 0

    def call(self, hook: str, function: HookCall, event: object, context: object, entered: int) -> tuple[Intent, ...]:
        """Call a hot hook, entered at monotonic ``entered``; its intents, none when it raised."""
        try:
            wanted = function(event, context)
            intents = () if wanted is None else as_intents(wanted)
        except _RAISED as cause:
            self._trip(hook, cause)
            return ()
        self.returned = returned = self._monotonic()
        if returned - entered > self._budget:
            self._overran(hook, returned - entered, returned)
        return intents

    async def call_cold(self, hook: str, function: HookCall, *arguments: object) -> object:
        """Call a hook of the strategy's life, which may be async and slow; ``None`` when it raised."""
        try:
            result = function(*arguments)
            return await result if inspect.isawaitable(result) else result
        except _RAISED as cause:
            self._trip(hook, cause)
            return None

    def _trip(self, hook: str, cause: BaseException) -> None:
        self.returned = self._monotonic()
        if self.tripped:
            return
        self.tripped = True
        self._on_trip(HookError(self.name, hook, cause))

    def _overran(self, hook: str, taken: int, now: int) -> None:
        self.slow += 1
        self.slowest = max(self.slowest, taken)
        if now >= self._next_warning:
            self._next_warning = now + _WARN_EVERY_NANOSECONDS
            log.warning(
                "%s: %s took %d µs, budget %d µs; %d calls over budget so far",
                self.name, hook, taken // 1000, self._budget // 1000, self.slow,
            )  # fmt: skip


def as_intents(wanted: object) -> tuple[Intent, ...]:
    """What a hook returned, as a tuple of verified copies: types are right all the way down, values are for the checks.

    ``TypeError`` names what is not an intent, or the field that is wrong (``$.bids[0].price``).
    """
    if type(wanted) in _INTENT_TYPES:
        return (_verified(wanted),)
    return tuple([_verified(intent) for intent in wanted])  # type: ignore[attr-defined]


def _verified(intent: object) -> Intent:
    kind = type(intent)
    if kind not in _INTENT_TYPES:
        raise TypeError(
            f"returned {intent!r}; expected SetQuotes, PlaceOrder, CancelOrder, CancelAll, several of them, or None"
        )
    try:
        return msgspec.convert(msgspec.to_builtins(intent), kind)  # type: ignore[return-value]
    except (msgspec.ValidationError, TypeError) as fault:
        raise TypeError(f"returned a {kind.__name__} with a field of the wrong type: {fault}") from fault


def closed_check(
    check: Callable[..., Rejection | None], on_error: Callable[[HookError], None]
) -> Callable[..., Rejection | None]:
    """Wrap the chain of ``check_order`` hooks so that one that raises refuses the order."""

    def closed(*, order: PlaceOrder, strategy: str, cache: object) -> Rejection | None:
        try:
            return check(order=order, strategy=strategy, cache=cache)
        except _RAISED as cause:
            on_error(HookError("a check", "check_order", cause))
            return Rejection("check_order", f"a check raised {type(cause).__name__}: {cause}; expected a decision")

    return closed


def watched(hook: str, watch: Callable[..., object], on_error: Callable[[HookError], None]) -> Callable[..., None]:
    """Wrap a hook that only observers implement, so that one that raises disturbs nothing but itself."""

    def guarded(**arguments: object) -> None:
        try:
            watch(**arguments)
        except _RAISED as cause:
            on_error(HookError("an observer", hook, cause))

    return guarded
