"""A plugin that keeps the contract: two strategies, an observer, a command."""

from msgspec import Struct

from polycore import Shares, hookimpl


class GoodConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the good strategy."""

    markets: tuple[str, ...] = ("*",)
    spread_ticks: int = 2
    size: Shares = Shares("10")


class Good:
    def __init__(self, config):
        self.config = config

    @hookimpl
    def on_book(self, book, context):
        return None


class Watcher:
    @hookimpl
    def on_plugin_loaded(self, name, version):
        return None


@hookimpl
def register_strategies(registry):
    registry.add("good", Good, config=GoodConfig)


@hookimpl
def register_observers(registry):
    registry.add("good_watch", Watcher)


@hookimpl
def register_commands(group):
    @group.command()
    def greet():
        """Say hello."""
        import click

        click.echo("hello from good")
