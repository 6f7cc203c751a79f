"""Where callers put their key: wherever the SDK of the vendor that they used before puts it."""

from typing import Protocol
from urllib.parse import parse_qs

from unigate.spec.shown_key import HEADERS, QUERIES

__all__ = ["HEADERS", "QUERIES", "presented_key"]

#: What some clients of Midjourney send as `authorization` beside the key in `mj-api-secret`.
_NO_KEY = b"midjourney-proxy"
_SCHEMES = (b"bearer", b"key", b"token")


class _Head(Protocol):
    query: bytes

    def header(self, name: bytes) -> bytes | None: ...


def presented_key(x: _Head) -> bytes | None:
    """The key that a request shows, without its scheme; None where it shows none."""
    value = x.header(b"authorization")
    if value and value != _NO_KEY:
        if value.startswith(b"Bearer "):
            return value[7:].strip() or None
        scheme, _, rest = value.partition(b" ")
        if rest and scheme.lower() in _SCHEMES:
            return rest.strip() or None
        if not rest:
            return None if scheme.lower() in _SCHEMES else scheme
        return None
    for name in HEADERS:
        if value := x.header(name):
            return value.strip()
    if x.query:
        asked = parse_qs(x.query.decode("ascii", "replace"))
        for field in QUERIES:
            if field in asked:
                return asked[field][0].encode()
    return None
