"""Pages that the code generates are what it generates, and the example of a plugin runs."""

import importlib.util
import inspect
import json
import os
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

from polycore.hooks import specs
from polycore.hooks.verify import ARGUMENTS

ROOT = Path(__file__).parents[2]
PENNIES = ROOT / "tests" / "installed" / "pennies"


def reference():
    """The generator, a script of the repository."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["hooks.md", "settings.md"])
def test_a_generated_page_is_what_the_code_says(name):
    generator = reference()
    page = generator.DOCS / name
    assert page.read_text() == generator.render(page, generator.PAGES[page]()), "run: python tools/reference.py"


def test_every_hook_is_on_the_page_with_its_exact_signature():
    """Against the text of specs.py, so that a fault of the generator is no excuse."""
    lines = (ROOT / "docs" / "hooks.md").read_text().splitlines()
    for hook in ARGUMENTS:
        (shown,) = (line for line in lines if line.startswith(f"def {hook}(") and "->" in line)
        written = inspect.getsource(getattr(specs, hook)).partition("def ")[2].partition(":\n")[0]
        assert shown == "def " + written.replace('"', "")


def test_the_example_settings_file_is_right_and_says_what_the_defaults_are(capsys):
    from polycore.cli import main

    assert main(["settings", "check", "--settings", str(ROOT / "settings.toml")]) == 0
    assert "right. Strategies: mm, arb." in capsys.readouterr().out


def test_the_example_plugin_trades_on_the_local_exchange(tmp_path):
    """The file that docs/write-a-plugin.md includes, as a user would run it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("POLYCORE_")}
    done = subprocess.run(
        [sys.executable, "-m", "polycore", "run", "--plugins", "pennies", "--recording", "neg-risk", "--for", "3s",
         "--summary", "summary.json"],
        cwd=tmp_path, env=environment | {"PYTHONPATH": str(PENNIES)}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    numbers = json.loads((tmp_path / "summary.json").read_text())["plugins"]["pennies"]
    assert numbers["on_book"] > 0
    assert numbers["orders"] > 0


def test_the_example_names_its_module_as_it_is_installed():
    """A fake distribution stands for the installed one; it must say what the shown pyproject.toml says."""
    project = tomllib.loads((PENNIES / "pyproject.toml").read_text())["project"]
    installed = ConfigParser()
    installed.read(PENNIES / "polycore_pennies-0.1.0.dist-info" / "entry_points.txt")
    assert dict(installed["polycore"]) == project["entry-points"]["polycore"]
