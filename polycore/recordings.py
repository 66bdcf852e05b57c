"""Where recordings are, what they contain, and reading them line by line.

Owns the bundled index and the reading of ``.jsonl`` and ``.jsonl.gz`` files. Knows nothing of a venue's frames beyond
which market and token they name; plays nothing.
"""

import gzip
import tomllib
import zlib
from collections.abc import Iterator
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from polycore.errors import RecordingError
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import FeeSchedule, Market, Outcome
from polycore.model.money import MONEY_ONE, Money, parse_money, parse_price, parse_size

_INDEX = "index.toml"
_NANOSECONDS_OF_A_MILLISECOND = 1_000_000
_DERIVED_TOKENS = 15 * 10**75


class FileKind(Enum):
    """FRAMES are market-channel messages, played and verified; CHANGES are rows ``{timestamp, change}`` between two
    books; INDEX is a table for people."""

    FRAMES = "frames"
    CHANGES = "changes"
    INDEX = "index"


class RecordingFile(Struct, frozen=True):
    """One file of a recording. ``sha256`` is empty for a file given by path."""

    path: Path
    kind: FileKind
    about: str = ""
    lines: int = 0
    sha256: str = ""


class RecordedMarket(Struct, frozen=True):
    """A market of a recording. ``payout`` is what a share of each token paid, in millionths; ``None`` when not known.

    ``taker_delay`` is in nanoseconds.
    """

    market: Market
    taker_delay: int = 0
    payout: tuple[Money, Money] | None = None


class Recording(Struct, frozen=True):
    """A recording and where it comes from. ``assumed`` names each thing the source lacks and what stands in for it.

    ``start`` and ``end`` are wall time of the recorded events in nanoseconds.
    """

    name: str
    title: str
    files: tuple[RecordingFile, ...]
    markets: tuple[RecordedMarket, ...]
    licence: str = ""
    licence_file: Path | None = None
    credit: str = ""
    source: str = ""
    derived: bool = False
    start: int = 0
    end: int = 0
    assumed: tuple[str, ...] = ()

    def of_kind(self, kind: FileKind) -> tuple[RecordingFile, ...]:
        return tuple(file for file in self.files if file.kind is kind)


Line: TypeAlias = tuple[int, bytes]


def recordings_folder() -> Path:
    """The bundled recordings: inside the installed package, else beside it in the repository."""
    package = Path(__file__).parent
    places = (package / "recordings_data", package.parent / "recordings")
    for folder in places:
        if (folder / _INDEX).is_file():
            return folder
    looked = " and ".join(str(folder) for folder in places)
    raise RecordingError(
        f"no bundled recordings: looked for {_INDEX} in {looked}; "
        "install polycore-trading from its wheel or run from the repository"
    )


def list_recordings(folder: Path | None = None) -> tuple[Recording, ...]:
    """Every bundled recording, as its index describes it. Raises ``RecordingError`` for an index that cannot be
    read."""
    folder = folder or recordings_folder()
    path = folder / _INDEX
    try:
        index = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Index)
        return tuple(_recording(entry, folder) for entry in index.recording)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise RecordingError(f"the recordings index {path} cannot be read: {error}") from error


def load_recording(name: str, folder: Path | None = None) -> Recording:
    """A bundled recording by name, or any ``.jsonl``/``.jsonl.gz`` file by path, every line of it checked.

    Raises ``RecordingError`` that names what was looked for, or the file and the line that is wrong.
    """
    path = Path(name)
    if name.endswith((".jsonl", ".jsonl.gz")) or path.is_file():
        return _from_path(path)
    known = list_recordings(folder)
    for recording in known:
        if recording.name == name:
            for file in recording.files:
                _check(file)
            return recording
    names = ", ".join(recording.name for recording in known)
    raise RecordingError(f"no recording is called {name!r}; there are {names}, or give the path of a .jsonl(.gz) file")


