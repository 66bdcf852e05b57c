"""What may be set, as closed frozen structs. ``docs/settings.md`` is checked against this file.

Owns the names, types and defaults of the core's settings. Must not read a file or the environment.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from polycore.settings.amounts import Dollars, PriceValue, Shares
from polycore.settings.table import KeyPath, Origin, Table

Network: TypeAlias = Literal["local", "paper", "mainnet"]
OnError: TypeAlias = Literal["trip", "stop_run"]


class RunSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[run]``: how a run behaves."""

    speed: Annotated[
        float,
        Meta(
            gt=0, le=10_000, description="how many times faster the gaps of a recording are played; local network only"
        ),
    ] = 6.0
    stale_seconds: Annotated[
        float, Meta(gt=0, description="how old a connection's last proof of life may be before its books are stale")
    ] = 2.0
    hook_budget_us: Annotated[
        int, Meta(ge=1, description="microseconds a hook may take before it is counted and warned about")
    ] = 500
    on_error: Annotated[
        OnError, Meta(description="what a hook that raises does: `trip` its strategy, or `stop_run`")
    ] = "trip"


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[limits]``: what no order of any strategy may exceed."""

    max_order: Annotated[Dollars, Meta(description="most pUSD that one order may cost or bring")] = Dollars("50")
    max_position: Annotated[
        Shares,
        Meta(
            description="largest position of one strategy in one market, in shares, as if its open orders of that side "
            "were filled; a share pays at most 1 pUSD"
        ),
    ] = Shares("500")
    price_band: Annotated[
        PriceValue, Meta(description="how far through the best price of the other side an order may reach")
    ] = PriceValue("0.1")

    def __post_init__(self) -> None:
        for name in ("max_order", "max_position"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0: with nothing allowed no order ever leaves")


class VenueSettings(Struct, frozen=True):
    """The one venue of a run: the table ``[venues.NAME]``.

    ``network`` and ``recording`` are the core's and are taken out of ``table``, which the venue's own struct converts.
    """

    name: str
    network: Network
    recording: str
    table: Table


class Settings(Struct, frozen=True):
    """All settings of a run, converted, except the tables that plugins own.

    ``plugins`` and ``strategies`` are in order: it is the order of calls.
    """

    plugins: tuple[str, ...]
    venue: VenueSettings
    run: RunSettings
    limits: Limits
    strategies: Mapping[str, Table]
    observers: Mapping[str, Table] = {}
    origins: Mapping[KeyPath, Origin] = {}
    venue_names: tuple[str, ...] = ()
    """Every ``[venues.NAME]`` there is a table of, to be compared with what is installed."""
