"""Texts at named places of a JSON value: found, and put into place of.

A place is a path of keys with dots between them, where `*` stands for each element of a list, or each value of an object:
`files.*.file_id`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Found = tuple[str, str]


def texts(value: object, places: Iterable[str]) -> Iterator[Found]:
    """The texts at these places, each with where it stands (`files.0.file_id`); what is no text is passed over."""
    for place in places:
        yield from _texts(value, place.split("."), "")


def replaced(value: Any, places: Iterable[str], change: Callable[[str], str]) -> Any:
    """The value with other texts at these places; the value itself stays as it is."""
    for place in places:
        value = _replaced(value, place.split("."), change)
    return value


def _texts(value: object, path: list[str], at: str) -> Iterator[Found]:
    if not path:
        if isinstance(value, str):
            yield at, value
        return
    key, rest = path[0], path[1:]
    before = f"{at}." if at else ""
    if key == "*" and isinstance(value, list | dict):
        for name, one in enumerate(value) if isinstance(value, list) else value.items():
            yield from _texts(one, rest, f"{before}{name}")
    elif key != "*" and isinstance(value, dict) and key in value:
        yield from _texts(value[key], rest, before + key)


def _replaced(value: Any, path: list[str], change: Callable[[str], str]) -> Any:
    if not path:
        return change(value) if isinstance(value, str) else value
    key, rest = path[0], path[1:]
    if key == "*" and isinstance(value, list):
        return [_replaced(one, rest, change) for one in value]
    if key == "*" and isinstance(value, dict):
        return {name: _replaced(one, rest, change) for name, one in value.items()}
    if key != "*" and isinstance(value, dict) and key in value:
        return {**value, key: _replaced(value[key], rest, change)}
    return value
