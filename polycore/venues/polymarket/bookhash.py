"""The venue's hash of a book, by the recipe recomputed from real books (24 of 24 and 597 of 597 captured ones).

SHA-1 over one compact JSON object: market, asset, timestamp, an empty hash, levels worst to best, minimum size, tick,
neg-risk flag, last trade price and, on protocol v2 markets, the version. The recipe is undocumented and has changed
before: a mismatch is a hint, never proof that a book is wrong.
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import product

import msgspec
from msgspec import Struct

from polycore import AssetId, Levels, Price, format_price, format_size

THREE_DIGIT_PRICES = tuple(f"0.{thousandths:03}" for thousandths in range(1, 1_000))
"""Every form the venue prints a last trade price in, tick 0.0001 apart."""
_TICKS = ("0.01", "0.001", "0.005", "0.0025", "0.1", "0.0001")


class HashFacts(Struct, frozen=True):
    """What enters a book's hash beside its levels; empty is unknown, except that ``last_trade`` ``""`` is never."""

    minimum: str = ""
    tick: str = ""
    neg_risk: bool | None = None
    last_trade: str | None = None
    version: str = ""


class BookHead:
    """A book hashed up to its levels, so that guessing the facts behind them costs one block of SHA-1 each."""

    def __init__(self, market: str, asset: AssetId, timestamp: str, bids: Levels, asks: Levels) -> None:
        head = f'{{"market":"{market}","asset_id":"{asset}","timestamp":"{timestamp}","hash":"","bids":['
        rows = f'{head}{_rows(bids, sorted(bids))}],"asks":[{_rows(asks, sorted(asks, reverse=True))}],'
        self._state = hashlib.sha1(rows.encode(), usedforsecurity=False)

    def hash(self, facts: HashFacts) -> str:
        """The hash with every fact known."""
        version = f',"version":"{facts.version}"' if facts.version == "v2" else ""
        state = self._state.copy()
        state.update(
            f'"min_order_size":"{facts.minimum}","tick_size":"{facts.tick}",'
            f'"neg_risk":{"true" if facts.neg_risk else "false"},'
            f'"last_trade_price":"{facts.last_trade}"{version}}}'.encode()
        )
        return state.hexdigest()

    def explain(self, wanted: str, candidates: Iterable[HashFacts]) -> HashFacts | None:
        """The first of some facts under which the hash is the wanted one."""
        return next((facts for facts in candidates if self.hash(facts) == wanted), None)


def candidates(known: HashFacts, last: HashFacts, last_trades: Iterable[str]) -> Iterator[HashFacts]:
    """Facts worth trying, likeliest first: what is said, filled with what held last, then with every other value.

    ``known`` is what is said and is never varied; ``last`` is what held for the token before.
    """
    minimum = known.minimum or last.minimum or "5"
    filled = HashFacts(
        minimum=minimum,
        tick=known.tick or last.tick or _TICKS[0],
        neg_risk=known.neg_risk if known.neg_risk is not None else bool(last.neg_risk),
        last_trade=known.last_trade if known.last_trade is not None else last.last_trade or "",
        version=known.version or last.version,
    )
    yield filled
    trades = (filled.last_trade,) if known.last_trade is not None else (filled.last_trade, "", *last_trades)
    ticks = (known.tick,) if known.tick else (filled.tick, *_TICKS)
    flags = (filled.neg_risk,) if known.neg_risk is not None else (filled.neg_risk, not filled.neg_risk)
    for flag, tick, trade in product(flags, ticks, trades):
        yield msgspec.structs.replace(filled, neg_risk=flag, tick=tick, last_trade=trade)


def last_trade_text(price: Price) -> str:
    """A trade's price as the venue prints it in books: three decimals, four where the grid needs them."""
    return format_price(price) if price % 10 else f"{price // 10_000}.{price % 10_000 // 10:03}"


def _rows(levels: Levels, order: list[Price]) -> str:
    return ",".join([f'{{"price":"{format_price(price)}","size":"{format_size(levels[price])}"}}' for price in order])
