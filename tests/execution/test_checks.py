"""Every built-in check: what it refuses, in which words, and what it lets through."""

import pytest

from polycore import (
    ChangeKind,
    MarketChange,
    OrderState,
    PlaceOrder,
    Rejection,
    Side,
    TimeInForce,
    hookimpl,
)
from polycore.execution.checks import register_checks

SHARE = 1_000_000


def bid(price=4_800, size=10 * SHARE, asset="1", **fields):
    return PlaceOrder(asset, Side.BUY, price, size, **fields)


def ask(price=5_300, size=10 * SHARE, asset="1", **fields):
    return PlaceOrder(asset, Side.SELL, price, size, **fields)


def test_a_sound_order_passes(still_desk):
    assert still_desk.check(bid()) is None
    assert still_desk.check(bid(time_in_force=TimeInForce.GTD, expires=2_000_000_000, post_only=True)) is None


@pytest.mark.parametrize(
    ("order", "check", "says"),
    [
        (bid(size=0), "form", "size 0; expected whole hundredths of a share above 0"),
        (bid(size=-SHARE), "form", "size -1;"),
        (bid(size=10 * SHARE + 1), "form", "size 10.000001; expected whole hundredths"),
        (bid(time_in_force=TimeInForce.FAK, post_only=True), "form", "post-only FAK; expected GTC or GTD"),
        (bid(time_in_force=TimeInForce.GTD), "form", "GTD with expires 0; expected an expiry for GTD"),
        (bid(expires=5), "form", "GTC with expires 5;"),
        (bid(asset="7"), "market", "token 7 is of no known market"),
        (bid(price=4_850), "tick", "price 0.485; expected a multiple of 0.01"),
        (bid(price=0), "price_band", "price 0; expected 0.01 to 0.99"),
        (bid(price=10_000), "price_band", "price 1; expected 0.01 to 0.99"),
        (bid(price=7_100), "price_band", "price 0.71; expected at most 0.7: the book is 0.4/0.6"),
        (bid(size=4 * SHARE), "minimum", "size 4; expected at least 5 shares in rain"),
        (bid(size=105 * SHARE), "max_order", "order of 50.4 pUSD; expected at most 50 (limits.max_order)"),
        (ask(), "sellable", "sale of 10 shares; expected at most 0: confirmed and not promised"),
    ],
)
def test_refusals_name_what_was_found_and_expected(still_desk, order, check, says):
    verdict = still_desk.check(order)
    assert verdict.check == check
    assert says in verdict.reason


def test_the_kill_switch_is_asked_first_even_before_a_plugins_check(still_desk):
    class Plugin:
        @hookimpl
        def check_order(self):
            return Rejection("plugin", "never")

    still_desk.manager.register(Plugin())
    assert still_desk.check(bid()).check == "plugin"
    still_desk.gate.halted = "operator"
    assert still_desk.check(bid()) == Rejection("kill_switch", "halted: operator; only cancels leave")


def test_nothing_opens_while_the_user_stream_is_down(still_desk):
    still_desk.gate.user_up = False
    verdict = still_desk.check(bid())
    assert verdict.check == "user_stream"
    assert verdict.reason.startswith("user stream down")


@pytest.mark.parametrize("kind", [ChangeKind.PAUSED, ChangeKind.CLOSED, ChangeKind.RESOLVED])
def test_a_market_that_is_not_open_takes_no_order(still_desk, kind):
    still_desk.cache.apply(MarketChange(still_desk.market.id, kind), still_desk.link, set())
    verdict = still_desk.check(bid())
    assert verdict.check == "market"
    assert "expected open" in verdict.reason


def test_a_book_in_doubt_is_not_quoted_on(still_desk):
    still_desk.cache.books.suspect("1", "test")
    assert still_desk.check(bid()) == Rejection("book", "book is SUSPECT (test); expected LIVE")


def test_a_doubt_about_the_other_token_counts(still_desk):
    still_desk.cache.books.suspect("2", "test")
    assert still_desk.check(bid()) == Rejection("book", "book of No is SUSPECT (test); expected LIVE")


def test_an_old_proof_of_life_refuses_says_its_age_and_asks_for_a_new_one(still_desk):
    still_desk.clock.advance(2.5)
    verdict = still_desk.check(bid())
    assert verdict == Rejection(
        "book", "book is stale: last proof of life 2.5 s ago; expected a recent one, asked for it"
    )
    assert still_desk.probed == ["1"]
    still_desk.link.proof_time = still_desk.clock.monotonic()
    assert still_desk.check(bid()) is None


