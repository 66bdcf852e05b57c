"""From a match to money: trades, order records, settlement and the notices about them.

Owns the orders' and trades' records and the outbox. Decides nothing: who matches is ``matching``, who may enter is
``admission``.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from random import Random

import msgspec

from polycore.exchange.accounts import Accounts, Holding
from polycore.exchange.book import Resting
from polycore.exchange.desk import Desk
from polycore.exchange.matching import Slice, slice_price
from polycore.exchange.models import FeeModel
from polycore.exchange.timers import Timers
from polycore.exchange.values import (
    ExchangeSettings,
    FillNotice,
    LastTradeNotice,
    MakerFill,
    Notice,
    OrderEvent,
    OrderNotice,
    Trade,
)
from polycore.model.events import Role, Settlement
from polycore.model.ids import AssetId, OrderId, TradeId
from polycore.model.market import Side
from polycore.model.money import Money


class Trading:
    """The records of orders and trades, and the only place where a fill moves money."""

    def __init__(
        self, accounts: Accounts, timers: Timers, fees: FeeModel, settings: ExchangeSettings, random: Random
    ) -> None:
        self.accounts = accounts
        self.outbox: list[Notice] = []
        self.orders: dict[OrderId, Resting] = {}
        self.trades: dict[TradeId, Trade] = {}
        self._open: defaultdict[str, dict[OrderId, Resting]] = defaultdict(dict)
        self._trades_of: defaultdict[str, list[TradeId]] = defaultdict(list)
        self._timers = timers
        self._fees = fees
        self._settings = settings
        self._random = random

    # ── Orders ────────────────────────────────────────────────────────────────

    def new_id(self) -> OrderId:
        """An id in the form of an order hash, for orders that nobody signed."""
        return OrderId(f"0x{self._random.getrandbits(256):064x}")

    def new_uuid(self) -> str:
        """A random version 4 UUID, from the run's seed."""
        value = f"{self._random.getrandbits(128):032x}"
        return f"{value[:8]}-{value[8:12]}-4{value[13:16]}-a{value[17:20]}-{value[20:]}"

    def record(self, order: Resting) -> None:
        """Take an order into the books of record as open."""
        self.orders[order.id] = order
        self._open[order.account.lower()][order.id] = order

    def open_of(self, account: str) -> list[Resting]:
        """An account's live and held orders, oldest first."""
        return list(self._open[account.lower()].values())

    def close(self, order: Resting, status: str) -> None:
        """Give an order its last status. Orders of flow accounts are forgotten."""
        order.status = status
        self._open[order.account.lower()].pop(order.id, None)
        if self.accounts[order.account].flow:
            self.orders.pop(order.id, None)

    def tell_order(self, order: Resting, event: OrderEvent, now: int) -> None:
        """Announce to its owner what became of an order; flow accounts hear nothing."""
        if not self.accounts[order.account].flow:
            self.outbox.append(OrderNotice(order.account, event, order.view(), now))

    def reserved_money(self, account: str) -> Money:
        """What an account's open BUY orders hold back, in millionths of a pUSD."""
        return sum(order.cover for order in self._open[account.lower()].values() if order.side is Side.BUY)

    def reserved_shares(self, account: str, asset: AssetId) -> int:
        """What an account's open SELL orders of a token hold back, in millionths of a share."""
        orders = self._open[account.lower()].values()
        return sum(order.cover for order in orders if order.side is Side.SELL and order.asset == asset)

    # ── Fills ─────────────────────────────────────────────────────────────────

    def fee(self, desk: Desk, taker: Resting, slices: Iterable[Slice]) -> Money:
        """The taker's fee, added up over the makers' parts (venue notes 8.1)."""
        return sum(self._fees.taker_fee(desk.market, slice_price(taker, part), part.size) for part in slices)

    def execute(self, desk: Desk, taker: Resting, slices: Sequence[Slice], now: int) -> Trade:
        """Carry a plan out: one trade, whatever the number of makers."""
        owner = self.accounts[taker.account]
        money = sum(part.taker_money for part in slices)
        size = sum(part.size for part in slices)
        fee = self.fee(desk, taker, slices)
        if taker.side is Side.SELL:
            fee = min(fee, money)
        trade = Trade(
            id=TradeId(self.new_uuid()), market=desk.market.id, asset=taker.asset, side=taker.side,
            price=slice_price(taker, slices[-1]), size=size, money=money, fee=fee, taker=taker.account,
            taker_order=taker.id, makers=tuple(_maker_fill(part) for part in slices), settlement=Settlement.MATCHED,
            matched_time=now, updated_time=now,
        )  # fmt: skip
        for part in slices:
            self._move(desk, taker, owner, part)
            part.maker.matched += part.size
            part.maker.trades.append(trade.id)
            desk.book.filled(part.maker)
        self.accounts.charge(owner, fee)
        taker.matched += size
        taker.trades.append(trade.id)
        desk.traded(trade.asset, trade.price)
        self.outbox.append(LastTradeNotice(trade.market, trade.asset, trade.side, trade.price, size, now))
        self._record_trade(trade)
        for part in slices:
            self._tell_maker(part.maker, now)
        return trade

    def trades_of(self, account: str) -> list[Trade]:
        """An account's trades as they stand now, oldest first."""
        return [self.trades[trade] for trade in self._trades_of[account.lower()]]

    def _move(self, desk: Desk, taker: Resting, owner: Holding, part: Slice) -> None:
        maker, accounts, market = part.maker, self.accounts, desk.market.id
        other = accounts[maker.account]
        if maker.recorded and maker.side is Side.SELL:
            self.cover_flow(desk, other, maker.asset, part.size)
        if taker.recorded and taker.side is Side.SELL:
            self.cover_flow(desk, owner, taker.asset, part.size)
        if maker.asset == taker.asset:
            buyer, seller = (owner, other) if taker.side is Side.BUY else (other, owner)
            accounts.swap(buyer, seller, taker.asset, part.size, part.maker_money)
        else:
            convert = accounts.mint if taker.side is Side.BUY else accounts.burn
            convert(market, owner, taker.asset, part.taker_money, other, maker.asset, part.maker_money, part.size)

    def cover_flow(self, desk: Desk, holding: Holding, asset: AssetId, size: int) -> None:
        """Recorded sellers own what they sell: what is missing is split from the flow account's pUSD."""
        missing = size - holding.shares[asset]
        if missing > 0:
            self.accounts.split(holding, desk.market, missing)

    def _tell_maker(self, maker: Resting, now: int) -> None:
        if maker.recorded:
            return
        if maker.spent:
            self.close(maker, "MATCHED")
        self.tell_order(maker, OrderEvent.UPDATE, now)

    # ── Settlement ────────────────────────────────────────────────────────────

    def _record_trade(self, trade: Trade) -> None:
        parties = {trade.taker.lower(), *(maker.account.lower() for maker in trade.makers)}
        clients = [party for party in sorted(parties) if not self.accounts[party].flow]
        for account, asset, size in _received(trade):
            self.accounts[account].unsettled[asset] += size
        self._timers.at(trade.matched_time + self._settings.mined_after, lambda now: self._mine(trade.id, now))
        self.trades[trade.id] = trade
        for party in clients:
            self._trades_of[party].append(trade.id)
        self._tell_trade(trade, trade.matched_time)

    def _mine(self, trade_id: TradeId, now: int) -> None:
        trade = msgspec.structs.replace(
            self.trades[trade_id], settlement=Settlement.MINED, updated_time=now, transaction=self.new_id()
        )
        self.trades[trade_id] = trade
        for account, asset, size in _received(trade):
            unsettled = self.accounts[account].unsettled
            unsettled[asset] = max(0, unsettled[asset] - size)
        self._tell_trade(trade, now)
        confirmed = trade.matched_time + max(self._settings.confirmed_after, self._settings.mined_after)
        self._timers.at(confirmed, lambda later: self._confirm(trade_id, later))

    def _confirm(self, trade_id: TradeId, now: int) -> None:
        trade = msgspec.structs.replace(self.trades[trade_id], settlement=Settlement.CONFIRMED, updated_time=now)
        self.trades[trade_id] = trade
        self._tell_trade(trade, now)
        parties = (trade.taker, *(maker.account for maker in trade.makers))
        if all(self.accounts[party].flow for party in parties):
            del self.trades[trade_id]

    def _tell_trade(self, trade: Trade, now: int) -> None:
        """The trade to its taker and once to each maker, flow accounts left out."""
        if not self.accounts[trade.taker].flow:
            self.outbox.append(FillNotice(trade.taker, Role.TAKER, trade, now))
        told: set[str] = set()
        for maker in trade.makers:
            if maker.account.lower() not in told and not self.accounts[maker.account].flow:
                told.add(maker.account.lower())
                self.outbox.append(FillNotice(maker.account, Role.MAKER, trade, now))


def _maker_fill(part: Slice) -> MakerFill:
    maker = part.maker
    return MakerFill(maker.id, maker.account, maker.asset, maker.side, maker.price, part.size, part.maker_money)


def _received(trade: Trade) -> list[tuple[str, AssetId, int]]:
    """Who got tokens in a trade: account, token, size."""
    got = [(maker.account, maker.asset, maker.size) for maker in trade.makers if maker.side is Side.BUY]
    if trade.side is Side.BUY:
        got.append((trade.taker, trade.asset, trade.size))
    return got
