"""API keys, L1 logins and L2 requests, by the venue's recipes."""

import json
from pathlib import Path

import msgspec
import pytest

from polycore.exchange.auth import (
    CLOCK_TOLERANCE_SECONDS,
    KeyStore,
    Login,
    read_channel_login,
    read_login,
    read_request,
    request_signature,
)

VECTORS = json.loads((Path(__file__).parent / "fixtures" / "signing_vectors.json").read_text())
ADDRESS = VECTORS["address"]
NOW = 1_700_000_000
OTHER = "0x" + "11" * 20


def login_headers(**changes: str) -> dict[str, str]:
    login = VECTORS["l1_clob_auth"]
    return {
        "POLY_ADDRESS": ADDRESS,
        "POLY_SIGNATURE": login["signature"],
        "POLY_TIMESTAMP": login["timestamp"],
        "POLY_NONCE": "0",
    } | changes


@pytest.fixture
def keys() -> KeyStore:
    return KeyStore(b"seed")


@pytest.mark.parametrize("vector", VECTORS["l2_hmac"], ids=lambda v: v["method"] + v["path"])
def test_request_signature_is_the_venues(vector):
    body = (vector["body"] or "").encode()
    found = request_signature(vector["secret"], str(vector["timestamp"]), vector["method"], vector["path"], body)
    assert found == vector["signature"]


def test_login_proves_its_address():
    assert read_login(login_headers(), NOW) == Login(ADDRESS, 0)
    assert read_login(login_headers(POLY_ADDRESS=ADDRESS.lower()), NOW) == Login(ADDRESS, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"POLY_ADDRESS": OTHER},
        {"POLY_ADDRESS": "nobody"},
        {"POLY_NONCE": "1"},
        {"POLY_NONCE": "one"},
        {"POLY_TIMESTAMP": "1700000001"},
        {"POLY_TIMESTAMP": "-1700000000"},
        {"POLY_SIGNATURE": "0x00"},
        {"POLY_SIGNATURE": "rubbish"},
    ],
    ids=lambda changes: "-".join(f"{k}={v}" for k, v in changes.items()),
)
def test_login_with_one_wrong_header_is_refused(changes):
    assert read_login(login_headers(**changes), NOW) is None


def test_login_with_a_missing_header_is_refused():
    for name in ("POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP"):
        headers = login_headers()
        del headers[name]
        assert read_login(headers, NOW) is None


@pytest.mark.parametrize("seconds", [-CLOCK_TOLERANCE_SECONDS - 1, CLOCK_TOLERANCE_SECONDS + 1])
def test_stale_login_is_refused(seconds):
    assert read_login(login_headers(), NOW + seconds) is None


def test_keys_are_the_same_for_an_address_and_nonce_and_differ_otherwise(keys):
    first = keys.create(Login(ADDRESS, 0))
    assert first is not None
    assert keys.create(Login(ADDRESS, 0)) is None
    assert keys.derive(Login(ADDRESS, 0)) == first
    assert keys.derive(Login(ADDRESS, 1)) is None
    second = keys.create(Login(ADDRESS, 1))
    assert second is not None
    assert {first.key, first.secret, first.passphrase}.isdisjoint({second.key, second.secret, second.passphrase})
    assert KeyStore(b"other seed", [(ADDRESS, 0)]).find(first.key) is None
    assert KeyStore(b"seed", keys.issued).find(second.key) == second


def test_revoked_key_is_gone_and_others_stay(keys):
    first, second = keys.create(Login(ADDRESS, 0)), keys.create(Login(ADDRESS, 1))
    keys.revoke(first.key)
    assert keys.find(first.key) is None
    assert keys.keys_of(ADDRESS) == [second.key]
    assert keys.issued == [(ADDRESS, 1)]


def signed(credentials, *, method="POST", path="/order", body=b"{}", timestamp=str(NOW)) -> dict[str, str]:
    return {
        "POLY_ADDRESS": credentials.address,
        "POLY_API_KEY": credentials.key,
        "POLY_PASSPHRASE": credentials.passphrase,
        "POLY_TIMESTAMP": timestamp,
        "POLY_SIGNATURE": request_signature(credentials.secret, timestamp, method, path, body),
    }


def test_request_is_accepted_only_as_it_was_signed(keys):
    credentials = keys.create(Login(ADDRESS, 0))
    headers = signed(credentials)
    assert read_request(headers, "POST", "/order", b"{}", keys, NOW) == credentials
    assert read_request(headers, "DELETE", "/order", b"{}", keys, NOW) is None
    assert read_request(headers, "POST", "/orders", b"{}", keys, NOW) is None
    assert read_request(headers, "POST", "/order", b"{ }", keys, NOW) is None
    assert read_request(headers, "POST", "/order", b"{}", keys, NOW + CLOCK_TOLERANCE_SECONDS + 1) is None
    assert read_request(headers, "POST", "/order", b"{}", KeyStore(b"seed"), NOW) is None


@pytest.mark.parametrize(
    "name", ["POLY_ADDRESS", "POLY_API_KEY", "POLY_PASSPHRASE", "POLY_TIMESTAMP", "POLY_SIGNATURE"]
)
def test_request_with_a_wrong_or_missing_header_is_refused(keys, name):
    headers = signed(keys.create(Login(ADDRESS, 0)))
    for wrong in ({name: "x"}, {name: "é"}, {name: str(NOW + 1) if name == "POLY_TIMESTAMP" else headers[name] + "0"}):
        assert read_request(headers | wrong, "POST", "/order", b"{}", keys, NOW) is None
    del headers[name]
    assert read_request(headers, "POST", "/order", b"{}", keys, NOW) is None


def test_channel_login_wants_all_three(keys):
    found = keys.create(Login(ADDRESS, 0))
    assert read_channel_login(found.key, found.secret, found.passphrase, keys) == found
    assert read_channel_login(found.key, found.secret, "x", keys) is None
    assert read_channel_login(found.key, "x", found.passphrase, keys) is None
    assert read_channel_login("x", found.secret, found.passphrase, keys) is None


def test_secrets_are_not_in_the_repr(keys):
    found = keys.create(Login(ADDRESS, 0))
    assert found.secret not in repr(found)
    assert found.passphrase not in repr(found)
    assert found.secret in msgspec.json.encode(found).decode()
