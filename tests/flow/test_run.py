"""``polycore run`` from start to summary, on the local exchange it starts itself."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

KEYS = {
    "network", "recording", "seconds", "frames", "book_updates", "proof", "plugins", "latency_us", "reconnects",
    "errors", "exit",
}  # fmt: skip


async def test_a_run_of_a_few_seconds_writes_its_summary(start, tmp_path: Path) -> None:
    run = await start("run", "--plugins", "mm,arb", "--for", "8s", "--summary", "s.json")
    assert await run.end(40) == 0, run.text
    summary = json.loads((tmp_path / "s.json").read_text())
    assert set(summary) >= KEYS
    assert summary["network"] == "local"
    assert summary["exit"] == "finished"
    assert 8 <= summary["seconds"] < 18
    assert summary["errors"] == summary["reconnects"] == 0
    proof = summary["proof"]
    assert proof["checked"] == proof["agreed"] > 100
    assert proof["mirror_checked"] == proof["mirror_agreed"] > 50
    assert proof["suspect"] == 0
    assert proof["hash_checked"] > 10
    for name in ("mm", "arb"):
        assert set(summary["plugins"][name]) >= {
            "on_book", "on_fill", "intents", "orders", "rejected", "fills", "pnl",
        }  # fmt: skip
        assert summary["plugins"][name]["on_book"] > 50
    assert summary["plugins"]["mm"]["orders"] > 0
    for name in ("frame_to_hook", "hook_to_wire"):
        quantiles = summary["latency_us"][name]
        assert 0 < quantiles["p50"] <= quantiles["p99"] <= quantiles["max"]
    assert summary["open_orders"] == 0
    assert "\x1b[" not in run.text, "plain lines where there is no terminal"


async def test_sources_are_named_and_credited(start) -> None:
    run = await start("run", "--plugins", "mm,arb", "--for", "2s")
    assert await run.end(30) == 0
    assert "btc-updown-15m (recording): " in run.text
    assert "Mikelin97/crypto-pred-mrkt-arb), MIT" in run.text
    assert "neg-risk" in run.text


async def test_the_whole_recording_ends_by_itself_and_pays_out(start, tmp_path: Path) -> None:
    run = await start("run", "--plugins", "mm", "--recording", "btc-updown-15m", "--speed", "60", "--summary", "s.json")
    assert await run.end(60) == 0, run.text
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["exit"] == "finished"
    assert summary["plugins"]["mm"]["fills"] > 0, "filled by the queue model"
    assert summary["proof"]["checked"] == summary["proof"]["agreed"] > 1000


async def test_on_the_recording_alone_arb_places_nothing_and_says_why(start, tmp_path: Path) -> None:
    run = await start("run", "--plugins", "arb", "--recording", "btc-updown-15m", "--for", "5s", "--summary", "s.json")
    assert await run.end(30) == 0
    numbers = json.loads((tmp_path / "s.json").read_text())["plugins"]["arb"]
    assert numbers["on_book"] > 0
    assert numbers["orders"] == numbers["rejected"] == 0
    assert "its two books mirror each other" in run.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_cancels_verifies_and_reports_in_ten_seconds(
    start, children, tmp_path: Path, number: int
) -> None:
    run = await start("run", "--plugins", "mm,arb", "--summary", "s.json")
    await run.until(lambda line: "books 12/12 live" in line)
    exchange = children(run.process.pid)
    assert exchange
    run.send(number)
    assert await run.end(10) == 0, run.text
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["exit"] == "interrupted"
    assert summary["open_orders"] == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in exchange), "the exchange is gone too"


async def test_the_exchange_dies_with_a_killed_run(start, children) -> None:
    run = await start("run", "--plugins", "mm")
    await run.until(lambda line: "live" in line)
    exchange = children(run.process.pid)
    assert exchange
    run.send(signal.SIGKILL)
    await run.end()
    async with asyncio.timeout(5):
        while any(_alive(pid) for pid in exchange):
            await asyncio.sleep(0.02)


def _alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
