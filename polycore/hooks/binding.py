"""Hook implementations as plain callables that take the arguments of the specification, in its order.

Owns the adapting of an implementation that takes fewer arguments or another order. Reads pluggy through its public
names alone.
"""

from collections.abc import Callable
from typing import Any

import pluggy

from polycore.hooks.verify import ARGUMENTS

HookCall = Callable[..., Any]


def bind(manager: pluggy.PluginManager, plugin: object, hook: str) -> HookCall | None:
    """The implementation of ``hook`` by ``plugin``, or ``None``.

    One that takes exactly the specified arguments is returned as it is: calling it costs nothing more.
    """
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    for implementation in caller.get_hookimpls():
        if implementation.plugin is plugin:
            return _adapt(implementation.function, tuple(implementation.argnames), ARGUMENTS[hook])
    return None


def _adapt(function: HookCall, taken: tuple[str, ...], given: tuple[str, ...]) -> HookCall:
    if taken == given:
        return function
    places = tuple(given.index(name) for name in taken)
    if len(given) == 2:
        return _adapt_pair(function, places)
    return lambda *arguments: function(*[arguments[place] for place in places])


def _adapt_pair(function: HookCall, places: tuple[int, ...]) -> HookCall:
    # Every hot hook has two arguments; without the list a call costs 40 ns instead of 200.
    if places == (0,):
        return lambda first, _second: function(first)
    if places == (1,):
        return lambda _first, second: function(second)
    if places == (1, 0):
        return lambda first, second: function(second, first)
    return lambda _first, _second: function()
