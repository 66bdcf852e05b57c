"""What a plugin hands over when it is loaded: strategies, venues and observers, each a name and a factory.

Owns the rules of a registration: a name of the plugin's own, once, and a closed frozen struct for its settings. A
broken rule raises ``PluginError`` at once, in the plugin's own call. Must not build an instance.
"""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
from msgspec import Struct

from polycore.errors import PluginError
from polycore.settings import NAME_RULE, is_name


class Registration(Struct, frozen=True):
    """One registered factory. Without ``config`` it is called with nothing, else with the converted settings."""

    plugin: str
    name: str
    factory: Callable[..., Any]
    config: type[Struct] | None = None

    def build(self, config: Struct | None) -> Any:
        """Make the instance. Whatever the factory raises comes through."""
        return self.factory() if config is None else self.factory(config)


class _Registry:
    """Names to registrations, in the order in which they were added."""

    kind = ""

    def __init__(self) -> None:
        self._entries: dict[str, Registration] = {}
        self._plugin = ""

    @property
    def entries(self) -> dict[str, Registration]:
        """A copy of what is registered, by name."""
        return dict(self._entries)

    def begin(self, plugin: str) -> None:
        """Take what is added from now on as this plugin's. The manager calls it before each."""
        self._plugin = plugin

    def forget(self, plugin: str) -> None:
        """Drop what a plugin registered before it failed."""
        self._entries = {name: entry for name, entry in self._entries.items() if entry.plugin != plugin}

    def _add(self, name: str, factory: Callable[..., Any], config: type[Struct] | None) -> None:
        what = f"{self.kind} {name!r}"
        if not isinstance(name, str) or not is_name(name):
            raise PluginError(f"{what}: {NAME_RULE}")
        if self._plugin and name != self._plugin and not name.startswith((f"{self._plugin}_", f"{self._plugin}-")):
            raise PluginError(
                f"{what}: the name must be {self._plugin}, the plugin's own, or begin with {self._plugin}_"
            )
        if name in self._entries:
            raise PluginError(f"{what} is registered twice")
        if not callable(factory):
            raise PluginError(f"{what}: the factory must be a class or a function, found {factory!r}")
        if config is not None:
            _check_config(what, config)
        self._entries[name] = Registration(self._plugin, name, factory, config)


class StrategyRegistry(_Registry):
    """Receives the strategies of a plugin."""

    kind = "strategy"

    def add(self, name: str, factory: Callable[..., Any], config: type[Struct] | None = None) -> None:
        """Register a strategy: its factory is called once for each configured instance, with that instance's config.

        ``name`` is what ``use`` in a settings table says: the plugin's name, or one that begins with it and ``_``.
        ``config`` is a frozen Struct; unknown keys are refused whether or not it forbids them. Raises ``PluginError``.
        """
        self._add(name, factory, config)


class VenueRegistry(_Registry):
    """Receives the venues of a plugin."""

    kind = "venue"

    def add(self, name: str, factory: Callable[..., Any], config: type[Struct] | None = None) -> None:
        """Register a venue: its factory gets the converted table ``[venues.NAME]``. Raises ``PluginError``."""
        self._add(name, factory, config)


class ObserverRegistry(_Registry):
    """Receives the observers of a plugin, which watch and return nothing."""

    kind = "observer"

    def add(self, name: str, factory: Callable[..., Any], config: type[Struct] | None = None) -> None:
        """Register an observer: one instance a run, with the table ``[observers.NAME]``. Raises ``PluginError``."""
        self._add(name, factory, config)


def _check_config(what: str, config: object) -> None:
    """A config must be a frozen Struct; those inside it may be msgspec's to convert, so they must be closed."""
    if not (isinstance(config, type) and issubclass(config, Struct)):
        raise PluginError(f"{what}: config must be a msgspec Struct class, found {config!r}")
    if not config.__struct_config__.frozen:
        raise PluginError(f"{what}: {config.__name__} must be frozen: class {config.__name__}(Struct, frozen=True)")
    try:
        fields = msgspec.structs.fields(config)
    except (NameError, TypeError) as error:
        raise PluginError(f"{what}: the fields of {config.__name__} cannot be read: {error}") from error
    for field in fields:
        for inner in _structs_inside(field.type):
            if not inner.__struct_config__.forbid_unknown_fields:
                raise PluginError(
                    f"{what}: {inner.__name__}, inside {config.__name__}.{field.name}, must be closed: "
                    f"class {inner.__name__}(Struct, frozen=True, forbid_unknown_fields=True)"
                )


def _structs_inside(kind: Any) -> list[type[Struct]]:
    if isinstance(kind, type) and issubclass(kind, Struct):
        return [kind, *(inner for field in msgspec.structs.fields(kind) for inner in _structs_inside(field.type))]
    return [inner for argument in get_args(kind) for inner in _structs_inside(argument)]
