"""Matching against a slow, obvious reference: same money and tokens to the last unit, and none made or lost."""

from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polycore.exchange.exchange import Exchange
from polycore.exchange.values import Listing, OrderRequest, Placed
from polycore.model.ids import AssetId, MarketId, OrderId
from polycore.model.intents import TimeInForce
from polycore.model.market import FeeSchedule, Market, Outcome, Side

NOW = 1_800_000_000_000_000_000
NAMES = ("0xa", "0xb", "0xc")
FUNDS, STOCK = 60_000_000, 25_000_000
RATE = Fraction(7, 100)
MARKET = Market(
    MarketId("0xm"), "m", "?", Outcome(AssetId("1"), "Up"), Outcome(AssetId("2"), "Down"), fee=FeeSchedule(70_000)
)


@dataclass
class Slow:
    """One order of the reference; everything about it is recomputed whenever it is asked."""

    number: int
    owner: str
    asset: str
    buys: bool
    maker_amount: int
    taker_amount: int
    kind: str
    filled: int = 0

    def size(self) -> int:
        return self.taker_amount if self.buys else self.maker_amount

    def left(self) -> int:
        return self.size() - self.filled

    def price(self) -> Fraction:
        """The cent that the amounts stand for, on the order's own token."""
        if self.buys:
            return Fraction(self.maker_amount * 100 // self.taker_amount, 100)
        return Fraction(-(-self.taker_amount * 100 // self.maker_amount), 100)

    def up_price(self) -> Fraction:
        return self.price() if self.asset == "1" else 1 - self.price()

    def wants_up(self) -> bool:
        return self.buys == (self.asset == "1")

    def moves(self, size: int) -> tuple[int, int]:
        """Shares and money by the contract's floor for a maker that fills ``size``."""
        if not self.buys:
            return size, size * self.taker_amount // self.maker_amount
        money = size * self.maker_amount // self.taker_amount
        return money * self.taker_amount // self.maker_amount, money

    def holds_back(self) -> int:
        return -(-self.left() * self.maker_amount // self.taker_amount) if self.buys else self.left()


@dataclass
class Reference:
    money: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, FUNDS))
    tokens: dict[tuple[str, str], int] = field(default_factory=lambda: {(n, a): STOCK for n in NAMES for a in "12"})
    resting: list[Slow] = field(default_factory=list)
    fees: int = 0

    def best(self, taker: Slow, tried: set[int]) -> Slow | None:
        """Of all resting orders the one with the best price, and of those the oldest."""
        found = None
        for order in self.resting:
            if order.wants_up() == taker.wants_up() or order.number in tried:
                continue
            if (order.up_price() > taker.up_price()) if taker.wants_up() else (order.up_price() < taker.up_price()):
                continue
            sign = 1 if taker.wants_up() else -1
            if found is None or (sign * order.up_price(), order.number) < (sign * found.up_price(), found.number):
                found = order
        return found

    def dry_run(self, taker: Slow) -> list[tuple[Slow, int, int]]:
        parts: list[tuple[Slow, int, int]] = []
        left, tried = taker.left(), set[int]()
        while left > 0 and (maker := self.best(taker, tried)):
            tried.add(maker.number)
            size, money = maker.moves(min(left, maker.left()))
            if size:
                parts.append((maker, size, money))
                left -= size
        return parts

    def fee(self, maker: Slow, size: int) -> int:
        exact = size * RATE * maker.price() * (1 - maker.price()) / 10
        return int(exact + Fraction(1, 2)) * 10

    def place(self, order: Slow) -> bool:
        """Whether the order was accepted and, for an immediate one, did anything."""
        parts = self.dry_run(order)
        fee = sum(self.fee(maker, size) for maker, size, _ in parts)
        mine = [other for other in self.resting if other.owner == order.owner and other.buys == order.buys]
        if order.buys:
            free = self.money[order.owner] - sum(other.holds_back() for other in mine)
            if order.maker_amount + fee > free or (parts and order.maker_amount < 1_000_000):
                return False
        else:
            free = self.tokens[order.owner, order.asset] - sum(o.holds_back() for o in mine if o.asset == order.asset)
            if order.maker_amount > free:
                return False
        if order.kind == "FOK" and order.left() - sum(size for _, size, _ in parts) >= 10_000:
            return False
        if order.kind == "FAK" and not parts:
            return False
        got = sum(self.trade(order, *part) for part in parts)
        charged = fee if order.buys else min(fee, got)
        self.money[order.owner] -= charged
        self.fees += charged
        self.resting = [other for other in self.resting if other.left() >= 10_000]
        if order.kind == "GTC" and (order.left() >= 10_000 or not parts):
            self.resting.append(order)
        return True

    def trade(self, taker: Slow, maker: Slow, size: int, money: int) -> int:
        same = taker.asset == maker.asset
        taker_money = money if same else size - money
        for order, amount in ((taker, taker_money), (maker, money)):
            sign = 1 if order.buys else -1
            self.money[order.owner] -= sign * amount
            self.tokens[order.owner, order.asset] += sign * size
            order.filled += size
        return taker_money


orders = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(["1", "2"]),
        st.booleans(),
        st.integers(38, 62),
        st.integers(500, 2_000),
        st.sampled_from(["GTC", "GTC", "GTC", "FAK", "FOK"]),
        st.integers(0, 99),
    ),
    min_size=1,
    max_size=30,
)


