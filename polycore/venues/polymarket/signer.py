"""Signatures by the venue's official client, of which only the signing is used: no HTTP of its own.

The one file that imports it. Imported when a signer is made, never before: ``polycore`` works without the client.
"""

import secrets
from typing import NamedTuple, cast

import coincurve  # noqa: F401 - without it the client signs a hundred times slower, in pure Python
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from polymarket._internal.actions.auth import build_l1_auth_headers
from polymarket._internal.actions.orders.context import resolve_order_exchange_address
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import BYTES32_ZERO, UnsignedOrder
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.l1_auth import sign_api_key_auth
from polymarket._internal.protocol import is_v2_position_id
from polymarket.models.types import ClobAssetId
from polymarket.types import EvmAddress, HexString

from polycore import AssetId, OrderId, Secret, Side, UsageError
from polycore.venues.polymarket.amounts import Amounts
from polycore.venues.polymarket.config import WalletKind

_SALT_BITS = 53
"""A salt travels as a JSON number and must survive a double."""
_ECDSA = 65
_WORD = 32


class OrderTerms(NamedTuple):
    """What an order's signature covers, beside the wallet."""

    asset: AssetId
    neg_risk: bool
    side: Side
    amounts: Amounts
    milliseconds: int
    salt: int


class Signature(NamedTuple):
    """A signature and the id the venue will know the order by: the EIP-712 digest of the plain order."""

    order: OrderId
    text: str
    maker: str
    signer: str


class OrderSigner:
    """One key and the wallet it trades for. ``funder`` is the address that holds the money, the key's own for EOA."""

    def __init__(self, key: Secret, wallet: WalletKind, funder: str) -> None:
        try:
            self._account: LocalAccount = Account.from_key(key.reveal())
        except (ValueError, TypeError):
            raise UsageError("the private key is not 32 bytes in hex") from None
        self.address = str(self._account.address)
        self.wallet = wallet
        if wallet is not WalletKind.EOA and not funder:
            raise UsageError(f"wallet {wallet.name.lower()} needs the setting funder: the address that holds the money")
        self.funder = self.address if wallet is WalletKind.EOA else funder
        self._order_signer = self.funder if wallet is WalletKind.DEPOSIT else self.address

    def __repr__(self) -> str:
        return f"OrderSigner({self.address})"

    def l1_headers(self, seconds: int) -> dict[str, str]:
        """Headers that create or derive API credentials. They prove the key: never log them."""
        signature = sign_api_key_auth(self._account, chain_id=PRODUCTION_CONFIG.chain_id, timestamp=seconds)
        return build_l1_auth_headers(signature)

    def sign(self, terms: OrderTerms) -> Signature:
        """Sign one order: about 0.45 ms of computing, no I/O."""
        order = self._unsigned(terms)
        signed = self._account.sign_typed_data(full_message=build_order_typed_data(order))
        text = str(build_order_signature(order, HexString("0x" + signed.signature.hex())))
        digest = bytes(signed.message_hash)
        if self.wallet is WalletKind.DEPOSIT:
            digest = _plain_digest(text)
        return Signature(OrderId("0x" + digest.hex()), text, self.funder, self._order_signer)

    def _unsigned(self, terms: OrderTerms) -> UnsignedOrder:
        asset = cast(ClobAssetId, terms.asset)
        return UnsignedOrder(
            builder=BYTES32_ZERO,
            chain_id=PRODUCTION_CONFIG.chain_id,
            exchange_address=resolve_order_exchange_address(PRODUCTION_CONFIG, asset_id=asset, neg_risk=terms.neg_risk),
            expiration=0,  # not signed: it travels beside the order
            maker=EvmAddress(self.funder),
            maker_amount=terms.amounts.maker,
            metadata=BYTES32_ZERO,
            order_type="GTC",  # not signed either
            salt=terms.salt,
            side="BUY" if terms.side is Side.BUY else "SELL",
            signature_type=self.wallet.value,
            signer=EvmAddress(self._order_signer),
            taker_amount=terms.amounts.taker,
            timestamp=terms.milliseconds,
            token_id=asset,
            protocol_version="3" if is_v2_position_id(asset) else "2",
        )


def random_salt() -> int:
    return secrets.randbits(_SALT_BITS)


def throw_away_key() -> Secret:
    """A new key that lives in memory alone: for the local exchange."""
    return Secret("0x" + secrets.token_hex(32))


def _plain_digest(signature: str) -> bytes:
    """Digest of the plain order, from a deposit wallet's signature: it carries the domain and the order's hash."""
    raw = bytes.fromhex(signature.removeprefix("0x"))
    return keccak(b"\x19\x01" + raw[_ECDSA : _ECDSA + 2 * _WORD])
