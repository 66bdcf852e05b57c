"""Every hook a plugin may implement, in lifecycle order.

Owns the signatures and their documentation, nothing else. Types are imported for checking only, so that the contract
never creates a cycle. Every argument is optional to implement; a name that is not listed here is refused at load.

Registration hooks are implemented by the plugin's module; the others by the instances it registers. Hot hooks
(``on_book`` to ``on_link``, and ``check_order``) are plain functions: a coroutine function or a wrapper is refused.
"""

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING

from polycore.hooks.markers import hookspec

if TYPE_CHECKING:
    import click

    from polycore.cache.book import Book
    from polycore.cache.view import CacheView, Context
    from polycore.errors import HookError
    from polycore.hooks.registry import ObserverRegistry, StrategyRegistry, VenueRegistry
    from polycore.model.events import Fill, LinkChange, MarketChange, OrderUpdate, Trade
    from polycore.model.intents import Approved, Intent, Intents, PlaceOrder, Rejection, StopReason
    from polycore.model.market import Market
    from polycore.venue import Catalogue


# ── Registration: once, implemented by the plugin module ──────────────────────


@hookspec
def register_strategies(registry: "StrategyRegistry") -> None:
    """Hand over the strategies of this plugin.

    When: once, at load. ::

        @hookimpl
        def register_strategies(registry):
            registry.add("mm", MarketMaker, config=MarketMakerConfig)
    """


@hookspec
def register_venues(registry: "VenueRegistry") -> None:
    """Hand over the venues of this plugin: ``registry.add(name, factory, config=Struct)``. When: once, at load."""


@hookspec
def register_observers(registry: "ObserverRegistry") -> None:
    """Hand over observers, which watch and return nothing: ``registry.add(name, factory)``. When: once, at load."""


@hookspec
def register_commands(group: "click.Group") -> None:
    """Add commands below ``polycore <plugin>``. When: only for the plugin named on the command line."""


# ── Life: implemented by instances; cold; may be async ────────────────────────


@hookspec
def on_start(context: "Context") -> Awaitable[None] | None:
    """Prepare. When: once, after the markets are known and before the first event. May be async.

    Slow work belongs in a task started here, which speaks through ``context.emit``.
    """


@hookspec
def select_markets(catalogue: "Catalogue", context: "Context") -> "Iterable[Market] | Awaitable[Iterable[Market]]":
    """Choose markets. When: at start and after each catalogue refresh. May be async.

    Not implemented: the instance's ``markets`` setting is used (slugs, ids, ``event:SLUG``, ``tag:NAME``, ``*``). The
    core unites the choices of all strategies and spreads them over connections: strategies never subscribe.
    """
    raise NotImplementedError


@hookspec
def on_stop(context: "Context", reason: "StopReason") -> "Intents | Awaitable[Intents]":
    """Finish. When: once, after the last event; the core then cancels what still rests. May be async."""


# ── Market data: hot, sync, only for selected markets ─────────────────────────


@hookspec
def on_book(book: "Book", context: "Context") -> "Intents":
    """A book changed. When: after the whole frame was applied to the cache, for every selected token.

    ``book`` is a live view, valid during the call: ``book.copy()`` keeps one. Books are coalesced: a slow strategy sees
    the newest state, never a queue. Look at ``book.state``: only LIVE may be quoted. ::

        @hookimpl
        def on_book(self, book, context):
            if not book.live:
                return SetQuotes(book.asset)
    """


@hookspec
def on_trade(trade: "Trade", context: "Context") -> "Intents":
    """Anyone's execution on a selected token. When: for each, in order of arrival; never coalesced."""


@hookspec
def on_market_change(change: "MarketChange", context: "Context") -> "Intents":
    """A selected market's tick, status or resolution changed. When: for each, after the cache has adopted it."""


# ── Account: sync, to the strategy that owns the order ────────────────────────


@hookspec
def on_fill(fill: "Fill", context: "Context") -> "Intents":
    """One of the strategy's orders was executed, or a fill's settlement moved on.

    When: never coalesced, never reordered, before any waiting ``on_book``. The inventory already includes it. The same
    fill comes again with each settlement status: ``MATCHED`` first, ``CONFIRMED`` or ``FAILED`` (voided) last.
    """


@hookspec
def on_order(update: "OrderUpdate", context: "Context") -> "Intents":
    """One of the strategy's orders was accepted, rejected, cancelled, expired or lost from sight (UNKNOWN).

    When: for each change, in order, before any waiting ``on_book``. An order that a check refused before it was sent
    arrives as REJECTED with the check's reason.
    """


# ── Time and links: sync ──────────────────────────────────────────────────────


@hookspec
def on_timer(now: int, context: "Context") -> "Intents":
    """Time passed. When: about once a second; ``now`` is wall time in nanoseconds."""


@hookspec
def on_link(change: "LinkChange", context: "Context") -> "Intents":
    """A connection was lost, restored, or replaced by REST polling (DEGRADED). When: for each change."""


# ── Decisions: sync; the first refusal wins ───────────────────────────────────


@hookspec(firstresult=True)
def check_order(order: "PlaceOrder", strategy: str, cache: "CacheView") -> "Rejection | None":
    """Refuse an order, or return ``None`` to let it pass to the next check.

    When: for each order after quotes are diffed, before it is signed. Built-in limits are implementations too. Cancels
    are never asked about.
    """


# ── Watching: observers only; return nothing ──────────────────────────────────


@hookspec(historic=True)
def on_plugin_loaded(name: str, distribution: str, version: str) -> None:
    """A plugin was loaded. When: once for each, also for observers registered later."""


@hookspec
def on_intent(intent: "Intent", strategy: str, verdict: "Approved | Rejection") -> None:
    """An order was approved or refused. When: for each order, after the checks."""


@hookspec
def on_hook_error(error: "HookError") -> None:
    """A hook raised and its strategy was tripped. When: once for each trip."""
