"""The formulas: what holds for every book, position and setting."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycore import PRICE_ONE, SIZE_ONE, Best, PriceValue, Quote, Shares
from polycore_mm.config import MarketMakerConfig
from polycore_mm.fair_value import FairValue, NoQuote, log_odds, price_of
from polycore_mm.quoting import SIZE_STEP, Grid, Plan, half_spread, plan, skew, tapered

TICKS = st.sampled_from([10, 25, 50, 100])


@st.composite
def configs(draw: st.DrawFn) -> MarketMakerConfig:
    size = draw(st.integers(1, 200))
    return MarketMakerConfig(
        size=Shares(str(size)),
        max_position=Shares(str(size + draw(st.integers(0, 500)))),
        half_spread=draw(st.floats(0.0001, 1)),
        informed_share=draw(st.floats(0, 0.5)),
        minimum_ticks=draw(st.integers(1, 5)),
        touch_ticks=draw(st.integers(-1, 5)),
        gamma=draw(st.floats(0, 0.1)),
        max_skew=draw(st.floats(0, 3)),
        min_price=PriceValue("0.0001"),
        max_price=PriceValue("0.9999"),
        max_spread=PriceValue("1"),
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[FairValue, Best, Grid]:
    """A fair value from an uncrossed book of others, inside a top that may be tighter by our own orders."""
    tick = draw(TICKS)
    steps = PRICE_ONE // tick
    bid = draw(st.integers(1, steps - 2)) * tick
    ask = draw(st.integers(bid // tick + 1, steps - 1)) * tick
    middle = draw(st.floats(bid, ask))
    own_bid = draw(st.integers(bid // tick, ask // tick - 1)) * tick
    own_ask = draw(st.integers(own_bid // tick + 1, ask // tick)) * tick
    return FairValue(log_odds(middle), bid, ask), Best(own_bid, SIZE_ONE, own_ask, SIZE_ONE), Grid(tick, 5 * SIZE_ONE)


def planned(value: FairValue, position: int, best: Best, grid: Grid, config: MarketMakerConfig) -> Plan:
    wanted = plan(value, position, best, grid, config)
    assert isinstance(wanted, Plan)
    return wanted


POSITIONS = st.integers(-2_000, 2_000).map(lambda count: count * SIZE_ONE)


@given(situations(), POSITIONS, configs())
def test_quotes_never_cross_the_book_each_other_or_the_reservation_price(situation, position, config):
    value, best, grid = situation
    wanted = planned(value, position, best, grid, config)
    prices = []
    for quote in (wanted.bid, wanted.ask):
        if isinstance(quote, NoQuote):
            assert quote.reason
            continue
        assert isinstance(quote.price, int)
        assert quote.price % grid.tick == 0
        assert grid.tick <= quote.price <= PRICE_ONE - grid.tick
        assert quote.size >= grid.minimum_size
        assert quote.size % SIZE_STEP == 0
        prices.append(quote.price)
    assert prices == sorted(set(prices)) or len(prices) < 2
    if isinstance(wanted.bid, Quote):
        assert wanted.bid.price <= best.ask - grid.tick
        assert wanted.bid.price <= value.bid - config.touch_ticks * grid.tick
        assert wanted.bid.price <= wanted.reservation - config.minimum_ticks * grid.tick + 1e-6
        assert wanted.bid.price <= price_of(log_odds(wanted.reservation) - half_spread(config)) + 1e-5
    if isinstance(wanted.ask, Quote):
        assert wanted.ask.price >= best.bid + grid.tick
        assert wanted.ask.price >= value.ask + config.touch_ticks * grid.tick
        assert wanted.ask.price >= wanted.reservation + config.minimum_ticks * grid.tick - 1e-6
        assert wanted.ask.price >= price_of(log_odds(wanted.reservation) + half_spread(config)) - 1e-5


@given(situations(), POSITIONS, POSITIONS, configs())
def test_a_longer_position_never_raises_a_price_or_the_size_of_the_bid(situation, one, other, config):
    value, best, grid = situation
    short, long = (planned(value, q, best, grid, config) for q in sorted((one, other)))
    assert long.reservation <= short.reservation
    if isinstance(long.bid, Quote) and isinstance(short.bid, Quote):
        assert long.bid.price <= short.bid.price
        assert long.bid.size <= short.bid.size
    if isinstance(long.ask, Quote) and isinstance(short.ask, Quote):
        assert long.ask.price <= short.ask.price
        assert long.ask.size >= short.ask.size


@given(POSITIONS, configs())
def test_skew_is_bounded_and_odd(position, config):
    assert abs(skew(position, config)) <= config.max_skew
    assert skew(-position, config) == -skew(position, config)


@given(POSITIONS, configs())
def test_a_fill_of_any_quote_never_carries_the_position_past_its_cap(position, config):
    size = tapered(position, config)
    assert size >= 0
    assert position + size <= max(config.max_position, position)
    if position >= config.max_position:
        assert size == 0
    if position <= 0:
        assert size == config.size


@given(situations(), POSITIONS, configs())
def test_the_mirror_image_of_a_market_is_quoted_as_the_mirror_image(situation, position, config):
    value, best, grid = situation
    turned = planned(
        FairValue(-value.log_odds, PRICE_ONE - value.ask, PRICE_ONE - value.bid),
        -position,
        Best(PRICE_ONE - best.ask, best.ask_size, PRICE_ONE - best.bid, best.bid_size),
        grid,
        config,
    )
    straight = planned(value, position, best, grid, config)
    for mine, theirs in ((straight.bid, turned.ask), (straight.ask, turned.bid)):
        assert isinstance(mine, Quote) == isinstance(theirs, Quote)
        if isinstance(mine, Quote) and isinstance(theirs, Quote):
            # The two ways round differ by rounding of the last bit of a float: one tick at most.
            assert abs(mine.price - (PRICE_ONE - theirs.price)) <= grid.tick
            assert mine.size == theirs.size


def test_break_even_half_spread_is_one_cent_at_one_half_for_two_percent_informed():
    config = MarketMakerConfig(half_spread=0.0, informed_share=0.02)
    assert price_of(half_spread(config)) - PRICE_ONE / 2 == pytest.approx(100, abs=0.1)


def test_configured_half_spread_counts_when_it_is_larger_than_break_even():
    assert half_spread(MarketMakerConfig(half_spread=0.3, informed_share=0.02)) == 0.3


def test_the_exact_hold_to_resolution_skew_is_gamma_times_the_position():
    assert skew(50 * SIZE_ONE, MarketMakerConfig(gamma=0.002)) == pytest.approx(0.1)


def test_no_quotes_outside_the_price_band_or_in_a_wide_book():
    best, grid, config = Best(200, 1, 300, 1), Grid(100, SIZE_ONE), MarketMakerConfig()
    low = plan(FairValue(log_odds(250), 200, 300), 0, best, grid, config)
    assert low == NoQuote("the fair value is outside the price band", "0.0250")
    wide = FairValue(log_odds(5000), 4000, 6000)
    assert plan(wide, 0, Best(4000, 1, 6000, 1), grid, config) == NoQuote("the book is too wide", "spread 0.2")


def test_a_quote_that_betters_the_best_price_still_does_not_meet_the_other_side():
    """Short, so that the reservation price is above the ask: the bid wants up, and the book's own top holds it."""
    value, best = FairValue(log_odds(5000), 4900, 5100), Best(4900, 1, 5000, 1)
    config = MarketMakerConfig(touch_ticks=-1, gamma=0.01)
    wanted = planned(value, -100 * SIZE_ONE, best, Grid(100, 5 * SIZE_ONE), config)
    assert isinstance(wanted.bid, Quote)
    assert wanted.reservation > 5200
    assert wanted.bid.price == 4900


