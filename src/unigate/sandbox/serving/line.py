"""The connection of one call: sends, waits, and notices that the caller has left."""

import asyncio
from collections.abc import Iterable

from starlette.types import Receive, Scope, Send

from unigate.sandbox.serving.log import Entry


class CallerLeft(Exception):
    """The caller is gone."""


class Cut(Exception):
    """The answer ends here, without its end."""


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where it is larger than `limit`; CallerLeft where it does not come to its end."""
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(piece)
        if size <= limit:
            pieces.append(piece)
    return b"".join(pieces) if size <= limit else None


class Line:
    """Sends an answer. All methods raise CallerLeft once the caller has gone."""

    def __init__(self, receive: Receive, send: Send, entry: Entry) -> None:
        self._send = send
        self._entry = entry
        self.started = False
        self._gone = asyncio.get_running_loop().create_task(_disconnected(receive))

    async def wait(self, seconds: float) -> None:
        """Let time pass; 0 only lets others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            await asyncio.wait((self._gone,), timeout=seconds)
        if self._gone.done():
            raise CallerLeft

    async def hang(self) -> None:
        """Wait until the caller leaves."""
        await asyncio.wait((self._gone,))
        raise CallerLeft

    async def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Begin the answer."""
        self._entry.status = status
        self.started = True
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._guarded({"type": "http.response.start", "status": status, "headers": raw})

    async def body(self, data: bytes, *, more: bool) -> None:
        """Send bytes of the body."""
        await self._guarded({"type": "http.response.body", "body": data, "more_body": more})
        self._entry.sent_bytes += len(data)

    async def hang_up(self, scope: Scope) -> None:
        """Break the connection before any answer, where the server lets an app do so."""
        if "http.response.hang_up" in scope.get("extensions", {}):
            await self._send({"type": "http.response.hang_up"})

    async def _guarded(self, message: dict[str, object]) -> None:
        if self._gone.done():
            raise CallerLeft
        try:
            await self._send(message)
        except OSError:
            raise CallerLeft from None

    async def close(self) -> None:
        """Stop watching the caller."""
        self._gone.cancel()
        await asyncio.wait((self._gone,))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
