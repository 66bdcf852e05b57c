"""``polycore settings``: the effective values with where each was written, and a check that starts nothing.

Owns output only. Both commands import the enabled plugins, because their structs decide what may be set.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from msgspec import Struct

from polycore.cli.arguments import json_option, plugin_options, plugins_option, settings_option
from polycore.cli.display import print_json, print_table
from polycore.hooks.instances import ObserverInstance, StrategyInstance
from polycore.hooks.manager import PluginManager
from polycore.settings import Settings, load_settings
from polycore.settings.describe import values_of, written


class EffectiveValue(Struct, frozen=True):
    """One setting in force: its dotted path, its value as TOML would write it, and where it was written."""

    path: str
    value: str
    origin: str


@click.group()
def settings() -> None:
    """The settings of a run: a file, its .local.toml, POLYCORE_… variables and options, later over earlier."""


@settings.command()
@settings_option
@plugins_option
@json_option
def show(settings_path: Path | None, plugins: tuple[str, ...] | None, as_json: bool) -> None:
    """Show every value in force and where it comes from. A secret is shown as ***."""
    loaded, manager = _prepare(settings_path, plugins)
    values = list(_effective(loaded, manager))
    if as_json:
        print_json(values)
    else:
        print_table(
            ("SETTING", "VALUE", "FROM"), [(line.path, line.value or "(not set)", line.origin) for line in values]
        )


@settings.command(short_help="Check the settings and the plugins they enable.")
@settings_option
@plugins_option
def check(settings_path: Path | None, plugins: tuple[str, ...] | None) -> None:
    """Check the settings and the plugins they enable; every fault is told. Opens no connection."""
    loaded, manager = _prepare(settings_path, plugins)
    where = settings_path or "the defaults"
    names = ", ".join(instance.name for instance in manager.strategies) or "none: no plugin is enabled"
    click.echo(f"{where}: right. Strategies: {names}. Venue: {loaded.venue.name}, network {loaded.venue.network}.")


def _prepare(path: Path | None, plugins: tuple[str, ...] | None) -> tuple[Settings, PluginManager]:
    faults: list[str] = []
    loaded = load_settings(path, options=plugin_options(plugins), faults=faults)
    manager = PluginManager()
    manager.prepare(loaded, faults=faults, needs_plugins=False)
    return loaded, manager


def _effective(loaded: Settings, manager: PluginManager) -> Iterator[EffectiveValue]:
    yield _value(loaded, ("plugins",), written(loaded.plugins))
    yield _value(loaded, ("venue",), written(loaded.venue.name))
    venue = ("venues", loaded.venue.name)
    yield _value(loaded, (*venue, "network"), written(loaded.venue.network))
    yield _value(loaded, (*venue, "recording"), written(loaded.venue.recording))
    if manager.venue_config is not None:
        for name, text in values_of(manager.venue_config):
            if name != "network":
                yield _value(loaded, (*venue, name), text)
    for table, config in (("run", loaded.run), ("limits", loaded.limits)):
        for name, text in values_of(config):
            yield _value(loaded, (table, name), text)
    kinds: Sequence[tuple[str, Sequence[StrategyInstance | ObserverInstance]]] = (
        ("strategies", manager.strategies),
        ("observers", manager.observers),
    )
    for section, instances in kinds:
        for instance in instances:
            for name, text in values_of(instance.config) if instance.config is not None else ():
                yield _value(loaded, (section, instance.name, name), text)


def _value(loaded: Settings, path: tuple[str, ...], text: str) -> EffectiveValue:
    origin = loaded.origins.get(path)
    return EffectiveValue(".".join(path), text, origin.label if origin else "default")
