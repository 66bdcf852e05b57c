"""A plugin whose strategy implements a hook that does not exist, and one with an argument that does not."""

from polycore import hookimpl


class Unknown:
    @hookimpl
    def on_boook(self, book, context):
        return None

    @hookimpl
    def on_fill(self, fills, context):
        return None


@hookimpl
def register_strategies(registry):
    registry.add("unknown", Unknown)
