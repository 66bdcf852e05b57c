"""Settings: one TOML file, a local file beside it, the environment and the command line, to closed frozen structs.

Owns what may be set, how a fault is told, and the types that settings may have beyond msgspec's own. Must not import a
plugin: a strategy's table is kept raw until the plugin's own struct is known (:meth:`Table.convert`).
"""

from polycore.settings.amounts import Dollars, PriceValue, Shares
from polycore.settings.load import load_settings
from polycore.settings.secret import Secret
from polycore.settings.structs import Limits, RunSettings, Settings
from polycore.settings.table import Table
from polycore.settings.wording import NAME_RULE, did_you_mean, fail, is_name

__all__ = [
    "Dollars",
    "Limits",
    "NAME_RULE",
    "PriceValue",
    "RunSettings",
    "Secret",
    "Settings",
    "Shares",
    "Table",
    "did_you_mean",
    "fail",
    "is_name",
    "load_settings",
]
