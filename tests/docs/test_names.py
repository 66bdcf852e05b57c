"""Names in the documentation exist: files, modules, classes and methods are looked up, not believed."""

import importlib
import re
from pathlib import Path

import pytest

import polycore

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
_PATH = re.compile(r"`((?:polycore|plugins|tests|docs|recordings|benchmarks)/[\w./-]*)`")
_DOTTED = re.compile(r"`(polycore(?:_mm|_arb)?(?:\.\w+)+)`")
_MEMBER = re.compile(r"`([A-Z]\w+)\.(\w+)(?:\(.*?\))?`")

pytestmark = pytest.mark.repository


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_on_a_page_exists(page: Path) -> None:
    missing = [path for path in _PATH.findall(page.read_text()) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_dotted_name_on_a_page_exists(page: Path) -> None:
    missing = [name for name in _DOTTED.findall(page.read_text()) if not _resolves(name)]
    assert missing == []


def test_every_member_in_the_guide_map_exists() -> None:
    places = [polycore, *(importlib.import_module(f"polycore.{name}") for name in ("cache.cache", "ws.manager"))]
    text = (ROOT / "docs" / "guide-map.md").read_text()
    found = _MEMBER.findall(text)
    assert len(found) > 5
    for owner, member in found:
        kinds = [getattr(place, owner) for place in places if hasattr(place, owner)]
        if kinds:
            slots = getattr(kinds[0], "__slots__", ())
            assert hasattr(kinds[0], member) or member in slots, f"{owner}.{member}"


def _resolves(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
