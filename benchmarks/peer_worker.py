"""What the peers do with the same stream. Runs in ``.venv-peers``: nothing of polycore is imported here.

``python -m benchmarks.peer_worker PEER`` prints ``ready`` once it has checked that the peer's result equals the plain
reference, then for each line it is sent one line of nanoseconds a frame: the best of three passes.
"""

import gc
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from benchmarks import stream

PASSES = 3
"""Passes in one turn: the first wakes the processor up after the others' turns."""

Work = Callable[[Sequence[bytes]], object]


def official_client(made: stream.Stream) -> Callable[[], Work]:
    """polymarket-client: from the socket's text to its events, as its stream does. It keeps no book."""
    from polymarket._internal.streams.clob.market_protocol import parse_events

    def parse(frames: Sequence[bytes]) -> None:
        loads = json.loads
        for frame in frames:
            parse_events(loads(frame))

    events, wanted = [], []
    for frame in made.frames:
        found, dropped = parse_events(json.loads(frame))
        assert not dropped, "an event was dropped"
        events += found
        wanted += json.loads(frame).get("price_changes", [])
    assert len(events) == len(made.frames), "an event for each frame"
    changes: list[Any] = []
    for event in events:
        changes += getattr(event.payload, "price_changes", None) or []
    assert [str(change.token_id) for change in changes] == [entry["asset_id"] for entry in wanted], "tokens differ"
    for change, entry in zip(changes, wanted, strict=True):
        assert Decimal(str(change.price)) == Decimal(entry["price"]), "a price differs"
        assert Decimal(str(change.size)) == Decimal(entry["size"]), "a size differs"
    return lambda: parse


