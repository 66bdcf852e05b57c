"""The venue's official client, unmodified, against a served exchange."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("polymarket")

from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.errors import RequestRejectedError
from polymarket.streams import MarketSpec, UserSpec

from polycore.exchange.eip712 import checksum_address, parse_address
from polycore.exchange.wallets import SignatureType, wallets_of
from polycore.model.market import Side
from polycore.model.money import MONEY_ONE

pytestmark = pytest.mark.usefixtures("only_loopback")

PRIVATE_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
WALLETS = ("eoa", "deposit wallet")


@pytest.fixture
def environment(served):
    """Production's constants with every address replaced, so that nothing can leave loopback."""
    socket = "ws" + served.url.removeprefix("http")
    local = {
        "clob_url": served.url,
        "clob_market_ws_url": f"{socket}/ws/market",
        "clob_user_ws_url": f"{socket}/ws/user",
        "gamma_url": f"{served.url}/gamma",
        "relayer_url": f"{served.url}/relayer",
    }
    urls = [field.name for field in dataclasses.fields(PRODUCTION_CONFIG) if field.name.endswith("_url")]
    nowhere = {name: f"{socket if 'ws' in name else served.url}/nowhere" for name in urls}
    config = dataclasses.replace(PRODUCTION_CONFIG, **(nowhere | local))
    assert {urlsplit(getattr(config, name)).hostname for name in urls} == {"127.0.0.1"}
    return create_environment(name="local", config=config)


@pytest.fixture(params=WALLETS)
async def sdk(request, environment) -> AsyncIterator[AsyncSecureClient]:
    wallet = ADDRESS if request.param == "eoa" else None
    client = await AsyncSecureClient.create(private_key=PRIVATE_KEY, wallet=wallet, environment=environment)
    async with client:
        yield client


@pytest.fixture
async def eoa(environment) -> AsyncIterator[AsyncSecureClient]:
    async with await AsyncSecureClient.create(
        private_key=PRIVATE_KEY, wallet=ADDRESS, environment=environment
    ) as client:
        yield client


async def next_event(events, kind: str):
    async with asyncio.timeout(5):
        async for event in events:
            if event.type == kind:
                return event.payload
    raise AssertionError(f"the channel ended without {kind}")


async def open_orders(client: AsyncSecureClient) -> list:
    return [order async for page in client.list_open_orders() for order in page.items]


async def test_keys_are_created_once_and_then_derived(environment, served):
    first = await AsyncSecureClient.create(private_key=PRIVATE_KEY, wallet=ADDRESS, environment=environment)
    second = await AsyncSecureClient.create(private_key=PRIVATE_KEY, wallet=ADDRESS, environment=environment)
    async with first, second:
        assert first.credentials == second.credentials
        assert await second.fetch_api_keys() == (first.credentials.key,)
        assert await first.get_closed_only_mode() is False
        assert served.service.keys.issued == [(ADDRESS, 0)]


async def test_default_wallet_is_the_deposit_wallet_with_its_own_money(environment, served):
    async with await AsyncSecureClient.create(private_key=PRIVATE_KEY, environment=environment) as client:
        assert client.wallet == checksum_address(wallets_of(parse_address(ADDRESS))[SignatureType.DEPOSIT_WALLET][0])
        found = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert found.balance == 1_000 * MONEY_ONE


async def test_book_prices_and_market_are_read(eoa, maker, plain):
    maker.place(Side.BUY, plain.first.asset, "0.4", 30)
    maker.place(Side.SELL, plain.first.asset, "0.45", 20)
    book = await eoa.get_order_book(asset_id=plain.first.asset)
    assert [(level.price, level.size) for level in book.bids] == [(Decimal("0.4"), Decimal(30))]
    assert [(level.price, level.size) for level in book.asks] == [(Decimal("0.45"), Decimal(20))]
    assert (book.tick_size, book.min_order_size, book.neg_risk) == (Decimal("0.01"), Decimal(5), False)
    mirror = await eoa.get_order_book(asset_id=plain.second.asset)
    assert (mirror.bids[-1].price, mirror.asks[-1].price) == (Decimal("0.55"), Decimal("0.6"))
    assert await eoa.get_midpoint(asset_id=plain.first.asset) == Decimal("0.425")
    assert await eoa.get_spread(asset_id=plain.first.asset) == Decimal("0.05")
    found = await eoa.get_market(slug=plain.slug)
    assert found.condition_id == plain.id


