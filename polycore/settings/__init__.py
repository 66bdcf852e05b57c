"""Settings: one TOML file, a local file beside it, the environment and the command line, to closed frozen structs.

Owns what may be set, how a fault is told, and the types that settings may have beyond msgspec's own. Must not import a
plugin: a strategy's table is kept raw until the plugin's own struct is known (:meth:`Table.convert`).
"""

from polycore.settings.amounts import Dollars, PriceValue, Shares
from polycore.settings.load import load_settings
from polycore.settings.secret import Secret
from polycore.settings.structs import Limits, Network, OnError, RunSettings, Settings, VenueSettings
from polycore.settings.table import DEFAULT, Origin, Table
from polycore.settings.wording import did_you_mean, fail

__all__ = [
    "DEFAULT",
    "Dollars",
    "Limits",
    "Network",
    "OnError",
    "Origin",
    "PriceValue",
    "RunSettings",
    "Secret",
    "Settings",
    "Shares",
    "Table",
    "VenueSettings",
    "did_you_mean",
    "fail",
    "load_settings",
]
