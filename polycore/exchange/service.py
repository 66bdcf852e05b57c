"""The exchange as its clients meet it: owners with wallets and keys, and notices sent to those they concern.

Owns the link between the synchronous :class:`Exchange` and everybody who listens. It has no socket: a listener is
anything with a ``send``. Every change goes through its methods, so that notices leave in the order they were made.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from polycore.clock import Clock
from polycore.exchange.account_bodies import flow_owner, order_event_body, trade_event_body
from polycore.exchange.announcements import new_market_message
from polycore.exchange.auth import Credentials, KeyStore, Login
from polycore.exchange.display import Display
from polycore.exchange.eip712 import checksum_address, parse_address
from polycore.exchange.exchange import Exchange
from polycore.exchange.playback import Playback
from polycore.exchange.state import SavedState
from polycore.exchange.traffic import TrafficLog
from polycore.exchange.values import (
    Address,
    CancelResult,
    FillNotice,
    Notice,
    OrderNotice,
    OrderRequest,
    PlaceResult,
    Refusal,
    ResolvedNotice,
)
from polycore.exchange.wallets import SignatureType, wallets_of
from polycore.exchange.wire import encode
from polycore.model.ids import AssetId, MarketId, OrderId
from polycore.model.market import Market
from polycore.model.money import MONEY_ONE, Money

OPENING_FUNDS: Money = 1_000 * MONEY_ONE


class MarketListener(Protocol):
    """A connection of the market channel."""

    custom: bool

    def send(self, text: bytes) -> None: ...


class UserListener(Protocol):
    """A connection of the user channel. ``markets`` is ``None`` for all."""

    address: str
    markets: set[str] | None

    def send(self, text: bytes) -> None: ...


class Service:
    """One exchange with its owners and listeners.

    ``funds`` sets what an address's account opens with, or holds from now on if the state has it already; an amount
    that the state notes as applied before is not applied again. ``ended`` is set when everything has been played.
    """

    def __init__(
        self,
        exchange: Exchange,
        playback: Playback,
        *,
        clock: Clock,
        log: TrafficLog,
        state: SavedState,
        funds: Mapping[Address, Money] | None = None,
    ) -> None:
        self.exchange = exchange
        self.playback = playback
        self.display = Display()
        self.log = log
        self.keys = KeyStore(bytes.fromhex(state.seed), state.keys)
        self.resolved: list[ResolvedNotice] = []
        self.ended = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None
        self._clock = clock
        self._seed = state.seed
        self._funds = {address.lower(): amount for address, amount in (funds or {}).items()}
        self._owners: dict[str, str] = {}
        self._wallet_owner: dict[Address, str] = {}
        self._last_account: dict[str, Address] = {}
        self._order_keys: dict[OrderId, str] = {}
        self._by_asset: defaultdict[AssetId, set[MarketListener]] = defaultdict(set)
        self._everyone: set[MarketListener] = set()
        self._users: set[UserListener] = set()
        self._wake = asyncio.Event()
        self._restore(state)
        self._show_new_markets()

    # ── Time ──────────────────────────────────────────────────────────────────

    def now(self) -> int:
        """Wall time, nanoseconds."""
        return self._clock.wall()

    @property
    def started(self) -> bool:
        """Whether the recorded flow has begun, or has ended."""
        return self.playback.next_due is not None or self.playback.finished

    def start(self) -> None:
        """Let the recorded flow begin; later calls do nothing. The first market subscription does this."""
        if not self.started:
            self.log.write("start")
            self.playback.start(self.now())
            self.pump()

    async def run(self) -> None:
        """Keep time until cancelled: play what is due, run the exchange's timers, tell everybody."""
        while True:
            now = self.now()
            self.playback.advance(now)
            self.exchange.advance(now)
            self.pump()
            if self.playback.finished:
                self.ended.set()
            due = [time for time in (self.playback.next_due, self.exchange.next_due) if time is not None]
            self._wake.clear()
            try:
                async with asyncio.timeout(max(0, min(due) - self.now()) / 1e9 if due else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    # ── Owners, wallets, money ────────────────────────────────────────────────

    def log_in(self, login: Login, *, create: bool) -> Credentials | None:
        """Give a proven login its key: a new one, or the one it has. The first login of an address opens its account.

        ``None`` when a key to create exists, or one to derive does not.
        """
        self._know(login.address)
        self.open_account(login.address)
        credentials = self.keys.create(login) if create else self.keys.derive(login)
        self._changed()
        return credentials

    def revoke(self, credentials: Credentials) -> None:
        """Take a key out of force."""
        self.keys.revoke(credentials.key)
        self._changed()

    def wallet(self, owner: str, kind: SignatureType) -> Address:
        """The account that an owner's requests of a signature type mean, opened if need be."""
        candidates = [checksum_address(found) for found in wallets_of(parse_address(owner))[kind]]
        chosen = next((found for found in candidates if self.exchange.has_account(found)), candidates[0])
        self.open_account(chosen)
        return chosen

    def open_account(self, address: Address) -> None:
        """Open a wallet's account with what it was funded with, else 1,000 pUSD; a known one is left as it is."""
        if not self.exchange.has_account(address):
            self.exchange.open_account(address, self._funds.get(address.lower(), OPENING_FUNDS))
            self._changed()

    def accounts_of(self, owner: str) -> Sequence[Address]:
        """Every open account of an owner."""
        addresses = (checksum_address(a) for found in wallets_of(parse_address(owner)).values() for a in found)
        return [address for address in addresses if self.exchange.has_account(address)]

    def account_in_use(self, owner: str) -> Address:
        """The account that the owner last traded with, else that of the signing key."""
        return self._last_account.get(owner, owner)

    def is_deployed(self, address: Address) -> bool:
        """Whether a wallet exists: its account is open or funded, or it is what an owner's factory makes today."""
        owner = self._wallet_owner.get(address.lower())
        current = owner is not None and any(
            parse_address(address) == found[0] for found in wallets_of(parse_address(owner)).values()
        )
        return current or self.exchange.has_account(address) or address.lower() in self._funds

    def saved(self) -> SavedState:
        """Everything that outlives this process."""
        return SavedState(
            version=1,
            seed=self._seed,
            keys=tuple(self.keys.issued),
            owners=tuple(self._owners.values()),
            funded=self._funds,
            accounts=tuple(self.exchange.accounts()),
        )

    # ── Orders ────────────────────────────────────────────────────────────────

    def place(self, request: OrderRequest, credentials: Credentials) -> PlaceResult:
        """Place an order for the owner of a key. Its events are sent before this returns."""
        self.open_account(request.account)
        self._last_account[credentials.address] = request.account
        known = request.id in self._order_keys
        self._order_keys.setdefault(request.id, credentials.key)
        result = self.exchange.place(request, self.now())
        self.pump()
        if isinstance(result, Refusal) and not known:
            del self._order_keys[request.id]
        self._changed()
        return result

    def cancel(self, owner: str, orders: Iterable[OrderId]) -> CancelResult:
        """Withdraw orders from whichever of the owner's accounts they are in."""
        groups: defaultdict[Address, list[OrderId]] = defaultdict(list)
        accounts = {account.lower(): account for account in self.accounts_of(owner)}
        for order in orders:
            found = self.exchange.order(order)
            groups[accounts.get(found.account.lower(), owner) if found else owner].append(order)
        return self._after([self.exchange.cancel(account, ids, self.now()) for account, ids in groups.items()])

    def cancel_all(self, owner: str) -> CancelResult:
        """Withdraw every order of an owner, in all of its accounts."""
        return self._after([self.exchange.cancel_all(account, self.now()) for account in self.accounts_of(owner)])

    def cancel_market(self, owner: str, market: MarketId | None, asset: AssetId | None) -> CancelResult:
        """Withdraw an owner's orders of a market, of a token, or of both together."""
        now = self.now()
        return self._after(
            [
                self.exchange.cancel_market(account, now, market=market, asset=asset)
                for account in self.accounts_of(owner)
            ]
        )

    def key_of(self, order: OrderId, account: Address) -> str:
        """The API key id that an order is shown with: the one it was posted by, else one made up for its account."""
        return self._order_keys.get(order) or flow_owner(account)

    # ── Listeners ─────────────────────────────────────────────────────────────

    def listen(self, listener: MarketListener, assets: Iterable[AssetId]) -> None:
        """Send a connection what concerns these tokens from now on."""
        self._everyone.add(listener)
        for asset in assets:
            self._by_asset[asset].add(listener)

    def unlisten(self, listener: MarketListener, assets: Iterable[AssetId]) -> None:
        """Send a connection nothing more about these tokens."""
        for asset in assets:
            self._by_asset[asset].discard(listener)

    def forget(self, listener: MarketListener, assets: Iterable[AssetId]) -> None:
        """A connection is gone."""
        self.unlisten(listener, assets)
        self._everyone.discard(listener)

    def listen_user(self, listener: UserListener) -> None:
        """Send a connection its owner's orders and trades from now on."""
        self._users.add(listener)

    def forget_user(self, listener: UserListener) -> None:
        """A connection of the user channel is gone."""
        self._users.discard(listener)

    def market(self, market: MarketId) -> Market:
        """A listed market, as it is now. Raises ``KeyError`` for another."""
        listing = self.exchange.listing(market)
        if listing is None:
            raise KeyError(market)
        return listing.market

    def pump(self) -> None:
        """Send everything that the exchange has announced since the last call, in order."""
        self._show_new_markets()
        for notice in self.exchange.drain():
            self._tell(notice)
        self._wake.set()

    # ── Parts ─────────────────────────────────────────────────────────────────

    def _tell(self, notice: Notice) -> None:
        if isinstance(notice, OrderNotice | FillNotice):
            self._changed()
            self._tell_user(notice)
            return
        if isinstance(notice, ResolvedNotice):
            self._changed()
            self.resolved.append(notice)
        for frame in self.display.apply(notice):
            for listener in set[MarketListener]().union(*(self._by_asset[asset] for asset in frame.assets)):
                if listener.custom or not frame.custom:
                    listener.send(frame.text)

    def _tell_user(self, notice: OrderNotice | FillNotice) -> None:
        owner = self._wallet_owner.get(notice.account.lower())
        listeners = [found for found in self._users if found.address == owner] if owner else []
        if not listeners:
            return
        item = notice.order if isinstance(notice, OrderNotice) else notice.trade
        market = self.market(item.market)
        if isinstance(notice, OrderNotice):
            key = self.key_of(notice.order.id, notice.account)
            text = encode(order_event_body(notice, market, key)) + b"\n"
        else:
            text = encode(trade_event_body(notice, market, self.key_of)) + b"\n"
        for listener in listeners:
            if listener.markets is None or item.market in listener.markets:
                listener.send(text)

    def _show_new_markets(self) -> None:
        listings = self.exchange.listings
        shown = len(self.display.markets())
        for listing in islice(listings, shown, None):
            market = self.display.add(listing, self.now())
            if self._everyone:
                message = new_market_message(listing.market, market.number, market.tick, self.now())
                text = encode(message) + b"\n"
                for listener in self._everyone:
                    if listener.custom:
                        listener.send(text)

    def _after(self, results: Sequence[CancelResult]) -> CancelResult:
        self.pump()
        canceled = tuple(order for result in results for order in result.canceled)
        refused = {order: reason for result in results for order, reason in result.not_canceled.items()}
        return CancelResult(canceled, refused)

    def _know(self, owner: str) -> None:
        if owner.lower() in self._owners:
            return
        self._owners[owner.lower()] = owner
        for found in wallets_of(parse_address(owner)).values():
            self._wallet_owner.update({checksum_address(address).lower(): owner for address in found})

    def _restore(self, state: SavedState) -> None:
        for owner in state.owners:
            self._know(owner)
        for account in state.accounts:
            wanted = self._funds.get(account.address.lower())
            if wanted is not None and wanted != state.funded.get(account.address.lower()):
                account = msgspec.structs.replace(account, money=wanted)
            self.exchange.restore_account(account)
        self._funds = state.funded | self._funds

    def _changed(self) -> None:
        self.on_change()
