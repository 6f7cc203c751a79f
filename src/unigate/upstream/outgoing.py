"""Outgoing: a request's body that comes in pieces, and how it is written: no faster than the vendor takes it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from unigate.base.errors import GatewayError

#: Turns of the loop that are left to an answer which is here already, before more is written.
_TURNS = 64


class Outgoing(Protocol):
    """A body of known length that can be begun anew, for the next try."""

    @property
    def length(self) -> int:
        """Bytes of the whole."""
        ...

    @property
    def content_type(self) -> bytes:
        """Goes with it in place of one in the request's head."""
        ...

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """All of it from the beginning; a GatewayError that it raises is what the request fails with."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A body that is at hand, with a content type of its own."""

    body: bytes
    content_type: bytes

    @property
    def length(self) -> int:
        """See Outgoing."""
        return len(self.body)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """See Outgoing."""
        yield self.body


class Line(Protocol):
    """What the writing needs of a connection."""

    loop: asyncio.AbstractEventLoop

    @property
    def heard(self) -> bool:
        """Something of an answer has come that was not read yet."""
        ...

    def put(self, piece: bytes) -> bool:
        """Write; True where the transport holds enough."""
        ...

    def wrote(self) -> None:
        """All of it is written."""
        ...

    def give_up(self, error: GatewayError) -> None:
        """The body can't be had."""
        ...


class Upload:
    """Writes a body beside whoever awaits the answer. It ends by itself, or is stopped."""

    __slots__ = ("_body", "_line", "_room", "_task")

    def __init__(self, line: Line, body: Outgoing) -> None:
        self._line = line
        self._body = body
        self._room: asyncio.Future[None] | None = None
        self._task = asyncio.Task(self._run(), loop=line.loop, name="upload")

    def go_on(self) -> None:
        """The transport takes more."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def stop(self) -> None:
        """Write no more."""
        self._task.cancel()

    async def _run(self) -> None:
        line, left = self._line, self._body.length
        try:
            async with aclosing(self._body.pieces()) as pieces:
                async for piece in pieces:
                    left -= len(piece)
                    if left < 0:
                        break
                    await self._listen()
                    if line.put(piece):
                        self._room = line.loop.create_future()
                        await self._room
            if left:
                raise GatewayError(detail="a body has another length than it said")
        except GatewayError as error:
            line.give_up(error)
        except Exception as error:  # noqa: BLE001 - whoever awaits the answer hears of it
            line.give_up(GatewayError(detail=f"a body could not be read: {error!r}"))
        else:
            line.wrote()

    async def _listen(self) -> None:
        """Let an answer in first: writing to a vendor that has closed would destroy it."""
        turns = _TURNS
        while turns and self._line.heard:
            turns -= 1
            await asyncio.sleep(0)
