"""kill -9 of the exchange under a running run, and its return: measured from the exchange's own log."""

import asyncio
import json
import signal
import time
from pathlib import Path


class Hole:
    """Listens where the exchange was, takes every connection, notes what is sent, answers nothing."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.posts: list[float] = []

    async def __aenter__(self) -> "Hole":
        self._server = await asyncio.start_server(self._note, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _note(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(4096)
        if data.startswith(b"POST /order"):
            self.posts.append(time.monotonic())
        writer.close()


async def test_orders_stop_and_return_only_after_everything_was_read_again(
    start, traffic, tmp_path: Path, free_port: int
) -> None:
    async def serve(log: str):
        exchange = await start(
            "exchange", "serve", "--port", str(free_port), "--state", "state.json", "--log", log,
            "--recording", "btc-updown-15m", "--scenario", "neg-risk", "--speed", "6",
        )  # fmt: skip
        await exchange.until(lambda line: '"ready":true' in line)
        return exchange

    async def until_logged(log: str, found, seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not any(found(line) for line in traffic(tmp_path / log)):
                await asyncio.sleep(0.02)

    exchange = await serve("one.log")
    run = await start(
        "run", "--plugins", "mm,arb", "--exchange", f"http://127.0.0.1:{free_port}", "--summary", "s.json"
    )
    await until_logged("one.log", lambda line: line["event"] == "order" and line.get("status") == "live")

    exchange.send(signal.SIGKILL)
    await exchange.end()
    killed = time.monotonic()
    async with Hole(free_port) as hole:
        await asyncio.sleep(4)
    assert [moment for moment in hole.posts if moment > killed + 2] == [], "opening orders stop within 2 s"
    await run.until(lambda line: "WebSocket connection closed" in line)

    await serve("two.log")
    await until_logged("two.log", lambda line: line["event"] == "order" and line.get("status") == "live", 30)
    log = traffic(tmp_path / "two.log")
    requests = [line for line in log if line["event"] == "request"]
    first_order = next(line for line in log if line["event"] == "order")
    assert requests[0]["path"] == "/data/orders", "open orders are read before anything else"
    subscribed = [line for line in log if line["event"] == "subscribe" and line["channel"] == "market"]
    assert {asset for line in subscribed for asset in line["assets"]} == _assets(traffic(tmp_path / "one.log"))
    assert all(line["time"] < first_order["time"] for line in subscribed), "a snapshot before the first quote"

    run.send(signal.SIGINT)
    assert await run.end(12) == 0, run.text
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["reconnects"] >= 2
    assert summary["open_orders"] == 0
    assert set(summary["books"].values()) == {"LIVE"}


def _assets(log: list) -> set[str]:
    return {
        asset
        for line in log
        if line["event"] == "subscribe" and line["channel"] == "market"
        for asset in line["assets"]
    }
