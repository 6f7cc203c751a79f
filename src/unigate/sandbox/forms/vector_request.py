"""Reads and checks what calls say of vector stores: how files are cut, attributes, filters, expiry, searches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unigate.sandbox.forms import checks, platform
from unigate.sandbox.serving.answer import Object

#: Tells whether attributes fit.
Filter = Callable[[Object], bool]

_SIZE, _OVERLAP = 800, 400
_LEAST_SIZE, _MOST_SIZE = 100, 4096
_MOST_DAYS = 365
_MOST_RESULTS = 50
_MOST_PAIRS = 16
_LONGEST_KEY, _LONGEST_VALUE = 64, 512
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "gt": lambda a, b: bool(a > b),
    "gte": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "lte": lambda a, b: bool(a <= b),
    "in": lambda a, b: a in b,
    "nin": lambda a, b: a not in b,
}
_RANKERS = ("none", "auto", "default-2024-11-15")
_DEEPEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a search looks for."""

    queries: tuple[str, ...]
    fits: Filter
    most: int
    #: The least score.
    least: float


def chunking(value: object, param: str = "chunking_strategy") -> Object:
    """How a file is cut, as it is shown."""
    size, overlap = _SIZE, _OVERLAP
    if value is not None:
        given = checks.mapping(value, param)
        if checks.one_of(given.get("type"), f"{param}.type", ("auto", "static")) == "static":
            at = f"{param}.static"
            static = checks.mapping(given.get("static"), at)
            size = _needed(static, "max_chunk_size_tokens", _LEAST_SIZE, _MOST_SIZE, at)
            overlap = _needed(static, "chunk_overlap_tokens", 0, None, at)
            if overlap > size // 2:
                told = f"Invalid '{at}.chunk_overlap_tokens': it must not exceed half of 'max_chunk_size_tokens'."
                raise checks.refuse(told, f"{at}.chunk_overlap_tokens", "invalid_value")
    return {"type": "static", "static": {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}}


def _needed(body: Object, name: str, low: int, high: int | None, at: str) -> int:
    value = checks.integer(body, name, low, high, f"{at}.{name}")
    if value is None:
        raise checks.missing(f"{at}.{name}")
    return value


def attributes(value: object, param: str = "attributes") -> Object:
    """Up to 16 pairs of texts, numbers and truths."""
    if value is None:
        return {}
    pairs = checks.mapping(value, param)
    if len(pairs) > _MOST_PAIRS:
        told = f"Invalid '{param}': too many properties. Expected an object with at most {_MOST_PAIRS} properties, but got an object with {len(pairs)} properties instead."
        raise checks.refuse(told, param, "object_above_max_properties")
    for name, one in pairs.items():
        platform.longest(name, param, _LONGEST_KEY)
        if isinstance(one, str):
            platform.longest(one, f"{param}.{name}", _LONGEST_VALUE)
        elif not isinstance(one, bool | int | float):
            raise checks.wrong_type(f"{param}.{name}", "one of a string, number or boolean", one)
    return pairs


def days(value: object) -> int:
    """Days of `expires_after`, 0: never."""
    if value is None:
        return 0
    given = checks.mapping(value, "expires_after")
    checks.one_of(given.get("anchor"), "expires_after.anchor", ("last_active_at",))
    return _needed(given, "days", 1, _MOST_DAYS, "expires_after")


def wanted(body: Object, queries: Sequence[str], at: str = "") -> Wanted:
    """What a search looks for, whose options stand in the body of a search or in a tool."""
    dot = f"{at}." if at else ""
    options = checks.mapping(checks.given(body, "ranking_options", {}), f"{dot}ranking_options")
    if options.get("ranker") is not None:
        checks.one_of(options["ranker"], f"{dot}ranking_options.ranker", _RANKERS)
    given = body.get("filters")
    return Wanted(
        queries=tuple(queries),
        fits=(lambda _attributes: True) if given is None else filtered(given, f"{dot}filters"),
        most=checks.integer(body, "max_num_results", 1, _MOST_RESULTS, f"{dot}max_num_results") or 10,
        least=checks.number(options, "score_threshold", 0, 1) or 0.0,
    )


def queries(value: object) -> list[str]:
    """The query or queries of a search."""
    if value is None:
        raise checks.missing("query")
    listed = [value] if isinstance(value, str) else checks.listed(value, "query", "strings", least=1)
    return [checks.text({"query": one}, "query", "query", required=True) for one in listed]


def filtered(value: object, param: str, depth: int = 0) -> Filter:
    """Reads a filter of attributes."""
    if depth > _DEEPEST:
        raise checks.refuse(f"Invalid '{param}': filters are nested too deeply.", param, "invalid_value")
    given = checks.mapping(value, param)
    kind = checks.one_of(given.get("type"), f"{param}.type", (*_COMPARED, "and", "or"))
    if kind in ("and", "or"):
        listed = checks.listed(given.get("filters"), f"{param}.filters", least=1)
        parts = [filtered(one, f"{param}.filters[{place}]", depth + 1) for place, one in enumerate(listed)]
        combine = all if kind == "and" else any
        return lambda found: combine(part(found) for part in parts)
    key = checks.text(given, "key", f"{param}.key", required=True)
    wanted = given.get("value")
    if kind in ("in", "nin"):
        checks.listed(wanted, f"{param}.value", "strings or numbers")
    elif not isinstance(wanted, str | bool | int | float):
        raise checks.wrong_type(f"{param}.value", "one of a string, number or boolean", wanted)
    compare = _COMPARED[kind]

    def fits(found: Object) -> bool:
        if key not in found:
            return kind in ("ne", "nin")
        try:
            return compare(found[key], wanted)
        except TypeError:
            return False

    return fits
