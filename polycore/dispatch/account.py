"""Our orders and fills as the venue reports them, booked into the cache.

Owns which report is news, whose it is, and what it does to orders and inventories. Must not deliver anything: it
returns the events to deliver, in order.
"""

import logging
from collections import Counter

from msgspec.structs import replace

from polycore.cache.cache import GlobalMarketCache
from polycore.cache.inventory import FillNews, Inventory
from polycore.cache.orders import DUST, Order
from polycore.model.events import Fill, OrderState, OrderUpdate, Role, Settlement
from polycore.model.ids import MarketId, OrderId, TradeId
from polycore.model.market import Market, MarketStatus
from polycore.model.money import PRICE_ONE, Size, format_price, format_size

log = logging.getLogger("polycore.dispatch")

_FIRST = frozenset({FillNews.NEW, FillNews.STILLBORN})
_UNPROVEN = frozenset({OrderState.SENT, OrderState.UNKNOWN})


class Account:
    """Booking of user events, exactly once each.

    ``fills`` counts by strategy; ``foreign_orders`` and ``foreign_fills`` count reports about orders this run did not
    send; ``overfilled`` counts orders that filled beyond their size.
    """

    def __init__(self, cache: GlobalMarketCache) -> None:
        self.foreign_orders = 0
        self.foreign_fills = 0
        self.fills: Counter[str] = Counter()
        self.overfilled = 0
        self._cache = cache
        self._filled: dict[OrderId, Size] = {}
        self._provisional: dict[tuple[TradeId, OrderId, Role], Fill] = {}
        self._owners: set[str] = set()

    def order(self, update: OrderUpdate) -> OrderUpdate | None:
        """Adopt what the venue says of an order; ``None`` when it is nothing new. A foreign one comes back as it is."""
        order = self._cache.orders.find(update.order)
        if order is None:
            self.foreign_orders += 1
            log.warning("order %s is not of this run: %s", update.order, update.state.value)
            return update
        if not self._cache.orders.move(order, update.state, matched=update.matched, reason=update.reason):
            return None
        return _own(order, update)

    def fill(self, fill: Fill) -> list[OrderUpdate | Fill]:
        """Book a fill; the events it makes: an order's acceptance, the fill with its owner and fee, an order's end."""
        news = self._cache.fills.news(fill)
        if news is FillNews.REPEAT:
            return []
        order = self._cache.orders.find(fill.order)
        if order is not None and news in _FIRST:
            self._cache.orders.book(order, fill.size)
        if news is FillNews.STILLBORN:
            return []
        fill = self._enriched(fill, order)
        if news is FillNews.NEW:
            return self._new(fill, order)
        key = (fill.trade, fill.order, fill.role)
        if fill.settlement.final:
            booked = self._provisional.pop(key, None)
            if booked is not None:
                self._settle(booked, fill.settlement)
        if news is FillNews.VOID:
            log.warning("fill %s of order %s failed to settle: it is void", fill.trade, fill.order)
        return [fill]

    def resolve(self, market: Market) -> None:
        """Turn every inventory's position in a resolved market into cash, once its winner is named."""
        winner = self._cache.markets.winner(market.id)
        if market.status is not MarketStatus.RESOLVED or winner is None:
            return
        for inventory in self._inventories():
            for asset in market.assets:
                inventory.redeem(asset, PRICE_ONE if asset == winner else 0)

    def _new(self, fill: Fill, order: Order | None) -> list[OrderUpdate | Fill]:
        for inventory in self._of(fill):
            inventory.apply(fill)
        if not fill.settlement.final:
            self._provisional[fill.trade, fill.order, fill.role] = fill
        self._redeem(fill.market)
        if order is None:
            self.foreign_fills += 1
            log.warning("fill %s of order %s is not of this run", fill.trade, fill.order)
            return [fill]
        self.fills[order.strategy] += 1
        size, price = format_size(fill.size), format_price(fill.price)
        log.info("[FILL] %s %s @ %s (order: %s..., %s)", fill.side.value, size, price, fill.order[:10], order.strategy)
        orders = self._cache.orders
        events: list[OrderUpdate | Fill] = []
        # A fill may beat the answer to the POST: it proves that the order was accepted.
        if order.state in _UNPROVEN and orders.move(order, OrderState.LIVE):
            events.append(replace(order.update(OrderState.LIVE), received_time=fill.received_time))
        filled = self._filled[fill.order] = self._filled.get(fill.order, 0) + fill.size
        orders.move(order, order.state, matched=filled)
        events.append(fill)
        if filled >= order.place.size and orders.move(order, OrderState.FILLED, matched=filled):
            events.append(replace(order.update(OrderState.FILLED), received_time=fill.received_time))
        if filled > order.place.size + DUST and order.place.time_in_force.rests:
            self.overfilled += 1
            log.error(
                "order %s filled %s shares of %s: more than was ordered",
                order.client_order, format_size(filled), format_size(order.place.size),
            )  # fmt: skip
        return events

    def _settle(self, booked: Fill, settlement: Settlement) -> None:
        for inventory in self._of(booked):
            if settlement is Settlement.FAILED:
                inventory.void(booked)
            else:
                inventory.confirm(booked)
        if settlement is Settlement.FAILED and booked.order in self._filled:
            self._filled[booked.order] -= booked.size
        self._redeem(booked.market)

    def _redeem(self, market: MarketId) -> None:
        """News of a fill after its market paid out: what it changed is paid out too."""
        found = self._cache.markets.get(market)
        if found is not None:
            self.resolve(found)

    def _enriched(self, fill: Fill, order: Order | None) -> Fill:
        market = self._cache.markets.get(fill.market)
        takes = market is not None and fill.role is Role.TAKER
        fee = market.fee.taker_fee(fill.price, fill.size) if market is not None and takes else 0
        if order is None:
            return replace(fill, fee=fee)
        return replace(fill, fee=fee, client_order=order.client_order, strategy=order.strategy, tag=order.place.tag)

    def _of(self, fill: Fill) -> list[Inventory]:
        if not fill.strategy:
            return [self._cache.account]
        self._owners.add(fill.strategy)
        return [self._cache.account, self._cache.inventory(fill.strategy)]

    def _inventories(self) -> list[Inventory]:
        return [self._cache.account, *(self._cache.inventory(name) for name in self._owners)]


def _own(order: Order, update: OrderUpdate) -> OrderUpdate:
    """The venue's report under our names, with the state the table let through."""
    return replace(
        update,
        asset=order.place.asset,
        side=order.side,
        price=order.price,
        size=order.place.size,
        matched=order.matched,
        state=order.state,
        client_order=order.client_order,
        strategy=order.strategy,
        tag=order.place.tag,
    )
