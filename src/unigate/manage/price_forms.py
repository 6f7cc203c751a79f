"""A price as people write it, as rates per unit, and back. Pure.

Amounts are nano-USD; a rate is an integer amount for an integer count of integer units: tokens, characters, images,
videos, calls, milliseconds, searches.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from unigate.base.errors import BadRequest
from unigate.base.money import format_usd
from unigate.base.settings import PriceEntry
from unigate.manage.desk import json_text
from unigate.manage.keys import checked_pattern
from unigate.spec.price import Price, Rate
from unigate.store.prices import PriceRow

_MILLION = 1_000_000
#: Name in the file -> unit of usage, and how many of it the amount is for.
FORMS: Mapping[str, tuple[str, int]] = {
    "input": ("input", _MILLION),
    "cached_input": ("cached_input", _MILLION),
    "cache_write": ("cache_write", _MILLION),
    "audio_input": ("audio_input", _MILLION),
    "cached_audio_input": ("cached_audio_input", _MILLION),
    "image_input": ("image_input", _MILLION),
    "cached_image_input": ("cached_image_input", _MILLION),
    "output": ("output", _MILLION),
    "reasoning": ("reasoning", _MILLION),
    "audio_output": ("audio_output", _MILLION),
    "image_output": ("image_output", _MILLION),
    "per_million_characters": ("characters", _MILLION),
    "per_minute": ("milliseconds", 60_000),
    "per_second": ("milliseconds", 1_000),
    "per_image": ("images", 1),
    "per_video": ("videos", 1),
    "per_thousand_searches": ("searches", 1_000),
    "per_call": ("call", 1),
}
_NAMES: Mapping[tuple[str, int], str] = {form: name for name, form in FORMS.items()}


def rates_of(entry: PriceEntry) -> dict[str, Rate]:
    """Rates by unit, or by `unit:value` where the amount depends on a value; BadRequest."""
    rates: dict[str, Rate] = {}
    for name, (unit, per) in FORMS.items():
        given = getattr(entry, name)
        if given is None:
            continue
        if any(known == unit or known.startswith(f"{unit}:") for known in rates):
            raise BadRequest("A price says per_minute or per_second, not both.")
        if isinstance(given, int):
            rates[unit] = Rate(given, per)
            continue
        if not given:
            raise BadRequest(f"{name} names no amount.")
        for value, amount in given.items():
            rates[f"{unit}:{value}"] = Rate(amount, per)
    if not rates:
        raise BadRequest(f"A price needs at least one of {', '.join(FORMS)}.")
    return rates


def subject_of(entry: PriceEntry) -> tuple[str | None, str | None, str]:
    """What an entry is a price of: model, operation, conditions as JSON text; BadRequest."""
    if entry.model is None and entry.operation is None:
        raise BadRequest("A price names a model, an operation, or both.")
    if entry.model is not None and "*" in checked_pattern(entry.model)[:-1]:
        raise BadRequest("A price's model may have a '*' at its end only.")
    if not all(entry.when) or not all(entry.when.values()):
        raise BadRequest("A condition (when) has a name and a value.")
    return entry.model, entry.operation, json_text(entry.when)


def rates_text(rates: Mapping[str, Rate]) -> str:
    """Rates as they are kept."""
    return json_text({unit: [rate.amount, rate.per] for unit, rate in rates.items()})


def price_of(row: PriceRow) -> Price:
    """A row as the calls see it."""
    rates = msgspec.json.decode(row.rates, type=dict[str, tuple[int, int]])
    return Price(
        id=row.id,
        model=row.model,
        operation=row.operation,
        when=msgspec.json.decode(row.conditions, type=dict[str, str]),
        rates={unit: Rate(amount, per) for unit, (amount, per) in rates.items()},
        starts_at=row.starts_at,
    )


def shown_rates(rates: Mapping[str, Rate]) -> dict[str, Any]:
    """Rates in the form of the file: name -> decimal USD, or value -> decimal USD."""
    shown: dict[str, Any] = {}
    for name, rate in rates.items():
        unit, colon, value = name.partition(":")
        form = _NAMES.get((unit, rate.per), f"{unit} per {rate.per}")
        amount = format_usd(rate.amount)
        if colon:
            shown.setdefault(form, {})[value] = amount
        else:
            shown[form] = amount
    return shown
