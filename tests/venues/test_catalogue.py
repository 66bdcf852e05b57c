"""The catalogue and REST books over real sockets, against answers shaped as the venue's."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from polycore import (
    AssetId,
    FeeSchedule,
    LinkError,
    ManualClock,
    Market,
    MarketStatus,
    ProtocolViolation,
    UsageError,
    VenueRefusal,
)
from polycore.venues.polymarket.catalogue import PolymarketCatalogue
from polycore.venues.polymarket.config import VENUE_HOSTS, Hosts, PolymarketSettings
from polycore.venues.polymarket.transport import HttpTransport


def market(number: int, **changed: object) -> dict[str, object]:
    known: dict[str, object] = {
        "id": str(number), "conditionId": f"0x{number:064x}", "slug": f"market-{number}",
        "question": f"Number {number}?", "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps([f"{number}1", f"{number}2"]),
        "orderPriceMinTickSize": 0.001, "orderMinSize": 5, "negRisk": False, "active": True, "closed": False,
        "acceptingOrders": True, "enableOrderBook": True, "feesEnabled": True,
        "feeSchedule": {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2},
        "endDate": "2026-10-05T23:15:00Z", "version": "v1",
    }  # fmt: skip
    return {**known, **changed}


def event(slug: str, *markets: dict[str, object], **changed: object) -> dict[str, object]:
    return {
        "id": slug,
        "slug": slug,
        "negRisk": True,
        "markets": list(markets),
        "tags": [{"slug": "politics"}],
        **changed,
    }


class Gamma:
    """Discovery and books, as the test sets them."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []
        self.queries: list[dict[str, str]] = []
        self.books: list[dict[str, object]] = []
        self.batches: list[int] = []
        self.url = ""
        self.broken = 0
        self.circular = False

    async def handle(self, request: web.Request) -> web.Response:
        if self.broken:
            return web.json_response({"error": "try later"}, status=self.broken)
        path = request.path.removeprefix("/gamma")
        if path == "/books":
            wanted = [entry["token_id"] for entry in await request.json()]
            self.batches.append(len(wanted))
            return web.json_response([book for book in self.books if book["asset_id"] in wanted])
        self.queries.append(dict(request.query))
        if path == "/events/keyset":
            at = int(request.query.get("after_cursor", "0"))
            following = {"next_cursor": "0" if self.circular else str(at + 1)} if at + 1 < len(self.events) else {}
            return web.json_response({"events": self.events[at : at + 1], **following})
        listed = [{**inner, "events": [{"id": "x", "slug": outer["slug"]}]} for outer in self.events
                  for inner in outer["markets"]]  # type: ignore[attr-defined]  # fmt: skip
        if path == "/markets/keyset":
            wanted_id = request.query["condition_ids"]
            return web.json_response({"markets": [found for found in listed if found["conditionId"] == wanted_id]})
        kind, _, slug = path.removeprefix("/").partition("/slug/")
        pool = self.events if kind == "events" else listed
        for found in pool:
            if found["slug"] == slug:
                return web.json_response(found)
        return web.json_response({"error": "not found"}, status=404)


@pytest.fixture
async def gamma() -> AsyncIterator[Gamma]:
    gamma = Gamma()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", gamma.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    gamma.url = f"http://{host}:{port}"
    yield gamma
    await runner.cleanup()


@pytest.fixture
async def learned() -> list[Market]:
    return []


@pytest.fixture
async def catalogue(gamma: Gamma, learned: list[Market]) -> AsyncIterator[PolymarketCatalogue]:
    transport = HttpTransport()
    hosts = Hosts(clob=gamma.url, gamma=f"{gamma.url}/gamma", stream="")
    yield PolymarketCatalogue(hosts, transport, ManualClock(monotonic=9), learned.append)
    await transport.close()


