"""Bids one tick under the best bid, as long as the book may be quoted."""

from msgspec import Struct

from polycore import PRICE_ONE, Book, Context, Fill, Quote, SetQuotes, Shares, StrategyRegistry, hookimpl


class PenniesConfig(Struct, frozen=True):
    markets: tuple[str, ...] = ("*",)
    size: Shares = Shares("5")


class Pennies:
    def __init__(self, config: PenniesConfig) -> None:
        self.config = config

    @hookimpl
    def on_book(self, book: Book, context: Context) -> SetQuotes:
        price = book.best.bid - book.tick
        if not book.live or price <= 0:
            return SetQuotes(book.asset)  # nothing wanted: whatever rests is cancelled
        return SetQuotes(book.asset, bids=(Quote(price, self.config.size),))

    @hookimpl
    def on_fill(self, fill: Fill, context: Context) -> None:
        context.log.info("%s %s at %.4f", fill.side.value, fill.settlement.value, fill.price / PRICE_ONE)


@hookimpl
def register_strategies(registry: StrategyRegistry) -> None:
    registry.add("pennies", Pennies, config=PenniesConfig)
