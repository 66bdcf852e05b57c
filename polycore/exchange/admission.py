"""Which orders may enter, and the venue's exact words for those that may not. Pure.

The texts are those of the venue's error pages (venue notes 4.6 to 4.12); the two marked so are not confirmed.
"""

from polycore.exchange.book import Resting
from polycore.exchange.matching import AMOUNT_DECIMALS
from polycore.exchange.values import ExchangeSettings, OrderRequest, Refusal
from polycore.model.intents import TimeInForce
from polycore.model.market import Market, MarketStatus, Side
from polycore.model.money import MONEY_ONE, PRICE_ONE, Money, format_money, format_price, format_size

MARKET_NOT_FOUND = Refusal(404, "market not found")
NOT_READY = Refusal(400, "the market is not yet ready to process new orders")
BAD_PAYLOAD = Refusal(400, "Invalid order payload")
BAD_EXPIRATION = Refusal(400, "invalid expiration")
CROSSES = Refusal(400, "invalid post-only order: order crosses book")
NO_FUNDS = Refusal(400, "not enough balance / allowance")
FOK_KILLED = Refusal(400, "order couldn't be fully filled. FOK orders are fully filled or killed.")
FAK_EMPTY = Refusal(
    400, "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
)
NOTHING_TO_CANCEL = "Order not found or already canceled"
ALREADY_GONE = "already canceled or matched"
HELD = "order is delayed and cannot be canceled"
"""Not confirmed: the venue's own delay-related text is not in the notes."""

_MINIMUM_MARKETABLE_BUY: Money = MONEY_ONE


def invalid(request: OrderRequest, what: str) -> Refusal:
    """The venue's refusal of one order, by its id."""
    return Refusal(400, f"order {request.id} is invalid. {what}")


def duplicated(request: OrderRequest) -> Refusal:
    """The order's id was seen before."""
    return invalid(request, "Duplicated.")


def breaks_tick(request: OrderRequest, market: Market) -> Refusal:
    """The order's price is not on the market's grid."""
    return invalid(request, f"Price ({_ratio(request)}) breaks minimum tick size rule: {format_price(market.tick)}")


def check_form(request: OrderRequest, market: Market, settings: ExchangeSettings, now: int) -> Refusal | None:
    """What is wrong with a request by itself: the market's state, amounts, expiry, post-only with an immediate kind."""
    if market.status is not MarketStatus.OPEN:
        return NOT_READY
    if request.maker_amount <= 0 or request.taker_amount <= 0 or (request.post_only and not request.kind.rests):
        return BAD_PAYLOAD
    if request.kind is TimeInForce.GTD:
        if request.expires * 1_000_000_000 < now + settings.gtd_minimum:
            return BAD_EXPIRATION
    elif request.expires:
        return BAD_EXPIRATION
    if settings.market_decimals and not request.kind.rests:
        return _check_decimals(request, market)
    return None


def check_size(order: Resting, market: Market, marketable: bool) -> Refusal | None:
    """Minimum sizes: shares for orders that may rest, 1 pUSD for a BUY that would trade at once."""
    if order.kind.rests and order.size < market.minimum_size:
        found, least = format_size(order.size), format_size(market.minimum_size)
        return Refusal(400, f"order {order.id} is invalid. Size ({found}) lower than the minimum: {least}")
    if marketable and order.side is Side.BUY and order.maker_amount < _MINIMUM_MARKETABLE_BUY:
        amount = format_money(order.maker_amount)
        return Refusal(400, f"invalid amount for a marketable BUY order (${amount}), min size: $1")
    return None


def _check_decimals(request: OrderRequest, market: Market) -> Refusal | None:
    """The venue's bounds for FOK and FAK: 2 decimals given, 4 (on finer grids the grid's own number) taken."""
    taken = max(4, AMOUNT_DECIMALS.get(market.tick, 6))
    if request.maker_amount % 10_000 == 0 and request.taker_amount % 10 ** (6 - taken) == 0:
        return None
    side = request.side.value.lower()
    return Refusal(
        400,
        f"invalid amounts, the market {side} orders maker amount supports a max accuracy of 2 decimals, "
        f"taker amount a max of {taken} decimals",  # not confirmed: the notes give only "invalid amounts …"
    )


def _ratio(request: OrderRequest) -> str:
    """The price that a request's amounts spell, shortest text of at most 6 decimals."""
    money, shares = request.maker_amount, request.taker_amount
    if request.side is Side.SELL:
        money, shares = shares, money
    millionths = (2 * money * PRICE_ONE * 100 + shares) // (2 * shares)
    return format_size(millionths)
