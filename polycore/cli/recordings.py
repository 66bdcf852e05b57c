"""``polycore recordings``: what is bundled, and proof that a recording is what the venue sent.

Owns the command lines and their output. How a book's hash is made is the venue's knowledge: it is asked through its
plugin, found by name.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar, cast

import click
import msgspec
from msgspec import Struct

from polycore.cli.arguments import json_option
from polycore.cli.display import clean, print_json, print_table
from polycore.errors import PluginError, RecordingError, UsageError
from polycore.hooks.manager import PluginManager
from polycore.recordings import Recording, list_recordings, read_lines
from polycore.venue import Verification

_T = TypeVar("_T")
_COUNTS = ("books", "book_hashes_right", "changes", "change_hashes_right", "best_checked", "best_right")


class FileVerification(Struct, frozen=True):
    """What was found in one file."""

    path: str
    found: Verification


class AppliedLike(Protocol):
    """What a venue says of changes applied to a book: a struct of counts, and whether the books are equal."""

    @property
    def equal(self) -> bool: ...


@click.group()
def recordings() -> None:
    """List recordings and verify their books against the venue's hashes."""


@recordings.command(name="list")
@json_option
def list_command(as_json: bool) -> None:
    """List the bundled recordings with their sources and licences."""
    found = list_recordings()
    if as_json:
        print_json([_described(recording) for recording in found])
        return
    header = ("RECORDING", "TITLE", "MARKETS", "SECONDS", "LICENCE", "CREDIT")
    print_table(header, [_row(recording) for recording in found])


@recordings.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--changes", "changes", type=click.Path(path_type=Path), metavar="FILE", help="Rows {timestamp, change}.")
@click.option("--from", "first", type=int, metavar="N", help="The book the changes are applied to, counted from 1.")
@click.option("--to", "last", type=int, metavar="M", help="The book that they must lead to.")
@click.option("--venue", default="polymarket", show_default=True, help="The venue plugin that knows the hashes.")
@json_option
def verify(
    paths: tuple[Path, ...], changes: Path | None, first: int | None, last: int | None, venue: str, as_json: bool
) -> None:
    """Rebuild every book of .jsonl or .jsonl.gz captures and recompute every hash and best quote.

    With --changes FILE --from N --to M the rows of FILE are applied to book N of the one PATH and compared with book
    M; the exit status is 1 when they differ.
    """
    module = _venue_module(venue)
    files = [FileVerification(str(path), _in_file(path, lambda lines: _verify(module, lines))) for path in paths]
    total = _total([file.found for file in files])
    applied = None
    if changes is not None or first is not None or last is not None:
        if changes is None or first is None or last is None or len(paths) != 1:
            raise UsageError("--changes FILE, --from N and --to M go together, with one PATH")
        applied = _apply(module, paths[0], changes, first, last)
    if as_json:
        print_json(_json(total, files, applied))
    else:
        _print(files, total, applied)
    if applied is not None and not applied.equal:
        raise SystemExit(1)


def _venue_module(name: str) -> object:
    manager = PluginManager()
    manager.load([name])
    module = manager.module(name)
    if not hasattr(module, "verify") or not hasattr(module, "verify_changes"):
        raise PluginError(f"plugin {name} cannot verify recordings: it has no verify and verify_changes")
    return module


def _verify(module: object, lines: Iterable[bytes]) -> Verification:
    verify = cast(Callable[[Iterable[bytes]], Verification], module.verify)  # type: ignore[attr-defined]
    return verify(lines)


def _apply(module: object, path: Path, changes: Path, first: int, last: int) -> AppliedLike:
    verify_changes = cast(
        Callable[[Iterable[bytes], Iterable[bytes], int, int], AppliedLike],
        module.verify_changes,  # type: ignore[attr-defined]
    )
    rows = [line for _, line in read_lines(changes)]
    return _in_file(path, lambda lines: verify_changes(lines, rows, first, last))


def _in_file(path: Path, read: Callable[[Iterable[bytes]], _T]) -> _T:
    """What a reader makes of a file's lines; its errors get the file's name."""
    lines = [line for _, line in read_lines(path)]
    try:
        return read(lines)
    except RecordingError as error:
        raise RecordingError(f"recording {path}: {error}") from error


def _total(found: list[Verification]) -> Verification:
    total = Verification()
    for one in found:
        for name in _COUNTS:
            setattr(total, name, getattr(total, name) + getattr(one, name))
        for field, value in one.assumed.items():
            known = total.assumed.get(field)
            total.assumed[field] = value if known is None else f"{known}; {value}"
    return total


def _json(total: Verification, files: list[FileVerification], applied: AppliedLike | None) -> dict[str, object]:
    result: dict[str, object] = msgspec.to_builtins(total)
    if len(files) > 1:
        result["files"] = msgspec.to_builtins(files)
    if applied is not None:
        result["applied"] = {**msgspec.to_builtins(applied), "equal": applied.equal}
    return result


def _print(files: list[FileVerification], total: Verification, applied: AppliedLike | None) -> None:
    rows = [(file.path, *_cells(file.found)) for file in files]
    if len(files) > 1:
        rows.append(("all", *_cells(total)))
    print_table(("FILE", "BOOK HASHES", "CHANGE HASHES", "BEST QUOTES"), rows)
    for field, value in total.assumed.items():
        click.echo(f"assumed {field}: {value}")
    if applied is not None:
        words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in msgspec.to_builtins(applied).items())
        click.echo(f"applied changes: {'equal' if applied.equal else 'NOT equal'} ({words})")


def _cells(found: Verification) -> tuple[str, str, str]:
    return (
        f"{found.book_hashes_right} of {found.books}",
        f"{found.change_hashes_right} of {found.changes}",
        f"{found.best_right} of {found.best_checked}",
    )


def _row(recording: Recording) -> tuple[str, ...]:
    seconds = (recording.end - recording.start) // 1_000_000_000
    name = f"{recording.name}{' (derived)' if recording.derived else ''}"
    return name, clean(recording.title), str(len(recording.markets)), str(seconds), recording.licence, recording.credit


def _described(recording: Recording) -> dict[str, object]:
    return {
        "name": recording.name,
        "title": recording.title,
        "derived": recording.derived,
        "markets": [market.market.slug for market in recording.markets],
        "seconds": (recording.end - recording.start) / 1_000_000_000,
        "licence": recording.licence,
        "credit": recording.credit,
        "source": recording.source,
        "assumed": list(recording.assumed),
        "files": [
            {"path": str(file.path), "kind": file.kind.value, "about": file.about, "lines": file.lines}
            for file in recording.files
        ],
    }
