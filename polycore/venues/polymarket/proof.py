"""The venue's own evidence about books: the hash of each, live for a sample and for every change of a capture.

Owns the facts that enter a hash beside the levels, a set for each token. Must not judge a book's state: a mismatch is
reported, what follows from it is the core's business.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec import Struct

from polycore import (
    AssetId,
    BookDelta,
    BookSnapshot,
    BookView,
    LevelChange,
    Malformed,
    Market,
    MarketEvent,
    Price,
    RecordingError,
    Side,
    Size,
    Trade,
    Verification,
    format_price,
    format_size,
)
from polycore.venues.polymarket.bookhash import (
    THREE_DIGIT_PRICES,
    BookHead,
    HashFacts,
    candidates,
    last_trade_text,
)
from polycore.venues.polymarket.decode import decode_market
from polycore.venues.polymarket.reading import UNKNOWN_KIND
from polycore.venues.polymarket.wire import ProofFrame, decode_change_row, decode_proof_frames

_NEAR_THE_TOUCH = 30
"""How far from the best quotes, in thousandths, an unseen last trade is looked for while live."""


class _LastTrades:
    """The last trade of each market, as books print it.

    A book shows the market's last trade at the price of the token it was printed on, which may be the other token: so
    218 of 597 books of the 2025-10-30 window have it near one minus their own quotes.
    """

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def saw(self, market: str, text: str | None) -> None:
        if text is not None:
            self._texts[market] = text

    def known(self, market: str, facts: HashFacts) -> HashFacts:
        """Facts of a token with the market's last trade in them."""
        text = self._texts.get(market)
        return facts if text is None else msgspec.structs.replace(facts, last_trade=text)


class BookProof:
    """Hash facts of every token, learned from the catalogue and from frames. Serves one venue."""

    def __init__(self) -> None:
        self._facts: dict[AssetId, HashFacts] = {}
        self._last_trades = _LastTrades()

    def learn(self, market: Market) -> None:
        """Take over what the catalogue says of a market's two tokens."""
        for asset in market.assets:
            known = self._facts.get(asset, HashFacts())
            self._facts[asset] = msgspec.structs.replace(
                known, minimum=format_size(market.minimum_size), neg_risk=market.neg_risk, version=market.version
            )

    def prove(self, frame: bytes, book: BookView) -> bool | None:
        """Whether the hash that ``frame`` carries for the book is the hash of ``book``; ``None`` when it carries none.

        A last trade that was never seen is looked for near the touch. Raises nothing.
        """
        try:
            decoded = decode_proof_frames(frame)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        verdict: bool | None = None
        for message in decoded if isinstance(decoded, list) else [decoded]:
            self._learn_frame(message)
            wanted = _hash_for(message, book.asset)
            if wanted:
                verdict = self._agrees(wanted, message.timestamp, book)
        return verdict

    def _learn_frame(self, message: ProofFrame) -> None:
        printed = message.event_type == "last_trade_price"
        self._last_trades.saw(message.market, _printed(message.price) if printed else message.last_trade_price)
        if message.version and message.asset_id:
            known = self._facts.get(message.asset_id, HashFacts())
            self._facts[message.asset_id] = msgspec.structs.replace(known, version=message.version)

    def _agrees(self, wanted: str, timestamp: str, book: BookView) -> bool:
        known = self._facts.get(book.asset, HashFacts())
        tick = format_price(book.tick) if book.tick else ""
        said = HashFacts(known.minimum, tick, known.neg_risk, None, known.version)
        head = BookHead(book.market, book.asset, timestamp, book.bids, book.asks)
        last = self._last_trades.known(book.market, known)
        found = head.explain(wanted, candidates(said, last, _prices_near(book)))
        if found is not None:
            self._facts[book.asset] = found
            self._last_trades.saw(book.market, found.last_trade)
        return found is not None


class AppliedChanges(Struct):
    """What came of applying a file of changes to one book of a capture, compared with another of its books."""

    changes: int
    change_hashes_right: int
    best_checked: int
    best_right: int
    levels_equal: bool
    hash_equal: bool

    @property
    def equal(self) -> bool:
        return self.levels_equal and self.hash_equal


