"""Polymarket as one venue: its parts joined, opened once and closed once.

Owns nothing but the joining. The official client is needed for the gateway alone, so it is imported when the gateway is
first asked for.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from polycore import (
    AssetId,
    BookSnapshot,
    BookView,
    Catalogue,
    Channel,
    Clock,
    Market,
    OrderGateway,
    PluginError,
    Secret,
    UsageError,
    Verification,
    WallClock,
)
from polycore.venues.polymarket import proof
from polycore.venues.polymarket.catalogue import PolymarketCatalogue
from polycore.venues.polymarket.channels import MarketChannel, UserChannel
from polycore.venues.polymarket.config import PolymarketSettings
from polycore.venues.polymarket.transport import FirstWrite, HttpTransport

if TYPE_CHECKING:
    from polycore.venues.polymarket.gateway import PolymarketGateway

INSTALL = 'pip install "polycore-trading[polymarket]"'
_EXTRA = frozenset({"polymarket", "coincurve", "eth_account", "eth_utils", "eth_keys"})


class PolymarketVenue:
    """Fulfils ``Venue``. Making one touches no network."""

    def __init__(self, settings: PolymarketSettings, clock: Clock | None = None) -> None:
        self.name = "polymarket"
        self.network = settings.network
        self._settings = settings
        self._clock = clock or WallClock()
        self._hosts = settings.hosts()
        self._transport = HttpTransport()
        self._proof = proof.BookProof()
        self._markets: dict[AssetId, Market] = {}
        self._catalogue = PolymarketCatalogue(self._hosts, self._transport, self._clock, self._learn)
        self._gateway: PolymarketGateway | None = None

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    @property
    def gateway(self) -> OrderGateway:
        """The gateway. Raises ``PluginError`` with the command to run when the signing extra is missing."""
        return self._opened_gateway()

    def watch_writes(self, on_first_write: FirstWrite) -> None:
        """Be told when each POST begins to leave: its URL and monotonic nanoseconds."""
        self._transport.on_first_write = on_first_write

    async def open(self) -> None:
        await self._opened_gateway().open()

    async def close(self) -> None:
        if self._gateway is not None:
            await self._gateway.close()
        await self._transport.close()

    def market_channel(self) -> Channel:
        return MarketChannel(self._hosts.market_stream)

    def user_channel(self) -> Channel:
        gateway = self._opened_gateway()
        return UserChannel(self._hosts.user_stream, lambda: gateway.credentials, gateway.funder)

    async def books(self, assets: Sequence[AssetId]) -> Sequence[BookSnapshot]:
        return await self._catalogue.books(assets)

    def prove(self, frame: bytes, book: BookView) -> bool | None:
        return self._proof.prove(frame, book)

    def verify(self, lines: Iterable[bytes]) -> Verification:
        return proof.verify(lines)

    def _learn(self, market: Market) -> None:
        self._proof.learn(market)
        self._markets.update(dict.fromkeys(market.assets, market))
        if self._gateway is not None:
            self._gateway.learn(market)

    def _opened_gateway(self) -> "PolymarketGateway":
        if self._gateway is None:
            self._gateway = _make_gateway(self._settings, self._hosts.clob, self._transport, self._clock)
            for market in self._markets.values():
                self._gateway.learn(market)
        return self._gateway


def _make_gateway(
    settings: PolymarketSettings, base_url: str, transport: HttpTransport, clock: Clock
) -> "PolymarketGateway":
    try:
        from polycore.venues.polymarket.gateway import PolymarketGateway
        from polycore.venues.polymarket.signer import OrderSigner, throw_away_key
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise PluginError(f"signing orders needs the extra `polymarket`, {error.name} is missing: {INSTALL}") from error
    except ImportError as error:
        raise PluginError(f"polymarket-client is of a version that does not fit (0.14): {error}: {INSTALL}") from error
    key: Secret | None = settings.private_key
    if key is None:
        if settings.network != "local":
            raise UsageError(f"network {settings.network} needs the setting private_key")
        key = throw_away_key()
    return PolymarketGateway(base_url, transport, OrderSigner(key, settings.wallet_kind, settings.funder), clock)
