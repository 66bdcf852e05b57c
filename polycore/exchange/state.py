"""What an exchange keeps over a restart: its keys, owners and balances, in one file replaced whole.

Owns the file's form and its writing: a new file, synced, then renamed over the old one, so that a kill at any moment
leaves the old or the new state, never a part. The file holds the seed of all API secrets: mode 0600.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from polycore.errors import UsageError
from polycore.exchange.values import AccountState, Address
from polycore.model.money import Money

_VERSION = 1
_BATCH_SECONDS = 0.05


class SavedState(Struct, frozen=True, forbid_unknown_fields=True):
    """All that survives. ``funded`` notes each ``--fund`` already applied, so that a restart does not pay it twice.

    ``seed`` is the hex seed of the API keys, ``keys`` the (address, nonce) of each in force, ``owners`` the addresses
    that ever logged in. Resting orders are not part of it.
    """

    version: int
    seed: str
    keys: tuple[tuple[str, int], ...] = ()
    owners: tuple[str, ...] = ()
    funded: dict[Address, Money] = {}
    accounts: tuple[AccountState, ...] = ()

    def __repr__(self) -> str:
        return f"SavedState(version={self.version}, {len(self.accounts)} accounts, seed hidden)"


def new_state() -> SavedState:
    """The state of an exchange that has just been founded."""
    return SavedState(_VERSION, os.urandom(32).hex())


def load_state(path: Path) -> SavedState:
    """Read a state file; a missing one is a new state. Raises ``UsageError`` for one that cannot be used."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=SavedState)
        bytes.fromhex(state.seed)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise UsageError(f"state file {path}: there is no folder {path.parent}") from None
        return new_state()
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"state file {path} cannot be read ({error}): delete it to start anew") from None
    if state.version != _VERSION:
        raise UsageError(f"state file {path} has version {state.version}, expected {_VERSION}: delete it to start anew")
    return state


def write_state(path: Path, state: SavedState) -> None:
    """Replace the file by ``state``; when this returns, the new state is on the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp gives mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class StateKeeper:
    """Writes the state whenever it changed, at most once every 50 ms, away from the event loop."""

    def __init__(self, path: Path | None, current: Callable[[], SavedState]) -> None:
        self._path = path
        self._current = current
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()

    def changed(self) -> None:
        """Note that there is something to write."""
        self._changed.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._changed.wait()
            await self.flush()
            await asyncio.sleep(_BATCH_SECONDS)

    async def flush(self) -> None:
        """Write now; when this returns, everything up to the call is on the disk."""
        if self._path is None:
            self._changed.clear()
            return
        async with self._writing:
            self._changed.clear()
            await asyncio.to_thread(write_state, self._path, self._current())
