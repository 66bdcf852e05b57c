"""The venue's refusals: what each text means for an order, and the exceptions for everything else.

Owns the catalogue of texts (venue notes 4.12). The rule behind it: an order is refused only when the venue said so in
words that are known; anything else leaves the outcome unknown.
"""

from enum import Enum

import msgspec
from msgspec import Struct

from polycore import LinkError, Response, VenueRefusal
from polycore.venues.polymarket.wire import Text


class RefusalKind(Enum):
    """Why the venue said no.

    TIMED_OUT is documented as refused before the book. DUPLICATE means the order is there already; UNCLEAR that nothing
    is proven.
    """

    CREDENTIALS = "credentials"
    ORDER = "order"
    TICK = "tick"
    NOT_FILLED = "not filled"
    FUNDS = "funds"
    ACCOUNT = "account"
    MARKET = "market"
    RESTRICTED = "restricted"
    THROTTLED = "throttled"
    VERSION = "version"
    TIMED_OUT = "timed out"
    DUPLICATE = "duplicate"
    UNCLEAR = "unclear"

    @property
    def proven(self) -> bool:
        """Whether an order refused so is certainly not at the venue."""
        return self is not RefusalKind.DUPLICATE and self is not RefusalKind.UNCLEAR


_K = RefusalKind
_TEXTS: tuple[tuple[str, RefusalKind], ...] = (
    ("duplicated", _K.DUPLICATE),
    ("context canceled", _K.UNCLEAR),
    ("invalid order version", _K.VERSION),
    ("order_version_mismatch", _K.VERSION),
    ("invalid api key", _K.CREDENTIALS),
    ("unauthorized", _K.CREDENTIALS),
    ("invalid l1 request headers", _K.CREDENTIALS),
    ("breaks minimum tick size", _K.TICK),
    ("couldn't be fully filled", _K.NOT_FILLED),
    ("no orders found to match", _K.NOT_FILLED),
    ("fok orders are filled or killed", _K.NOT_FILLED),
    ("there are no matching orders", _K.NOT_FILLED),
    ("not enough balance", _K.FUNDS),
    ("banned", _K.ACCOUNT),
    ("closed only mode", _K.ACCOUNT),
    ("maker address not allowed", _K.ACCOUNT),
    ("has to be the owner of the api key", _K.ACCOUNT),
    ("has to be the address of the api key", _K.ACCOUNT),
    ("not yet ready to process", _K.MARKET),
    ("canceled in the ctf exchange contract", _K.MARKET),
    ("market not found", _K.MARKET),
    ("no orderbook exists", _K.MARKET),
    ("post-only mode", _K.RESTRICTED),
    ("cancel-only", _K.RESTRICTED),
    ("trading is currently disabled", _K.RESTRICTED),
    ("too many requests", _K.THROTTLED),
    ("too many orders in payload", _K.ORDER),
    ("payload exceeds the limit", _K.ORDER),
    ("order crosses book", _K.ORDER),
    ("lower than the minimum", _K.ORDER),
    ("order timed out", _K.TIMED_OUT),
    ("is invalid", _K.ORDER),
    ("invalid", _K.ORDER),
)
_SAID_BY_5XX = frozenset({_K.NOT_FILLED, _K.RESTRICTED, _K.TIMED_OUT})
"""What a status of 500 and above may prove; behind any other words the engine may have failed half-way."""


class ErrorBody(Struct):
    """An error answer; heartbeats use ``error_msg``, order answers ``errorMsg``."""

    error: Text = None
    error_msg: Text = None
    errorMsg: Text = None


def refusal_kind(status: int, reason: str) -> RefusalKind:
    """Class of a refusal by its words; its status decides for 401, 403 and 429, and rules most words out above 499."""
    words = reason.lower()
    for fragment, kind in _TEXTS:
        if fragment in words:
            return kind if status < 500 or kind in _SAID_BY_5XX else RefusalKind.UNCLEAR
    if status in (401, 403):
        return RefusalKind.CREDENTIALS
    return RefusalKind.THROTTLED if status == 429 else RefusalKind.UNCLEAR


def error_text(response: Response) -> str | None:
    """The venue's words in an error answer; ``None`` when the body is not the API's JSON (a proxy's page)."""
    try:
        body = msgspec.json.decode(response.body, type=ErrorBody)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    for words in (body.error, body.error_msg, body.errorMsg):
        if words:
            return str(words)
    return None


def require_ok(response: Response, what: str) -> bytes:
    """Body of a successful read. Raises ``VenueRefusal`` for the venue's no, ``LinkError`` for a broken answer."""
    if response.status == 200:
        return response.body
    words = error_text(response)
    if words is None or response.status >= 500:
        raise LinkError(f"{what}: the venue answered {response.status} ({words or 'without its own error text'})")
    raise VenueRefusal(response.status, f"{what}: {words}")
