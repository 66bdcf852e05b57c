"""Market frames to model events. Pure: no clock, no I/O, no state, and nothing is ever raised.

The fast path handles what is 99 % of a live stream: complete ``price_change``, ``book``, ``last_trade_price`` and
``best_bid_ask`` messages whose every price is on the venue's grid. A frame that the exact decoder refuses (``""``,
``nan``, ``.48``, noise digits, missing best quotes, old forms) is decoded again without types and each element is
judged alone; what cannot be read becomes ``Malformed`` that names its token where there is one.

The venue sends some entries twice (same asset, side, price, size and hash). They are not dropped here: sizes are
absolute, so a repeat changes nothing, and dropping would need the memory that makes a decoder lie after a reconnect.
"""

from collections.abc import Callable, Iterator

import msgspec

from polycore import (
    FREE,
    PRICE_ONE,
    SIZES,
    AssetId,
    BestQuote,
    BookDelta,
    BookSnapshot,
    ChangeKind,
    FeeSchedule,
    LevelChange,
    Market,
    MarketChange,
    MarketEvent,
    MarketId,
    Outcome,
    Price,
    Size,
    Trade,
    parse_size,
)
from polycore.venues.polymarket import reading
from polycore.venues.polymarket.reading import SECONDS_END
from polycore.venues.polymarket.wire import (
    GammaFees,
    Level,
    LooseChange,
    LooseFrame,
    LooseLevel,
    MarketFrame,
    NewMarket,
    Text,
    WireFees,
    decode_market_frames,
)

_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
_NOT_CARRIED: Price = -1


def decode_market(frame: bytes, received_time: int) -> tuple[MarketEvent, ...]:
    """Events of one frame of the market channel, in order. Raises nothing."""
    try:
        message = decode_market_frames(frame)
        if type(message) is MarketFrame:
            return (_exact(message, received_time),)
        return tuple([_exact(element, received_time) for element in message])
    except _UNREADABLE:
        return tuple(_lenient(frame, received_time))  # says what is wrong, and of which token


def fee_schedule(fees: WireFees | GammaFees | None) -> FeeSchedule:
    """The venue's fee parameters in the model's integers. Raises ``ValueError`` for values that make no sense."""
    if fees is None:
        return FREE
    if not all(value.is_finite() and 0 <= value <= 10 for value in (fees.rate, fees.exponent, fees.rebate_rate)):
        raise ValueError(f"fee rate {fees.rate}, exponent {fees.exponent} or rebate {fees.rebate_rate} is out of range")
    if fees.exponent != int(fees.exponent):
        raise ValueError(f"fee exponent {fees.exponent} is not a whole number")
    return FeeSchedule(int(fees.rate * 1_000_000), int(fees.exponent), int(fees.rebate_rate * 1_000_000))


def _exact(message: MarketFrame, received_time: int) -> MarketEvent:
    """The event of a complete message. Raises ``ValueError`` for anything that wants the lenient reading."""
    kind, moment = message.event_type, message.timestamp
    venue_time = moment * 1_000_000 if moment >= SECONDS_END else moment * 1_000_000_000
    if kind == "price_change" and message.price_changes is not None:
        changes, known = message.price_changes, SIZES
        for change in changes:
            # A look-up that fails once for each new text: a dictionary that fills itself costs half as much again.
            try:
                change.size = known[change.size]  # type: ignore[assignment]
            except KeyError:
                change.size = parse_size(change.size)  # type: ignore[assignment]
        return BookDelta(message.market, changes, venue_time, received_time)
    asset = message.asset_id
    if asset and message.bids is not None and message.asks is not None and kind in ("book", ""):
        bids, asks = _levels(message.bids), _levels(message.asks)
        return BookSnapshot(message.market, asset, bids, asks, message.tick_size or 0, venue_time, received_time)
    if asset and kind == "last_trade_price" and message.price is not None and message.side is not None:
        price, size = message.price, parse_size(message.size)
        return Trade(message.market, asset, message.side, price, size, venue_time, received_time)
    if asset and kind == "best_bid_ask" and message.best_bid is not None and message.best_ask is not None:
        return BestQuote(message.market, asset, message.best_bid, message.best_ask, venue_time, received_time)
    raise ValueError(f"{kind!r} is not complete, or of a kind that is not read here")


