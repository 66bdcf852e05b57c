"""Settings from a file, the local file beside it, the environment and options; every fault with its place and cure."""

import os
import pickle
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from msgspec import Struct

from polycore import Dollars, PriceValue, Secret, SettingsError, Shares
from polycore.settings import Limits, RunSettings, load_settings

KEY = "0x" + "4c" * 32


class Leg(Struct, frozen=True, forbid_unknown_fields=True):
    size: Shares
    price: PriceValue = PriceValue("0.5")


class Config(Struct, frozen=True, kw_only=True):
    markets: tuple[str, ...] = ("*",)
    spread_ticks: int = 2
    weight: float = 0.5
    size: Shares = Shares("10")
    budget: Dollars | None = None
    style: Literal["calm", "wild"] = "calm"
    leg: Leg | None = None
    legs: list[Leg] = []
    caps: dict[str, Shares] = {}
    on: bool = False
    api_key: Secret | None = None


@pytest.fixture
def write(tmp_path):
    def write(text, name="settings.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def faults_of(path, environ=None, options=None, table=None, struct=Config):
    """Every fault of loading, and of converting a strategy's table, with the file's folder left out."""
    faults: list[str] = []
    settings = load_settings(path, environ=environ or {}, options=options, faults=faults)
    if table:
        settings.strategies[table].convert(struct, faults)
    folder = f"{path.parent}{os.sep}" if path else ""
    return [fault.replace(folder, "") for fault in faults]


def converted(path=None, environ=None, table="mm", struct=Config):
    return load_settings(path, environ=environ if environ is not None else {}).strategies[table].convert(struct)


# ── Defaults and the four sources ─────────────────────────────────────────────


def test_without_a_file_the_defaults_are_in_force():
    settings = load_settings(environ={})
    assert settings.plugins == ()
    assert (settings.venue.name, settings.venue.network, settings.venue.recording) == ("polymarket", "local", "")
    assert settings.run == RunSettings()
    assert settings.limits == Limits()
    assert settings.limits.max_order == 50_000_000


def test_no_file_is_looked_for(write, monkeypatch):
    monkeypatch.chdir(write('plugins = ["mm"]\n').parent)
    assert load_settings(environ={}).plugins == ()


def test_options_lie_over_the_environment_over_the_local_file_over_the_file(write):
    path = write("[run]\nspeed = 1.0\nstale_seconds = 1.0\nhook_budget_us = 1\non_error = 'stop_run'\n")
    write("[run]\nspeed = 2.0\nstale_seconds = 2.0\nhook_budget_us = 2\n", "settings.local.toml")
    environ = {"POLYCORE_RUN__SPEED": "3", "POLYCORE_RUN__STALE_SECONDS": "3.5"}
    settings = load_settings(path, environ=environ, options={"run.speed": ("--speed", 4.0)})
    assert settings.run == RunSettings(speed=4.0, stale_seconds=3.5, hook_budget_us=2, on_error="stop_run")
    origins = {key[1]: origin.label for key, origin in settings.origins.items() if len(key) == 2}
    assert origins == {
        "speed": "--speed",
        "stale_seconds": "POLYCORE_RUN__STALE_SECONDS",
        "hook_budget_us": str(path.with_name("settings.local.toml")),
        "on_error": str(path),
    }


def test_the_local_file_merges_tables_and_replaces_lists(write):
    path = write('plugins = ["mm", "arb"]\n[strategies.mm]\nmarkets = ["a", "b"]\nspread_ticks = 3\n')
    write('plugins = ["mm"]\n[strategies.mm]\nmarkets = ["c"]\n[strategies.other]\n', "settings.local.toml")
    settings = load_settings(path, environ={})
    assert settings.plugins == ("mm",)
    assert list(settings.strategies) == ["mm", "other"]
    assert converted(path) == Config(markets=("c",), spread_ticks=3)


def test_strategies_keep_the_order_in_which_they_are_written(write):
    path = write("[strategies.zeta]\n[strategies.alpha]\n[strategies.mid]\n")
    assert list(load_settings(path, environ={}).strategies) == ["zeta", "alpha", "mid"]


def test_the_environment_is_text_until_a_struct_gives_it_a_type():
    environ = {
        "POLYCORE_STRATEGIES__MM__SPREAD_TICKS": "4",
        "POLYCORE_STRATEGIES__MM__WEIGHT": "0.25",
        "POLYCORE_STRATEGIES__MM__ON": "true",
        "POLYCORE_STRATEGIES__MM__SIZE": "007.5",
        "POLYCORE_STRATEGIES__MM__MARKETS": '["0x12", "y"]',
        "POLYCORE_STRATEGIES__MM__LEG__SIZE": "3",
        "OTHER": "ignored",
    }
    assert converted(environ=environ) == Config(
        spread_ticks=4, weight=0.25, on=True, size=Shares("7.5"), markets=("0x12", "y"), leg=Leg(size=Shares("3"))
    )


def test_a_text_of_the_environment_that_looks_like_a_number_stays_text():
    class Texts(Struct, frozen=True):
        token: str
        hexadecimal: str

    environ = {
        "POLYCORE_STRATEGIES__MM__TOKEN": "00719000",
        "POLYCORE_STRATEGIES__MM__HEXADECIMAL": "0x00ab",
    }
    assert converted(environ=environ, struct=Texts) == Texts("00719000", "0x00ab")


def test_a_number_in_a_file_is_not_taken_for_text_nor_text_for_a_number(write):
    path = write('[strategies.mm]\nspread_ticks = "2"\nstyle = 3\n')
    assert faults_of(path, table="mm") == [
        'settings.toml: strategies.mm.spread_ticks: expected a whole number, found the text "2"',
        "settings.toml: strategies.mm.style: expected one of calm, wild, found the number 3",
    ]


def test_the_environment_cannot_add_plugins():
    with pytest.raises(SettingsError, match=r"^POLYCORE_PLUGINS: the environment cannot add plugins"):
        load_settings(environ={"POLYCORE_PLUGINS": "evil"})


# ── What dynaconf would do by itself ──────────────────────────────────────────


def test_neither_dynaconf_variables_nor_files_of_its_own_have_a_say(write, monkeypatch):
    path = write(
        'dynaconf_include = ["more.toml"]\nMERGE_ENABLED_FOR_DYNACONF = true\n'
        '[strategies.mm]\nmarkets = ["@format {this}"]\n'
    )
    write("[limits]\nmax_order = '1'\n", "more.toml")
    hook = write("raise SystemExit('dynaconf_hooks.py was run')\n", "dynaconf_hooks.py")
    monkeypatch.setenv("SETTINGS_FILE_FOR_DYNACONF", str(hook.with_name("more.toml")))
    monkeypatch.setenv("INCLUDES_FOR_DYNACONF", "['more.toml']")
    monkeypatch.setenv("DYNACONF_LIMITS__MAX_ORDER", "'1'")
    assert faults_of(path) == [
        "settings.toml: dynaconf_include is not a setting; "
        "known: limits, observers, plugins, run, strategies, venue, venues",
        "settings.toml: merge_enabled_for_dynaconf is not a setting; "
        "known: limits, observers, plugins, run, strategies, venue, venues",
    ]
    faults: list[str] = []
    settings = load_settings(path, environ={}, faults=faults)
    assert settings.limits == Limits()
    assert settings.strategies["mm"].convert(Config) == Config(markets=("@format {this}",))


# ── Faults ────────────────────────────────────────────────────────────────────


def test_every_fault_is_told_at_once_with_file_path_and_suggestion(write):
    path = write(
        'plugins = ["mm", 3]\nvenu = "x"\n'
        '[venues.polymarket]\nnetwork = "lokal"\n'
        '[run]\nspeed = -1\nhook_budget_us = 1.5\non_error = "stop"\n'
        '[limits]\nmax_order = 50\nprice_band = "0.00001"\n'
        "[strategies]\nloose = 1\n"
        "[strategies.mm]\nspred_ticks = 2\nmarkets = 'all'\ncaps = { a = 1 }\nleg = { size = '1', sise = '2' }\n"
        "legs = [{ size = '1' }, { price = '0.1' }]\nstyle = 'calme'\non = 'yes'\nleverage = 3\n"
    )
    assert faults_of(path, table="mm") == [
        "settings.toml: venu is not a setting; did you mean venue?",
        "settings.toml: plugins[1]: expected text, found the number 3",
        "settings.toml: venues.polymarket.network: expected one of local, mainnet, paper, "
        'found the text "lokal"; did you mean local?',
        "settings.toml: run.speed: expected a number > 0.0, found the number -1",
        "settings.toml: run.hook_budget_us: expected a whole number, found the number 1.5",
        'settings.toml: run.on_error: expected one of stop_run, trip, found the text "stop"; did you mean stop_run?',
        'settings.toml: limits.max_order: expected an amount of pUSD as text, such as "25", found 50 without quotes',
        'settings.toml: limits.price_band: expected a price, such as "0.01": '
        "price '0.00001' has more than 4 decimals",
        "settings.toml: strategies.loose: expected a table, found the number 1",
        "settings.toml: strategies.mm.spred_ticks is not a setting; did you mean spread_ticks?",
        "settings.toml: strategies.mm.leverage is not a setting; "
        "known: api_key, budget, caps, leg, legs, markets, on, size, spread_ticks, style, weight",
        'settings.toml: strategies.mm.markets: expected a list, found the text "all"',
        'settings.toml: strategies.mm.style: expected one of calm, wild, found the text "calme"; did you mean calm?',
        "settings.toml: strategies.mm.leg.sise is not a setting; did you mean size?",
        "settings.toml: strategies.mm.legs[1].size is missing",
        'settings.toml: strategies.mm.caps: expected a number of shares as text, such as "50", found 1 without quotes',
        'settings.toml: strategies.mm.on: expected true or false, found the text "yes"',
    ]


@pytest.mark.parametrize("name", ["MM", "m m", "9", "_x", "mm.sports"])
def test_the_name_of_a_table_is_checked(write, name):
    assert faults_of(write(f'[strategies."{name}"]\n')) == [
        f"settings.toml: strategies.{name}: a name is lower-case letters, digits, _ and -, and begins with a letter"
    ]


def test_one_fault_is_one_line(write):
    path = write("[run]\nsped = 3\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(path, environ={})
    assert str(refused.value) == f"{path}: run.sped is not a setting; did you mean speed?"


def test_a_missing_setting_is_told_with_the_file_of_its_table(write):
    path = write("[strategies.mm]\nprice = '0.4'\n")
    write("[strategies.mm]\n", "settings.local.toml")
    assert faults_of(path, table="mm", struct=Leg) == ["settings.toml: strategies.mm.size is missing"]


def test_a_fault_of_the_environment_names_the_variable():
    environ = {"POLYCORE_RUN__SPEED": "fast", "POLYCORE_RUM__X": "1"}
    assert faults_of(None, environ) == [
        "POLYCORE_RUM__X: rum is not a setting; did you mean run?",
        'POLYCORE_RUN__SPEED: run.speed: expected a number, found the text "fast"',
    ]


def test_a_value_that_a_struct_itself_refuses_is_told_with_its_table(write):
    class Ordered(Struct, frozen=True):
        low: int = 1
        high: int = 2

        def __post_init__(self):
            if self.low > self.high:
                raise ValueError(f"low {self.low} is above high {self.high}")

    path = write("[strategies.mm]\nlow = 3\n")
    assert faults_of(path, table="mm", struct=Ordered) == ["settings.toml: strategies.mm: low 3 is above high 2"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.toml", None, "none.toml: there is no such settings file"),
        ("settings.json", "{}", "settings.json: a settings file is TOML and its name ends in .toml"),
        ("bad.toml", "a = [\nb", "bad.toml: is not valid TOML: Invalid value (at line 2, column 1)"),
        ("latin.toml", b"a = '\xe9'", "latin.toml: is not UTF-8 text (byte 5)"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, monkeypatch, name, content, message):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as refused:
        load_settings(Path(name), environ={})
    assert str(refused.value) == message


def test_a_folder_is_not_a_settings_file(tmp_path):
    folder = tmp_path / "x.toml"
    folder.mkdir()
    with pytest.raises(SettingsError, match=r"x\.toml: cannot be read: Is a directory"):
        load_settings(folder, environ={})


# ── Amounts ───────────────────────────────────────────────────────────────────


def test_an_amount_is_a_plain_integer_wherever_it_comes_from(write):
    path = write(
        "[strategies.mm]\nsize = '12.5'\nbudget = '2.5'\ncaps = { a = '1' }\nlegs = [{ size = '4', price = '0.01' }]\n"
    )
    config = converted(path)
    assert (config.size, config.budget, config.caps, config.legs) == (
        12_500_000, 2_500_000, {"a": 1_000_000}, [Leg(size=Shares("4"), price=PriceValue("0.01"))],
    )  # fmt: skip
    assert {type(config.size), type(Config().size), type(config.legs[0].price)} == {int}
    assert msgspec.json.encode(config.legs) == b'[{"size":4000000,"price":100}]'


@pytest.mark.parametrize("text", ["", "-1", "1e3", "1,5", "0x10", "1.0000001", " 1"])
def test_a_text_that_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match=r"plain decimal|decimals"):
        Shares(text)


# ── Secrets ───────────────────────────────────────────────────────────────────


def test_a_secret_shows_itself_nowhere():
    secret = Secret(KEY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>10}", format(secret, ""), repr(Config(api_key=secret))]
    assert not any("4c" in text for text in shown)
    assert f"{secret}" == "***"
    assert secret != Secret(KEY)
    assert secret.reveal() == KEY
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="a secret is text"):
        Secret(12)  # type: ignore[arg-type]


def test_a_secret_of_the_environment_stays_text_and_is_removed_after_reading():
    environ = {"POLYCORE_STRATEGIES__MM__API_KEY": "0x00ff", "POLYCORE_RUN__SPEED": "2"}
    config = converted(environ=environ)
    assert config.api_key.reveal() == "0x00ff"
    assert environ == {"POLYCORE_RUN__SPEED": "2"}


def test_on_mainnet_a_secret_is_not_taken_from_the_environment(write):
    path = write("[venues.polymarket]\nnetwork = 'mainnet'\n")
    environ = {"POLYCORE_STRATEGIES__MM__API_KEY": KEY}
    assert faults_of(path, environ, table="mm") == [
        "POLYCORE_STRATEGIES__MM__API_KEY: strategies.mm.api_key: "
        "on mainnet a secret is not taken from the environment; "
        'put it in a file of mode 0600 and write { file = "PATH" }'
    ]


@pytest.mark.parametrize(
    ("value", "found"),
    [("12345", "a number"), ("true", "true"), ("['x']", "a list"), ("0x4c4c", "a number")],
)
def test_a_secret_that_is_not_text_is_refused_without_its_value(write, value, found):
    path = write(f"[strategies.mm]\napi_key = {value}\n")
    assert faults_of(path, table="mm") == [
        f"settings.toml: strategies.mm.api_key: a secret must be text, found {found}; "
        'put it in a file of mode 0600 and write { file = "PATH" }'
    ]


def test_a_secret_written_into_a_settings_file_is_refused_without_its_value(write):
    path = write("[strategies.mm]\napi_key = 'hunter2'\n")
    (fault,) = faults_of(path, table="mm")
    assert fault.startswith("settings.toml: strategies.mm.api_key: a secret does not belong in a settings file")
    assert "hunter2" not in fault


@pytest.mark.parametrize("value", [KEY, KEY.removeprefix("0x"), "q" * 43 + "="])
@pytest.mark.parametrize("line", ["api_key = '{}'", "note = ['{}']", "deep = {{ er = '{}' }}"])
def test_what_looks_like_a_key_is_refused_anywhere_in_a_file_without_its_value(write, value, line):
    path = write("[strategies.mm]\n" + line.format(value) + "\n")
    with pytest.raises(SettingsError, match=r"settings.toml: strategies.mm.\S+ looks like a private key") as refused:
        load_settings(path, environ={})
    assert value not in str(refused.value)


def test_a_market_id_has_the_form_of_a_key_and_is_allowed_where_markets_are_named(write):
    assert converted(write(f"[strategies.mm]\nmarkets = ['{KEY}']\n")).markets == (KEY,)


@pytest.fixture
def credential(tmp_path, write):
    """A credential file, and settings that point to it."""
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    file.chmod(0o600)
    write(f"[strategies.mm]\napi_key = {{ file = '{file}' }}\n")
    return file


def test_a_secret_is_read_from_a_credential_file(credential):
    assert converted(credential.with_name("settings.toml")).api_key.reveal() == "s3cret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_credential_file_that_others_may_open_is_refused(credential, mode):
    credential.chmod(mode)
    assert faults_of(credential.with_name("settings.toml"), table="mm") == [
        f"settings.toml: strategies.mm.api_key.file: key has mode {mode:04o} and others may open it: chmod 600 key"
    ]


def test_a_credential_file_of_another_user_is_refused(credential, monkeypatch):
    owner = credential.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert faults_of(credential.with_name("settings.toml"), table="mm") == [
        "settings.toml: strategies.mm.api_key.file: key belongs to another user: "
        "a credential file belongs to who runs polycore"
    ]


def test_a_credential_file_may_not_be_a_link_or_missing_or_a_folder_or_empty(credential):
    path = credential.with_name("settings.toml")
    start = "settings.toml: strategies.mm.api_key.file: key "
    credential.rename(credential.with_name("real"))
    assert faults_of(path, table="mm") == [start + "cannot be read: No such file or directory"]
    credential.symlink_to(credential.with_name("real"))
    assert faults_of(path, table="mm") == [start + "is a symbolic link: name the file itself"]
    credential.unlink()
    credential.mkdir()
    assert faults_of(path, table="mm") == [start + "is not a regular file"]
    credential.rmdir()
    credential.touch(0o600)
    assert faults_of(path, table="mm") == [start + "holds nothing"]


def test_a_table_does_not_show_the_raw_values_it_holds():
    settings = load_settings(environ={"POLYCORE_VENUES__POLYMARKET__PRIVATE_KEY": KEY})
    assert "4c4c" not in repr(settings)
