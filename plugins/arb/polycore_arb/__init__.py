"""The ``arb`` plugin: buys mispriced sets of outcomes, and mostly says why it does not.

Owns the registration alone. Read next: ``config`` (every knob), ``strategy`` (the hooks), then the pure parts that it
joins: ``detect`` (is there a set?), ``sizing`` (how much of it?), ``basket`` (what if a leg fails?).
"""

from polycore import StrategyRegistry, hookimpl
from polycore_arb.config import ArbitrageConfig
from polycore_arb.strategy import Arbitrage

__all__ = ["Arbitrage", "ArbitrageConfig", "register_strategies"]


@hookimpl
def register_strategies(registry: StrategyRegistry) -> None:
    registry.add("arb", Arbitrage, config=ArbitrageConfig)
