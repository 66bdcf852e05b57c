"""A served exchange on loopback with quiet markets, a maker to trade with, and a client that signs for itself."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from coincurve import PrivateKey
from eth_hash.auto import keccak

from polycore.exchange.auth import request_signature
from polycore.exchange.eip712 import (
    OrderFields,
    checksum_address,
    exchange_domain,
    login_digest,
    order_digest,
    parse_address,
)
from polycore.exchange.server import ExchangeServer, ServeOptions
from polycore.exchange.values import ExchangeSettings, Listing, OrderRequest
from polycore.model.ids import AssetId, EventId, MarketId, OrderId
from polycore.model.market import FeeSchedule, Market, Outcome, Side
from polycore.model.money import MONEY_ONE, SIZE_ONE, notional, parse_price

MILLISECOND = 1_000_000
FAST = ExchangeSettings(mined_after=60 * MILLISECOND, confirmed_after=120 * MILLISECOND)
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""A publicly known development key."""
MAKER = "0x" + "aa" * 20


def market(name: str, number: int, **terms: Any) -> Market:
    return Market(
        id=MarketId(f"0x{number:064x}"),
        slug=name,
        question=f"Will {name} happen?",
        first=Outcome(AssetId(str(number * 10**70 + 1)), "Yes"),
        second=Outcome(AssetId(str(number * 10**70 + 2)), "No"),
        tags=("Testing",),
        **terms,
    )


PLAIN = market("plain", 1, fee=FeeSchedule(rate_millionths=40_000, rebate_millionths=250_000))
FINE = market("fine", 2, tick=10)
GROUP = EventId("who-wins")
NEG_RISK = tuple(market(f"neg-{n}", n, neg_risk=True, event=GROUP, event_complete=True) for n in (3, 4, 5))
SECOND_PROTOCOL = Market(
    id=MarketId("0x0177" + "ab" * 16 + "00" * 14),
    slug="second-protocol",
    question="On the newer protocol?",
    first=Outcome(AssetId(str(int("0177" + "ab" * 16 + "00" * 14, 16))), "Up"),
    second=Outcome(AssetId(str(int("0177" + "ab" * 16 + "00" * 14, 16) + 1)), "Down"),
    version="v2",
)
MARKETS = (PLAIN, FINE, *NEG_RISK, SECOND_PROTOCOL)


class QuietFlow:
    """Markets in which nothing happens by itself."""

    name = "quiet"
    credit = "constructed"
    recorded = False
    derived = False
    length = 0

    def __init__(self, markets: Sequence[Market] = MARKETS) -> None:
        self.listings = [Listing(found, auto_tick=False) for found in markets]

    def steps(self, exchange: object) -> Iterator[Any]:
        return iter(())


class Maker:
    """Somebody with money and tokens in every market, who places orders without HTTP."""

    def __init__(self, served: ExchangeServer) -> None:
        self._served = served
        self._number = 0
        service = served.service
        service.exchange.open_account(MAKER, 1_000_000 * MONEY_ONE)
        for listing in service.exchange.listings:
            service.exchange.split(MAKER, listing.market.id, 10_000 * SIZE_ONE, service.now())
        service.pump()

    def place(self, side: Side, asset: AssetId, price: str, shares: int) -> OrderId:
        self._number += 1
        size = shares * SIZE_ONE
        money = notional(parse_price(price), size)
        amounts = (money, size) if side is Side.BUY else (size, money)
        order = OrderRequest(OrderId(f"0x{self._number:064x}"), MAKER, asset, side, *amounts)
        service = self._served.service
        result = service.exchange.place(order, service.now())
        assert getattr(result, "order", None) == order.id, result
        service.pump()
        return order.id


