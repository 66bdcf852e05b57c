"""The CLOB's public endpoints: time, books, prices and market records (venue notes 4.1 to 4.4).

Owns paths and parameters. Reads what is displayed; must not change anything.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from aiohttp import web

from polycore.errors import VenueRefusal
from polycore.exchange.display import MarketBook, trade_price_text
from polycore.exchange.http import Handler, answer, page_answer, raw_answer, read_body
from polycore.exchange.records import clob_market, full_market, simplified_market
from polycore.exchange.service import Service
from polycore.exchange.values import Listing
from polycore.exchange.wire import TokenBody, base_fee, number
from polycore.model.ids import AssetId, MarketId
from polycore.model.market import Side
from polycore.model.money import PRICE_ONE, Price, format_price

_BATCH_LIMIT = 500
_PAGE = 500


class PublicRest:
    """Handlers that need no key."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Sequence[web.RouteDef]:
        single: dict[str, Callable[[MarketBook, AssetId, Mapping[str, str]], object]] = {
            "/price": lambda market, asset, query: {"price": _price(market, asset, query.get("side", ""))},
            "/midpoint": lambda market, asset, query: {"mid": _midpoint(market, asset)},
            "/spread": lambda market, asset, query: {"spread": _spread(market, asset)},
            "/last-trade-price": lambda market, asset, query: _last_trade(market),
            "/tick-size": lambda market, asset, query: {"minimum_tick_size": number(format_price(market.tick))},
            "/neg-risk": lambda market, asset, query: {"neg_risk": market.listing.market.neg_risk},
            "/fee-rate": lambda market, asset, query: {"base_fee": base_fee(market.listing.market.fee)},
        }
        return [
            web.get("/ok", self._ok),
            web.get("/time", self._time),
            web.get("/version", self._version),
            web.get("/book", self._book),
            web.post("/books", self._books),
            *(web.get(path, self._about_token(read)) for path, read in single.items()),
            web.post("/prices", self._prices),
            web.post("/midpoints", self._midpoints),
            web.post("/spreads", self._spreads),
            web.post("/last-trades-prices", self._last_trades),
            web.get("/clob-markets/{market}", self._clob_market),
            web.get("/markets-by-token/{token}", self._by_token),
            web.get("/markets", self._listing_of(full_market)),
            web.get("/sampling-markets", self._listing_of(full_market)),
            web.get("/simplified-markets", self._listing_of(simplified_market)),
            web.get("/sampling-simplified-markets", self._listing_of(simplified_market)),
            web.get("/markets/{market}", self._market),
        ]

    # ── The service itself ────────────────────────────────────────────────────

    async def _ok(self, request: web.Request) -> web.Response:
        return answer("OK")

    async def _time(self, request: web.Request) -> web.Response:
        return answer(self._service.now() // 1_000_000_000)

    async def _version(self, request: web.Request) -> web.Response:
        return answer({"version": 2})

    # ── Books and prices ──────────────────────────────────────────────────────

    async def _book(self, request: web.Request) -> web.Response:
        asset, market = self._token(request.query)
        return raw_answer(market.rest(asset))

    async def _books(self, request: web.Request) -> web.Response:
        found = await self._batch(request)
        return raw_answer(b"[" + b",".join(market.rest(asset) for asset, market, _ in found) + b"]")

    def _about_token(self, read: Callable[[MarketBook, AssetId, Mapping[str, str]], object]) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            asset, market = self._token(request.query)
            return answer(read(market, asset, request.query))

        return handler

    async def _prices(self, request: web.Request) -> web.Response:
        prices: dict[str, dict[str, str]] = {}
        for asset, market, side in await self._batch(request):
            if side is not None:
                prices.setdefault(asset, {})[side.value] = _price(market, asset, side.value)
        return answer(prices)

    async def _midpoints(self, request: web.Request) -> web.Response:
        return answer({asset: _midpoint(market, asset) for asset, market, _ in await self._batch(request)})

    async def _spreads(self, request: web.Request) -> web.Response:
        return answer({asset: _spread(market, asset) for asset, market, _ in await self._batch(request)})

    async def _last_trades(self, request: web.Request) -> web.Response:
        found = await self._batch(request)
        return answer([{"token_id": asset} | _last_trade(market) for asset, market, _ in found])

    # ── Market records ────────────────────────────────────────────────────────

    async def _clob_market(self, request: web.Request) -> web.Response:
        return answer(clob_market(self._listing(request)))

    async def _market(self, request: web.Request) -> web.Response:
        listing = self._listing(request)
        return answer(full_market(self._service.display.market(listing.market.id), listing))

    async def _by_token(self, request: web.Request) -> web.Response:
        market = self._service.exchange.market_of(AssetId(request.match_info["token"]))
        if market is None:
            raise VenueRefusal(404, "market not found")
        return answer(
            {
                "condition_id": market.id,
                "primary_token_id": market.first.asset,
                "secondary_token_id": market.second.asset,
            }
        )

    def _listing_of(self, record: Callable[[MarketBook, Listing], msgspec.Struct]) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            listings = self._service.exchange.listings
            records = [record(self._service.display.market(listing.market.id), listing) for listing in listings]
            return page_answer(records, request.query, _PAGE)

        return handler

    # ── Look-ups ──────────────────────────────────────────────────────────────

    def _token(self, query: Mapping[str, str]) -> tuple[AssetId, MarketBook]:
        text = query.get("token_id", "")
        if not text.isdecimal():
            raise VenueRefusal(400, "Invalid token id")
        market = self._service.display.of(AssetId(text))
        if market is None:
            raise VenueRefusal(404, "No orderbook exists for the requested token id")
        return AssetId(text), market

    async def _batch(self, request: web.Request) -> list[tuple[AssetId, MarketBook, Side | None]]:
        wanted = await read_body(request, list[TokenBody])
        if len(wanted) > _BATCH_LIMIT:
            raise VenueRefusal(400, "Payload exceeds the limit")
        shown = (
            (AssetId(body.token_id), self._service.display.of(AssetId(body.token_id)), body.side) for body in wanted
        )
        return [(asset, market, side) for asset, market, side in shown if market is not None]

    def _listing(self, request: web.Request) -> Listing:
        listing = self._service.exchange.listing(MarketId(request.match_info["market"]))
        if listing is None:
            raise VenueRefusal(404, "market not found")
        return listing


def _price(market: MarketBook, asset: AssetId, side: str) -> str:
    """BUY is the best bid, SELL the best ask (venue notes 4.1); 0 and 1 for an empty side."""
    book = market.tokens[asset]
    if side not in ("BUY", "SELL"):
        raise VenueRefusal(400, "Invalid side")
    return format_price(book.best_bid if side == "BUY" else book.best_ask)


def _midpoint(market: MarketBook, asset: AssetId) -> str:
    book = market.tokens[asset]
    return _half(book.best_bid + book.best_ask)


def _half(double: Price) -> str:
    """Text of half a price: a mid can lie between two ten-thousandths."""
    whole, fraction = divmod(double * 5, PRICE_ONE * 10)
    return f"{whole}.{fraction:05d}".rstrip("0").rstrip(".")


def _spread(market: MarketBook, asset: AssetId) -> str:
    book = market.tokens[asset]
    return format_price(book.best_ask - book.best_bid)


def _last_trade(market: MarketBook) -> dict[str, str]:
    last = market.last_trade
    if last.side is None:
        return {"price": "0.5", "side": ""}
    return {"price": trade_price_text(last.price), "side": last.side.value}
