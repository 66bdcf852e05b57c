"""What must happen later: a heap of due times and actions. No clock: :meth:`Timers.run` is told the time."""

import heapq
from collections.abc import Callable
from itertools import count


class Timers:
    """Actions in order of due time, those of one time in the order they were set. Nothing is ever unset: an action that
    no longer applies finds that out when it runs."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[int], None]]] = []
        self._number = count()

    def at(self, due: int, action: Callable[[int], None]) -> None:
        """Run ``action`` once ``due`` has come; it is given the time of the run."""
        heapq.heappush(self._heap, (due, next(self._number), action))

    @property
    def next_due(self) -> int | None:
        """When the next action is due; ``None`` when there is none."""
        return self._heap[0][0] if self._heap else None

    def run(self, now: int) -> None:
        """Run everything due, also what that sets for no later than ``now``."""
        while self._heap and self._heap[0][0] <= now:
            _, _, action = heapq.heappop(self._heap)
            action(now)
