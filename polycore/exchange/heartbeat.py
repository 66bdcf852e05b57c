"""The dead man's switch: an account whose beats stop loses its open orders. Owns the chain of beat ids and the
deadlines."""

from collections.abc import Callable

from msgspec import Struct

from polycore.exchange.timers import Timers
from polycore.exchange.values import Address, BeatAccepted, BeatRefused, ExchangeSettings


class _Beat(Struct):
    next: str
    last: int


class Heartbeats:
    """One chain for each account. The venue looks only every ``heartbeat_check``, so it fires 10 to 15 s after a
    beat."""

    def __init__(
        self,
        settings: ExchangeSettings,
        timers: Timers,
        new_id: Callable[[], str],
        silenced: Callable[[Address, int], None],
    ) -> None:
        self._settings = settings
        self._timers = timers
        self._new_id = new_id
        self._silenced = silenced
        self._beats: dict[str, _Beat] = {}

    def beat(self, account: Address, beat: str, now: int) -> BeatAccepted | BeatRefused:
        """Accept the id that was handed out last (the empty one at first); anything else leaves the deadline alone."""
        known = self._beats.get(account.lower())
        expected = known.next if known else ""
        if beat != expected:
            return BeatRefused(expected)
        fresh = _Beat(self._new_id(), now)
        self._beats[account.lower()] = fresh
        self._timers.at(self._check_after(now), lambda later: self._look(account, fresh, later))
        return BeatAccepted(fresh.next)

    def _check_after(self, beaten: int) -> int:
        every = self._settings.heartbeat_check
        return -(-(beaten + self._settings.heartbeat_silence) // every) * every

    def _look(self, account: Address, beat: _Beat, now: int) -> None:
        """Fire if this beat is still the last one."""
        if self._beats.get(account.lower()) is beat:
            del self._beats[account.lower()]
            self._silenced(account, now)
