"""Amounts, signatures, order ids and request headers against vectors of the official client."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycore import (
    PRICE_ONE,
    Approved,
    AssetId,
    ClientOrderId,
    MarketId,
    PlaceOrder,
    ProtocolViolation,
    Secret,
    Side,
    TimeInForce,
    UsageError,
    parse_money,
    parse_price,
    parse_size,
)
from polycore.venues.polymarket.amounts import AMOUNT_DECIMALS, Amounts, amounts, limit, market_buy
from polycore.venues.polymarket.config import WalletKind
from polycore.venues.polymarket.credentials import Credentials, l2_signature
from polycore.venues.polymarket.signer import OrderSigner, OrderTerms

FIXTURES = Path(__file__).parent / "fixtures"
ROUNDING = json.loads((FIXTURES / "rounding_vectors.json").read_text())["vectors"]
SIGNING = json.loads((FIXTURES / "signing_vectors.json").read_text())
KEY = Secret(SIGNING["private_key"])
WALLETS = {kind.value: kind for kind in WalletKind}


def approved(
    side: Side, price: int, size: int, kind: TimeInForce = TimeInForce.GTC, post_only: bool = False
) -> Approved:
    return Approved(
        ClientOrderId("mm-1"), "mm", MarketId("m"), PlaceOrder(AssetId("1"), side, price, size, kind, post_only)
    )


@pytest.mark.parametrize("vector", [vector for vector in ROUNDING if vector["kind"] == "limit"], ids=str)
def test_limit_amounts_are_the_official_clients(vector: dict[str, str]):
    size = parse_size(vector["size"][: vector["size"].find(".") + 7] if "." in vector["size"] else vector["size"])
    found = limit(Side(vector["side"]), parse_price(vector["price"]), size)
    assert (str(found.maker), str(found.taker)) == (vector["makerAmount"], vector["takerAmount"])


@pytest.mark.parametrize("vector", [vector for vector in ROUNDING if vector["kind"] == "market"], ids=str)
def test_market_amounts_are_the_official_clients(vector: dict[str, str]):
    price = parse_price(vector["price"])
    if vector["side"] == "BUY":
        found = market_buy(price, parse_money(vector["amount"]), parse_price(vector["tick"]))
    else:
        found = limit(Side.SELL, price, parse_size(vector["shares"]))
    assert (str(found.maker), str(found.taker)) == (vector["makerAmount"], vector["takerAmount"])


@given(st.sampled_from(sorted(AMOUNT_DECIMALS)), st.data())
def test_amounts_spell_the_price_that_was_meant(tick: int, data: st.DataObject):
    price = tick * data.draw(st.integers(1, PRICE_ONE // tick - 1))
    size = data.draw(st.integers(10_000, 10**12))
    for side in Side:
        exact = limit(side, price, size)
        money, shares = (exact.maker, exact.taker) if side is Side.BUY else (exact.taker, exact.maker)
        assert money * PRICE_ONE == shares * price
        assert size - 10_000 < shares <= size
    bought = market_buy(price, price * size // PRICE_ONE, tick)
    if bought.taker:
        assert bought.maker * PRICE_ONE >= bought.taker * price
        assert bought.maker % 10_000 == 0
        assert bought.taker % 10 ** (6 - AMOUNT_DECIMALS[tick]) == 0
        assert bought.taker <= size


def test_a_buy_that_never_rests_is_made_of_whole_cents():
    assert amounts(approved(Side.BUY, 5_700, 10_000_000), 100) == Amounts(5_700_000, 10_000_000)
    assert amounts(approved(Side.BUY, 5_730, 7_000_000, TimeInForce.FAK), 10) == Amounts(4_010_000, 6_998_250)
    assert amounts(approved(Side.BUY, 5_730, 7_000_000), 10) == Amounts(4_011_000, 7_000_000)


@pytest.mark.parametrize(
    ("order", "tick", "words"),
    [
        (approved(Side.BUY, 0, 5_000_000), 100, "price 0"),
        (approved(Side.BUY, 10_000, 5_000_000), 100, "price 10000"),
        (approved(Side.SELL, 5_000, 9_999), 100, "round to nothing"),
        (approved(Side.BUY, 100, 500_000, TimeInForce.FOK), 100, "round to nothing"),
        (approved(Side.BUY, 5_000, 5_000_000, TimeInForce.FAK, post_only=True), 100, "post-only"),
        (approved(Side.BUY, 5_000, 5_000_000, TimeInForce.FAK), 7, "tick 7"),
    ],
)
def test_orders_the_venue_could_never_take_are_refused(order: Approved, tick: int, words: str):
    with pytest.raises(UsageError, match=words):
        amounts(order, tick)


@pytest.mark.parametrize("vector", SIGNING["orders"], ids=lambda vector: vector["name"])
def test_orders_are_signed_as_the_official_client_signs_them(vector: dict[str, object]):
    order, domain = vector["order"], vector["domain"]
    assert isinstance(order, dict)
    assert isinstance(domain, dict)
    signer = OrderSigner(KEY, WALLETS[order["signatureType"]], order["maker"])
    terms = OrderTerms(
        asset=order["tokenId"],
        neg_risk=domain["verifyingContract"].startswith("0xe2222"),
        side=Side(order["side"]),
        amounts=Amounts(int(order["makerAmount"]), int(order["takerAmount"])),
        milliseconds=int(order["timestamp"]),
        salt=order["salt"],
    )
    signature = signer.sign(terms)
    assert (signature.order, signature.text) == (vector["order_id"], vector["signature"])
    assert (signature.maker, signature.signer) == (order["maker"], order["signer"])


def test_l1_headers_are_the_official_clients():
    vector = SIGNING["l1_clob_auth"]
    assert OrderSigner(KEY, WalletKind.EOA, "").l1_headers(int(vector["timestamp"])) == {
        "POLY_ADDRESS": SIGNING["address"],
        "POLY_SIGNATURE": vector["signature"],
        "POLY_TIMESTAMP": vector["timestamp"],
        "POLY_NONCE": "0",
    }


@pytest.mark.parametrize("vector", SIGNING["l2_hmac"], ids=lambda vector: vector["path"])
def test_l2_signatures_are_the_official_clients(vector: dict[str, Any]):
    body = vector["body"]
    raw = body.encode() if isinstance(body, str) else b""
    found = l2_signature(vector["secret"], vector["timestamp"], vector["method"], vector["path"], raw)
    assert found == vector["signature"]


def test_a_key_and_a_funder_that_cannot_be_are_refused_without_being_shown():
    with pytest.raises(UsageError) as caught:
        OrderSigner(Secret("0xnot-a-key"), WalletKind.EOA, "")
    assert "not-a-key" not in str(caught.value)
    with pytest.raises(UsageError, match="funder"):
        OrderSigner(KEY, WalletKind.SAFE, "")
    assert KEY.reveal()[2:] not in repr(OrderSigner(KEY, WalletKind.EOA, ""))


def test_credentials_do_not_show_themselves():
    credentials = Credentials.read(b'{"apiKey":"k-1","secret":"c2VjcmV0","passphrase":"pass-1"}')
    for shown in (repr(credentials), str(credentials), f"{credentials}", f"{[credentials]!r}"):
        assert "c2VjcmV0" not in shown
        assert "pass-1" not in shown
    with pytest.raises(ProtocolViolation) as caught:
        Credentials.read(b'{"apiKey":"k-1","secret":"c2VjcmV0","passphrase":7}')
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__cause__ is None


NO_EXTRA = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "%s":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from polycore import PluginError
from polycore.venues.polymarket import PolymarketSettings, make_venue
venue = make_venue(PolymarketSettings(exchange="http://127.0.0.1:1"))
venue.market_channel()
try:
    venue.gateway
except PluginError as error:
    print(error)
"""


@pytest.mark.parametrize("missing", ["polymarket", "coincurve"])
def test_without_the_extra_the_venue_imports_and_the_gateway_names_the_command(missing: str):
    ran = subprocess.run([sys.executable, "-c", NO_EXTRA % missing], capture_output=True, text=True, check=True)
    assert 'pip install "polycore-trading[polymarket]"' in ran.stdout
    assert missing in ran.stdout
