"""Settings in words: each field of a struct with its type, default and description, for output and docs.

Owns how a value and a type are written for a reader. Must not convert or check anything.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from polycore.settings.amounts import Amount
from polycore.settings.secret import Secret


class SettingDescription(Struct, frozen=True):
    """One setting: ``default`` as it would be written in TOML, empty when there is none."""

    name: str
    type: str
    default: str
    description: str
    required: bool


def describe_struct(struct: type[Struct]) -> list[SettingDescription]:
    """Every field of a settings struct, in order."""
    return [
        SettingDescription(
            name=field.name,
            type=type_words(field.type),
            default="" if field.required else written(default_of(field), field.type),
            description=_description(field.type),
            required=field.required,
        )
        for field in msgspec.structs.fields(struct)
    ]


def values_of(config: Struct) -> Iterator[tuple[str, str]]:
    """Every field of a converted struct with its value as TOML would write it; a secret as ``***``."""
    for field in msgspec.structs.fields(type(config)):
        yield field.name, written(getattr(config, field.name), field.type)


def default_of(field: FieldInfo) -> object:
    """The default of a field that has one."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def type_words(kind: Any) -> str:
    """A type in words: ``whole number, at least 1``."""
    bounds = "".join(_bounds(meta) for meta in getattr(kind, "__metadata__", ()))
    if bounds or hasattr(kind, "__metadata__"):
        return type_words(get_args(kind)[0]) + bounds
    members = [member for member in get_args(kind) if member is not type(None)]
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(member) for member in members)
    if type(None) in get_args(kind):
        return " or ".join(type_words(member) for member in members)
    origin = get_origin(kind) or kind
    if origin in (tuple, list, set, frozenset):
        inner = [member for member in members if member is not Ellipsis]
        return f"list of {type_words(inner[0])}" if inner else "list"
    if isinstance(origin, type):
        return _class_words(origin)
    return str(kind)


def written(value: object, kind: Any = None) -> str:
    """A value as TOML would write it."""
    amount = _amount_of(kind)
    if isinstance(value, Secret):
        return "***"
    if isinstance(value, Struct):
        return "{ " + ", ".join(f"{name} = {text}" for name, text in values_of(value)) + " }"
    if isinstance(value, bool):
        return "true" if value else "false"
    if amount is not None and isinstance(value, int):
        return f'"{amount.format(value)}"'
    if isinstance(value, tuple | list | set | frozenset):
        return "[" + ", ".join(written(member, kind) for member in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {written(member, kind)}" for key, member in value.items()) + " }"
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(getattr(value, "value", value))


def _description(kind: Any) -> str:
    texts = [meta.description for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, Meta)]
    return " ".join(text for text in texts if text)


def _bounds(meta: object) -> str:
    if not isinstance(meta, Meta):
        return ""
    parts = [
        f", {words} {bound:g}"
        for words, bound in (
            ("at least", meta.ge), ("above", meta.gt), ("at most", meta.le), ("below", meta.lt),
        )
        if bound is not None
    ]  # fmt: skip
    return "".join(parts)


def _class_words(kind: type) -> str:
    if issubclass(kind, Amount):
        return f"{kind.what.removeprefix('a number of ').removeprefix('an ').removeprefix('a ')}, as text"
    if issubclass(kind, Secret):
        return "secret"
    if issubclass(kind, Struct | dict):
        return "table"
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}.get(kind, kind.__name__)


def _amount_of(kind: Any) -> type[Amount] | None:
    """The amount type within a type, so that a list of amounts is written as amounts."""
    if isinstance(kind, type):
        return kind if issubclass(kind, Amount) else None
    return next((amount for member in get_args(kind) if (amount := _amount_of(member)) is not None), None)
