"""The door orders leave by: signing, posting, cancelling and reading back over the venue's REST interface.

Owns the API credentials of the key and the market facts a signature needs, learned beforehand so that no request stands
between an intent and its POST. Every request is sent once: only proof that it never left, or a refused credential, lets
the same bytes go again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from polycore import (
    Approved,
    AssetId,
    Balances,
    Cancelled,
    Clock,
    LinkError,
    Market,
    Money,
    OrderId,
    OrderState,
    OrderUpdate,
    OutcomeUnknown,
    Posted,
    Price,
    ProtocolViolation,
    Response,
    SignedOrder,
    Size,
    TimeInForce,
    Transport,
    UsageError,
    VenueRefusal,
    parse_price,
)
from polycore.venues.polymarket.amounts import AMOUNT_DECIMALS, Amounts, amounts
from polycore.venues.polymarket.credentials import Credentials
from polycore.venues.polymarket.errors import RefusalKind, error_text, refusal_kind, require_ok
from polycore.venues.polymarket.fills import order_update
from polycore.venues.polymarket.outcomes import Sent, batch_answers, one_answer, unknown
from polycore.venues.polymarket.signer import OrderSigner, OrderTerms, Signature, random_salt
from polycore.venues.polymarket.wire import BalanceAnswer, CancelAnswer, OrderPage

ORDERS_PER_REQUEST = 15
CANCELS_PER_REQUEST = 1_000
"""Published limits of 1000 and 3000 disagree."""
_FIRST_CURSOR, _LAST_CURSOR = "MA==", "LTE="
_GTD_MARGIN_SECONDS = 180
_READS_AT_ONCE = 8
_SECOND = 1_000_000_000
_T = TypeVar("_T")
_NO_BUILDER = "0x" + "00" * 32


class PolymarketGateway:
    """Fulfils ``OrderGateway``. ``learn`` must have seen a market before one of its orders is signed."""

    def __init__(self, base_url: str, transport: Transport, signer: OrderSigner, clock: Clock) -> None:
        self._base = base_url
        self._transport = transport
        self._signer = signer
        self._clock = clock
        self._markets: dict[AssetId, Market] = {}
        self._ticks: dict[AssetId, Price] = {}
        self._credentials: Credentials | None = None
        self._renewal: asyncio.Task[Credentials] | None = None

    @property
    def credentials(self) -> Credentials:
        """API credentials in force. Raises ``UsageError`` before ``open``."""
        if self._credentials is None:
            raise UsageError("the gateway has no credentials yet: open it first")
        return self._credentials

    @property
    def funder(self) -> str:
        """Address that holds the money."""
        return self._signer.funder

    def learn(self, market: Market) -> None:
        """Take over what a signature needs to know of a market's two tokens."""
        for asset in market.assets:
            self._markets[asset] = market
            self._ticks[asset] = market.tick

    async def open(self) -> None:
        self._credentials = await self._obtain()

    async def close(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            with suppress(asyncio.CancelledError, LinkError, OutcomeUnknown, VenueRefusal, ProtocolViolation):
                await self._renewal

    async def sign(self, orders: Sequence[Approved]) -> Sequence[SignedOrder]:
        """Sign in 0.1 to 0.2 ms each: a batch of 15 holds the loop for no longer than a slice of deliveries does.

        Not in a thread: the work holds the interpreter's lock, and a busy loop would let the thread wait for it.
        """
        prepared = [(approved, self._terms(approved)) for approved in orders]
        signed: list[SignedOrder] = []
        for approved, terms in prepared:
            signature = self._signer.sign(terms)
            signed.append(SignedOrder(approved, signature.order, self._body(approved, terms, signature)))
        return signed

    async def post(self, orders: Sequence[SignedOrder]) -> Sequence[Posted]:
        """One by ``POST /order``, up to 15 by ``POST /orders``, more in several requests. Every leg gets an answer."""
        answers: list[Posted] = []
        for part in _parts(orders, ORDERS_PER_REQUEST):
            answers.extend(await self._post_part([Sent(signed, self._amounts(signed.approved)) for signed in part]))
        return answers

    async def cancel(self, orders: Sequence[OrderId]) -> Cancelled:
        """Withdraw orders. An id the answer does not name counts as refused."""
        cancelled: list[OrderId] = []
        refused: dict[OrderId, str] = {}
        for part in _parts(orders, CANCELS_PER_REQUEST):
            if len(part) == 1:
                answer = await self._cancel("/order", msgspec.json.encode({"orderID": part[0]}))
            else:
                answer = await self._cancel("/orders", msgspec.json.encode(list(part)))
            cancelled.extend(answer.cancelled)
            refused.update(answer.refused)
            named = {*answer.cancelled, *answer.refused}
            refused.update({order: "the answer does not name it" for order in part if order not in named})
        return Cancelled(tuple(cancelled), refused)

    async def cancel_all(self) -> Cancelled:
        return await self._cancel("/cancel-all", b"")

    async def open_orders(self) -> Sequence[OrderUpdate]:
        """Every open order of the account. Raises rather than return a part."""
        found: dict[OrderId, OrderUpdate] = {}
        cursor, seen = _FIRST_CURSOR, set[str]()
        while cursor and cursor != _LAST_CURSOR:
            if cursor in seen:
                raise ProtocolViolation(f"the open-order listing repeats its cursor {cursor!r}")
            seen.add(cursor)
            page = _decode(await self._read("/data/orders", f"?next_cursor={cursor}"), OrderPage)
            try:
                updates = [order_update(order, self._clock.monotonic()) for order in page.data]
            except ValueError as error:
                raise ProtocolViolation(f"an open order cannot be read: {error}") from error
            found.update((update.order, update) for update in updates)
            cursor = page.next_cursor or ""
        return list(found.values())

    async def balances(self, assets: Sequence[AssetId]) -> Balances:
        """pUSD and shares as the venue last read them from the chain."""
        limit = asyncio.Semaphore(_READS_AT_ONCE)
        kinds = ["asset_type=COLLATERAL", *(self._conditional(asset) for asset in assets)]
        money, *shares = await _all([self._balance(kind, limit) for kind in kinds])
        return Balances(money, dict(zip(assets, shares, strict=True)))

    def _terms(self, approved: Approved) -> OrderTerms:
        order, now = approved.order, self._clock.wall()
        market = self._markets.get(order.asset)
        if market is None:
            raise UsageError(
                f"order {approved.client_order}: token {order.asset} is of no market the catalogue has found"
            )
        if order.time_in_force is TimeInForce.GTD and order.expires < now // _SECOND + _GTD_MARGIN_SECONDS:
            raise UsageError(
                f"order {approved.client_order}: expires {order.expires} is less than {_GTD_MARGIN_SECONDS} s from now"
            )
        return OrderTerms(
            order.asset, market.neg_risk, order.side, self._amounts(approved), now // 1_000_000, random_salt()
        )

    def _amounts(self, approved: Approved) -> Amounts:
        return amounts(approved, self._ticks.get(approved.order.asset, 0))

    def _body(self, approved: Approved, terms: OrderTerms, signature: Signature) -> bytes:
        """The request without its ``owner``, which is added when it is sent: credentials may be renewed in between."""
        order = approved.order
        request: dict[str, object] = {
            "deferExec": False,
            "order": {
                "builder": _NO_BUILDER,
                "expiration": str(order.expires if order.time_in_force is TimeInForce.GTD else 0),
                "maker": signature.maker,
                "makerAmount": str(terms.amounts.maker),
                "metadata": _NO_BUILDER,
                "salt": terms.salt,
                "side": order.side.value,
                "signature": signature.text,
                "signatureType": self._signer.wallet.value,
                "signer": signature.signer,
                "takerAmount": str(terms.amounts.taker),
                "timestamp": str(terms.milliseconds),
                "tokenId": order.asset,
            },
            "orderType": order.time_in_force.value,
        }
        if order.post_only:
            request["postOnly"] = True
        return msgspec.json.encode(request)

    async def _post_part(self, sent: Sequence[Sent]) -> list[Posted]:
        path = "/order" if len(sent) == 1 else "/orders"

        def body(credentials: Credentials) -> bytes:
            owner = b',"owner":' + msgspec.json.encode(credentials.api_key) + b"}"
            owned = [order.signed.body[:-1] + owner for order in sent]
            return owned[0] if len(owned) == 1 else b"[" + b",".join(owned) + b"]"

        try:
            response = await self._private("POST", path, body)
        except LinkError as error:
            return [Posted(order.signed.order, OrderState.REJECTED, reason=f"not sent: {error}") for order in sent]
        except OutcomeUnknown as error:
            return [unknown(order, str(error)) for order in sent]
        answers = [one_answer(sent[0], response)] if len(sent) == 1 else batch_answers(sent, response)
        for order, answer in zip(sent, answers, strict=True):
            self._learn_tick(order.signed.approved.order.asset, answer)
        return answers

    def _learn_tick(self, asset: AssetId, answer: Posted) -> None:
        """A refusal for the tick names the tick in force: ``… breaks minimum tick size rule: 0.01``."""
        if answer.reason and refusal_kind(0, answer.reason) is RefusalKind.TICK:
            with suppress(ValueError):
                tick = parse_price(answer.reason.rpartition(":")[2].strip())
                if tick in AMOUNT_DECIMALS:
                    self._ticks[asset] = tick

    async def _cancel(self, path: str, body: bytes) -> Cancelled:
        response = await self._private("DELETE", path, lambda _: body)
        words = error_text(response) if response.status != 200 else None
        if words is not None and response.status < 500:
            raise VenueRefusal(response.status, words)
        try:
            if response.status != 200:
                raise ValueError(words or "no readable reason")
            answer = msgspec.json.decode(response.body, type=CancelAnswer)
        except (msgspec.MsgspecError, ValueError) as error:
            raise OutcomeUnknown(f"DELETE {path}: the venue answered {response.status}: {error}") from error
        refused = {OrderId(order): reason for order, reason in answer.not_canceled.items()}
        return Cancelled(tuple(OrderId(order) for order in answer.canceled), refused)

    def _conditional(self, asset: AssetId) -> str:
        market = self._markets.get(asset)
        kind = "CONDITIONAL-V2" if market is not None and market.version == "v2" else "CONDITIONAL"
        return f"asset_type={kind}&token_id={asset}"

    async def _balance(self, kind: str, limit: asyncio.Semaphore) -> Money | Size:
        query = f"?{kind}&signature_type={self._signer.wallet.value}"
        async with limit:
            answer = _decode(await self._read("/balance-allowance", query), BalanceAnswer)
        if not (answer.balance.isascii() and answer.balance.isdecimal()):
            raise ProtocolViolation(f"balance {answer.balance!r} is not a whole number of base units")
        return int(answer.balance)

    async def _read(self, path: str, query: str) -> bytes:
        """A private read. It has no effect, so a missing answer is a ``LinkError`` like any other."""
        try:
            response = await self._private("GET", path, lambda _: b"", query)
        except OutcomeUnknown as error:
            raise LinkError(f"GET {path}: no answer") from error
        return require_ok(response, f"GET {path}")

    async def _private(self, method: str, path: str, body: Callable[[Credentials], bytes], query: str = "") -> Response:
        """One L2 request. Refused credentials are derived anew, once, and the same request goes again."""
        credentials = self.credentials
        response = await self._send(method, path, query, body(credentials), credentials)
        if response.status == 401 and error_text(response) is not None:
            renewed = await self._renewed(credentials)
            if renewed is not None:
                response = await self._send(method, path, query, body(renewed), renewed)
        return response

    async def _send(self, method: str, path: str, query: str, body: bytes, credentials: Credentials) -> Response:
        seconds = self._clock.wall() // _SECOND
        headers = credentials.headers(self._signer.address, seconds, method, path, body)
        if body:
            headers["Content-Type"] = "application/json"
        return await self._transport.request(method, self._base + path + query, headers=headers, body=body or None)

    async def _renewed(self, refused: Credentials) -> Credentials | None:
        """Credentials newer than the refused ones; ``None`` where the venue gives none. One derivation serves all."""
        if self._credentials is refused:
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(self._obtain(), name="polymarket-credentials")
            try:
                self._credentials = await asyncio.shield(self._renewal)
            except (LinkError, OutcomeUnknown, VenueRefusal, ProtocolViolation):
                return None
        return self._credentials

    async def _obtain(self) -> Credentials:
        """Create API credentials, or derive those that exist: the venue answers 400 to a second creation."""
        created = await self._l1("POST", "/auth/api-key")
        if created.status == 400:
            derived = await self._l1("GET", "/auth/derive-api-key")
            return Credentials.read(require_ok(derived, "deriving API credentials"))
        return Credentials.read(require_ok(created, "creating API credentials"))

    async def _l1(self, method: str, path: str) -> Response:
        headers = self._signer.l1_headers(self._clock.wall() // _SECOND)
        try:
            return await self._transport.request(method, self._base + path, headers=headers)
        except OutcomeUnknown as error:
            raise LinkError(f"{method} {path}: no answer") from error


def _parts(items: Sequence[_T], most: int) -> Iterable[Sequence[_T]]:
    return (items[start : start + most] for start in range(0, len(items), most))


async def _all(reads: Sequence[Coroutine[None, None, int]]) -> list[int]:
    """Results of reads that run together; the first failure is raised as it is and ends the others."""
    tasks = [asyncio.create_task(read) for read in reads]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolViolation(f"a {kind.__name__} cannot be read: {error}") from error
