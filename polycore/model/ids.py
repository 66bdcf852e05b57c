"""Identifiers, each a text of its own type so that one cannot be passed for another.

The venue's forms: a market is its condition id (``0x`` and 64 hex digits), an asset is a token id (a decimal of up
to 78 digits: keep it as text), an order id is the EIP-712 digest of the order, known before it is sent.
"""

from typing import NewType

MarketId = NewType("MarketId", str)
AssetId = NewType("AssetId", str)
OrderId = NewType("OrderId", str)
TradeId = NewType("TradeId", str)
ClientOrderId = NewType("ClientOrderId", str)
"""Our own name of an order: ``<strategy>-<number>``, unique in a run."""
EventId = NewType("EventId", str)
"""A group of markets of which exactly one resolves YES (a neg-risk event)."""