def test_a_size_of_exactly_the_minimum_and_a_book_of_exactly_the_widest_spread_are_quoted():
    config = MarketMakerConfig(size=Shares("20"), max_spread=PriceValue("0.1"))
    value, best = FairValue(log_odds(5000), 4500, 5500), Best(4500, SIZE_ONE, 5500, SIZE_ONE)
    wanted = planned(value, 0, best, Grid(100, 20 * SIZE_ONE), config)
    assert isinstance(wanted.bid, Quote)
    assert isinstance(wanted.ask, Quote)
    above = planned(value, 0, best, Grid(100, 20 * SIZE_ONE + SIZE_STEP), config)
    assert isinstance(above.bid, NoQuote)


def test_at_the_cap_only_the_reducing_side_is_quoted():
    value, best = FairValue(log_odds(5000), 4900, 5100), Best(4900, 1, 5100, 1)
    wanted = planned(value, 100 * SIZE_ONE, best, Grid(100, 5 * SIZE_ONE), MarketMakerConfig())
    assert wanted.bid == NoQuote("the position is at its cap", "size 0, minimum 5")
    assert isinstance(wanted.ask, Quote)
    assert wanted.ask.size == 20 * SIZE_ONE


@given(st.floats(-700, 700))
def test_log_odds_and_price_are_inverse_and_never_overflow(x):
    price = price_of(x)
    assert 0 <= price <= PRICE_ONE
    if abs(x) < 20:
        assert log_odds(price) == pytest.approx(x, abs=1e-5)


@pytest.mark.parametrize("name", ["gamma", "half_spread", "quote_life_seconds"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_setting_that_is_not_a_finite_number_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        MarketMakerConfig(**{name: value})


@pytest.mark.parametrize(
    "settings",
    [
        {"size": Shares("0")},
        {"size": Shares("200")},
        {"max_position": Shares("19")},
        {"min_price": PriceValue("0.96")},
        {"half_spread": 0.0, "informed_share": 0.0},
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings):
    with pytest.raises(ValueError, match=r"must|not inside"):
        MarketMakerConfig(**settings)
