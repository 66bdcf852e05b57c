"""Market records of the CLOB and of Gamma, in the venue's key order (venue notes 4.3 and 7).

Owns the shapes of discovery. What a local market has no value for is given the venue's own empty value.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from eth_hash.auto import keccak
from msgspec import Struct

from polycore.exchange.display import MarketBook
from polycore.exchange.values import Listing
from polycore.exchange.wire import base_fee, fee_rate, number
from polycore.model.market import Market, MarketStatus
from polycore.model.money import MONEY_ONE, PRICE_ONE, format_money, format_price, format_size

# ── CLOB ──────────────────────────────────────────────────────────────────────


class ClobToken(Struct):
    """A token of the compact record: its id and its label."""

    t: str
    o: str


class ClobFee(Struct):
    """The fee of the compact record: rate, exponent, takers only."""

    r: msgspec.Raw
    e: int
    to: bool


class ClobMarket(Struct, omit_defaults=True):
    """The compact record. ``nr``, ``sd``, ``itode`` and ``fd`` are left out when they do not apply."""

    r: dict[str, int] | None
    t: tuple[ClobToken, ClobToken]
    c: str
    mos: msgspec.Raw
    mts: msgspec.Raw
    mbf: int
    tbf: int
    ao: bool
    aot: str
    v: str
    nr: bool = False
    sd: int = 0
    itode: bool = False
    fd: ClobFee | None = None


class FullToken(Struct):
    """A token of the full record; ``price`` is a number."""

    token_id: str
    outcome: str
    price: msgspec.Raw
    winner: bool


class FullMarket(Struct):
    """The full record."""

    enable_order_book: bool
    active: bool
    closed: bool
    archived: bool
    accepting_orders: bool
    accepting_order_timestamp: str
    minimum_order_size: msgspec.Raw
    minimum_tick_size: msgspec.Raw
    condition_id: str
    question_id: str
    question: str
    description: str
    market_slug: str
    end_date_iso: str | None
    game_start_time: str | None
    seconds_delay: int
    fpmm: str
    maker_base_fee: int
    taker_base_fee: int
    notifications_enabled: bool
    neg_risk: bool
    neg_risk_market_id: str
    neg_risk_request_id: str
    icon: str
    image: str
    rewards: dict[str, object]
    is_50_50_outcome: bool
    tokens: tuple[FullToken, FullToken]
    tags: tuple[str, ...]


class SimplifiedMarket(Struct):
    """The record of ``/simplified-markets``."""

    condition_id: str
    rewards: dict[str, object]
    tokens: tuple[FullToken, FullToken]
    active: bool
    closed: bool
    archived: bool
    accepting_orders: bool


def clob_market(listing: Listing) -> ClobMarket:
    """The compact record of a market."""
    market = listing.market
    fee = market.fee
    return ClobMarket(
        r=None,
        t=(ClobToken(market.first.asset, market.first.label), ClobToken(market.second.asset, market.second.label)),
        c=market.id,
        mos=number(format_size(market.minimum_size)),
        mts=number(format_price(market.tick)),
        mbf=base_fee(fee),
        tbf=base_fee(fee),
        ao=accepting(market),
        aot=_START,
        v=market.version,
        nr=market.neg_risk,
        sd=listing.hold // 1_000_000_000,
        itode=listing.taker_delay > 0,
        fd=ClobFee(fee_rate(fee.rate_millionths), fee.exponent, True) if fee.rate_millionths else None,
    )


def full_market(shown: MarketBook, listing: Listing) -> FullMarket:
    """The full record, with prices as shown now."""
    market = listing.market
    return FullMarket(
        enable_order_book=True,
        active=True,
        closed=over(market),
        archived=False,
        accepting_orders=accepting(market),
        accepting_order_timestamp=_START,
        minimum_order_size=number(format_size(market.minimum_size)),
        minimum_tick_size=number(format_price(market.tick)),
        condition_id=market.id,
        question_id=made_up_id("question", market.id),
        question=market.question,
        description="",
        market_slug=market.slug,
        end_date_iso=iso_time(market.end_time),
        game_start_time=None,
        seconds_delay=listing.hold // 1_000_000_000,
        fpmm="",
        maker_base_fee=base_fee(market.fee),
        taker_base_fee=base_fee(market.fee),
        notifications_enabled=True,
        neg_risk=market.neg_risk,
        neg_risk_market_id=made_up_id("event", market.event) if market.neg_risk and market.event else "",
        neg_risk_request_id=made_up_id("request", market.id) if market.neg_risk else "",
        icon="",
        image="",
        rewards={"rates": None, "min_size": 0, "max_spread": 0},
        is_50_50_outcome=False,
        tokens=_tokens(shown, listing),
        tags=market.tags,
    )


def simplified_market(shown: MarketBook, listing: Listing) -> SimplifiedMarket:
    """The simplified record, with prices as shown now."""
    market = listing.market
    return SimplifiedMarket(
        condition_id=market.id,
        rewards={"rates": None, "min_size": 0, "max_spread": 0},
        tokens=_tokens(shown, listing),
        active=True,
        closed=over(market),
        archived=False,
        accepting_orders=accepting(market),
    )


# ── Words that both APIs share ────────────────────────────────────────────────


def accepting(market: Market) -> bool:
    """Whether the market takes orders."""
    return market.status is MarketStatus.OPEN


def over(market: Market) -> bool:
    """Whether the market will never take an order again."""
    return market.status in (MarketStatus.CLOSED, MarketStatus.RESOLVED)


def outcome_prices(shown: MarketBook, listing: Listing) -> tuple[str, str]:
    """Prices as both APIs show them: the payout after resolution, before it the middle of the book."""
    if shown.payout is not None:
        return format_money(shown.payout[0]), format_money(shown.payout[1])
    book = shown.tokens[listing.market.first.asset]
    middle = (book.best_bid + book.best_ask) // 2
    return format_price(middle), format_price(PRICE_ONE - middle)


def iso_time(nanoseconds: int) -> str | None:
    """UTC text of a wall time; ``None`` for 0."""
    if not nanoseconds:
        return None
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4096)
def made_up_id(kind: str, name: str) -> str:
    """A 32-byte id for what a local market lacks (question, event, request), always the same for the same name."""
    return "0x" + keccak(f"{kind}:{name}".encode()).hex()


def labels(listings: Sequence[Listing]) -> tuple[str, ...]:
    """Every tag of these markets, in order of first use."""
    return tuple(dict.fromkeys(tag for listing in listings for tag in listing.market.tags))


def _tokens(shown: MarketBook, listing: Listing) -> tuple[FullToken, FullToken]:
    market = listing.market
    first, second = outcome_prices(shown, listing)
    winners = [value == MONEY_ONE for value in shown.payout or (0, 0)]
    return (
        FullToken(market.first.asset, market.first.label, number(first), winners[0]),
        FullToken(market.second.asset, market.second.label, number(second), winners[1]),
    )


_START = "2020-01-01T00:00:00Z"
