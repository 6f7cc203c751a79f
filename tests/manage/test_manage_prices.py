"""Prices: changes are new rows, the operator's rows stand above shipped ones, and quotes follow."""

import asyncio
from dataclasses import replace
from fractions import Fraction

import pytest

from unigate.base import clock
from unigate.base.clock import now_ms
from unigate.base.config_reader import Reader
from unigate.base.errors import BadRequest, Forbidden, NotFound
from unigate.base.settings import Config, PriceEntry
from unigate.billing.prices import Prices
from unigate.manage import models, prices
from unigate.manage.apply import apply
from unigate.manage.desk import Desk
from unigate.manage.load import load_models, load_prices, merged_prices
from unigate.manage.price_forms import FORMS, rates_of, shown_rates
from unigate.spec.caller import Group
from unigate.spec.price import Model, Price, Rate
from unigate.spec.usage import Usage
from unigate.store.database import Database

GROUP = Group(id="g", name="default")
DAY = 86_400_000


def entry(text: str) -> PriceEntry:
    read: PriceEntry = Reader("f", {}).parse(text.encode(), PriceEntry)
    return read


def config(text: str) -> Config:
    read: Config = Reader("f", {}).parse(text.encode(), Config)
    return read


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(db=database, secret="s")


@pytest.mark.parametrize(
    ("form", "unit", "per"),
    [
        ("input", "input", 10**6),
        ("cache_write", "cache_write", 10**6),
        ("audio_output", "audio_output", 10**6),
        ("per_million_characters", "characters", 10**6),
        ("per_minute", "milliseconds", 60_000),
        ("per_second", "milliseconds", 1_000),
        ("per_image", "images", 1),
        ("per_call", "call", 1),
    ],
)
def test_every_form_is_a_rate_per_whole_unit(form: str, unit: str, per: int) -> None:
    rates = rates_of(entry(f"{{model: a, {form}: 0.0375}}"))
    assert rates == {unit: Rate(37_500_000, per)}
    assert Fraction(rates[unit].amount, 10**9) == Fraction("0.0375")
    assert shown_rates(rates) == {form: "0.0375"}
    by_value = rates_of(entry(f"{{model: a, {form}: {{hd: 0.1, default: 0.2}}}}"))
    assert by_value == {f"{unit}:hd": Rate(10**8, per), f"{unit}:default": Rate(2 * 10**8, per)}
    assert shown_rates(by_value) == {form: {"hd": "0.1", "default": "0.2"}}


def test_all_forms_can_be_written_back() -> None:
    for form in FORMS:
        assert shown_rates(rates_of(entry(f"{{model: a, {form}: 1}}"))) == {form: "1"}


async def test_a_change_is_a_new_row_from_now_on(desk: Desk) -> None:
    first = await prices.set_price(desk, entry("{model: a, input: 1, output: 2}"))
    second = await prices.set_price(desk, entry("{model: a, input: 3, output: 4}"))
    await asyncio.sleep(0.002)  # prices start at whole milliseconds
    views = {view.id: view.state for view in await prices.list_prices(desk, history=True)}
    assert views[second.id] == "holds"
    assert views[first.id] == "replaced"
    (shown,) = await prices.list_prices(desk)
    assert (shown.id, shown.rates) == (second.id, {"input": "3", "output": "4"})
    loaded = await load_prices(desk.db)
    assert {price.id for price in loaded} == {first.id, second.id}, "calls in flight keep the row they were admitted at"
    cost, by = Prices(loaded).quote("openai.chat", "a", GROUP, now_ms()).cost(Usage({"input": 10}), {})
    assert (cost, by) == (30_000, second.id)


async def test_a_price_may_start_later_and_be_scheduled_anew(desk: Desk) -> None:
    await prices.set_price(desk, entry("{model: a, input: 1}"))
    later = now_ms() + DAY
    iso = clock.utc(later).isoformat(timespec="seconds")
    await prices.set_price(desk, entry(f"{{model: a, input: 2, from: '{iso}'}}"))
    await prices.set_price(desk, entry(f"{{model: a, input: 3, from: '{iso}'}}"))
    views = await prices.list_prices(desk)
    assert [(view.state, view.rates) for view in views] == [("holds", {"input": "1"}), ("to come", {"input": "3"})]
    table = Prices(await load_prices(desk.db))
    assert table.quote("o", "a", GROUP, now_ms()).cost(Usage({"input": 1_000_000}), {})[0] == 10**9
    assert table.quote("o", "a", GROUP, later + 1000).cost(Usage({"input": 1_000_000}), {})[0] == 3 * 10**9


async def test_a_price_of_the_past_starts_now(desk: Desk) -> None:
    view = await prices.set_price(desk, entry("{model: a, input: 1, from: 2020-01-01}"))
    assert view.state == "holds" and not view.starts.startswith("2020")


