"""What a user sees with good, broken and rival plugins installed: fake distributions on the import path."""

import importlib.util
import json
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from polycore import PluginError
from polycore.cli import main
from polycore.hooks.manager import PluginManager
from polycore.settings import load_settings

HERE = Path(__file__).parent
MODULES = ("polycore_good", "polycore_broken", "polycore_unknown", "polycore_async", "polycore_evil")


@pytest.fixture
def install(monkeypatch):
    """Puts fake distributions on the import path; they and their modules are gone after the test."""

    def put(*folders):
        for folder in reversed(folders):
            monkeypatch.syspath_prepend(str(HERE / folder))

    yield put
    for module in MODULES:
        sys.modules.pop(module, None)


def told(capsys, *arguments):
    """Exit status and standard error of a command line."""
    status = main(arguments)
    return status, capsys.readouterr().err


def test_a_good_plugin_is_loaded_and_its_strategy_built(install, capsys):
    install("good")
    assert main(["settings", "check", "--plugins", "good"]) == 0
    out = capsys.readouterr().out
    assert out == "the defaults: right. Strategies: good. Venue: polymarket, network local.\n"


def test_a_plugin_that_fails_to_import_is_named_with_the_line_that_raised(install, capsys):
    install("broken")
    assert told(capsys, "settings", "check", "--plugins", "broken") == (
        2,
        "polycore: plugin broken (polycore-broken 0.3): import of polycore_broken failed: "
        f"RuntimeError: no model file ({HERE / 'broken' / 'polycore_broken.py'}, line 3)\n",
    )


def test_an_unknown_hook_and_a_stray_argument_are_told_together(install, capsys):
    install("unknown_hook")
    assert told(capsys, "settings", "check", "--plugins", "unknown") == (
        2,
        "polycore: 2 faults stop the start:\n"
        "  strategies.unknown: on_boook is not a hook; did you mean on_book?\n"
        "  strategies.unknown: on_fill takes fills, which it is not given; did you mean fill?\n",
    )


def test_an_async_hot_hook_is_refused(install, capsys):
    install("async_hook")
    assert told(capsys, "settings", "check", "--plugins", "slow") == (
        2,
        "polycore: strategies.slow: on_book must be a plain function, not async: "
        "start slow work in on_start and use context.emit\n",
    )


@pytest.mark.parametrize("order", [("good", "impostor"), ("impostor", "good")])
def test_two_distributions_that_claim_one_name_are_both_named_and_neither_is_imported(install, capsys, order):
    install(*order)
    assert told(capsys, "settings", "check", "--plugins", "good") == (
        2,
        "polycore: plugin good is claimed by polycore-evil 6.6 and polycore-good 1.0; "
        "uninstall all but the one you trust\n",
    )
    assert not {"polycore_good", "polycore_evil"} & sys.modules.keys()


def test_a_name_that_is_not_installed_lists_what_is(install, capsys):
    install("good")
    status, err = told(capsys, "settings", "check", "--plugins", "nosuch")
    assert status == 2
    assert err.startswith("polycore: plugin nosuch is not installed; installed: ")
    assert "good" in err
    assert "polymarket" in err


def test_faults_of_several_plugins_and_of_the_settings_are_told_together(install, capsys, tmp_path):
    install("good", "broken", "async_hook")
    file = tmp_path / "settings.toml"
    file.write_text(
        'plugins = ["good", "broken", "slow", "nosuch"]\n[run]\nspeed = "fast"\n[strategies.good]\nspred_ticks = 2\n'
    )
    status, err = told(capsys, "settings", "check", "--settings", str(file))
    lines = err.splitlines()
    assert status == 2
    assert lines[0] == "polycore: 5 faults stop the start:"
    assert f'  {file}: run.speed: expected a number, found the text "fast"' in lines
    assert f"  {file}: strategies.good.spred_ticks is not a setting; did you mean spread_ticks?" in lines
    for start in (
        "plugin broken (polycore-broken 0.3): import of polycore_broken failed",
        "plugin nosuch is not installed; installed: ",
        "strategies.slow: on_book must be a plain function",
    ):
        assert any(line.startswith(f"  {start}") for line in lines), start


def test_plugins_list_imports_none_and_works_with_every_one_broken(install, capsys):
    install("broken", "unknown_hook", "async_hook", "good", "impostor")
    assert main(["plugins", "list"]) == 0
    out = capsys.readouterr().out
    assert "polycore-broken" in out
    assert out.count("claimed by 2 distributions: it will not be loaded") == 2
    assert not set(MODULES) & sys.modules.keys()


def test_without_blocks_a_plugin_of_the_settings_before_it_is_imported(install):
    install("good", "broken")
    manager = PluginManager(distributions(path=[str(HERE / "good"), str(HERE / "broken"), *sys.path]))
    settings = load_settings(environ={}, options={"plugins": ("--plugins", ["broken", "good"])})
    manager.prepare(settings, without=["broken"])
    assert [strategy.name for strategy in manager.strategies] == ["good"]
    assert "polycore_broken" not in sys.modules


def test_a_plugin_is_imported_only_when_its_command_is_named(install, capsys):
    install("good")
    assert main(["--help"]) == 0
    assert "polycore_good" not in sys.modules
    capsys.readouterr()
    assert main(["good", "greet"]) == 0
    assert capsys.readouterr().out == "hello from good\n"


def test_plugins_info_shows_hooks_and_every_setting_with_its_default(install, capsys):
    install("good")
    assert main(["plugins", "info", "good"]) == 0
    out = capsys.readouterr().out
    assert "good: polycore-good 1.0, module polycore_good\nQuotes nothing and counts books\n" in out
    assert "strategy good\nhooks: on_book\n[strategies.good]\n" in out
    assert '  size = "10"\n      shares, as text\n' in out
    assert "observer good_watch\nhooks: on_plugin_loaded\nno settings\n" in out


def test_plugins_info_as_json(install, capsys):
    install("good")
    assert main(["plugins", "info", "good", "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["hooks"] == ["register_strategies", "register_observers", "register_commands"]
    assert [setting["name"] for setting in page["registered"][0]["settings"]] == ["markets", "spread_ticks", "size"]


def test_an_entry_point_must_name_a_module(tmp_path, monkeypatch):
    info = tmp_path / "polycore_object-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: polycore-object\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[polycore]\nobject = polycore_object:Plugin\n")
    manager = PluginManager(distributions(path=[str(tmp_path)]))
    with pytest.raises(PluginError) as refused:
        manager.load(["object"])
    assert str(refused.value) == ("plugin object: its entry point names polycore_object:Plugin; it must name a module")
    assert importlib.util.find_spec("polycore_object") is None
