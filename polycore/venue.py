"""The ports a venue fulfils. The core drives a venue through these alone and knows no venue by name.

Order of use: :class:`Catalogue` finds markets, :class:`Channel` speaks one stream's protocol without owning a socket,
:class:`OrderGateway` is the only door orders leave by, :class:`Transport` carries its requests. Money is integers,
times are nanoseconds, as in :mod:`polycore.model`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from polycore.model.events import BookSnapshot, Events, Levels, OrderState, OrderUpdate
from polycore.model.ids import AssetId, MarketId, OrderId
from polycore.model.intents import Approved
from polycore.model.market import Market
from polycore.model.money import Money, Price, Size


class Heartbeat(Struct, frozen=True):
    """A channel's ping: send ``ping`` every ``every_seconds``, expect ``pong`` within ``deadline_seconds``."""

    ping: bytes = b"PING"
    pong: bytes = b"PONG"
    every_seconds: float = 5.0
    deadline_seconds: float = 2.0


class Channel(Protocol):
    """The protocol of one stream, without a socket. Holds no connection state, so one serves many connections.

    Frames to send may carry credentials: they are never logged.
    """

    @property
    def name(self) -> str:
        """``market`` or ``user``."""
        ...

    @property
    def url(self) -> str: ...

    @property
    def heartbeat(self) -> Heartbeat: ...

    @property
    def assets_per_connection(self) -> int:
        """Most assets one connection may carry; 0 when the stream is not divided by assets."""
        ...

    def opening(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        """Frames to send first on a new connection, in order; the heartbeat starts after them."""
        ...

    def subscribe(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        """Frames that add assets to a running connection."""
        ...

    def unsubscribe(self, assets: Sequence[AssetId]) -> Sequence[bytes]:
        """Frames that take assets off a running connection."""
        ...

    def decode(self, frame: bytes, received_time: int) -> Events:
        """Events of one frame, in order. Pure. What cannot be read becomes ``Malformed``; nothing is raised."""
        ...


class BookView(Protocol):
    """What a venue may read of a book to prove it."""

    @property
    def asset(self) -> AssetId: ...
    @property
    def market(self) -> MarketId: ...
    @property
    def bids(self) -> Levels: ...
    @property
    def asks(self) -> Levels: ...
    @property
    def tick(self) -> Price: ...


class SignedOrder(Struct, frozen=True):
    """A signed order and the id the venue will know it by. ``body`` is the venue's own form."""

    approved: Approved
    order: OrderId
    body: bytes


class Posted(Struct, frozen=True):
    """The venue's answer for one order of a request.

    ``state`` is LIVE, DELAYED, FILLED (matched whole at once), CANCELLED (the rest of a FAK), REJECTED (proven refusal)
    or UNKNOWN (no readable answer: the order may be live; look it up by ``order``). ``matched`` is what filled at once.
    """

    order: OrderId
    state: OrderState
    matched: Size = 0
    reason: str = ""


class Cancelled(Struct, frozen=True):
    """The venue's answer to a cancel: the ids it withdrew, and the reason for each it did not."""

    cancelled: tuple[OrderId, ...] = ()
    refused: Mapping[OrderId, str] = {}


class Balances(Struct, frozen=True):
    """What the account holds at the venue: pUSD, and shares by token for the tokens asked about."""

    money: Money
    shares: Mapping[AssetId, Size] = {}


class OrderGateway(Protocol):
    """The door orders leave by.

    Methods raise ``VenueRefusal``, ``OutcomeUnknown``, ``LinkError`` or ``ProtocolViolation``; none invents an answer.
    """

    async def open(self) -> None:
        """Obtain credentials. Raises ``VenueRefusal`` when the venue will not give them."""
        ...

    async def close(self) -> None: ...

    async def sign(self, orders: Sequence[Approved]) -> Sequence[SignedOrder]:
        """Sign each order; no network. Raises ``UsageError`` for an order that the venue could never take."""
        ...

    async def post(self, orders: Sequence[SignedOrder]) -> Sequence[Posted]:
        """Send orders, one answer each in the same order. A failed request answers UNKNOWN or REJECTED for each."""
        ...

    async def cancel(self, orders: Sequence[OrderId]) -> Cancelled: ...

    async def cancel_all(self) -> Cancelled: ...

    async def open_orders(self) -> Sequence[OrderUpdate]:
        """Every open order of the account, all pages; raises rather than return a part."""
        ...

    async def balances(self, assets: Sequence[AssetId]) -> Balances: ...


class Catalogue(Protocol):
    """Markets on offer."""

    async def find(self, selectors: Sequence[str]) -> Sequence[Market]:
        """Markets that match any selector: a slug, a market id, ``event:SLUG``, ``tag:NAME`` or ``*`` for all.

        Raises ``LinkError`` when the catalogue cannot be read, ``UsageError`` for a selector that matches nothing.
        """
        ...


class Verification(Struct):
    """What ``Venue.verify`` found in a capture. ``assumed`` names each field it had to supply, with its value."""

    books: int = 0
    book_hashes_right: int = 0
    changes: int = 0
    change_hashes_right: int = 0
    best_checked: int = 0
    best_right: int = 0
    assumed: dict[str, str] = {}


class Response(Struct, frozen=True):
    """An HTTP answer, body unread by anyone. ``headers`` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Carries requests. One implementation speaks HTTP; a simulation may call a server's handlers directly."""

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        """Raises ``LinkError`` when it is proven that nothing was sent, ``OutcomeUnknown`` when that is not proven."""
        ...

    async def close(self) -> None: ...


class Venue(Protocol):
    """A venue as ``register_venues`` hands it over: built from its settings, opened once, closed once."""

    @property
    def name(self) -> str: ...

    @property
    def network(self) -> str: ...

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def gateway(self) -> OrderGateway: ...

    async def open(self) -> None:
        """Connect the REST side and obtain credentials."""
        ...

    async def close(self) -> None: ...

    def watch_writes(self, on_first_write: Callable[[str, int], None]) -> None:
        """Be told when each POST begins to leave: its URL, and monotonic nanoseconds. For measuring alone."""
        ...

    def market_channel(self) -> Channel: ...

    def user_channel(self) -> Channel: ...

    async def books(self, assets: Sequence[AssetId]) -> Sequence[BookSnapshot]:
        """Books over REST: the fallback when no socket can be had. Raises ``LinkError``."""
        ...

    def prove(self, frame: bytes, book: BookView) -> bool | None:
        """Whether the venue's own hash of ``book`` after ``frame`` agrees; ``None`` when the frame cannot tell."""
        ...

    def verify(self, lines: Iterable[bytes]) -> Verification:
        """Rebuild every book of a capture and recompute every hash. Raises ``RecordingError`` with the line number."""
        ...


class VenueFactory(Protocol):
    """Builds a venue. ``settings`` is the venue's own closed struct, already converted."""

    def __call__(self, settings: Any) -> Venue: ...
