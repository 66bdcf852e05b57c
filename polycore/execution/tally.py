"""What became of a strategy's orders, in numbers.

Owns the counters the summary shows. Decides nothing.
"""

import re
from collections import Counter

_VARIABLE = re.compile(r"0x[0-9a-fA-F]+|\d+(\.\d+)?")
_MOST_REASONS = 100


class Tally:
    """Counters of one strategy. ``intents`` are those submitted, ``orders`` those sent.

    ``rejected`` counts refusals of checks by the check's name, ``refused`` those of the venue by its words without
    their numbers; ``unknown`` orders were sent without a readable answer.
    """

    __slots__ = ("intents", "orders", "unknown", "cancels", "rejected", "refused")

    def __init__(self) -> None:
        self.intents = 0
        self.orders = 0
        self.unknown = 0
        self.cancels = 0
        self.rejected: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def refuse(self, reason: str) -> None:
        """Count a refusal of the venue."""
        words = _VARIABLE.sub("#", reason)[:120]
        self.refused[words if words in self.refused or len(self.refused) < _MOST_REASONS else "other"] += 1
