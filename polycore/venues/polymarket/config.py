"""Settings of the venue: which network, whose wallet. Closed and frozen; a secret does not show itself."""

import re
from enum import Enum
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from polycore import Secret, UsageError

Network: TypeAlias = Literal["local", "paper", "mainnet"]
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
Wallet: TypeAlias = Literal["eoa", "proxy", "safe", "deposit"]


class WalletKind(Enum):
    """Who signs for the money; the values are the venue's signature types."""

    EOA = 0
    PROXY = 1
    SAFE = 2
    DEPOSIT = 3


class Hosts(Struct, frozen=True):
    """Base addresses, without a slash at the end."""

    clob: str
    gamma: str
    stream: str

    @property
    def market_stream(self) -> str:
        return f"{self.stream}/ws/market"

    @property
    def user_stream(self) -> str:
        return f"{self.stream}/ws/user"


VENUE_HOSTS = Hosts(
    clob="https://clob.polymarket.com",
    gamma="https://gamma-api.polymarket.com",
    stream="wss://ws-subscriptions-clob.polymarket.com",
)


class PolymarketSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[venues.polymarket]``.

    ``exchange`` is the URL of a local exchange, set by the run that started it. ``private_key`` may stay empty on
    ``local``: a throw-away key is made in memory. ``funder`` is the address that holds the money, for every wallet but
    ``eoa``.
    """

    network: Annotated[Network, Meta(description="which exchange to trade on")] = "local"
    exchange: Annotated[str, Meta(description="URL of a running local exchange; a run fills it in")] = ""
    wallet: Annotated[Wallet, Meta(description="kind of the wallet that holds the money")] = "eoa"
    funder: Annotated[str, Meta(description="address that holds the money, for every wallet but `eoa`")] = ""
    private_key: Annotated[
        Secret | None, Meta(description="key that signs; on `local` a throw-away key is made when it is not set")
    ] = None

    def __post_init__(self) -> None:
        if self.funder and not _ADDRESS.fullmatch(self.funder):
            raise ValueError("funder must be an address: 0x and 40 hex digits")

    @property
    def wallet_kind(self) -> WalletKind:
        return WalletKind[self.wallet.upper()]

    def hosts(self) -> Hosts:
        """Where requests go. Raises ``UsageError`` for a local network whose exchange is not on loopback."""
        if self.network != "local":
            return VENUE_HOSTS
        parts = urlsplit(self.exchange)
        if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            found = self.exchange or "nothing"
            raise UsageError(
                f"network local needs the URL of an exchange on loopback, found {found}: start `exchange serve`"
            )
        base = self.exchange.rstrip("/")
        return Hosts(clob=base, gamma=f"{base}/gamma", stream="ws" + base.removeprefix("http"))
