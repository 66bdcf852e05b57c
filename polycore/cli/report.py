"""A run in numbers: the summary, and the table a person watches.

Owns how a run is told. Reads the app's parts, changes none.
"""

from collections.abc import Mapping

from msgspec import Struct
from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from polycore.app import App
from polycore.dispatch.latency import Histogram
from polycore.exchange.process import ExchangeStatus, Source
from polycore.model.ids import AssetId
from polycore.model.intents import StopReason
from polycore.model.market import Market, Side
from polycore.model.money import PRICE_ONE, Price, format_money, format_price, format_size


class ProofNumbers(Struct, frozen=True):
    """The book proof: ``checked`` against the best quotes of frames, mirrors and hashes beside them."""

    checked: int
    agreed: int
    suspect: int
    mirror_checked: int
    mirror_agreed: int
    hash_checked: int
    hash_agreed: int


class PluginNumbers(Struct, frozen=True):
    """One strategy, since the start of the run; amounts are pUSD as text.

    ``pnl`` is ``cash`` plus ``positions`` at their best bid; positions of a resolved market are cash at its payout.
    A set that pays 1 for certain counts as little as its bids add up to until then. ``fees`` are in ``cash`` already.
    ``positions`` are shares by market and outcome.
    """

    on_book: int
    on_fill: int
    intents: int
    orders: int
    rejected: int
    fills: int
    pnl: str
    cash: str
    fees: str
    positions: Mapping[str, str]
    reasons: Mapping[str, int]


class AccountNumbers(Struct, frozen=True):
    """What should be nothing: orders and fills of the account that this run did not send, orders filled beyond their
    size, intents of tripped strategies, and orders whose outcome was unknown when they were sent."""

    foreign_orders: int
    foreign_fills: int
    overfilled: int
    dropped_intents: int
    unknown: int


class Quantiles(Struct, frozen=True):
    """Microseconds."""

    p50: float
    p99: float
    max: float


class Summary(Struct, frozen=True):
    """What ``--summary`` writes. ``books`` is every token's state and cause at the end of the run."""

    network: str
    recording: str
    seconds: float
    frames: int
    book_updates: int
    proof: ProofNumbers
    plugins: Mapping[str, PluginNumbers]
    latency_us: Mapping[str, Quantiles]
    reconnects: int
    errors: int
    exit: str
    sources: tuple[Source, ...]
    books: Mapping[str, str]
    open_orders: int | None
    account: AccountNumbers


def summarise(
    app: App, status: ExchangeStatus, seconds: float, reason: StopReason, states: Mapping[str, str]
) -> Summary:
    """Everything a run did, once it has stopped."""
    strategies = [listener for listener in app.dispatcher.listeners if not listener.observes]
    return Summary(
        network=app.settings.venue.network,
        recording=", ".join(source.name for source in status.sources),
        seconds=round(seconds, 3),
        frames=app.frames,
        book_updates=app.books.updates,
        proof=_proof(app),
        plugins={listener.name: plugin_numbers(app, listener.name) for listener in strategies},
        latency_us={
            "frame_to_hook": quantiles(app.dispatcher.frame_to_hook),
            "hook_to_wire": quantiles(app.hook_to_wire),
        },
        reconnects=app.reconnects,
        errors=sum(listener.errors for listener in app.dispatcher.listeners) + app.cache.malformed,
        exit=reason.value,
        sources=status.sources,
        books=states,
        open_orders=app.open_at_end,
        account=_account(app),
    )


def _account(app: App) -> AccountNumbers:
    booked = app.dispatcher.account
    names = [listener.name for listener in app.dispatcher.listeners]
    return AccountNumbers(
        foreign_orders=booked.foreign_orders + app.executor.foreign_orders,
        foreign_fills=booked.foreign_fills,
        overfilled=booked.overfilled,
        dropped_intents=app.dispatcher.dropped_intents,
        unknown=sum(app.executor.tally(name).unknown for name in names),
    )


def _proof(app: App) -> ProofNumbers:
    proof = app.books.proof
    return ProofNumbers(**{name: getattr(proof, name) for name in ProofNumbers.__struct_fields__})


def plugin_numbers(app: App, name: str) -> PluginNumbers:
    listener = next(found for found in app.dispatcher.listeners if found.name == name)
    tally = app.executor.tally(name)
    reasons = {f"check {word}": count for word, count in tally.rejected.items()}
    reasons |= {f"venue {word}": count for word, count in tally.refused.items()}
    inventory = app.cache.inventory(name)
    return PluginNumbers(
        on_book=listener.on_book,
        on_fill=listener.on_fill,
        intents=listener.intents,
        orders=tally.orders,
        rejected=sum(reasons.values()),
        fills=app.dispatcher.account.fills.get(name, 0),
        pnl=format_money(inventory.value(app.cache.mark)),
        cash=format_money(inventory.cash),
        fees=format_money(inventory.fees),
        positions={_token(app, asset): format_size(inventory.position(asset)) for asset in inventory.assets},
        reasons=dict(sorted(reasons.items(), key=lambda pair: -pair[1])),
    )


def _token(app: App, asset: AssetId) -> str:
    market = app.cache.markets.of_asset(asset)
    return asset if market is None else f"{market.slug} {market.label(asset)}"


def quantiles(histogram: Histogram) -> Quantiles:
    return Quantiles(*(round(ns / 1000, 1) for ns in (histogram.p50, histogram.p99, histogram.max)))


def book_states(app: App) -> dict[str, str]:
    """State of every book, by market and outcome, with the cause where it is not LIVE."""
    states = {}
    for market in app.cache.markets:
        for asset in market.assets:
            state, cause = app.cache.state(asset)
            states[f"{market.slug} {market.label(asset)}"] = f"{state.value} ({cause})" if cause else state.value
    return states


