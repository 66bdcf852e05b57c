"""Market flow in time: several recordings and scenarios played into one exchange.

Owns when each step of each flow is due and how far the run is. Reads no clock: the server passes wall time. ``speed``
shrinks only the gaps between recorded events; scenarios, like everything else of the exchange, stay in wall time.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from polycore.errors import UsageError
from polycore.exchange.exchange import Exchange
from polycore.exchange.values import Listing

_FASTEST = 10_000.0


class Step(Struct, frozen=True):
    """One action of a flow, ``offset`` nanoseconds of the flow's own time after its start. ``act`` takes wall time."""

    offset: int
    act: Callable[[int], None]


class Flow(Protocol):
    """A source of market flow. ``name`` and ``credit`` are for display; ``length`` is its own time, nanoseconds.

    ``recorded`` says that ``speed`` applies; ``derived`` that its frames were made from something coarser.
    """

    @property
    def name(self) -> str: ...
    @property
    def credit(self) -> str: ...
    @property
    def recorded(self) -> bool: ...
    @property
    def derived(self) -> bool: ...
    @property
    def length(self) -> int: ...
    @property
    def listings(self) -> Sequence[Listing]: ...

    def steps(self, exchange: Exchange) -> Iterator[Step]:
        """The flow's actions on ``exchange``, in rising offset, made lazily; the last one ends its markets."""
        ...


class Playback:
    """Several flows served at once. Their markets are listed when it is made; time starts with :meth:`start`."""

    def __init__(self, exchange: Exchange, flows: Sequence[Flow], *, speed: float = 1.0) -> None:
        if not 0 < speed <= _FASTEST:
            raise UsageError(
                f"speed must be above 0 and at most {_FASTEST:g}, got {speed:g}; 1 plays a recording as it happened"
            )
        self._exchange = exchange
        self._flows = tuple(flows)
        self._speed = speed
        self._started: int | None = None
        self._coming: list[tuple[int, int, Step]] = []
        self._steps: list[Iterator[Step]] = []
        for flow in flows:
            for listing in flow.listings:
                exchange.list_market(listing)

    @property
    def flows(self) -> Sequence[Flow]:
        return self._flows

    def start(self, now: int, *, skip: int = 0) -> None:
        """Begin at wall time ``now``, ``skip`` nanoseconds of wall time into the run: what lies before happens at
        once."""
        self._started = now - skip
        self._steps = [flow.steps(self._exchange) for flow in self._flows]
        for number in range(len(self._flows)):
            self._fetch(number)
        self.advance(now)

    def advance(self, now: int) -> None:
        """Run every step due at ``now``, in order of due time."""
        while self._coming and self._coming[0][0] <= now:
            _, number, step = heapq.heappop(self._coming)
            step.act(now)
            self._fetch(number)

    @property
    def next_due(self) -> int | None:
        """Wall time of the next step; ``None`` before the start and after the end."""
        return self._coming[0][0] if self._coming else None

    def progress(self, now: int) -> float:
        """How much of the longest flow has passed, 0 to 1."""
        if self._started is None:
            return 0.0
        longest = max((self._wall(number, flow.length) for number, flow in enumerate(self._flows)), default=0)
        return min(1.0, (now - self._started) / longest) if longest else 1.0

    @property
    def finished(self) -> bool:
        """Whether every flow has ended."""
        return self._started is not None and not self._coming

    def _wall(self, number: int, offset: int) -> int:
        return int(offset / self._speed) if self._flows[number].recorded else offset

    def _fetch(self, number: int) -> None:
        step = next(self._steps[number], None)
        if step is not None and self._started is not None:
            heapq.heappush(self._coming, (self._started + self._wall(number, step.offset), number, step))
