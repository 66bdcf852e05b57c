"""The settings of the sockets, a closed struct whose defaults suit the venue.

Owns names, units and defaults. The heartbeat is not here: it is a fact of the venue's channel.
"""

from typing import Annotated

from msgspec import Meta, Struct

_Positive = Annotated[float, Meta(gt=0)]
_NotNegative = Annotated[float, Meta(ge=0)]


class WSSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How sockets are opened, judged and replaced. All times are in seconds.

    ``connect_seconds`` bounds name lookup, TCP, TLS and upgrade together. ``connect_gap_seconds`` is the least time
    between two connects of the market channel (the venue's reference advises 1). ``frame_limit`` is in bytes: the
    opening books of 390 tokens were 1.65 MiB in one frame, seen 2026-07-01.

    ``idle_seconds`` replaces a socket that brought no data for so long, whatever its PONGs say; 0 is off, since a quiet
    market looks the same and its quotes would be pulled for nothing.

    ``useful_seconds`` is how long a socket must have had all its books before its next loss is retried at
    ``first_retry_seconds`` again. ``snapshot_seconds`` is how long a book may wait for its snapshot,
    ``crossed_seconds`` how long it may stay crossed; a second failure of a token within ``failure_window_seconds``
    moves it to another socket.

    A socket that could not be had for ``fallback_after_seconds`` has its books polled over REST, ``poll_assets`` a
    request, one request each ``poll_seconds``.
    """

    connect_seconds: _Positive = 10.0
    connect_gap_seconds: _NotNegative = 1.0
    frame_limit: Annotated[int, Meta(gt=0)] = 16 * 2**20
    idle_seconds: _NotNegative = 0.0
    close_seconds: _Positive = 0.3
    first_retry_seconds: _Positive = 0.25
    longest_retry_seconds: _Positive = 60.0
    useful_seconds: _NotNegative = 30.0
    snapshot_seconds: _Positive = 5.0
    crossed_seconds: _Positive = 1.0
    failure_window_seconds: _Positive = 60.0
    review_seconds: _Positive = 0.25
    fallback_after_seconds: _Positive = 10.0
    poll_seconds: _Positive = 1.0
    poll_assets: Annotated[int, Meta(gt=0)] = 100
