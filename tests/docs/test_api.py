"""The page of public names is the package's list of them: nothing is exported unsaid, nothing is said that is gone."""

import re
import types
from pathlib import Path

import pytest

import polycore

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
_ROW = re.compile(r"^\| `(\w+)` \| .+ \|$", re.MULTILINE)

pytestmark = pytest.mark.repository


def test_every_exported_name_has_its_line_on_the_page_and_no_other_has_one() -> None:
    names = _ROW.findall(PAGE.read_text())
    assert len(names) == len(set(names))
    assert set(names) == set(polycore.__all__) - {"__version__"}


def test_what_the_package_binds_it_exports() -> None:
    bound = {
        name
        for name, value in vars(polycore).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert bound == set(polycore.__all__) - {"__version__"}
