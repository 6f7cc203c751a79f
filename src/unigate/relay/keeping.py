"""Keeping prompts and answers, only of calls whose key or channel says so, and only for the term that is said.

They are written soon after the call, in batches, so that no call waits for it. What waits is bounded: where the
database is away for long, the newest are not kept, and a counter tells how many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from unigate.base.errors import GatewayError
from unigate.dialects import multipart
from unigate.relay.call import Call
from unigate.spec.kept import DAY_MS, MOST, Kept

#: Bytes that may wait to be written.
WAITING = 32 << 20
_PAUSE = 0.25
_TOGETHER = 50

Save = Callable[[Sequence[Kept]], Awaitable[None]]


class Keeper:
    """Takes what is to be kept, and has it written by `save`."""

    def __init__(self, save: Save, *, waiting: int = WAITING) -> None:
        self._save = save
        self._most = waiting
        self._rows: list[Kept] = []
        self._size = 0
        self._wake = asyncio.Event()
        #: Calls that were to be kept and are not.
        self.dropped = 0

    def keep(self, call: Call, status: int, answer: bytes) -> None:
        """Keep a call's request and answer for the days that it is to be kept."""
        key = call.key
        self.put(
            call.id,
            call.at,
            call.keep_days,
            user_id=key.user_id,
            key_id=key.id,
            status=status,
            request=call.body if call.form is None else multipart.described(call.form),
            answer=answer,
        )

    def put(
        self, id: str, at: int, days: int, *, user_id: str, key_id: str, status: int, request: bytes, answer: bytes
    ) -> None:
        """The same from plain values."""
        size = min(len(request), MOST) + min(len(answer), MOST)
        if self._size + size > self._most:
            self.dropped += 1
            return
        self._size += size
        self._rows.append(
            Kept(
                id=id,
                at=at,
                ends_at=at + days * DAY_MS,
                user_id=user_id,
                key_id=key_id,
                status=status,
                request=request[:MOST],
                answer=answer[:MOST],
                cut=max(len(request), len(answer)) > MOST,
            )
        )
        self._wake.set()

    async def run(self) -> None:
        """Write what is to be kept, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_PAUSE)
            await self.write()

    async def write(self) -> None:
        """Write what waits, as far as the database takes it; the rest waits on."""
        while self._rows:
            batch = self._rows[:_TOGETHER]
            try:
                await self._save(batch)
            except GatewayError:
                return
            del self._rows[: len(batch)]
            self._size -= sum(len(row.request) + len(row.answer) for row in batch)
        self._wake.clear()


class Copy:
    """Passes a stream's pieces on and remembers what they were, up to a bound."""

    __slots__ = ("_pieces", "_size", "_write")

    def __init__(self, write: Callable[[bytes], bool]) -> None:
        self._write = write
        self._pieces: list[bytes] = []
        self._size = 0

    def __call__(self, piece: bytes) -> bool:
        """Write a piece; as the `write` that it stands for."""
        if self._size <= MOST:
            self._pieces.append(piece)
            self._size += len(piece)
        return self._write(piece)

    @property
    def answer(self) -> bytes:
        """What went out; longer than MOST where there was more."""
        return b"".join(self._pieces)
