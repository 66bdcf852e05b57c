"""The CLOB's private endpoints: keys, balances, orders, cancels, trades, heartbeats (venue notes 4.5 to 4.10).

Owns paths, parameters and delays. Must not touch the exchange but through the service.
"""

import asyncio
from collections.abc import Mapping, Sequence

from aiohttp import web

from polycore.errors import VenueRefusal
from polycore.exchange.account_bodies import OpenOrderBody, TradeBody, open_order_body, trade_body
from polycore.exchange.auth import Credentials, read_login
from polycore.exchange.eip712 import EXCHANGE_V3, NEG_RISK_EXCHANGE, STANDARD_EXCHANGE
from polycore.exchange.http import SignedHandler, answer, page_answer, read_body, signed
from polycore.exchange.orders import BAD_PAYLOAD, read_order
from polycore.exchange.service import Service
from polycore.exchange.state import StateKeeper
from polycore.exchange.values import BeatRefused, CancelResult, Order, PlaceResult, Refusal, Trade
from polycore.exchange.wallets import SignatureType
from polycore.exchange.wire import (
    BeatBody,
    CancelBody,
    CancelMarketBody,
    PostBody,
    RefusedEntry,
    cancel_answer,
    placed_answer,
)
from polycore.model.ids import AssetId, MarketId, OrderId

_ORDER_LIMIT = 15
_CANCEL_LIMIT = 3000
_PAGE = 500
_LONG_AGO, _FAR_AWAY = "-1", "99999999999"
_UNLIMITED = str((1 << 256) - 1)
_SPENDERS = (STANDARD_EXCHANGE, NEG_RISK_EXCHANGE, EXCHANGE_V3)


