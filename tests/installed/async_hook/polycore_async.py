"""A plugin with an async hot hook."""

from msgspec import Struct

from polycore import hookimpl


class Config(Struct, frozen=True):
    markets: tuple[str, ...] = ("*",)


class Slow:
    def __init__(self, config):
        self.config = config

    @hookimpl
    async def on_book(self, book, context):
        return None


@hookimpl
def register_strategies(registry):
    registry.add("slow", Slow, config=Config)
