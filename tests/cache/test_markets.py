"""Market metadata: what groups markets, and what a change does to one."""

import msgspec
import pytest

from polycore import AssetId, ChangeKind, EventId, Market, MarketChange, MarketId, MarketStatus, Outcome
from polycore.cache.markets import Markets


def market(name: str, event: str | None = None) -> Market:
    yes, no = (Outcome(AssetId(f"{name}-{label}"), label) for label in ("yes", "no"))
    return Market(MarketId(name), name, "?", yes, no, event=None if event is None else EventId(event))


@pytest.fixture
def markets() -> Markets:
    markets = Markets()
    for made in (market("a", "race"), market("b"), market("c", "race"), market("d", "other")):
        markets.add(made)
    return markets


def test_a_market_is_found_by_its_id_its_tokens_and_its_event(markets: Markets) -> None:
    assert markets.get(MarketId("a")) == markets.of_asset(AssetId("a-no")) == market("a", "race")
    assert [found.id for found in markets.of_event(EventId("race"))] == ["a", "c"]
    assert markets.of_event(EventId("nothing")) == []
    assert markets.get(MarketId("x")) is markets.of_asset(AssetId("x")) is None


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ChangeKind.PAUSED, MarketStatus.PAUSED),
        (ChangeKind.RESUMED, MarketStatus.OPEN),
        (ChangeKind.CLOSED, MarketStatus.CLOSED),
        (ChangeKind.RESOLVED, MarketStatus.RESOLVED),
    ],
)
def test_a_change_replaces_the_status_and_nothing_else(
    markets: Markets, kind: ChangeKind, status: MarketStatus
) -> None:
    markets.apply(MarketChange(MarketId("a"), kind))
    assert markets.get(MarketId("a")) == msgspec.structs.replace(market("a", "race"), status=status)
    assert markets.get(MarketId("c")) == market("c", "race")


def test_a_resolved_market_stays_resolved_and_knows_its_winner(markets: Markets) -> None:
    assert markets.winner(MarketId("a")) is None
    markets.apply(MarketChange(MarketId("a"), ChangeKind.RESOLVED, winner=AssetId("a-no")))
    markets.apply(MarketChange(MarketId("a"), ChangeKind.RESUMED))
    found = markets.get(MarketId("a"))
    assert found is not None
    assert (found.status, markets.winner(MarketId("a"))) == (MarketStatus.RESOLVED, "a-no")


def test_the_other_token_of_a_market_is_the_other_one() -> None:
    found = market("a")
    yes, no = found.assets
    assert (found.other(yes), found.other(no)) == (no, yes)
    assert (found.label(yes), found.label(no)) == ("yes", "no")
    for ask in (found.other, found.label):
        with pytest.raises(KeyError):
            ask(AssetId("b-yes"))
