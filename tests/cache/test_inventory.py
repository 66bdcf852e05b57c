"""Fills become positions and cash once each, whatever is repeated, skipped or reversed."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from polycore import (
    AssetId,
    Fill,
    Inventory,
    Market,
    MarketId,
    OrderId,
    Outcome,
    Role,
    Settlement,
    Side,
    TradeId,
)
from polycore.cache.inventory import FillNews, Fills

YES, NO = AssetId("1"), AssetId("2")
MARKET = Market(MarketId("m"), "m", "?", Outcome(YES, "Yes"), Outcome(NO, "No"))


def _fill(side: Side = Side.BUY, price: int = 4800, size: int = 10_000_000, **more: object) -> Fill:
    fill = Fill(TradeId("t"), OrderId("o"), MarketId("m"), YES, side, price, size, Role.MAKER, Settlement.MATCHED)
    return msgspec.structs.replace(fill, **more)


def test_a_buy_and_a_sale_move_cash_and_position() -> None:
    inventory = Inventory()
    inventory.apply(_fill())
    assert (inventory.cash, inventory.position(YES)) == (-4_800_000, 10_000_000)
    inventory.apply(_fill(Side.SELL, 5000, 4_000_000, fee=1_000))
    assert (inventory.cash, inventory.position(YES), inventory.fees) == (-2_801_000, 6_000_000, 1_000)


def test_only_confirmed_shares_are_sellable() -> None:
    inventory = Inventory()
    fill = _fill()
    inventory.apply(fill)
    assert inventory.sellable(YES) == 0
    inventory.confirm(msgspec.structs.replace(fill, settlement=Settlement.CONFIRMED))
    assert inventory.sellable(YES) == 10_000_000


def test_the_exact_cost_of_a_taker_counts_and_not_its_average_price() -> None:
    inventory = Inventory()
    inventory.apply(_fill(price=4800, cost=4_803_333))
    assert inventory.cash == -4_803_333
    inventory.apply(_fill(Side.SELL, price=4800, cost=4_803_333))
    assert inventory.cash == 0


def test_a_voided_fill_leaves_nothing_behind() -> None:
    inventory = Inventory()
    fill = _fill(fee=777)
    inventory.apply(fill)
    inventory.void(fill)
    assert (inventory.cash, inventory.position(YES), inventory.fees, inventory.sellable(YES)) == (0, 0, 0, 0)


def test_net_and_pairs_count_in_the_first_outcome() -> None:
    inventory = Inventory()
    inventory.apply(_fill(size=10))
    inventory.apply(_fill(size=4, asset=NO))
    assert (inventory.net(MARKET), inventory.pairs(MARKET)) == (6, 4)


def test_a_resolved_token_turns_into_its_payout() -> None:
    inventory = Inventory()
    inventory.apply(_fill())
    assert inventory.redeem(YES, 10_000) == 10_000_000
    assert (inventory.cash, inventory.assets) == (5_200_000, ())


def test_value_is_cash_plus_positions_at_the_mark() -> None:
    inventory = Inventory()
    inventory.apply(_fill())
    assert inventory.value(lambda asset: 5000) == 200_000
    assert inventory.value(lambda asset: None) == -4_800_000


def test_the_same_fill_is_news_once_and_one_trade_can_fill_two_orders() -> None:
    fills = Fills()
    assert fills.news(_fill()) == FillNews.NEW
    assert fills.news(_fill()) == FillNews.REPEAT
    assert fills.news(_fill(order=OrderId("other"))) == FillNews.NEW
    assert fills.news(_fill(settlement=Settlement.CONFIRMED)) == FillNews.PROGRESS
    assert fills.news(_fill(settlement=Settlement.MINED)) == FillNews.REPEAT
    assert fills.news(_fill(settlement=Settlement.FAILED)) == FillNews.REPEAT, "a final status absorbs the rest"


@given(st.lists(st.sampled_from(Settlement), max_size=8))
def test_any_order_of_statuses_books_a_fill_at_most_once(statuses: list[Settlement]) -> None:
    fills, inventory, booked = Fills(), Inventory(), False
    for status in statuses:
        fill = _fill(settlement=status)
        match fills.news(fill):
            case FillNews.NEW:
                inventory.apply(fill)
                booked = True
            case FillNews.PROGRESS if status is Settlement.CONFIRMED:
                inventory.confirm(fill)
            case FillNews.VOID if booked:
                inventory.void(fill)
    final = next((status for status in statuses if status.final), None)
    expected = 10_000_000 if statuses and final is not Settlement.FAILED else 0
    assert inventory.position(YES) == expected
    assert inventory.cash == -expected * 48 // 100
    assert inventory.sellable(YES) == (expected if final is Settlement.CONFIRMED else 0)