def amounts(buys: bool, cents: int, hundredths: int, kind: str, noise: int) -> tuple[int, int]:
    """Order amounts as clients round them: exact, or off by less than a unit of the grid's amount decimals."""
    size = hundredths * 10_000
    if kind != "GTC":
        size, noise = size // 1_000_000 * 1_000_000, 0
    money = cents * size // 100
    return (money + noise, size) if buys else (size, money - noise)


Row = tuple[str, str, bool, int, int, str, int]


@settings(max_examples=100, deadline=None)
@given(orders)
def test_matching_agrees_with_the_reference_to_the_last_unit(placed: list[Row]) -> None:
    compare(placed)


@pytest.mark.parametrize("seed", range(3))
def test_matching_agrees_with_the_reference_over_a_long_day(seed: int) -> None:
    random = Random(seed)
    compare(
        [
            (
                random.choice(NAMES), random.choice("12"), random.random() < 0.5, random.randrange(40, 61),
                random.randrange(500, 1_500), random.choice(["GTC", "GTC", "FAK", "FOK"]), random.randrange(100),
            )
            for _ in range(150)
        ]
    )  # fmt: skip


def compare(placed: list[Row]) -> None:
    """Place the same orders in both and compare everything after each."""
    exchange, reference = Exchange([Listing(MARKET, auto_tick=False)], random=Random(0)), Reference()
    for name in NAMES:
        exchange.open_account(name, FUNDS + STOCK)
        exchange.split(name, MARKET.id, STOCK, NOW)
    deposited = exchange.totals().deposited
    for number, (name, asset, buys, cents, hundredths, kind, noise) in enumerate(placed):
        maker, taker = amounts(buys, cents, hundredths, kind, noise)
        side = Side.BUY if buys else Side.SELL
        request = OrderRequest(OrderId(str(number)), name, AssetId(asset), side, maker, taker, TimeInForce(kind))
        accepted = isinstance(exchange.place(request, NOW + number), Placed)
        assert accepted == reference.place(Slow(number, name, asset, buys, maker, taker, kind))
        totals = exchange.totals()
        assert totals.deposited == deposited == totals.money + totals.fees + totals.locked
        assert totals.supply[AssetId("1")] == totals.supply[AssetId("2")] == totals.locked
        assert totals.fees == reference.fees
        for account in NAMES:
            assert exchange.money(account).total == reference.money[account]
            assert exchange.money(account).available >= 0
            for token in "12":
                assert exchange.shares(account, AssetId(token)).total == reference.tokens[account, token]
                assert exchange.shares(account, AssetId(token)).available >= 0
    resting = [int(order.id) for name in NAMES for order in exchange.open_orders(name)]
    assert sorted(resting) == sorted(order.number for order in reference.resting)
    for token in "12":
        bids, asks = exchange.book(AssetId(token), NOW).bids, exchange.book(AssetId(token), NOW).asks
        assert not bids or not asks or bids[-1][0] < asks[-1][0]
