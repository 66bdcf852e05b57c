"""The Polymarket venue, a plugin like any other. Importing it needs neither the network nor the official client."""

from typing import TYPE_CHECKING

from polycore import Venue, hookimpl
from polycore.venues.polymarket.config import PolymarketSettings
from polycore.venues.polymarket.proof import AppliedChanges, verify, verify_changes
from polycore.venues.polymarket.venue import PolymarketVenue

if TYPE_CHECKING:
    from polycore import VenueRegistry

__all__ = [
    "AppliedChanges",
    "PolymarketSettings",
    "PolymarketVenue",
    "make_venue",
    "register_venues",
    "verify",
    "verify_changes",
]


def make_venue(settings: PolymarketSettings) -> Venue:
    """Build the venue of its settings."""
    return PolymarketVenue(settings)


@hookimpl
def register_venues(registry: "VenueRegistry") -> None:
    """Offer the venue under the name ``polymarket``."""
    registry.add("polymarket", make_venue, config=PolymarketSettings)
