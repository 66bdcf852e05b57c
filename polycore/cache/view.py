"""What a plugin may see: the read-only cache and the context of one strategy.

Owns no state: every value is read through to the cache at the moment of the call.
"""

from collections.abc import Callable, Iterator
from logging import LoggerAdapter
from typing import TYPE_CHECKING, Any

from polycore.cache.book import Best, Book, BookState, Depth
from polycore.cache.inventory import Inventory
from polycore.cache.orders import Order
from polycore.clock import Clock
from polycore.model.ids import AssetId, EventId, MarketId
from polycore.model.intents import Intent
from polycore.model.market import Market
from polycore.model.money import Price

if TYPE_CHECKING:
    from polycore.cache.cache import GlobalMarketCache


class CacheView:
    """The cache, to read. Reads cost under a microsecond at the top of a book and are safe in any thread."""

    __slots__ = ("_cache",)

    def __init__(self, cache: "GlobalMarketCache") -> None:
        self._cache = cache

    def get(self, asset: AssetId) -> Book | None:
        """The live book of a token, ``None`` when it is not known. Valid now: ``copy()`` to keep one."""
        return self._cache.get(asset)

    def best(self, asset: AssetId) -> Best | None:
        """Top of a token's book, all of one moment."""
        return self._cache.best(asset)

    def get_latest_price(self, asset: AssetId) -> float | None:
        """Micro price of a token in pUSD; ``None`` when a side is empty or the token unknown."""
        return self._cache.get_latest_price(asset)

    def get_order_book(self, asset: AssetId, levels: int | None = None) -> Depth | None:
        """A consistent copy of a token's depth, best first."""
        return self._cache.get_order_book(asset, levels)

    def state(self, asset: AssetId) -> tuple[BookState, str]:
        """State of a token's book and its cause."""
        return self._cache.state(asset)

    def is_stale(self, asset: AssetId) -> bool:
        """Whether the token's connection lacks a recent proof of life, or its book may not be quoted."""
        return self._cache.is_stale(asset)

    def market(self, market: MarketId) -> Market | None:
        return self._cache.markets.get(market)

    def market_of(self, asset: AssetId) -> Market | None:
        """The market of a token."""
        return self._cache.markets.of_asset(asset)

    def event(self, event: EventId) -> list[Market]:
        """Markets of which exactly one resolves YES."""
        return self._cache.markets.of_event(event)

    def position(self, strategy: str, asset: AssetId) -> int:
        """Shares a strategy holds of a token, in millionths."""
        return self._cache.inventory(strategy).position(asset)

    def sellable(self, strategy: str, asset: AssetId) -> int:
        """Shares a strategy may sell of a token: confirmed, in millionths."""
        return self._cache.inventory(strategy).sellable(asset)

    def open_orders(self, strategy: str | None = None, market: MarketId | None = None) -> Iterator[Order]:
        """Our orders that are not terminal, oldest first."""
        return self._cache.orders.open(strategy, market)

    def exposed_orders(self, strategy: str | None = None, market: MarketId | None = None) -> Iterator[Order]:
        """Our orders that may still change a position by their ``pending`` shares: limits count these."""
        return self._cache.orders.exposed(strategy, market)

    def mark(self, asset: AssetId) -> Price | None:
        """What a token can be valued at: its best bid, or ``None``."""
        return self._cache.mark(asset)


class OwnOrders:
    """One strategy's orders, to read."""

    __slots__ = ("_cache", "_strategy")

    def __init__(self, cache: "GlobalMarketCache", strategy: str) -> None:
        self._cache = cache
        self._strategy = strategy

    def open(self, market: MarketId | None = None) -> list[Order]:
        """Orders that are not terminal, oldest first."""
        return list(self._cache.orders.open(self._strategy, market))


class Context:
    """What a strategy is given besides the event: its settings, orders and inventory, and one narrow door out."""

    __slots__ = ("name", "config", "cache", "orders", "inventory", "clock", "log", "_emit")

    def __init__(
        self,
        name: str,
        config: Any,
        cache: CacheView,
        orders: OwnOrders,
        inventory: Inventory,
        clock: Clock,
        log: "LoggerAdapter[Any]",
        emit: Callable[[tuple[Intent, ...]], None],
    ) -> None:
        self.name = name
        self.config = config
        self.cache = cache
        self.orders = orders
        self.inventory = inventory
        self.clock = clock
        self.log = log
        self._emit = emit

    def emit(self, *intents: Intent) -> None:
        """Put intents from a task of your own into the same queue, with the same owner and the same checks."""
        self._emit(intents)
