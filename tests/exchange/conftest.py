"""An exchange with one market and accounts by name, for the tests of its matching side."""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import pytest

from polycore.exchange.exchange import Exchange
from polycore.exchange.models import QueueModel
from polycore.exchange.values import ExchangeSettings, Listing, Notice, OrderRequest, PlaceResult
from polycore.model.ids import AssetId, MarketId, OrderId
from polycore.model.intents import TimeInForce
from polycore.model.market import FeeSchedule, Market, Outcome, Side
from polycore.model.money import MONEY_ONE, SIZE_ONE

NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000


class Pit:
    """One exchange and shorthand for it: prices in cents, sizes in shares, ``now`` moved by hand."""

    def __init__(self, listing: Listing, settings: ExchangeSettings | None, queue_model: QueueModel | None) -> None:
        self.exchange = Exchange([listing], random=Random(1), settings=settings, queue_model=queue_model)
        self.market = listing.market
        self.up, self.down = listing.market.assets
        self.now = NOW
        self._number = count(1)

    def account(self, name: str, money: int = 1_000, tokens: int = 0) -> str:
        """An account with ``money`` pUSD left and ``tokens`` of both tokens."""
        address = "0x" + name.encode().hex().zfill(40)
        self.exchange.open_account(address, (money + tokens) * MONEY_ONE)
        if tokens:
            assert self.exchange.split(address, self.market.id, tokens * SIZE_ONE, self.now) is None
        return address

    def request(
        self, account: str, side: Side, asset: AssetId, cents: float, shares: float,
        kind: TimeInForce = TimeInForce.GTC, *, post_only: bool = False, expires: int = 0,
    ) -> OrderRequest:  # fmt: skip
        size = round(shares * SIZE_ONE)
        money = round(cents * 100) * size // 10_000
        amounts = (money, size) if side is Side.BUY else (size, money)
        order = OrderId(f"0x{next(self._number):064x}")
        return OrderRequest(order, account, asset, side, *amounts, kind, post_only, expires)

    def buy(self, account: str, cents: float, shares: float, asset: AssetId | None = None, **more: Any) -> PlaceResult:
        return self.exchange.place(self.request(account, Side.BUY, asset or self.up, cents, shares, **more), self.now)

    def sell(self, account: str, cents: float, shares: float, asset: AssetId | None = None, **more: Any) -> PlaceResult:
        return self.exchange.place(self.request(account, Side.SELL, asset or self.up, cents, shares, **more), self.now)

    def later(self, seconds: float) -> None:
        """Let time pass and due timers run."""
        self.now += round(seconds * SECOND)
        self.exchange.advance(self.now)

    def heard(self, kind: type) -> list[Notice]:
        """Notices of one kind since the last call; the others are dropped."""
        return [notice for notice in self.exchange.drain() if isinstance(notice, kind)]

    def money(self, account: str) -> int:
        return self.exchange.money(account).total

    def shares(self, account: str, asset: AssetId | None = None) -> int:
        return self.exchange.shares(account, asset or self.up).total


@pytest.fixture
def make_pit() -> Callable[..., Pit]:
    def make(
        *,
        fee: FeeSchedule | None = None,
        tick: int = 100,
        settings: ExchangeSettings | None = None,
        queue_model: QueueModel | None = None,
        **listing: Any,
    ) -> Pit:
        market = Market(
            id=MarketId("0x" + "ab" * 32), slug="test", question="?", first=Outcome(AssetId("111"), "Up"),
            second=Outcome(AssetId("222"), "Down"), tick=tick, fee=fee or FeeSchedule(),
        )  # fmt: skip
        return Pit(Listing(market, **listing), settings, queue_model)

    return make


@pytest.fixture
def pit(make_pit: Callable[..., Pit]) -> Pit:
    """A fee-free market on a grid of one cent, nobody in it."""
    return make_pit()
