"""The sampled hash proof: is a book, after a frame, the one the venue hashed?

Owns the sampling and its budget. What the hash is made of is a fact of the venue, whose ``prove`` is called. A mismatch
is counted and shown; alone it never makes a token suspect and never closes a connection, since the hash can depend on
fields that arrive later (venue notes, section 1.9).
"""

import logging
import time
from collections.abc import Callable

from polycore.cache.book import Book, BookState
from polycore.cache.books import Proof
from polycore.venue import BookView

_log = logging.getLogger("polycore.cache")

BUDGET = 0.01


class HashProof:
    """Proves books by hash within ``budget``, a share of the loop's time (0.01 is one percent).

    ``spent`` is the time used so far in nanoseconds. Snapshots and changes are offered alike; whatever comes while the
    budget is used up passes unproven, so a burst costs no more than the share.
    """

    __slots__ = ("spent", "_prove", "_proof", "_budget", "_began")

    def __init__(
        self, prove: Callable[[bytes, BookView], bool | None], proof: Proof, now: int, budget: float = BUDGET
    ) -> None:
        self.spent = 0
        self._prove = prove
        self._proof = proof
        self._budget = budget
        self._began = now

    def due(self, now: int) -> bool:
        """Whether the budget allows one more proof; cheap enough to ask for every frame."""
        return self.spent <= (now - self._began) * self._budget

    def offer(self, frame: bytes, book: Book) -> None:
        """Prove one LIVE book by the frame that was just applied to it."""
        if book.state is not BookState.LIVE:
            return
        before = time.perf_counter_ns()
        verdict = self._prove(frame, book)
        self.spent += time.perf_counter_ns() - before
        if verdict is None:
            return
        self._proof.hash_checked += 1
        if verdict:
            self._proof.hash_agreed += 1
        else:
            _log.debug("hash of %s disagrees (counted, not acted on)", book.asset)
