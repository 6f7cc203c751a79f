"""The models and prices that ship: readable, exact, and honest about where they are from."""

import json
from datetime import date
from decimal import Decimal
from importlib.resources import files

import pytest

from unigate import data
from unigate.dialects import operations, replicate_models
from unigate.spec.price import Rate
from unigate.spec.usage import FALLBACK

MODELS = json.loads(files(data).joinpath("models.json").read_text())
PRICES = json.loads(files(data).joinpath("prices.json").read_text())
#: Rates that are not of tokens or calls: their units, and how many of them.
FORMS = {
    "per_image": ("images", 1),
    "per_million_characters": ("characters", 1_000_000),
    "per_minute": ("milliseconds", 60_000),
    "per_second": ("milliseconds", 1000),
    "per_thousand_searches": ("searches", 1000),
    "per_video": ("videos", 1),
}
BASE = {row["model"]: row for row in PRICES["prices"] if "when" not in row}


def test_every_row_says_where_it_is_from() -> None:
    for row in (*MODELS["models"], *PRICES["prices"]):
        assert row["source"].startswith("https://")
        assert date(2026, 1, 1) <= date.fromisoformat(row["as_of"]) <= date.fromisoformat(MODELS["as_of"])
    assert "note" in MODELS
    assert "note" in PRICES
    assert PRICES["per"] == 1_000_000


def test_the_family_of_a_model_is_one_that_can_be_called() -> None:
    families = {operation.family for operation in operations() if operation.use in {"relay", "realtime", "task"}}
    found = {model.name: model.family for model in data.models()}
    assert set(found.values()) <= families
    assert found["gpt-4o"] == "chat" and found["text-embedding-ada-002"] == "embeddings"


def test_prices_are_decimal_text_and_become_integers() -> None:
    rows = {price.id: price for price in data.prices()}
    assert len(rows) == len(PRICES["prices"])
    alone = [
        {"input"},
        {"input", "image_input"},
        {"input", "audio_output"},
        {"call"},
        *({unit} for unit, _ in FORMS.values()),
    ]
    for row, price in zip(PRICES["prices"], data.prices(), strict=True):
        assert {"input", "output"} <= set(price.rates) or set(price.rates) in alone
        names = {unit: name for name, (unit, _) in FORMS.items() if name in row}
        for unit, rate in price.rates.items():
            name = names.get(unit, unit)
            per = FORMS[name][1] if name in FORMS else 1 if unit == "call" else 1_000_000
            assert unit in FALLBACK
            assert isinstance(row[name], str)
            assert (int(Decimal(row[name]) * 10**9), per) == (rate.amount, rate.per)
            assert rate.amount > 0 or "moderation" in row["model"]
    mini = rows["shipped:gpt-4o-mini@2026-07-24"]
    assert mini.rates["input"].amount == 150_000_000
    assert mini.starts_at == 0


def test_a_model_has_one_row_for_each_condition_and_a_plain_one() -> None:
    keys = [(row["model"], tuple(sorted(row.get("when", {}).items()))) for row in PRICES["prices"]]
    assert len(keys) == len(set(keys))
    assert {model for model, _ in keys} == set(BASE)


@pytest.mark.parametrize(("tier", "dearer"), [("priority", True), ("flex", False)])
def test_tiers_differ_in_the_right_direction(tier: str, dearer: bool) -> None:
    rows = [row for row in PRICES["prices"] if row.get("when") == {"service_tier": tier}]
    assert len(rows) > 5
    for row in rows:
        for unit in ("input", "output"):
            assert (Decimal(row[unit]) > Decimal(BASE[row["model"]][unit])) is dearer


def test_long_input_costs_more_and_has_no_two_rows_of_equal_rank() -> None:
    long = [row for row in PRICES["prices"] if "input_tokens" in row.get("when", {})]
    for row in long:
        if len(row["when"]) == 1:
            assert Decimal(row["input"]) > Decimal(BASE[row["model"]]["input"])
    has_long = {row["model"] for row in long}
    flexible = {row["model"] for row in PRICES["prices"] if row.get("when") == {"service_tier": "flex"}}
    both = {row["model"] for row in long if "service_tier" in row["when"]}
    assert both == has_long & flexible


def test_models_have_limits_and_a_price_each() -> None:
    models = data.models()
    assert len({model.name for model in models}) == len(models) == len(MODELS["models"])
    for model in models:
        assert model.name in BASE
        assert model.owner
        if (
            not {"input", "call", "per_thousand_searches"} & BASE[model.name].keys()
        ):  # paid by what it makes, not by what it reads
            assert set(model.modalities) & {"image", "video", "audio"}
            assert BASE[model.name].keys() & FORMS.keys()
            continue
        assert model.created > 1_500_000_000
        if model.family == "images":  # no vendor tells how much they read
            assert {"input", "image_input", "output"} <= BASE[model.name].keys()
            assert set(model.modalities) == {"text", "image"}
            continue
        assert model.input_limit is not None
        assert (model.output_limit is None) is ("output" not in BASE[model.name])
        assert model.output_limit is None or 0 < model.output_limit <= model.input_limit
        assert "text" in model.modalities
    assert {"gpt-4o", "gpt-4o-mini", "gpt-5", "o3", "deepseek-v4-flash", "llama-3.3-70b-versatile"} <= {
        m.name for m in models
    }


def test_moderation_is_free_and_embeddings_are_not() -> None:
    rates = {price.model: price.rates for price in data.prices()}
    assert rates["omni-moderation-latest"]["call"].amount == 0
    assert rates["text-embedding-3-small"]["input"].amount == 20_000_000
    assert rates["gpt-3.5-turbo-instruct"]["output"].amount == 2_000_000_000


def test_replicates_models_are_known_priced_and_told_alike() -> None:
    shipped = {model.name: model for model in data.models() if model.family == "replicate"}
    rates = {price.model: price.rates for price in data.prices()}
    # Some are priced whose inputs are the vendor's alone to judge: by the pictures that they made.
    others = set(shipped) - set(replicate_models.MODELS)
    assert set(replicate_models.MODELS) < set(shipped)
    assert all(set(rates[name]) == {"images"} for name in others)
    for name, known in replicate_models.MODELS.items():
        assert set(rates[name]) == {known.unit}, name
        assert known.makes in shipped[name].modalities
        assert known.owner == shipped[name].owner
    assert rates["black-forest-labs/flux-schnell"]["images"] == Rate(3_000_000, 1)
    assert rates["ideogram-ai/ideogram-v3-quality"]["images"] == Rate(90_000_000, 1)
    assert rates["cjwbw/rembg"]["milliseconds"] == Rate(225_000, 1000)
    assert rates["minimax/video-01"]["videos"] == Rate(500_000_000, 1)
