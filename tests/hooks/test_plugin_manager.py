"""Loading, verifying and ordering plugins that are given as objects, without any discovery."""

from types import SimpleNamespace
from typing import ClassVar

import pytest
from msgspec import Struct

from polycore import PluginError, SettingsError, Shares, hookimpl
from polycore.hooks import specs
from polycore.hooks.manager import PluginManager
from polycore.hooks.verify import ARGUMENTS
from polycore.settings import load_settings


class Config(Struct, frozen=True, kw_only=True):
    markets: tuple[str, ...] = ("*",)
    ticks: int = 1
    size: Shares = Shares("5")


class Recorder:
    """A strategy that writes down its calls."""

    calls: ClassVar[list] = []

    def __init__(self, config):
        self.config = config

    @hookimpl
    def on_book(self, book, context):
        self.calls.append(("on_book", self.config.ticks))

    @hookimpl
    def check_order(self, strategy):
        self.calls.append(("check_order", self.config.ticks))


class Module:
    """Stands for a plugin's module: whatever it is given, under the hooks of registration."""

    def __init__(self, *, strategies=(), observers=(), venues=()):
        self._strategies = strategies
        self._observers = observers
        self._venues = venues

    @hookimpl
    def register_strategies(self, registry):
        for name, factory, config in self._strategies:
            registry.add(name, factory, config=config)

    @hookimpl
    def register_observers(self, registry):
        for name, factory in self._observers:
            registry.add(name, factory)

    @hookimpl
    def register_venues(self, registry):
        for name, factory, *config in self._venues:
            registry.add(name, factory, *config)


def settings(tmp_path, text="", plugins=()):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    return load_settings(file, environ={}, options={"plugins": ("--plugins", list(plugins))})


@pytest.fixture
def manager():
    manager = PluginManager([])
    manager.add(Module(venues=[("polymarket", SimpleNamespace)]), "polymarket")
    return manager


def refusal(manager, tmp_path, instance, text=""):
    """What is told of a plugin ``p`` whose strategy is ``instance``."""
    manager.add(Module(strategies=[("p", lambda config: instance, Config)]), "p")
    with pytest.raises(PluginError) as refused:
        manager.prepare(settings(tmp_path, text, ["p"]))
    return str(refused.value)


def test_two_instances_of_one_plugin_have_two_configs_and_two_tables(manager, tmp_path):
    manager.add(Module(strategies=[("mm", Recorder, Config)]), "mm")
    tables = '[strategies.mm]\nticks = 2\n[strategies.mm_sports]\nuse = "mm"\nticks = 4\nsize = "7.5"\n'
    manager.prepare(settings(tmp_path, tables, ["mm"]))
    first, second = manager.strategies
    assert (first.name, first.path, first.plugin) == ("mm", "strategies.mm", "mm")
    assert (second.name, second.path, second.plugin) == ("mm_sports", "strategies.mm_sports", "mm")
    assert (first.config, second.config) == (Config(ticks=2), Config(ticks=4, size=Shares("7.5")))
    assert first.instance is not second.instance


def test_a_plugin_without_a_table_runs_with_its_defaults(manager, tmp_path):
    manager.add(Module(strategies=[("mm", Recorder, Config)]), "mm")
    manager.prepare(settings(tmp_path, plugins=["mm"]))
    assert [(s.name, s.config, s.markets) for s in manager.strategies] == [("mm", Config(), ("*",))]


def test_order_of_names_is_order_of_calls(tmp_path):
    manager = PluginManager([])
    for name in ("zeta", "alpha"):
        manager.add(Module(strategies=[(name, Recorder, Config)]), name)
    manager.add(Module(venues=[("polymarket", SimpleNamespace)]), "polymarket")
    manager.prepare(settings(tmp_path, "[strategies.alpha]\nticks = 1\n[strategies.zeta]\nticks = 26\n"))
    assert [strategy.name for strategy in manager.strategies] == ["zeta", "alpha"]
    Recorder.calls.clear()
    manager.hook.check_order(order=None, strategy="x", cache=None)
    assert Recorder.calls == [("check_order", 26), ("check_order", 1)]