class Client:
    """A client of its own making: signs logins, requests and orders with one key."""

    def __init__(self, url: str, session: aiohttp.ClientSession, key: bytes = KEY) -> None:
        self.url = url
        self.session = session
        self._key = PrivateKey(key)
        self.address = checksum_address(keccak(self._key.public_key.format(compressed=False)[1:])[12:])
        self.credentials: dict[str, str] = {}

    async def get(self, path: str, **query: str) -> Any:
        status, body = await self.call("GET", path, query=query)
        assert status == 200, body
        return body

    async def call(
        self, method: str, path: str, body: object = None, *, query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:  # fmt: skip
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        async with self.session.request(method, self.url + path, params=query, data=data, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def log_in(self, *, path: str = "/auth/api-key", nonce: int = 0) -> tuple[int, Any]:
        stamp = str(int(time.time()))
        headers = {
            "POLY_ADDRESS": self.address,
            "POLY_TIMESTAMP": stamp,
            "POLY_NONCE": str(nonce),
            "POLY_SIGNATURE": self.sign(login_digest(parse_address(self.address), stamp, nonce)),
        }
        method = "POST" if path == "/auth/api-key" else "GET"
        status, body = await self.call(method, path, headers=headers)
        if status == 200:
            self.credentials = body
        return status, body

    async def signed(
        self, method: str, path: str, body: object = None, *, query: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        stamp = str(int(time.time()))
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {
            "POLY_ADDRESS": self.address,
            "POLY_API_KEY": self.credentials["apiKey"],
            "POLY_PASSPHRASE": self.credentials["passphrase"],
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": request_signature(self.credentials["secret"], stamp, method, path, data),
        }
        return await self.call(method, path, body, query=query, headers=headers)

    def sign(self, digest: bytes) -> str:
        made = self._key.sign_recoverable(digest, hasher=None)
        return "0x" + (made[:64] + bytes([made[64] + 27])).hex()

    def order(
        self, on: Market, side: Side, price: str, shares: int, *, asset: AssetId | None = None, kind: str = "GTC",
        post_only: bool = False, salt: int = 1, wallet: str = "", wallet_kind: int = 0, **changes: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """The body of ``POST /order``, for the key's own account or ``wallet``; ``changes`` alter it once signed."""
        size = shares * SIZE_ONE
        money = notional(parse_price(price), size)
        owner = parse_address(self.address)
        token = asset or on.first.asset
        amounts = (money, size) if side is Side.BUY else (size, money)
        maker = wallet or self.address
        fields = OrderFields(
            salt=salt,
            maker=parse_address(maker),
            signer=owner,
            token=int(token),
            maker_amount=amounts[0],
            taker_amount=amounts[1],
            side=0 if side is Side.BUY else 1,
            signature_type=wallet_kind,
            timestamp=1,
            metadata=bytes(32),
            builder=bytes(32),
        )
        digest = order_digest(fields, exchange_domain(neg_risk=on.neg_risk, version=on.version))
        order = {
            "salt": salt,
            "maker": maker,
            "signer": self.address,
            "tokenId": token,
            "makerAmount": str(amounts[0]),
            "takerAmount": str(amounts[1]),
            "side": side.value,
            "signatureType": wallet_kind,
            "timestamp": "1",
            "metadata": "0x" + "00" * 32,
            "builder": "0x" + "00" * 32,
            "expiration": "0",
            "signature": self.sign(digest),
        }
        body = {"deferExec": False, "order": order | changes, "orderType": kind, "owner": self.credentials["apiKey"]}
        return body | {"postOnly": True} if post_only else body


class Socket:
    """A client's end of a channel."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, frame: object) -> None:
        await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def raw(self) -> str:
        return await self.socket.receive_str(timeout=3)

    async def next(self) -> Any:
        return json.loads(await self.raw())

    async def until(self, kind: str) -> Any:
        while True:
            message = await self.next()
            if isinstance(message, dict) and message["event_type"] == kind:
                return message

    async def quiet(self) -> None:
        """Nothing comes before the answer to a PING."""
        await self.send("PING")
        assert await self.raw() == "PONG"

    async def closed(self) -> tuple[int, str]:
        message = await self.socket.receive(timeout=3)
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return message.data, str(message.extra)


@pytest.fixture
def plain() -> Market:
    return PLAIN


@pytest.fixture
def fine() -> Market:
    """Tick 0.001."""
    return FINE


@pytest.fixture
def neg_risk() -> tuple[Market, ...]:
    return NEG_RISK


@pytest.fixture
def second_protocol() -> Market:
    return SECOND_PROTOCOL


@pytest.fixture
def options() -> ServeOptions:
    return ServeOptions(port=0, flows=(QuietFlow(),), settings=FAST)


@pytest.fixture
async def served(options: ServeOptions) -> AsyncIterator[ExchangeServer]:
    async with ExchangeServer(options) as server:
        yield server


@pytest.fixture
def maker(served: ExchangeServer) -> Maker:
    return Maker(served)


@pytest.fixture
async def client(served: ExchangeServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(served.url, session)


@pytest.fixture
async def trader(client: Client) -> Client:
    """The client, logged in."""
    status, body = await client.log_in()
    assert status == 200, body
    return client


@pytest.fixture
def connect(client):
    @asynccontextmanager
    async def connect(channel: str, *frames: object) -> AsyncIterator[Socket]:
        async with client.session.ws_connect(f"{client.url}/ws/{channel}") as socket:
            opened = Socket(socket)
            for frame in frames:
                await opened.send(frame)
            yield opened

    return connect


@pytest.fixture
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test on any attempt to reach another machine."""
    attempts: list[object] = []
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            attempts.append(address)
            raise ConnectionRefusedError(f"the test reached for {address}")
        real_connect(self, address)

    def lookup(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "::1", "localhost", b"127.0.0.1", None):
            attempts.append(host)
            raise socket.gaierror(f"the test looked up {host}")
        return real_lookup(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    yield
    assert not attempts, f"connections beyond loopback: {attempts}"


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait for a condition that no event announces, or fail."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.005)

    return wait
