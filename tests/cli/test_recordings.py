"""``polycore recordings``: counts for people and machines, and one clear line for every mistake."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polycore.recordings import recordings_folder

TWELVE = recordings_folder() / "2026-05-19_12markets_market.jsonl"
WINDOW = recordings_folder() / "2025-10-30_btc-updown-15m-1761786000_book_up.jsonl.gz"
CHANGES = recordings_folder() / "2025-10-30_btc-updown-15m-1761786000_first_changes_up.jsonl"


def polycore(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "polycore", "recordings", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def verified(*arguments: object) -> dict[str, Any]:
    ran = polycore("verify", *arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_the_twelve_markets_verify():
    found = verified(TWELVE)
    assert (found["books"], found["book_hashes_right"], found["changes"], found["best_checked"]) == (24, 24, 218, 109)
    assert found["best_right"] == 109
    assert found["change_hashes_right"] >= 210
    assert set(found["assumed"]) == {"min_order_size", "neg_risk"}


def test_several_files_add_up_and_compressed_ones_are_read():
    found = verified(TWELVE, WINDOW)
    assert (found["books"], found["book_hashes_right"]) == (621, 621)
    assert [file["found"]["books"] for file in found["files"]] == [24, 597]


def test_changes_lead_from_one_book_to_the_other_and_not_to_a_third():
    found = verified(WINDOW, "--changes", CHANGES, "--from", 1, "--to", 2)
    assert found["applied"]["changes"] == found["applied"]["change_hashes_right"] == 69
    assert found["applied"]["equal"] is True
    other = polycore("verify", WINDOW, "--changes", CHANGES, "--from", 1, "--to", 3)
    assert other.returncode == 1
    assert "NOT equal" in other.stdout


def test_the_table_names_files_counts_and_assumptions():
    ran = polycore("verify", TWELVE)
    assert "24 of 24" in ran.stdout
    assert "210 of 218" in ran.stdout
    assert "assumed min_order_size: 5 for 24 books" in ran.stdout


def test_the_list_credits_every_source():
    ran = polycore("list", "--json")
    listed = json.loads(ran.stdout)
    assert len(listed) >= 3
    assert all(recording["credit"] and recording["licence"] for recording in listed)
    assert "derived" in polycore("list").stdout


@pytest.mark.parametrize("case", ["missing", "cut", "broken line", "other frames", "half a change", "no such book"])
def test_every_mistake_is_one_clear_line_and_exit_2(case: str, tmp_path: Path):
    path, extra = tmp_path / "capture.jsonl", []
    if case == "cut":
        path = tmp_path / "capture.jsonl.gz"
        path.write_bytes(gzip.compress(TWELVE.read_bytes())[:-2_000])
    elif case == "broken line":
        path.write_bytes(TWELVE.read_bytes()[:-40])
    elif case == "other frames":
        path.write_text('{"topic":"crypto_prices"}\n')
    elif case == "half a change":
        path, extra = WINDOW, ["--changes", str(CHANGES), "--from", "1"]
    elif case == "no such book":
        path, extra = WINDOW, ["--changes", str(CHANGES), "--from", "1", "--to", "9999"]
    ran = polycore("verify", path, *extra)
    assert ran.returncode == 2
    assert len(ran.stderr.strip().splitlines()) == 1
    assert "Traceback" not in ran.stderr
