"""Settings in words, as `settings show`, `plugins info` and the docs print them."""

from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct, field

from polycore import Dollars, PriceValue, Secret, Shares
from polycore.settings.describe import describe_struct, values_of


class Leg(Struct, frozen=True, forbid_unknown_fields=True):
    size: Shares
    open: bool = True


class Config(Struct, frozen=True, kw_only=True):
    markets: tuple[str, ...] = ("*", 'a "b"')
    ticks: Annotated[int, Meta(ge=1, lt=9, description="how many")] = 2
    weight: Annotated[float, Meta(gt=0, le=1)] = 0.5
    edge: PriceValue = PriceValue("0.005")
    budget: Dollars | None = None
    caps: dict[str, Shares] = field(default_factory=lambda: {"a": Shares("1.5")})
    steps: tuple[Shares, ...] = (Shares("1"), Shares("2"))
    style: Literal["calm", "wild"] = "calm"
    leg: Leg = Leg(size=Shares("3"))
    on: bool = False
    key: Secret


WORDS = {
    "markets": ("list of text", r'["*", "a \"b\""]'),
    "ticks": ("whole number, at least 1, below 9", "2"),
    "weight": ("number, above 0, at most 1", "0.5"),
    "edge": ("price, as text", '"0.005"'),
    "budget": ("amount of pUSD, as text", ""),
    "caps": ("table", '{ a = "1.5" }'),
    "steps": ("list of shares, as text", '["1", "2"]'),
    "style": ("one of calm, wild", '"calm"'),
    "leg": ("table", '{ size = "3", open = true }'),
    "on": ("true or false", "false"),
    "key": ("secret", ""),
}


@pytest.mark.parametrize("name", WORDS)
def test_each_kind_of_setting_is_told_with_its_type_and_default(name: str) -> None:
    (told,) = (setting for setting in describe_struct(Config) if setting.name == name)
    assert (told.type, told.default) == WORDS[name]
    assert told.required == (name == "key")
    assert told.description == ("how many" if name == "ticks" else "")


def test_values_are_written_as_toml_and_a_secret_is_not() -> None:
    written = dict(values_of(Config(key=Secret("s3cret"), budget=Dollars("2.5"), on=True)))
    assert written == {name: default for name, (_, default) in WORDS.items()} | {
        "key": "***", "budget": '"2.5"', "on": "true",
    }  # fmt: skip
