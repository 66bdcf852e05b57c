"""Plugins: loaded by name, verified, their strategies and observers built from settings and put in order.

Owns what is loaded and who is called first. Loads from the one distribution that claims a name, never by
``load_setuptools_entrypoints``, which takes the first it finds. Made by ``app``, never at import. Must not deliver
events or open anything.
"""

from collections.abc import Collection, Iterable
from functools import partial
from importlib.metadata import Distribution
from typing import TYPE_CHECKING, Any

import msgspec
import pluggy
from msgspec import Struct

from polycore.errors import PluginError, SettingsError
from polycore.hooks import specs
from polycore.hooks.attempt import attempt
from polycore.hooks.binding import HookCall, bind
from polycore.hooks.installed import Claim, InstalledPlugins
from polycore.hooks.instances import Faults, InstanceBuilder, ObserverInstance, StrategyInstance
from polycore.hooks.markers import PROJECT
from polycore.hooks.registry import ObserverRegistry, StrategyRegistry, VenueRegistry
from polycore.hooks.verify import ARGUMENTS, BUILT_IN, MODULE, Implementer, implementations, verify
from polycore.settings import Settings, fail

if TYPE_CHECKING:
    import click

    from polycore.venue import Venue


class PluginManager:
    """Loads what is named and nothing else. ``strategies`` and ``observers`` are in the order in which they are called.

    ``found`` are the distributions among which plugins are looked for; by default all installed ones. ``[]`` discovers
    nothing: for tests, together with :meth:`add`.
    """

    def __init__(self, found: Iterable[Distribution] | None = None) -> None:
        self.installed = InstalledPlugins(found)
        self.loaded: dict[str, Claim | None] = {}
        self.strategies: list[StrategyInstance] = []
        self.observers: list[ObserverInstance] = []
        self.venue_config: Struct | None = None
        self.strategy_registry = StrategyRegistry()
        self.venue_registry = VenueRegistry()
        self.observer_registry = ObserverRegistry()
        self._pm = pluggy.PluginManager(PROJECT)
        self._pm.add_hookspecs(specs)

    @property
    def hook(self) -> pluggy.HookRelay:
        """For the hooks without a context: ``check_order``, ``on_intent``, ``on_hook_error``."""
        return self._pm.hook

    def bind(self, instance: object, hook: str) -> HookCall | None:
        """An instance's implementation of a hook as a plain callable, or ``None`` when it has none.

        It takes all arguments of the specification, by position and in that order, whichever of them the implementation
        takes; one that takes exactly those is returned itself.
        """
        if isinstance(instance, StrategyInstance | ObserverInstance):
            instance = instance.instance
        return bind(self._pm, instance, hook)

    def register(self, part: object, name: str) -> None:
        """Register a part of the core, such as a built-in check. What is registered last is asked first."""
        fail(self._verify(part, BUILT_IN, name), PluginError)
        self._pm.register(part, name)

    def add(self, module: object, name: str) -> None:
        """Load a plugin that is not installed: a module, or an object in place of one. Raises ``PluginError``."""
        faults: list[str] = []
        self._take(module, name, None, faults)
        fail(faults, PluginError)

    def load(self, names: Iterable[str], without: Collection[str] = (), faults: list[str] | None = None) -> None:
        """Import the named plugins in order, verify them and collect what they register.

        A name in ``without`` is blocked and not imported. All faults are raised in one ``PluginError``; with ``faults``
        they are appended instead, and whatever could be loaded is.
        """
        collected: list[str] = [] if faults is None else faults
        for name in without:
            self._pm.set_blocked(name)
        for name in dict.fromkeys(names):
            if name not in self.loaded and not self._pm.is_blocked(name):
                self._load(name, collected)
        if faults is None:
            fail(collected, PluginError)

    def prepare(
        self,
        settings: Settings,
        without: Collection[str] = (),
        faults: list[str] | None = None,
        needs_plugins: bool = True,
    ) -> None:
        """Load the enabled plugins and the venue; build, verify and register every strategy and observer.

        Nothing is opened. All faults, with those of the settings that ``faults`` brings, are raised in one error: a
        ``PluginError``, or a ``SettingsError`` when no plugin is at fault. That no plugin is enabled is a fault unless
        ``needs_plugins`` is false.
        """
        told = Faults([] if faults is None else faults, [])
        told.plugins.extend(self._naming_faults(settings, without))
        if needs_plugins and not self.loaded and not set(settings.plugins) - set(without):
            offered = ", ".join(name for name in self.installed.names if name != settings.venue.name)
            told.plugins.append(f"no plugin is enabled; name some with --plugins, installed: {offered or 'none'}")
        self.load([*settings.plugins, settings.venue.name], without, told.plugins)
        self._check_venue(settings, told)
        builder = InstanceBuilder(settings, self.installed, self.loaded, self._verify, told)
        self.strategies = builder.strategies(self.strategy_registry.entries)
        taken = {strategy.name for strategy in self.strategies}
        self.observers = builder.observers(self.observer_registry.entries, taken)
        # pluggy calls what was registered last first; the order of names is to be the order of calls.
        for observer in reversed(self.observers):
            self._register(observer, told)
        for strategy in reversed(self.strategies):
            self._register(strategy, told)
        fail([*told.settings, *told.plugins], PluginError if told.plugins else SettingsError)

    def venue(self, settings: Settings, **overrides: object) -> "Venue":
        """Build the venue of the settings.

        ``overrides`` replace fields of its own settings, such as ``exchange=URL``; a field ``network`` gets the network
        of the run. Raises ``PluginError`` when no loaded plugin registers it, ``SettingsError`` for its table.
        """
        name = settings.venue.name
        entry = self.venue_registry.entries.get(name)
        if entry is None:
            raise PluginError(f"venue {name}: no loaded plugin registers it")
        config = None
        if entry.config is not None:
            config = settings.venue.table.convert(entry.config)
            assert config is not None  # noqa: S101  # without a list of faults they are raised
            if any(field.name == "network" for field in msgspec.structs.fields(entry.config)):
                overrides = {"network": settings.venue.network, **overrides}
            try:
                config = msgspec.structs.replace(config, **overrides)
            except TypeError:
                raise SettingsError(f"venue {name} has no setting {', '.join(overrides)}") from None
        venue: Venue = entry.build(config)
        return venue

    def add_commands(self, name: str, group: "click.Group") -> None:
        """Load one plugin and let it add its commands to a group. Raises ``PluginError``."""
        self.load([name])
        call = bind(self._pm, self._pm.get_plugin(name), "register_commands")
        if call is not None:
            faults: list[str] = []
            attempt(f"plugin {name}: register_commands", lambda: call(group), faults)
            fail(faults, PluginError)

    def module(self, name: str) -> object:
        """The module of a loaded plugin. Raises ``PluginError`` for one that is not loaded."""
        if name not in self.loaded:
            raise PluginError(f"plugin {name} is not loaded")
        return self._pm.get_plugin(name)

    def hooks_of(self, implementer: Any) -> list[str]:
        """Hooks that a module, a class or an instance implements, in the order of the specification."""
        found = {name for name, _, _ in implementations(self._pm, implementer)}
        return [name for name in ARGUMENTS if name in found]

    def _load(self, name: str, faults: list[str]) -> None:
        try:
            claim = self.installed.find(name)
        except PluginError as error:
            faults.append(str(error))
            return
        if claim.entry_point.attr:
            faults.append(f"plugin {name}: its entry point names {claim.module}; it must name a module")
            return
        what = f"plugin {name} ({claim.distribution} {claim.version}): import of {claim.module}"
        module: object | None = attempt(what, claim.entry_point.load, faults)
        if module is not None:
            self._take(module, name, claim, faults)

    def _take(self, module: object, name: str, claim: Claim | None, faults: list[str]) -> None:
        """Verify a module and collect what it registers; of one at fault nothing stays."""
        found = self._verify(module, MODULE, f"plugin {name}")
        if found:
            faults += found
            return
        self._pm.register(module, name)
        registries = {
            "register_strategies": self.strategy_registry,
            "register_venues": self.venue_registry,
            "register_observers": self.observer_registry,
        }
        for hook, registry in registries.items():
            call = bind(self._pm, module, hook)
            before = len(faults)
            if call is not None:
                registry.begin(name)
                attempt(f"plugin {name}: {hook}", partial(call, registry), faults)
            if len(faults) > before:
                registry.forget(name)
        self.loaded[name] = claim
        told = {
            "name": name,
            "distribution": claim.distribution if claim else "",
            "version": claim.version if claim else "",
        }
        self._pm.hook.on_plugin_loaded.call_historic(kwargs=told)

    def _register(self, instance: StrategyInstance | ObserverInstance, told: Faults) -> None:
        attempt(instance.path, partial(self._pm.register, instance.instance, instance.path), told.plugins)

    def _verify(self, part: object, kind: Implementer, where: str) -> list[str]:
        return verify(self._pm, part, kind, where)

    def _naming_faults(self, settings: Settings, without: Collection[str]) -> list[str]:
        faults: list[str] = []
        names = self.installed.names
        for name in without:
            if name == settings.venue.name:
                faults.append(f"--without {name}: it is the venue of this run")
            elif name not in names and name not in settings.plugins:
                faults.append(f"--without {name}: no such plugin is installed; installed: {', '.join(names)}")
        return faults

    def _check_venue(self, settings: Settings, told: Faults) -> None:
        name = settings.venue.name
        entry = self.venue_registry.entries.get(name)
        if entry is not None and entry.config is not None:
            self.venue_config = settings.venue.table.convert(entry.config, told.settings)
        elif entry is None and name in self.loaded:
            told.plugins.append(f"venue {name}: plugin {name} registers no venue of that name")
        for other in settings.venue_names:
            if other not in self.installed.names and other not in self.loaded:
                told.settings.append(f"venues.{other}: no plugin {other} is installed")
