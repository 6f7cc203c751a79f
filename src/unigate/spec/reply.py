"""Reply: an answer that we give ourselves, whole or in pieces."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from unigate.spec.exchange import Header


@dataclass(frozen=True, slots=True)
class Reply:
    """Body, status and headers; the request id and the like are added by whoever sends it."""

    body: bytes
    status: int = 200
    headers: tuple[Header, ...] = ((b"content-type", b"application/json"),)


@dataclass(frozen=True, slots=True)
class Pieces:
    """An answer that is made piece by piece for as long as its caller stays; nothing is closed but the iterator."""

    pieces: AsyncGenerator[bytes, None]
    headers: tuple[Header, ...]
    status: int = 200
    #: It may end behind any piece: when the gateway stops, it does.
    endless: bool = False
