"""Importing price lists: what would change is shown first, and all of it is set at once."""

from decimal import Decimal

import msgspec
import pytest

from unigate.base.clock import now_ms
from unigate.base.config_reader import ConfigError, Reader
from unigate.base.errors import BadRequest
from unigate.base.settings import Config
from unigate.billing.prices import Prices
from unigate.manage.apply import apply
from unigate.manage.desk import Desk
from unigate.manage.load import load_prices
from unigate.manage.price_import import Imported, import_prices
from unigate.manage.price_lists import PriceList, read_price_list
from unigate.providers import catalogue
from unigate.spec.caller import Group
from unigate.spec.price import Price, Rate
from unigate.spec.usage import Usage
from unigate.store.database import Database

TABLE = {
    "sample_spec": {"input_cost_per_token": 0, "mode": "one of ..."},
    "m-1": {"input_cost_per_token": Decimal("1.5e-07"), "output_cost_per_token": Decimal("6E-7"), "mode": "chat"},
    "m-2": {
        "input_cost_per_token": Decimal("0.0000025"),
        "cache_read_input_token_cost": Decimal("0.00000125"),
        "output_cost_per_token": Decimal("0.00001"),
        "output_cost_per_reasoning_token": Decimal("0.00001"),
    },
    "odd": {"input_cost_per_token": Decimal("1e-20")},
    "none": {"input_cost_per_token": 0, "mode": "chat"},
    "text": {"input_cost_per_token": "cheap"},
    "ranks": {"input_cost_per_query": Decimal("0.002"), "input_cost_per_token": 0, "mode": "rerank"},
    "finds": {"input_cost_per_query": Decimal("0.002"), "mode": "search"},
    "elsewhere": {"input_cost_per_token": Decimal("1e-06")},
}
SHIPPED = (Price(id="s", model="m-2", rates={"input": Rate(1, 10**6)}),)


@pytest.fixture
async def desk(database: Database) -> Desk:
    desk = Desk(db=database, secret="s", providers=catalogue())
    text = """
channels: [{name: c, provider: openai, credentials: sk-1, models: {m-1: m-1, public: m-2, none: none, odd: odd}}]
prices: [{model: m-0, input: 1}]
"""
    config: Config = Reader("f", {}).parse(text.encode(), Config)
    await apply(desk, config)
    return desk


def table() -> PriceList:
    return read_price_list(msgspec.json.Encoder(decimal_format="number").encode(TABLE), "list.json")


def changes(found: Imported) -> dict[str | None, str]:
    return {diff.model: diff.change for diff in found.changes}


def test_the_table_of_single_tokens_is_read_exactly() -> None:
    found = table()
    assert {entry.model for entry in found.entries} == {"m-1", "m-2", "ranks", "finds", "elsewhere"}
    one, two = (next(e for e in found.entries if e.model == name) for name in ("m-1", "m-2"))
    assert (one.input, one.output) == (150_000_000, 600_000_000)
    assert (two.cached_input, two.reasoning) == (1_250_000_000, None)
    ranks, finds = (next(e for e in found.entries if e.model == name) for name in ("ranks", "finds"))
    assert (ranks.per_thousand_searches, ranks.per_call) == (2_000_000_000, None)
    assert (finds.per_thousand_searches, finds.per_call) == (None, 2_000_000)
    assert set(found.left_out) == {"odd", "none", "text"}


async def test_it_shows_what_would_change_and_changes_nothing(desk: Desk) -> None:
    found = await import_prices(desk, table(), SHIPPED)
    assert not found.applied and found.not_served == 3
    assert changes(found) == {"m-1": "new", "m-2": "changed"}
    by_model = {diff.model: diff for diff in found.changes}
    assert by_model["m-2"].source == "shipped"
    assert by_model["m-2"].after == {"input": "2.5", "cached_input": "1.25", "output": "10"}
    assert [price.model for price in await load_prices(desk.db)] == ["m-0"]


async def test_it_sets_all_at_once_and_is_the_same_the_second_time(desk: Desk) -> None:
    assert (await import_prices(desk, table(), apply=True)).applied
    prices = Prices(await load_prices(desk.db))
    quote = prices.quote("openai.chat", "m-1", Group(id="g", name="default"), now_ms() + 5)
    assert quote.cost(Usage({"input": 1000, "output": 10}), {})[0] == 156_000
    again = await import_prices(desk, table(), apply=True)
    assert set(changes(again).values()) == {"same"}
    assert len(await load_prices(desk.db)) == 3


async def test_every_model_is_taken_where_it_is_asked_for(desk: Desk) -> None:
    found = await import_prices(desk, table(), apply=True, everything=True)
    assert found.not_served == 0 and changes(found)["elsewhere"] == "new"


async def test_what_the_config_file_owns_is_kept(desk: Desk) -> None:
    given = read_price_list(b"prices: [{model: m-0, input: 2}, {model: m-1, per_call: 0.01}]", "p.yaml")
    found = await import_prices(desk, given, apply=True, everything=True)
    assert changes(found) == {"m-0": "kept", "m-1": "new"}
    held = {price.model: price.rates for price in await load_prices(desk.db)}
    assert held["m-0"] == {"input": Rate(10**9, 10**6)} and held["m-1"] == {"call": Rate(10**7, 1)}


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"prices: [{model: m, inptu: 1}]", ConfigError),
        (b"prices: [{model: m}]", BadRequest),
        (b"[1, 2]", ConfigError),
        (b"\xff", ConfigError),
        (b"{}", ConfigError),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(source: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_price_list(source, "list")