async def test_order_rests_is_seen_and_is_cancelled(sdk, plain):
    async with await sdk.subscribe(UserSpec()) as events:
        order = await sdk.create_limit_order(asset_id=plain.first.asset, price="0.35", size="12.5", side="BUY")
        posted = await sdk.post_order(order)
        assert (posted.ok, posted.status, posted.making_amount) == (True, "live", 0)
        (found,) = await open_orders(sdk)
        assert (found.id, found.price, found.original_size, found.size_matched, found.status) == (
            posted.order_id, Decimal("0.35"), Decimal("12.5"), 0, "LIVE",
        )  # fmt: skip
        assert found.maker_address == sdk.wallet
        placed = await next_event(events, "order")
        assert (placed.id, placed.order_event_type, placed.status) == (posted.order_id, "PLACEMENT", "LIVE")
        assert placed.owner == sdk.credentials.key

        cancelled = await sdk.cancel_order(order_id=posted.order_id)
        assert cancelled.canceled == (posted.order_id,)
        gone = await next_event(events, "order")
        assert (gone.id, gone.order_event_type, gone.status) == (posted.order_id, "CANCELLATION", "CANCELED")
        assert await open_orders(sdk) == []
        again = await sdk.cancel_order(order_id=posted.order_id)
        assert again.canceled == ()
        assert list(again.not_canceled) == [posted.order_id]


async def test_crossing_order_trades_and_settles(sdk, maker, plain):
    resting = maker.place(Side.SELL, plain.first.asset, "0.42", 50)
    async with await sdk.subscribe(UserSpec()) as events:
        order = await sdk.create_limit_order(asset_id=plain.first.asset, price="0.45", size=20, side="BUY")
        posted = await sdk.post_order(order)
        assert (posted.ok, posted.status) == (True, "matched")
        assert (posted.making_amount, posted.taking_amount) == (Decimal("8.4"), Decimal(20))
        statuses: list[str] = []
        while not statuses or statuses[-1] != "CONFIRMED":
            trade = await next_event(events, "trade")
            assert (trade.id, trade.taker_order_id) == (posted.trade_ids[0], posted.order_id)
            assert (trade.trader_side, trade.price, trade.size) == ("TAKER", Decimal("0.42"), Decimal(20))
            assert [(m.order_id, m.side, m.matched_amount) for m in trade.maker_orders] == [(resting, "SELL", 20)]
            assert (trade.owner, trade.trade_owner) == (sdk.credentials.key, sdk.credentials.key)
            statuses.append(trade.status)
        assert statuses == ["MATCHED", "MINED", "CONFIRMED"]
    (page,) = [page async for page in sdk.list_account_trades(id=posted.trade_ids[0])]
    assert [(t.id, t.status, t.trader_side) for t in page.items] == [(posted.trade_ids[0], "CONFIRMED", "TAKER")]
    shares = await sdk.get_balance_allowance(asset_type="CONDITIONAL", asset_id=plain.first.asset)
    assert shares.balance == 20_000_000
    money = await sdk.get_balance_allowance(asset_type="COLLATERAL")
    fee = plain.fee.taker_fee(4200, 20_000_000)
    assert money.balance == 1_000 * MONEY_ONE - 8_400_000 - fee