async def test_a_market_is_read_with_exact_numbers(gamma: Gamma, catalogue: PolymarketCatalogue, learned: list[Market]):
    gamma.events = [event("e", market(1), negRisk=False)]
    (found,) = await catalogue.find(["market-1"])
    assert found.assets == ("11", "12")
    assert (found.first.label, found.tick, found.minimum_size) == ("Yes", 10, 5_000_000)
    assert found.fee == FeeSchedule(70_000, 1, 200_000)
    assert (found.status, found.event, found.event_complete) == (MarketStatus.OPEN, None, False)
    assert found.end_time == 1_791_242_100 * 1_000_000_000
    assert learned == [found]


async def test_every_selector_finds_its_markets_once(gamma: Gamma, catalogue: PolymarketCatalogue):
    gamma.events = [event("a", market(1), market(2)), event("b", market(3))]
    for selector, expected in {
        "*": [1, 2, 3],
        "event:a": [1, 2],
        "tag:politics": [1, 2, 3],
        f"0x{2:064x}": [2],
        "market-3": [3],
    }.items():
        assert [int(found.id, 16) for found in await catalogue.find([selector])] == expected
    assert [int(found.id, 16) for found in await catalogue.find(["market-3", "*"])] == [3, 1, 2]
    assert {"closed": "false", "limit": "100", "tag_slug": "politics", "after_cursor": "1"} in gamma.queries


@pytest.mark.parametrize("selector", ["nosuch", "event:nosuch", "0x00", "event:", ""])
async def test_a_selector_without_a_market_is_named(gamma: Gamma, catalogue: PolymarketCatalogue, selector: str):
    with pytest.raises(UsageError, match=repr(selector)):
        await catalogue.find([selector])


NEG = {"negRisk": True}


async def test_a_neg_risk_event_is_complete_when_all_its_markets_are_found_and_open(
    gamma: Gamma, catalogue: PolymarketCatalogue
):
    gamma.events = [event("nominee", market(1, **NEG), market(2, **NEG))]
    for selectors in (["event:nominee"], ["market-1", "market-2"], ["*"]):
        found = await catalogue.find(selectors)
        assert [(one.event, one.event_complete, one.neg_risk) for one in found] == [("nominee", True, True)] * 2


async def test_a_part_of_an_event_is_never_complete(gamma: Gamma, catalogue: PolymarketCatalogue):
    gamma.events = [event("nominee", market(1, **NEG), market(2, **NEG))]
    (alone,) = await catalogue.find(["market-1"])
    assert (alone.event, alone.event_complete) == ("nominee", False)

    for fault in ({"closed": True}, {"clobTokenIds": None}, {"outcomes": "[]"}, {"conditionId": None}):
        gamma.events = [event("nominee", market(1, **NEG), market(2, **NEG), market(3, **NEG, **fault))]
        found = await catalogue.find(["event:nominee"])
        assert not any(one.event_complete for one in found)

    gamma.events = [event("nominee", market(1, **NEG), market(2, **NEG), negRiskAugmented=True)]
    assert not any(one.event_complete for one in await catalogue.find(["event:nominee"]))


async def test_protocol_v2_ids_are_padded_and_its_tokens_are_the_positions(
    gamma: Gamma, catalogue: PolymarketCatalogue
):
    short = "0x" + "017791f201d5a788e0039e511fc1900e5f".ljust(62, "0")
    gamma.events = [event("e", market(1, conditionId=short, version="v2", positionIds=["71", "72"]), negRisk=False)]
    (found,) = await catalogue.find(["market-1"])
    assert (found.id, found.assets, found.version) == (short + "00", ("71", "72"), "v2")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"closed": True, "acceptingOrders": True}, MarketStatus.CLOSED),
        ({"umaResolutionStatus": "resolved"}, MarketStatus.RESOLVED),
        ({"resolutionStatus": "resolved"}, MarketStatus.RESOLVED),
        ({"acceptingOrders": False}, MarketStatus.PAUSED),
        ({"enableOrderBook": None}, MarketStatus.PAUSED),
        ({"active": False}, MarketStatus.PAUSED),
    ],
)
async def test_only_all_four_flags_together_are_open(
    gamma: Gamma, catalogue: PolymarketCatalogue, fields: dict[str, object], status: MarketStatus
):
    gamma.events = [event("e", market(1, **fields))]
    (found,) = await catalogue.find(["market-1"])
    assert found.status is status


