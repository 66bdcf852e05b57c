"""Plain output: aligned tables, JSON, and text that a stranger wrote made safe to print.

Owns no data. Colours and live tables are ``run``'s.
"""

import unicodedata
from collections.abc import Sequence

import click
import msgspec

_LONGEST = 200
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header, each column as wide as its widest cell."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    """Print a value for machines, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def clean(text: str) -> str:
    """Text from outside without control, bidirectional and zero-width characters, at most 200 long."""
    kept = "".join(character for character in text if unicodedata.category(character) not in _UNSAFE)
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1] + "…"