async def test_market_channel_events_are_understood(eoa, maker, plain, served):
    spec = MarketSpec(asset_ids=[plain.first.asset], custom_feature_enabled=True)
    async with await eoa.subscribe(spec) as events:
        book = await next_event(events, "book")
        assert (book.asset_id, book.bids, book.asks) == (plain.first.asset, (), ())
        maker.place(Side.BUY, plain.second.asset, "0.55", 7)
        change = await next_event(events, "price_change")
        assert [(c.asset_id, c.side, c.price, c.size) for c in change.price_changes] == [
            (plain.first.asset, "SELL", Decimal("0.45"), 7),
            (plain.second.asset, "BUY", Decimal("0.55"), 7),
        ]
        best = await next_event(events, "best_bid_ask")
        assert (best.best_bid, best.best_ask, best.spread) == (0, Decimal("0.45"), Decimal("0.45"))
        served.service.exchange.resolve(plain.id, (MONEY_ONE, 0), served.service.now())
        served.service.pump()
        resolved = await next_event(events, "market_resolved")
        assert (resolved.winning_asset_id, resolved.winning_outcome) == (plain.first.asset, "Yes")


async def test_bad_tick_is_refused_in_the_venues_words(eoa, served, fine):
    await eoa.create_limit_order(asset_id=fine.first.asset, price="0.505", size=10, side="BUY")
    served.service.exchange.set_tick(fine.id, 100, served.service.now())
    served.service.pump()
    order = await eoa.create_limit_order(asset_id=fine.first.asset, price="0.505", size=10, side="BUY")
    with pytest.raises(RequestRejectedError, match=r"Price \(0\.505\) breaks minimum tick size rule: 0\.01") as error:
        await eoa.post_order(order)
    assert error.value.status == 400


async def test_bad_signature_is_refused(sdk, plain):
    order = await sdk.create_limit_order(asset_id=plain.first.asset, price="0.5", size=10, side="BUY")
    last = {"0": "1"}.get(order.signature[10], "0")
    forged = dataclasses.replace(order, signature=order.signature[:10] + last + order.signature[11:])
    with pytest.raises(RequestRejectedError, match="invalid signature") as error:
        await sdk.post_order(forged)
    assert error.value.status == 400
    assert await open_orders(sdk) == []


async def test_too_little_balance_is_refused(sdk, plain):
    too_much = await sdk.create_limit_order(asset_id=plain.first.asset, price="0.5", size=2_001, side="BUY")
    naked = await sdk.create_limit_order(asset_id=plain.first.asset, price="0.5", size=10, side="SELL")
    for order in (too_much, naked):
        with pytest.raises(RequestRejectedError, match="not enough balance / allowance") as error:
            await sdk.post_order(order)
        assert error.value.status == 400


async def test_batch_answers_each_order(eoa, plain):
    orders = [
        await eoa.create_limit_order(asset_id=plain.first.asset, price=price, size=size, side="BUY")
        for price, size in (("0.2", 10), ("0.5", 5_000), ("0.21", 10))
    ]
    first, second, third = await eoa.post_orders(orders)
    assert (first.ok, second.ok, third.ok) == (True, False, True)
    assert second.code == "not_enough_balance"
    cancelled = await eoa.cancel_all()
    assert set(cancelled.canceled) == {first.order_id, third.order_id}


@pytest.mark.parametrize("which", ["negative risk", "second protocol"])
async def test_other_exchange_contracts(sdk, which, neg_risk, second_protocol):
    chosen = neg_risk[0] if which == "negative risk" else second_protocol
    order = await sdk.create_limit_order(asset_id=chosen.second.asset, price="0.2", size=10, side="BUY")
    posted = await sdk.post_order(order)
    assert (posted.ok, posted.status) == (True, "live")


async def test_heartbeats_form_a_chain(eoa):
    first = await eoa.send_order_heartbeat()
    second = await eoa.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
    assert first.heartbeat_id != second.heartbeat_id


@pytest.mark.repository
async def test_example_of_the_documentation_runs(served, capsys):
    page = (Path(__file__).parents[3] / "docs" / "official-client.md").read_text()
    code = page.split("```python")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(code.replace("http://127.0.0.1:8930", served.url).replace("asyncio.run(main())", ""), names)  # noqa: S102
    await names["main"]()
    printed = capsys.readouterr().out
    assert "status='live'" in printed
    assert "canceled=('0x" in printed
