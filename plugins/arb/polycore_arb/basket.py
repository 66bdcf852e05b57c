"""One basket from its first order to its last fill: what became of each leg, and what to do when they differ.

Owns the rule for a leg that fails or fills in part. No clock, no I/O, no logging, no prices: the strategy brings the
answers in and carries the next step out.

::

    OPENING ──▶ even? ──yes──────────────────────────────▶ SETTLING ──▶ over
       │          no                                          ▲  │ a fill FAILED
       │          ▼                                           │  ▼
       └──▶ COMPLETING (buy what is missing, once) ──▶ even? ─┤ back to the repairs that are left
                  │ cannot, or still uneven                   │
                  ▼                                           │
            UNWINDING (sell the surplus, once) ───────────────┘ what is left over is held, and said

While an order of the basket has no answer, nothing else is done. UNKNOWN is no answer.
"""

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from polycore import (
    PRICE_ONE,
    AssetId,
    EventId,
    Fill,
    MarketId,
    Money,
    OrderId,
    OrderUpdate,
    PlaceOrder,
    Price,
    Settlement,
    Side,
    Size,
    TimeInForce,
    TradeId,
)
from polycore_arb.sizing import SIZE_STEP, BasketPlan, LegOrder

Scope = EventId | MarketId
"""What a basket keeps busy: its event, or its market when that stands alone."""


class Phase(Enum):
    OPENING = "opening"
    COMPLETING = "completing"
    UNWINDING = "unwinding"
    SETTLING = "settling"


class Leg(Struct, frozen=True):
    """Where one leg stands. ``paid`` is net of sales and includes fees."""

    order: LegOrder
    held: Size
    paid: Money


class Basket:
    """The legs of one plan, each with every order sent for it. ``since`` is when the phase began, monotonic."""

    def __init__(self, name: str, scope: Scope, plan: BasketPlan, now: int) -> None:
        self.name = name
        self.scope = scope
        self.plan = plan
        self.phase = Phase.OPENING
        self.since = now
        self.preparing = False
        """Whether the present repair waits for what it needs; it is sent, or given up, once."""
        self._repairs = [Phase.COMPLETING, Phase.UNWINDING]
        self._sent: dict[str, _Sent] = {}
        self._reasons: set[str] = set()

    # ── Orders out ─────────────────────────────────────────────────────────────

    def send(self, orders: Iterable[LegOrder], kind: TimeInForce, now: int) -> tuple[PlaceOrder, ...]:
        """The orders of the present phase as intents, remembered by their tags.

        Purchases of one phase belong together: if a check refuses one, none is sent. Sales stand alone.
        """
        self.preparing = False
        together = f"{self.name}:{self.phase.value}"
        intents = []
        for order in orders:
            tag = f"{together}:{len(self._sent)}"
            self._sent[tag] = _Sent(order, now)
            basket = together if order.side is Side.BUY else ""
            intents.append(PlaceOrder(order.asset, order.side, order.price, order.size, kind, tag=tag, basket=basket))
        return tuple(intents)

    def begin_repair(self, now: int) -> bool:
        """Enter the next repair that was not tried yet; false when none is left."""
        if not self._repairs:
            return False
        self.phase, self.since, self.preparing = self._repairs.pop(0), now, True
        return True

    def give_up_repair(self) -> None:
        """The present repair cannot be done; it is not tried again."""
        self.preparing = False

    def begin_settling(self, now: int) -> None:
        """Nothing more to send: wait for the fills to become final."""
        if self.phase is not Phase.SETTLING:
            self.phase, self.since, self.preparing = Phase.SETTLING, now, False

    # ── Answers in ─────────────────────────────────────────────────────────────

    def hear_order(self, update: OrderUpdate) -> bool:
        """Take note of an order's state; returns whether the order is one of this basket."""
        sent = self._sent.get(update.tag)
        if sent is None:
            return False
        sent.matched = max(sent.matched, update.matched)
        sent.answered = sent.answered or update.state.terminal
        return True

    def hear_fill(self, fill: Fill) -> bool:
        """Take note of a fill or of its settlement; returns whether it is one of this basket."""
        sent = self._sent.get(fill.tag)
        if sent is None:
            return False
        key = fill.trade, fill.order
        known = sent.fills.get(key)
        if known is None or not known.settlement.final:
            sent.fills[key] = fill
        return True

    def is_news(self, reason: str) -> bool:
        """Whether this reason was not given for another leg before: one cause refuses many."""
        known = reason in self._reasons
        self._reasons.add(reason)
        return not known

    def give_up_on(self, tags_open: Iterable[str], sent_before: int) -> list[str]:
        """Count orders as never sent that are neither open nor answered; returns their tags."""
        still = set(tags_open)
        lost = [
            tag
            for tag, sent in self._sent.items()
            if not sent.answered and tag not in still and sent.time <= sent_before
        ]
        for tag in lost:
            self._sent[tag].answered = True
        return lost

    # ── Where it stands ────────────────────────────────────────────────────────

    @property
    def waiting(self) -> bool:
        """Whether an order has no final answer yet."""
        return any(not sent.answered for sent in self._sent.values())

    @property
    def settled(self) -> bool:
        """Whether every share that was matched is accounted for by a fill that is final."""
        return all(sent.settled for sent in self._sent.values())

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Each leg's holding and its cost so far, in the order of the plan."""
        held: dict[AssetId, Size] = {}
        paid: dict[AssetId, Money] = {}
        for sent in self._sent.values():
            asset, sign = sent.order.asset, 1 if sent.order.side is Side.BUY else -1
            held[asset] = held.get(asset, 0) + sign * sent.filled
            paid[asset] = paid.get(asset, 0) + sent.paid
        return tuple(Leg(order, held.get(order.asset, 0), paid.get(order.asset, 0)) for order in self.plan.legs)

    @property
    def sets(self) -> Size:
        """Whole sets held."""
        return max(min(leg.held for leg in self.legs), 0)

    @property
    def even(self) -> bool:
        """Whether all legs are equal, to within a hundredth of a share, the least that can be traded."""
        held = [leg.held for leg in self.legs]
        return max(held) - min(held) < SIZE_STEP

    @property
    def paid(self) -> Money:
        """Net pUSD spent so far, fees included."""
        return sum(leg.paid for leg in self.legs)

    @property
    def reserved(self) -> Money:
        """What unanswered purchases may still cost."""
        return sum(
            sent.order.money for sent in self._sent.values() if not sent.answered and sent.order.side is Side.BUY
        )