def read_lines(path: Path) -> Iterator[Line]:
    """Lines of a file, numbered from 1, without their ends; blank ones are left out.

    Raises ``RecordingError`` for a missing, truncated or damaged file, with the last line that could be read.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if stripped := line.strip():
                    yield number, stripped
    except FileNotFoundError as error:
        raise RecordingError(f"recording {path} does not exist") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(
            f"recording {path} is truncated or damaged after line {number}: {error}; copy it anew from its source"
        ) from error
    except OSError as error:
        raise RecordingError(f"recording {path} cannot be read: {error}") from error


def derived_tokens(market: MarketId) -> tuple[AssetId, AssetId]:
    """Token ids for a market whose recording has none: 78 digits made from the market id, always the same."""

    def token(which: str) -> AssetId:
        number = int.from_bytes(sha256(f"polycore derived token {market} {which}".encode()).digest(), "big")
        return AssetId(str(10**77 + number % _DERIVED_TOKENS))

    return token("UP"), token("DOWN")


# ── The index ─────────────────────────────────────────────────────────────────


class _FileEntry(Struct, forbid_unknown_fields=True):
    path: str
    kind: FileKind
    about: str
    lines: int
    sha256: str


class _MarketEntry(Struct, forbid_unknown_fields=True):
    id: str
    slug: str
    question: str
    outcomes: tuple[str, str]
    assets: tuple[str, str]
    tick: str
    minimum_size: str
    neg_risk: bool
    fee_rate: str
    taker_delay_ms: int
    payout: list[str]
    tags: tuple[str, ...]


class _Entry(Struct, forbid_unknown_fields=True):
    name: str
    title: str
    licence: str
    licence_file: str
    credit: str
    source: str
    derived: bool
    start_ms: int
    end_ms: int
    assumed: tuple[str, ...]
    file: list[_FileEntry]
    market: list[_MarketEntry]


class _Index(Struct, forbid_unknown_fields=True):
    recording: list[_Entry]


def _recording(entry: _Entry, folder: Path) -> Recording:
    end = entry.end_ms * _NANOSECONDS_OF_A_MILLISECOND
    return Recording(
        name=entry.name,
        title=entry.title,
        files=tuple(
            RecordingFile(folder / file.path, file.kind, file.about, file.lines, file.sha256) for file in entry.file
        ),
        markets=tuple(_market(market) for market in entry.market),
        licence=entry.licence,
        licence_file=folder / entry.licence_file,
        credit=entry.credit,
        source=entry.source,
        derived=entry.derived,
        start=entry.start_ms * _NANOSECONDS_OF_A_MILLISECOND,
        end=end,
        assumed=entry.assumed,
    )


def _market(entry: _MarketEntry) -> RecordedMarket:
    (first, second), (yes, no) = entry.assets, entry.outcomes
    market = Market(
        id=MarketId(entry.id),
        slug=entry.slug,
        question=entry.question,
        first=Outcome(AssetId(first), yes),
        second=Outcome(AssetId(second), no),
        tick=parse_price(entry.tick),
        minimum_size=parse_size(entry.minimum_size),
        neg_risk=entry.neg_risk,
        fee=FeeSchedule(rate_millionths=parse_money(entry.fee_rate)),
        tags=entry.tags,
    )
    payout = None
    if entry.payout:
        to_first, to_second = (parse_money(text) for text in entry.payout)
        if to_first + to_second != MONEY_ONE:
            raise ValueError(f"the payout of {entry.slug} must add up to 1, got {entry.payout}")
        payout = (to_first, to_second)
    return RecordedMarket(market, entry.taker_delay_ms * _NANOSECONDS_OF_A_MILLISECOND, payout)


# ── Files ─────────────────────────────────────────────────────────────────────


class _Named(Struct):
    """What any market-channel message says about whom it concerns."""

    market: str = ""
    asset_id: str = ""
    tick_size: str = ""
    timestamp: str = "0"
    price_changes: list["_Named"] = []


_FRAME = msgspec.json.Decoder(_Named | list[_Named])


def _check(file: RecordingFile) -> None:
    """Read every line: the right number of them, and JSON where it should be."""
    count = 0
    for number, line in read_lines(file.path):
        count = number
        if file.kind is not FileKind.INDEX:
            try:
                msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                raise _broken(file.path, number, line, error) from error
    if count < file.lines:
        raise RecordingError(
            f"recording {file.path} is truncated: it has {count} lines, its index says {file.lines}; "
            "copy it anew from its source"
        )


def _broken(path: Path, number: int, line: bytes, error: Exception) -> RecordingError:
    shown = line[-40:].decode("utf-8", "replace")
    return RecordingError(
        f"recording {path} line {number} is not a whole JSON message ({error}); it ends in {shown!r}; "
        "the file is truncated or was not written by a market channel: copy it anew from its source"
    )


def _from_path(path: Path) -> Recording:
    """A recording about which only its own frames tell: two tokens, a tick and times for each market, the rest
    assumed."""
    tokens: dict[str, list[str]] = {}
    ticks: dict[str, str] = {}
    times: list[int] = []
    for number, line in read_lines(path):
        try:
            frame = _FRAME.decode(line)
        except msgspec.DecodeError as error:
            raise _broken(path, number, line, error) from error
        for message in frame if isinstance(frame, list) else [frame]:
            found = tokens.setdefault(message.market, [])
            for asset in (message.asset_id, *(change.asset_id for change in message.price_changes)):
                if asset and asset not in found:
                    found.append(asset)
            ticks.setdefault(message.market, message.tick_size or "0.01")
            times.append(int(message.timestamp) * _NANOSECONDS_OF_A_MILLISECOND)
    tokens.pop("", None)
    if not tokens:
        raise RecordingError(f"recording {path} names no market: it should hold market-channel frames, one a line")
    markets = tuple(_assumed_market(MarketId(market), found, ticks[market]) for market, found in tokens.items())
    return Recording(
        name=path.name,
        title=f"{path.name}, given by path",
        files=(RecordingFile(path, FileKind.FRAMES),),
        markets=markets,
        licence="not stated",
        credit="not stated",
        source=path.name,
        start=min(times),
        end=max(times),
        assumed=("minimum_size 5, fee rate 0, neg_risk false, labels Yes and No, no payout: the frames don't say",),
    )


def _assumed_market(market: MarketId, assets: list[str], tick: str) -> RecordedMarket:
    names = [AssetId(asset) for asset in assets[:2]]
    if len(names) < 2:
        names.append(derived_tokens(market)[1])
    first, second = names
    return RecordedMarket(
        Market(
            id=market,
            slug=market,
            question=f"Market {market}",
            first=Outcome(first, "Yes"),
            second=Outcome(second, "No"),
            tick=parse_price(tick),
        )
    )
