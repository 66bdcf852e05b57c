"""Trades through their stages, the dead man's switch, pairs, and the end of a market."""

from typing import Any

import pytest

from polycore.errors import UsageError
from polycore.exchange.values import (
    AccountState,
    BeatAccepted,
    BeatRefused,
    FillNotice,
    OrderEvent,
    OrderNotice,
    Refusal,
    ResolvedNotice,
)
from polycore.model.events import Settlement
from polycore.model.ids import AssetId
from polycore.model.money import MONEY_ONE, SIZE_ONE


def traded(pit: Any) -> tuple[str, str]:
    """Bob has just bought ten Up from Ann at 40 cents."""
    ann, bob = pit.account("ann", tokens=10), pit.account("bob")
    pit.sell(ann, 40, 10)
    pit.buy(bob, 40, 10)
    return ann, bob


def test_a_trade_goes_from_matched_to_mined_to_confirmed_for_both_sides(pit: Any) -> None:
    ann, bob = traded(pit)
    stages = [pit.heard(FillNotice)]
    for seconds in (1.9, 0.1, 7.9, 0.1):
        pit.later(seconds)
        stages.append(pit.heard(FillNotice))
    matched, early, mined, waiting, confirmed = stages
    assert (early, waiting) == ([], [])
    for fills, settlement in (
        (matched, Settlement.MATCHED), (mined, Settlement.MINED), (confirmed, Settlement.CONFIRMED)
    ):  # fmt: skip
        assert [(fill.account, fill.trade.settlement) for fill in fills] == [(bob, settlement), (ann, settlement)]
    assert len({fill.trade.id for fills in stages for fill in fills}) == 1
    assert matched[0].trade.transaction == ""
    assert mined[0].trade.transaction.startswith("0x")
    assert pit.exchange.trades(bob)[0].settlement is Settlement.CONFIRMED
    assert pit.exchange.next_due is None


def test_a_maker_hears_what_became_of_its_order_after_each_trade(pit: Any) -> None:
    ann, bob = pit.account("ann", tokens=10), pit.account("bob")
    pit.sell(ann, 40, 10)
    pit.exchange.drain()
    pit.buy(bob, 40, 6)
    pit.buy(bob, 40, 8)
    told = [notice for notice in pit.heard(OrderNotice) if notice.account == ann]
    assert [(notice.event, notice.order.status, notice.order.matched) for notice in told] == [
        (OrderEvent.UPDATE, "LIVE", 6 * SIZE_ONE), (OrderEvent.UPDATE, "MATCHED", 10 * SIZE_ONE),
    ]  # fmt: skip


def test_tokens_of_an_unmined_trade_cannot_be_merged(pit: Any) -> None:
    _, bob = traded(pit)
    pit.buy(pit.account("eve", tokens=10), 40, 10)
    pit.buy(bob, 60, 10, pit.down)
    assert pit.shares(bob, pit.down) == 10 * SIZE_ONE
    assert pit.exchange.merge(bob, pit.market.id, 10 * SIZE_ONE, pit.now) == Refusal(
        400, "not enough balance / allowance"
    )
    pit.later(2)
    assert pit.exchange.merge(bob, pit.market.id, 10 * SIZE_ONE, pit.now) is None
    assert pit.shares(bob) == pit.shares(bob, pit.down) == 0


def test_sells_that_a_merge_leaves_uncovered_are_cancelled_newest_first_and_no_more_of_them(pit: Any) -> None:
    ann = pit.account("ann", tokens=30)
    first, second, third = (pit.sell(ann, cents, 10).order for cents in (60, 61, 62))
    other = pit.sell(ann, 60, 30, pit.down).order
    assert pit.exchange.merge(ann, pit.market.id, 15 * SIZE_ONE, pit.now) is None
    assert {order.id for order in pit.exchange.open_orders(ann)} == {first}
    assert {pit.exchange.order(order).status for order in (second, third, other)} == {"CANCELED_NOT_ENOUGH_BALANCE"}
    assert pit.exchange.shares(ann, pit.up).available == 5 * SIZE_ONE


def test_buys_that_a_split_leaves_uncovered_are_cancelled_newest_first(pit: Any) -> None:
    ann = pit.account("ann", money=100)
    old, new = (pit.buy(ann, 40, 100).order for _ in range(2))
    assert pit.exchange.split(ann, pit.market.id, 30 * SIZE_ONE, pit.now) is None
    assert [order.id for order in pit.exchange.open_orders(ann)] == [old]
    assert pit.exchange.order(new).status == "CANCELED_NOT_ENOUGH_BALANCE"


