"""A seeded neg-risk event: makers and takers with real accounts, and mispricings that are known beforehand.

Owns the script of the event. Everything in it follows from the seed; what clients do changes the books, never the
script. Its orders are ordinary orders: they go through :meth:`Exchange.place` and are matched, charged and settled
like any other.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from random import Random

from msgspec import Struct

from polycore.errors import UsageError
from polycore.exchange.exchange import Exchange
from polycore.exchange.playback import Step
from polycore.exchange.values import Address, Listing, OrderRequest
from polycore.model.ids import AssetId, EventId, MarketId, OrderId
from polycore.model.intents import TimeInForce
from polycore.model.market import FeeSchedule, Market, Outcome, Side
from polycore.model.money import MONEY_ONE, PRICE_ONE, SIZE_ONE, Money, Price, Size, complement, notional
from polycore.recordings import derived_tokens

_SECOND = 1_000_000_000
_CENT: Price = 100
_FUNDS: Money = 1_000_000 * MONEY_ONE
_STOCK: Size = 50_000 * SIZE_ONE
_FEE = FeeSchedule(rate_millionths=40_000, rebate_millionths=250_000)
"""The politics rate of the venue's fee page of 2026-09-17."""
_NAMES = ("Ash", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Larch", "Maple")
_START_CENTS = {4: (38, 28, 20, 14), 5: (34, 25, 18, 13, 10), 6: (30, 22, 17, 13, 10, 8)}
_LEAST_CENTS, _MOST_CENTS = 7, 60
_NEAR_CENTS, _FAR_CENTS = 3, 5
"""How far the two makers quote from the fair price: wide enough that no set is mispriced outside an episode."""


class Leg(Struct, frozen=True):
    """One outcome's token, offered at ``price`` for ``size`` shares."""

    asset: AssetId
    price: Price
    size: Size


class Mispricing(Struct, frozen=True):
    """The truth about one episode. ``start`` and ``end`` are offsets of the scenario in nanoseconds.

    ``yes``: all YES tokens together cost less than the 1 pUSD that exactly one of them pays. ``no``: all NO tokens
    together cost less than the N - 1 pUSD that they pay. ``payoff``, ``cost`` and ``fees`` are millionths of a pUSD for
    all ``sets`` of the episode (millionths of a set, the smallest leg's size), and ``edge`` is what they earn.
    """

    kind: str
    start: int
    end: int
    legs: tuple[Leg, ...]
    sets: Size
    payoff: Money
    cost: Money
    fees: Money

    @property
    def edge(self) -> Money:
        return self.payoff - self.cost - self.fees


class _Scripted(Struct, frozen=True):
    offset: int
    act: Callable[[Exchange, int], None]


class NegRiskScenario:
    """``outcomes`` markets of which exactly one resolves YES, for ``length`` nanoseconds of wall time.

    Two makers quote every market around a fair price that wanders; takers cross now and then. In an episode a third
    maker misprices every outcome at once for a few seconds, while prices stand still and takers stay away. Half of
    the offers are SELLs of tokens, half BUYs of the other token, so that takers meet both kinds of match.
    """

    def __init__(self, seed: int, length: int, *, outcomes: int = 5, slug: str = "seeded-neg-risk") -> None:
        if outcomes not in _START_CENTS:
            raise UsageError(f"a seeded event has 4 to 6 outcomes, got {outcomes}")
        self._seed = seed
        self._length = length
        self._slug = slug
        self._random = Random(seed)
        self._markets = tuple(self._market(number) for number in range(outcomes))
        self._accounts = {name: _address(seed, name) for name in ("near", "far", "sleepy", "taker")}
        self._quoted: dict[tuple[str, MarketId], tuple[int, list[OrderId]]] = {}
        self._resting: list[OrderId] = []
        self._order_number = 0
        self._script, self._mispricings = self._write()

    @property
    def name(self) -> str:
        return f"{self._slug} (seed {self._seed})"

    @property
    def credit(self) -> str:
        return "polycore, constructed"

    @property
    def recorded(self) -> bool:
        return False

    @property
    def derived(self) -> bool:
        return False

    @property
    def length(self) -> int:
        return self._length

    @property
    def listings(self) -> Sequence[Listing]:
        return [Listing(market, source=self.name, credit=self.credit) for market in self._markets]

    @property
    def event(self) -> EventId:
        """The event's id."""
        return EventId(f"{self._slug}-{self._seed}")

    @property
    def mispricings(self) -> Sequence[Mispricing]:
        """Every episode of the script, in order."""
        return self._mispricings

    def steps(self, exchange: Exchange) -> Iterator[Step]:
        self._open(exchange)
        for scripted in self._script:
            yield Step(scripted.offset, partial(scripted.act, exchange))

    # ── The script, from the seed alone ───────────────────────────────────────

    def _write(self) -> tuple[list[_Scripted], tuple[Mispricing, ...]]:
        random, fairs = self._random, list(_START_CENTS[len(self._markets)])
        script: list[_Scripted] = [_Scripted(0, partial(self._quote, tuple(fairs)))]
        mispricings: list[Mispricing] = []
        at, next_episode = _SECOND, 3 * _SECOND
        while at < self._length - _SECOND:
            if at >= next_episode and at + 6 * _SECOND < self._length:
                kind = ("yes", "no")[len(mispricings) % 2]
                found = self._episode(kind, tuple(fairs), at)
                mispricings.append(found)
                script.append(_Scripted(found.start, partial(self._begin, found)))
                script.append(_Scripted(found.end, self._end))
                at = found.end + _SECOND
                next_episode = at + random.randrange(5, 10) * _SECOND
                continue
            _wander(fairs, random)
            script.append(_Scripted(at, partial(self._quote, tuple(fairs))))
            if random.random() < 0.6:
                script.append(_Scripted(at + random.randrange(_SECOND // 10, _SECOND), self._take_action()))
            at += _SECOND
        winner = random.choices(range(len(fairs)), weights=fairs)[0]
        script.append(_Scripted(self._length, partial(self._finish, self._markets[winner].id)))
        return script, tuple(mispricings)

    def _episode(self, kind: str, fairs: Sequence[int], start: int) -> Mispricing:
        """Each outcome 1 or 2 cents on the wrong side of fair, at least 7 in all: more than the fees of any set."""
        random = self._random
        offs = [random.choice((1, 2, 2)) for _ in fairs]
        while sum(offs) < 7:
            offs[random.randrange(len(offs))] = 2
        legs = tuple(
            Leg(
                market.first.asset if kind == "yes" else market.second.asset,
                (fair - off) * _CENT if kind == "yes" else PRICE_ONE - (fair + off) * _CENT,
                random.randrange(20, 61) * SIZE_ONE,
            )
            for market, fair, off in zip(self._markets, fairs, offs, strict=True)
        )
        sets = min(leg.size for leg in legs)
        return Mispricing(
            kind=kind,
            start=start,
            end=start + random.randrange(3_000, 5_000) * 1_000_000,
            legs=legs,
            sets=sets,
            payoff=sets if kind == "yes" else (len(legs) - 1) * sets,
            cost=sum(notional(leg.price, sets) for leg in legs),
            fees=sum(_FEE.taker_fee(leg.price, sets) for leg in legs),
        )

    def _take_action(self) -> Callable[[Exchange, int], None]:
        market = self._random.choice(self._markets)
        asset = self._random.choice(market.assets)
        return partial(self._take, asset, self._random.randrange(20, 41) * SIZE_ONE)

    # ── What the script does to an exchange ───────────────────────────────────

    def _open(self, exchange: Exchange) -> None:
        """Accounts, and for those that SELL a stock of tokens."""
        self._quoted.clear()
        self._resting.clear()
        self._order_number = 0
        for name, address in self._accounts.items():
            exchange.open_account(address, _FUNDS * (1 if name != "far" else 2), flow=True)
            if name in ("far", "sleepy"):
                for market in self._markets:
                    exchange.split(address, market.id, _STOCK, 0)

    def _quote(self, fairs: Sequence[int], exchange: Exchange, now: int) -> None:
        """Both makers show their full size around the fair prices; quotes that still stand whole are left alone."""
        for market, fair in zip(self._markets, fairs, strict=True):
            stale = [name for name in ("near", "far") if not self._stands(exchange, name, market, fair)]
            for name in stale:
                _, orders = self._quoted.get((name, market.id), (0, []))
                exchange.cancel(self._accounts[name], orders, now)
            for name in stale:
                width, size = (_NEAR_CENTS, 80) if name == "near" else (_FAR_CENTS, 250)
                bid, ask = (fair - width) * _CENT, (fair + width) * _CENT
                orders = [self._place(exchange, name, market.first.asset, Side.BUY, bid, size * SIZE_ONE, now)]
                orders.append(self._offer(exchange, name, market, ask, size * SIZE_ONE, name == "far", now))
                self._quoted[name, market.id] = (fair, orders)

    def _stands(self, exchange: Exchange, name: str, market: Market, fair: int) -> bool:
        quoted, orders = self._quoted.get((name, market.id), (None, []))
        found = [exchange.order(order) for order in orders]
        return quoted == fair and all(order is not None and order.matched == 0 for order in found)

    def _begin(self, mispricing: Mispricing, exchange: Exchange, now: int) -> None:
        for number, (market, leg) in enumerate(zip(self._markets, mispricing.legs, strict=True)):
            tokens = number % 2 == 0
            if mispricing.kind == "yes":
                order = self._offer(exchange, "sleepy", market, leg.price, leg.size, tokens, now)
            elif tokens:
                order = self._place(exchange, "sleepy", leg.asset, Side.SELL, leg.price, leg.size, now)
            else:
                bid = complement(leg.price)
                order = self._place(exchange, "sleepy", market.first.asset, Side.BUY, bid, leg.size, now)
            self._resting.append(order)

    def _end(self, exchange: Exchange, now: int) -> None:
        exchange.cancel(self._accounts["sleepy"], self._resting, now)
        self._resting.clear()

    def _take(self, asset: AssetId, size: Size, exchange: Exchange, now: int) -> None:
        """Buy at whatever the near maker asks, no further."""
        asks = exchange.book(asset, now).asks
        if asks and notional(asks[-1][0], size) >= MONEY_ONE:
            self._place(exchange, "taker", asset, Side.BUY, asks[-1][0], size, now, TimeInForce.FAK)

    def _finish(self, winner: MarketId, exchange: Exchange, now: int) -> None:
        exchange.resolve_event(self.event, winner, now)

    def _offer(
        self, exchange: Exchange, name: str, market: Market, ask: Price, size: Size, tokens: bool, now: int
    ) -> OrderId:
        """An ask for the first token: a SELL of tokens, or a BUY of the other token."""
        if tokens:
            return self._place(exchange, name, market.first.asset, Side.SELL, ask, size, now)
        return self._place(exchange, name, market.second.asset, Side.BUY, complement(ask), size, now)

    def _place(
        self, exchange: Exchange, name: str, asset: AssetId, side: Side, price: Price, size: Size, now: int,
        kind: TimeInForce = TimeInForce.GTC,
    ) -> OrderId:  # fmt: skip
        """Post one order. A refusal only means that this quote is missing until the next one."""
        self._order_number += 1
        order = OrderId("0x" + sha256(f"{self.event} {self._order_number}".encode()).hexdigest())
        amounts = (notional(price, size), size) if side is Side.BUY else (size, notional(price, size))
        exchange.place(OrderRequest(order, self._accounts[name], asset, side, *amounts, kind), now)
        return order

    def _market(self, number: int) -> Market:
        name = _NAMES[number]
        market = MarketId("0x" + sha256(f"{self._slug} {self._seed} {name}".encode()).hexdigest())
        yes, no = derived_tokens(market)
        return Market(
            id=market, slug=f"{self._slug}-{self._seed}-{name.lower()}", question=f"Will {name} win the seeded event?",
            first=Outcome(yes, "Yes"), second=Outcome(no, "No"), neg_risk=True, event=self.event, event_complete=True,
            fee=_FEE, tags=("seeded", "neg-risk"),
        )  # fmt: skip


def _wander(fairs: list[int], random: Random) -> None:
    """Move a cent from one outcome to another; the sum stays 100."""
    down, up = random.sample(range(len(fairs)), 2)
    if random.random() < 0.4 and fairs[down] > _LEAST_CENTS and fairs[up] < _MOST_CENTS:
        fairs[down] -= 1
        fairs[up] += 1


def _address(seed: int, name: str) -> Address:
    return "0x" + sha256(f"scenario {seed} {name}".encode()).hexdigest()[:40]
