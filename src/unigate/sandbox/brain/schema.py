"""Makes valid instances of a JSON schema, pleasant where the names of properties allow it.

Understood: type (one or several), enum, const, properties, required, additionalProperties, minProperties, items,
prefixItems, minItems, maxItems, uniqueItems, minLength, maxLength, pattern, format, minimum, maximum, the exclusive
ones, multipleOf, anyOf, oneOf, allOf, $ref into the same document (recursive ones end as soon as they may).
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import Hints
from unigate.sandbox.brain.patterns import matching
from unigate.sandbox.brain.seeds import Dice

#: From this depth on only what is required is written, and the shortest branch is taken.
_DEEP = 5
#: Nothing is nested deeper: a schema that never ends gets null here.
_DEEPEST = 40
#: How often an item that differs from the others is looked for.
_TRIES = 200
#: Nothing longer is made.
_LARGEST = 10_000
_MERGED = ("properties", "$defs", "definitions")


class BadSchema(ValueError):
    """The schema makes no sense."""


def instance(schema: Mapping[str, Any], source: Dice, hints: Hints) -> Any:
    """A valid instance of a schema; BadSchema where it is none."""
    try:
        return Maker(schema, source, hints).make()
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # A schema is data of the caller: whatever stands at a wrong place in it ends here.
        raise BadSchema(str(error)) from None


class Maker:
    """Makes instances of the schemas of one document."""

    def __init__(self, root: Mapping[str, Any], source: Dice, hints: Hints) -> None:
        self._root = root
        self._dice = source
        self._hints = hints

    def make(self, schema: Any = None, name: str = "", depth: int = 0) -> Any:
        """An instance of a schema (by default of the whole document) for a property of that name."""
        if schema is None:
            schema = self._root
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return None
        schema = self._resolved(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._hints.fitting(schema["enum"]) or self._dice.choice(list(schema["enum"]))
        kind = self._kind(schema, depth)
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer" | "number":
                return self._number(schema, name, kind)
            case "boolean":
                return self._dice.choice((True, True, False))
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _resolved(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """The schema with references, allOf and one branch of anyOf or oneOf merged into it."""
        for _ in range(32):
            if "$ref" in schema:
                schema = _merge({k: v for k, v in schema.items() if k != "$ref"}, self._target(schema["$ref"]))
            elif schema.get("allOf"):
                rest: Mapping[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
                for part in schema["allOf"]:
                    rest = _merge(rest, self._resolved(part, depth) if isinstance(part, Mapping) else {})
                schema = rest
            elif branches := schema.get("anyOf") or schema.get("oneOf"):
                rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf")}
                schema = _merge(rest, self._branch(branches, depth))
            else:
                break
        return schema

    def _branch(self, branches: Sequence[Any], depth: int) -> Mapping[str, Any]:
        """One branch: when deep the simplest, else any that says more than null."""
        usable = [branch for branch in branches if isinstance(branch, Mapping)]
        if not usable:
            return {}
        if depth >= _DEEP:
            return min(usable, key=lambda branch: self._weight(branch, frozenset()))
        telling = [branch for branch in usable if branch.get("type") != "null"]
        return self._dice.choice(telling or usable)

    def _weight(self, schema: Any, seen: frozenset[str]) -> float:
        """How much must be written for a schema; infinite where it comes back to itself."""
        if not isinstance(schema, Mapping):
            return 0
        if "$ref" in schema:
            if schema["$ref"] in seen:
                return math.inf
            return self._weight(self._target(schema["$ref"]), seen | {schema["$ref"]})
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return min(self._weight(branch, seen) for branch in branches)
        parts = [schema.get("properties", {}).get(name) for name in schema.get("required", ())]
        if schema.get("minItems"):
            parts.append(schema.get("items"))
        parts += schema.get("allOf", ())
        return (schema.get("type") != "null") + sum(self._weight(part, seen) for part in parts)

    def _target(self, reference: Any) -> Mapping[str, Any]:
        """What a reference such as `#/$defs/Node` points to; an empty schema where there is nothing."""
        found: Any = self._root
        for step in str(reference).lstrip("#").replace("~1", "\0").replace("~0", "~").split("/")[1:]:
            found = found.get(step.replace("\0", "/")) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def _kind(self, schema: Mapping[str, Any], depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            telling = [k for k in kind if k != "null"]
            return "null" if "null" in kind and (depth >= _DEEP or not telling) else str(self._dice.choice(telling))
        if isinstance(kind, str):
            return kind
        if "properties" in schema or "additionalProperties" in schema:
            return "object"
        if "items" in schema or "prefixItems" in schema:
            return "array"
        return "number" if {"minimum", "maximum", "multipleOf"} & schema.keys() else "string"

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = [name for name in schema.get("required", ()) if isinstance(name, str)]
        made: dict[str, Any] = {}
        for name, part in properties.items():
            if name in required or (depth < _DEEP - 2 and self._weight(part, frozenset()) < math.inf):
                made[name] = self.make(part, name, depth + 1)
        more = schema.get("additionalProperties")
        for name in required:
            if name not in made:
                made[name] = self.make(more if isinstance(more, Mapping) else {}, name, depth + 1)
        least = _size(schema, "minProperties")
        if not properties and isinstance(more, Mapping) and depth < _DEEP:
            least = max(least, 1)
        while len(made) < least and more is not False:
            made[f"key{len(made) + 1}"] = self.make(more if isinstance(more, Mapping) else {}, "", depth + 1)
        return made

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        prefix = list(schema.get("prefixItems") or ())
        least, most = _size(schema, "minItems"), schema.get("maxItems")
        wanted = least if depth >= _DEEP else max(least, len(prefix), self._dice.randint(1, 3))
        if most is not None:
            wanted = min(wanted, int(most))
        singular = name.removesuffix("s")
        made: list[Any] = [self.make(part, singular, depth + 1) for part in prefix[:wanted]]
        items = schema.get("items", {})
        tries = 0
        while len(made) < wanted and items is not False and tries < _TRIES:
            item = self.make(items, singular, depth + 1)
            if schema.get("uniqueItems") and item in made:
                item = self._different(item, items, made)
            if schema.get("uniqueItems") and item in made:
                tries += 1
            else:
                made.append(item)
        return made

    def _different(self, item: Any, schema: Any, made: list[Any]) -> Any:
        """A changed value where items must be unique and chance gave the same again."""
        if not isinstance(item, str) or not isinstance(schema, Mapping):
            return item
        longer = f"{item} {len(made) + 1}"
        bound = {"enum", "const", "pattern", "format"} & schema.keys() or len(longer) > schema.get(
            "maxLength", math.inf
        )
        return item if bound else longer

    def _number(self, schema: Mapping[str, Any], name: str, kind: str) -> int | float:
        step = Fraction(str(schema.get("multipleOf") or (1 if kind == "integer" else "0.5")))
        low, high = _bound(schema, "minimum", "exclusiveMinimum"), _bound(schema, "maximum", "exclusiveMaximum")
        hint = self._hints.number(name)
        usual = (Fraction(1), Fraction(100))
        first = low[0] if low else min(usual[0], high[0] - 50 * step) if high else usual[0]
        last = high[0] if high else max(usual[1], first + 50 * step)
        if "multipleOf" not in schema and kind == "number" and last - first < 4 * step:
            step = (last - first) / 4 or step
        lowest, highest = math.ceil(first / step), math.floor(last / step)
        if low and low[1] and lowest * step == low[0]:
            lowest += 1
        if high and high[1] and highest * step == high[0]:
            highest -= 1
        if hint is not None and Fraction(hint) % step == 0 and lowest * step <= hint <= highest * step:
            value = Fraction(hint)
        else:
            value = self._dice.randint(lowest, max(lowest, highest)) * step
        return int(value) if value.denominator == 1 else float(value)

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        least, most = _size(schema, "minLength"), schema.get("maxLength")
        if isinstance(schema.get("pattern"), str):
            made = matching(schema["pattern"], self._dice)
            if made is not None:
                return made
        kind = schema.get("format")
        if kind in FORMATS:
            sign = {"email": "@", "uri": "://"}.get(kind)
            return (sign and self._hints.address(sign)) or FORMATS[kind](self._dice)
        made = self._hints.text(name)
        while len(made) < least:
            made += " " + self._hints.text(name)
        return made if most is None else made[: int(most)]


def _size(schema: Mapping[str, Any], name: str) -> int:
    """A least size; ValueError beyond what we make."""
    size = int(schema.get(name, 0))
    if size > _LARGEST:
        raise ValueError(f"{name} is too large")
    return size


def _merge(left: Mapping[str, Any], right: Mapping[str, Any]) -> Mapping[str, Any]:
    """Both schemas at once; of two that disagree the left wins."""
    merged = {**right, **left}
    for key in _MERGED:
        if key in left and key in right:
            merged[key] = {**right[key], **left[key]}
    if "required" in left and "required" in right:
        merged["required"] = list(dict.fromkeys([*right["required"], *left["required"]]))
    return merged


def _bound(schema: Mapping[str, Any], plain: str, exclusive: str) -> tuple[Fraction, bool] | None:
    """A bound and whether it is itself excluded (also in the older form, where the exclusive one is a boolean)."""
    edge, outer = schema.get(plain), schema.get(exclusive)
    bounds = []
    if isinstance(edge, int | float):
        bounds.append((Fraction(str(edge)), outer is True))
    if isinstance(outer, int | float) and not isinstance(outer, bool):
        bounds.append((Fraction(str(outer)), True))
    if not bounds:
        return None
    return max(bounds) if plain == "minimum" else min(bounds, key=lambda bound: (bound[0], not bound[1]))


FORMATS = {
    "date-time": lambda d: f"2026-{d.randint(1, 12):02d}-{d.randint(1, 28):02d}T{d.randint(0, 23):02d}:30:00Z",
    "date": lambda d: f"2026-{d.randint(1, 12):02d}-{d.randint(1, 28):02d}",
    "time": lambda d: f"{d.randint(0, 23):02d}:{d.randint(0, 59):02d}:00Z",
    "duration": lambda d: f"PT{d.randint(1, 59)}M",
    "email": lambda d: f"{d.choice(('ada', 'lin', 'sam', 'mei'))}{d.randint(1, 99)}@example.com",
    "hostname": lambda d: f"host{d.randint(1, 99)}.example.com",
    "ipv4": lambda d: f"192.0.2.{d.randint(1, 254)}",
    "ipv6": lambda d: f"2001:db8::{d.randint(1, 9999)}",
    "uri": lambda d: f"https://example.com/{d.randint(1, 999)}",
    "uuid": seeds.uuid,
}