def test_a_built_in_check_registered_afterwards_is_asked_first_and_the_kill_switch_before_all(manager, tmp_path):
    manager.add(Module(strategies=[("mm", Recorder, Config)]), "mm")
    manager.prepare(settings(tmp_path, plugins=["mm"]))
    asked = []

    class Kill:
        @hookimpl(tryfirst=True)
        def check_order(self):
            asked.append("kill")

    class Size:
        @hookimpl
        def check_order(self):
            asked.append("size")

    Recorder.calls.clear()
    manager.register(Kill(), "checks.kill")
    manager.register(Size(), "checks.size")
    manager.hook.check_order(order=None, strategy="mm", cache=None)
    assert asked == ["kill", "size"]
    assert Recorder.calls == [("check_order", 1)]


def test_bind_returns_the_method_itself_when_it_takes_what_is_specified(manager, tmp_path):
    manager.add(Module(strategies=[("mm", Recorder, Config)]), "mm")
    manager.prepare(settings(tmp_path, plugins=["mm"]))
    (strategy,) = manager.strategies
    assert manager.bind(strategy, "on_book") == strategy.instance.on_book
    assert manager.bind(strategy.instance, "on_book") == strategy.instance.on_book
    assert manager.bind(strategy, "on_fill") is None


def test_bind_gives_an_implementation_exactly_the_arguments_it_takes(manager, tmp_path):
    class Few:
        @hookimpl
        def on_book(self, book):
            return ("book", book)

        @hookimpl
        def on_trade(self, context):
            return ("context", context)

        @hookimpl
        def on_fill(self, context, fill):
            return (context, fill)

        @hookimpl
        def on_timer(self):
            return "nothing"

        @hookimpl
        def check_order(self, cache, order):
            return (cache, order)

    manager.add(Module(strategies=[("p", lambda config: Few(), Config)]), "p")
    manager.prepare(settings(tmp_path, plugins=["p"]))
    (strategy,) = manager.strategies
    assert manager.bind(strategy, "on_book")("B", "C") == ("book", "B")
    assert manager.bind(strategy, "on_trade")("T", "C") == ("context", "C")
    assert manager.bind(strategy, "on_fill")("F", "C") == ("C", "F")
    assert manager.bind(strategy, "on_timer")(1, "C") == "nothing"
    assert manager.bind(strategy, "check_order")("O", "S", "K") == ("K", "O")


def test_observers_registered_later_hear_of_plugins_loaded_before(manager, tmp_path):
    heard = []

    class Observer:
        @hookimpl
        def on_plugin_loaded(self, name, distribution, version):
            heard.append(name)

    manager.add(Module(observers=[("watch", Observer)]), "watch")
    manager.prepare(settings(tmp_path, plugins=["watch"]))
    assert heard == ["polymarket", "watch"]
    assert [observer.path for observer in manager.observers] == ["observers.watch"]


@pytest.mark.parametrize("hook", ["on_book", "select_markets", "check_order", "on_start"])
def test_an_observer_may_not_implement_what_it_would_never_hear(manager, tmp_path, hook):
    observer = type("Observer", (), {hook: hookimpl(lambda self: None)})()
    manager.add(Module(observers=[("w", lambda: observer)]), "w")
    with pytest.raises(PluginError, match=f"^observers.w: {hook} is not for an observer; register a strategy for it$"):
        manager.prepare(settings(tmp_path, plugins=["w"]))


def test_an_observer_and_a_strategy_of_one_name_are_refused(manager, tmp_path):
    manager.add(Module(strategies=[("p", Recorder, Config)], observers=[("p", SimpleNamespace)]), "p")
    with pytest.raises(PluginError, match=r"^observers\.p: a strategy has the same name; register another for it$"):
        manager.prepare(settings(tmp_path, plugins=["p"]))


