"""Balance, usage and models as clients read them: numbers from integers, to the last digit."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import Forbidden, InvalidKey, StoreUnavailable
from unigate.base.money import MAX_SUM, NANO
from unigate.dialects import dashboard, openai_models, operations, platform
from unigate.spec.price import Model, Price, Rate

RATE = 500_000
MONEY = st.integers(0, MAX_SUM // 2)


@pytest.mark.parametrize(
    ("granted", "unit", "wanted"),
    [
        (100 * NANO, "credits", '{"data":{"balance":49749988,"used":12,"cache_used":250000},"success":true}'),
        (100 * NANO, "usd", '{"data":{"balance":99.499976,"used":0.000024,"cache_used":0.5},"success":true}'),
        (50 * NANO, "usd", '{"data":{"balance":49.499976,"used":0.000024,"cache_used":0.5},"success":true}'),
        (None, "usd", '{"data":{"balance":-1,"used":0.000024,"cache_used":0.5},"success":true}'),
        (None, "credits", '{"data":{"balance":-1,"used":12,"cache_used":250000},"success":true}'),
    ],
)
def test_the_example_of_the_specification(granted: int | None, unit: str, wanted: str) -> None:
    told = platform.write_usage(
        granted, 24_000, NANO // 2, unit="usd" if unit == "usd" else "credits", credits_per_usd=RATE
    )
    assert told.decode() == wanted


@given(MONEY, MONEY, MONEY, st.integers(1, 10**7))
def test_credits_add_up_to_the_grant_rounded_down(granted: int, used: int, in_use: int, rate: int) -> None:
    used = min(used, granted)
    in_use = min(in_use, granted - used)
    data = json.loads(platform.write_usage(granted, used, in_use, unit="credits", credits_per_usd=rate))["data"]
    assert sum(data.values()) == granted * rate // NANO
    assert all(isinstance(value, int) and value >= 0 for value in data.values())
    assert list(data) == ["balance", "used", "cache_used"]


@given(MONEY, MONEY, MONEY)
def test_usd_is_exact(granted: int, used: int, in_use: int) -> None:
    used = min(used, granted)
    in_use = min(in_use, granted - used)
    told = platform.write_usage(granted, used, in_use, unit="usd", credits_per_usd=RATE)
    assert b"e" not in told.split(b'"data"')[1].split(b"}")[0].replace(b"balance", b"").replace(b"used", b"").replace(
        b"cache_", b""
    )
    data = json.loads(told, parse_float=Decimal, parse_int=Decimal)["data"]
    assert sum(data.values()) * NANO == granted


def test_a_budget_cut_below_what_is_used_shows_nothing_left() -> None:
    for unit in ("usd", "credits"):
        told = platform.write_usage(5, 7 * NANO, NANO, unit="usd" if unit == "usd" else "credits", credits_per_usd=RATE)
        assert json.loads(told)["data"]["balance"] == 0


def test_errors_have_both_forms_in_one() -> None:
    for error, code in (
        (InvalidKey(), "invalid_api_key"),
        (Forbidden(), "insufficient_permissions"),
        (StoreUnavailable(), "store_unavailable"),
    ):
        told = json.loads(platform.write_error(error, "req_1"))
        assert told["success"] is False
        assert told["message"] == told["error"]["message"]
        assert told["error"]["code"] == code
        assert set(told["error"]) == {"message", "type", "param", "code"}
        assert set(json.loads(dashboard.write_error(error, "req_1"))) == {"error"}


def test_the_dashboards_numbers() -> None:
    assert dashboard.write_subscription(100 * NANO, None) == (
        b'{"object":"billing_subscription","has_payment_method":true,"soft_limit_usd":100,"hard_limit_usd":100,'
        b'"system_hard_limit_usd":100,"access_until":0}'
    )
    assert json.loads(dashboard.write_subscription(NANO, 1_770_000_123_999))["access_until"] == 1_770_000_123
    assert dashboard.write_total_usage(24_000, NANO // 2) == b'{"object":"list","total_usage":50.0024}'
    assert dashboard.write_credit_grants(100 * NANO, 24_000, NANO // 2) == (
        b'{"object":"credit_summary","total_granted":100,"total_used":0.500024,"total_available":99.499976}'
    )
    assert json.loads(dashboard.write_subscription(dashboard.NO_LIMIT, None))["hard_limit_usd"] == 100_000_000


@given(MONEY, MONEY, MONEY)
def test_what_clients_compute_is_the_balance(granted: int, used: int, in_use: int) -> None:
    used = min(used, granted)
    in_use = min(in_use, granted - used)
    limit = json.loads(dashboard.write_subscription(granted, None), parse_float=Decimal, parse_int=Decimal)
    total = json.loads(dashboard.write_total_usage(used, in_use), parse_float=Decimal, parse_int=Decimal)
    assert (limit["hard_limit_usd"] - total["total_usage"] / 100) * NANO == granted - used - in_use


def test_billing_routes_answer_with_and_without_version_and_slash() -> None:
    rows = {row.name: row for row in operations()}
    for name in ("subscription", "usage", "credit_grants"):
        row = rows[f"dashboard.{name}"]
        path = f"/dashboard/billing/{name}"
        assert {row.path, *row.aliases} == {f"/v1{path}", f"/v1{path}/", path, f"{path}/"}
        assert row.free
        assert row.answers_expired
    assert rows["platform.usage"].answers_expired
    assert not rows["openai.models"].answers_expired


def test_models_are_listed_as_the_vendor_does_and_more() -> None:
    small = Model(
        name="b-small",
        owner="acme",
        created=1_700_000_000,
        input_limit=1000,
        output_limit=100,
        modalities=("text", "image"),
    )
    price = Price(
        id="p1", model="b-small", rates={"input": Rate(150_000_000, 1_000_000)}, when={"service_tier": "flex"}
    )
    listings = [
        openai_models.Listing(model=small, prices=[price], multiplier=1_100_001),
        openai_models.Listing(model=Model(name="a-bare"), state="deprecated"),
    ]
    told = json.loads(openai_models.write_models(listings))
    assert told["object"] == "list"
    bare, full = told["data"]
    assert bare == {
        "id": "a-bare", "object": "model", "created": 0, "owned_by": "unigate", "state": "deprecated",
        "modalities": ["text"], "input_limit": None, "output_limit": None, "prices": [],
    }  # fmt: skip
    assert full == {
        "id": "b-small", "object": "model", "created": 1_700_000_000, "owned_by": "acme", "state": "live",
        "modalities": ["text", "image"], "input_limit": 1000, "output_limit": 100,
        "prices": [{"when": {"service_tier": "flex"}, "rates": {"input": {"usd": "0.16500015", "per": 1_000_000}}}],
    }  # fmt: skip
    assert json.loads(openai_models.write_model(listings[0])) == full
    assert json.loads(openai_models.write_models([])) == {"object": "list", "data": []}
