"""Who is asking: API keys, logins by wallet signature (L1) and signed requests (L2).

Owns the credentials that the exchange issues and the two checks, by the venue's recipes (venue notes 5.1 and 5.2).
Reads no clock. Secrets are compared in constant time and appear in no repr, message or log.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Iterable, Mapping

from msgspec import Struct

from polycore.exchange.eip712 import checksum_address, login_digest, parse_address, recover

CLOCK_TOLERANCE_SECONDS = 30
"""How far a request's timestamp may be from the exchange's clock. The venue's own figure is not documented."""
_TIMESTAMP_DIGITS = 20


class Credentials(Struct, frozen=True):
    """An API key as its owner receives it. ``address`` is the owner's checksummed signing address."""

    key: str
    secret: str
    passphrase: str
    address: str

    def __repr__(self) -> str:
        return f"Credentials(key={self.key!r}, address={self.address!r}, secret and passphrase hidden)"


class Login(Struct, frozen=True):
    """A proven L1 login: the checksummed address of the key that signed, and the nonce it asks credentials for."""

    address: str
    nonce: int


class KeyStore:
    """The API keys in force. Credentials follow from ``seed`` and (address, nonce), so that only those need keeping."""

    def __init__(self, seed: bytes, issued: Iterable[tuple[str, int]] = ()) -> None:
        self._seed = seed
        self._issued: dict[tuple[str, int], Credentials] = {}
        self._by_key: dict[str, Credentials] = {}
        for address, nonce in issued:
            self.create(Login(address, nonce))

    @property
    def issued(self) -> list[tuple[str, int]]:
        """(address, nonce) of every key in force, in order of issue."""
        return list(self._issued)

    def create(self, login: Login) -> Credentials | None:
        """Issue the key of a login; ``None`` when it is in force already."""
        if (login.address, login.nonce) in self._issued:
            return None
        credentials = self._credentials(login)
        self._issued[login.address, login.nonce] = credentials
        self._by_key[credentials.key] = credentials
        return credentials

    def derive(self, login: Login) -> Credentials | None:
        """The key issued for a login before; ``None`` when there is none."""
        return self._issued.get((login.address, login.nonce))

    def find(self, key: str) -> Credentials | None:
        return self._by_key.get(key)

    def keys_of(self, address: str) -> list[str]:
        """Ids of an owner's keys, in order of issue."""
        return [credentials.key for credentials in self._issued.values() if credentials.address == address]

    def revoke(self, key: str) -> None:
        """Take a key out of force; unknown keys are ignored."""
        self._by_key.pop(key, None)
        self._issued = {login: found for login, found in self._issued.items() if found.key != key}

    def _credentials(self, login: Login) -> Credentials:
        def derived(purpose: str) -> bytes:
            return hmac.digest(self._seed, f"{purpose}:{login.address}:{login.nonce}".encode(), hashlib.sha256)

        return Credentials(
            key=str(uuid.UUID(bytes=derived("key")[:16], version=4)),
            secret=base64.urlsafe_b64encode(derived("secret")).decode(),
            passphrase=derived("passphrase").hex(),
            address=login.address,
        )


def read_login(headers: Mapping[str, str], now_seconds: int) -> Login | None:
    """The login that L1 headers prove; ``None`` when one is missing or malformed, stale, or signed by another key."""
    try:
        address = parse_address(headers["POLY_ADDRESS"])
        timestamp, nonce = headers["POLY_TIMESTAMP"], int(headers.get("POLY_NONCE", "0"))
        signature = bytes.fromhex(headers["POLY_SIGNATURE"].removeprefix("0x"))
        signer = recover(login_digest(address, timestamp, nonce), signature)
    except (KeyError, ValueError):
        return None
    if signer != address or not _timely(timestamp, now_seconds):
        return None
    return Login(checksum_address(address), nonce)


def read_request(
    headers: Mapping[str, str], method: str, path: str, body: bytes, keys: KeyStore, now_seconds: int
) -> Credentials | None:
    """The credentials that signed a request; ``None`` when any of the five L2 headers is not right.

    ``path`` is without its query and ``body`` exactly as received.
    """
    credentials = keys.find(headers.get("POLY_API_KEY", ""))
    timestamp = headers.get("POLY_TIMESTAMP", "")
    if credentials is None or not _timely(timestamp, now_seconds):
        return None
    expected = request_signature(credentials.secret, timestamp, method, path, body)
    given = (
        headers.get("POLY_ADDRESS", "").lower(),
        headers.get("POLY_PASSPHRASE", ""),
        headers.get("POLY_SIGNATURE", ""),
    )
    wanted = (credentials.address.lower(), credentials.passphrase, expected)
    return credentials if all(map(_same, given, wanted)) else None


def read_channel_login(key: str, secret: str, passphrase: str, keys: KeyStore) -> Credentials | None:
    """The credentials that a user-channel frame carries in clear; ``None`` when they are not in force."""
    credentials = keys.find(key)
    if credentials is None:
        return None
    right = _same(secret, credentials.secret) and _same(passphrase, credentials.passphrase)
    return credentials if right else None


def request_signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """The L2 signature: base64url of HMAC-SHA256 over timestamp, method, path and body, padding kept (notes 5.2).

    Raises ``ValueError`` for a secret that is not base64url.
    """
    try:
        key = base64.b64decode(secret, altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("an API secret is not base64url") from error
    message = f"{timestamp}{method}{path}".encode() + body
    return base64.urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)).decode()


def _timely(timestamp: str, now_seconds: int) -> bool:
    return (
        timestamp.isdecimal()
        and len(timestamp) <= _TIMESTAMP_DIGITS
        and abs(int(timestamp) - now_seconds) <= CLOCK_TOLERANCE_SECONDS
    )


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
