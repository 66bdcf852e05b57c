"""Which wallets a key owns: the addresses that the venue's factories give each signer, by CREATE2.

Owns the derivation alone; it asks no chain. Constants: factories, implementations and init code of polymarket-client
0.14.0 (MIT), venue notes 5.3.
"""

from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache

from eth_hash.auto import keccak

from polycore.exchange.eip712 import parse_address

_PROXY_FACTORY = parse_address("0xaB45c5A4B0c941a2F231C04C3f49182e1A254052")
_PROXY_IMPLEMENTATION = parse_address("0x44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f")
_SAFE_FACTORY = parse_address("0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b")
_SAFE_CODE_HASH = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
_DEPOSIT_FACTORY = parse_address("0x00000000000Fb5C9ADea0298D729A0CB3823Cc07")
_DEPOSIT_IMPLEMENTATION = parse_address("0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB")
_DEPOSIT_BEACON = parse_address("0x7A18EDfe055488A3128f01F563e5B479D92ffc3a")

_PROXY_CODE_HASH = keccak(
    bytes.fromhex("3d3d606380380380913d393d73")
    + _PROXY_FACTORY
    + bytes.fromhex("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73")
    + _PROXY_IMPLEMENTATION
    + bytes.fromhex("5af43d82803e903d91602b57fd5bf352e831dd")
    + (32).to_bytes(32, "big")
    + bytes(32)
)
_UUPS_TAIL = bytes.fromhex(
    "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
_BEACON_TAIL = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)


class SignatureType(IntEnum):
    """The venue's numbers for what kind of wallet an order spends from."""

    EOA = 0
    PROXY = 1
    SAFE = 2
    DEPOSIT_WALLET = 3


@lru_cache(maxsize=1024)
def wallets_of(owner: bytes) -> Mapping[SignatureType, tuple[bytes, ...]]:
    """Addresses that ``owner`` may spend from, by signature type; the first of each is the one made today.

    A deposit wallet has a second, older address (a UUPS proxy instead of a beacon proxy).
    """
    word = owner.rjust(32, b"\0")
    arguments = _DEPOSIT_FACTORY.rjust(32, b"\0") + word
    return {
        SignatureType.EOA: (owner,),
        SignatureType.PROXY: (_create2(_PROXY_FACTORY, keccak(owner), _PROXY_CODE_HASH),),
        SignatureType.SAFE: (_create2(_SAFE_FACTORY, keccak(word), _SAFE_CODE_HASH),),
        SignatureType.DEPOSIT_WALLET: (
            _create2(_DEPOSIT_FACTORY, keccak(arguments), _beacon_code_hash(arguments)),
            _create2(_DEPOSIT_FACTORY, keccak(arguments), _uups_code_hash(arguments)),
        ),
    }


def _create2(factory: bytes, salt: bytes, code_hash: bytes) -> bytes:
    return keccak(b"\xff" + factory + salt + code_hash)[12:]


def _uups_code_hash(arguments: bytes) -> bytes:
    prefix = 0x61003D3D8160233D3973 + (len(arguments) << 56)
    return keccak(prefix.to_bytes(10, "big") + _DEPOSIT_IMPLEMENTATION + _UUPS_TAIL + arguments)


def _beacon_code_hash(arguments: bytes) -> bytes:
    prefix = 0x6100523D8160233D3973 + (len(arguments) << 56)
    return keccak(prefix.to_bytes(10, "big") + _DEPOSIT_BEACON + _BEACON_TAIL + arguments)
