"""Secrets: a type that does not show itself, and the files it may be read from.

Owns the reading of credential files. Must not log, and must not put a value into a message.
"""

import os
import stat
from pathlib import Path
from typing import NoReturn

_LARGEST = 65_536


class Secret:
    """A text that is not printed, formatted, compared or pickled. ``reveal()`` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError("a secret is text")
        self._text = text

    def reveal(self) -> str:
        """The text itself. Pass it on at once: keep it in no other object, message or log."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")


def read_credential(path: Path) -> Secret:
    """Read a credential file: ours, mode 0600 or stricter, not a symbolic link. One newline at its end is dropped.

    Raises ``ValueError`` that names the file and the cure, never the content. Opened without following links and
    checked after opening, so that what was checked is what is read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise ValueError(f"{path} is a symbolic link: name the file itself") from None
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    try:
        _check(path, os.fstat(descriptor))
        content = os.read(descriptor, _LARGEST + 1)
    finally:
        os.close(descriptor)
    if not content or len(content) > _LARGEST:
        raise ValueError(f"{path} holds {'nothing' if not content else 'too much to be a secret'}")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: a secret is text") from None
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a regular file")
    if status.st_uid != os.geteuid():
        raise ValueError(f"{path} belongs to another user: a credential file belongs to who runs polycore")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise ValueError(f"{path} has mode {mode:04o} and others may open it: chmod 600 {path}")
