"""Looks after batches: checks them, lets them run, ends them, and forgets them. The workers of all nodes share them by lease.

One worker has a batch at a time; where it dies, another one has it when the lease ends. Every step may be done again.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import structlog

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import NoFunds, StoreUnavailable
from unigate.dialects.openai_batch_lines import write_unanswered
from unigate.relay.batch_entry import leave
from unigate.relay.batch_files import BatchFiles, Lost, NoInput, gone, told
from unigate.relay.batch_forward import Forwarding, no_money
from unigate.relay.batch_lines import shown_id
from unigate.relay.batch_run import BatchRun
from unigate.relay.services import Services
from unigate.store import batches as rows
from unigate.store.batches import QUEUE, BatchRow, Result
from unigate.store.database import Database, Row
from unigate.tasks.claims import Claims

Values = dict[str, str | int]
log: Any = structlog.get_logger("unigate.batches")
#: Batches that one worker runs at a time, and lines of all of them that it calls at once.
BATCHES, LINES = 16, 64
#: A batch that waits for others of its user is looked at again after so long; they wake it before.
WAITS_MS = 5_000
#: One that a worker gave up goes on after so long.
AGAIN_MS = 500
#: Seconds that lines get to end when the worker stops.
DRAIN = 20.0
_DAY_MS = 86_400_000
#: Answers that are written together for lines that were never called.
_AT_ONCE = 500
_EXPIRED = "batch_expired", "This request could not be executed before the completion window expired."


class Ended(Exception):
    """The batch has ended before it was its turn."""


class BatchHouse:
    """Claims what is due of all batches, and does the next step of each."""

    def __init__(self, db: Database, svc: Services, files: BatchFiles) -> None:
        self._db = db
        self._svc = svc
        self._files = files
        self._claims = Claims(
            db, QUEUE, owner=ids.new("bat"), lease=lambda: svc.settings.tasks.lease_seconds, places=BATCHES
        )
        self._forwarding = Forwarding(db, svc, files)
        self._places = asyncio.Semaphore(LINES)
        #: By the batch's id.
        self._runs: dict[str, BatchRun] = {}
        #: Batches about which something is being done here.
        self._at_work: set[str] = set()
        self._stopping = False

    def poke(self) -> None:
        """Something is to be done."""
        self._claims.poke()

    async def run(self) -> None:
        """Until `stop`."""
        await self._claims.run(self._step)

    async def stop(self) -> None:
        """Begin nothing more, let the lines that were begun end, and leave the rest to others."""
        self._stopping = True
        for run in self._runs.values():
            run.stop()
        await self._claims.stop(DRAIN)

    async def _step(self, claimed: Row) -> None:
        row = rows.made(claimed)
        if row.id in self._at_work:
            return  # our own claim had run out unnoticed, and is good again
        self._at_work.add(row.id)
        try:
            match row.state:
                case "validating":
                    await self._validate(row)
                case "in_progress":
                    await self._work(row, fresh=False)
                case "cancelling" if row.channel_id:
                    await self._forward(row)
                case "cancelling" | "finalizing":
                    async with self._kept(row):
                        await self._end(row, row.ending or "cancelled")
                case _:
                    await self._tidy(row)
        except Ended:
            return
        except Lost:
            log.warning("a batch is another worker's by now", batch=row.id)
        finally:
            self._at_work.discard(row.id)

    async def _validate(self, row: BatchRow) -> None:
        """Check the file, once, and let the batch run when it is its turn."""
        settings = self._svc.settings
        if now_ms() >= row.expires_at and row.total:
            await self._expire(row)
            return
        if not row.total:
            async with self._kept(row):
                checked = await self._files.check(row, settings.batches, settings.relay.body_bytes)
            if checked.errors:
                await self._fail(row, checked.errors)
                return
            row = replace(row, total=checked.total, model=checked.model)
            async with self._db.writing() as tx:
                if not await rows.change(tx, row, {"total": row.total, "model": row.model}):
                    raise Lost
        now = now_ms()
        async with self._db.writing() as tx:
            begun = await rows.begin(tx, row, most=settings.batches.of_user, now=now)
            if not begun:  # not its turn, or it was cancelled meanwhile
                seen = await rows.find(tx, row.id)
                due = now if seen is not None and seen.state == "cancelling" else now + WAITS_MS
                await rows.change(tx, row, {"owner": "", "lease_until": 0, "due_at": due})
        if begun:
            await self._work(replace(row, state="in_progress", in_progress_at=now), fresh=True)

    async def _work(self, row: BatchRow, *, fresh: bool) -> None:
        """Call the lines, and make the files; or have the provider do so."""
        if fresh and (placed := await self._placed(row)) is not None:
            row = placed
        if row.channel_id:
            await self._forward(row)
            return
        run = BatchRun(
            self._db, self._svc, self._files, row, self._places, crowded=lambda: len(self._at_work) >= BATCHES
        )
        self._runs[row.id] = run
        if self._stopping:
            run.stop()
        try:
            if not fresh:
                async with self._kept(row):
                    await run.look_back()
            ending = await run.run()
        finally:
            del self._runs[row.id]
        if ending in ("stopping", "waiting"):
            due = now_ms() + (int(run.rest * 1000) or AGAIN_MS)
            async with self._db.writing() as tx:
                await rows.change(tx, row, {"owner": "", "lease_until": 0, "due_at": due})
            return
        async with self._db.reading() as tx:
            seen = await rows.find(tx, row.id)
        if seen is None or seen.owner != row.owner:
            raise Lost
        async with self._kept(row):
            if ending == "expired":
                seen = await self._unanswered(seen)
            await self._end(seen, ending)

    async def _placed(self, row: BatchRow) -> BatchRow | None:
        """The batch with where it is to be run; None where that is here."""
        try:
            async with self._kept(row):
                placed = await self._forwarding.begin(row)
        except NoFunds as error:
            await self._fail(row, no_money(row, error))
            raise Ended from None
        except NoInput:
            return None
        return placed if placed.channel_id else None

    async def _forward(self, row: BatchRow) -> None:
        """The next step of a batch that its provider runs."""
        async with self._kept(row):
            step = await self._forwarding.step(row)
            if step.ending:
                async with self._db.reading() as tx:
                    seen = await rows.find(tx, row.id)
                if seen is None or seen.owner != row.owner:
                    raise Lost
                if step.ending == "expired":
                    seen = await self._unanswered(seen)
                await self._end(seen, step.ending, errors=step.errors)
            if step.tidy is not None:
                await step.tidy()
        if step.ending:
            return
        async with self._db.writing() as tx:
            if step.here:
                if not await leave(tx, row, now=now_ms()):
                    raise Lost
                return
            await rows.change(tx, row, {"owner": "", "lease_until": 0, "due_at": step.due_at})

    async def _expire(self, row: BatchRow) -> None:
        """End a batch that never ran."""
        async with self._kept(row):
            await self._end(await self._unanswered(row), "expired")

    async def _unanswered(self, row: BatchRow) -> BatchRow:
        """Say of each line that has no answer that its time was over."""
        async with self._db.reading() as tx:
            kept = await rows.done(tx, row.id)
        waiting: list[Result] = []
        with suppress(NoInput):
            async with aclosing(self._files.lines(row, self._svc.settings.relay.body_bytes)) as lines:
                async for line in lines:
                    if line.number not in kept:
                        body = write_unanswered(shown_id(row.id, line.number), line.custom_id, *_EXPIRED)
                        waiting.append(Result(line=line.number, failed=True, body=body))
                    if len(waiting) >= _AT_ONCE:
                        row, waiting = await self._keep(row, waiting), []
        return await self._keep(row, waiting)

    async def _keep(self, row: BatchRow, results: Sequence[Result]) -> BatchRow:
        async with self._db.writing() as tx:
            _, failed = await rows.keep(tx, row.id, results)
            if not await rows.change(tx, row, {"failed": row.failed + failed}):
                raise Lost
        return replace(row, failed=row.failed + failed)

    async def _end(self, row: BatchRow, ending: str, *, errors: str = "") -> None:
        """Make files of what there is, and end the batch. Lost."""
        values: Values = {"state": "finalizing", "finalizing_at": now_ms(), "ending": ending}
        if row.state in ("in_progress", "validating") and ending in ("completed", "expired"):
            async with self._db.writing() as tx:
                turned = await rows.change(tx, row, values, state=row.state)
            if not turned:
                ending = "cancelled"  # at the last moment, or it is another's: that is seen below
        values = {"state": ending, f"{ending}_at": now_ms()}
        if ending == "failed":
            values["errors"] = errors or told([gone(row)])
        await self._files.finish(row, values)
        log.info("batch ended", batch=row.id, state=ending)
        self.poke()

    async def _fail(self, row: BatchRow, errors: str) -> None:
        """End a batch whose file is not in order; nothing was called."""
        now = now_ms()
        async with self._db.writing() as tx:
            ends: Values = {"state": "failed", "failed_at": now, "errors": errors, "owner": "", "lease_until": 0}
            ends["due_at"] = now
            if not await rows.change(tx, row, ends):
                raise Lost

    async def _tidy(self, row: BatchRow) -> None:
        """Remove the answers of a batch that ended, which are in its files, and after its term the batch."""
        more = True
        while more:
            async with self._db.writing() as tx:
                more = await rows.drop(tx, row.id)
        ended = max(row.completed_at, row.failed_at, row.expired_at, row.cancelled_at)
        due = ended + self._svc.settings.batches.keep_days * _DAY_MS
        async with self._db.writing() as tx:
            if due <= now_ms():
                await rows.forget(tx, row)
            else:
                await rows.change(tx, row, {"owner": "", "lease_until": 0, "due_at": due})

    @asynccontextmanager
    async def _kept(self, row: BatchRow) -> AsyncGenerator[None, None]:
        """Keep a batch while something is done about it that takes as long as its files are large."""
        keeping = asyncio.create_task(self._keep_claim(row))  # noqa: TID251 - kept until the end of this block
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep_claim(self, row: BatchRow) -> None:
        lease = self._svc.settings.tasks.lease_seconds
        while True:
            await asyncio.sleep(lease / 3)
            until = now_ms() + int(lease * 1000)
            with suppress(StoreUnavailable):
                async with self._db.writing() as tx:
                    await QUEUE.prolong(tx, row.owner, [row.id], until=until)
