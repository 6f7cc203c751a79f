"""Models and prices that ship with the gateway, as values. Files and their reading, nothing else.

`prices.json` and `models.json` say where each row is from and of what date; amounts are decimal text and become integers
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


class _Models(msgspec.Struct):
    models: list[Mapping[str, object]]


class _Prices(msgspec.Struct):
    per: int
    prices: list[Mapping[str, object]]


def models() -> list[Model]:
    """What is known of models: limits, modalities, owner, day of release."""
    return [
        msgspec.convert({name: value for name, value in row.items() if name in Model.__slots__}, Model)
        for row in msgspec.json.decode(_read("models.json"), type=_Models).models
    ]


def prices() -> list[Price]:
    """Prices per million tokens and per call, in nano-USD; they hold from the beginning, so that every later row is newer."""
    return [_price(row) for row in msgspec.json.decode(_read("prices.json"), type=_Prices).prices]


def _price(row: Mapping[str, object]) -> Price:
    model = cast(str, row["model"])
    when = cast("Mapping[str, str]", row.get("when", {}))
    conditions = "".join(f";{name}={value}" for name, value in sorted(when.items()))
    return Price(
        id=f"shipped:{model}{conditions}@{row['as_of']}",
        model=model,
        when=dict(when),
        rates={
            unit: Rate(parse_usd(cast(str, usd)), 1 if unit == "call" else MILLION)
            for unit, usd in row.items()
            if unit not in _ABOUT
        },
    )


def _read(name: str) -> bytes:
    return files(__name__).joinpath(name).read_bytes()
