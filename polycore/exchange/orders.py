"""From the body of ``POST /order`` to an order that the exchange may take: form, owner, wallet and signature.

Owns the checks that come before matching. Refuses with the venue's own texts (venue notes 4.12), one marked as ours.
"""

import msgspec

from polycore.errors import VenueRefusal
from polycore.exchange.auth import Credentials
from polycore.exchange.eip712 import (
    OrderFields,
    checksum_address,
    deposit_wallet_order_signer,
    exchange_domain,
    order_digest,
    parse_address,
    plain_order_signer,
)
from polycore.exchange.exchange import Exchange
from polycore.exchange.values import OrderRequest
from polycore.exchange.wallets import SignatureType, wallets_of
from polycore.exchange.wire import OrderBody, PostBody
from polycore.model.ids import AssetId, OrderId
from polycore.model.intents import TimeInForce
from polycore.model.market import Side

BAD_PAYLOAD = "Invalid order payload"
OLD_VERSION = "invalid order version, please use the latest clob-client"
BAD_SIGNATURE = "invalid signature"
"""Ours: the venue notes give no text for a refused signature."""
_OLD_FIELDS = {"nonce", "feeRateBps", "taker"}


def read_order(body: PostBody, credentials: Credentials, exchange: Exchange) -> OrderRequest:
    """The order that a body stands for, its signature proven. Raises ``VenueRefusal`` with the venue's words."""
    if body.owner != credentials.key:
        raise VenueRefusal(400, "the order owner has to be the owner of the API KEY")
    order = _read_signed(body.order)
    try:
        kind = TimeInForce(body.order_type)
        fields = _fields(order)
        signature = bytes.fromhex(order.signature.removeprefix("0x"))
        expires = int(order.expiration)
    except ValueError:
        raise VenueRefusal(400, BAD_PAYLOAD) from None
    market = exchange.market_of(AssetId(order.token_id))
    if market is None:
        raise VenueRefusal(404, "market not found")
    domain = exchange_domain(neg_risk=market.neg_risk, version=market.version)
    owner = parse_address(credentials.address)
    _check_wallet(fields, owner)
    recover = deposit_wallet_order_signer if _by_wallet(fields) else plain_order_signer
    if recover(fields, domain, signature) != owner:
        raise VenueRefusal(400, BAD_SIGNATURE)
    return OrderRequest(
        id=OrderId("0x" + order_digest(fields, domain).hex()),
        account=checksum_address(fields.maker),
        asset=AssetId(order.token_id),
        side=order.side,
        maker_amount=fields.maker_amount,
        taker_amount=fields.taker_amount,
        kind=kind,
        post_only=body.post_only,
        expires=expires,
    )


def _read_signed(raw: msgspec.Raw) -> OrderBody:
    try:
        return msgspec.json.decode(raw, type=OrderBody)
    except msgspec.ValidationError:
        keys = msgspec.json.decode(raw)
        if isinstance(keys, dict) and _OLD_FIELDS & keys.keys():
            raise VenueRefusal(400, OLD_VERSION) from None
        raise VenueRefusal(400, BAD_PAYLOAD) from None


def _fields(order: OrderBody) -> OrderFields:
    """Raises ``ValueError`` for texts that are not what the contract's types hold."""
    fields = OrderFields(
        salt=order.salt,
        maker=parse_address(order.maker),
        signer=parse_address(order.signer),
        token=_integer(order.token_id),
        maker_amount=_integer(order.maker_amount),
        taker_amount=_integer(order.taker_amount),
        side=0 if order.side is Side.BUY else 1,
        signature_type=SignatureType(order.signature_type),
        timestamp=_integer(order.timestamp),
        metadata=bytes.fromhex(order.metadata.removeprefix("0x")),
        builder=bytes.fromhex(order.builder.removeprefix("0x")),
    )
    if not fields.maker_amount or not fields.taker_amount or order.salt < 0:
        raise ValueError("an order gives and takes more than nothing")
    if len(fields.metadata) != 32 or len(fields.builder) != 32:
        raise ValueError("metadata and builder have 32 bytes")
    return fields


def _integer(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) >= 1 << 256:
        raise ValueError(f"{text!r} is not a base-unit amount")
    return int(text)


def _check_wallet(fields: OrderFields, owner: bytes) -> None:
    """Refuse an order whose wallet is not the key owner's: the chain would refuse its signature."""
    wallet_signs = _by_wallet(fields)
    if fields.signer != (fields.maker if wallet_signs else owner):
        raise VenueRefusal(400, "the order signer address has to be the address of the API KEY")
    if fields.maker not in wallets_of(owner)[SignatureType(fields.signature_type)]:
        raise VenueRefusal(400, BAD_SIGNATURE)


def _by_wallet(fields: OrderFields) -> bool:
    return fields.signature_type == SignatureType.DEPOSIT_WALLET
