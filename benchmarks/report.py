"""What was measured: bars, their table, their file.

Owns the form of a result. Must not measure anything.
"""

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

RESULTS = Path(__file__).parent / "results.json"
_PACKAGES = ("uvloop", "orjson", "msgspec", "websockets", "aiohttp")
_VERDICTS = {True: "holds", False: "FAILS", None: "NOT MEASURED"}


class Bar(Struct, frozen=True):
    """One bar of docs/performance.md. ``ratio`` is the value over the bar: of "at most" it must not exceed 1.

    ``holds`` is ``None`` when it could not be measured; ``note`` says why. ``parts`` are figures beside the value.
    """

    name: str
    unit: str
    must: str
    value: float | None = None
    bar: float | None = None
    ratio: float | None = None
    holds: bool | None = None
    parts: dict[str, float | int | str] = {}
    note: str = ""


def at_most(name: str, value: float, bar: float, unit: str, **parts: float | int | str) -> Bar:
    holds, ratio = value <= bar, _round(value / bar) if bar else None
    return Bar(name, unit, f"≤ {bar:g}", _round(value), bar, ratio, holds, _rounded(parts))


def at_least(name: str, value: float, bar: float, unit: str, **parts: float | int | str) -> Bar:
    holds = value >= bar
    return Bar(name, unit, f"≥ {bar:g}", _round(value), bar, _round(value / bar), holds, _rounded(parts))


def not_measured(name: str, must: str, unit: str, why: str) -> Bar:
    return Bar(name, unit, must, note=why)


def wrong(name: str, error: AssertionError) -> Bar:
    """A benchmark whose result is not what it must be: there is no time to speak of."""
    return Bar(name, "", "", holds=False, note=f"the result is wrong: {error or 'an assertion failed'}")


def machine() -> dict[str, str | int | float]:
    """What the figures depend on, and how busy the machine was before."""
    named: dict[str, str | int | float] = {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})",
    }
    for package in _PACKAGES:
        try:
            named[package] = version(package)
        except PackageNotFoundError:
            named[package] = "not installed"
    return named


def show(bar: Bar) -> None:
    """Print one bar and what belongs to it."""
    value = "-" if bar.value is None else f"{bar.value:g}"
    share = "" if bar.ratio is None else f"{bar.ratio:.2f} of the bar"
    print(f"{_VERDICTS[bar.holds]:<13} {bar.name:<58} {value:>9} {bar.unit:<16} {bar.must:<9} {share}")
    if bar.parts:
        parts = "  ".join(f"{name.replace('_', ' ')} {part}" for name, part in bar.parts.items())
        print(f"{'':13} {parts}")
    if bar.note:
        print(f"{'':13} {bar.note}")
    sys.stdout.flush()


def write(bars: list[Bar], named: dict[str, str | int | float]) -> None:
    """Write the result file."""
    text = json.dumps({"machine": named, "bars": to_builtins(bars)}, indent=2, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def quantile(ordered: list[Any], per_mille: int) -> Any:
    """The value that ``per_mille`` of a thousand of an ordered list do not exceed."""
    return ordered[max(-(-len(ordered) * per_mille // 1000) - 1, 0)]


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    name = found.get("model name", platform.machine())
    return f"{name} (family {found.get('cpu family', '?')}, model {found.get('model', '?')})"


def _rounded(parts: dict[str, float | int | str]) -> dict[str, float | int | str]:
    return {name: _round(part) if isinstance(part, float) else part for name, part in parts.items()}


def _round(value: float) -> float:
    return float(f"{value:.4g}")
