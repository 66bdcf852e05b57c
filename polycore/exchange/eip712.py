"""EIP-712 digests of the venue's orders and logins, and recovery of who signed them.

Owns the exchange's own encoder of ``Order``, ``ClobAuth`` and the ERC-7739 envelope of deposit wallets. Pure: it holds
no account and decides nothing: whether a signer may act for a wallet is the business of ``orders.py``.
Sources: venue notes 5.1, 5.4, 6.1 and 6.4; every type hash is computed once, at import.
"""

from coincurve import PublicKey
from eth_hash.auto import keccak
from msgspec import Struct

CHAIN_ID = 137
STANDARD_EXCHANGE = "0xE111180000d2663C0091e4f400237545B87B996B"
NEG_RISK_EXCHANGE = "0xe2222d279d744050d28e00520010520000310F59"
EXCHANGE_V3 = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"

_SIGNATURE_LENGTH = 65
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_WORD = 32
_UINT256 = 1 << 256


class OrderFields(Struct, frozen=True):
    """The signed part of an order, each field as the contract sees it. ``maker`` and ``signer`` are 20 bytes."""

    salt: int
    maker: bytes
    signer: bytes
    token: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: bytes
    builder: bytes


class Domain(Struct, frozen=True):
    """An exchange contract that orders are signed for, by its EIP-712 domain separator."""

    contract: str
    separator: bytes


def exchange_domain(*, neg_risk: bool, version: str) -> Domain:
    """Domain of a market's orders: ExchangeV3 for protocol ``v2``, else by the neg-risk flag (venue notes 6.1)."""
    if version == "v2":
        return _V3
    return _NEG_RISK if neg_risk else _STANDARD


def order_digest(order: OrderFields, domain: Domain) -> bytes:
    """The 32-byte digest that a plain signature signs; in hex it is the order id for every kind of wallet (6.4)."""
    return _typed_digest(domain.separator, order_hash(order))


def order_hash(order: OrderFields) -> bytes:
    """``hashStruct`` of an order. Raises ``ValueError`` for a field that does not fit its type."""
    return keccak(
        _ORDER_TYPE_HASH
        + _uint(order.salt)
        + _address(order.maker)
        + _address(order.signer)
        + _uint(order.token)
        + _uint(order.maker_amount)
        + _uint(order.taker_amount)
        + _uint(order.side, 1 << 8)
        + _uint(order.signature_type, 1 << 8)
        + _uint(order.timestamp)
        + _bytes32(order.metadata)
        + _bytes32(order.builder)
    )


def plain_order_signer(order: OrderFields, domain: Domain, signature: bytes) -> bytes | None:
    """Address that signed an order of an EOA, proxy or Safe; ``None`` when no key could have made ``signature``."""
    return recover(order_digest(order, domain), signature)


def deposit_wallet_order_signer(order: OrderFields, domain: Domain, signature: bytes) -> bytes | None:
    """Address that signed an order for the deposit wallet ``order.maker`` (ERC-7739, venue notes 5.4).

    ``None`` unless every byte after the first 65 is what the envelope of this very order on this domain must carry.
    """
    contents = order_hash(order)
    tail = domain.separator + contents + _ORDER_TYPE + len(_ORDER_TYPE).to_bytes(2, "big")
    if signature[_SIGNATURE_LENGTH:] != tail:
        return None
    envelope = keccak(
        _ENVELOPE_TYPE_HASH + contents + _WALLET_NAME + _WALLET_VERSION + _CHAIN + _address(order.maker) + bytes(_WORD)
    )
    return recover(_typed_digest(domain.separator, envelope), signature[:_SIGNATURE_LENGTH])


def login_digest(address: bytes, timestamp: str, nonce: int) -> bytes:
    """Digest of a ``ClobAuth`` login (venue notes 5.1); ``timestamp`` is signed as the text that was sent."""
    stamp = keccak(timestamp.encode())
    message = keccak(_LOGIN_TYPE_HASH + _address(address) + stamp + _uint(nonce) + _LOGIN_MESSAGE)
    return _typed_digest(_LOGIN_DOMAIN, message)


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """The 20-byte address whose key signed ``digest``.

    ``None`` for a signature that a contract refuses too: not 65 bytes, v other than 27 or 28, s in the upper half.
    """
    if len(signature) != _SIGNATURE_LENGTH or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return None
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    except ValueError:
        return None
    return keccak(key.format(compressed=False)[1:])[12:]


def checksum_address(address: bytes) -> str:
    """Mixed-case text of a 20-byte address (EIP-55)."""
    text = address.hex()
    marks = keccak(text.encode()).hex()
    return "0x" + "".join(
        letter.upper() if int(mark, 16) >= 8 else letter for letter, mark in zip(text, marks, strict=False)
    )


def parse_address(text: str) -> bytes:
    """The 20 bytes of an address. Raises ``ValueError`` naming the text; the checksum is not required."""
    digits = text[2:]
    if len(text) != 42 or not text.startswith(("0x", "0X")) or not all(c in "0123456789abcdefABCDEF" for c in digits):
        raise ValueError(f"{text!r} is not an address: expected 0x and 40 hex digits")
    return bytes.fromhex(digits)


def _typed_digest(separator: bytes, message: bytes) -> bytes:
    return keccak(b"\x19\x01" + separator + message)


def _uint(value: int, limit: int = _UINT256) -> bytes:
    if not 0 <= value < limit:
        raise ValueError(f"{value} is outside of its unsigned type")
    return value.to_bytes(_WORD, "big")


def _address(value: bytes) -> bytes:
    if len(value) != 20:
        raise ValueError(f"an address has 20 bytes, found {len(value)}")
    return value.rjust(_WORD, b"\0")


def _bytes32(value: bytes) -> bytes:
    if len(value) != _WORD:
        raise ValueError(f"a bytes32 has 32 bytes, found {len(value)}")
    return value


def _exchange(contract: str, version: str) -> Domain:
    separator = keccak(
        keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + keccak(b"Polymarket CTF Exchange")
        + keccak(version.encode())
        + _CHAIN
        + _address(parse_address(contract))
    )
    return Domain(contract, separator)


_CHAIN = _uint(CHAIN_ID)
_ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_ORDER_TYPE_HASH = keccak(_ORDER_TYPE)
_ENVELOPE_TYPE_HASH = keccak(
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + _ORDER_TYPE
)
_WALLET_NAME = keccak(b"DepositWallet")
_WALLET_VERSION = keccak(b"1")
_LOGIN_TYPE_HASH = keccak(b"ClobAuth(address address,string timestamp,uint256 nonce,string message)")
_LOGIN_MESSAGE = keccak(b"This message attests that I control the given wallet")
_LOGIN_DOMAIN = keccak(
    keccak(b"EIP712Domain(string name,string version,uint256 chainId)")
    + keccak(b"ClobAuthDomain")
    + keccak(b"1")
    + _CHAIN
)
_STANDARD = _exchange(STANDARD_EXCHANGE, "2")
_NEG_RISK = _exchange(NEG_RISK_EXCHANGE, "2")
_V3 = _exchange(EXCHANGE_V3, "3")