@pytest.mark.parametrize(
    ("define", "message"),
    [
        ("async def on_fill(self, fill, context): ...", "on_fill must be a plain function, not async"),
        ("async def on_timer(self, now, context): yield", "on_timer must be a plain function, not async"),
        ("async def check_order(self, order): ...", "check_order must be a plain function, not async"),
        ("def on_bok(self, book): ...", "on_bok is not a hook; did you mean on_book?"),
        ("def select_market(self, context): ...", "select_market is not a hook; did you mean select_markets?"),
        ("def on_book(self, books): ...", "on_book takes books, which it is not given; did you mean book?"),
        ("def on_book(self, book, context=None): ...", "on_book gives context a default, and would always get it"),
        ("def on_book(self, *, book): ...", "on_book takes book by keyword only, and would never get it"),
        ("def on_book(self, *all): ...", "on_book takes *all; name the arguments it wants: book, context"),
        ("def on_intent(self, intent): ...", "on_intent is not for a strategy; register an observer for it"),
        ("def register_venues(self, registry): ...", "register_venues is not for a strategy; write it as a function"),
    ],
)
def test_a_hook_that_breaks_the_contract_is_refused_with_its_table(manager, tmp_path, define, message):
    space: dict = {}
    exec(define, space)  # noqa: S102
    (name,) = (name for name in space if name != "__builtins__")
    instance = type("Broken", (), {name: hookimpl(space[name])})()
    assert refusal(manager, tmp_path, instance).startswith(f"strategies.p: {message}")


@pytest.mark.parametrize("options", [{"wrapper": True}, {"hookwrapper": True}])
def test_a_wrapper_on_an_instance_is_refused(manager, tmp_path, options):
    class Wrapper:
        @hookimpl(**options)
        def on_book(self, book):
            yield

    assert "on_book is a wrapper" in refusal(manager, tmp_path, Wrapper())


def test_a_check_of_a_plugin_may_not_go_before_the_kill_switch(manager, tmp_path):
    class Eager:
        @hookimpl(tryfirst=True)
        def check_order(self):
            return None

    assert refusal(manager, tmp_path, Eager()) == (
        "strategies.p: check_order asks to be tried first; only the kill switch is"
    )


def test_a_hook_that_lacks_the_marker_is_told(manager, tmp_path):
    class Forgetful:
        def on_book(self, book, context): ...

    assert refusal(manager, tmp_path, Forgetful()) == (
        "strategies.p: on_book lacks @hookimpl and would never be called"
    )


def test_a_method_that_only_sounds_like_a_hook_is_a_plugins_own_business(manager, tmp_path):
    class Chatty(Recorder):
        def on_second_thought(self): ...

    manager.add(Module(strategies=[("p", Chatty, Config)]), "p")
    manager.prepare(settings(tmp_path, plugins=["p"]))
    assert [strategy.name for strategy in manager.strategies] == ["p"]


def test_a_venues_table_is_converted_and_its_faults_are_told_with_the_others(tmp_path):
    manager = PluginManager([])
    manager.add(Module(venues=[("polymarket", SimpleNamespace, Config)]), "polymarket")
    manager.add(Module(strategies=[("p", Recorder, Config)]), "p")
    tables = "[venues.kalshi]\n[venues.polymarket]\nticks = 'y'\n[strategies.p]\nticks = 'x'\n"
    with pytest.raises(SettingsError) as refused:
        manager.prepare(settings(tmp_path, tables, ["p"]))
    for told in (
        "venues.kalshi: no plugin kalshi",
        "venues.polymarket.ticks: expected",
        "strategies.p.ticks: expected",
    ):
        assert told in str(refused.value)
    manager.prepare(settings(tmp_path, "[venues.polymarket]\nticks = 3\n", ["p"]))
    assert manager.venue_config == Config(ticks=3)


def test_a_hook_of_instances_is_refused_on_the_module(manager):
    class Wrong:
        @hookimpl
        def on_book(self, book): ...

    with pytest.raises(PluginError, match="plugin w: on_book is not for a plugin's module; register a strategy for it"):
        manager.add(Wrong(), "w")


def test_a_factory_that_returns_a_class_is_refused(manager, tmp_path):
    assert refusal(manager, tmp_path, Recorder) == (
        "strategies.p: the factory returned the class Recorder; it must return an instance"
    )


