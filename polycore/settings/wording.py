"""How a fault is told: what was found, a suggestion, and many faults as one message.

Owns words only. A value that may be a secret is never repeated.
"""

import difflib
import re
from collections.abc import Iterable, Sequence

from polycore.errors import PolycoreError

NAME_RULE = "a name is lower-case letters, digits, _ and -, and begins with a letter"

_LONGEST_REPEATED = 40
_LARGEST_REPEATED = 10**12
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_API_SECRET = re.compile(r"[A-Za-z0-9+/_-]{43}=")
_SECRET_NAME = re.compile(r"secret|passw|passphrase|private|credential|mnemonic|(^|_)(key|token)$")


def is_name(text: str) -> bool:
    """Whether a text may name a plugin, a strategy, an observer or a venue: see ``NAME_RULE``."""
    return bool(_NAME.fullmatch(text))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean NAME?`` for the nearest known name, else the list of what is known."""
    names = sorted(set(known))
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if nearest:
        return f"; did you mean {nearest[0]}?"
    return f"; known: {', '.join(names)}" if names else ""


def found(value: object, name: str = "") -> str:
    """What a setting holds, in words. A long value, or one that looks like or is named like a secret, stays unsaid."""
    secret = looks_like_secret(value) or names_a_secret(name)
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number" if secret or abs(value) > _LARGEST_REPEATED else f"the number {value}"
        case str():
            return "a text" if secret or len(value) > _LONGEST_REPEATED else f'the text "{value}"'
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case _:
            return f"a value of type {type(value).__name__}"


def looks_like_secret(value: object) -> bool:
    """Whether a text has the form of a private key (64 hex digits) or of an API secret (32 bytes in base64)."""
    return isinstance(value, str) and bool(_KEY.fullmatch(value.strip()) or _API_SECRET.fullmatch(value.strip()))


def names_a_secret(name: str) -> bool:
    """Whether the name of a setting says that it holds a secret."""
    return bool(_SECRET_NAME.search(name.lower()))


def fail(faults: Sequence[str], error: type[PolycoreError]) -> None:
    """Raise one error that lists every fault; return when there is none."""
    if not faults:
        return
    unique = list(dict.fromkeys(faults))
    if len(unique) == 1:
        raise error(unique[0])
    raise error("\n".join([f"{len(unique)} faults stop the start:", *(f"  {fault}" for fault in unique)]))
