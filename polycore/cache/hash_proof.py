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

log = logging.getLogger("polycore.cache")

BUDGET = 0.01
_LARGEST_FRAME = 64 * 1024


class HashProof:
    """Proves books by hash within ``budget``, a share of the loop's time (0.01 is one percent).

    A frame is noted when it is applied and proven by :meth:`settle`, after strategies have heard of it, if the book is
    still the one that the frame made. What comes while the budget is used up passes unproven, so a burst costs no more
    than the share. ``spent`` is the time used so far in nanoseconds.
    """

    __slots__ = ("spent", "_prove", "_proof", "_budget", "_began", "_noted")

    def __init__(
        self, prove: Callable[[bytes, BookView], bool | None], proof: Proof, now: int, budget: float = BUDGET
    ) -> None:
        self.spent = 0
        self._prove = prove
        self._proof = proof
        self._budget = budget
        self._began = now
        self._noted: dict[Book, tuple[bytes, int]] = {}

    def due(self, now: int) -> bool:
        """Whether the budget allows one more proof; cheap enough to ask for every frame."""
        return self.spent <= (now - self._began) * self._budget

    def note(self, frame: bytes, book: Book) -> None:
        """Remember the frame that was just applied to a book. One that carries many books is left: it would be decoded
        anew for each of them."""
        if len(frame) <= _LARGEST_FRAME:
            self._noted[book] = (frame, book.version)

    def settle(self, now: int) -> None:
        """Prove what was noted, as far as the budget goes, and forget it."""
        if not self._noted:
            return
        for book, (frame, version) in self._noted.items():
            if self.due(now) and book.version == version and book.state is BookState.LIVE:
                self._settle(frame, book)
        self._noted.clear()

    def _settle(self, frame: bytes, book: Book) -> None:
        before = time.perf_counter_ns()
        verdict = self._prove(frame, book)
        self.spent += time.perf_counter_ns() - before
        if verdict is None:
            return
        self._proof.hash_checked += 1
        if verdict:
            self._proof.hash_agreed += 1
        else:
            log.debug("hash of %s disagrees (counted, not acted on)", book.asset)
