"""``polycore exchange serve`` as a process: its ready line, its refusals, its end, and what survives a kill."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from polycore.cli import main
from polycore.model.market import Side

COMMAND = [sys.executable, "-m", "polycore", "exchange", "serve"]
SECONDS = 15


class Process:
    """A serve process that has said it is ready."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(self.process.stderr.read().decode())
        self.ready = json.loads(line)
        self.url = self.ready["url"]
        self.port = self.url.rsplit(":", 1)[1]

    def signal(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        self.process.communicate(timeout=SECONDS)
        return self.process.returncode


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def begin(*arguments: str) -> Process:
        started.append(Process(*arguments))
        return started[-1]

    yield begin
    for found in started:
        if found.process.poll() is None:
            found.process.kill()
            found.process.communicate()


@pytest.fixture
def as_client(client):
    @asynccontextmanager
    async def begin(url: str, key: bytes) -> AsyncIterator:
        async with aiohttp.ClientSession() as session:
            yield type(client)(url, session, key)

    return begin


@pytest.fixture
def refused(capsys):
    """Run the command line in this process; its one message."""

    def run(*arguments: str) -> str:
        assert main(["exchange", "serve", *arguments]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err

    return run


def test_ready_line_says_where_and_what(start):
    served = start("--port", "0", "--scenario", "neg-risk")
    assert served.ready == {"url": served.url, "ready": True, "recordings": [], "scenarios": ["neg-risk"]}
    assert served.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly(start, number):
    assert start("--port", "0").signal(number) == 0


def test_client_that_never_answers_does_not_hold_up_the_end(start):
    served = start("--port", "0")
    with socket.create_connection(("127.0.0.1", int(served.port))) as silent:
        silent.sendall(
            b"GET /ws/market HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert silent.recv(1024).startswith(b"HTTP/1.1 101")
        began = time.monotonic()
        assert served.signal(signal.SIGTERM) == 0
        assert time.monotonic() - began < 3


def test_end_of_standard_input_ends_it_only_when_asked(start):
    with_parent, alone = start("--port", "0", "--with-parent"), start("--port", "0")
    for served in (with_parent, alone):
        served.process.stdin.close()
        served.process.stdin = None
    assert with_parent.wait() == 0
    assert alone.process.poll() is None


def test_port_in_use_is_one_message(refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused("--port", str(port))
    assert f"cannot listen on 127.0.0.1:{port}" in message
    assert len(message.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "192.0.2.1"), "listens on loopback only"),
        (("--host", "example.org"), "listens on loopback only"),
        (("--recording", "nosuch"), "no recording is called 'nosuch'"),
        (("--scenario", "nosuch"), "nosuch"),
        (("--speed", "0"), "speed must be above 0"),
        (("--fund", "me=5"), "expected ADDRESS=AMOUNT"),
        (("--fund", "0x" + "11" * 20 + "=lots"), "expected ADDRESS=AMOUNT"),
        (("--log", "/nonexistent/folder/log"), "log file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_options_are_refused(refused, arguments, words):
    assert words in refused("--port", "0", *arguments)


def test_damaged_state_file_is_refused_and_kept(refused, tmp_path):
    path = tmp_path / "state"
    path.write_text('{"version": 1')
    assert f"state file {path} cannot be read" in refused("--port", "0", "--state", str(path))
    assert path.read_text() == '{"version": 1'


async def markets_of(trader) -> dict:
    return (await trader.get("/markets"))["data"][0]


async def post(trader, record: dict, which: int, price: str, shares: int, neg_risk_market):
    token = record["tokens"][which]["token_id"]
    body = trader.order(neg_risk_market, Side.BUY, price, shares, asset=token)
    status, placed = await trader.signed("POST", "/order", body)
    assert status == 200, placed
    return placed


async def balance(trader, **query: str) -> int:
    status, found = await trader.signed("GET", "/balance-allowance", query=query)
    assert status == 200, found
    return int(found["balance"])


def holds(path: Path, text: str) -> bool:
    return text in path.read_text()


async def test_accounts_keys_and_balances_survive_a_kill_and_resting_orders_do_not(
    start, as_client, tmp_path, neg_risk, until
):
    path = tmp_path / "state"
    one, two = bytes([1]) * 32, bytes([2]) * 32
    served = start("--port", "0", "--scenario", "neg-risk", "--state", str(path))
    async with as_client(served.url, one) as first, as_client(served.url, two) as second:
        await first.log_in()
        await second.log_in()
        record = await markets_of(first)
        assert (await post(first, record, 0, "0.4", 10, neg_risk[0]))["status"] == "live"
        assert (await post(second, record, 1, "0.6", 25, neg_risk[0]))["status"] == "matched"
        await until(lambda: holds(path, record["tokens"][1]["token_id"]))
        before = await balance(first, asset_type="COLLATERAL"), await balance(second, asset_type="COLLATERAL")
        credentials = first.credentials
    assert served.signal(signal.SIGKILL) == -signal.SIGKILL
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["state"]

    again = start("--port", served.port, "--scenario", "neg-risk", "--state", str(path))
    assert again.url == served.url
    async with as_client(again.url, one) as first, as_client(again.url, two) as second:
        first.credentials = credentials
        assert (await first.signed("GET", "/data/orders"))[1]["data"] == []
        assert await second.log_in(path="/auth/derive-api-key") == (200, second.credentials)
        assert (await second.signed("GET", "/data/orders"))[1]["data"] == []
        after = await balance(first, asset_type="COLLATERAL"), await balance(second, asset_type="COLLATERAL")
        assert after == before
        assert before[0] == 996_000_000
        tokens = [token["token_id"] for token in record["tokens"]]
        assert await balance(first, asset_type="CONDITIONAL", token_id=tokens[0]) == 10_000_000
        assert await balance(second, asset_type="CONDITIONAL", token_id=tokens[1]) == 10_000_000


async def test_key_is_on_the_disk_before_it_is_handed_out(start, as_client, tmp_path):
    path = tmp_path / "state"
    served = start("--port", "0", "--state", str(path))
    async with as_client(served.url, bytes([1]) * 32) as trader:
        for nonce in range(3):
            await trader.log_in(nonce=nonce)
            assert [trader.address, nonce] in json.loads(path.read_text())["keys"]


async def test_funds_are_set_once_before_and_after_the_account_opens(start, as_client, client, tmp_path):
    path = tmp_path / "state"

    async def held(*funds: str) -> int:
        served = start("--port", "0", "--state", str(path), *(text for fund in funds for text in ("--fund", fund)))
        async with as_client(served.url, bytes([1]) * 32) as trader:
            status, _ = await trader.log_in()
            if status == 400:
                await trader.log_in(path="/auth/derive-api-key")
            found = await balance(trader, asset_type="COLLATERAL")
        served.signal(signal.SIGTERM)
        return found

    address = type(client)("", client.session, bytes([1]) * 32).address
    assert await held(f"{address.lower()}=250.5") == 250_500_000
    assert await held() == 250_500_000
    assert await held(f"{address}=70") == 70_000_000


async def test_log_tells_what_came_in_when_and_no_secret(start, as_client, tmp_path, neg_risk):
    path = tmp_path / "log"
    served = start("--port", "0", "--scenario", "neg-risk", "--log", str(path))
    async with as_client(served.url, bytes([1]) * 32) as trader:
        await trader.log_in()
        record = await markets_of(trader)
        token = record["tokens"][0]["token_id"]
        async with trader.session.ws_connect(f"{trader.url}/ws/market") as channel:
            await channel.send_json({"type": "market", "assets_ids": [token]})
            await channel.receive_json()
        await trader.signed("GET", "/data/orders")
        placed = await post(trader, record, 0, "0.05", 10, neg_risk[0])
        await trader.signed("DELETE", "/order", {"orderID": placed["orderID"]})
        secrets = {trader.credentials["secret"], trader.credentials["passphrase"]}
    served.signal(signal.SIGTERM)
    text = path.read_text()
    assert not any(secret in text for secret in secrets)
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    events = [line["event"] for line in lines]
    for wanted in ("login", "connect", "start", "subscribe", "disconnect", "request", "order", "cancel"):
        assert wanted in events, wanted
    order = next(line for line in lines if line["event"] == "order")
    assert (order["id"], order["status"], order["asset"]) == (placed["orderID"], "live", token)
    assert lines[events.index("subscribe")]["assets"] == [token]


async def test_flow_starts_with_the_first_subscription_and_until_end_stops_after_it(start, client):
    served = start("--port", "0", "--recording", "12-markets", "--until-end")
    async with aiohttp.ClientSession() as session:
        found = await (await session.get(f"{served.url}/polycore/status")).json()
        assert (found["playing"], found["progress"]) == (False, 0.0)
        market = (await (await session.get(f"{served.url}/markets")).json())["data"][0]
        async with session.ws_connect(f"{served.url}/ws/market") as channel:
            await channel.send_json({"type": "market", "assets_ids": [market["tokens"][0]["token_id"]]})
            (book,) = await channel.receive_json(timeout=5)
            assert book["bids"]
            assert book["asks"]
    assert await asyncio.to_thread(served.wait) == 0


def test_child_ends_when_its_parent_is_killed(tmp_path):
    script = (
        "import subprocess, sys; child = subprocess.Popen("
        f"{COMMAND!r} + ['--port', '0', '--with-parent'], stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
        "child.stdout.readline(); print(child.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    assert wait_gone(child)


def wait_gone(pid: int) -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False