async def test_withdrawn_it_is_no_price_but_stays_known(desk: Desk) -> None:
    view = await prices.set_price(desk, entry("{model: a, input: 1}"))
    await prices.withdraw_price(desk, view.id)
    assert await prices.list_prices(desk) == []
    assert (await prices.show_price(desk, view.id)).state == "withdrawn"
    with pytest.raises(Forbidden, match="a"):
        Prices(await load_prices(desk.db)).quote("o", "a", GROUP, now_ms())
    with pytest.raises(NotFound):
        await prices.withdraw_price(desk, "price_none")


@pytest.mark.parametrize(
    "text", ["{input: 1}", "{model: a}", "{model: a, per_call: {}}", "{model: a, when: {x: ''}, input: 1}"]
)
async def test_a_price_without_sense_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(BadRequest):
        await prices.set_price(desk, entry(text))


async def test_the_file_s_price_is_changed_and_scheduled(desk: Desk) -> None:
    later, even_later = (clock.utc(now_ms() + n * DAY).isoformat(timespec="seconds") for n in (1, 2))

    async def states(text: str) -> list[tuple[str, str]]:
        await apply(desk, config(text))
        return [(view.state, view.rates["input"]) for view in await prices.list_prices(desk)]

    old, new = "{model: a, input: 1}", "{model: a, input: 2, from: '%s'}"
    assert await states(f"prices: [{old}]") == [("holds", "1")]
    both = f"prices: [{old}, {new % later}]"
    assert await states(both) == [("holds", "1"), ("to come", "2")]
    done = await apply(desk, config(both))
    assert not done.changed
    assert await states(f"prices: [{old}, {new % even_later}]") == [("holds", "1"), ("to come", "2")], (
        "moved, not doubled"
    )
    past = "prices: [{model: a, input: 1, from: 2020-01-01}, {model: a, input: 5, from: 2021-01-01}]"
    assert await states(past) == [("holds", "5")]


def price(model: str | None, amount: int, start: int = 0, **more: object) -> Price:
    made = Price(id=f"{model}:{amount}", model=model, rates={"input": Rate(amount, 1)}, starts_at=start)
    return replace(made, **more)  # type: ignore[arg-type]


def ask(own: list[Price], shipped: list[Price], model: str, at: int, now: int = 1000, **given: str) -> int:
    quote = Prices(merged_prices(own, shipped, now)).quote("openai.chat", model, GROUP, at)
    return quote.cost(Usage({"input": 1}), given)[0]


def test_the_operator_s_price_stands_above_a_shipped_one() -> None:
    shipped = [
        price("gpt-4o", 7, start=500),
        price("gpt-4o", 9, start=500, when={"service_tier": "priority"}),
        price("o1", 8, start=500),
    ]
    assert ask([], shipped, "gpt-4o", 1000) == 7
    assert ask([price("gpt-4o", 1, start=400)], shipped, "gpt-4o", 1000) == 1, "however old it is"
    assert ask([price("gpt-4o", 1)], shipped, "gpt-4o", 1000, service_tier="priority") == 1, "however special theirs is"
    assert ask([price("gpt-*", 2)], shipped, "gpt-4o", 1000) == 2, "a pattern too"
    assert ask([price("gpt-*", 2)], shipped, "o1", 1000) == 8
    assert ask([price("*", 3)], shipped, "gpt-4o", 1000) == 7, "but * alone is for what nobody else prices"
    assert ask([price("*", 3)], shipped, "unheard-of", 1000) == 3
    special = [price("gpt-4o", 4, when={"service_tier": "flex"})]
    assert ask(special, shipped, "gpt-4o", 1000, service_tier="flex") == 4
    assert ask(special, shipped, "gpt-4o", 1000) == 7, "with a condition it adds to what is shipped"


def test_an_operator_s_price_that_is_yet_to_start_takes_over_then() -> None:
    shipped = [price("gpt-4o", 7, start=500), price("gpt-4o", 9, start=500, when={"service_tier": "priority"})]
    own = [price("gpt-*", 2, start=2000), price("g*", 3, start=3000), price("gpt-4o", 5, start=4000)]
    seen = [ask(own, shipped, "gpt-4o", at) for at in (1000, 2000, 3000, 4000)]
    assert seen == [7, 2, 2, 5]
    assert ask(own, shipped, "gpt-4o", 2000, service_tier="priority") == 2
    assert ask(own, shipped, "gpt-4o", 1000, service_tier="priority") == 9


async def test_what_the_operator_says_of_a_model_wins(desk: Desk) -> None:
    shipped = [Model(name="a", owner="x", input_limit=10), Model(name="b", output_limit=5)]
    await models.set_model(desk, Model(name="a", input_limit=20, modalities=("text", "image")))
    found = await load_models(desk.db, shipped)
    assert (found["a"].input_limit, found["a"].modalities, found["b"].output_limit) == (20, ("text", "image"), 5)
    with pytest.raises(BadRequest):
        await models.set_model(desk, Model(name="a", output_limit=0))
