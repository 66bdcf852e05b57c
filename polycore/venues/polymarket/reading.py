"""Texts of the venue as values of the model, one field at a time.

Owns the venue's spellings: empty strings, numbers that should be texts, seconds for milliseconds. Every reader raises
``ValueError`` that names the field and what was found; none guesses.
"""

import re
from collections.abc import Iterator, Sequence

from polycore import AssetId, Malformed, Price, Side, Size, nearest_price, parse_price, parse_size
from polycore.venues.polymarket.wire import Text, decode_anything

UNKNOWN_KIND = "unknown event type"

SECONDS_END = 100_000_000_000
"""A time below this is in seconds: as milliseconds it would be before 1973."""
_NAMED = re.compile(rb'"asset_id"\s*:\s*"?(\d{1,78})')
_MOST_NAMED = 1_000


def text(value: Text) -> str:
    """The field as text; empty when it is missing or null."""
    return "" if value is None else str(value)


def required(value: Text, field: str) -> str:
    if value is None or value == "":
        raise ValueError(f"{field} is missing")
    return str(value)


def nanoseconds(value: Text) -> int:
    """Wall time of a field in milliseconds or (old messages, REST) seconds; 0 when it is empty."""
    read = text(value)
    if not read:
        return 0
    if not (read.isascii() and read.isdecimal() and len(read) <= 16):
        raise ValueError(f"time {read!r} is neither milliseconds nor seconds")
    moment = int(read)
    return moment * 1_000_000 if moment >= SECONDS_END else moment * 1_000_000_000


def price(value: Text, field: str = "price") -> Price:
    return parse_price(required(value, field))


def noisy_price(value: Text, field: str = "price") -> Price:
    """A price that may carry digits past the grid, as a trade's does; never the price of a book's level."""
    return nearest_price(required(value, field))


def optional_price(value: Text, otherwise: Price) -> Price:
    """A price, or ``otherwise`` where the venue left it empty."""
    return parse_price(str(value)) if value is not None and value != "" else otherwise


def size(value: Text, field: str = "size") -> Size:
    return parse_size(required(value, field))


def optional_size(value: Text) -> Size:
    return parse_size(str(value)) if value is not None and value != "" else 0


def side(value: Text) -> Side:
    """Side of a text in either case (the official client tolerates both)."""
    try:
        return Side(text(value).upper())
    except ValueError:
        raise ValueError(f"side {value!r} is neither BUY nor SELL") from None


def elements(frame: bytes) -> list[object]:
    """The messages of a frame in either envelope: one object, or an array of them.

    Raises ``MsgspecError``, ``ValueError`` or ``RecursionError`` for what is not JSON.
    """
    found = decode_anything(frame)
    return found if isinstance(found, list) else [found]


def is_text_reply(frame: bytes) -> bool:
    """Whether the frame is a bare word such as ``PONG`` or ``INVALID OPERATION``."""
    return frame.lstrip()[:1] not in (b"{", b"[")


def text_reply(frame: bytes, received_time: int) -> tuple[Malformed, ...]:
    """What a bare word means: nothing for the heartbeat's own words, a complaint of the venue otherwise."""
    if frame.strip() in (b"", b"PONG", b"PING"):
        return ()
    return (Malformed(f"text reply {frame[:80]!r}", None, received_time),)


def unknown(kind: str, received_time: int) -> Malformed:
    """A message of a kind this version does not know: counted, and no book is doubted for it."""
    return Malformed(f"{UNKNOWN_KIND} {kind[:80]!r}", None, received_time)


def unreadable(frame: bytes, reason: str, received_time: int) -> Iterator[Malformed]:
    """One ``Malformed`` for every token that bytes without structure name, or one for none: a change may be lost."""
    names = dict.fromkeys(AssetId(match[1].decode()) for match in _NAMED.finditer(frame))
    return _malformed(list(names)[:_MOST_NAMED], reason, received_time)


def unreadable_element(element: object, reason: str, received_time: int) -> Iterator[Malformed]:
    """The same for a message that is JSON but not what it should be."""
    entries = [element]
    if isinstance(element, dict):
        for key in ("price_changes", "changes"):
            inner = element.get(key)
            entries.extend(inner if isinstance(inner, list) else ())
    found = (entry.get("asset_id") for entry in entries if isinstance(entry, dict))
    names = dict.fromkeys(AssetId(name) for name in found if isinstance(name, str) and name)
    return _malformed(list(names), reason, received_time)


def _malformed(names: Sequence[AssetId], reason: str, received_time: int) -> Iterator[Malformed]:
    for name in names or (None,):
        yield Malformed(reason, name, received_time)
