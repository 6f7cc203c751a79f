"""Where a request may carry its caller's key: what stands there goes to no dialect and to no provider."""

from urllib.parse import quote, unquote_plus

#: Headers that carry the bare key, in the order in which they are asked; `authorization` comes before them.
HEADERS = (b"api-key", b"x-api-key", b"x-goog-api-key", b"x-key", b"mj-api-secret", b"access-token", b"token")
#: Query parameters that carry it, asked last.
QUERIES = ("key", "token")
#: Headers that show who calls, as text.
SECRET_HEADERS = frozenset({"authorization", "cookie", *(name.decode() for name in HEADERS)})
#: What a query is made of beside letters and digits; anything else is escaped.
_SAFE = "!$&'()*+,;=:@/?%~-._"


def query_without_key(query: bytes) -> str:
    """A query as it was called, without its caller's key."""
    parts = quote(query, safe=_SAFE).split("&")
    return "&".join(part for part in parts if part and unquote_plus(part.partition("=")[0]) not in QUERIES)
