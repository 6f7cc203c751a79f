"""Price: money per unit, from a moment on, under conditions."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """`amount` nano-USD for `per` units, both integers: 0.15 USD per million tokens is Rate(150_000_000, 1_000_000)."""

    amount: int
    per: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price row. The most specific row wins: the longest name, then the most conditions, then the latest start.

    `rates` maps a unit (see `usage.FALLBACK`) to its rate; where the price of a unit depends on a value
    (`per_image: {"1024x1024": 0.04, default: 0.08}`) it stands under `unit:value` and `unit:default`.
    """

    id: str
    #: A model's public name, a pattern that ends in `*`, or None where `operation` says it.
    model: str | None = None
    operation: str | None = None
    when: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, Rate] = field(default_factory=dict)
    #: Milliseconds since 1970 from which the row holds.
    starts_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of a model: shipped as data, with source and date; an operator may override it."""

    name: str
    owner: str = ""
    created: int = 0
    input_limit: int | None = None
    output_limit: int | None = None
    modalities: tuple[str, ...] = ("text",)
    #: The family of the operations that call it.
    family: str = "chat"
