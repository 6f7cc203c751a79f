"""Reply: a whole answer that we give ourselves."""

from dataclasses import dataclass

from unigate.spec.exchange import Header


@dataclass(frozen=True, slots=True)
class Reply:
    """Body, status and headers; the request id and the like are added by whoever sends it."""

    body: bytes
    status: int = 200
    headers: tuple[Header, ...] = ((b"content-type", b"application/json"),)