def verify(lines: Iterable[bytes]) -> Verification:
    """Rebuild every book of a capture of market frames and recompute every hash and best quote.

    Changes before a token's first book are not counted. Raises ``RecordingError`` with the line number for a line that
    cannot be read, and where no line is a market frame.
    """
    rebuilt, found = _Rebuilt(), Verification()
    recognised = 0
    for message, event in _messages(lines):
        recognised += not isinstance(event, Malformed)
        if isinstance(event, BookSnapshot):
            found.books += 1
            found.book_hashes_right += rebuilt.replace(message, event)
        elif isinstance(event, BookDelta):
            _verify_delta(rebuilt, message, event, found)
        elif isinstance(event, Trade):
            rebuilt.traded(event)
    if not recognised:
        raise RecordingError("no line of it is a frame of the market channel")
    found.assumed = rebuilt.assumed()
    return found


def verify_changes(lines: Iterable[bytes], rows: Iterable[bytes], first: int, last: int) -> AppliedChanges:
    """Apply rows ``{timestamp, change}`` to the capture's book number ``first`` and compare with number ``last``.

    Books count from 1 in the order of the capture. Raises ``RecordingError`` for a book that is not there, a row that
    cannot be read, or one of another token.
    """
    books = [(message, event) for message, event in _messages(lines) if isinstance(event, BookSnapshot)]
    for number in (first, last):
        if not 1 <= number <= len(books):
            raise RecordingError(f"it has no book {number}: it has {len(books)}")
    rebuilt, found = _Rebuilt(), Verification()
    start, (goal_message, goal) = books[first - 1], books[last - 1]
    rebuilt.replace(*start)
    last_hash = ""
    for number, row in enumerate(rows, 1):
        if row.strip():
            message, delta = _row(row, number, start[0])
            _verify_delta(rebuilt, message, delta, found)
            last_hash = message.price_changes[-1].hash if message.price_changes else ""
    book = rebuilt.books[goal.asset] if goal.asset in rebuilt.books else _Sides({}, {})
    return AppliedChanges(
        changes=found.changes,
        change_hashes_right=found.change_hashes_right,
        best_checked=found.best_checked,
        best_right=found.best_right,
        levels_equal=(book.bids, book.asks) == (goal.bids, goal.asks),
        hash_equal=bool(last_hash) and last_hash == goal_message.hash,
    )


class _Sides(NamedTuple):
    bids: dict[Price, Size]
    asks: dict[Price, Size]


class _Rebuilt:
    """Books of a capture and the facts found for them, with a count of every fact that had to be supplied."""

    def __init__(self) -> None:
        self.books: dict[AssetId, _Sides] = {}
        self._facts: dict[AssetId, HashFacts] = {}
        self._last_trades = _LastTrades()
        self._supplied: dict[str, Counter[str]] = {}

    def replace(self, message: ProofFrame, event: BookSnapshot) -> bool:
        self.books[event.asset] = _Sides(event.bids, event.asks)
        said = HashFacts(
            message.min_order_size, message.tick_size, message.neg_risk, message.last_trade_price, message.version
        )
        found = self._explain(message, event.asset, message.hash, said)
        if found is not None:
            self._count(said, found)
        return found is not None

    def change(self, message: ProofFrame, change: LevelChange, wanted: str) -> bool:
        """Apply one change; whether the venue's hash agrees afterwards."""
        book = self.books[change.asset]
        side = book.bids if change.side is Side.BUY else book.asks
        if change.size:
            side[change.price] = change.size
        else:
            side.pop(change.price, None)
        known = self._facts.get(change.asset, HashFacts())
        said = HashFacts(known.minimum, known.tick, known.neg_risk, None, known.version)
        return self._explain(message, change.asset, wanted, said) is not None

    def best(self, asset: AssetId) -> tuple[Price, Price]:
        book = self.books[asset]
        return max(book.bids, default=0), min(book.asks, default=10_000)

    def traded(self, trade: Trade) -> None:
        self._last_trades.saw(trade.market, last_trade_text(trade.price))

    def assumed(self) -> dict[str, str]:
        return {
            field: ", ".join(f"{value} for {count} book{'s' * (count > 1)}" for value, count in values.most_common())
            for field, values in self._supplied.items()
        }

    def _explain(self, message: ProofFrame, asset: AssetId, wanted: str, said: HashFacts) -> HashFacts | None:
        if not wanted:
            return None
        book = self.books[asset]
        head = BookHead(message.market, asset, message.timestamp, book.bids, book.asks)
        last = self._last_trades.known(message.market, self._facts.get(asset, HashFacts()))
        found = head.explain(wanted, candidates(said, last, THREE_DIGIT_PRICES))
        if found is not None:
            self._facts[asset] = found
            self._last_trades.saw(message.market, found.last_trade)
        return found

    def _count(self, said: HashFacts, found: HashFacts) -> None:
        supplied = {
            "min_order_size": not said.minimum and found.minimum,
            "tick_size": not said.tick and found.tick,
            "neg_risk": said.neg_risk is None and str(found.neg_risk).lower(),
            "last_trade_price": said.last_trade is None and "one of the 999 three-digit prices",
        }
        for field, value in supplied.items():
            if value:
                self._supplied.setdefault(field, Counter())[value] += 1


