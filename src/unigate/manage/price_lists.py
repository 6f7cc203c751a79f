"""Price lists as others write them, read into price entries. Pure.

Two forms: the `prices:` section of our own file (YAML or JSON), and the widely kept JSON table
`model_prices_and_context_window.json`, a mapping of model -> USD per single token by names such as
`input_cost_per_token`. What of a list can't be read is told, never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from unigate.base.config_reader import Reader, Section
from unigate.base.errors import BadRequest
from unigate.base.money import MAX_AMOUNT, NANO
from unigate.base.settings import PriceEntry
from unigate.manage.price_forms import rates_of, subject_of

_MILLION = 1_000_000
#: Field of the table -> our name for it, and how many units our amount is for.
_FIELDS: Mapping[str, tuple[str, int]] = {
    "input_cost_per_token": ("input", _MILLION),
    "cache_read_input_token_cost": ("cached_input", _MILLION),
    "cache_creation_input_token_cost": ("cache_write", _MILLION),
    "input_cost_per_audio_token": ("audio_input", _MILLION),
    "cache_read_input_audio_token_cost": ("cached_audio_input", _MILLION),
    "output_cost_per_token": ("output", _MILLION),
    "output_cost_per_reasoning_token": ("reasoning", _MILLION),
    "output_cost_per_audio_token": ("audio_output", _MILLION),
    "output_cost_per_image_token": ("image_output", _MILLION),
    "input_cost_per_character": ("per_million_characters", _MILLION),
    "input_cost_per_second": ("per_second", 1),
    "output_cost_per_second": ("per_second", 1),
    "output_cost_per_image": ("per_image", 1),
    "input_cost_per_query": ("per_call", 1),
}
#: What a query of a reranker is: a search.
_RERANKS: Mapping[str, tuple[str, int]] = {**_FIELDS, "input_cost_per_query": ("per_thousand_searches", 1000)}
#: Entry of that table which explains its fields.
_SAMPLE = "sample_spec"


class _List(Section, frozen=True, kw_only=True):
    prices: list[PriceEntry]


@dataclass(slots=True)
class PriceList:
    """Entries of a list, and why others could not be read (what -> why)."""

    entries: list[PriceEntry] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def read_price_list(source: bytes, name: str) -> PriceList:
    """A list in either form; `name` is the file's, for messages. ConfigError, BadRequest."""
    table = _table(source)
    if table is not None:
        return _from_table(table)
    read: _List = Reader(name, {}).parse(source, _List)
    found = PriceList()
    for entry in read.prices:
        _checked(entry)
        found.entries.append(entry)
    return found


def _table(source: bytes) -> dict[str, dict[str, Any]] | None:
    """The JSON table of models, with numbers as decimals; None where it is something else."""
    try:
        told = msgspec.json.Decoder(dict[str, dict[str, Any]], float_hook=Decimal).decode(source)
    except msgspec.DecodeError:
        return None
    return told if any(field.endswith("_token") for row in told.values() for field in row) else None


def _from_table(table: Mapping[str, Mapping[str, Any]]) -> PriceList:
    found = PriceList()
    for model, row in table.items():
        if model == _SAMPLE:
            continue
        try:
            found.entries.append(_entry(model, row))
        except BadRequest as error:
            found.left_out[model] = error.message
    return found


def _entry(model: str, row: Mapping[str, Any]) -> PriceEntry:
    amounts: dict[str, Any] = {}
    for name, (form, per) in (_RERANKS if row.get("mode") == "rerank" else _FIELDS).items():
        told = row.get(name)
        if told is None:
            continue
        amount = _amount(told, per, name)
        if amounts.setdefault(form, amount) != amount and amount:
            raise BadRequest(f"It has two prices {form}.")
    if not any(amounts.values()):
        raise BadRequest("It names no amount that is known here.")
    for part, of in (("reasoning", "output"), ("image_output", "output")):
        if amounts.get(part) == amounts.get(of):
            amounts.pop(part, None)  # falls back to it anyway
    return _checked(PriceEntry(model=model, **amounts))


def _amount(told: object, per: int, name: str) -> int:
    """USD for one unit as nano-USD for `per`; BadRequest where that is not exact."""
    if not isinstance(told, int | Decimal) or isinstance(told, bool):
        raise BadRequest(f"{name} is no number.")
    nano = Decimal(told) * NANO * per
    if not nano.is_finite() or nano != nano.to_integral_value() or not 0 <= nano <= MAX_AMOUNT:
        raise BadRequest(f"{name} is no amount of at most nine places: {told}.")
    return int(nano)


def _checked(entry: PriceEntry) -> PriceEntry:
    rates_of(entry)
    subject_of(entry)
    return entry
