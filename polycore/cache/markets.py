"""The markets in use, by id, by token and by event, with their status and how they resolved.

Owns market metadata. Must not discover markets: a catalogue does.
"""

from collections.abc import Iterator

import msgspec

from polycore.model.events import ChangeKind, MarketChange
from polycore.model.ids import AssetId, EventId, MarketId
from polycore.model.market import Market, MarketStatus

_STATUS = {
    ChangeKind.PAUSED: MarketStatus.PAUSED,
    ChangeKind.RESUMED: MarketStatus.OPEN,
    ChangeKind.CLOSED: MarketStatus.CLOSED,
    ChangeKind.RESOLVED: MarketStatus.RESOLVED,
}


class Markets:
    """Known markets. A market is a frozen value: a change replaces it."""

    def __init__(self) -> None:
        self._markets: dict[MarketId, Market] = {}
        self._by_asset: dict[AssetId, MarketId] = {}
        self._winners: dict[MarketId, AssetId] = {}

    def add(self, market: Market) -> None:
        self._markets[market.id] = market
        for asset in market.assets:
            self._by_asset[asset] = market.id

    def get(self, market: MarketId) -> Market | None:
        return self._markets.get(market)

    def of_asset(self, asset: AssetId) -> Market | None:
        market = self._by_asset.get(asset)
        return None if market is None else self._markets[market]

    def of_event(self, event: EventId) -> list[Market]:
        """Markets of a group of which exactly one resolves YES, in the order they were added."""
        return [market for market in self._markets.values() if market.event == event]

    def __iter__(self) -> Iterator[Market]:
        return iter(list(self._markets.values()))

    def __len__(self) -> int:
        return len(self._markets)

    def winner(self, market: MarketId) -> AssetId | None:
        """The token that pays 1, once the venue has named it."""
        return self._winners.get(market)

    def apply(self, change: MarketChange) -> None:
        """Adopt a change of status. A TICK change concerns the book alone."""
        market = self._markets.get(change.market)
        if market is None:
            return
        status = _STATUS.get(change.kind)
        if status is not None and market.status is not MarketStatus.RESOLVED:
            self._markets[market.id] = msgspec.structs.replace(market, status=status)
        if change.winner is not None:
            self._winners[market.id] = change.winner