async def test_fee_free_markets_are_free(gamma: Gamma, catalogue: PolymarketCatalogue):
    for fields in ({"feeSchedule": None}, {"feesEnabled": False}):
        gamma.events = [event("e", market(1, **fields))]
        assert (await catalogue.find(["market-1"]))[0].fee == FeeSchedule()


async def test_an_unreadable_market_is_left_out_of_a_listing_and_an_error_when_named(
    gamma: Gamma, catalogue: PolymarketCatalogue, caplog: pytest.LogCaptureFixture
):
    gamma.events = [event("e", market(1), market(2, outcomes='["Only one"]'), market(3, orderPriceMinTickSize="NaN"))]
    assert [found.slug for found in await catalogue.find(["*"])] == ["market-1"]
    assert len(caplog.records) == 2
    with pytest.raises(ProtocolViolation, match="market-2"):
        await catalogue.find(["market-2"])


@pytest.mark.parametrize(
    "fields",
    [{"orderPriceMinTickSize": number} for number in (0.00015, 0, -0.01, 1e9)]
    + [{"orderMinSize": number} for number in (0.0000001, 0, -5, 1e9)],
)
async def test_a_number_that_is_no_tick_or_size_is_not_rounded_into_one(
    gamma: Gamma, catalogue: PolymarketCatalogue, fields: dict[str, object]
):
    gamma.events = [event("e", market(1, **fields))]
    with pytest.raises(ProtocolViolation, match="is not a positive number of"):
        await catalogue.find(["market-1"])


@pytest.mark.parametrize(("status", "error"), [(500, LinkError), (429, VenueRefusal)])
async def test_a_catalogue_that_fails_raises(
    gamma: Gamma, catalogue: PolymarketCatalogue, status: int, error: type[Exception]
):
    gamma.broken = status
    for call in (catalogue.find(["*"]), catalogue.find(["x"]), catalogue.books([AssetId("1")])):
        with pytest.raises(error):
            await call


async def test_a_listing_that_goes_round_in_circles_is_not_followed(gamma: Gamma, catalogue: PolymarketCatalogue):
    gamma.events, gamma.circular = [event("a", market(1)), event("b", market(2))], True
    async with asyncio.timeout(5):
        with pytest.raises(LinkError, match="repeats its cursor '0'"):
            await catalogue.find(["*"])


async def test_books_are_read_by_the_hundred(gamma: Gamma, catalogue: PolymarketCatalogue):
    gamma.books = [
        {"market": "0xm", "asset_id": str(number), "timestamp": "1791241810525", "hash": "", "min_order_size": "5",
         "bids": [{"price": "0.01", "size": "1123"}], "asks": [], "tick_size": "0.01", "neg_risk": False,
         "last_trade_price": "0.040"} for number in range(150)
    ]  # fmt: skip
    found = await catalogue.books([AssetId(str(number)) for number in range(201)])
    assert gamma.batches == [100, 100, 1]
    assert [book.asset for book in found] == [str(number) for number in range(150)]
    assert (found[0].bids, found[0].tick, found[0].received_time) == ({100: 1_123_000_000}, 100, 9)
    assert found[0].venue_time == 1_791_241_810_525_000_000


def test_the_local_network_stays_on_loopback():
    hosts = PolymarketSettings(exchange="http://127.0.0.1:8930/").hosts()
    assert hosts.market_stream == "ws://127.0.0.1:8930/ws/market"
    assert hosts.gamma == "http://127.0.0.1:8930/gamma"
    for elsewhere in ("", "http://example.com", "https://clob.polymarket.com", "http://127.0.0.1.example.com"):
        with pytest.raises(UsageError):
            PolymarketSettings(exchange=elsewhere).hosts()
    assert PolymarketSettings(network="mainnet").hosts() == VENUE_HOSTS
