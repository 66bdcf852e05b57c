"""A strategy's inbox.

Owns what waits for one strategy and in which order it is taken. Books are state: one slot for each token, the newest
wins. Everything else is a fact: queued in order of arrival, without a bound, never dropped, never reordered, and taken
before any waiting book.
"""

from collections import deque
from typing import NamedTuple

from polycore.cache.book import Book
from polycore.dispatch.guard import HookCall


class Slot:
    """One token's place in one inbox: waiting at most once, in the order in which it became dirty."""

    __slots__ = ("book", "dirty", "waiting")

    def __init__(self, book: Book, waiting: "deque[Slot]") -> None:
        self.book = book
        self.dirty = False
        self.waiting = waiting


class Fact(NamedTuple):
    """A call that must be made: the hook's name, its implementation and its first argument."""

    hook: str
    call: HookCall
    event: object


class Mailbox:
    """What waits for one strategy. ``facts`` are taken before ``books``, each from the left."""

    __slots__ = ("facts", "books")

    def __init__(self) -> None:
        self.facts: deque[Fact] = deque()
        self.books: deque[Slot] = deque()

    def __len__(self) -> int:
        return len(self.facts) + len(self.books)

    def slot(self, book: Book) -> Slot:
        """A place for one token in this inbox."""
        return Slot(book, self.books)

    def withdraw(self, slot: Slot) -> None:
        """Take a token's slot away, with what waits in it: the token is not selected any more."""
        if slot.dirty:
            slot.dirty = False
            self.books.remove(slot)

    def clear(self) -> None:
        """Throw away what waits, when its strategy has tripped."""
        self.facts.clear()
        for slot in self.books:
            slot.dirty = False
        self.books.clear()
