"""Prices: the exact fraction, rounded up once; the most specific row; the most that a call can cost."""

from fractions import Fraction
from math import ceil

import pytest
from billing_cases import GROUP
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import Forbidden
from unigate.base.money import MAX_AMOUNT
from unigate.billing.prices import Prices, Quote
from unigate.spec.caller import Group
from unigate.spec.price import Price, Rate
from unigate.spec.usage import FALLBACK, INPUT_UNITS, MAX_COUNT, OUTPUT_UNITS, Usage

MILLION = 1_000_000
CHAT = Price(
    id="p1",
    model="gpt-4o-mini",
    rates={
        "input": Rate(150_000_000, MILLION),
        "cached_input": Rate(75_000_000, MILLION),
        "output": Rate(600_000_000, MILLION),
    },
)


def quote(*rows: Price, model: str = "gpt-4o-mini", group: Group = GROUP, at: int = 0) -> Quote:
    return Prices(rows).quote("openai.chat", model, group, at)


def test_a_chat_costs_what_its_price_says() -> None:
    usage = Usage({"input": 100, "cached_input": 20, "output": 50, "reasoning": 7})
    assert quote(CHAT).cost(usage, {}) == (100 * 150 + 20 * 75 + 57 * 600, "p1")


def test_the_cost_is_rounded_up_once() -> None:
    row = Price(id="p", model="m", rates={"input": Rate(1, 3), "output": Rate(1, 3)})
    made = quote(row, model="m")
    assert made.cost(Usage({"input": 1}), {})[0] == 1
    assert made.cost(Usage({"input": 1, "output": 1}), {})[0] == 1
    assert made.cost(Usage({"input": 2, "output": 2}), {})[0] == 2
    assert made.cost(Usage({"input": 0}), {})[0] == 0


rates = st.builds(Rate, st.integers(0, 10**12), st.integers(1, 10**7))
units = st.sampled_from(sorted(FALLBACK))
#: What is counted of things that are made: known in full only when they are there.
MADE_UNITS = frozenset({"characters", "images", "milliseconds", "searches", "videos"})
of_text = st.sampled_from(sorted(set(FALLBACK) - MADE_UNITS))
counts = st.integers(0, 10**7)


def exact(price: Price, usage: Usage, multiplier: int) -> int:
    """The cost by fractions."""
    total = Fraction(0)
    used = {"call": 1, **usage.units}
    for unit, count in used.items():
        source: str | None = unit
        while source is not None and source not in price.rates:
            source = FALLBACK[source]
        if source is not None:
            rate = price.rates[source]
            total += Fraction(rate.amount, rate.per) * count
    return min(ceil(total * Fraction(multiplier, MILLION)), MAX_AMOUNT)


@given(st.dictionaries(units, rates, min_size=1), st.dictionaries(units, counts), st.integers(0, 1000 * MILLION))
def test_the_cost_is_the_fraction(prices: dict[str, Rate], used: dict[str, int], multiplier: int) -> None:
    price = Price(id="p", model="m", rates=prices)
    made = quote(price, model="m", group=Group(id="g", name="g", multiplier=multiplier))
    usage = Usage(used)
    assert made.cost(usage, {})[0] == exact(price, usage, multiplier)


@given(st.dictionaries(of_text, rates, min_size=1), st.dictionaries(of_text, counts), st.integers(0, 3 * MILLION))
def test_the_bound_is_never_passed(prices: dict[str, Rate], used: dict[str, int], multiplier: int) -> None:
    used.pop("call", None)
    group = Group(id="g", name="g", multiplier=multiplier)
    made = quote(Price(id="p", model="m", rates=prices), model="m", group=group)
    usage = Usage(used)
    assert made.cost(usage, {})[0] <= made.bound(usage.input_tokens, usage.output_tokens, {})


