"""Who owns what: pUSD and tokens of every account, to the last unit.

Owns balances, the collateral behind token pairs and the fees taken. Every movement is one method that leaves
``deposited == money + fees + locked`` true. Knows no orders: reservations are the caller's.
"""

from collections import defaultdict
from collections.abc import Iterator

from polycore.errors import UsageError
from polycore.exchange.values import AccountState, Address, Totals
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Market
from polycore.model.money import MONEY_ONE, Money, Size

RESERVE: Address = "0x00000000000000000000000000000000000000fe"
"""Holds the other half of pairs whose one half was restored from a file."""


class Holding:
    """One account. ``unsettled`` are tokens of trades not yet mined; ``flow`` accounts belong to playback."""

    __slots__ = ("address", "flow", "money", "shares", "unsettled")

    def __init__(self, address: Address, flow: bool) -> None:
        self.address = address
        self.flow = flow
        self.money: Money = 0
        self.shares: defaultdict[AssetId, Size] = defaultdict(int)
        self.unsettled: defaultdict[AssetId, Size] = defaultdict(int)

    def state(self) -> AccountState:
        """What is kept of it over a restart."""
        return AccountState(self.address, self.money, {asset: size for asset, size in self.shares.items() if size})


class Accounts:
    """All accounts. An address is found without regard to case."""

    def __init__(self) -> None:
        self._holdings: dict[str, Holding] = {}
        self._locked: defaultdict[MarketId, Money] = defaultdict(int)
        self._deposited: Money = 0
        self._fees: Money = 0

    def __iter__(self) -> Iterator[Holding]:
        return iter(self._holdings.values())

    def __contains__(self, address: Address) -> bool:
        return address.lower() in self._holdings

    def __getitem__(self, address: Address) -> Holding:
        holding = self._holdings.get(address.lower())
        if holding is None:
            raise UsageError(f"no account {address} on this exchange; open it with a first L1 authentication")
        return holding

    def open(self, address: Address, funds: Money, *, flow: bool = False) -> Holding:
        """Create an account with ``funds``; a known address is left as it is."""
        if address in self:
            return self[address]
        holding = self._holdings[address.lower()] = Holding(address, flow)
        self.deposit(holding, funds)
        return holding

    def deposit(self, holding: Holding, amount: Money) -> None:
        """Add pUSD from outside. Raises ``UsageError`` for a negative amount."""
        if amount < 0:
            raise UsageError(f"a deposit cannot be negative, got {amount} units for {holding.address}")
        holding.money += amount
        self._deposited += amount

    def restore(self, holding: Holding, market: Market, asset: AssetId, size: Size) -> None:
        """Give ``size`` tokens that the account held before a restart; the reserve keeps the other half of the
        pairs."""
        reserve = self.open(RESERVE, 0, flow=True)
        self.deposit(reserve, size)
        self.mint(market.id, reserve, market.other(asset), size, holding, asset, 0, size)

    # ── Trades ────────────────────────────────────────────────────────────────

    def swap(self, buyer: Holding, seller: Holding, asset: AssetId, size: Size, money: Money) -> None:
        """Tokens for pUSD."""
        buyer.money -= money
        seller.money += money
        seller.shares[asset] -= size
        buyer.shares[asset] += size

    def mint(
        self, market: MarketId, one: Holding, asset: AssetId, pays: Money,
        other: Holding, other_asset: AssetId, other_pays: Money, size: Size,
    ) -> None:  # fmt: skip
        """Make ``size`` pairs out of two payments that must add up to ``size``; each payer gets its own token."""
        one.money -= pays
        other.money -= other_pays
        self._locked[market] += size
        one.shares[asset] += size
        other.shares[other_asset] += size

    def burn(
        self, market: MarketId, one: Holding, asset: AssetId, gets: Money,
        other: Holding, other_asset: AssetId, other_gets: Money, size: Size,
    ) -> None:  # fmt: skip
        """Turn ``size`` pairs back into pUSD, divided between the two sellers: :meth:`mint` backwards."""
        self.mint(market, one, asset, -gets, other, other_asset, -other_gets, -size)

    def charge(self, holding: Holding, fee: Money) -> None:
        """Take a fee."""
        holding.money -= fee
        self._fees += fee

    # ── Pairs and payouts ─────────────────────────────────────────────────────

    def split(self, holding: Holding, market: Market, size: Size) -> None:
        """pUSD to both tokens."""
        self.mint(market.id, holding, market.first.asset, size, holding, market.second.asset, 0, size)

    def merge(self, holding: Holding, market: Market, size: Size) -> None:
        """Both tokens to pUSD."""
        self.burn(market.id, holding, market.first.asset, size, holding, market.second.asset, 0, size)

    def pay_out(self, market: Market, payout: tuple[Money, Money]) -> None:
        """Turn every token of a market into pUSD. Rounded down for each holder; the crumbs stay locked."""
        for holding in self:
            for asset, value in zip(market.assets, payout, strict=True):
                amount = holding.shares.pop(asset, 0) * value // MONEY_ONE
                holding.money += amount
                self._locked[market.id] -= amount
                holding.unsettled.pop(asset, None)

    def totals(self) -> Totals:
        """Everything added up."""
        supply: defaultdict[AssetId, Size] = defaultdict(int)
        for holding in self:
            for asset, size in holding.shares.items():
                supply[asset] += size
        money = sum(holding.money for holding in self)
        return Totals(self._deposited, money, self._fees, sum(self._locked.values()), dict(supply))
