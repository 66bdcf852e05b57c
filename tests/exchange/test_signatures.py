"""The exchange's own EIP-712 encoder: right on the computed vectors, and refusing all that is not exactly right."""

import json
from pathlib import Path

import msgspec
import pytest

from polycore.exchange.eip712 import (
    Domain,
    OrderFields,
    checksum_address,
    deposit_wallet_order_signer,
    exchange_domain,
    login_digest,
    order_digest,
    parse_address,
    plain_order_signer,
    recover,
)
from polycore.exchange.wallets import SignatureType, wallets_of

VECTORS = json.loads((Path(__file__).parent / "fixtures" / "signing_vectors.json").read_text())
OWNER = parse_address(VECTORS["address"])
ORDERS = [pytest.param(vector, id=vector["name"]) for vector in VECTORS["orders"]]


def fields(vector: dict) -> OrderFields:
    order = vector["order"]
    return OrderFields(
        salt=order["salt"],
        maker=parse_address(order["maker"]),
        signer=parse_address(order["signer"]),
        token=int(order["tokenId"]),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        side=("BUY", "SELL").index(order["side"]),
        signature_type=order["signatureType"],
        timestamp=int(order["timestamp"]),
        metadata=bytes.fromhex(order["metadata"][2:]),
        builder=bytes.fromhex(order["builder"][2:]),
    )


def domain(vector: dict, *, flip_neg_risk: bool = False) -> Domain:
    neg_risk = "negrisk" in vector["name"]
    version = "v2" if vector["domain"]["version"] == "3" else "v1"
    return exchange_domain(neg_risk=neg_risk ^ flip_neg_risk, version=version)


def signature(vector: dict) -> bytes:
    return bytes.fromhex(vector["signature"][2:])


def signer(order: OrderFields, on: Domain, signed: bytes) -> bytes | None:
    if order.signature_type == SignatureType.DEPOSIT_WALLET:
        return deposit_wallet_order_signer(order, on, signed)
    return plain_order_signer(order, on, signed)


@pytest.mark.parametrize("vector", ORDERS)
def test_digest_of_an_order_is_its_id(vector):
    assert "0x" + order_digest(fields(vector), domain(vector)).hex() == vector["order_id"]
    assert domain(vector).contract == vector["domain"]["verifyingContract"]


@pytest.mark.parametrize("vector", ORDERS)
def test_signer_of_an_order_is_recovered(vector):
    assert signer(fields(vector), domain(vector), signature(vector)) == OWNER


@pytest.mark.parametrize("vector", ORDERS)
@pytest.mark.parametrize("name", OrderFields.__struct_fields__)
def test_one_flipped_bit_in_any_field_is_noticed(vector, name):
    order = fields(vector)
    value = getattr(order, name)
    bits = 8 * len(value) if isinstance(value, bytes) else 8
    for bit in range(bits) if name in {"maker", "signer"} else (0, bits - 1):
        changed = (
            (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")
            if isinstance(value, bytes)
            else value ^ 1 << bit
        )
        altered = msgspec.structs.replace(order, **{name: changed})
        found = plain_order_signer if order.signature_type != 3 else deposit_wallet_order_signer
        assert found(altered, domain(vector), signature(vector)) != OWNER


@pytest.mark.parametrize("vector", ORDERS)
def test_one_flipped_byte_anywhere_in_the_signature_is_noticed(vector):
    order, on, signed = fields(vector), domain(vector), signature(vector)
    for place in range(len(signed)):
        altered = bytearray(signed)
        altered[place] ^= 0xFF
        assert signer(order, on, bytes(altered)) != OWNER, f"byte {place}"


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS["orders"] if "v2" not in v["name"]])
def test_wrong_neg_risk_flag_is_noticed(vector):
    assert signer(fields(vector), domain(vector, flip_neg_risk=True), signature(vector)) != OWNER


@pytest.mark.parametrize("vector", ORDERS)
def test_wrong_domain_is_noticed(vector):
    for other in (
        exchange_domain(neg_risk=False, version="v1"),
        exchange_domain(neg_risk=True, version="v1"),
        exchange_domain(neg_risk=False, version="v2"),
    ):
        found = signer(fields(vector), other, signature(vector))
        assert (found == OWNER) == (other == domain(vector))


@pytest.mark.parametrize("vector", ORDERS)
def test_truncated_or_extended_signature_is_refused(vector):
    order, on, signed = fields(vector), domain(vector), signature(vector)
    assert signer(order, on, signed[:-1]) is None
    assert signer(order, on, signed + b"\0") is None
    assert signer(order, on, b"") is None


def test_signature_in_the_upper_half_or_without_a_key_is_refused():
    vector = VECTORS["orders"][0]
    signed = signature(vector)
    curve_order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = (curve_order - int.from_bytes(signed[32:64], "big")).to_bytes(32, "big")
    twin = signed[:32] + high + bytes([55 - signed[64]])
    digest = order_digest(fields(vector), domain(vector))
    assert recover(digest, twin) is None
    assert recover(digest, bytes(64) + b"\x1b") is None
    assert recover(digest, b"\xff" * 32 + signed[32:]) is None


def test_login_vector_is_recovered_and_any_change_is_noticed():
    login = VECTORS["l1_clob_auth"]
    signed = bytes.fromhex(login["signature"][2:])
    assert "0x" + login_digest(OWNER, login["timestamp"], 0).hex() == login["digest"]
    assert recover(login_digest(OWNER, login["timestamp"], 0), signed) == OWNER
    assert recover(login_digest(OWNER, "1700000001", 0), signed) != OWNER
    assert recover(login_digest(OWNER, login["timestamp"], 1), signed) != OWNER
    assert recover(login_digest(bytes(20), login["timestamp"], 0), signed) not in (OWNER, bytes(20))


def test_fields_that_do_not_fit_their_type_are_refused():
    order = fields(VECTORS["orders"][0])
    on = domain(VECTORS["orders"][0])
    for name, value in (("salt", 1 << 256), ("token", -1), ("side", 256), ("maker", b"\1"), ("builder", b"\0" * 31)):
        with pytest.raises(ValueError, match=r"unsigned|bytes"):
            order_digest(msgspec.structs.replace(order, **{name: value}), on)


def test_addresses_are_read_and_written_with_their_checksum():
    assert checksum_address(OWNER) == VECTORS["address"]
    for text in ("", "0x12", "f39Fd6e51aad88F6F4ce6aB8827279cffFb9226600", "0x" + "zz" * 20, "0x" + " f" * 20):
        with pytest.raises(ValueError, match="is not an address"):
            parse_address(text)


def test_wallets_of_a_key_are_those_of_the_official_client():
    wallet = pytest.importorskip("polymarket._internal.wallet")
    config = pytest.importorskip("polymarket._internal.environment").PRODUCTION_CONFIG.wallet_derivation
    owned = {kind: [checksum_address(a) for a in found] for kind, found in wallets_of(OWNER).items()}
    owner = VECTORS["address"]
    assert owned == {
        SignatureType.EOA: [owner],
        SignatureType.PROXY: [wallet.derive_proxy_wallet_address(owner, config)],
        SignatureType.SAFE: [wallet.derive_safe_wallet_address(owner, config)],
        SignatureType.DEPOSIT_WALLET: [
            wallet.derive_beacon_deposit_wallet_address(owner, config),
            wallet.derive_uups_deposit_wallet_address(owner, config),
        ],
    }