def test_opening_a_known_account_again_gives_it_nothing(pit: Any) -> None:
    ann = pit.account("ann", money=7)
    pit.exchange.open_account(ann.upper().replace("0X", "0x"), 1_000 * MONEY_ONE)
    assert pit.money(ann) == 7 * MONEY_ONE
    assert pit.exchange.totals().deposited == 7 * MONEY_ONE


def test_silence_after_a_beat_cancels_within_10_to_15_seconds(pit: Any) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 40, 10)
    pit.later(1)
    assert isinstance(pit.exchange.heartbeat(ann, "", pit.now), BeatAccepted)
    pit.later(9.9)
    assert len(pit.exchange.open_orders(ann)) == 1
    pit.exchange.drain()
    pit.later(5)
    assert pit.exchange.open_orders(ann) == []
    assert [notice.order.status for notice in pit.heard(OrderNotice)] == ["CANCELED"]


def test_beats_in_time_keep_the_orders(pit: Any) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 40, 10)
    beat = ""
    for _ in range(10):
        beat = pit.exchange.heartbeat(ann, beat, pit.now).next
        pit.later(5)
    assert len(pit.exchange.open_orders(ann)) == 1


def test_a_wrong_beat_names_the_right_one_and_does_not_move_the_deadline(pit: Any) -> None:
    ann = pit.account("ann")
    pit.buy(ann, 40, 10)
    expected = pit.exchange.heartbeat(ann, "", pit.now).next
    pit.later(8)
    assert pit.exchange.heartbeat(ann, "wrong", pit.now) == BeatRefused(expected)
    pit.later(7)
    assert pit.exchange.open_orders(ann) == []
    assert isinstance(pit.exchange.heartbeat(ann, "", pit.now), BeatAccepted)


def test_a_resolved_market_books_all_value_and_takes_no_orders(pit: Any) -> None:
    ann, bob = traded(pit)
    resting = pit.buy(ann, 20, 10).order
    pit.exchange.drain()
    pit.exchange.resolve(pit.market.id, (0, MONEY_ONE), pit.now)
    (resolved,) = pit.heard(ResolvedNotice)
    assert (resolved.winner, resolved.payout) == (pit.down, (0, MONEY_ONE))
    assert pit.money(ann) == (1000 + 4 + 10) * MONEY_ONE
    assert pit.money(bob) == 996 * MONEY_ONE
    assert pit.shares(bob) == 0
    assert pit.exchange.order(resting).status == "CANCELED_MARKET_RESOLVED"
    assert pit.exchange.totals().locked == 0
    assert pit.buy(ann, 40, 10).text == "the market is not yet ready to process new orders"
    with pytest.raises(UsageError, match="resolved already"):
        pit.exchange.resolve(pit.market.id, (0, MONEY_ONE), pit.now)


def test_a_split_payout_has_no_winner_and_loses_nothing(pit: Any) -> None:
    ann = pit.account("ann", money=0, tokens=10)
    pit.exchange.resolve(pit.market.id, (500_000, 500_000), pit.now)
    assert pit.heard(ResolvedNotice)[0].winner is None
    assert pit.money(ann) == 10 * MONEY_ONE


def test_settlement_goes_on_after_the_market_is_resolved(pit: Any) -> None:
    traded(pit)
    pit.exchange.resolve(pit.market.id, (0, MONEY_ONE), pit.now)
    pit.exchange.drain()
    pit.later(10)
    assert {fill.trade.settlement for fill in pit.heard(FillNotice)} == {Settlement.MINED, Settlement.CONFIRMED}


def test_restored_tokens_are_backed_by_pairs(pit: Any) -> None:
    address = "0x" + "9" * 40
    pit.exchange.restore_account(AccountState(address, 5 * MONEY_ONE, {pit.up: 3 * SIZE_ONE, AssetId("elsewhere"): 7}))
    totals = pit.exchange.totals()
    assert pit.shares(address) == 3 * SIZE_ONE
    assert totals.supply[pit.up] == totals.supply[pit.down]
    assert totals.deposited == totals.money + totals.fees + totals.locked
    assert pit.exchange.accounts() == [
        AccountState(address, 5 * MONEY_ONE, {pit.up: 3 * SIZE_ONE, AssetId("elsewhere"): 7})
    ]