def _levels(levels: list[Level]) -> dict[Price, Size]:
    sizes: dict[Price, Size] = {}
    known = SIZES
    for level in levels:
        try:
            sizes[level.price] = known[level.size]
        except KeyError:
            sizes[level.price] = parse_size(level.size)
    return sizes if all(sizes.values()) else {price: size for price, size in sizes.items() if size}


def _lenient(frame: bytes, received_time: int) -> Iterator[MarketEvent]:
    if reading.is_text_reply(frame):
        yield from reading.text_reply(frame, received_time)
        return
    try:
        elements = reading.elements(frame)
    except _UNREADABLE as error:
        yield from reading.unreadable(frame, f"not a frame: {error}", received_time)
        return
    for element in elements:
        try:
            yield from _judge(element, received_time)
        except _UNREADABLE as error:
            yield from reading.unreadable_element(element, str(error), received_time)


def _judge(element: object, received_time: int) -> list[MarketEvent]:
    """Events of one message, whole or not at all (``price_changes`` entry by entry)."""
    message = msgspec.convert(element, LooseFrame)
    kind = reading.text(message.event_type) or _kind_by_shape(message)
    if kind == "new_market":
        return [_listed(msgspec.convert(element, NewMarket), reading.nanoseconds(message.timestamp), received_time)]
    if kind == "price_change":
        return _price_change(element, message, received_time)
    read = _READERS.get(kind)
    if read is None:
        return [reading.unknown(kind, received_time)]
    return [read(message, reading.nanoseconds(message.timestamp), received_time)]


def _kind_by_shape(message: LooseFrame) -> str:
    """What a message without ``event_type`` is: some first snapshots came so in early 2026."""
    if any(side is not None for side in (message.bids, message.asks, message.buys, message.sells)):
        return "book"
    return "price_change" if message.price_changes is not None or message.changes is not None else ""


def _price_change(element: object, message: LooseFrame, received_time: int) -> list[MarketEvent]:
    """Entries of any of the three forms: ``price_changes``, ``changes`` with the asset in the frame, or flat."""
    entries = message.price_changes if message.price_changes is not None else message.changes
    changes: list[LevelChange] = []
    faults: list[MarketEvent] = []
    for entry in [element] if entries is None else entries:
        try:
            changes.append(_level_change(msgspec.convert(entry, LooseChange), message.asset_id))
        except _UNREADABLE as error:
            owner = {"asset_id": message.asset_id, "changes": [entry]}
            faults.extend(reading.unreadable_element(owner, f"price change: {error}", received_time))
    market, venue_time = MarketId(reading.text(message.market)), reading.nanoseconds(message.timestamp)
    return [BookDelta(market, changes, venue_time, received_time), *faults] if changes or not faults else faults


def _level_change(entry: LooseChange, frame_asset: Text) -> LevelChange:
    asset = AssetId(reading.required(entry.asset_id or frame_asset, "asset_id"))
    carried = entry.best_bid is not None and entry.best_ask is not None
    return LevelChange(
        asset=asset,
        side=reading.side(entry.side),
        price=reading.price(entry.price),
        size=reading.size(entry.size),
        best_bid=reading.optional_price(entry.best_bid, 0) if carried else _NOT_CARRIED,
        best_ask=reading.optional_price(entry.best_ask, PRICE_ONE) if carried else _NOT_CARRIED,
    )


