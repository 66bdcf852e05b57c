"""One raw table of settings, where each of its values came from, and its conversion to a closed struct.

Owns the wording and the completeness of faults: all of a table's are told, each with its source, its dotted path, what
was found and what was expected. Must not read a file of settings; reading a credential file is part of converting.
"""

import re
import tomllib
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo

from polycore.errors import SettingsError
from polycore.settings.amounts import Amount, amount_from
from polycore.settings.secret import Secret, read_credential
from polycore.settings.wording import did_you_mean, fail, found

KeyPath: TypeAlias = tuple[str, ...]
S = TypeVar("S", bound=Struct)

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_MISMATCH = re.compile(
    r"Expected `(?P<kinds>[^`]+)`(?P<bound>.*?)(?:, got `[^`]+`)?(?: - at `\$(?P<at>.*)`)?", re.DOTALL
)
_LACKING = re.compile(
    r"Object (?P<what>missing required|contains unknown) field `(?P<field>[^`]+)`(?: - at `\$(?P<at>.*)`)?"
)
_PLACE = re.compile(r" - at `\$.*`$")


class Origin(Struct, frozen=True):
    """Where a value was written: a file, an option, or an environment ``variable``, whose values are always text."""

    label: str
    variable: str = ""


DEFAULT = Origin("settings")
"""Of what was written nowhere."""


class Table(Struct, frozen=True):
    """A table as it was written, with the origin of every value by its path from the root of all settings."""

    path: KeyPath
    values: Mapping[str, object]
    origins: Mapping[KeyPath, Origin]
    environ: MutableMapping[str, str]
    secrets_in_environment: bool = True

    def __repr__(self) -> str:
        # The environment's values are raw text here, and one of them may be a secret.
        return f"Table({self.name})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("path", self.path)]

    @property
    def name(self) -> str:
        """The dotted path, as messages give it."""
        return ".".join(self.path)

    def origin(self, *below: str) -> Origin:
        """Where the value at a path below this table came from."""
        return origin_of(self.origins, (*self.path, *below))

    def without(self, *keys: str) -> "Table":
        """The table less some keys of its own."""
        kept = {key: value for key, value in self.values.items() if key not in keys}
        return msgspec.structs.replace(self, values=kept)

    def convert(self, struct: type[S], faults: list[str] | None = None) -> S | None:
        """Make the closed struct that owns this table.

        With ``faults`` each fault is appended and ``None`` returned; without, all are raised in one ``SettingsError``.
        A secret that came from the environment is removed from it.
        """
        collected: list[str] = [] if faults is None else faults
        before = len(collected)
        made = _Conversion(self, collected).struct(self.values, struct, ())
        if faults is None:
            fail(collected, SettingsError)
        return made if len(collected) == before else None


def origin_of(origins: Mapping[KeyPath, Origin], path: KeyPath) -> Origin:
    """The origin of a value, or of the first within it, or of the nearest table around it."""
    if path in origins:
        return origins[path]
    within = (origin for other, origin in origins.items() if other[: len(path)] == path)
    around = (origins[path[:length]] for length in range(len(path) - 1, -1, -1) if path[:length] in origins)
    return next(within, None) or next(around, DEFAULT)


