"""The sources of settings, each a tree of raw values with their origins, laid over one another.

Owns reading and merging. dynaconf reads the files, one at a time, and nothing else, because of what it was measured
to do: it turns ``0x…`` of the environment into a number, which destroys a key; a second file replaces whole tables, or
with merging on can only add to lists; it runs ``dynaconf_hooks.py`` beside a file and loads ``*.local.*`` files by
itself. Here tables merge, values and lists are replaced, and the environment stays text until a struct gives its type.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from polycore.errors import SettingsError
from polycore.settings.table import KeyPath, Origin
from polycore.settings.wording import looks_like_secret

PREFIX = "POLYCORE_"


class Layer(Struct, frozen=True):
    """Raw values and where each was written."""

    values: dict[str, object]
    origins: dict[KeyPath, Origin]


def file_layer(path: Path) -> Layer:
    """Read one TOML file. Raises ``SettingsError`` when it is missing, unreadable, not TOML, or holds a key."""
    values = _read(path)
    origins: dict[KeyPath, Origin] = {}
    _mark(values, (), Origin(str(path)), origins)
    _refuse_keys(values, (), path)
    return Layer(values, origins)


def local_file(path: Path) -> Path:
    """The file of this machine beside a settings file: ``settings.local.toml`` for ``settings.toml``."""
    return path.with_name(f"{path.stem}.local{path.suffix}")


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Variables ``POLYCORE_TABLE__KEY``: lower case, two underscores for a dot, values text."""
    values: dict[str, object] = {}
    origins: dict[KeyPath, Origin] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        if path[0] == "plugins":
            raise SettingsError(f"{variable}: the environment cannot add plugins; use --plugins or a settings file")
        _put(values, path, environ[variable])
        origins[path] = Origin(variable, variable)
    return Layer(values, origins)


def option_layer(options: Mapping[str, tuple[str, object]]) -> Layer:
    """Values of the command line: dotted path to the option's name and its value."""
    values: dict[str, object] = {}
    origins: dict[KeyPath, Origin] = {}
    for dotted, (option, value) in options.items():
        path = tuple(dotted.split("."))
        _put(values, path, value)
        origins[path] = Origin(option)
    return Layer(values, origins)


def merge(layers: Iterable[Layer]) -> Layer:
    """Lay layers over one another, later over earlier: tables merge, everything else is replaced, lists too."""
    values: dict[str, object] = {}
    origins: dict[KeyPath, Origin] = {}
    for layer in layers:
        for path, origin in layer.origins.items():
            # A table belongs to the file that begins it, for the message that a key of it is missing.
            if path not in origins or not isinstance(_at(layer.values, path), dict):
                origins[path] = origin
        values = _merged(values, layer.values)
    return Layer(values, origins)


def _merged(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _read(path: Path) -> dict[str, object]:
    if path.suffix != ".toml":
        raise SettingsError(f"{path}: a settings file is TOML and its name ends in .toml")
    try:
        path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such settings file") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    try:
        return {key.lower(): _plain(value) for key, value in _load_with_dynaconf(path).items()}
    except ValueError as error:
        raise SettingsError(f"{path}: is not valid TOML: {error}") from None


def _load_with_dynaconf(path: Path) -> dict[str, Any]:
    # Imported here: it takes 90 ms, and neither `--help` nor a plugin needs it.
    from dynaconf import Dynaconf, get_history
    from dynaconf.loaders import toml_loader

    loader = Dynaconf(environments=False, envvar_prefix=None, load_dotenv=False, core_loaders=[], loaders=[])
    loader.set("AUTO_CAST_FOR_DYNACONF", False)  # or a text that begins with @format or @read_file is run
    loader.set("DOTTED_LOOKUP_FOR_DYNACONF", False)
    toml_loader.load(loader, env="_envless", silent=False, filename=str(path), identifier="settings")
    # The history holds what this file said, keys that dynaconf would take for its own included.
    history = get_history(loader, filter_callable=lambda source: source.loader == "settings")
    return {key: value for entry in history for key, value in entry["value"].items()}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _mark(value: object, path: KeyPath, origin: Origin, origins: dict[KeyPath, Origin]) -> None:
    origins[path] = origin
    if isinstance(value, dict):
        for key, inner in value.items():
            _mark(inner, (*path, key), origin, origins)


def _at(values: object, path: KeyPath) -> object:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _put(values: dict[str, object], path: KeyPath, value: object) -> None:
    for key in path[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            inner = values[key] = {}
        values = inner
    values[path[-1]] = value


def _refuse_keys(value: object, path: KeyPath, file: Path) -> None:
    """Refuse what looks like a key. A market's id has the same form, so a setting that names markets may hold one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_keys(inner, (*path, key), file)
    elif isinstance(value, list):
        for inner in value:
            _refuse_keys(inner, path, file)
    elif looks_like_secret(value) and not ("market" in path[-1] or "condition" in path[-1]):
        raise SettingsError(
            f"{file}: {'.'.join(path)} looks like a private key or an API secret, which a settings file must not hold; "
            'put it in a file of mode 0600 and write { file = "PATH" }'
        )
