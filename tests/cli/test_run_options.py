"""What ``run`` and ``exchange serve`` refuse before anything is opened: one message, status 2."""

import pytest

from polycore.cli import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--plugins", "mm", "--for", "20x"], "'20x' is not a duration"),
        (["run", "--plugins", "mm", "--network", "paper"], "network paper is refused in this version"),
        (["run", "--plugins", "mm", "--network", "mainnet"], "network mainnet is refused in this version"),
        (
            ["run", "--plugins", "mm", "--recording", "nosuch"],
            "no recording is called 'nosuch'; there are btc-updown-15m",
        ),
        (["run", "--plugins", "mm", "--exchange", "http://example.com"], "http://example.com is no local exchange"),
        (
            ["run", "--plugins", "mm", "--exchange", "http://127.0.0.1:9"],
            "no local exchange answers at http://127.0.0.1:9",
        ),
        (["run", "--plugins", "mm", "--exchange", "http://127.0.0.1:9", "--speed", "3"], "--speed with --exchange"),
        (["run", "--plugins", "mm", "--summary", "no-such-folder/s.json"], "there is no folder no-such-folder"),
        (["run", "--plugins", "nosuch"], "plugin nosuch is not installed; installed: arb, mm"),
        (["run", "--plugins", "mm", "--settings", "none.toml"], "none.toml: there is no such settings file"),
        (["exchange", "serve", "--port", "80000"], "80000 is not in the range"),
        (["exchange", "serve", "--state", "no-such-folder/x"], "there is no folder no-such-folder"),
        (["exchange", "serve", "--speed", "nan", "--recording", "btc-updown-15m"], "speed must be above 0"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(words, message, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'[venues.polymarket]\nfunder = "0x{"ab" * 32}"', "venues.polymarket.funder looks like a private key"),
        ('[venues.polymarket]\nfunder = "nobody"', "funder must be an address: 0x and 40 hex digits"),
        ('[limits]\nmax_order = "0"', "max_order must be above 0"),
        ('[strategies.mm]\nsize = "900"', "size 900 must be above 0 and not above max_position 100"),
    ],
)
def test_a_bad_setting_is_named_and_a_key_is_not_repeated(text, message, capsys, tmp_path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    assert main(["settings", "check", "--plugins", "mm", "--settings", str(file)]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "ab" * 32 not in told.out + told.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('minimum_edge = "0.5"\nmaximum_edge = "0.1"', "minimum_edge 0.5 must be above 0 and below maximum_edge 0.1"),
        (
            'basket_budget = "900"\ntotal_budget = "100"',
            "basket_budget 900 must be above 0 and not above total_budget 100",
        ),
    ],
)
def test_amounts_in_a_message_are_those_of_the_file(text, message, capsys, tmp_path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(f"[strategies.arb]\n{text}")
    assert main(["settings", "check", "--plugins", "arb", "--settings", str(file)]) == 2
    assert message in capsys.readouterr().err
