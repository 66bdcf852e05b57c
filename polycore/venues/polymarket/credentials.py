"""L2 credentials and the headers made with them (venue notes 5.2). Pure; a secret appears in no repr."""

import base64
import binascii
import hashlib
import hmac

import msgspec
from msgspec import Struct

from polycore import ProtocolViolation


class Credentials(Struct, frozen=True):
    """An API key of the signing address. ``api_key`` names it, the other two are secrets."""

    api_key: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return "Credentials(***)"

    __str__ = __repr__

    @classmethod
    def read(cls, body: bytes) -> "Credentials":
        """Credentials of the venue's answer. Raises ``ProtocolViolation`` without quoting it."""
        try:
            read = msgspec.json.decode(body, type=_WireCredentials)
            base64.urlsafe_b64decode(_padded(read.secret))
        except (msgspec.MsgspecError, binascii.Error, ValueError):
            raise ProtocolViolation("the venue's API credentials are not {apiKey, secret, passphrase}") from None
        return cls(read.apiKey, read.secret, read.passphrase)

    def headers(self, address: str, seconds: int, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """Headers of one private request. ``path`` is without its query, ``body`` the exact bytes sent."""
        return {
            "POLY_ADDRESS": address,
            "POLY_API_KEY": self.api_key,
            "POLY_PASSPHRASE": self.passphrase,
            "POLY_SIGNATURE": l2_signature(self.secret, seconds, method, path, body),
            "POLY_TIMESTAMP": str(seconds),
        }


def l2_signature(secret: str, seconds: int, method: str, path: str, body: bytes = b"") -> str:
    """HMAC-SHA256 over time, method, path and body, in URL-safe base64 with its padding."""
    key = base64.urlsafe_b64decode(_padded(secret))
    digest = hmac.new(key, f"{seconds}{method}{path}".encode() + body, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()


class _WireCredentials(Struct):
    apiKey: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return "_WireCredentials(***)"


def _padded(secret: str) -> str:
    return secret + "=" * (-len(secret) % 4)
