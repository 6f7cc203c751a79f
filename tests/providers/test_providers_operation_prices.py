"""Shipped prices of operations: each that is priced has one, exact and honest about where it is from."""

import json
from datetime import date
from decimal import Decimal
from importlib.resources import files

import pytest

from unigate import data
from unigate.billing.prices import Prices
from unigate.dialects.midjourney_read import ACTIONS
from unigate.dialects.suno import READERS
from unigate.manage.load import merged_prices
from unigate.manage.shipped import prices as shipped
from unigate.spec.caller import Group
from unigate.spec.price import Price, Rate
from unigate.spec.usage import Usage

TABLE = json.loads(files(data).joinpath("operation_prices.json").read_text())
ONE = Usage({"call": 1})


def cost(own: list[Price], operation: str, mode: str) -> int:
    quote = Prices(merged_prices(own, shipped(), 1000)).quote(operation, "midjourney", Group(id="g", name="g"), 1000)
    return quote.cost(ONE, {"mode": mode})[0]


def test_rows_say_where_they_are_from_and_are_integers() -> None:
    assert "ASSUMED" in TABLE["note"]
    for row, price in zip(TABLE["prices"], data.operation_prices(), strict=True):
        assert row["source"].startswith("https://")
        assert date(2026, 1, 1) <= date.fromisoformat(row["as_of"])
        assert price.operation == row["operation"]
        told = row["call"] if isinstance(row["call"], dict) else {"": row["call"]}
        assert price.rates == {
            f"call:{mode}".rstrip(":"): Rate(int(Decimal(usd) * 10**9), 1) for mode, usd in told.items()
        }


def test_everything_that_midjourney_prices_has_one_row() -> None:
    told = [row["operation"] for row in TABLE["prices"] if row["operation"].startswith("midjourney.")]
    assert sorted(told) == sorted(f"midjourney.{action}" for action in ACTIONS)


def test_everything_that_suno_makes_has_one_row() -> None:
    told = [row["operation"] for row in TABLE["prices"] if row["operation"].startswith("suno.")]
    assert set(told) == {f"suno.{action.replace('-', '_')}" for action in READERS if action != "stems"}
    assert len(told) == len(set(told))
    assert cost([], "suno.music", "fast") == 100_000_000 and cost([], "suno.concat", "fast") == 0


@pytest.mark.parametrize(("mode", "usd"), [("relax", 50_000_000), ("fast", 100_000_000), ("turbo", 200_000_000)])
def test_the_speed_decides(mode: str, usd: int) -> None:
    assert cost([], "midjourney.imagine", mode) == usd
    assert cost([], "midjourney.upscale", mode) == usd // 2


def test_the_operator_s_word_wins() -> None:
    row = Price(id="p", operation="midjourney.imagine", rates={"call": Rate(7, 1)}, starts_at=500)
    assert cost([row], "midjourney.imagine", "turbo") == 7
    assert cost([row], "midjourney.blend", "turbo") == 200_000_000
    of_model = Price(id="p", model="midjourney", rates={"call": Rate(9, 1)}, starts_at=500)
    assert cost([of_model], "midjourney.blend", "turbo") == 9
    one_speed = Price(id="p", operation="midjourney.blend", when={"mode": "turbo"}, rates={"call": Rate(3, 1)})
    assert cost([one_speed], "midjourney.blend", "turbo") == 3
    assert cost([one_speed], "midjourney.blend", "fast") == 100_000_000
