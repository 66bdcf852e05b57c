"""Every knob of the market maker, with its unit and what it is for.

Owns the settings of one instance: the table ``[strategies.<name>]``. Amounts are text in the settings file
(``size = "20"``) and exact integers from then on. Log-odds are plain numbers: 0.04 is one cent at a price of 0.50 and a
fifth of a cent at 0.05, because a cent means more near the ends (strategy reference 2.1).
"""

import math
from typing import Annotated

from msgspec import Meta, Struct

from polycore import PRICE_ONE, PriceValue, Shares, format_price, format_size


class MarketMakerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one market maker. Positions count in the first outcome: a share of the second is minus one."""

    markets: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="slugs, market ids, event:SLUG, tag:NAME, or * for all on offer"),
    ] = ("*",)
    quote_events: Annotated[
        bool, Meta(description="also quote markets of events with one winner, whose risks are counted apart here")
    ] = False

    # Size and limits
    size: Annotated[Shares, Meta(description="shares to show on each side")] = Shares("20")
    max_position: Annotated[
        Shares, Meta(description="the side that adds to the position shrinks in a straight line and is gone here")
    ] = Shares("100")

    # Where to quote
    half_spread: Annotated[
        float, Meta(ge=0, le=10, description="distance of each quote from the reservation price, in log-odds")
    ] = 0.04
    informed_share: Annotated[
        float, Meta(ge=0, lt=1, description="share of takers who know the outcome; their break-even spread is a floor")
    ] = 0.02
    minimum_ticks: Annotated[
        int, Meta(ge=1, description="least distance of each quote from the reservation price, in ticks")
    ] = 1
    touch_ticks: Annotated[
        int, Meta(ge=-1, description="ticks behind the best price of others, at least: 0 joins it, -1 may better it")
    ] = 0
    gamma: Annotated[
        float, Meta(ge=0, le=1, description="log-odds by which a share held moves the reservation price against itself")
    ] = 0.002
    max_skew: Annotated[
        float, Meta(ge=0, le=10, description="most log-odds that the position may move the reservation price")
    ] = 0.5

    # What to trust
    levels: Annotated[
        int, Meta(ge=1, le=50, description="levels a side whose size weighs in the fair value; further back is noise")
    ] = 3
    dust: Annotated[
        Shares, Meta(description="front levels that together show less are ignored: a few cents should not move us")
    ] = Shares("5")
    min_price: Annotated[PriceValue, Meta(description="no quotes while the fair value is below")] = PriceValue("0.05")
    max_price: Annotated[PriceValue, Meta(description="no quotes while the fair value is above")] = PriceValue("0.95")
    max_spread: Annotated[
        PriceValue, Meta(description="no quotes in a wider book: in one with holes only the informed trade")
    ] = PriceValue("0.1")
    stop_before_end_seconds: Annotated[
        float, Meta(ge=0, description="no quotes this long before a market's known end, nor after it")
    ] = 30.0

    # Patience
    retreat_ticks: Annotated[
        int, Meta(ge=1, description="a quote this many ticks closer to the market than wanted is moved away")
    ] = 1
    improve_ticks: Annotated[
        int, Meta(ge=1, description="a quote this many ticks further from the market than wanted is moved up")
    ] = 2
    size_tolerance: Annotated[
        float, Meta(ge=0, le=1, description="a quote whose size is off by this share at most keeps its place")
    ] = 0.25
    quote_life_seconds: Annotated[
        float, Meta(ge=0, description="a quote stays at least this long, unless at or past the reservation price")
    ] = 1.0
    fill_cooldown_seconds: Annotated[
        float, Meta(ge=0, description="after a fill nothing is added on its side: a second one at once is a sweep")
    ] = 3.0
    rejection_pause_seconds: Annotated[
        float, Meta(ge=0, description="after a rejection nothing is added; doubled for each more, up to a minute")
    ] = 2.0
    log_seconds: Annotated[
        float, Meta(ge=0, description="why a market is not quoted is logged on change, and at most this often")
    ] = 10.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value}: it must be a finite number")
        if not 0 < self.size <= self.max_position:
            found, most = format_size(self.size), format_size(self.max_position)
            raise ValueError(f"size {found} must be above 0 and not above max_position {most}")
        if not 0 < self.min_price < self.max_price < PRICE_ONE:
            raise ValueError(
                f"the band from min_price {format_price(self.min_price)} to max_price {format_price(self.max_price)} "
                "is not inside (0, 1)"
            )
        if not self.half_spread and not self.informed_share:
            raise ValueError("half_spread and informed_share are both 0: one of them must leave some edge")
