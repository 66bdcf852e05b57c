"""The seeded neg-risk event: the same from the same seed, and mispriced exactly when its truth says so."""

from random import Random

import pytest

from polycore.exchange.exchange import Exchange
from polycore.exchange.playback import Playback
from polycore.exchange.scenarios import Mispricing, NegRiskScenario
from polycore.exchange.values import LastTradeNotice, Notice, OrderRequest, Placed, ResolvedNotice
from polycore.model.ids import EventId, OrderId
from polycore.model.intents import TimeInForce
from polycore.model.market import Side
from polycore.model.money import MONEY_ONE, SIZE_ONE, notional

NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
ARB = "0x" + "0a" * 20


class Stage:
    def __init__(self, seed: int = 7, seconds: int = 60, outcomes: int = 5) -> None:
        self.scenario = NegRiskScenario(seed, seconds * SECOND, outcomes=outcomes)
        self.exchange = Exchange(random=Random(seed))
        self.playback = Playback(self.exchange, [self.scenario])
        self.exchange.open_account(ARB, 100_000 * MONEY_ONE)
        self.now = NOW
        self.playback.start(NOW)

    def until(self, offset: int) -> list[Notice]:
        """Play everything up to an offset, then stand there."""
        while self.playback.next_due is not None and self.playback.next_due <= NOW + offset:
            self.now = self.playback.next_due
            self.exchange.advance(self.now)
            self.playback.advance(self.now)
        self.now = NOW + offset
        return self.exchange.drain()

    def edge(self, kind: str, sets: int = SIZE_ONE) -> int:
        """What sets cost less than they pay, after fees, at the best asks."""
        markets = [listing.market for listing in self.exchange.listings]
        total = sets if kind == "yes" else (len(markets) - 1) * sets
        for market in markets:
            asset = market.first.asset if kind == "yes" else market.second.asset
            price = self.exchange.book(asset, self.now).asks[-1][0]
            total -= notional(price, sets) + market.fee.taker_fee(price, sets)
        return total


def test_the_same_seed_plays_the_same_and_another_does_not() -> None:
    runs = [Stage(seed).until(60 * SECOND) for seed in (7, 7, 8)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert Stage(7).scenario.mispricings == Stage(7).scenario.mispricings


@pytest.mark.parametrize("outcomes", [4, 5, 6])
def test_sets_are_mispriced_during_episodes_and_at_no_other_time(outcomes: int) -> None:
    stage = Stage(seconds=120, outcomes=outcomes)
    episodes = stage.scenario.mispricings
    assert {episode.kind for episode in episodes} == {"yes", "no"}
    for tenth in range(5, 1_195):
        offset = tenth * SECOND // 10
        stage.until(offset)
        inside = next((e for e in episodes if e.start <= offset < e.end), None)
        for kind in ("yes", "no"):
            if inside is not None and inside.kind == kind:
                assert stage.edge(kind, inside.sets) == inside.edge > 0
            else:
                assert stage.edge(kind) < 0


def test_every_episode_earns_what_its_truth_says_and_no_set_more() -> None:
    stage = Stage()
    for episode in stage.scenario.mispricings:
        before = stage.exchange.money(ARB).total
        stage.until(episode.start)
        assert take(stage, episode, episode.sets) == len(episode.legs)
        spent = before - stage.exchange.money(ARB).total
        assert spent == episode.cost + episode.fees
        assert stage.edge(episode.kind) < episode.edge * SIZE_ONE // episode.sets


def take(stage: Stage, episode: Mispricing, size: int) -> int:
    """Buy one set of legs at the prices of the truth; how many filled whole."""
    filled = 0
    for number, leg in enumerate(episode.legs):
        request = OrderRequest(
            OrderId(f"{episode.start} {number}"), ARB, leg.asset, Side.BUY, notional(leg.price, size), size,
            TimeInForce.FOK,
        )  # fmt: skip
        filled += isinstance(stage.exchange.place(request, stage.now), Placed)
    return filled


def test_a_basket_held_to_the_end_pays_its_edge_whatever_wins() -> None:
    for seed in range(3):
        stage = Stage(seed, 30)
        before = stage.exchange.money(ARB).total
        episodes = stage.scenario.mispricings
        for episode in episodes:
            stage.until(episode.start)
            take(stage, episode, episode.sets)
        resolved = [notice for notice in stage.until(30 * SECOND) if isinstance(notice, ResolvedNotice)]
        winners = {listing.market.first.asset for listing in stage.exchange.listings}
        assert sum(notice.winner in winners for notice in resolved) == 1
        assert stage.exchange.money(ARB).total - before == sum(episode.edge for episode in episodes)


def test_takers_trade_and_meet_both_kinds_of_match() -> None:
    stage = Stage(seconds=120)
    notices = stage.until(119 * SECOND)
    assert sum(isinstance(notice, LastTradeNotice) for notice in notices) > 20
    totals = stage.exchange.totals()
    assert totals.deposited == totals.money + totals.fees + totals.locked
    assert totals.fees > 0


def test_the_event_is_complete_and_neg_risk() -> None:
    for listing in Stage().exchange.listings:
        market = listing.market
        assert market.neg_risk
        assert market.event_complete
        assert market.event == EventId("seeded-neg-risk-7")
        assert all(len(asset) == 78 for asset in market.assets)