@given(
    st.dictionaries(units, rates, min_size=1),
    st.integers(0, 10**6),
    st.integers(0, 10**14),
    st.integers(1, 3 * MILLION),
)
def test_what_is_affordable_is_paid_and_one_more_is_not(
    prices: dict[str, Rate], tokens: int, amount: int, multiplier: int
) -> None:
    group = Group(id="g", name="g", multiplier=multiplier)
    made = quote(Price(id="p", model="m", rates=prices), model="m", group=group)
    output = made.output_affordable(amount, tokens, {})
    if output:
        assert made.bound(tokens, output, {}) <= amount
    if output < MAX_COUNT:
        assert made.bound(tokens, output + 1, {}) > amount


@pytest.mark.parametrize("hostile", [-1, 1e3, 10**30, True, None, "5", 2**40 + 1])
def test_a_count_that_nobody_can_mean_is_none(hostile: object) -> None:
    usage = Usage({"input": hostile, "output": 10})  # type: ignore[dict-item]
    assert quote(CHAT).cost(usage, {}) == (6000, "p1")


def test_a_cost_stays_an_amount() -> None:
    row = Price(id="p", model="m", rates={"input": Rate(10**15, 1)})
    assert quote(row, model="m").cost(Usage({"input": MAX_COUNT}), {})[0] == MAX_AMOUNT


def test_a_missing_price_refuses_the_call() -> None:
    with pytest.raises(Forbidden) as caught:
        quote(CHAT, model="other")
    assert caught.value.code == "price_missing"
    assert "other" in caught.value.message


def test_a_missing_price_may_be_allowed() -> None:
    free = Prices([CHAT], allow_unpriced=True).quote("openai.chat", "other", GROUP, 0)
    assert free.cost(Usage({"input": 5}), {}) == (0, "")
    assert free.bound(10, 10, {}) == 0
    assert free.output_affordable(0, 10, {}) == MAX_COUNT


def row(id: str, amount: int, **kw: object) -> Price:
    return Price(id=id, rates={"input": Rate(amount, 1)}, **kw)  # type: ignore[arg-type]


def picked(*rows: Price, model: str = "gpt-4o", at: int = 0, **conditions: str | int) -> str:
    return quote(*rows, model=model, at=at).cost(Usage({"input": int(conditions.pop("tokens", 1))}), conditions)[1]


def test_the_most_specific_name_wins() -> None:
    rows = [
        row("any", 1, model="*"),
        row("operation", 1, operation="openai.chat"),
        row("short", 1, model="gpt-*"),
        row("long", 1, model="gpt-4*"),
        row("own", 1, model="gpt-4o"),
        row("own and operation", 1, model="gpt-4o", operation="openai.chat"),
        row("own, another operation", 1, model="gpt-4o", operation="openai.images"),
    ]
    for last in ("own and operation", "own", "long", "short", "operation", "any"):
        assert picked(*rows) == last
        rows = [r for r in rows if r.id != last]


def test_conditions_win_over_none_and_more_over_fewer() -> None:
    rows = [
        row("plain", 1, model="m"),
        row("flex", 1, model="m", when={"service_tier": "flex"}),
        row("flex long", 1, model="m", when={"service_tier": "flex", "input_tokens": ">200000"}),
        row("long", 1, model="m", when={"input_tokens": ">200000"}),
    ]
    assert picked(*rows, model="m") == "plain"
    assert picked(*rows, model="m", service_tier="flex") == "flex"
    assert picked(*rows, model="m", service_tier="auto") == "plain"
    assert picked(*rows, model="m", tokens=200_001) == "long"
    assert picked(*rows, model="m", tokens=200_000) == "plain"
    assert picked(*rows, model="m", tokens=200_001, service_tier="flex") == "flex long"


@pytest.mark.parametrize(
    ("text", "value", "fits"),
    [
        ("hd", "hd", True),
        ("hd", "standard", False),
        ("hd|high", "high", True),
        ("5", 5, True),
        (">5", 5, False),
        (">=5", 5, True),
        ("<5", 4, True),
        ("<5", 5, False),
        ("<=5", 5, True),
        ("1..4", 4, True),
        ("1..4", 5, False),
        ("<3|>7", 5, False),
        ("<3|>7", "8", True),
        (">x", ">x", True),
    ],
)
def test_a_condition(text: str, value: str | int, fits: bool) -> None:
    rows = [row("plain", 1, model="m"), row("when", 1, model="m", when={"c": text})]
    assert picked(*rows, model="m", c=value) == ("when" if fits else "plain")