def _verify_delta(rebuilt: _Rebuilt, message: ProofFrame, event: BookDelta, found: Verification) -> None:
    last: dict[AssetId, LevelChange] = {}
    hashes = [entry.hash for entry in message.price_changes] if message.price_changes else [message.hash]
    for change, wanted in zip(event.changes, hashes, strict=True):
        if change.asset in rebuilt.books:
            found.changes += 1
            found.change_hashes_right += rebuilt.change(message, change, wanted)
            last[change.asset] = change
    carried = [change for change in last.values() if change.best_bid >= 0]
    if carried:
        found.best_checked += 1
        found.best_right += all(rebuilt.best(change.asset) == (change.best_bid, change.best_ask) for change in carried)


def _messages(lines: Iterable[bytes]) -> Iterator[tuple[ProofFrame, MarketEvent]]:
    """Each message of a capture beside its event. Raises ``RecordingError`` for a line that cannot be read."""
    for number, line in enumerate(lines, 1):
        events = decode_market(line, 0)
        for event in events:
            if isinstance(event, Malformed) and not event.reason.startswith(UNKNOWN_KIND):
                raise RecordingError(f"line {number}: {event.reason}")
        if not events:
            continue
        try:
            decoded = decode_proof_frames(line)
        except (msgspec.MsgspecError, ValueError) as error:
            raise RecordingError(f"line {number}: {error}") from error
        yield from zip(decoded if isinstance(decoded, list) else [decoded], events, strict=True)


def _row(row: bytes, number: int, book: ProofFrame) -> tuple[ProofFrame, BookDelta]:
    """A row of changes as the frame it came in."""
    try:
        read = decode_change_row(row)
        frame = msgspec.json.encode(
            {"event_type": "price_change", "market": book.market, "timestamp": read.timestamp,
             "price_changes": [read.change]}
        )  # fmt: skip
        ((message, event),) = _messages([frame])
    except (msgspec.MsgspecError, RecordingError, ValueError) as error:
        raise RecordingError(f"row {number} is not {{timestamp, change}}: {error}") from error
    if not isinstance(event, BookDelta) or event.changes[0].asset != book.asset_id:
        raise RecordingError(f"row {number} is of another token than the book it is applied to")
    return message, event


def _hash_for(message: ProofFrame, asset: AssetId) -> str:
    """The hash a message carries for a token: of its last change, or of the whole book."""
    if message.price_changes is not None:
        return next((entry.hash for entry in reversed(message.price_changes) if entry.asset_id == asset), "")
    return message.hash if message.asset_id == asset and message.event_type in ("book", "price_change", "") else ""


def _prices_near(book: BookView) -> list[str]:
    """Three-digit prices around the book's touch and around the other token's."""
    bid, ask = max(book.bids, default=0) // 10, min(book.asks, default=10_000) // 10
    low, high = max(bid - _NEAR_THE_TOUCH, 0), ask + _NEAR_THE_TOUCH
    return [*THREE_DIGIT_PRICES[low:high], *THREE_DIGIT_PRICES[max(1_000 - high, 0) : 1_000 - low]]


def _printed(price: str) -> str:
    """A trade's price as books print it: padded to three decimals. ``""`` is never traded."""
    whole, point, decimals = price.partition(".")
    return f"{whole}.{decimals.ljust(3, '0')}" if point else price
