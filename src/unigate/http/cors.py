"""Cross-origin rules of relay operations: any origin, since browser clients use keys and not cookies."""

from collections.abc import Iterable

Headers = tuple[tuple[bytes, bytes], ...]

#: On every answer of a relay operation to a request that names an origin.
ANSWER: Headers = (
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"x-request-id, x-unigate-cost, x-unigate-overhead-ms, x-unigate-ignored, x-unigate-limited, retry-after,"
        b" x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests,"
        b" x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens",
    ),
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
