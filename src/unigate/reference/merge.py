"""Putting another OpenAPI document into ours, so that one page tells everything that a gateway serves."""

from collections.abc import Mapping
from typing import Any


def add(document: dict[str, Any], other: Mapping[str, Any], *, headers: Mapping[str, Any]) -> None:
    """Add another document's paths, components and tags; what has a name that is taken gets `Api` before it.

    `headers` are on all its replies, which it need not say itself.
    """
    taken: dict[str, dict[str, Any]] = document["components"]
    others: Mapping[str, Mapping[str, Any]] = other.get("components", {})
    renamed = {
        f"#/components/{kind}/{name}": f"#/components/{kind}/Api{name}"
        for kind, things in others.items()
        for name in things
        if name in taken.get(kind, {})
    }
    for kind, things in others.items():
        for name, thing in things.items():
            place = renamed.get(f"#/components/{kind}/{name}")
            taken.setdefault(kind, {})[place.rpartition("/")[2] if place else name] = _renamed(thing, renamed)
    for path, item in other.get("paths", {}).items():
        told = _renamed(item, renamed)
        if "security" in other:  # said there for all paths, here for each
            told = {key: {"security": other["security"], **row} for key, row in told.items()}
        for operation in told.values():
            for response in operation["responses"].values():
                response["headers"] = {**headers, **response.get("headers", {})}
        document["paths"][path] = told
    document["tags"] += other.get("tags", ())


def _renamed(value: Any, renamed: Mapping[str, str]) -> Any:
    """A copy whose references lead to the new names."""
    if isinstance(value, Mapping):
        return {
            key: renamed.get(one, one) if key == "$ref" and isinstance(one, str) else _renamed(one, renamed)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_renamed(one, renamed) for one in value]
    return value
