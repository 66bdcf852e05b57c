"""Gamma's records of events, markets and tags, in the venue's key order (venue notes 7).

Owns the shapes; ids are the numbers of markets, events and tags in order of listing. Pure: it is given what to tell.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from polycore.exchange.display import Display, MarketBook
from polycore.exchange.records import accepting, iso_time, labels, made_up_id, outcome_prices, over
from polycore.exchange.values import Listing
from polycore.exchange.wire import base_fee, encode, fee_rate, number
from polycore.model.market import FeeSchedule, MarketStatus
from polycore.model.money import format_price, format_size


class GammaTag(Struct):
    id: str
    label: str
    slug: str


class GammaFee(Struct, rename="camel"):
    """Numbers here, strings on the socket."""

    exponent: int
    rate: msgspec.Raw
    taker_only: bool
    rebate_rate: msgspec.Raw


class GammaEventHead(Struct, rename="camel"):
    """An event without its markets, as it stands in a market. ``negRiskMarketID`` is one id for all of its markets."""

    id: str
    ticker: str
    slug: str
    title: str
    description: str
    active: bool
    closed: bool
    archived: bool
    neg_risk: bool
    enable_neg_risk: bool
    neg_risk_augmented: bool
    neg_risk_market_id: str = msgspec.field(name="negRiskMarketID")
    neg_risk_fee_bips: int
    end_date: str | None
    tags: tuple[GammaTag, ...]


class GammaMarket(Struct, rename="camel"):
    """Outcomes, prices and token ids are strings that hold JSON arrays; ``positionIds`` of a v2 market is an array."""

    id: str
    question: str
    condition_id: str
    slug: str
    resolution_source: str
    end_date: str | None
    outcomes: str
    outcome_prices: str
    active: bool
    closed: bool
    archived: bool
    restricted: bool
    question_id: str = msgspec.field(name="questionID")
    enable_order_book: bool
    order_price_min_tick_size: msgspec.Raw
    order_min_size: msgspec.Raw
    clob_token_ids: str | None
    position_ids: tuple[str, ...] | None
    maker_base_fee: int
    taker_base_fee: int
    accepting_orders: bool
    neg_risk: bool
    neg_risk_market_id: str = msgspec.field(name="negRiskMarketID")
    spread: msgspec.Raw
    last_trade_price: msgspec.Raw
    best_bid: msgspec.Raw
    best_ask: msgspec.Raw
    seconds_delay: int
    clear_book_on_start: bool
    neg_risk_other: bool
    uma_resolution_status: str | None
    resolution_status: str | None
    uma_resolution_statuses: str
    fees_enabled: bool
    fee_type: str | None
    fee_schedule: GammaFee | None
    version: str
    events: tuple[GammaEventHead, ...]
    tags: tuple[GammaTag, ...]


class GammaEvent(GammaEventHead, kw_only=True):
    markets: tuple[GammaMarket, ...]


def gamma_events(display: Display, listings: Sequence[Listing]) -> list[GammaEvent]:
    """Every event with its markets; a market without an event is its own, as the venue lists it."""
    groups: dict[str, list[Listing]] = {}
    for listing in listings:
        groups.setdefault(listing.market.event or listing.market.slug, []).append(listing)
    known = labels(listings)
    return [_event(display, place, slug, found, known) for place, (slug, found) in enumerate(groups.items(), start=1)]


def gamma_tags(names: Sequence[str], known: Sequence[str]) -> tuple[GammaTag, ...]:
    """Tags by name; ids are their places among all that are known."""
    return tuple(GammaTag(str(known.index(name) + 1), name, name.lower().replace(" ", "-")) for name in names)


def _event(display: Display, place: int, slug: str, listings: Sequence[Listing], known: Sequence[str]) -> GammaEvent:
    first = listings[0].market
    neg_risk = first.neg_risk and first.event is not None
    head = GammaEventHead(
        id=str(place),
        ticker=slug,
        slug=slug,
        title=first.question if first.event is None else slug.replace("-", " ").capitalize(),
        description="",
        active=True,
        closed=all(over(listing.market) for listing in listings),
        archived=False,
        neg_risk=neg_risk,
        enable_neg_risk=neg_risk,
        neg_risk_augmented=neg_risk and not first.event_complete,
        neg_risk_market_id=made_up_id("event", slug) if neg_risk else "",
        neg_risk_fee_bips=0,
        end_date=iso_time(max(listing.market.end_time for listing in listings)),
        tags=gamma_tags(labels(listings), known),
    )
    markets = tuple(_market(display, listing, head, known) for listing in listings)
    return GammaEvent(**msgspec.structs.asdict(head), markets=markets)


def _market(display: Display, listing: Listing, event: GammaEventHead, known: Sequence[str]) -> GammaMarket:
    market = listing.market
    shown = display.market(market.id)
    second_protocol = market.version == "v2"
    status = "resolved" if market.status is MarketStatus.RESOLVED else None
    return GammaMarket(
        id=str(shown.number),
        question=market.question,
        condition_id=market.id[:64] if second_protocol else market.id,
        slug=market.slug,
        resolution_source="",
        end_date=iso_time(market.end_time),
        outcomes=_array((market.first.label, market.second.label)),
        outcome_prices=_array(outcome_prices(shown, listing)),
        active=True,
        closed=over(market),
        archived=False,
        restricted=False,
        question_id=made_up_id("question", market.id),
        enable_order_book=True,
        order_price_min_tick_size=number(format_price(market.tick)),
        order_min_size=number(format_size(market.minimum_size)),
        clob_token_ids=None if second_protocol else _array(market.assets),
        position_ids=market.assets if second_protocol else None,
        maker_base_fee=base_fee(market.fee),
        taker_base_fee=base_fee(market.fee),
        accepting_orders=accepting(market),
        neg_risk=market.neg_risk,
        neg_risk_market_id=event.neg_risk_market_id,
        **_quotes(shown),
        seconds_delay=listing.hold // 1_000_000_000,
        clear_book_on_start=False,
        neg_risk_other=False,
        uma_resolution_status=None if second_protocol else status,
        resolution_status=(status or "active") if second_protocol else None,
        uma_resolution_statuses="[]",
        fees_enabled=market.fee.rate_millionths > 0,
        fee_type="general_fees" if market.fee.rate_millionths else None,
        fee_schedule=_fee(market.fee),
        version=market.version,
        events=(event,),
        tags=gamma_tags(market.tags, known),
    )


def _quotes(shown: MarketBook) -> dict[str, msgspec.Raw]:
    book = shown.tokens[shown.listing.market.first.asset]
    return {
        "spread": number(format_price(book.best_ask - book.best_bid)),
        "last_trade_price": number(format_price(shown.last_trade.price)),
        "best_bid": number(format_price(book.best_bid)),
        "best_ask": number(format_price(book.best_ask)),
    }


def _fee(fee: FeeSchedule) -> GammaFee | None:
    if not fee.rate_millionths:
        return None
    return GammaFee(fee.exponent, fee_rate(fee.rate_millionths), True, fee_rate(fee.rebate_millionths))


def _array(texts: Sequence[str]) -> str:
    """A JSON array inside a string, with the venue's space after each comma."""
    return "[" + ", ".join(encode(text).decode() for text in texts) + "]"
