"""A made-up market stream of the venue's live form, the same for everyone who is measured.

Owns the frames and what the books must be after them. Made of nothing but a seed. The proportions are those of two
bundled recordings (2025-10-30, 2026-05-19): a quarter of the changes remove a level, one in twenty removes the best
one, one in fourteen has a size that was never seen before (so in the second half of a market of 15 minutes).
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

SEED = 20261124
_GRID = 1000
_START_MILLISECONDS = 1_790_000_000_000
_REPEAT_WEIGHTS = (54, 28, 18)
"""Frames of 2, 3 and 4 changes in a hundred: a mirrored pair, a pair of which one entry is sent twice, two pairs."""

Texts = dict[int, str]
"""Price in thousandths to the text of its size."""


class Token(NamedTuple):
    market: str
    asset: str


class Stream(NamedTuple):
    """``opening`` holds a snapshot of each token, ``frames`` what follows. ``tokens`` are two by two, YES first."""

    tokens: list[Token]
    opening: list[bytes]
    frames: list[bytes]

    @property
    def average_bytes(self) -> float:
        return sum(map(len, self.frames)) / len(self.frames)


def make(frames: int = 10_000, assets: int = 200, levels: tuple[int, int] = (50, 100), seed: int = SEED) -> Stream:
    """90 % ``price_change`` of 2 to 4 changes, 8 % trades, 2 % books; each side keeps its number of levels in range."""
    rng = Random(seed)
    sizes = _Sizes(rng)
    markets = [_Market(rng, sizes, levels) for _ in range(assets // 2)]
    opening = [frame for market in markets for frame in (market.book(0, True), market.book(0, False))]
    kinds = [_Market.change] * round(frames * 0.9) + [_Market.trade] * round(frames * 0.08)
    kinds += [_Market.any_book] * (frames - len(kinds))
    rng.shuffle(kinds)
    made: list[bytes] = []
    write: Callable[[_Market, int], bytes]
    for number, write in enumerate(kinds, 1):
        made.append(write(rng.choice(markets), number))
    tokens = [Token(market.name, asset) for market in markets for asset in market.assets]
    return Stream(tokens, opening, made)


def reference(stream: Stream) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Bids and asks of every token after the whole stream, as texts, by the plainest code there is."""
    books: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for frame in stream.opening + stream.frames:
        message = json.loads(frame)
        for change in message.get("price_changes", ()):
            side = books[change["asset_id"]][change["side"] == "SELL"]
            side[change["price"]] = change["size"]
            if change["size"] == "0":
                del side[change["price"]]
        if "bids" in message:
            bids, asks = ({level["price"]: level["size"] for level in message[side]} for side in ("bids", "asks"))
            books[message["asset_id"]] = (bids, asks)
    return books


