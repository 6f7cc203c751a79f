"""The files of batches: requests are read line by line, and what was answered becomes files of the user's own.

Neither is ever held whole. Must not know how lines are called.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import msgspec

from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.base.live_settings import BatchSettings
from unigate.dialects.openai_batch_lines import MOST_ERRORS, BadLine, read_line, twice
from unigate.relay.own_files import OwnFiles
from unigate.spec.batch import Line
from unigate.store import batches as rows
from unigate.store import holds, own_files
from unigate.store.batches import BatchRow
from unigate.store.database import Database
from unigate.store.objects import Stored
from unigate.store.own_files import FileRow

PURPOSE = "batch_output"
_TYPE = "application/jsonl"
#: Bytes of answers that are read together.
_SOME = 1 << 20
#: Bytes of a request that is read beside the event loop.
_LARGE = 1 << 16
#: After so many lines others have their turn.
_YIELDS = 32
#: The endpoint whose calls need not name a model, since there is a default.
_MODEL_OPTIONAL = ("/v1/images/generations",)


class NoInput(Exception):
    """The file of requests is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a file of requests is like: how many there are, the model that all name, and what is wrong (JSON, "": nothing)."""

    total: int = 0
    model: str = ""
    errors: str = ""


class BatchFiles:
    """Reads and writes files of batches. Every method raises StoreUnavailable."""

    def __init__(self, db: Database, files: OwnFiles) -> None:
        self._db = db
        self._files = files

    async def check(self, row: BatchRow, settings: BatchSettings, line_bytes: int) -> Checked:
        """Read all requests of a batch without calling any."""
        file = await self._files.find(row.input_file_id, row.user_id)
        if file is None:
            return _wrong([gone(row)])
        if file.size > settings.file_bytes:
            told = f"The input file is larger than {settings.file_bytes} bytes."
            return _wrong([BadLine(0, "file_too_large", told)])
        wrong: list[BadLine] = []
        seen: set[bytes] = set()
        models: set[str] = set()
        total = 0
        try:
            async with aclosing(self._texts(row, line_bytes, 2 * settings.lines)) as texts:
                async for number, text in texts:
                    total += 1
                    if total > settings.lines:
                        wrong.append(BadLine(0, "too_many_requests", f"A batch has at most {settings.lines} requests."))
                        break
                    try:
                        line = await _read(row, number, text)
                        mark = blake2b(line.custom_id.encode(), digest_size=16).digest()
                        if mark in seen:
                            raise twice(line)
                    except BadLine as error:
                        wrong.append(error)
                        if len(wrong) >= MOST_ERRORS:
                            break
                        continue
                    seen.add(mark)
                    if len(models) < 2:
                        models.add(line.model)
        except BadLine as error:
            wrong.append(error)
        except NoInput:
            wrong.append(gone(row))
        if not total and not wrong:
            wrong.append(BadLine(0, "empty_file", "The input file has no requests."))
        if wrong:
            return _wrong(wrong)
        model = models.pop() if len(models) == 1 else ""
        return Checked(total=total, model=model.replace("\0", "\ufffd"))

    async def lines(self, row: BatchRow, line_bytes: int) -> AsyncGenerator[Line, None]:
        """The requests of a batch that was checked. NoInput where the file is gone, or is not what it was."""
        try:
            async with aclosing(self._texts(row, line_bytes)) as texts:
                async for number, text in texts:
                    yield await _read(row, number, text)
        except BadLine:
            raise NoInput from None

    async def finish(self, row: BatchRow, values: dict[str, str | int]) -> None:
        """Make files of the answers, and change the batch in the transaction that shows them. Lost."""
        async with self._db.reading() as tx:
            sizes = await rows.sizes(tx, row.id)
        async with AsyncExitStack() as stack:
            written: list[tuple[str, FileRow, Stored]] = []
            for name, failed, size in (("output", False, sizes[0].bytes), ("error", True, sizes[1].bytes)):
                if not size:
                    continue
                file = self._files.begun(row.user_id, PURPOSE, f"{row.id}_{name}.jsonl", _TYPE, size, counted=False)
                async with self._db.writing() as tx:
                    await own_files.add(tx, file)
                await stack.enter_async_context(self._files.writing(file))
                stored = await self._files.put(file, self._answers(row, failed=failed))
                if stored.size != size:
                    raise StoreUnavailable(detail=f"{file.id} has {stored.size} bytes in place of {size}")
                written.append((f"{name}_file_id", file, stored))
            now = now_ms()
            made: dict[str, str | int] = {column: file.id for column, file, _ in written}
            async with self._db.writing() as tx:
                if row.hold_id:
                    await holds.close(tx, row.hold_id, at=now)
                await rows.lock(tx, row.user_id)
                for _, file, stored in written:
                    await self._files.settle(tx, file, stored, row.lasts, counted=False)
                made |= {"completed": sizes[0].lines, "failed": sizes[1].lines}
                ends = {**values, **made, "owner": "", "lease_until": 0, "due_at": now}
                if not await rows.change(tx, row, ends):
                    raise Lost
                await rows.wake(tx, row.user_id, now=now)

    async def _texts(
        self, row: BatchRow, line_bytes: int, most_lines: int = 0
    ) -> AsyncGenerator[tuple[int, bytes], None]:
        """The lines of a file that are not empty, with their numbers from 1. NoInput; BadLine for one that is too long, or too many.

        `most_lines`: empty ones included; 0: any number.
        """
        file = await self._files.find(row.input_file_id, row.user_id)
        if file is None:
            raise NoInput
        pieces = await self._files.opened(file)
        if pieces is None:
            raise StoreUnavailable(detail=f"{file.id} is not where its row says")
        number, left = 0, b""
        async for piece in pieces:
            *whole, left = (left + piece).split(b"\n")
            for text in whole:
                number += 1
                if number > most_lines > 0:
                    raise BadLine(
                        0, "too_many_lines", f"The input file has more than {most_lines} lines, empty ones included."
                    )
                if not number % _YIELDS:
                    await asyncio.sleep(0)
                if text.strip():
                    yield number, text
            if len(left) > line_bytes:
                raise BadLine(number + 1, "line_too_long", f"A request has at most {line_bytes} bytes.")
        if left.strip():
            yield number + 1, left

    async def _answers(self, row: BatchRow, *, failed: bool) -> AsyncIterator[bytes]:
        after = 0
        while True:
            async with self._db.reading() as tx:
                some = await rows.results(tx, row.id, failed=failed, after=after, most=_SOME)
            if not some:
                return
            after = some[-1].line
            for one in some:
                yield one.body + b"\n"


class Lost(Exception):
    """The batch is another's by now."""


async def _read(row: BatchRow, number: int, text: bytes) -> Line:
    """A request, read beside the event loop where that may take long; BadLine."""
    read = partial(read_line, number, text, row.endpoint, model_optional=row.endpoint in _MODEL_OPTIONAL)
    return read() if len(text) <= _LARGE else await asyncio.to_thread(read)


def gone(row: BatchRow) -> BadLine:
    """The error for a file of requests that was deleted, or expired."""
    return BadLine(0, "input_file_not_found", f"The input file {row.input_file_id} is gone.", "input_file_id")


def told(errors: list[BadLine]) -> str:
    """Errors as their batch keeps them."""
    return msgspec.json.encode([error.told for error in errors]).decode()


def _wrong(errors: list[BadLine]) -> Checked:
    return Checked(errors=told(errors))