def test_who_says_nothing_says_default() -> None:
    rows = [row("plain", 1, model="m"), row("default", 1, model="m", when={"quality": "default"})]
    assert picked(*rows, model="m") == "default"
    assert picked(*rows, model="m", quality="hd") == "plain"


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("hour", "expected"), [(21, "day"), (22, "night"), (23, "night"), (0, "night"), (5, "night"), (6, "day")]
)
def test_hours_of_the_day(hour: int, expected: str) -> None:
    rows = [row("day", 2, model="m"), row("night", 1, model="m", when={"hour": "22-6"})]
    prices = Prices(rows)
    for at in (hour * HOUR, hour * HOUR + HOUR - 1):
        assert prices.quote("op", "m", GROUP, at).cost(Usage({"input": 1}), {})[1] == expected
    shifted = Prices(rows, offset_minutes=60)
    assert shifted.quote("op", "m", GROUP, (hour - 1) % 24 * HOUR).cost(Usage({"input": 1}), {})[1] == expected


def test_a_price_starts_when_it_says() -> None:
    rows = [
        row("old", 1, model="m"),
        row("new", 2, model="m", starts_at=1000),
        row("newest", 3, model="m", starts_at=2000),
    ]
    prices = Prices(rows)
    for at, expected in (
        (0, "old"),
        (999, "old"),
        (1000, "new"),
        (1999, "new"),
        (2000, "newest"),
        (500, "old"),
        (1500, "new"),
    ):
        assert prices.quote("op", "m", GROUP, at).cost(Usage({"input": 1}), {})[1] == expected
    with pytest.raises(Forbidden):
        Prices(rows[1:]).quote("op", "m", GROUP, 999)


def test_a_quote_is_made_once_until_something_starts() -> None:
    prices = Prices([row("old", 1, model="m"), row("new", 2, model="m", starts_at=1000)])
    first = prices.quote("op", "m", GROUP, 1)
    assert prices.quote("op", "m", GROUP, 999) is first
    assert prices.quote("op", "m", GROUP, 1000) is not first
    assert prices.quote("op", "m", Group(id=GROUP.id, name="x", multiplier=2), 1000).multiplier == 2


def test_a_price_by_value() -> None:
    price = Price(
        id="p",
        model="m",
        rates={"image:1024x1024": Rate(40, 1), "image:1024x1792": Rate(80, 1), "image:default": Rate(60, 1)},
    )
    made = quote(price, model="m")
    for size, cost in (("1024x1024", 120), ("1024x1792", 240), ("8x8", 180)):
        assert made.cost(Usage({"image": 3}), {"size": size, "quality": "hd"})[0] == cost
    assert made.cost(Usage({"image": 1}), {})[0] == 60


def test_a_fixed_price_by_value_without_default_is_the_dearest_when_unknown() -> None:
    price = Price(id="p", operation="midjourney.imagine", rates={"call:fast": Rate(30, 1), "call:turbo": Rate(60, 1)})
    made = Prices([price]).quote("midjourney.imagine", "", GROUP, 0)
    assert made.cost(Usage({"input": 9}), {"mode": "fast"})[0] == 30
    assert made.cost(Usage(), {})[0] == 60
    assert made.bound(0, 0, {"mode": "fast"}) == 30
    assert made.bound(0, 0, {}) == 60


def test_other_units_are_held_and_charged_for_beside_tokens() -> None:
    price = Price(id="p", model="m", rates={"searches": Rate(2_000_000_000, 1000), "output": Rate(5, 1)})
    made = quote(price, model="m")
    assert made.cost(Usage({"searches": 3, "input": 900}), {})[0] == 6_000_000
    assert made.bound(900, 0, {}, {"searches": 3}) == 6_000_000
    assert made.output_affordable(6_000_010, 900, {}, {"searches": 3}) == 2
    assert made.output_affordable(5_999_999, 900, {}, {"searches": 3}) == 0


