"""Files that stand in their address (`data:` URLs): the short name that stands for one where its bytes are not wanted.

The bytes stand in one place only, the file's own row, until they are kept; whatever shows a task names them by this.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

_BEGIN, _DIGITS = "data:,sha256-", 32


def is_data(url: str) -> bool:
    """Whether an address holds the file itself."""
    return url[:5].lower() == "data:"


def short(url: str) -> str:
    """The name of a file that stands in its address, the same each time; any other address as it is."""
    if not is_data(url) or (url.startswith(_BEGIN) and len(url) == len(_BEGIN) + _DIGITS):
        return url
    return _BEGIN + sha256(url.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def without_data(value: Mapping[str, Any], urls: Iterable[str]) -> Mapping[str, Any]:
    """JSON data in which each text that is one of these addresses, and holds a file, is its short name."""
    names = {url: short(url) for url in urls if is_data(url)}
    return {name: _replaced(one, names) for name, one in value.items()} if names else value


def _replaced(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        return {name: _replaced(one, names) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(one, names) for one in value]
    return value
