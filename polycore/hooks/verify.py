"""Whether a plugin keeps the contract of the hooks, told in full before anything is registered.

Owns what pluggy does not check: unknown names without a call of its own, coroutine functions, wrappers, hooks on the
wrong kind of object, arguments that would never be passed. Must not import, build or register a plugin.
"""

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pluggy
from msgspec import Struct

from polycore.hooks import specs
from polycore.settings import did_you_mean

ARGUMENTS: dict[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(function).parameters)
    for name, function in vars(specs).items()
    if inspect.isfunction(function) and function.__module__ == specs.__name__
}
"""Every hook with the names of its arguments, in the order of the specification."""

REGISTRATION_HOOKS = frozenset(name for name in ARGUMENTS if name.startswith("register_"))
COLD_HOOKS = frozenset({"on_start", "select_markets", "on_stop"})
"""Hooks that may be async."""
WATCHING_HOOKS = frozenset({"on_plugin_loaded", "on_intent", "on_hook_error"})
MARKET_HOOKS = ("on_book", "on_trade", "on_market_change")


class Implementer(Struct, frozen=True):
    """A kind of object that implements hooks: what it is called, and which hooks it may have."""

    noun: str
    hooks: frozenset[str]


MODULE = Implementer("a plugin's module", REGISTRATION_HOOKS)
STRATEGY = Implementer("a strategy", frozenset(ARGUMENTS) - REGISTRATION_HOOKS - WATCHING_HOOKS)
OBSERVER = Implementer("an observer", WATCHING_HOOKS | {"on_fill", "on_order", "on_timer", "on_link"})
BUILT_IN = Implementer("a part of the core", frozenset(ARGUMENTS) - REGISTRATION_HOOKS)


def implementations(manager: pluggy.PluginManager, plugin: object) -> Iterator[tuple[str, Callable[..., Any], Any]]:
    """Every hook that an object implements: its name, the callable and pluggy's options of it."""
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is not None:
            yield options.get("specname") or attribute, getattr(plugin, attribute), options


def verify(manager: pluggy.PluginManager, plugin: object, kind: Implementer, where: str) -> list[str]:
    """Every fault of one object, each beginning with ``where``; none when it keeps the contract."""
    if isinstance(plugin, type):
        return [f"{where}: the factory returned the class {plugin.__name__}; it must return an instance"]
    faults: list[str] = []
    for hook, function, options in implementations(manager, plugin):
        if hook not in ARGUMENTS:
            if not options.get("optionalhook"):
                faults.append(f"{where}: {hook} is not a hook{did_you_mean(hook, kind.hooks)}")
            continue
        faults += [f"{where}: {hook} {problem}" for problem in _problems(hook, function, options, kind)]
    faults += [
        f"{where}: {name} lacks @hookimpl and would never be called"
        for name in _unmarked(manager, plugin)
        if name in kind.hooks
    ]
    return faults


def _problems(hook: str, function: Callable[..., Any], options: Any, kind: Implementer) -> Iterator[str]:
    if hook not in kind.hooks:
        yield f"is not for {kind.noun}; {_home(hook)}"
    if options.get("wrapper") or options.get("hookwrapper"):
        yield "is a wrapper; a wrapper could change what other plugins return"
    if options.get("tryfirst") and kind is not BUILT_IN and hook == "check_order":
        yield "asks to be tried first; only the kill switch is"
    if hook not in COLD_HOOKS and _is_async(function):
        yield "must be a plain function, not async: start slow work in on_start and use context.emit"
    yield from _argument_problems(hook, function)


def _home(hook: str) -> str:
    if hook in REGISTRATION_HOOKS:
        return "write it as a function of the plugin's module"
    return f"register {'an observer' if hook in WATCHING_HOOKS else 'a strategy'} for it"


def _is_async(function: Callable[..., Any]) -> bool:
    plain = inspect.unwrap(function)
    return inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain)


def _argument_problems(hook: str, function: Callable[..., Any]) -> Iterator[str]:
    known = ARGUMENTS[hook]
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            yield f"takes *{name}; name the arguments it wants: {', '.join(known)}"
        elif name in known and parameter.default is not parameter.empty:
            yield f"gives {name} a default, and would always get it: remove the default"
        elif name in known and parameter.kind is parameter.KEYWORD_ONLY:
            yield f"takes {name} by keyword only, and would never get it: remove the *"
        elif name not in known and parameter.default is parameter.empty:
            yield f"takes {name}, which it is not given{did_you_mean(name, known)}"


def _unmarked(manager: pluggy.PluginManager, plugin: object) -> Iterator[str]:
    """Functions named like a hook and not marked; in a module, only those written there."""
    for name in dir(plugin):
        if name not in ARGUMENTS:
            continue
        value = getattr(plugin, name)
        foreign = isinstance(plugin, ModuleType) and getattr(value, "__module__", None) != plugin.__name__
        if inspect.isroutine(value) and not foreign and manager.parse_hookimpl_opts(plugin, name) is None:
            yield name
