"""The command line: one clear message for a mistake, exit statuses, what is loaded when."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from polycore import PolycoreError, VenueRefusal
from polycore import cli as command_line
from polycore.cli import main
from polycore.cli.display import clean
from polycore.cli.duration import parse_duration

SECOND = 1_000_000_000


def polycore(*arguments, cwd, **environment):
    """The command in a process of its own."""
    clean_environment = {key: value for key, value in os.environ.items() if not key.startswith("POLYCORE_")}
    return subprocess.run(
        [sys.executable, "-m", "polycore", *arguments],
        cwd=cwd, env=clean_environment | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def told(capsys, *arguments):
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


# ── A user's mistake: one message, exit 2 ─────────────────────────────────────


def test_a_command_that_does_not_exist_gets_a_suggestion(capsys):
    assert told(capsys, "rum") == (
        2, "", "polycore: no command rum; did you mean run?\npolycore --help shows what it takes\n",
    )  # fmt: skip


def test_an_option_that_does_not_exist_is_told_with_its_command(capsys):
    status, out, err = told(capsys, "plugins", "list", "--jsn")
    assert (status, out) == (2, "")
    assert err == "polycore plugins list: No such option '--jsn'. Did you mean '--json'?\n" + (
        "polycore plugins list --help shows what it takes\n"
    )


@pytest.mark.parametrize(
    "command", [["settings", "check"], ["settings", "show"], ["markets", "--exchange", "http://x"]]
)
def test_a_settings_file_that_is_missing_is_told(capsys, command):
    assert told(capsys, *command, "--settings", "nosuch.toml") == (
        2, "", "polycore: nosuch.toml: there is no such settings file\n",
    )  # fmt: skip


def test_a_bad_setting_is_told_with_file_path_and_suggestion(capsys, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[limits]\nmax_ordr = '5'\n")
    assert told(capsys, "settings", "check", "--settings", str(file)) == (
        2, "", f"polycore: {file}: limits.max_ordr is not a setting; did you mean max_order?\n",
    )  # fmt: skip


@pytest.mark.parametrize("names", ["mm,", "", "mm arb", "../x"])
def test_a_text_that_names_no_plugins_is_told(capsys, names):
    status, _, err = told(capsys, "settings", "check", "--plugins", names)
    assert status == 2
    assert "is not a plugin's name; write names with commas, such as mm,arb" in err


def test_a_plugin_without_commands_says_how_to_trade_with_it(capsys):
    assert told(capsys, "polymarket") == (
        2, "", "polycore: plugin polymarket has no commands; to trade with it: polycore run --plugins polymarket\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--plugins", "nosuch"],
        ["run", "--plugins", "mm", "--settings", "nosuch.toml"],
        ["run", "--plugins", "mm", "--for", "20x"],
        ["run", "--plugins", "mm", "--network", "mainnet"],
        ["run"],
    ],
)
def test_a_run_that_cannot_start_ends_with_one_message_and_nothing_else(tmp_path, arguments):
    done = polycore(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("polycore")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


# ── Exit statuses ─────────────────────────────────────────────────────────────


@pytest.fixture
def failing(monkeypatch):
    """A command that raises what it is given."""

    def command(error):
        @click.command()
        def fail():
            raise error

        monkeypatch.setattr(command_line._Commands, "get_command", lambda self, ctx, name: fail)

    return command


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (PolycoreError("the thing is wrong; do that"), 2, "polycore: the thing is wrong; do that\n"),
        (VenueRefusal(400, "no"), 2, "polycore: the venue refused (400): no\n"),
        (
            ExceptionGroup("tasks", [PolycoreError("one"), ExceptionGroup("more", [PolycoreError("two")])]),
            2,
            "polycore: one\npolycore: two\n",
        ),
        (
            ZeroDivisionError("oops"),
            1,
            "polycore: unexpected ZeroDivisionError: oops; for the traceback put --debug before the command: "
            "polycore --debug …\n",
        ),
        (KeyboardInterrupt(), 130, "polycore: interrupted\n"),
    ],
)
def test_an_error_is_one_message_and_its_status(capsys, failing, error, status, message):
    failing(error)
    found, out, err = told(capsys, "anything")
    assert (found, out, err.removeprefix("\n")) == (status, "", message)


def test_debug_shows_the_traceback(tmp_path):
    done = polycore("--debug", "markets", "--exchange", "http://example.com", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("polycore: network local needs the URL of an exchange on loopback")


def test_a_reader_that_has_gone_is_no_error(tmp_path):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m polycore markets | head -1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("MARKET")
    assert done.stderr == ""


# ── What is loaded when ───────────────────────────────────────────────────────


def test_help_loads_no_plugin_no_subcommand_and_no_dynaconf(tmp_path):
    script = (
        "import sys; from polycore.cli import main; main(['--help']); "
        "unwanted = ('polycore_', 'polycore.venues', 'polycore.cli.', 'dynaconf', 'aiohttp', 'rich'); "
        "print(sorted(name for name in sys.modules if name.startswith(unwanted)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Trade: on the local exchange by default" in done.stdout


@pytest.mark.parametrize("name", list(command_line._COMMANDS))
def test_every_command_has_help(capsys, name):
    status, out, _ = told(capsys, name, "--help")
    assert status == 0
    assert out.startswith(f"Usage: polycore {name}")


# ── What is printed ───────────────────────────────────────────────────────────


def test_settings_show_names_the_origin_of_every_value_and_hides_a_secret(capsys, tmp_path, monkeypatch):
    file = tmp_path / "settings.toml"
    file.write_text('[limits]\nmax_order = "7.50"\n')
    monkeypatch.setenv("POLYCORE_RUN__SPEED", "2")
    monkeypatch.setenv("POLYCORE_VENUES__POLYMARKET__PRIVATE_KEY", "0x" + "4c" * 32)
    status, out, _ = told(capsys, "settings", "show", "--settings", str(file), "--json")
    values = {line["path"]: (line["value"], line["origin"]) for line in json.loads(out)}
    assert status == 0
    assert values["limits.max_order"] == ('"7.5"', str(file))
    assert values["run.speed"] == ("2.0", "POLYCORE_RUN__SPEED")
    assert values["limits.max_position"] == ('"500"', "default")
    assert values["venues.polymarket.private_key"] == ("***", "POLYCORE_VENUES__POLYMARKET__PRIVATE_KEY")
    assert "4c4c" not in out
    assert "POLYCORE_VENUES__POLYMARKET__PRIVATE_KEY" not in os.environ


def test_markets_lists_those_of_the_bundled_recordings(capsys):
    status, out, _ = told(capsys, "markets", "--json")
    lines = json.loads(out)
    assert status == 0
    assert len(lines) > 10
    assert {"slug", "question", "outcomes", "tick", "minimum_size", "id", "assets", "source"} <= lines[0].keys()
    status, out, _ = told(capsys, "markets", lines[0]["id"], "--json")
    assert [line["slug"] for line in json.loads(out)] == [lines[0]["slug"]]


def test_a_selector_that_matches_nothing_is_told(capsys):
    assert told(capsys, "markets", "tag:nothing") == (
        2, "",
        "polycore: no market of the bundled recordings matches tag:nothing; polycore markets lists them all\n",
    )  # fmt: skip


def test_text_of_a_stranger_is_printed_without_control_characters():
    assert clean("Will it\n\x1b[31mrain\u202e?\u200b") == "Will it[31mrain?"
    assert len(clean("x" * 1_000_000)) == 200


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("500ms", SECOND // 2),
        ("20s", 20 * SECOND),
        ("1.5m", 90 * SECOND),
        ("2h", 7200 * SECOND),
        ("0.001s", SECOND // 1000),
    ],
)
def test_a_duration_is_read_exactly(text, nanoseconds):
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["20", "s", "20x", "-1s", "1e3s", "1h30m", "", "٣s", "1..5s", "0s", "0.0001ms", "9999h"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_the_module_and_the_command_are_the_same(tmp_path):
    assert polycore("--version", cwd=tmp_path).stdout.startswith("polycore 0.")
    script = Path(sys.executable).with_name("polycore")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("polycore 0.")
