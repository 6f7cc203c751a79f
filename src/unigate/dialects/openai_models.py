"""OpenAI's list of models: `GET /v1/models` and `GET /v1/models/{model}`, answered by ourselves.

The vendor's four fields, and of our own: prices, limits, modalities and state.
https://platform.openai.com/docs/api-reference/models
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from unigate.base.money import MILLION
from unigate.dialects.openai_errors import write_error
from unigate.spec.operation import Operation
from unigate.spec.price import Model, Price

__all__ = ["OPERATIONS", "Listing", "write_error", "write_model", "write_models"]

OPERATIONS = (
    Operation(
        name="openai.models",
        method="GET",
        path="/v1/models",
        dialect="openai_models",
        family="models",
        use="models",
        free=True,
    ),
    Operation(
        name="openai.model",
        method="GET",
        path="/v1/models/{model:path}",
        dialect="openai_models",
        family="models",
        use="model",
        free=True,
    ),
)
#: Decimal places of nano-USD times a multiplier in millionths.
_PLACES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A model as one key sees it."""

    model: Model
    state: Literal["live", "deprecated"] = "live"
    prices: Sequence[Price] = ()
    #: The group's multiplier in millionths, so that the prices shown are the ones paid.
    multiplier: int = MILLION


def write_models(listings: Iterable[Listing]) -> bytes:
    """The list, sorted by name."""
    rows = sorted(listings, key=lambda listing: listing.model.name)
    return msgspec.json.encode({"object": "list", "data": [_row(listing) for listing in rows]})


def write_model(listing: Listing) -> bytes:
    """One model."""
    return msgspec.json.encode(_row(listing))


def _row(listing: Listing) -> dict[str, object]:
    model = listing.model
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": model.owner or "unigate",
        "state": listing.state,
        "modalities": list(model.modalities),
        "input_limit": model.input_limit,
        "output_limit": model.output_limit,
        "prices": [_price(price, listing.multiplier) for price in listing.prices],
    }


def _price(price: Price, multiplier: int) -> dict[str, object]:
    """A price row: USD as decimal text for `per` units, exact."""
    rates = {unit: {"usd": _usd(rate.amount * multiplier), "per": rate.per} for unit, rate in price.rates.items()}
    return {"when": dict(price.when), "rates": rates}


def _usd(amount: int) -> str:
    whole, rest = divmod(amount, 10**_PLACES)
    return f"{whole}.{rest:0{_PLACES}d}".rstrip("0").rstrip(".")
