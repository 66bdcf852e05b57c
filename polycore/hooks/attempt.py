"""Running code of a plugin at load: its import, its registrations, its constructors.

Owns the one place of this package where any exception is caught: a plugin may raise anything, and all faults of a start
are told together. Must not be used for hooks that hear events: ``dispatch/guard.py`` is for those.
"""

import logging
import traceback
from collections.abc import Callable
from typing import TypeVar

from polycore.errors import PolycoreError

log = logging.getLogger("polycore.hooks")
T = TypeVar("T")


def attempt(what: str, call: Callable[[], T], faults: list[str]) -> T | None:
    """Return what ``call`` returns; when it raises, append one fault that names ``what`` and the line that raised.

    The traceback goes to the log at debug level.
    """
    try:
        return call()
    except PolycoreError as error:
        faults.append(f"{what}: {error}")
    except (Exception, SystemExit) as error:
        log.debug("%s failed", what, exc_info=error)
        faults.append(f"{what} failed: {type(error).__name__}: {error}{_place(error)}")
    return None


def _place(error: BaseException) -> str:
    """Where it was raised, when that is in a file of the plugin or of what it calls."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    if last.filename == __file__ or last.filename.startswith("<"):
        return ""
    return f" ({last.filename}, line {last.lineno})"
