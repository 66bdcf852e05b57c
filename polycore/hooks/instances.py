"""Strategies and observers of one run: which tables use which registration, converted, built and verified.

Owns the meaning of ``[strategies.NAME]``, ``use`` and ``[observers.NAME]``. Must not import a plugin or call a hook.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec
from msgspec import Struct

from polycore.hooks.attempt import attempt
from polycore.hooks.installed import InstalledPlugins
from polycore.hooks.registry import Registration
from polycore.hooks.verify import MARKET_HOOKS, OBSERVER, STRATEGY, Implementer
from polycore.settings import Settings, Table

Verify = Callable[[object, Implementer, str], list[str]]


class StrategyInstance(Struct, frozen=True, eq=False):
    """A configured strategy.

    ``name`` is its table's: ``mm_sports`` of ``[strategies.mm_sports]``. ``markets`` are the selectors of its setting
    of that name, which count when it does not implement ``select_markets``.
    """

    name: str
    plugin: str
    config: Struct | None
    instance: object
    markets: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The settings table to edit, and the name under which pluggy knows the instance."""
        return f"strategies.{self.name}"


class ObserverInstance(Struct, frozen=True, eq=False):
    """A configured observer: one for each that an enabled plugin registers."""

    name: str
    plugin: str
    config: Struct | None
    instance: object

    @property
    def path(self) -> str:
        """As of a strategy: ``observers.NAME``."""
        return f"observers.{self.name}"


class Faults(Struct, frozen=True):
    """What is wrong so far, by whose it is to repair."""

    settings: list[str]
    plugins: list[str]

    def __len__(self) -> int:
        return len(self.settings) + len(self.plugins)


class InstanceBuilder:
    """Builds the instances of one run; each fault is appended to ``faults`` and its instance left out.

    ``plugins`` are the loaded ones in order: it becomes the order of the instances.
    """

    def __init__(
        self, settings: Settings, installed: InstalledPlugins, plugins: Iterable[str], verify: Verify, faults: Faults
    ) -> None:
        self._settings = settings
        self._installed = installed
        self._order = {name: place for place, name in enumerate(plugins)}
        self._verify = verify
        self._faults = faults

    def strategies(self, entries: Mapping[str, Registration]) -> list[StrategyInstance]:
        """A strategy for each table of an enabled plugin, and for each registration of a plugin without any table."""
        chosen = [*self._configured(entries), *self._defaults(entries)]
        chosen.sort(key=lambda pair: self._order[pair[0].plugin])
        built = (self._strategy(entry, table) for entry, table in chosen)
        return [instance for instance in built if instance is not None]

    def observers(self, entries: Mapping[str, Registration], taken: Collection[str]) -> list[ObserverInstance]:
        """One observer for each registration. ``taken`` are the names of strategies, which it may not have too."""
        instances: list[ObserverInstance] = []
        for entry in entries.values():
            table = self._settings.observers.get(entry.name) or self._empty("observers", entry.name)
            made = self._build(entry, table, OBSERVER)
            if entry.name in taken:
                self._faults.plugins.append(f"{table.name}: a strategy has the same name; register another for it")
            elif made is not None:
                instances.append(ObserverInstance(entry.name, entry.plugin, *made))
        for name, table in self._settings.observers.items():
            if name not in entries and not self._waits(name):
                self._fault(table, f"there is no observer {name}; loaded: {', '.join(entries) or 'none'}")
        return instances

    def _configured(self, entries: Mapping[str, Registration]) -> list[tuple[Registration, Table]]:
        chosen: list[tuple[Registration, Table]] = []
        for name, table in self._settings.strategies.items():
            use = table.values.get("use", name)
            if not isinstance(use, str):
                self._fault(table, "use must be text, the name of a strategy")
            elif use in entries:
                chosen.append((entries[use], table.without("use")))
            elif not self._waits(use):
                owner = self._installed.owner(use)
                cure = (
                    f'write use = "{owner}" for another {owner}' if owner else f"loaded: {', '.join(entries) or 'none'}"
                )
                self._fault(table, f"there is no strategy {use}; {cure}")
        return chosen

    def _waits(self, name: str) -> bool:
        """Whether a name belongs to an installed plugin that is not loaded: not enabled, or at fault itself."""
        owner = self._installed.owner(name)
        return owner is not None and owner not in self._order

    def _defaults(self, entries: Mapping[str, Registration]) -> list[tuple[Registration, Table]]:
        uses = [table.values.get("use", name) for name, table in self._settings.strategies.items()]
        with_table = {entries[use].plugin for use in uses if isinstance(use, str) and use in entries}
        return [
            (entry, self._empty("strategies", entry.name))
            for entry in entries.values()
            if entry.plugin not in with_table
        ]

    def _empty(self, kind: str, name: str) -> Table:
        return msgspec.structs.replace(self._settings.venue.table, path=(kind, name), values={})

    def _strategy(self, entry: Registration, table: Table) -> StrategyInstance | None:
        made = self._build(entry, table, STRATEGY)
        if made is None:
            return None
        config, instance = made
        markets = tuple(getattr(config, "markets", ()))
        hears = [hook for hook in MARKET_HOOKS if hasattr(instance, hook)]
        if hears and not markets and not hasattr(instance, "select_markets"):
            cure = "give its settings `markets`, or implement select_markets"
            self._faults.plugins.append(f"{table.name}: {hears[0]} would hear of no market; {cure}")
        return StrategyInstance(table.path[-1], entry.plugin, config, instance, markets)

    def _build(self, entry: Registration, table: Table, kind: Implementer) -> tuple[Struct | None, object] | None:
        before = len(self._faults)
        config: Struct | None = None
        if entry.config is not None:
            config = table.convert(entry.config, self._faults.settings)
        elif table.values:
            self._fault(table, f"{entry.name} has no settings, found {', '.join(table.values)}")
        if len(self._faults) > before:
            return None
        instance: object = attempt(table.name, lambda: entry.build(config), self._faults.plugins)
        if len(self._faults) == before:
            found = attempt(table.name, lambda: self._verify(instance, kind, table.name), self._faults.plugins)
            self._faults.plugins.extend(found or ())
        return None if len(self._faults) > before else (config, instance)

    def _fault(self, table: Table, problem: str) -> None:
        self._faults.settings.append(f"{table.origin().label}: {table.name}: {problem}")