# ── The live table ────────────────────────────────────────────────────────────


def screen(app: App, status: ExchangeStatus, seconds: float) -> RenderableType:
    """Books, quotes and strategies on one screen."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        expand=True,
    )
    bar.add_task(
        ", ".join(source.name for source in status.sources) or "running",
        total=100,
        completed=round(status.progress * 100),
    )
    return Group(bar, _books_table(app), _strategies_table(app, seconds))


def _books_table(app: App) -> Table:
    table = Table(expand=True, box=None, header_style="bold")
    for title in ("market", "book", "bid", "ask", "our bid", "our ask", "position"):
        table.add_column(title, justify="left" if title in ("market", "book") else "right", no_wrap=True)
    for market in app.cache.markets:
        book = app.cache.get(market.first.asset)
        if book is None:
            continue
        bid, bid_size, ask, ask_size = book.best
        ours = _own_quotes(app, market)
        table.add_row(
            market.slug,
            book.state.value if book.live else f"{book.state.value}: {book.cause}",
            f"{format_price(bid)} × {format_size(bid_size)}" if bid_size else "–",
            f"{format_price(ask)} × {format_size(ask_size)}" if ask_size else "–",
            *ours,
            format_size(app.cache.account.net(market)),
        )
    return table


def _own_quotes(app: App, market: Market) -> tuple[str, str]:
    """Our best resting bid and ask in prices of the first outcome, on whichever token they rest."""
    bids: list[Price] = []
    asks: list[Price] = []
    for order in app.cache.orders.open(None, market.id):
        up = (order.side is Side.BUY) == (order.place.asset == market.first.asset)
        price = order.price if order.place.asset == market.first.asset else PRICE_ONE - order.price
        (bids if up else asks).append(price)
    return format_price(max(bids)) if bids else "–", format_price(min(asks)) if asks else "–"


def _strategies_table(app: App, seconds: float) -> Table:
    table = Table(expand=True, box=None, header_style="bold", caption=_caption(app, seconds))
    for title in ("strategy", "on_book", "orders", "rejected", "fills", "pnl pUSD"):
        table.add_column(title, justify="left" if title == "strategy" else "right", no_wrap=True)
    for listener in app.dispatcher.listeners:
        if not listener.observes:
            n = plugin_numbers(app, listener.name)
            table.add_row(listener.name, *(str(v) for v in (n.on_book, n.orders, n.rejected, n.fills, n.pnl)))
    return table


def _caption(app: App, seconds: float) -> str:
    hook, wire = quantiles(app.dispatcher.frame_to_hook), quantiles(app.hook_to_wire)
    return (
        f"{seconds:.0f} s · {app.frames} frames · {app.books.proof.agreed} of {app.books.proof.checked} proofs agree · "
        f"frame to hook {hook.p50:.0f}/{hook.p99:.0f} µs · hook to wire {wire.p50:.0f}/{wire.p99:.0f} µs (p50/p99)"
    )


# ── Plain lines ───────────────────────────────────────────────────────────────


def plain_line(app: App, status: ExchangeStatus, seconds: float) -> str:
    """One line of progress, for where there is no terminal."""
    live = sum(book.live for book in app.books)
    parts = [f"{seconds:.0f}s", f"{status.progress:.0%}", f"books {live}/{len(app.books)} live", f"frames {app.frames}"]
    for listener in app.dispatcher.listeners:
        if not listener.observes:
            n = plugin_numbers(app, listener.name)
            parts.append(f"{listener.name}: orders {n.orders}, fills {n.fills}, pnl {n.pnl}")
    return " | ".join(parts)


def summary_lines(summary: Summary) -> list[str]:
    """The summary for people."""
    lines = [
        f"Run {summary.exit} after {summary.seconds:.1f} s on network {summary.network}: {summary.frames} frames, "
        f"{summary.book_updates} book updates, {summary.reconnects} reconnects, {summary.errors} errors."
    ]
    for source in summary.sources:
        derived = ", derived" if source.derived else ""
        lines.append(f"  source {source.name} ({source.kind}{derived}): {source.credit}".rstrip(": "))
    p = summary.proof
    lines.append(
        f"  proof: {p.agreed} of {p.checked} best quotes agree, {p.mirror_agreed} of {p.mirror_checked} mirrors, "
        f"{p.hash_agreed} of {p.hash_checked} hashes on a sample (a hash alone proves nothing); {p.suspect} doubts."
    )
    rests = "nothing rests at the venue, by its own listing"
    lines.append(
        f"  {rests if summary.open_orders == 0 else 'COULD NOT VERIFY that nothing rests at the venue: look there'}."
    )
    for name, n in summary.plugins.items():
        lines.append(
            f"  {name}: {n.on_book} books, {n.intents} intents, {n.orders} orders, {n.fills} fills, "
            f"{n.rejected} rejected, pnl {n.pnl} pUSD (cash {n.cash}, fees {n.fees}, positions at their best bid)"
        )
        lines += [f"    holds {size} of {token}" for token, size in n.positions.items()]
        lines += [f"    rejected by {reason}: {count}" for reason, count in list(n.reasons.items())[:5]]
    for name, q in summary.latency_us.items():
        lines.append(f"  {name.replace('_', ' ')}: p50 {q.p50:g} µs, p99 {q.p99:g} µs, max {q.max:g} µs")
    odd = {name: getattr(summary.account, name) for name in AccountNumbers.__struct_fields__}
    lines += [f"  {name.replace('_', ' ')}: {count}" for name, count in odd.items() if count]
    not_live = {book: state for book, state in summary.books.items() if state != "LIVE"}
    lines += [f"  book {book}: {state}" for book, state in not_live.items()]
    return lines