class _Sizes:
    """Texts of sizes: most of them seen before."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._known = [str(rng.choice((5, 10, 20, 50, 100, 250, 500, 1000)) * rng.randint(1, 9)) for _ in range(60)]
        self._known += [self._new() for _ in range(940)]

    def next(self) -> str:
        return self._new() if self._rng.random() < 0.09 else self._rng.choice(self._known)

    def _new(self) -> str:
        return f"{self._rng.lognormvariate(5, 2) + 0.01:.2f}".rstrip("0").rstrip(".")


class _Market:
    """One market's book, kept from the YES side; NO is its mirror."""

    def __init__(self, rng: Random, sizes: _Sizes, levels: tuple[int, int]) -> None:
        self.name = "0x" + _hex(rng, 64)
        self.assets = tuple(str(rng.randrange(10**76, 10**77)) for _ in range(2))
        self._rng = rng
        self._sizes = sizes
        self._fewest, self._most = levels
        middle = rng.randint(350, 650)
        self._bids = self._side(middle - 1, -1)
        self._asks = self._side(middle + 1, 1)

    def book(self, number: int, yes: bool) -> bytes:
        """A snapshot of one token, best levels last."""
        bids, asks = (self._bids, self._asks) if yes else (_mirror(self._asks), _mirror(self._bids))
        return _frame(
            market=self.name,
            asset_id=self.assets[not yes],
            timestamp=_time(number),
            hash=_hex(self._rng, 40),
            bids=[{"price": _price(price), "size": bids[price]} for price in sorted(bids)],
            asks=[{"price": _price(price), "size": asks[price]} for price in sorted(asks, reverse=True)],
            tick_size="0.001",
            event_type="book",
            last_trade_price=_price(max(self._bids)),
        )

    def any_book(self, number: int) -> bytes:
        return self.book(number, self._rng.random() < 0.5)

    def trade(self, number: int) -> bytes:
        """A print; what it did to the book comes in other frames."""
        buy = self._rng.random() < 0.5
        return _frame(
            market=self.name,
            asset_id=self.assets[0],
            price=_price(min(self._asks) if buy else max(self._bids)),
            size=self._sizes.next(),
            fee_rate_bps="0",
            side="BUY" if buy else "SELL",
            timestamp=_time(number),
            event_type="last_trade_price",
            transaction_hash="0x" + _hex(self._rng, 64),
        )

    def change(self, number: int) -> bytes:
        """One or two changes of a level, each with its mirror, all with the best quotes of the end."""
        kind = self._rng.choices((2, 3, 4), _REPEAT_WEIGHTS)[0]
        changed = [self._change_level() for _ in range(2 if kind == 4 else 1)]
        best_bid, best_ask = max(self._bids), min(self._asks)
        entries: list[dict[str, Any]] = []
        for is_bid, price in changed:
            size = (self._bids if is_bid else self._asks).get(price, "0")
            entries.append(self._entry(0, is_bid, price, size, best_bid, best_ask))
            entries.append(self._entry(1, not is_bid, _GRID - price, size, _GRID - best_ask, _GRID - best_bid))
        if kind == 3:
            entries.append(entries[0])
        return _frame(market=self.name, price_changes=entries, timestamp=_time(number), event_type="price_change")

    def _entry(self, token: int, is_bid: bool, price: int, size: str, best_bid: int, best_ask: int) -> dict[str, Any]:
        return {
            "asset_id": self.assets[token],
            "price": _price(price),
            "size": size,
            "side": "BUY" if is_bid else "SELL",
            "hash": _hex(self._rng, 40),
            "best_bid": _price(best_bid),
            "best_ask": _price(best_ask),
        }

    def _change_level(self) -> tuple[bool, int]:
        rng = self._rng
        is_bid = rng.random() < 0.5
        side = self._bids if is_bid else self._asks
        action = rng.choices(("resize", "remove", "add"), (52, 24, 24))[0]
        if (action == "remove" and len(side) <= self._fewest) or (action == "add" and len(side) >= self._most):
            action = "resize"
        if action == "add":
            price = self._free_price(is_bid)
            if price is not None:
                side[price] = self._sizes.next()
                return is_bid, price
        ordered = sorted(side, reverse=is_bid)
        reach = rng.choices((1, 4, len(ordered)), (15, 25, 60))[0]
        price = ordered[rng.randrange(reach)]
        if action == "remove":
            del side[price]
        else:
            side[price] = self._sizes.next()
        return is_bid, price

    def _free_price(self, is_bid: bool) -> int | None:
        """A price with no level: inside the spread for one in four, else behind the best."""
        side, outwards = (self._bids, -1) if is_bid else (self._asks, 1)
        best_bid, best_ask = max(self._bids), min(self._asks)
        inside = range(best_bid + 1, best_ask)
        if inside and self._rng.random() < 0.25:
            return self._rng.choice(inside)
        best = best_bid if is_bid else best_ask
        reach = self._rng.choices((4, 2 * self._most), (20, 80))[0]
        free = [best + outwards * n for n in range(1, reach) if best + outwards * n not in side]
        return self._rng.choice([price for price in free if 0 < price < _GRID] or [None])

    def _side(self, best: int, outwards: int) -> Texts:
        count = self._rng.randint(self._fewest, self._most)
        reach = min(2 * count, best if outwards < 0 else _GRID - best)
        offsets = [0, *self._rng.sample(range(1, reach), count - 1)]
        return {best + outwards * offset: self._sizes.next() for offset in offsets}


def _mirror(side: Texts) -> Texts:
    return {_GRID - price: size for price, size in side.items()}


def _price(price: int) -> str:
    return f"{price / _GRID:.3f}".rstrip("0")


def _time(number: int) -> str:
    return str(_START_MILLISECONDS + number)


def _hex(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def _frame(**fields: Any) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