def test_the_grid_in_force_is_the_books(still_desk):
    still_desk.cache.get("1").tick = 10
    assert still_desk.check(bid(price=4_810)) is None


def test_only_the_aggressive_side_of_the_price_band_is_limited(still_desk):
    assert still_desk.check(bid(price=100)) is None
    still_desk.hold("1", 20 * SHARE)
    assert still_desk.check(ask(price=9_900)) is None
    assert still_desk.check(ask(price=2_900)).check == "price_band"
    assert "expected at least 0.3" in still_desk.check(ask(price=2_900)).reason
    assert still_desk.check(bid(price=7_000)) is still_desk.check(ask(price=3_000)) is None, "its edge is inside"


def test_a_purchase_that_takes_needs_one_dollar(still_desk):
    still_desk.book("1", 100, 1_000)
    verdict = still_desk.check(bid(price=1_000, size=9 * SHARE))
    assert verdict == Rejection("minimum", "a purchase of 0.9 pUSD that takes; expected at least 1 pUSD")
    assert still_desk.check(bid(price=900, size=9 * SHARE)) is None


def test_a_sale_counts_what_other_sales_have_promised(still_desk):
    still_desk.hold("1", 25 * SHARE)
    assert still_desk.check(ask(size=25 * SHARE)) is None
    still_desk.track(ask(size=10 * SHARE))
    assert still_desk.check(ask(size=15 * SHARE)) is None
    assert "expected at most 15" in still_desk.check(ask(size=16 * SHARE)).reason


def test_the_worst_position_counts_open_orders_of_both_tokens(make_desk):
    desk = make_desk(max_position=100 * SHARE)
    desk.hold("1", 40 * SHARE)
    desk.track(bid(price=1_000, size=30 * SHARE))
    assert desk.check(bid(size=30 * SHARE)) is None
    verdict = desk.check(bid(size=31 * SHARE))
    assert verdict.check == "max_position"
    assert verdict.reason.startswith("101 shares of Yes at worst, open orders included; expected at most 100")
    # The other direction: 40 Yes held leave room for 140 No.
    assert desk.check(bid(size=100 * SHARE, asset="2", price=4_000)) is None
    desk.track(bid(size=100 * SHARE, asset="2", price=4_000))
    assert "shares of No at worst" in desk.check(bid(size=41 * SHARE, asset="2", price=4_000)).reason


def test_an_order_that_reduces_passes_above_the_limit(make_desk):
    desk = make_desk(max_position=100 * SHARE)
    desk.hold("1", 400 * SHARE)
    assert desk.check(bid(size=6 * SHARE)).check == "max_position"
    assert desk.check(ask(size=90 * SHARE)) is None


def test_another_strategys_position_does_not_count(make_desk):
    desk = make_desk(max_position=100 * SHARE)
    desk.hold("1", 100 * SHARE, strategy="arb")
    assert desk.check(bid()) is None
    assert desk.check(bid(), strategy="arb").check == "max_position"


@pytest.mark.parametrize(
    ("resting", "order", "crosses"),
    [
        (ask(5_000), bid(5_000), True),
        (ask(5_000), bid(4_900), False),
        (bid(5_000, asset="2"), bid(5_000), True),  # buying No at 0.5 offers Yes at 0.5
        (bid(5_000, asset="2"), bid(4_900), False),
        (bid(5_200), bid(4_900, asset="2"), True),
        (bid(5_200), bid(4_700, asset="2"), False),
        (bid(4_800), bid(5_200), False),  # the same direction
    ],
)
@pytest.mark.parametrize("strategy", ["mm", "arb"])
def test_we_never_trade_with_ourselves(still_desk, resting, order, crosses, strategy):
    own = still_desk.track(resting, strategy=strategy)
    verdict = still_desk.check(order)
    if not crosses:
        assert verdict is None
        return
    assert verdict.check == "own_cross"
    assert f"would meet our {own.client_order}" in verdict.reason


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN])
def test_an_own_order_counts_until_it_is_known_to_be_gone(still_desk, state):
    own = still_desk.track(ask(5_000), state=state)
    own.cancelling = True
    assert still_desk.check(bid(5_000)).check == "own_cross"


def test_checks_are_asked_in_the_order_given():
    import pluggy

    from polycore.hooks import specs
    from polycore.hooks.markers import PROJECT

    class Check:
        def __init__(self, name):
            self.name = name

        @hookimpl
        def check_order(self):
            asked.append(self.name)

    asked: list[str] = []
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    register_checks(manager.register, [(name, Check(name)) for name in "abc"])
    manager.hook.check_order(order=None, strategy="", cache=None)
    assert asked == ["a", "b", "c"]
