"""Exchange: one request of a caller and its reply, as the relay sees it. `http/` makes it."""

from collections.abc import Iterable
from typing import Protocol

Header = tuple[bytes, bytes]


class Exchange(Protocol):
    """One request and its reply. All but `read`, `body` and `drain` are immediate."""

    method: bytes
    path: bytes
    query: bytes
    headers: list[Header]
    client: str
    started: float
    gone: bool
    started_reply: bool
    ended: bool
    #: Set by a handler that returns before its reply has ended, because a callback will end it.
    promised: bool

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, lower-case name."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body; TooLarge beyond `limit` bytes."""
        ...

    def start(self, status: int, headers: Iterable[Header], length: int | None) -> None:
        """Begin the reply; `length` None: sent in chunks."""
        ...

    def write(self, data: bytes) -> bool:
        """Send a piece of the body; True where `drain` should be awaited before the next."""
        ...

    async def drain(self) -> None:
        """Wait while the caller reads more slowly than we write."""
        ...

    def end(self) -> None:
        """End the reply."""
        ...

    def cut(self) -> None:
        """Break off a reply that cannot be completed, so that the caller sees it."""
        ...

    def reply(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """A whole reply in one write."""
        ...
