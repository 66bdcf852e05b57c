"""Durations on the command line: ``500ms``, ``20s``, ``1.5m``, ``2h``.

Owns their reading and the message for what is none.
"""

import re
from typing import TYPE_CHECKING, Any

import click

_UNITS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_DURATION = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?(ms|s|m|h)")
_LONGEST = 366 * 24 * _UNITS["h"]

if TYPE_CHECKING:
    _IntType = click.ParamType[int]
else:
    _IntType = click.ParamType  # generic to a type checker only, before click 8.2


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration. Raises ``ValueError`` that says how to write one."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as 500ms, 20s, 15m or 2h")
    whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
    nanoseconds = int(whole + fraction) * _UNITS[unit] // int("1" + "0" * len(fraction))
    if not _UNITS["ms"] <= nanoseconds <= _LONGEST:
        raise ValueError(f"{text!r} is not a duration between 1ms and a year")
    return nanoseconds


class Duration(_IntType):
    """A duration as a type of options; the value is in nanoseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()
