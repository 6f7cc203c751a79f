"""Models and prices that ship with the gateway, as values. Files and their reading, nothing else.

`prices.json`, `operation_prices.json` and `models.json` say where each row is from and of what date; amounts are decimal text and become integers
here, never floats. An operator's own rows win over these; that is decided elsewhere.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import cast

import msgspec

from unigate.base.money import MILLION, parse_usd
from unigate.spec.price import Model, Price, Rate

#: Members of a price row that are no rates.
_ABOUT = frozenset({"model", "when", "source", "as_of", "note"})
#: Names of rates that are not per million of a unit of the same name: unit, and how many of it.
_FORMS = {
    "call": ("call", 1),
    "per_image": ("images", 1),
    "per_million_characters": ("characters", MILLION),
    "per_minute": ("milliseconds", 60_000),
    "per_second": ("milliseconds", 1000),
    "per_thousand_searches": ("searches", 1000),
    "per_video": ("videos", 1),
}


class _Models(msgspec.Struct):
    models: list[Mapping[str, object]]


class _Prices(msgspec.Struct):
    per: int
    prices: list[Mapping[str, object]]


class _OperationPrice(msgspec.Struct):
    operation: str
    #: USD, or USD by the value of a condition.
    call: str | Mapping[str, str]
    as_of: str


class _OperationPrices(msgspec.Struct):
    prices: list[_OperationPrice]


def models() -> list[Model]:
    """What is known of models: limits, modalities, owner, day of release."""
    return [
        msgspec.convert({name: value for name, value in row.items() if name in Model.__slots__}, Model)
        for row in msgspec.json.decode(_read("models.json"), type=_Models).models
    ]


def prices() -> list[Price]:
    """All prices, in nano-USD; they hold from the beginning, so that every later row is newer."""
    return [_price(row) for row in msgspec.json.decode(_read("prices.json"), type=_Prices).prices]


def operation_prices() -> list[Price]:
    """Prices per call of operations, some by the value of a condition, in nano-USD; they hold from the beginning."""
    return [
        Price(
            id=f"shipped:{row.operation}@{row.as_of}",
            operation=row.operation,
            rates={"call": Rate(parse_usd(row.call), 1)}
            if isinstance(row.call, str)
            else {f"call:{value}": Rate(parse_usd(usd), 1) for value, usd in row.call.items()},
        )
        for row in msgspec.json.decode(_read("operation_prices.json"), type=_OperationPrices).prices
    ]


def _price(row: Mapping[str, object]) -> Price:
    model = cast(str, row["model"])
    when = cast("Mapping[str, str]", row.get("when", {}))
    conditions = "".join(f";{name}={value}" for name, value in sorted(when.items()))
    return Price(
        id=f"shipped:{model}{conditions}@{row['as_of']}",
        model=model,
        when=dict(when),
        rates=dict(_rate(name, cast(str, usd)) for name, usd in row.items() if name not in _ABOUT),
    )


def _rate(name: str, usd: str) -> tuple[str, Rate]:
    unit, per = _FORMS.get(name, (name, MILLION))
    return unit, Rate(parse_usd(usd), per)


def _read(name: str) -> bytes:
    return files(__name__).joinpath(name).read_bytes()