def test_settings_of_a_strategy_that_has_none_are_a_fault(manager, tmp_path):
    class Plain:
        @hookimpl
        def on_timer(self, now): ...

    manager.add(Module(strategies=[("p", Plain, None)]), "p")
    with pytest.raises(SettingsError, match=r"strategies\.p: p has no settings, found ticks"):
        manager.prepare(settings(tmp_path, "[strategies.p]\nticks = 2\n", ["p"]))
    manager.prepare(settings(tmp_path, "[strategies.p]\n", ["p"]))
    assert [strategy.config for strategy in manager.strategies] == [None]


def test_a_constructor_that_raises_is_told_with_its_line(manager, tmp_path):
    def build(config):
        raise OSError("no such model")

    manager.add(Module(strategies=[("p", build, Config)]), "p")
    line = r"^strategies\.p failed: OSError: no such model \(.*test_plugin_manager.py, line \d+\)$"
    with pytest.raises(PluginError, match=line):
        manager.prepare(settings(tmp_path, plugins=["p"]))


def test_a_strategy_that_would_hear_of_no_market_is_refused(manager, tmp_path):
    assert refusal(manager, tmp_path, Recorder(Config()), "[strategies.p]\nmarkets = []\n") == (
        "strategies.p: on_book would hear of no market; give its settings `markets`, or implement select_markets"
    )


def test_an_unknown_strategy_of_an_enabled_plugin_says_how_to_write_a_second_instance(tmp_path, manager):
    manager.add(Module(strategies=[("mm", Recorder, Config)]), "mm")
    with pytest.raises(SettingsError) as refused:
        manager.prepare(settings(tmp_path, "[strategies.nm]\n", ["mm"]))
    assert str(refused.value) == f"{tmp_path / 'settings.toml'}: strategies.nm: there is no strategy nm; loaded: mm"


def test_nothing_of_a_plugin_stays_when_its_registration_fails(manager):
    class Half:
        @hookimpl
        def register_strategies(self, registry):
            registry.add("half", Recorder, config=Config)
            registry.add("half", Recorder, config=Config)

    with pytest.raises(PluginError, match="plugin half: register_strategies: strategy 'half' is registered twice"):
        manager.add(Half(), "half")
    assert "half" not in manager.strategy_registry.entries


class Open(Struct, frozen=True):
    x: int = 1


class Unfrozen(Struct):
    x: int = 1


class Nested(Struct, frozen=True):
    inner: list[Open] = []


@pytest.mark.parametrize(
    ("name", "factory", "config", "message"),
    [
        ("other", Recorder, Config, "the name must be p, the plugin's own, or begin with p_"),
        ("P", Recorder, Config, "a name is lower-case letters, digits, _ and -"),
        ("p", None, Config, "the factory must be a class or a function, found None"),
        ("p", Recorder, dict, "config must be a msgspec Struct class, found <class 'dict'>"),
        ("p", Recorder, Unfrozen, r"Unfrozen must be frozen: class Unfrozen\(Struct, frozen=True\)"),
        ("p", Recorder, Nested, "Open, inside Nested.inner, must be closed"),
    ],
)
def test_a_registration_is_checked(manager, name, factory, config, message):
    with pytest.raises(PluginError, match=f"^plugin p: register_strategies: strategy '{name}': {message}"):
        manager.add(Module(strategies=[(name, factory, config)]), "p")


def test_no_plugin_enabled_says_what_to_do(manager, tmp_path):
    manager = PluginManager([])
    with pytest.raises(PluginError, match="no plugin is enabled; name some with --plugins, installed: none"):
        manager.prepare(settings(tmp_path))


def test_every_specified_hook_is_known_with_its_arguments():
    assert ARGUMENTS["on_book"] == ("book", "context")
    assert ARGUMENTS["check_order"] == ("order", "strategy", "cache")
    prefixes = ("on_", "register_", "check_", "select_")
    assert set(ARGUMENTS) == {name for name in vars(specs) if name.startswith(prefixes)}
