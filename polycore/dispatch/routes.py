"""Hook implementations to a table: token → the slots of the strategies that selected it.

Owns who hears which token. Compiled when the set of markets or of running strategies changes, never for an event.
"""

from collections.abc import Callable, Iterable, Mapping

from polycore.cache.books import Books
from polycore.cache.view import Context
from polycore.dispatch.guard import Guard, HookCall
from polycore.dispatch.mailbox import Mailbox, Slot
from polycore.model.ids import AssetId

HOT_HOOKS = ("on_book", "on_trade", "on_market_change", "on_fill", "on_order", "on_timer", "on_link")

_NOBODY: tuple[Slot, ...] = ()


class Listener:
    """One strategy or observer: its hooks, its inbox, its guard and its counters.

    ``calls`` holds the implementations it has, by hook name. An observer hears every order and fill of the account and
    what it returns is dropped; a strategy hears its own and its ``assets``. ``on_book`` and ``on_fill`` count calls.
    """

    __slots__ = (
        "name", "context", "guard", "calls", "observes", "mailbox", "assets", "slots", "book_call",
        "on_book", "on_fill", "intents",
    )  # fmt: skip

    def __init__(
        self, name: str, context: Context, guard: Guard, calls: Mapping[str, HookCall], observes: bool = False
    ) -> None:
        self.name = name
        self.context = context
        self.guard = guard
        self.calls = dict(calls)
        self.observes = observes
        self.mailbox = Mailbox()
        self.assets: frozenset[AssetId] = frozenset()
        self.slots: dict[AssetId, Slot] = {}
        self.book_call = self.calls.get("on_book")
        self.on_book = 0
        self.on_fill = 0
        self.intents = 0

    @property
    def errors(self) -> int:
        """1 once it has tripped: a second hook is never called."""
        return int(self.guard.tripped)


def bind_calls(bind: Callable[[str], HookCall | None]) -> dict[str, HookCall]:
    """The hot hooks one instance implements, by name."""
    found = ((hook, bind(hook)) for hook in HOT_HOOKS)
    return {hook: call for hook, call in found if call is not None}


class Routes:
    """The compiled table. Order of listeners is order of calls."""

    def __init__(self) -> None:
        self.books: dict[AssetId, tuple[Slot, ...]] = {}

    def compile(self, listeners: Iterable[Listener], books: Books) -> None:
        """Rebuild the table. A token keeps its slot, so what waits stays waiting; tripped listeners drop out."""
        table: dict[AssetId, list[Slot]] = {}
        for listener in listeners:
            wanted = listener.assets if listener.book_call is not None and not listener.guard.tripped else frozenset()
            for asset in listener.slots.keys() - wanted:
                listener.mailbox.withdraw(listener.slots.pop(asset))
            for asset in wanted:
                book = books.get(asset)
                if book is None:
                    continue
                slot = listener.slots.get(asset)
                if slot is None:
                    slot = listener.slots[asset] = listener.mailbox.slot(book)
                table.setdefault(asset, []).append(slot)
        self.books = {asset: tuple(slots) for asset, slots in table.items()}

    def slots(self, asset: AssetId) -> tuple[Slot, ...]:
        """Slots of a token, in the order of the listeners."""
        return self.books.get(asset, _NOBODY)
