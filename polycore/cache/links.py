"""One connection's health as the cache sees it.

Owns a link's state and its proof of life. The connection stamps it; books refer to it. Must not hold a socket.
"""

from polycore.model.events import LinkState


class Link:
    """A connection of one epoch: a reconnect makes a new one, so events of an old socket can be told apart.

    ``proof_time`` is the monotonic time in nanoseconds of the last frame of any kind, PONG included: proof of the link,
    never of the feed. ``heard_time`` is that of the last frame with data.
    """

    __slots__ = ("name", "channel", "epoch", "state", "cause", "proof_time", "heard_time")

    def __init__(self, name: str, channel: str, epoch: int, now: int) -> None:
        self.name = name
        self.channel = channel
        self.epoch = epoch
        self.state = LinkState.UP
        self.cause = ""
        self.proof_time = now
        self.heard_time = now

    def __repr__(self) -> str:
        return f"Link({self.name!r}, epoch={self.epoch}, {self.state.value})"
