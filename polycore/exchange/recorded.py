"""A recording as market flow: its books, level changes and trades, in recorded order, through each market's tape.

Reads market-channel frames for itself: the exchange shares no code with the venue's decoder. Ends each market by its
recorded payout. Prices and sizes are the recording's, the times of what clients see are the exchange's.
"""

import heapq
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from polycore.errors import RecordingError
from polycore.exchange.exchange import Exchange
from polycore.exchange.playback import Step
from polycore.exchange.tape import Tape, mirrored
from polycore.exchange.values import Listing
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Market, Side
from polycore.model.money import Price, Size, nearest_price, parse_price, parse_size
from polycore.recordings import FileKind, Recording, RecordingFile, read_lines

_MILLISECOND = 1_000_000


class _Level(Struct):
    price: str
    size: str


class _Change(Struct):
    asset_id: str
    price: str
    size: str
    side: Side


class _Message(Struct):
    """Any market-channel message that moves a book; which one it is shows in what it has."""

    market: str
    timestamp: str
    asset_id: str = ""
    bids: list[_Level] | None = None
    asks: list[_Level] | None = None
    price_changes: list[_Change] | None = None
    price: str = ""
    size: str = ""
    side: Side | None = None


_FRAME = msgspec.json.Decoder(_Message | list[_Message])
_Timed = tuple[int, int, _Message]


class RecordedFlow:
    """A recording played once from its first event to its last.

    A market recorded on one token only is shown on both, the other mirrored. The grid never changes by itself: the
    recording would say so.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._primary: dict[MarketId, AssetId] = {}

    @property
    def name(self) -> str:
        return self._recording.name

    @property
    def credit(self) -> str:
        return self._recording.credit

    @property
    def recorded(self) -> bool:
        return True

    @property
    def derived(self) -> bool:
        return self._recording.derived

    @property
    def length(self) -> int:
        return self._recording.end - self._recording.start

    @property
    def listings(self) -> Sequence[Listing]:
        recording = self._recording
        return [
            Listing(
                recorded.market,
                taker_delay=recorded.taker_delay,
                auto_tick=False,
                payout=recorded.payout,
                source=recording.name,
                credit=recording.credit,
                derived=recording.derived,
                assumed=recording.assumed,
            )
            for recorded in recording.markets
        ]

    def steps(self, exchange: Exchange) -> Iterator[Step]:
        """Every recorded event at its recorded distance from the first; those of one file never run backwards."""
        self._primary.clear()
        markets = {recorded.market.id: recorded.market for recorded in self._recording.markets}
        files = self._recording.of_kind(FileKind.FRAMES)
        streams = [self._messages(number, file) for number, file in enumerate(files)]
        for offset, _, message in heapq.merge(*streams, key=lambda timed: timed[:2]):
            market = markets.get(MarketId(message.market))
            if market is not None:
                yield Step(offset, partial(self._play, exchange, market, message))
        yield Step(self.length, partial(self._finish, exchange))

    def _messages(self, number: int, file: RecordingFile) -> Iterator[_Timed]:
        """A file's messages with the time since the start; a time that runs backwards is held at the latest seen."""
        latest = 0
        for line_number, line in read_lines(file.path):
            try:
                frame = _FRAME.decode(line)
            except msgspec.DecodeError as error:
                raise RecordingError(
                    f"recording {file.path} line {line_number} is not a market-channel frame: {error}"
                ) from error
            for message in frame if isinstance(frame, list) else [frame]:
                latest = max(latest, int(message.timestamp) * _MILLISECOND - self._recording.start)
                yield latest, number, message

    def _play(self, exchange: Exchange, market: Market, message: _Message, now: int) -> None:
        try:
            self._show(exchange.tape(market.id), market, message, now)
        except ValueError as error:
            raise RecordingError(
                f"recording {self.name}: the message of {market.slug} at {message.timestamp} cannot be played: {error}"
            ) from error

    def _show(self, tape: Tape, market: Market, message: _Message, now: int) -> None:
        if message.bids is not None and message.asks is not None:
            asset = AssetId(message.asset_id)
            if self._primary.setdefault(market.id, asset) == asset:
                tape.show(*_first_side(market, asset, _sizes(message.bids), _sizes(message.asks)), now)
        elif message.price_changes is not None:
            tape.show(*self._changed(market, message.price_changes), now, whole=False)
        elif message.side is not None and message.price:
            price, size = nearest_price(message.price), parse_size(message.size)
            tape.trade(AssetId(message.asset_id), message.side, price, size, now)

    def _changed(self, market: Market, changes: list[_Change]) -> tuple[dict[Price, Size], dict[Price, Size]]:
        """Changed bids and asks on the first token's terms; of a mirrored pair only one is used."""
        assets = {change.asset_id for change in changes}
        primary = self._primary.get(market.id, market.first.asset)
        asset = primary if primary in assets else AssetId(changes[0].asset_id)
        bids: dict[Price, Size] = {}
        asks: dict[Price, Size] = {}
        for change in changes:
            if change.asset_id == asset:
                side = bids if change.side is Side.BUY else asks
                side[parse_price(change.price)] = parse_size(change.size)
        return _first_side(market, asset, bids, asks)

    def _finish(self, exchange: Exchange, now: int) -> None:
        for recorded in self._recording.markets:
            if recorded.payout is not None:
                exchange.resolve(recorded.market.id, recorded.payout, now)


def _sizes(levels: list[_Level]) -> dict[Price, Size]:
    return {parse_price(level.price): parse_size(level.size) for level in levels}


def _first_side(
    market: Market, asset: AssetId, bids: dict[Price, Size], asks: dict[Price, Size]
) -> tuple[dict[Price, Size], dict[Price, Size]]:
    """A token's bids and asks on the first token's terms."""
    return (bids, asks) if asset == market.first.asset else (mirrored(asks), mirrored(bids))
