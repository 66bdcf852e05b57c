"""The README names every setting."""

from pathlib import Path

from polycore_arb import ArbitrageConfig

README = Path(__file__).parent.parent / "README.md"


def test_every_setting_is_in_the_table():
    rows = [line.split("|")[1] for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {name.strip("` ") for row in rows for name in row.split(",")}
    assert set(ArbitrageConfig.__struct_fields__) <= named
