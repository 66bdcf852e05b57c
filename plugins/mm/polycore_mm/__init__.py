"""The ``mm`` plugin: two-sided, post-only quotes around a fair value, leaning against inventory.

Owns the registration alone. Read next: ``config`` (every knob), ``strategy`` (the hooks), then the pure parts that
it joins: ``fair_value``, ``quoting``, ``requoting``.
"""

from polycore import StrategyRegistry, hookimpl
from polycore_mm.config import MarketMakerConfig
from polycore_mm.strategy import MarketMaker

__all__ = ["MarketMaker", "MarketMakerConfig", "register_strategies"]


@hookimpl
def register_strategies(registry: StrategyRegistry) -> None:
    registry.add("mm", MarketMaker, config=MarketMakerConfig)
