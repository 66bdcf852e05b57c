"""Options that several commands share.

Owns parsing and its error messages. Must not load settings or plugins.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_PLUGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

if TYPE_CHECKING:
    _NamesType = click.ParamType[tuple[str, ...]]
else:
    _NamesType = click.ParamType


class PluginNames(_NamesType):
    """Names with commas between them; the value is a tuple."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in value.split(","))
        for name in names:
            if not _PLUGIN.fullmatch(name):
                self.fail(f"{name!r} is not a plugin's name; write names with commas, such as mm,arb", param, ctx)
        return names


def settings_option(command: F) -> F:
    """``--settings FILE``."""
    return click.option(
        "--settings",
        "settings_path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settings, a TOML file. A FILE.local.toml beside it is laid over it. Without: the defaults.",
    )(command)


def plugins_option(command: F) -> F:
    """``--plugins NAMES``: a tuple, ``None`` when it is not given."""
    return click.option(
        "--plugins",
        type=PluginNames(),
        metavar="NAMES",
        help="Plugins to enable, in the order of calls: mm,arb. In place of `plugins` in the settings.",
    )(command)


def json_option(command: F) -> F:
    """``--json``: print for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def plugin_options(plugins: tuple[str, ...] | None) -> dict[str, tuple[str, object]]:
    """``--plugins`` as a layer of settings."""
    return {} if plugins is None else {"plugins": ("--plugins", list(plugins))}
