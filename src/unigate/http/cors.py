"""Cross-origin rules of relay operations: any origin, since browser clients use keys and not cookies."""

from collections.abc import Iterable

Headers = tuple[tuple[bytes, bytes], ...]

_RATES = tuple(
    b"x-ratelimit-%b-%b" % (a, b) for b in (b"requests", b"tokens") for a in (b"limit", b"remaining", b"reset")
)
#: Reply headers that scripts of other origins may read.
EXPOSED = (
    b"x-request-id",
    b"x-unigate-cost",
    b"x-unigate-overhead-ms",
    b"x-unigate-ignored",
    b"x-unigate-limited",
    b"deprecation",
    b"retry-after",
    *_RATES,
)
#: On every answer of a relay operation to a request that names an origin.
ANSWER: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b", ".join(EXPOSED)),
)


def preflight(methods: Iterable[bytes], asked_headers: bytes | None) -> Headers:
    """Headers of the answer to a preflight for a path that serves `methods`."""
    return (
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b", ".join(sorted(methods))),
        (b"access-control-allow-headers", asked_headers or b"authorization, content-type"),
        (b"access-control-max-age", b"86400"),
        (b"vary", b"access-control-request-headers"),
    )
