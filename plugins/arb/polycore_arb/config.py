"""Every knob of the arbitrageur, with its unit and what it is for.

Owns the settings of one instance: the table ``[strategies.<name>]``. Amounts are text in the settings file
(``minimum_edge = "0.005"``) and exact integers from then on.
"""

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

from polycore import Dollars, PriceValue, Shares, format_money, format_price


class ArbitrageConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one arbitrageur. A set is one share of each leg; what it pays is known whatever happens."""

    markets: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="what to watch; sets of an event need it whole: event:SLUG or *"),
    ] = ("*",)

    # What is worth trading
    minimum_edge: Annotated[
        PriceValue, Meta(description="least profit of one set after fees, in pUSD, of the last set bought too")
    ] = PriceValue("0.005")
    maximum_edge: Annotated[
        PriceValue, Meta(description="a larger profit of a set at the touch is taken for wrong data and left alone")
    ] = PriceValue("0.2")
    minimum_profit: Annotated[Dollars, Meta(description="least profit of a whole basket after fees, in pUSD")] = (
        Dollars("0.1")
    )
    confirm_seconds: Annotated[
        float, Meta(ge=0, description="a set must be seen again this long after it was first seen")
    ] = 0.25

    # How much
    max_sets: Annotated[Shares, Meta(description="most sets in one basket; keep it below limits.max_order")] = Shares(
        "50"
    )
    basket_budget: Annotated[Dollars, Meta(description="most pUSD in one basket, fees included")] = Dollars("100")
    total_budget: Annotated[Dollars, Meta(description="most pUSD spent and not yet paid back, over all baskets")] = (
        Dollars("500")
    )
    depth_percent: Annotated[
        int, Meta(ge=1, le=100, description="share of the displayed size that is counted on: the rest is gone by then")
    ] = 80
    max_legs: Annotated[
        int, Meta(ge=2, le=15, description="most legs in a basket; the venue takes 15 orders in one request")
    ] = 15

    # When a leg fails
    order: Annotated[
        Literal["FAK", "FOK"],
        Meta(description="legs fill what they can (FAK) or whole or not at all (FOK); repairs are always FAK"),
    ] = "FAK"
    unwind_loss: Annotated[
        PriceValue, Meta(description="a surplus share is sold at most this much below what it cost, fees included")
    ] = PriceValue("0.03")
    answer_seconds: Annotated[
        float, Meta(gt=0, description="an order neither open nor reported after this long was never sent")
    ] = 5.0
    repair_seconds: Annotated[
        float, Meta(ge=0, description="how long each repair may wait for fresh books and confirmed shares")
    ] = 60.0
    settle_seconds: Annotated[
        float, Meta(ge=0, description="how long a basket waits for its fills to be confirmed before it is let go")
    ] = 180.0
    cooldown_seconds: Annotated[
        float, Meta(ge=0, description="no new basket on the same event for this long after one ended")
    ] = 2.0
    log_seconds: Annotated[
        float, Meta(ge=0, description="why a set is not traded is logged on change, and at most this often")
    ] = 30.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value}: it must be a finite number")
        if not 0 < self.minimum_edge < self.maximum_edge:
            found, most = format_price(self.minimum_edge), format_price(self.maximum_edge)
            raise ValueError(f"minimum_edge {found} must be above 0 and below maximum_edge {most}")
        if not 0 < self.basket_budget <= self.total_budget:
            found, most = format_money(self.basket_budget), format_money(self.total_budget)
            raise ValueError(f"basket_budget {found} must be above 0 and not above total_budget {most}")
        if not self.max_sets:
            raise ValueError("max_sets is 0: nothing could be bought")