def nautilus(made: stream.Stream) -> Callable[[], Work]:
    """nautilus_trader: frames to its deltas, books and quotes, step by step as its Polymarket data client does it.

    The adapter itself cannot be imported without a client of 2025, so its wire structs are repeated below. Left out in
    its favour: the tick of a trade, and the publishing of what was built.
    """
    import msgspec
    from nautilus_trader.core.datetime import millis_to_nanos
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, QuoteTick
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide, RecordFlag
    from nautilus_trader.model.identifiers import InstrumentId

    def name_of(market: str, asset: str) -> Any:
        return InstrumentId.from_str(f"{market}-{asset}.POLYMARKET")

    level = msgspec.defstruct("Level", [("price", str), ("size", str)], frozen=True)
    quote_fields = [(name, str) for name in ("asset_id", "price", "side", "size", "hash", "best_bid", "best_ask")]
    quote = msgspec.defstruct("Quote", quote_fields, frozen=True)
    book_message = _message(
        "book", market=str, asset_id=str, bids=list[level], asks=list[level], timestamp=str  # type: ignore[valid-type]
    )  # fmt: skip
    quotes_message = _message("price_change", market=str, price_changes=list[quote], timestamp=str)  # type: ignore[valid-type]
    trade_names = ("market", "asset_id", "fee_rate_bps", "price", "side", "size", "timestamp")
    trade_message = _message("last_trade_price", **dict.fromkeys(trade_names, str))
    decode = msgspec.json.Decoder(list[book_message] | book_message | quotes_message | trade_message).decode  # type: ignore[valid-type]
    instruments = {instrument.id: instrument for instrument in map(_instrument, made.tokens)}

    def begin() -> Work:
        books: dict[Any, Any] = {}

        def apply(frames: Sequence[bytes]) -> dict[str, Any]:
            for frame in frames:
                message = decode(frame)
                if isinstance(message, quotes_message):
                    for change in message.price_changes:
                        instrument = instruments[name_of(message.market, change.asset_id)]
                        order = BookOrder(
                            side=OrderSide.BUY if change.side == "BUY" else OrderSide.SELL,
                            price=instrument.make_price(float(change.price)),
                            size=instrument.make_qty(float(change.size)),
                            order_id=0,
                        )
                        delta = OrderBookDelta(
                            instrument_id=instrument.id,
                            action=BookAction.UPDATE if order.size > 0 else BookAction.DELETE,
                            order=order,
                            flags=RecordFlag.F_LAST,
                            sequence=0,
                            ts_event=millis_to_nanos(float(message.timestamp)),
                            ts_init=1,
                        )
                        book = books[instrument.id]
                        book.apply(OrderBookDeltas(instrument.id, [delta]))
                        QuoteTick(
                            instrument_id=instrument.id,
                            bid_price=book.best_bid_price(),
                            ask_price=book.best_ask_price(),
                            bid_size=instrument.make_qty(book.best_bid_size()),
                            ask_size=instrument.make_qty(book.best_ask_size()),
                            ts_event=delta.ts_event,
                            ts_init=1,
                        )
                elif isinstance(message, book_message):
                    instrument = instruments[name_of(message.market, message.asset_id)]
                    moment = millis_to_nanos(float(message.timestamp))
                    deltas = [OrderBookDelta.clear(instrument.id, 0, moment, 1)]
                    for side, levels in ((OrderSide.BUY, message.bids), (OrderSide.SELL, message.asks)):
                        for entry in levels:
                            order = BookOrder(
                                side=side,
                                price=instrument.make_price(float(entry.price)),
                                size=instrument.make_qty(float(entry.size)),
                                order_id=0,
                            )
                            deltas.append(
                                OrderBookDelta(
                                    instrument_id=instrument.id,
                                    action=BookAction.ADD,
                                    order=order,
                                    flags=0,
                                    sequence=0,
                                    ts_event=moment,
                                    ts_init=1,
                                )
                            )
                    book = OrderBook(instrument.id, book_type=BookType.L2_MBP)
                    book.apply_deltas(OrderBookDeltas(instrument.id, deltas))
                    books[instrument.id] = book
            return books

        apply(made.opening)
        return apply

    found: Any = begin()(made.frames)
    wanted_books = stream.reference(made)
    for token in made.tokens:
        book = found[name_of(token.market, token.asset)]
        for levels, wanted in zip((book.bids(), book.asks()), wanted_books[token.asset], strict=True):
            kept = {Decimal(str(level.price)): Decimal(f"{level.size():.6f}") for level in levels}
            assert kept == {Decimal(price): Decimal(size) for price, size in wanted.items()}, f"book of {token.asset}"
    return begin


def _message(kind: str, **fields: Any) -> Any:
    import msgspec

    return msgspec.defstruct(kind, list(fields.items()), tag=kind, tag_field="event_type", frozen=True)


def _instrument(token: stream.Token) -> Any:
    from nautilus_trader.model.currencies import USDC_POS
    from nautilus_trader.model.enums import AssetClass
    from nautilus_trader.model.identifiers import InstrumentId, Symbol
    from nautilus_trader.model.instruments import BinaryOption
    from nautilus_trader.model.objects import Price, Quantity

    name = InstrumentId.from_str(f"{token.market}-{token.asset}.POLYMARKET")
    return BinaryOption(
        instrument_id=name,
        raw_symbol=Symbol(name.symbol.value),
        outcome="Yes",
        description="?",
        asset_class=AssetClass.ALTERNATIVE,
        currency=USDC_POS,
        price_increment=Price.from_str("0.001"),
        price_precision=3,
        size_increment=Quantity.from_str("0.000001"),
        size_precision=6,
        activation_ns=0,
        expiration_ns=2**62,
        max_quantity=None,
        min_quantity=Quantity.from_int(1),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


PEERS = {"polymarket-client": official_client, "nautilus_trader": nautilus}


def main(peer: str) -> None:
    made = stream.make()
    begin = PEERS[peer](made)
    print("ready", flush=True)
    for _ in sys.stdin:
        best = math.inf
        for _ in range(PASSES):
            work = begin()
            gc.collect()
            began = time.perf_counter_ns()
            work(made.frames)
            best = min(best, time.perf_counter_ns() - began)
        print(best / len(made.frames), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