class AccountRest:
    """Handlers for the owner of a key. ``keep`` makes a new key survive before it is handed out."""

    def __init__(self, service: Service, keep: StateKeeper) -> None:
        self._service = service
        self._keep = keep

    def routes(self) -> Sequence[web.RouteDef]:
        private: list[tuple[str, str, SignedHandler]] = [
            ("GET", "/auth/api-keys", self._api_keys),
            ("DELETE", "/auth/api-key", self._delete_key),
            ("GET", "/auth/ban-status/closed-only", self._closed_only),
            ("GET", "/balance-allowance", self._balance),
            ("GET", "/balance-allowance/update", self._update_balance),
            ("GET", "/data/orders", self._orders),
            ("GET", "/data/order/{id}", self._order),
            ("GET", "/data/trades", self._trades),
            ("POST", "/order", self._post),
            ("POST", "/orders", self._post_batch),
            ("DELETE", "/order", self._cancel),
            ("DELETE", "/orders", self._cancel_batch),
            ("DELETE", "/cancel-all", self._cancel_all),
            ("DELETE", "/cancel-market-orders", self._cancel_market),
            ("POST", "/v1/heartbeats", self._heartbeat),
            ("GET", "/order-scoring", self._scoring),
            ("POST", "/orders-scoring", self._scorings),
            ("GET", "/notifications", self._notifications),
            ("DELETE", "/notifications", self._drop_notifications),
        ]
        return [
            web.post("/auth/api-key", self._create_key),
            web.get("/auth/derive-api-key", self._derive_key),
            *(web.route(method, path, signed(self._service, handler)) for method, path, handler in private),
        ]

    # ── Keys ──────────────────────────────────────────────────────────────────

    async def _create_key(self, request: web.Request) -> web.Response:
        return await self._log_in(request, create=True)

    async def _derive_key(self, request: web.Request) -> web.Response:
        return await self._log_in(request, create=False)

    async def _log_in(self, request: web.Request, *, create: bool) -> web.Response:
        login = read_login(request.headers, self._service.now() // 1_000_000_000)
        if login is None:
            self._service.log.write("login", path=request.path, status=401)
            raise VenueRefusal(401, "Invalid L1 Request headers")
        credentials = self._service.log_in(login, create=create)
        status = 200 if credentials else 400
        self._service.log.write("login", path=request.path, address=login.address, status=status)
        if credentials is None:
            raise VenueRefusal(400, "Could not create api key" if create else "Could not derive api key!")
        await self._keep.flush()
        return answer({"apiKey": credentials.key, "secret": credentials.secret, "passphrase": credentials.passphrase})

    async def _api_keys(self, request: web.Request, credentials: Credentials) -> web.Response:
        return answer({"apiKeys": self._service.keys.keys_of(credentials.address)})

    async def _delete_key(self, request: web.Request, credentials: Credentials) -> web.Response:
        self._service.revoke(credentials)
        return answer("OK")

    # ── The account ───────────────────────────────────────────────────────────

    async def _closed_only(self, request: web.Request, credentials: Credentials) -> web.Response:
        return answer({"closed_only": False})

    async def _balance(self, request: web.Request, credentials: Credentials) -> web.Response:
        """Base units. Allowances are unlimited: there is no chain to approve on."""
        query = request.query
        try:
            kind = SignatureType(int(query.get("signature_type", "0")))
        except ValueError:
            raise VenueRefusal(400, "Invalid signature_type") from None
        account = self._service.wallet(credentials.address, kind)
        if query.get("asset_type") == "COLLATERAL":
            held = self._service.exchange.money(account).total
        elif query.get("asset_type") in ("CONDITIONAL", "CONDITIONAL-V2"):
            held = self._service.exchange.shares(account, AssetId(query.get("token_id", ""))).total
        else:
            raise VenueRefusal(400, "Invalid asset_type")
        return answer({"balance": str(held), "allowances": dict.fromkeys(_SPENDERS, _UNLIMITED)})

    async def _update_balance(self, request: web.Request, credentials: Credentials) -> web.Response:
        """The venue re-reads the chain and answers with nothing; here nothing can have changed."""
        return web.Response(content_type="application/json")

    async def _notifications(self, request: web.Request, credentials: Credentials) -> web.Response:
        return answer([])

    async def _drop_notifications(self, request: web.Request, credentials: Credentials) -> web.Response:
        return answer("OK")

    async def _scoring(self, request: web.Request, credentials: Credentials) -> web.Response:
        """No order scores: this exchange pays no liquidity rewards."""
        return answer({"scoring": False})

    async def _scorings(self, request: web.Request, credentials: Credentials) -> web.Response:
        return answer(dict.fromkeys(await read_body(request, list[str]), False))

    async def _heartbeat(self, request: web.Request, credentials: Credentials) -> web.Response:
        body = await read_body(request, BeatBody)
        account = self._service.account_in_use(credentials.address)
        beat = self._service.exchange.heartbeat(account, body.heartbeat_id, self._service.now())
        self._service.pump()
        if isinstance(beat, BeatRefused):
            return answer({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": beat.expected}, status=400)
        return answer({"heartbeat_id": beat.next})

    # ── Reading orders and trades ─────────────────────────────────────────────

    async def _orders(self, request: web.Request, credentials: Credentials) -> web.Response:
        query = request.query
        market, asset = MarketId(query.get("market", "")), AssetId(query.get("asset_id", ""))
        found = [
            order
            for account in self._service.accounts_of(credentials.address)
            for order in self._service.exchange.open_orders(account, market=market or None, asset=asset or None)
            if query.get("id", order.id) == order.id
        ]
        found.sort(key=lambda order: order.created)
        return page_answer([self._order_body(order) for order in found], query, _PAGE)

    async def _order(self, request: web.Request, credentials: Credentials) -> web.Response:
        order = self._service.exchange.order(OrderId(request.match_info["id"]))
        if order is None or order.account not in self._service.accounts_of(credentials.address):
            raise VenueRefusal(404, "order not found")
        return answer(self._order_body(order))

    async def _trades(self, request: web.Request, credentials: Credentials) -> web.Response:
        query = request.query
        try:
            after, before = int(query.get("after", _LONG_AGO)), int(query.get("before", _FAR_AWAY))
        except ValueError:
            raise VenueRefusal(400, "Invalid before or after: expected Unix seconds") from None
        found = [
            (trade, account)
            for account in self._service.accounts_of(credentials.address)
            for trade in self._service.exchange.trades(account)
            if _wanted(trade, query) and after < trade.matched_time // 1_000_000_000 < before
        ]
        found.sort(key=lambda pair: pair[0].matched_time, reverse=True)
        return page_answer([self._trade_body(trade, account) for trade, account in found], query, _PAGE)

    # ── Placing and cancelling ────────────────────────────────────────────────

    async def _post(self, request: web.Request, credentials: Credentials) -> web.Response:
        body = await read_body(request, PostBody, BAD_PAYLOAD)
        result = await self._place(body, credentials)
        if isinstance(result, Refusal):
            raise VenueRefusal(result.status, result.text)
        return answer(placed_answer(result))

    async def _post_batch(self, request: web.Request, credentials: Credentials) -> web.Response:
        bodies = await read_body(request, list[PostBody], BAD_PAYLOAD)
        if len(bodies) > _ORDER_LIMIT:
            raise VenueRefusal(400, f"Too many orders in payload: {len(bodies)}, max allowed: {_ORDER_LIMIT}")
        results = await asyncio.gather(*(self._place(body, credentials) for body in bodies))
        return answer([RefusedEntry(r.text) if isinstance(r, Refusal) else placed_answer(r) for r in results])

    async def _place(self, body: PostBody, credentials: Credentials) -> PlaceResult:
        try:
            order = read_order(body, credentials, self._service.exchange)
        except VenueRefusal as refusal:
            self._service.log.write("order", status=refusal.status, refusal=refusal.reason)
            return Refusal(refusal.status, refusal.reason)
        self._service.open_account(order.account)
        received = self._service.now()
        if delay := self._service.exchange.entry_delay(order):
            await asyncio.sleep(delay / 1e9)
        result = self._service.place(order, credentials)
        self._service.log.write(
            "order",
            id=order.id,
            account=order.account,
            asset=order.asset,
            side=order.side.value,
            maker_amount=order.maker_amount,
            taker_amount=order.taker_amount,
            kind=order.kind.value,
            post_only=order.post_only,
            received=received,
            status=result.status if isinstance(result, Refusal) else result.status.value,
            refusal=result.text if isinstance(result, Refusal) else None,
        )
        return result

    async def _cancel(self, request: web.Request, credentials: Credentials) -> web.Response:
        body = await read_body(request, CancelBody)
        return self._cancelled(self._service.cancel(credentials.address, [OrderId(body.orderID)]))

    async def _cancel_batch(self, request: web.Request, credentials: Credentials) -> web.Response:
        ids = await read_body(request, list[str])
        if len(ids) > _CANCEL_LIMIT:
            raise VenueRefusal(400, f"Too many orders in payload: {len(ids)}, max allowed: {_CANCEL_LIMIT}")
        return self._cancelled(self._service.cancel(credentials.address, map(OrderId, dict.fromkeys(ids))))

    async def _cancel_all(self, request: web.Request, credentials: Credentials) -> web.Response:
        return self._cancelled(self._service.cancel_all(credentials.address))

    async def _cancel_market(self, request: web.Request, credentials: Credentials) -> web.Response:
        body = await read_body(request, CancelMarketBody)
        if not body.market and not body.asset_id:
            raise VenueRefusal(400, "Invalid payload: market or asset_id is required")
        market, asset = MarketId(body.market) or None, AssetId(body.asset_id) or None
        return self._cancelled(self._service.cancel_market(credentials.address, market, asset))

    def _cancelled(self, result: CancelResult) -> web.Response:
        self._service.log.write("cancel", canceled=tuple(result.canceled), not_canceled=tuple(result.not_canceled))
        return answer(cancel_answer(result))

    # ── Bodies ────────────────────────────────────────────────────────────────

    def _order_body(self, order: Order) -> OpenOrderBody:
        return open_order_body(order, self._service.market(order.market), self._service.key_of(order.id, order.account))

    def _trade_body(self, trade: Trade, account: str) -> TradeBody:
        return trade_body(trade, self._service.market(trade.market), account, self._service.key_of)


def _wanted(trade: Trade, query: Mapping[str, str]) -> bool:
    """Whether a trade passes the filters; ``market`` and ``asset_id`` look at the taker's token alone, as there."""
    makers = {trade.taker.lower()} | {maker.account.lower() for maker in trade.makers}
    return (
        query.get("id", trade.id) == trade.id
        and query.get("market", trade.market) == trade.market
        and query.get("asset_id", trade.asset) == trade.asset
        and query.get("maker_address", trade.taker).lower() in makers
    )
