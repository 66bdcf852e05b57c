"""The market channel's rarer messages: a market was listed, a market paid out (venue notes 1.7).

Owns their shapes. Pure: nothing is sent.
"""

from msgspec import Struct

from polycore.exchange.values import ResolvedNotice
from polycore.exchange.wire import base_fee
from polycore.model.ids import AssetId
from polycore.model.market import Market
from polycore.model.money import Price, format_money, format_price


class FeeText(Struct):
    """A fee schedule in the socket's convention: strings, where Gamma has numbers."""

    exponent: str
    rate: str
    taker_only: bool
    rebate_rate: str


class EventMessage(Struct):
    """The event of a new market."""

    id: str
    ticker: str
    slug: str
    title: str
    description: str


class NewMarketMessage(Struct):
    """A market was listed; ``id`` is its number as text."""

    id: str
    question: str
    market: str
    slug: str
    description: str
    assets_ids: tuple[AssetId, ...]
    outcomes: tuple[str, ...]
    event_message: EventMessage
    timestamp: str
    event_type: str
    tags: tuple[str, ...]
    condition_id: str
    active: bool
    clob_token_ids: tuple[AssetId, ...]
    sports_market_type: str
    line: str
    game_start_time: str
    order_price_min_tick_size: str
    group_item_title: str
    taker_base_fee: str
    fees_enabled: bool
    fee_schedule: FeeText


class MarketResolvedMessage(Struct):
    """``winning_asset_id`` of a split payout is not documented by the venue: empty here."""

    event_type: str
    id: str
    market: str
    assets_ids: tuple[AssetId, ...]
    winning_asset_id: str
    winning_outcome: str
    timestamp: str
    tags: tuple[str, ...]


def new_market_message(market: Market, number: int, tick: Price, time: int) -> NewMarketMessage:
    """Tell of a market that was listed at ``time``, wall nanoseconds."""
    return NewMarketMessage(
        id=str(number),
        question=market.question,
        market=market.id,
        slug=market.slug,
        description="",
        assets_ids=market.assets,
        outcomes=(market.first.label, market.second.label),
        event_message=EventMessage(str(number), market.slug, market.event or market.slug, market.question, ""),
        timestamp=str(time // 1_000_000),
        event_type="new_market",
        tags=market.tags,
        condition_id=market.id,
        active=True,
        clob_token_ids=market.assets,
        sports_market_type="",
        line="",
        game_start_time="",
        order_price_min_tick_size=format_price(tick),
        group_item_title="",
        taker_base_fee=str(base_fee(market.fee)),
        fees_enabled=market.fee.rate_millionths > 0,
        fee_schedule=FeeText(
            str(market.fee.exponent),
            format_money(market.fee.rate_millionths),
            True,
            format_money(market.fee.rebate_millionths),
        ),
    )


def market_resolved_message(market: Market, number: int, notice: ResolvedNotice) -> MarketResolvedMessage:
    """Tell of a market that paid out."""
    winner = notice.winner
    return MarketResolvedMessage(
        event_type="market_resolved",
        id=str(number),
        market=market.id,
        assets_ids=market.assets,
        winning_asset_id=winner or "",
        winning_outcome=market.label(winner) if winner else "",
        timestamp=str(notice.time // 1_000_000),
        tags=market.tags,
    )
