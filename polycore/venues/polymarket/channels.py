"""The two streams as protocols without a socket: what to send, when to ping, what a frame means.

A connection's first frame has ``type`` and is sent once; a second is answered by ``INVALID OPERATION``, so every later
frame has ``operation``. There is no acknowledgement: the only sign of a subscription is the asset's first book.
"""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from polycore import AssetId, Events, Heartbeat
from polycore.venues.polymarket.credentials import Credentials
from polycore.venues.polymarket.decode import decode_market
from polycore.venues.polymarket.fills import Account, decode_user

ASSETS_PER_CONNECTION = 200
"""The venue sends no snapshots beyond an undocumented 500; an opening dump of 200 books is about 1 MB."""


class MarketChannel:
    """Books and trades of assets. Needs no credentials."""

    def __init__(self, url: str) -> None:
        self.name = "market"
        self.url = url
        self.heartbeat = Heartbeat()
        self.assets_per_connection = ASSETS_PER_CONNECTION

    def opening(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        """The frame that opens the stream, then one for each further 200 assets. None gives market news alone."""
        first = {"type": "market", "assets_ids": assets[:ASSETS_PER_CONNECTION], "custom_feature_enabled": True}
        return [msgspec.json.encode(first), *self.subscribe(assets[ASSETS_PER_CONNECTION:])]

    def subscribe(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        return [
            msgspec.json.encode({"operation": "subscribe", "assets_ids": part, "custom_feature_enabled": True})
            for part in _parts(assets)
        ]

    def unsubscribe(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        return [msgspec.json.encode({"operation": "unsubscribe", "assets_ids": part}) for part in _parts(assets)]

    decode = staticmethod(decode_market)


class UserChannel:
    """Our orders and fills in every market. ``credentials`` is asked at each opening: they may have been renewed."""

    def __init__(self, url: str, credentials: Callable[[], Credentials], funder: str) -> None:
        self.name = "user"
        self.url = url
        self.heartbeat = Heartbeat()
        self.assets_per_connection = 0
        self._credentials = credentials
        self._funder = funder

    def opening(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        """One frame, with the credentials in clear: never log it. Without ``markets`` it covers the whole account."""
        credentials = self._credentials()
        auth = {
            "apiKey": credentials.api_key,
            "secret": credentials.secret,
            "passphrase": credentials.passphrase,
        }
        return [msgspec.json.encode({"type": "user", "auth": auth})]

    def subscribe(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        return []

    def unsubscribe(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        return []

    def decode(self, frame: bytes, received_time: int) -> Events:
        return decode_user(frame, Account(self._credentials().api_key, self._funder), received_time)


def _parts(assets: Sequence[AssetId]) -> Iterator[Sequence[AssetId]]:
    return (assets[start : start + ASSETS_PER_CONNECTION] for start in range(0, len(assets), ASSETS_PER_CONNECTION))
