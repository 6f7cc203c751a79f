"""Prices: which row a call is priced by, what it costs, and the most that it can cost.

All arithmetic is on whole numbers: a row's rates and the group's multiplier are brought to one denominator when the
quote is made, and a call's cost is rounded up once. The most specific row that applies wins: by name (a model's own
name, a pattern, an operation, `*`), then the number of conditions, then the latest start.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from math import lcm
from typing import Any

from unigate.base.errors import Forbidden
from unigate.base.money import MAX_AMOUNT, MILLION
from unigate.billing.conditions import HOUR, Condition, Value, applies, may_apply
from unigate.spec.caller import Group
from unigate.spec.price import Price
from unigate.spec.usage import FALLBACK, INPUT_UNITS, MAX_COUNT, OUTPUT_UNITS, Usage

_HOUR_MS = 3_600_000
_NEVER = 1 << 62
#: Quotes that are remembered; a pattern prices any number of names.
_REMEMBERED = 10_000
_NO_UNITS: Mapping[str, int] = {}


class Row:
    """A price row with a group's multiplier, brought to one denominator."""

    __slots__ = ("_by_value", "_flat", "_most", "call", "conditions", "denominator", "id")

    def __init__(
        self,
        id: str,
        conditions: tuple[Condition, ...],
        denominator: int,
        flat: dict[str, int],
        by_value: dict[str, dict[str, int]],
    ) -> None:
        """Factors by unit, and by unit and the value of a condition; times the denominator."""
        self.id = id
        self.conditions = conditions
        self.denominator = denominator
        self._flat = flat
        self._by_value = by_value
        #: What the call as such costs, None where that depends on conditions.
        self.call: int | None = None if "call" in by_value else flat.get("call", 0)
        #: The dearest unit of input and of output, None where that depends on conditions.
        self._most = None if by_value else self._dearest({})

    @classmethod
    def of(cls, price: Price, conditions: tuple[Condition, ...], multiplier: int) -> "Row":
        """A price row with a multiplier."""
        per = lcm(*(rate.per for rate in price.rates.values())) if price.rates else 1
        flat: dict[str, int] = {}
        by_value: dict[str, dict[str, int]] = {}
        for name, rate in price.rates.items():
            unit, _, value = name.partition(":")
            factor = rate.amount * (per // rate.per) * multiplier
            if value:
                by_value.setdefault(unit, {})[value] = factor
            else:
                flat[unit] = factor
        for unit in FALLBACK:
            source: str | None = unit
            while source is not None and source not in flat and source not in by_value:
                source = FALLBACK.get(source)
            if source is not None and source in by_value:
                by_value.setdefault(unit, by_value[source])
            if source is not None and source in flat:
                flat.setdefault(unit, flat[source])
        return cls(price.id, conditions, per * MILLION, flat, by_value)

    @classmethod
    def thawed(cls, told: Mapping[str, Any]) -> "Row":
        """The row that `frozen` was told of."""
        conditions = tuple(Condition(name, text) for name, text in told["when"])
        return cls(told["id"], conditions, told["denominator"], told["flat"], told["by_value"])

    def discounted(self, millionths: int) -> "Row":
        """The same with a part taken off. Nothing is rounded: factors and denominator grow together."""
        left = MILLION - millionths
        flat = {unit: factor * left for unit, factor in self._flat.items()}
        by_value = {
            unit: {value: factor * left for value, factor in values.items()} for unit, values in self._by_value.items()
        }
        return Row(self.id, self.conditions, self.denominator * MILLION, flat, by_value)

    def frozen(self) -> dict[str, Any]:
        """Everything that it prices by, as plain structures, so that a call that lasts for long keeps its price."""
        return {
            "id": self.id,
            "when": [[condition.name, condition.text] for condition in self.conditions],
            "denominator": self.denominator,
            "flat": self._flat,
            "by_value": self._by_value,
        }

    @property
    def of_batches(self) -> bool:
        """Whether it is for the service tier `batch`, by that name."""
        return any(condition.name == "service_tier" and condition.fits("batch") for condition in self.conditions)

    @property
    def charged(self) -> frozenset[str]:
        """The units that it has a price for."""
        return frozenset(self._by_value).union(unit for unit, factor in self._flat.items() if factor)

    def factor(self, unit: str, given: Mapping[str, Value], *, highest: bool = False) -> int:
        """The price of one of a unit, times the denominator; 0 for what the row does not charge.

        `highest`: where the value that decides is not known, the dearest.
        """
        values = self._by_value.get(unit)
        if values is None:
            return self._flat.get(unit, 0)
        for name in sorted(given):
            found = values.get(str(given[name]))
            if found is not None:
                return found
        fallback = values.get("default", self._flat.get(unit))
        if fallback is not None:
            return fallback
        return max(values.values()) if highest else 0

    def total(self, usage: Usage, given: Mapping[str, Value]) -> int:
        """What a usage costs, times the denominator."""
        units = usage.units
        calls = _count(units["call"]) if "call" in units else 1
        total = calls * (self.call if self.call is not None else self.factor("call", given, highest=True))
        flat, by_value = self._flat, self._by_value
        for unit, count in units.items():
            if unit != "call":
                price = flat.get(unit, 0) if unit not in by_value else self.factor(unit, given, highest=True)
                total += price * _count(count)
        return total

    def most(
        self,
        input_tokens: int,
        given: Mapping[str, Value],
        units: Mapping[str, int] = _NO_UNITS,
        among: frozenset[str] | None = None,
    ) -> tuple[int, int]:
        """The most that the input, other units and the call as such can cost, and one unit of output; times the denominator.

        `among`: the only units that input and output can be, None where they can be any.
        """
        inputs, outputs = self._dearest(given, among) if among is not None else self._most or self._dearest(given)
        fixed = inputs * input_tokens + self.factor("call", given, highest=True)
        for unit, count in units.items():
            fixed += self.factor(unit, given, highest=True) * count
        return fixed, outputs

    def _dearest(self, given: Mapping[str, Value], among: frozenset[str] | None = None) -> tuple[int, int]:
        inputs, outputs = (
            max((self.factor(unit, given, highest=True) for unit in units if among is None or unit in among), default=0)
            for units in (INPUT_UNITS, OUTPUT_UNITS)
        )
        return inputs, outputs


class Quote:
    """The rows by which a call may be priced, frozen at its moment, best first. Amounts are nano-USD."""

    __slots__ = ("charged", "multiplier", "pictures", "price_ids", "rows")

    def __init__(self, rows: tuple[Row, ...], multiplier: int) -> None:
        self.rows = rows
        self.multiplier = multiplier
        self.price_ids = tuple(row.id for row in rows)
        #: Units that any of the rows has a price for.
        self.charged = frozenset().union(*(row.charged for row in rows))
        #: Pictures have a price of their own.
        self.pictures = "images" in self.charged

    @classmethod
    def thawed(cls, told: Mapping[str, Any]) -> "Quote":
        """The quote that `frozen` was told of."""
        return cls(tuple(Row.thawed(row) for row in told["rows"]), told["multiplier"])

    def discounted(self, millionths: int) -> "Quote":
        """The quote with a part taken off each row, so that a cost is still rounded up once, after it.

        A row for the service tier `batch` says what a line of a batch costs, and stays as it is.
        """
        rows = (row if row.of_batches else row.discounted(millionths) for row in self.rows)
        return Quote(tuple(rows), self.multiplier)

    def frozen(self) -> dict[str, Any]:
        """The quote as plain structures."""
        return {"rows": [row.frozen() for row in self.rows], "multiplier": self.multiplier}

    def cost(self, usage: Usage, conditions: Mapping[str, Value]) -> tuple[int, str]:
        """What a usage costs, rounded up once, and the row that says so; 0 and "" where calls without price are free.

        Where no row applies to the answer, the dearest counts.
        """
        rows = self.rows
        if len(rows) == 1 and not rows[0].conditions:
            row = rows[0]
            return min(-(-row.total(usage, conditions) // row.denominator), MAX_AMOUNT), row.id
        costs = []
        tokens = usage.input_tokens, usage.output_tokens
        for row in rows:
            cost = min(-(-row.total(usage, conditions) // row.denominator), MAX_AMOUNT)
            if applies(row.conditions, conditions, *tokens):
                return cost, row.id
            costs.append((cost, row.id))
        return max(costs, default=(0, ""))

    def bound(
        self,
        input_tokens: int,
        output_tokens: int,
        conditions: Mapping[str, Value],
        units: Mapping[str, int] = _NO_UNITS,
        among: frozenset[str] | None = None,
    ) -> int:
        """The most that a call with at most so many tokens, and other `units`, can cost, over all rows that may apply.

        `among`: the only units that the tokens can be, None where they can be any.
        """
        most = 0
        for row in self._possible(input_tokens, output_tokens, conditions):
            fixed, per_output = row.most(input_tokens, conditions, units, among)
            most = max(most, -(-(fixed + per_output * output_tokens) // row.denominator))
        return min(most, MAX_AMOUNT)

    def output_affordable(
        self,
        amount: int,
        input_tokens: int,
        conditions: Mapping[str, Value],
        units: Mapping[str, int] = _NO_UNITS,
        among: frozenset[str] | None = None,
    ) -> int:
        """How many output tokens an amount pays beside the input and `units`, whatever row applies; 0 where not even one.

        `among`: as for `bound`.
        """
        least = MAX_COUNT
        for row in self._possible(input_tokens, MAX_COUNT, conditions):
            fixed, per_output = row.most(input_tokens, conditions, units, among)
            left = amount * row.denominator - fixed
            if left < 0:
                return 0
            if per_output:
                least = min(least, left // per_output)
        return least

    def _possible(self, input_tokens: int, output_tokens: int, given: Mapping[str, Value]) -> Sequence[Row]:
        rows = self.rows
        if len(rows) == 1:
            return rows
        return [row for row in rows if may_apply(row.conditions, given, input_tokens, output_tokens)] or rows


class Prices:
    """All price rows, found by operation, model and group."""

    def __init__(
        self,
        rows: Sequence[Price],
        *,
        allow_unpriced: bool = False,
        offset_minutes: int = 0,
        missing: Callable[[str, str], None] = lambda _operation, _model: None,
    ) -> None:
        """`missing` is told of operation and model where a quote was refused since no row prices them."""
        self._missing = missing
        self._allow_unpriced = allow_unpriced
        self._offset_ms = offset_minutes * 60_000
        self._models: dict[str, list[Price]] = {}
        self._patterns: list[Price] = []
        self._operations: dict[str, list[Price]] = {}
        for row in rows:
            if row.model is None:
                if row.operation is not None:
                    self._operations.setdefault(row.operation, []).append(row)
            elif row.model.endswith("*"):
                self._patterns.append(row)
            else:
                self._models.setdefault(row.model, []).append(row)
        self._known: dict[tuple[str, str, str, int, int], tuple[int, int, Quote]] = {}

    def quote(self, operation: str, model: str, group: Group, at_ms: int, discount: int = 0) -> Quote:
        """The quote for a call made at `at_ms`, less `discount` millionths; Forbidden (`price_missing`) where no row prices it."""
        key = (operation, model, group.id, group.multiplier, discount)
        known = self._known.get(key)
        if known is not None and known[0] <= at_ms < known[1]:
            return known[2]
        try:
            first, last, quote = self._make(operation, model, group.multiplier, at_ms)
        except Forbidden:
            self._missing(operation, model)
            raise
        if discount:
            quote = quote.discounted(discount)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = (first, last, quote)
        return quote

    def priced(self, operation: str, at_ms: int) -> bool:
        """Whether a row names this operation, of those that cost nothing unless the operator sets a price."""
        return any(row.starts_at <= at_ms for row in self._operations.get(operation, ()))

    def serves(self, operation: str, model: str, at_ms: int) -> bool:
        """Whether a call made at `at_ms` would be served."""
        try:
            self._make(operation, model, MILLION, at_ms)
        except Forbidden:
            return False
        return True

    def rows(self, model: str, at_ms: int) -> list[Price]:
        """The rows that price a model at `at_ms`, most specific first, down to the first without conditions."""
        shown: list[Price] = []
        for row in _latest([row for row in self._named(model) if row.starts_at <= at_ms]):
            shown.append(row)
            if not row.when:
                break
        return shown

    def _named(self, model: str) -> list[Price]:
        return [
            *self._models.get(model, ()),
            *(row for row in self._patterns if model.startswith((row.model or "")[:-1])),
        ]

    def _make(self, operation: str, model: str, multiplier: int, at_ms: int) -> tuple[int, int, Quote]:
        """A quote, and from when until when it holds."""
        rows = [*self._named(model), *self._operations.get(operation, ())]
        rows = [row for row in rows if row.operation is None or row.operation == operation]
        starts = sorted({row.starts_at for row in rows})
        place = bisect_right(starts, at_ms)
        first = starts[place - 1] if place else 0
        last = starts[place] if place < len(starts) else _NEVER
        if any(HOUR in row.when for row in rows):
            hour_start = at_ms - (at_ms + self._offset_ms) % _HOUR_MS
            first, last = max(first, hour_start), min(last, hour_start + _HOUR_MS)
        hour = (at_ms + self._offset_ms) // _HOUR_MS % 24
        made: list[Row] = []
        for price in _latest([row for row in rows if row.starts_at <= at_ms]):
            conditions = tuple(Condition(name, text) for name, text in sorted(price.when.items()))
            if any(c.name == HOUR and not c.fits(hour) for c in conditions):
                continue
            left = tuple(c for c in conditions if c.name != HOUR)
            made.append(Row.of(price, left, multiplier))
            if not left:
                break  # nothing behind it can ever apply
        if not made and not self._allow_unpriced:
            missing = f"No price is set for {model or operation}, so it cannot be called."
            raise Forbidden(missing, code="price_missing", param="model" if model else None)
        return first, last, Quote(tuple(made), multiplier)


def _latest(rows: Sequence[Price]) -> list[Price]:
    """The most specific first; of rows that differ in nothing but their start only the latest."""
    seen = set()
    kept = []
    for row in sorted(rows, key=_specificity, reverse=True):
        same = (row.model, row.operation, tuple(sorted(row.when.items())))
        if same not in seen:
            seen.add(same)
            kept.append(row)
    return kept


def _specificity(row: Price) -> tuple[int, int, bool, int, int, str]:
    name = row.model
    if name is None:
        place = (1, 0)
    elif not name.endswith("*"):
        place = (3, len(name))
    else:
        place = (2, len(name)) if len(name) > 1 else (0, 0)
    return *place, row.operation is not None, len(row.when), row.starts_at, row.id


def _count(value: object) -> int:
    """A count as it may be charged: what a provider could not have meant is no count."""
    return value if type(value) is int and 0 <= value <= MAX_COUNT else 0