class _Conversion:
    """One conversion of one table: what it found wrong so far."""

    def __init__(self, table: Table, faults: list[str]) -> None:
        self._table = table
        self._faults = faults

    def struct(self, values: Mapping[str, object], struct: type[S], below: KeyPath) -> S | None:
        fields = {field.name: field for field in msgspec.structs.fields(struct)}
        before = len(self._faults)
        for key in values:
            if key not in fields:
                self._fault((*below, key), f" is not a setting{did_you_mean(key, fields)}")
        made: dict[str, object] = {}
        for name, field in fields.items():
            if name in values:
                made[name] = self._field(values[name], field, (*below, name))
            elif field.required:
                self._fault((*below, name), " is missing")
        if len(self._faults) > before:
            return None
        try:
            return struct(**made)
        except (ValueError, TypeError) as error:
            self._fault(below, f": {error}")
            return None

    def _field(self, value: object, field: FieldInfo, path: KeyPath) -> object:
        kinds = _members(field.type)
        if Secret in kinds:
            return self._secret(value, path)
        nested = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Struct)]
        if len(nested) == 1 and isinstance(value, dict):
            return self.struct(value, nested[0], path)
        text = bool(self._table.origin(*path).variable)
        try:
            return msgspec.convert(value, field.type, strict=not text, dec_hook=_decode)
        except msgspec.ValidationError as error:
            parsed = _toml(value) if text else None
            if parsed is None:
                self._fault(path, _mismatch(str(error), value, field))
                return None
        try:
            return msgspec.convert(parsed, field.type, dec_hook=_decode)
        except msgspec.ValidationError as error:
            self._fault(path, _mismatch(str(error), parsed, field))
            return None

    def _secret(self, value: object, path: KeyPath) -> Secret | None:
        variable = self._table.origin(*path).variable
        if isinstance(value, dict) and set(value) == {"file"} and isinstance(value["file"], str):
            try:
                return read_credential(Path(value["file"]).expanduser())
            except ValueError as error:
                self._fault((*path, "file"), f": {error}")
                return None
        if isinstance(value, str) and variable:
            if self._table.secrets_in_environment:
                self._table.environ.pop(variable, None)
                return Secret(value)
            self._fault(path, f": on mainnet a secret is not taken from the environment; {_CURE}")
        elif isinstance(value, str):
            self._fault(path, f": a secret does not belong in a settings file or an argument; {_CURE}")
        else:
            self._fault(path, f": a secret must be text, found {found(value, 'secret')}; {_CURE}")
        return None

    def _fault(self, below: KeyPath, problem: str) -> None:
        path = ".".join((*self._table.path, *below))
        self._faults.append(f"{self._table.origin(*below).label}: {path}{problem}")


_CURE = 'put it in a file of mode 0600 and write { file = "PATH" }'


def _members(kind: Any) -> tuple[Any, ...]:
    """A type, or the types of which an optional or annotated type is made."""
    inner = [member for member in get_args(kind) if member is not type(None)]
    if hasattr(kind, "__metadata__"):
        return _members(inner[0])
    if type(None) in get_args(kind):
        return tuple(found for member in inner for found in _members(member))
    return (kind,)


def _decode(kind: type[Any], value: object) -> object:
    if issubclass(kind, Amount):
        return amount_from(kind, value)
    raise ValueError(f"settings of type {kind.__name__} are not supported")


def _toml(value: object) -> object | None:
    """A list or table that the environment spells as TOML does."""
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return None
    try:
        return cast("dict[str, object]", tomllib.loads(f"value = {value}"))["value"]
    except tomllib.TOMLDecodeError:
        return None


def _mismatch(message: str, value: object, field: FieldInfo) -> str:
    """Say in our words what msgspec found."""
    choices = _choices(field.type)
    if choices:
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        hint = hint if "mean" in hint else ""
        return f": expected one of {', '.join(choices)}, found {found(value, field.name)}{hint}"
    if lacking := _LACKING.fullmatch(message):
        place, _ = _descend(value, lacking["at"] or "")
        problem = "is missing" if lacking["what"] == "missing required" else "is not a setting"
        return f"{place}.{lacking['field']} {problem}"
    match = _MISMATCH.fullmatch(message)
    if match is None:
        return f": {_PLACE.sub('', message)}"
    place, offender = _descend(value, match["at"] or "")
    words = [_WORDS.get(kind, kind) for kind in match["kinds"].split(" | ") if kind != "null"]
    return f"{place}: expected {' or '.join(words)}{match['bound']}, found {found(offender, field.name)}"


def _descend(value: object, at: str) -> tuple[str, object]:
    """The place that msgspec names, as far as it names one, and what is there."""
    place = ""
    for step in re.findall(r"\[(\d+)\]|\.(\w+)", at):
        index, key = step
        if index and isinstance(value, list | tuple):
            place, value = f"{place}[{index}]", value[int(index)]
        elif key and isinstance(value, dict) and key in value:
            place, value = f"{place}.{key}", value[key]
    return place, value


def _choices(kind: Any) -> list[str]:
    """The texts that a setting of a ``Literal`` or an ``Enum`` may hold."""
    described = msgspec.inspect.type_info(kind)
    while isinstance(described, msgspec.inspect.Metadata):
        described = described.type
    if isinstance(described, msgspec.inspect.LiteralType):
        return [str(choice) for choice in described.values]
    if isinstance(described, msgspec.inspect.EnumType):
        return [str(member.value) for member in described.cls]
    return []