def _book(message: LooseFrame, venue_time: int, received_time: int) -> MarketEvent:
    bids = message.bids if message.bids is not None else message.buys
    asks = message.asks if message.asks is not None else message.sells
    if bids is None and asks is None:
        raise ValueError("a book without bids and asks")
    return BookSnapshot(
        market=MarketId(reading.text(message.market)),
        asset=AssetId(reading.required(message.asset_id, "asset_id")),
        bids=_loose_levels(bids or []),
        asks=_loose_levels(asks or []),
        tick=reading.optional_price(message.tick_size, 0),
        venue_time=venue_time,
        received_time=received_time,
    )


def _loose_levels(levels: list[LooseLevel]) -> dict[Price, Size]:
    sizes = {reading.price(level.price): reading.size(level.size) for level in levels}
    return {price: size for price, size in sizes.items() if size}


def _trade(message: LooseFrame, venue_time: int, received_time: int) -> MarketEvent:
    return Trade(
        market=MarketId(reading.text(message.market)),
        asset=AssetId(reading.required(message.asset_id, "asset_id")),
        side=reading.side(message.side),
        price=reading.noisy_price(message.price),
        size=reading.size(message.size),
        venue_time=venue_time,
        received_time=received_time,
    )


def _best_quote(message: LooseFrame, venue_time: int, received_time: int) -> MarketEvent:
    if message.best_bid is None or message.best_ask is None:
        raise ValueError("best_bid_ask without a best quote")
    return BestQuote(
        market=MarketId(reading.text(message.market)),
        asset=AssetId(reading.required(message.asset_id, "asset_id")),
        best_bid=reading.optional_price(message.best_bid, 0),
        best_ask=reading.optional_price(message.best_ask, PRICE_ONE),
        venue_time=venue_time,
        received_time=received_time,
    )


def _tick_change(message: LooseFrame, venue_time: int, received_time: int) -> MarketEvent:
    tick = reading.price(message.new_tick_size, "new_tick_size")
    if not 0 < tick < PRICE_ONE:
        raise ValueError(f"new_tick_size {message.new_tick_size!r} is not between 0 and 1")
    return MarketChange(
        market=MarketId(reading.text(message.market)),
        kind=ChangeKind.TICK,
        asset=AssetId(reading.required(message.asset_id, "asset_id")),
        tick=tick,
        venue_time=venue_time,
        received_time=received_time,
    )


def _resolved(message: LooseFrame, venue_time: int, received_time: int) -> MarketEvent:
    """The winner is ``None`` where the message names none: how a 50/50 resolution is announced is not known."""
    winner = reading.text(message.winning_asset_id)
    return MarketChange(
        market=MarketId(reading.required(message.market, "market")),
        kind=ChangeKind.RESOLVED,
        winner=AssetId(winner) if winner else None,
        venue_time=venue_time,
        received_time=received_time,
    )


def _listed(message: NewMarket, venue_time: int, received_time: int) -> MarketEvent:
    """A market announced by the socket. Whether it is neg-risk is not said there: read it from the catalogue."""
    assets = message.clob_token_ids or message.assets_ids
    if len(assets) != 2 or len(message.outcomes) != 2:
        raise ValueError(f"new_market with {len(assets)} tokens and {len(message.outcomes)} outcomes, expected 2 and 2")
    first, second = (Outcome(AssetId(asset), label) for asset, label in zip(assets, message.outcomes, strict=True))
    market = Market(
        id=MarketId(message.condition_id or message.market),
        slug=message.slug,
        question=message.question,
        first=first,
        second=second,
        tick=reading.optional_price(message.order_price_min_tick_size, 100),
        fee=fee_schedule(message.fee_schedule if message.fees_enabled else None),
        tags=tuple(message.tags or ()),
        version=reading.text(message.version) or "v1",
    )
    return MarketChange(market.id, ChangeKind.LISTED, listed=market, venue_time=venue_time, received_time=received_time)


_READERS: dict[str, Callable[[LooseFrame, int, int], MarketEvent]] = {
    "book": _book,
    "last_trade_price": _trade,
    "best_bid_ask": _best_quote,
    "tick_size_change": _tick_change,
    "market_resolved": _resolved,
}