def test_the_bound_takes_the_dearest_row_that_may_apply() -> None:
    rows = [
        row("plain", 2, model="m"),
        row("priority", 4, model="m", when={"service_tier": "priority"}),
        row("long", 3, model="m", when={"input_tokens": ">100"}),
        row("hd", 9, model="m", when={"quality": "hd"}),
    ]
    made = quote(*rows[:1], rows[2], rows[3], model="m")
    assert made.bound(100, 0, {}) == 200
    assert made.bound(101, 0, {}) == 303
    assert made.bound(10, 0, {"quality": "hd"}) == 90
    assert made.bound(10, 0, {"quality": "auto"}) == 90
    assert quote(*rows, model="m").bound(10, 0, {}) == 40, "the provider may answer that it used the dearer tier"
    assert quote(*rows, model="m").bound(10, 0, {"service_tier": "flex"}) == 40


def test_units_that_fall_back_are_all_there() -> None:
    assert INPUT_UNITS | OUTPUT_UNITS | MADE_UNITS | {"call"} == set(FALLBACK)


def test_names_by_pattern_do_not_pile_up() -> None:
    prices = Prices([row("any", 1, model="*")])
    for number in range(10_050):
        prices.quote("op", f"m{number}", GROUP, 0)
    assert len(prices._known) <= 10_000


def test_a_bound_may_be_among_some_units_only() -> None:
    row = Price(
        id="p",
        model="m",
        rates={
            "input": Rate(1, 1),
            "cached_input": Rate(2, 1),
            "audio_input": Rate(10, 1),
            "output": Rate(4, 1),
            "audio_output": Rate(20, 1),
            "call": Rate(3, 1),
        },
    )
    made = quote(row, model="m")
    assert made.bound(100, 10, {}) == 100 * 10 + 10 * 20 + 3
    text = frozenset({"input", "output"})
    assert made.bound(100, 10, {}, among=text) == 100 + 10 * 4 + 3
    assert made.bound(100, 10, {}, among=text | {"cached_input"}) == 100 * 2 + 10 * 4 + 3
    assert made.bound(100, 10, {}, among=text | {"audio_input"}) == 100 * 10 + 10 * 4 + 3
    assert made.bound(100, 10, {}, among=frozenset({"output"})) == 10 * 4 + 3
    assert made.output_affordable(103 + 41, 100, {}, among=text) == 10
    assert made.output_affordable(102, 100, {}, among=text) == 0
    assert made.output_affordable(1003 + 41, 100, {}) == 2


@given(
    st.dictionaries(units, rates, min_size=1),
    st.dictionaries(units, counts),
    st.integers(0, 10 * MILLION),
    st.integers(0, MILLION),
)
def test_a_discount_is_taken_off_before_the_one_rounding(
    prices: dict[str, Rate], used: dict[str, int], multiplier: int, discount: int
) -> None:
    price = Price(id="p", model="m", rates=prices)
    group = Group(id="g", name="g", multiplier=multiplier)
    made = Prices([price]).quote("openai.chat", "m", group, 0, discount)
    total = Fraction(0)
    for unit, count in {"call": 1, **used}.items():
        source: str | None = unit
        while source is not None and source not in price.rates:
            source = FALLBACK[source]
        if source is not None:
            total += Fraction(price.rates[source].amount, price.rates[source].per) * count
    left = Fraction(multiplier, MILLION) * Fraction(MILLION - discount, MILLION)
    assert made.cost(Usage(used), {})[0] == min(ceil(total * left), MAX_AMOUNT)


def test_a_row_for_batches_has_no_further_discount() -> None:
    plain = Price(id="plain", model="m", rates={"input": Rate(1000, 1)})
    half = Price(id="half", model="m", when={"service_tier": "batch"}, rates={"input": Rate(500, 1)})
    made = Prices([plain, half]).quote("openai.chat", "m", GROUP, 0, 250_000)
    assert made.cost(Usage({"input": 10}), {}) == (7500, "plain")
    assert made.cost(Usage({"input": 10}), {"service_tier": "batch"}) == (5000, "half")
    assert Prices([plain, half]).quote("openai.chat", "m", GROUP, 0).cost(Usage({"input": 10}), {}) == (10_000, "plain")
