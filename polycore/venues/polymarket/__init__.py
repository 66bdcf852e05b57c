"""The Polymarket venue, a plugin like any other.

Owns the registration, and what the command line may ask of it. Importing it must need neither the network nor the
official client.
"""

from typing import TYPE_CHECKING

from polycore import Venue, hookimpl
from polycore.venues.polymarket.config import PolymarketSettings
from polycore.venues.polymarket.proof import verify, verify_changes
from polycore.venues.polymarket.venue import PolymarketVenue

if TYPE_CHECKING:
    from polycore import VenueRegistry

__all__ = [
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
