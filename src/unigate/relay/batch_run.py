"""One batch while a worker runs it: its lines are called, some at a time, and what they are answered is kept.

A line is called under an id that follows from its batch and its number, and its answer is kept a moment after it was charged.
Where the process dies between, the batch's next worker finds the charge, and calls the line once more free of charge. What
cannot be served now (429, 503, no money) waits and is tried again until the batch expires.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

import msgspec
import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import InvalidKey, StoreUnavailable
from unigate.base.live_settings import BatchSettings
from unigate.base.money import MILLION
from unigate.dialects import openai_batch_lines, openai_errors
from unigate.relay.batch_files import BatchFiles, Lost, NoInput
from unigate.relay.batch_lines import line_id, operation_at, shown_id
from unigate.relay.inner import Answer, Asked, inner
from unigate.relay.services import Services
from unigate.spec.batch import Line
from unigate.store import batches as rows
from unigate.store import own_files
from unigate.store.batches import BatchRow, Result
from unigate.store.captures import recorded
from unigate.store.database import Database

log: Any = structlog.get_logger("unigate.batches")
#: Seconds between two looks at what others have said of the batch, and at answers that are to be kept.
BEAT = 1.0
#: Answers, and their bytes, that are kept without waiting for the next look.
FULL, FULL_BYTES = 50, 1 << 20
#: Seconds before a line is tried again: at first, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
#: Where all lines that were begun pause for so many seconds, another batch that waits has its turn.
LONG_PAUSE = 8.0
#: Statuses of lines that are tried again: no money, too many calls, nobody who could serve it.
WAITS = frozenset({402, 429, 503})
#: Of what a key's limits allow, batches take one part of so many.
SHARE = 2
_MINUTE = 60.0
_FAILED = "internal_error", "The gateway failed to serve this request."
_OK = range(200, 300)
#: A reply, no error, that says that its tasks are still at work: the same call asks after them.
_LATE = 504


class BatchRun:
    """A batch that was claimed and is `in_progress`, up to its last line."""

    def __init__(
        self,
        db: Database,
        svc: Services,
        files: BatchFiles,
        row: BatchRow,
        places: asyncio.Semaphore,
        *,
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`places`: lines that this worker calls at once, of all batches; `crowded`: whether it has no place for another batch."""
        self._db = db
        self._svc = svc
        self._files = files
        self._row = row
        self._places = places
        self._crowded = crowded
        #: Lines that wait before they are tried again.
        self._pausing = 0
        #: Seconds after which a batch that made place for others is to go on.
        self.rest = 0.0
        self._operation = operation_at(row.endpoint)
        #: Why no more lines are begun: the state that the batch is to end in, `stopping` or `waiting`; "": they are.
        self._halt = ""
        #: A line has ended, or something is to be seen to.
        self._turn = asyncio.Event()
        self._halted = asyncio.Event()
        self._lines: set[asyncio.Task[None]] = set()
        self._kept = set[int]()
        #: Lines that were charged before their answer was lost.
        self._charged = set[int]()
        self._results: list[tuple[Result, Mapping[str, int]]] = []
        self._bytes = 0
        self._full = asyncio.Event()
        self._saving = asyncio.Lock()
        self._completed, self._failed = row.completed, row.failed
        self._usage = Counter[str](msgspec.json.decode(row.usage)) if row.usage else Counter[str]()
        self._sure_until = monotonic() + self._lease
        #: Until when (monotonic) no further line is begun, so that others find something left of the key's limits.
        self._spare_until = 0.0

    @property
    def _lease(self) -> float:
        return self._svc.settings.tasks.lease_seconds

    def stop(self) -> None:
        """Begin no more lines: the worker stops, another one goes on."""
        self._stop_for("stopping")

    async def run(self) -> str:
        """Call the lines that have no answer; the state that the batch is to end in, `stopping`, or `waiting` for `rest`.

        Lost, StoreUnavailable.
        """
        try:
            beat = asyncio.create_task(self._beat())  # noqa: TID251 - kept until the end of this function
            feed = asyncio.create_task(self._feed())  # noqa: TID251 - as above
            try:
                await asyncio.wait({beat, feed}, return_when=asyncio.FIRST_COMPLETED)
                if beat.done():
                    beat.result()  # it only ends by failing
                await feed
            finally:
                feed.cancel()
                async with self._saving:  # answers that are being kept are not to be lost on the way
                    beat.cancel()
                await asyncio.gather(beat, feed, return_exceptions=True)
            await self._save_all()
        finally:
            for line in self._lines:
                line.cancel()
            await asyncio.gather(*self._lines, return_exceptions=True)
        answered = self._completed + self._failed >= self._row.total
        # Where an answer is missing that nobody knows the reason of, the batch is gone through once more.
        return "completed" if answered and self._halt != "cancelled" else self._halt or "stopping"

    async def look_back(self) -> None:
        """Learn which lines have an answer, and which were charged without one; for a batch that ran before. StoreUnavailable."""
        row = self._row
        async with self._db.reading() as tx:
            self._kept = await rows.done(tx, row.id)
            good, bad = await rows.sizes(tx, row.id)
        self._completed, self._failed = good.lines, bad.lines
        with suppress(NoInput):
            async with aclosing(self._files.lines(row, self._line_bytes)) as lines:
                left = {line_id(row.id, line.number): line.number async for line in lines}
            async with self._db.reading() as tx:
                self._charged = {left[id] for id in await recorded(tx, list(left))} - self._kept

    @property
    def _line_bytes(self) -> int:
        return self._svc.settings.relay.body_bytes

    async def _feed(self) -> None:
        """Begin line after line, and wait for those that were begun."""
        try:
            async with aclosing(self._files.lines(self._row, self._line_bytes)) as lines:
                async for line in lines:
                    if line.number in self._kept:
                        continue
                    if not await self._room():
                        break
                    task = asyncio.create_task(self._line(line))  # noqa: TID251 - kept in `_lines`
                    self._lines.add(task)
                    task.add_done_callback(self._ended)
        except NoInput:
            self._stop_for("failed")
        except StoreUnavailable as error:
            log.warning("the file of a batch could not be read", batch=self._row.id, detail=error.detail)
            self._stop_for("stopping")
        while self._lines:
            await asyncio.wait(self._lines)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._lines.discard(task)
        self._turn.set()

    async def _room(self) -> bool:
        """Wait until another line may begin; False where none may any more."""
        while not self._halt:
            self._turn.clear()
            wait = self._spare_until - monotonic()
            if len(self._lines) < await self._most() and wait <= 0:
                return True
            try:
                async with asyncio.timeout(max(min(wait, BEAT), 0.01) if wait > 0 else None):
                    await self._turn.wait()
            except TimeoutError:
                continue
        return False

    async def _most(self) -> int:
        """Lines at once: where its key has a limit of calls, a share of that."""
        settings = self._svc.settings.batches
        try:
            key = await self._svc.keys.named(self._row.key_id)
        except StoreUnavailable:
            return settings.at_once
        return settings.at_once if key is None else at_once(key.concurrency, settings)

    async def _line(self, line: Line) -> None:
        """Call a line until it has an answer; nothing is kept of one that never had one."""
        id, shown = line_id(self._row.id, line.number), shown_id(self._row.id, line.number)
        try:
            answer = await self._answered(line, id)
            if answer is None:
                return
            failed, units = answer.status not in _OK, answer.usage.units
            body = openai_batch_lines.write_answer(shown, line.custom_id, answer.status, id, answer.body)
        except Exception:
            log.exception("a line of a batch failed", batch=self._row.id, line=line.number)
            failed, units = True, {}
            body = openai_batch_lines.write_unanswered(shown, line.custom_id, *_FAILED)
        self._results.append((Result(line=line.number, failed=failed, body=body), units))
        self._bytes += len(body)
        if len(self._results) >= FULL or self._bytes >= FULL_BYTES:
            self._full.set()

    async def _answered(self, line: Line, id: str) -> Answer | None:
        """The answer to a line that need not be tried again; None where no more lines are to be called before it has one."""
        pause = FIRST_PAUSE
        while True:
            answer = await self._called(line, id)
            late = answer.error is None and answer.status == _LATE
            if not late and (answer.error is None or answer.status not in WAITS):
                return answer
            told = min((answer.error.retry_after if answer.error is not None else None) or 0.0, LONGEST_PAUSE)
            if not await self._pause(max(pause, told) * random.uniform(0.75, 1.25)):  # noqa: S311 - spreads lines
                return None
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _called(self, line: Line, id: str) -> Answer:
        """One try."""
        row, charged = self._row, line.number in self._charged
        try:
            key = await self._svc.keys.named(row.key_id)
        except StoreUnavailable as error:
            return Answer(status=error.status, body=b"", error=error)
        if key is None:
            revoked = InvalidKey()
            return Answer(status=revoked.status, body=openai_errors.write_error(revoked, id), error=revoked)
        asked = Asked(
            operation=self._operation,
            key=key,
            body=line.body,
            id=f"{id}_again" if charged else id,
            client=row.client,
            base=row.base,
            discount=MILLION if charged else row.discount,
        )
        async with self._places:
            began = monotonic()
            answer = await inner(asked, self._svc)
        now = monotonic()
        # Where there are not even so many places as batches may take, this one leaves its own free half of the time.
        rest = now - began if 0 < key.concurrency < SHARE * self._svc.settings.batches.of_user else 0.0
        self._spare_until = max(self._spare_until, now + max(rest, spare(answer.headers)))
        return answer

    async def _pause(self, seconds: float) -> bool:
        """Wait before a line is tried again; False where it is not to be."""
        self._pausing += 1
        if self._pausing >= len(self._lines) and seconds >= LONG_PAUSE and self._crowded():
            self.rest = seconds
            self._stop_for("waiting")
        try:
            async with asyncio.timeout(seconds):
                await self._halted.wait()
        except TimeoutError:
            return True
        finally:
            self._pausing -= 1
        return False

    def _stop_for(self, why: str) -> None:
        self._halt = self._halt or why
        self._turn.set()
        self._halted.set()

    async def _beat(self) -> None:
        """Keep answers, and see what became of the batch; it ends by Lost alone."""
        while True:
            try:
                await self._save()
                await self._look()
            except StoreUnavailable as error:
                log.warning("a batch could not be saved", batch=self._row.id, detail=error.detail)
                if monotonic() >= self._sure_until:
                    raise Lost from None
            self._full.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await self._full.wait()

    async def _save_all(self) -> None:
        """Keep the last answers, if that is possible before the batch may be another's. Lost, StoreUnavailable."""
        while True:
            try:
                await self._save()
            except StoreUnavailable:
                if monotonic() >= self._sure_until:
                    raise
                await asyncio.sleep(BEAT)
            else:
                return

    async def _save(self) -> None:
        """Keep the answers that have come, and the batch for longer. Lost, StoreUnavailable."""
        async with self._saving:
            await self._keep()

    async def _keep(self) -> None:
        if not self._results and self._sure_until - monotonic() > self._lease * 2 / 3:
            return
        taken, self._results = self._results, []
        self._bytes = 0
        began, lease = monotonic(), self._lease
        until = now_ms() + int(lease * 1000)
        usage = self._usage.copy()
        for _, units in taken:
            usage.update(units)
        try:
            async with self._db.writing() as tx:
                good, bad = await rows.keep(tx, self._row.id, [result for result, _ in taken])
                values: dict[str, str | int] = {
                    "completed": self._completed + good,
                    "failed": self._failed + bad,
                    "usage": msgspec.json.encode(usage).decode() if usage else "",
                    "lease_until": until,
                    "due_at": until,
                }
                if not await rows.change(tx, self._row, values):
                    raise Lost
        except StoreUnavailable:
            self._results = taken + self._results
            self._bytes = sum(len(result.body) for result, _ in self._results)
            raise
        self._completed, self._failed, self._usage = self._completed + good, self._failed + bad, usage
        self._sure_until = began + lease

    async def _look(self) -> None:
        """Whether somebody cancelled it, its time is over, or its file was deleted. Lost, StoreUnavailable."""
        row, now = self._row, now_ms()
        async with self._db.reading() as tx:
            seen = await rows.find(tx, row.id)
            file = await own_files.find(tx, row.input_file_id, now=now)
        if seen is None or seen.owner != row.owner:
            raise Lost
        if seen.state == "cancelling":
            self._stop_for("cancelled")
        elif file is None:
            self._stop_for("failed")
        elif now >= row.expires_at:
            self._stop_for("expired")


def at_once(concurrency: int, settings: BatchSettings) -> int:
    """Lines of one batch at once, for a key that may have so many calls (0: any number): all its batches take a part of them."""
    if not concurrency:
        return settings.at_once
    return min(settings.at_once, max(1, concurrency // (SHARE * settings.of_user)))


def spare(headers: Mapping[bytes, bytes]) -> float:
    """Seconds to wait for, so that a part of what the key's limits allow in a minute is left to calls that somebody waits for."""
    wait = 0.0
    for what in (b"requests", b"tokens"):
        try:
            limit = int(headers.get(b"x-ratelimit-limit-" + what, b"0"))
            left = int(headers.get(b"x-ratelimit-remaining-" + what, b"0"))
        except ValueError:
            continue
        if limit and left * SHARE < limit:
            wait = max(wait, _MINUTE * (limit - left * SHARE) / (limit * SHARE))
    return wait
