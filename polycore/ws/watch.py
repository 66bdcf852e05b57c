"""Which books of an open connection have failed, and what is to be done about each.

Owns the record of failures, nothing else. Pure: the time comes in, decisions go out. Must not send or change a book.
"""

from enum import Enum

from polycore.cache.book import Book, BookState
from polycore.cache.books import CROSSED
from polycore.cache.links import Link
from polycore.model.ids import AssetId
from polycore.ws.settings import WSSettings

_NANOSECONDS = 1_000_000_000
_LONGEST_HOLD_SECONDS = 60


class Remedy(Enum):
    """RESUBSCRIBE the token where it is, or MOVE its market to another socket."""

    RESUBSCRIBE = "resubscribe"
    MOVE = "move"


class _Ailment(Enum):
    WAITING = "waiting"
    CROSSED = "crossed"
    DOUBTED = "doubted"


class _Record:
    __slots__ = ("ailment", "failed_time", "failures", "hold_until", "link", "since")

    def __init__(self) -> None:
        self.link: Link | None = None
        self.ailment: _Ailment | None = None
        self.since = 0
        self.failures = 0
        self.failed_time = 0
        self.hold_until = 0


class BookWatch:
    """Judges books by their state and by how long they have been in it.

    A book that waits for its snapshot fails after ``snapshot_seconds``; a crossed one, which heals by itself, after
    ``crossed_seconds``; any other SUSPECT one at once. Times are monotonic nanoseconds.
    """

    def __init__(self, settings: WSSettings) -> None:
        self._window = round(settings.failure_window_seconds * _NANOSECONDS)
        self._patience = {
            _Ailment.WAITING: round(settings.snapshot_seconds * _NANOSECONDS),
            _Ailment.CROSSED: round(settings.crossed_seconds * _NANOSECONDS),
            _Ailment.DOUBTED: 0,
        }
        self._records: dict[AssetId, _Record] = {}

    def has_failed(self, book: Book, link: Link, now: int) -> bool:
        """Look at a book that ``link`` should keep alive; call it repeatedly. True means: ask for the remedy now."""
        if book.state is BookState.LIVE:
            if (known := self._records.get(book.asset)) is not None:
                known.ailment = None
            return False
        record = self._records.setdefault(book.asset, _Record())
        ailment = _ailment(book)
        if record.ailment is not ailment or record.link is not link:
            record.ailment, record.link, record.since = ailment, link, now
        return now - record.since >= self._patience[ailment] and now >= record.hold_until

    def remedy(self, asset: AssetId, now: int) -> Remedy:
        """Count a failure of a token: the first within the window is cured in place, the second by a move.

        From then on the two alternate, 1, 2, 4 … 60 seconds apart, so that a token that nothing cures floods nobody.
        """
        record = self._records.setdefault(asset, _Record())
        if now - record.failed_time > self._window:
            record.failures = 0
        record.failures += 1
        record.failed_time = now
        record.ailment = None
        if record.failures > 1:
            hold = min(2 ** (record.failures - 2), _LONGEST_HOLD_SECONDS)
            record.hold_until = now + hold * _NANOSECONDS
        return Remedy.RESUBSCRIBE if record.failures % 2 else Remedy.MOVE

    def forget(self, asset: AssetId) -> None:
        """The token is not wanted any more."""
        self._records.pop(asset, None)


def _ailment(book: Book) -> _Ailment:
    if book.state is not BookState.SUSPECT:
        return _Ailment.WAITING
    return _Ailment.CROSSED if book.cause is CROSSED else _Ailment.DOUBTED
