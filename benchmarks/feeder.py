"""A process that plays the venue's market channel at a fixed rate, and notes when each frame left.

``python -m benchmarks.feeder STREAM SENT`` reads a pickled stream, prints its port, then obeys its standard input:
``go RATE`` sends every frame to the market socket, RATE a second, writes the monotonic nanoseconds before each ``send``
into SENT and prints by how many nanoseconds it was ever late. Snapshots come at once, as one array, as the venue's do.
Nothing of polycore is imported here.
"""

import json
import pickle
import sys
import threading
import time
from array import array
from pathlib import Path

from websockets.sync.server import ServerConnection, serve

from benchmarks.stream import Stream

_SECOND = 1_000_000_000
_DOZE = 50e-6


class Feeder:
    """What the sockets share: the stream, and the market connection of the moment."""

    def __init__(self, made: Stream) -> None:
        self._books = {token.asset: book for token, book in zip(made.tokens, made.opening, strict=True)}
        self._frames = [_framed(frame) for frame in made.frames]
        self._market: ServerConnection | None = None

    def talk(self, connection: ServerConnection) -> None:
        """Serve one socket to its end: snapshots for what is asked, a PONG for each PING."""
        assert connection.request is not None
        market = connection.request.path.endswith("/market")
        if market:
            self._market = connection
        for message in connection:
            if message == "PING":
                connection.send("PONG")
            elif market and (asked := json.loads(message).get("assets_ids")):
                connection.send(b"[" + b",".join(self._books[asset] for asset in asked) + b"]", text=True)

    def play(self, rate: int) -> tuple["array[int]", int]:
        """Send every frame at its time, none before; when each left, and the worst lateness."""
        connection = self._market
        assert connection is not None, "nobody has subscribed"
        now, send, mutex = time.monotonic_ns, connection.socket.sendall, connection.protocol_mutex
        sent = array("q")
        worst = 0
        start = now() + _SECOND // 10
        for number, frame in enumerate(self._frames):
            due = start + number * _SECOND // rate
            while (at := now()) < due:
                time.sleep(_DOZE)
            worst = max(worst, at - due)
            with mutex:
                sent.append(now())
                send(frame)
        return sent, worst


def _framed(payload: bytes) -> bytes:
    """A whole text frame of a server: ready made, so that the feeder is faster than whoever it feeds."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def main(stream: str, sent: str) -> None:
    feeder = Feeder(pickle.loads(Path(stream).read_bytes()))  # noqa: S301 - written by our parent a moment ago
    with serve(feeder.talk, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.socket.getsockname()[1], flush=True)
        for line in sys.stdin:
            times, worst = feeder.play(int(line.removeprefix("go ")))
            Path(sent).write_bytes(times.tobytes())
            print(worst, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
