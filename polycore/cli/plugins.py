"""``polycore plugins``: what is installed, from metadata alone, and what one plugin has.

Owns output only. ``list`` imports no plugin and works with every one of them broken; ``info`` imports the one named.
"""

import click
from msgspec import Struct

from polycore.cli.arguments import json_option
from polycore.cli.display import print_json, print_table
from polycore.hooks.installed import Claim, InstalledPlugins
from polycore.hooks.manager import PluginManager
from polycore.hooks.registry import Registration
from polycore.settings.describe import SettingDescription, describe_struct


class PluginLine(Struct, frozen=True):
    """One line of ``plugins list``. ``fault`` says why the plugin could not be loaded, as far as metadata tells."""

    name: str
    distribution: str
    version: str
    module: str
    summary: str
    fault: str = ""


class Registered(Struct, frozen=True):
    """A strategy, venue or observer of a plugin. ``table`` is where its settings are written."""

    kind: str
    name: str
    table: str
    hooks: list[str]
    settings: list[SettingDescription]


class PluginPage(Struct, frozen=True):
    """What ``plugins info`` shows."""

    plugin: PluginLine
    hooks: list[str]
    registered: list[Registered]


@click.group(invoke_without_command=True)
@click.pass_context
def plugins(context: click.Context) -> None:
    """Installed plugins. Installed is not enabled: a run loads those that --plugins or the settings name."""
    if context.invoked_subcommand is None:
        context.invoke(list_plugins)


@plugins.command("list")
@json_option
def list_plugins(as_json: bool = False) -> None:
    """List installed plugins without importing any."""
    claims = InstalledPlugins().claims()
    names = [claim.name for claim in claims]
    lines = [_line(claim, rivals=names.count(claim.name)) for claim in claims]
    if as_json:
        print_json(lines)
    else:
        rows = [(line.name, line.distribution, line.version, line.fault or line.summary) for line in lines]
        print_table(("PLUGIN", "DISTRIBUTION", "VERSION", "SUMMARY"), rows)


@plugins.command()
@click.argument("name")
@json_option
def info(name: str, as_json: bool) -> None:
    """Import one plugin and show its version, its hooks and everything that can be set."""
    manager = PluginManager()
    manager.load([name])
    claim = manager.installed.find(name)
    page = PluginPage(_line(claim), manager.hooks_of(manager.module(name)), _registered(manager))
    if as_json:
        print_json(page)
    else:
        _print(page)


def _line(claim: Claim, rivals: int = 1) -> PluginLine:
    fault = f"claimed by {rivals} distributions: it will not be loaded" if rivals > 1 else ""
    return PluginLine(claim.name, claim.distribution, claim.version, claim.module, claim.summary, fault)


def _registered(manager: PluginManager) -> list[Registered]:
    kinds = (
        ("strategy", "strategies", manager.strategy_registry.entries),
        ("venue", "venues", manager.venue_registry.entries),
        ("observer", "observers", manager.observer_registry.entries),
    )
    return [
        Registered(
            kind=kind,
            name=entry.name,
            table=f"{section}.{entry.name}",
            hooks=_hooks(manager, entry) if kind != "venue" else [],
            settings=describe_struct(entry.config) if entry.config else [],
        )
        for kind, section, entries in kinds
        for entry in entries.values()
    ]


def _hooks(manager: PluginManager, entry: Registration) -> list[str]:
    """Hooks of a factory that is a class; what a function makes is known only when it is made."""
    return manager.hooks_of(entry.factory) if isinstance(entry.factory, type) else []


def _print(page: PluginPage) -> None:
    plugin = page.plugin
    click.echo(f"{plugin.name}: {plugin.distribution} {plugin.version}, module {plugin.module}")
    if plugin.summary:
        click.echo(plugin.summary)
    click.echo(f"hooks of the module: {', '.join(page.hooks)}")
    for part in page.registered:
        click.echo(f"\n{part.kind} {part.name}")
        if part.hooks:
            click.echo(f"hooks: {', '.join(part.hooks)}")
        click.echo(f"[{part.table}]" if part.settings else "no settings")
        for setting in part.settings:
            value = "(required)" if setting.required else setting.default or "(not set)"
            click.echo(f"  {setting.name} = {value}")
            click.echo(f"      {setting.type}{': ' if setting.description else ''}{setting.description}")
