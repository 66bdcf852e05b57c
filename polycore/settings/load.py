"""All settings of a run from their four sources: a file, the local file beside it, the environment, the command line.

Owns the order of the sources and the tables of the core. Must not know a plugin.
"""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TypeVar, cast

import msgspec
from msgspec import Struct

from polycore.errors import SettingsError
from polycore.settings.layers import Layer, environment_layer, file_layer, local_file, merge, option_layer
from polycore.settings.structs import Limits, Network, RunSettings, Settings, VenueSettings
from polycore.settings.table import KeyPath, Table, origin_of
from polycore.settings.wording import NAME_RULE, did_you_mean, fail, found, is_name

DEFAULT_VENUE = "polymarket"
_TOP = ("plugins", "venue", "venues", "run", "limits", "strategies", "observers")
S = TypeVar("S", bound=Struct)


class _Top(Struct, frozen=True):
    """Values of the first level that are no tables."""

    plugins: tuple[str, ...] = ()
    venue: str = DEFAULT_VENUE


class _VenueTop(Struct, frozen=True):
    """What the core takes out of a venue's table."""

    network: Network = "local"
    recording: str = ""


def load_settings(
    path: Path | None = None,
    *,
    environ: MutableMapping[str, str] | None = None,
    options: Mapping[str, tuple[str, object]] | None = None,
    faults: list[str] | None = None,
) -> Settings:
    """Read and convert all settings; without ``path`` the defaults, the environment and the options.

    ``options`` maps a dotted path to an option's name and its value: ``{"run.speed": ("--speed", 6.0)}``. Every fault
    is told in one ``SettingsError``; with ``faults`` they are appended instead and defaults stand in, so that the
    faults of plugins can be told with them. A file that cannot be read raises in any case. No file is looked for: which
    one counts is said on the command line.
    """
    environ = os.environ if environ is None else environ
    merged = merge(_layers(path, environ, options or {}))
    collected: list[str] = [] if faults is None else faults
    settings = _Loading(merged, environ, collected).settings()
    if faults is None:
        fail(collected, SettingsError)
    return settings


def _layers(path: Path | None, environ: Mapping[str, str], options: Mapping[str, tuple[str, object]]) -> list[Layer]:
    layers: list[Layer] = []
    if path is not None:
        layers.append(file_layer(path))
        if (local := local_file(path)).exists():
            layers.append(file_layer(local))
    layers.append(environment_layer(environ))
    layers.append(option_layer(options))
    return layers


class _Loading:
    def __init__(self, layer: Layer, environ: MutableMapping[str, str], faults: list[str]) -> None:
        self._values = layer.values
        self._origins = layer.origins
        self._environ = environ
        self._faults = faults

    def settings(self) -> Settings:
        for key in self._values:
            if key not in _TOP:
                self._fault((key,), f" is not a setting{did_you_mean(key, _TOP)}")
        top = self._convert(self._table((), ("plugins", "venue")), _Top)
        venues = self._tables("venues")
        venue = venues.get(top.venue) or self._table(("venues", top.venue))
        chosen = self._convert(
            msgspec.structs.replace(venue, values=_only(venue.values, "network", "recording")), _VenueTop
        )
        network = chosen.network
        return Settings(
            plugins=top.plugins,
            venue=VenueSettings(
                name=top.venue,
                network=network,
                recording=chosen.recording,
                table=self._guarded(venue.without("network", "recording"), network),
            ),
            run=self._convert(self._table(("run",)), RunSettings),
            limits=self._convert(self._table(("limits",)), Limits),
            strategies={name: self._guarded(table, network) for name, table in self._tables("strategies").items()},
            observers={name: self._guarded(table, network) for name, table in self._tables("observers").items()},
            origins=self._origins,
            venue_names=tuple(venues),
        )

    def _convert(self, table: Table, struct: type[S]) -> S:
        made = table.convert(struct, self._faults)
        return struct() if made is None else made

    def _tables(self, name: str) -> dict[str, Table]:
        """The named tables below one of the first level, in the order in which they are written."""
        tables: dict[str, Table] = {}
        for key, value in self._table((name,)).values.items():
            if not isinstance(value, dict):
                self._fault((name, key), f": expected a table, found {found(value, key)}")
            elif not is_name(key):
                self._fault((name, key), f": {NAME_RULE}")
            else:
                tables[key] = self._table((name, key))
        return tables

    def _table(self, path: KeyPath, keys: tuple[str, ...] = ()) -> Table:
        values: object = self._values
        for key in path:
            values = cast("Mapping[str, object]", values).get(key, {})
            if not isinstance(values, dict):
                self._fault(path, f": expected a table, found {found(values, key)}")
                values = {}
        kept = cast("dict[str, object]", values)
        return Table(path, _only(kept, *keys) if keys else kept, self._origins, self._environ)

    def _guarded(self, table: Table, network: str) -> Table:
        return msgspec.structs.replace(table, secrets_in_environment=network != "mainnet")

    def _fault(self, path: KeyPath, problem: str) -> None:
        self._faults.append(f"{origin_of(self._origins, path).label}: {'.'.join(path)}{problem}")


def _only(values: Mapping[str, object], *keys: str) -> dict[str, object]:
    return {key: value for key, value in values.items() if key in keys}
