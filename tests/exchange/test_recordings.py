"""The bundled recordings are whole and credited; a damaged one is named with its line and the cure."""

import gzip
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from polycore.errors import RecordingError
from polycore.recordings import (
    FileKind,
    derived_tokens,
    list_recordings,
    load_recording,
    read_lines,
    recordings_folder,
)

BOOKS = "2025-10-30_btc-updown-15m-1761786000_book_up.jsonl.gz"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the bundled recordings that a test may damage."""
    return Path(shutil.copytree(recordings_folder(), tmp_path / "recordings"))


def test_every_bundled_file_is_what_the_index_says() -> None:
    listed = list_recordings()
    assert [recording.name for recording in listed] == ["btc-updown-15m", "btc-updown-15m-2026-09-28", "12-markets"]
    for recording in listed:
        for file in recording.files:
            assert sha256(file.path.read_bytes()).hexdigest() == file.sha256
            assert sum(1 for _ in read_lines(file.path)) == file.lines


def test_every_recording_names_its_licence_credit_and_source() -> None:
    table = (recordings_folder() / "README.md").read_text()
    for recording in list_recordings():
        assert recording.licence in ("MIT", "Apache-2.0", "CC BY 4.0")
        assert recording.licence_file is not None
        assert recording.licence_file.is_file()
        assert recording.credit
        assert recording.source
        assert recording.assumed
        for file in recording.files:
            assert f"`{file.path.name}`" in table
            assert file.sha256 in table


def test_the_derived_recording_says_so_and_its_tokens_are_made_from_the_market() -> None:
    recording = load_recording("btc-updown-15m-2026-09-28")
    (recorded,) = recording.markets
    assert recording.derived
    assert recorded.market.assets == derived_tokens(recorded.market.id)
    assert {len(token) for token in recorded.market.assets} == {78}
    assert all(int(token) < 2**256 for token in recorded.market.assets)
    assert not load_recording("btc-updown-15m").derived


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(RecordingError, match="no recording is called 'nosuch'; there are btc-updown-15m"):
        load_recording("nosuch")


def test_a_truncated_archive_is_refused_with_its_line(copy: Path) -> None:
    path = copy / BOOKS
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(RecordingError, match=rf"{BOOKS} is truncated or damaged after line \d+: .*copy it anew"):
        load_recording("btc-updown-15m", copy)


def test_an_archive_that_lost_whole_lines_is_refused(copy: Path) -> None:
    path = copy / BOOKS
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:500])))
    with pytest.raises(RecordingError, match="it has 500 lines, its index says 597"):
        load_recording("btc-updown-15m", copy)


def test_a_line_cut_short_is_refused_with_its_number_and_end(copy: Path) -> None:
    path = copy / "2026-05-19_12markets_market.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:40]) + lines[40][:100])
    with pytest.raises(RecordingError, match=r"line 41 is not a whole JSON message .*it ends in"):
        load_recording("12-markets", copy)
    with pytest.raises(RecordingError, match="line 41 is not a whole JSON message"):
        load_recording(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"gone\.jsonl does not exist"):
        load_recording(str(tmp_path / "gone.jsonl"))


def test_a_file_given_by_path_tells_of_its_markets_and_what_was_assumed() -> None:
    recording = load_recording(str(recordings_folder() / "2026-05-19_12markets_market.jsonl"))
    bundled = load_recording("12-markets")
    assert {market.market.assets for market in recording.markets} == {
        market.market.assets for market in bundled.markets
    }
    assert [market.market.tick for market in recording.markets].count(10) == 6
    assert recording.of_kind(FileKind.CHANGES) == ()
    assert recording.assumed