class _Sent:
    """One order of a basket and what is known of it."""

    __slots__ = ("answered", "fills", "matched", "order", "time")

    def __init__(self, order: LegOrder, time: int) -> None:
        self.order = order
        self.time = time
        self.answered = False
        self.matched: Size = 0
        self.fills: dict[tuple[TradeId, OrderId], Fill] = {}

    @property
    def _reported(self) -> Size:
        return sum(fill.size for fill in self.fills.values())

    @property
    def filled(self) -> Size:
        """Shares matched, as the order or its fills say, whichever is more, without those that failed to settle."""
        failed = sum(fill.size for fill in self.fills.values() if fill.settlement is Settlement.FAILED)
        return max(self.matched, self._reported) - failed

    @property
    def paid(self) -> Money:
        """Money given for what is filled, fees included; shares without a fill yet count at the limit price."""
        good = [fill for fill in self.fills.values() if fill.settlement is not Settlement.FAILED]
        money = sum(_money(fill.price, fill.size, self.order.side, fill.fee) for fill in good)
        unreported = max(self.matched - self._reported, 0)
        if unreported:
            fee = self.order.market.fee.taker_fee(self.order.price, unreported)
            money += _money(self.order.price, unreported, self.order.side, fee)
        return money

    @property
    def settled(self) -> bool:
        return (
            self.answered
            and self._reported >= self.matched
            and all(fill.settlement.final for fill in self.fills.values())
        )


def _money(price: Price, size: Size, side: Side, fee: Money) -> Money:
    """Paid for a purchase, rounded up; negative for a sale, which is rounded down."""
    product = price * size
    return (-(-product // PRICE_ONE) if side is Side.BUY else -(product // PRICE_ONE)) + fee
