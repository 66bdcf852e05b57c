"""The local exchange: accounts, books, orders and trades behind one synchronous object.

Owns matching and accounting for all listed markets. It has no clock, no socket and no randomness of its own: every call
takes ``now`` (wall time, nanoseconds) and timers run when :meth:`Exchange.advance` is called. What the world hears is
appended in order to an outbox that the server drains; what a caller hears is the returned value.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from random import Random

from polycore.errors import UsageError
from polycore.exchange import admission
from polycore.exchange.accounts import Accounts
from polycore.exchange.book import Resting
from polycore.exchange.desk import Desk
from polycore.exchange.entry import Entry
from polycore.exchange.heartbeat import Heartbeats
from polycore.exchange.models import FeeModel, FromBehind, LatencyModel, QueueModel, ScheduleFee, VenueDelay
from polycore.exchange.tape import Tape
from polycore.exchange.timers import Timers
from polycore.exchange.trading import Trading
from polycore.exchange.values import (
    AccountState,
    Address,
    Balance,
    BeatAccepted,
    BeatRefused,
    BookNotice,
    CancelResult,
    ExchangeSettings,
    Listing,
    Notice,
    Order,
    OrderRequest,
    PlaceResult,
    Refusal,
    ResolvedNotice,
    Totals,
    Trade,
)
from polycore.model.ids import AssetId, EventId, MarketId, OrderId, TradeId
from polycore.model.market import Market, MarketStatus
from polycore.model.money import MONEY_ONE, Money, Price, Size

_FLOW_FUNDS: Money = 10**15


class Exchange:
    """Real matching and real accounting for several markets at once.

    ``random`` names trades; a given seed gives the same run. Unknown markets and accounts raise ``UsageError`` (the
    server answers for them before it calls); what the venue itself refuses is returned as ``Refusal``.
    """

    def __init__(
        self,
        listings: Iterable[Listing] = (),
        *,
        random: Random,
        settings: ExchangeSettings | None = None,
        queue_model: QueueModel | None = None,
        latency: LatencyModel | None = None,
        fees: FeeModel | None = None,
    ) -> None:
        self._settings = settings or ExchangeSettings()
        self._timers = Timers()
        self._accounts = Accounts()
        self._trading = Trading(self._accounts, self._timers, fees or ScheduleFee(), self._settings, random)
        self._entry = Entry(self._accounts, self._trading, self._timers, self._settings)
        self._heartbeats = Heartbeats(self._settings, self._timers, self._trading.new_uuid, self._silenced)
        self._queue_model = queue_model or FromBehind()
        self._latency = latency or VenueDelay()
        self._desks: dict[MarketId, Desk] = {}
        self._desk_of: dict[AssetId, Desk] = {}
        self._tapes: dict[MarketId, Tape] = {}
        self._aside: defaultdict[str, dict[AssetId, Size]] = defaultdict(dict)
        for listing in listings:
            self.list_market(listing)

    # ── Markets ───────────────────────────────────────────────────────────────

    def list_market(self, listing: Listing) -> None:
        """Add a market; its book is empty. Restored holdings of its tokens come back to their accounts."""
        if listing.market.id in self._desks:
            raise UsageError(f"market {listing.market.slug} is listed already")
        desk = self._desks[listing.market.id] = Desk(listing)
        for asset in listing.market.assets:
            self._desk_of[asset] = desk
            for address, shares in self._aside.items():
                if size := shares.pop(asset, 0):
                    self._accounts.restore(self._accounts[address], desk.market, asset, size)

    @property
    def listings(self) -> Sequence[Listing]:
        """All markets ever listed, in order; ``listing.market.tick`` and ``.status`` are those in force now."""
        return [desk.listing for desk in self._desks.values()]

    def listing(self, market: MarketId) -> Listing | None:
        """A market and its terms as they are now; ``None`` for one that was never listed."""
        desk = self._desks.get(market)
        return desk.listing if desk else None

    def market_of(self, asset: AssetId) -> Market | None:
        """The market that a token belongs to, with the tick and status in force."""
        desk = self._desk_of.get(asset)
        return desk.market if desk else None

    def book(self, asset: AssetId, now: int) -> BookNotice:
        """The token's whole book as displayed now. Raises ``UsageError`` for an unknown token."""
        desk = self._desk_of.get(asset)
        if desk is None:
            raise UsageError(f"no market of this exchange has the token {asset}")
        return desk.snapshot(asset, now)

    def tape(self, market: MarketId) -> Tape:
        """The door by which recorded flow moves a market."""
        desk = self._desk(market)
        if market not in self._tapes:
            address = "0x" + sha256(f"recorded flow {market}".encode()).hexdigest()[:40]
            holding = self._accounts.open(address, _FLOW_FUNDS, flow=True)
            self._tapes[market] = Tape(desk, self._trading, holding, self._queue_model)
        return self._tapes[market]

    def set_tick(self, market: MarketId, tick: Price, now: int) -> None:
        """Make a market coarser or finer: announces the tick and then new books. Resting orders keep their prices."""
        self._trading.outbox += self._desk(market).set_tick(tick, now)

    def set_accepting(self, market: MarketId, accepting: bool) -> None:
        """Let a market take orders, or refuse them with the venue's text. Resting orders stay."""
        self._desk(market).set_status(MarketStatus.OPEN if accepting else MarketStatus.PAUSED)

    def resolve(self, market: MarketId, payout: tuple[Money, Money], now: int) -> None:
        """End a market: orders are cancelled, every holding is paid out and gone.

        ``payout`` is what a share of each token is worth in millionths and adds up to one pUSD. Twice is a
        ``UsageError``.
        """
        desk = self._desk(market)
        if desk.market.status is MarketStatus.RESOLVED:
            raise UsageError(f"market {desk.market.slug} is resolved already")
        if sum(payout) != MONEY_ONE or min(payout) < 0:
            raise UsageError(f"the payout of {desk.market.slug} must add up to {MONEY_ONE}, got {payout}")
        desk.set_status(MarketStatus.RESOLVED)
        for holding in list(self._accounts):
            for order in self._trading.open_of(holding.address):
                if order.market == market:
                    self._withdraw(desk, order, "CANCELED_MARKET_RESOLVED", now)
        if market in self._tapes:
            self._tapes[market].show({}, {}, now)
        self._accounts.pay_out(desk.market, payout)
        winner = None if min(payout) else desk.market.assets[0 if payout[0] else 1]
        self._trading.outbox += desk.publish(now, books=False)
        self._trading.outbox.append(ResolvedNotice(market, winner, payout, now))

    def resolve_event(self, event: EventId, winner: MarketId, now: int) -> None:
        """End every market of a neg-risk event: ``winner`` pays its first token, the others their second."""
        members = [desk.market.id for desk in self._desks.values() if desk.market.event == event]
        if winner not in members:
            raise UsageError(f"market {winner} does not belong to the event {event}")
        for member in members:
            self.resolve(member, (MONEY_ONE, 0) if member == winner else (0, MONEY_ONE), now)

    # ── Accounts ──────────────────────────────────────────────────────────────

    def open_account(self, address: Address, funds: Money, *, flow: bool = False) -> None:
        """Create an account that owns ``funds`` pUSD; a known address is left as it is.

        ``flow`` accounts are the playback's own: they hear nothing and are not kept over a restart.
        """
        self._accounts.open(address, funds, flow=flow)

    def restore_account(self, state: AccountState) -> None:
        """Create an account with what it held before a restart. Tokens of markets not listed yet wait for their
        listing."""
        holding = self._accounts.open(state.address, state.money)
        for asset, size in state.shares.items():
            desk = self._desk_of.get(asset)
            if desk:
                self._accounts.restore(holding, desk.market, asset, size)
            else:
                self._aside[state.address][asset] = size

    def has_account(self, address: Address) -> bool:
        """Whether an account is open."""
        return address in self._accounts

    def accounts(self) -> Sequence[AccountState]:
        """Every account that clients opened, for ``serve --state``; flow accounts are left out."""
        states = [holding.state() for holding in self._accounts if not holding.flow]
        return [
            AccountState(state.address, state.money, {**state.shares, **self._aside.get(state.address, {})})
            for state in states
        ]

    def deposit(self, account: Address, amount: Money) -> None:
        """Give an account ``amount`` more pUSD. Raises ``UsageError`` for a negative amount."""
        self._accounts.deposit(self._accounts[account], amount)

    def money(self, account: Address) -> Balance:
        """pUSD of an account; open BUY orders reserve."""
        return Balance(self._accounts[account].money, self._trading.reserved_money(account))

    def shares(self, account: Address, asset: AssetId) -> Balance:
        """Tokens of an account; open SELL orders reserve."""
        held = self._accounts[account].shares.get(asset, 0)
        return Balance(held, self._trading.reserved_shares(account, asset))

    def split(self, account: Address, market: MarketId, size: Size, now: int) -> Refusal | None:
        """Turn ``size`` units of pUSD into ``size`` of both tokens. Resting orders that lose their cover are
        cancelled."""
        holding, desk = self._accounts[account], self._desk(market)
        if desk.market.status is MarketStatus.RESOLVED or size <= 0 or size > holding.money:
            return admission.NO_FUNDS
        self._accounts.split(holding, desk.market, size)
        self._drop_uncovered(account, now)
        return None

    def merge(self, account: Address, market: MarketId, size: Size, now: int) -> Refusal | None:
        """Turn equal sizes of both tokens into pUSD. Tokens of trades that are not MINED yet don't count."""
        holding, desk = self._accounts[account], self._desk(market)
        usable = min(holding.shares.get(asset, 0) - holding.unsettled.get(asset, 0) for asset in desk.market.assets)
        if desk.market.status is MarketStatus.RESOLVED or size <= 0 or size > usable:
            return admission.NO_FUNDS
        self._accounts.merge(holding, desk.market, size)
        self._drop_uncovered(account, now)
        return None

    def totals(self) -> Totals:
        """Everything added up, for the proof that nothing is made or lost."""
        return self._accounts.totals()

    # ── Orders ────────────────────────────────────────────────────────────────

    def entry_delay(self, request: OrderRequest) -> int:
        """Nanoseconds that the server waits before it calls :meth:`place` (taker delay of a marketable order), else
        0."""
        desk = self._desk_of.get(request.asset)
        order = self._entry.read(desk, request, 0) if desk else None
        if desk is None or order is None:
            return 0
        return self._latency.entry_delay(desk.listing, desk.book.crosses(order.bid, order.level))

    def place(self, request: OrderRequest, now: int) -> PlaceResult:
        """Check, match and rest one order. Its notices are in the outbox when this returns."""
        desk = self._desk_of.get(request.asset)
        if desk is None:
            return admission.MARKET_NOT_FOUND
        return self._entry.place(desk, request, now)

    def cancel(self, account: Address, orders: Iterable[OrderId], now: int) -> CancelResult:
        """Withdraw orders of an account; others' orders are reported as not found."""
        canceled: list[OrderId] = []
        refused: dict[OrderId, str] = {}
        for order_id in orders:
            order = self._trading.orders.get(order_id)
            if order is None or order.account.lower() != account.lower():
                refused[order_id] = admission.NOTHING_TO_CANCEL
            elif order.status == "LIVE":
                self._withdraw(self._desk(order.market), order, "CANCELED", now)
                canceled.append(order_id)
            else:
                refused[order_id] = admission.HELD if order.status == "DELAYED" else admission.ALREADY_GONE
        return CancelResult(tuple(canceled), refused)

    def cancel_all(self, account: Address, now: int) -> CancelResult:
        """Withdraw every live order of an account."""
        return self.cancel(account, [order.id for order in self._trading.open_of(account)], now)

    def cancel_market(
        self, account: Address, now: int, *, market: MarketId | None = None, asset: AssetId | None = None
    ) -> CancelResult:
        """Withdraw an account's orders of a market, of a token, or of both conditions together."""
        return self.cancel(account, [order.id for order in self.open_orders(account, market=market, asset=asset)], now)

    def order(self, order: OrderId) -> Order | None:
        """One order in any state, of any account."""
        found = self._trading.orders.get(order)
        return found.view() if found else None

    def open_orders(
        self, account: Address, *, market: MarketId | None = None, asset: AssetId | None = None
    ) -> Sequence[Order]:
        """Live and delayed orders, oldest first."""
        return [
            order.view()
            for order in self._trading.open_of(account)
            if market in (None, order.market) and asset in (None, order.asset)
        ]

    def trades(self, account: Address) -> Sequence[Trade]:
        """Trades the account took part in, as they stand now, oldest first. Filters are the server's."""
        return self._trading.trades_of(account)

    def trade(self, trade: TradeId) -> Trade | None:
        """One trade as it stands now; ``None`` when unknown, or settled between flow accounts alone."""
        return self._trading.trades.get(trade)

    def heartbeat(self, account: Address, beat: str, now: int) -> BeatAccepted | BeatRefused:
        """Arm or renew the dead man's switch. The first beat carries the empty id."""
        return self._heartbeats.beat(account, beat, now)

    # ── Time and what is heard ────────────────────────────────────────────────

    def advance(self, now: int) -> None:
        """Run every timer due at ``now``: expiry, held orders, settlement, heartbeat."""
        self._timers.run(now)

    @property
    def next_due(self) -> int | None:
        """When :meth:`advance` next has something to do."""
        return self._timers.next_due

    def drain(self) -> list[Notice]:
        """Everything announced since the last call, in order; the outbox is empty afterwards."""
        notices, self._trading.outbox = self._trading.outbox, []
        return notices

    # ── Inside ────────────────────────────────────────────────────────────────

    def _desk(self, market: MarketId) -> Desk:
        desk = self._desks.get(market)
        if desk is None:
            raise UsageError(f"no market {market} on this exchange")
        return desk

    def _withdraw(self, desk: Desk, order: Resting, status: str, now: int) -> None:
        self._entry.withdraw(desk, order, status, now)
        self._entry.publish(desk, now)

    def _drop_uncovered(self, account: Address, now: int) -> None:
        for order in list(self._entry.uncovered(account)):
            self._withdraw(self._desk(order.market), order, "CANCELED_NOT_ENOUGH_BALANCE", now)

    def _silenced(self, account: Address, now: int) -> None:
        """The dead man's switch fired."""
        for order in self._trading.open_of(account):
            if order.status == "LIVE":
                self._withdraw(self._desk(order.market), order, "CANCELED", now)
