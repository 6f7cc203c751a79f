"""The journal of a process: records of ended calls, on file before their callers see the end of the answer.

All records of one turn of the event loop are written at once, then each call's `then` is told. A write that fails or is
cut short leaves its segment behind at the last good record and goes on in a new one; where that fails too, the records
go into the database before the answers do. Must not read a journal: that is the mover's.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from unigate.billing import segments
from unigate.billing.format import frame
from unigate.billing.segments import Segment
from unigate.spec.record import Note, Record
from unigate.spec.terms import Terms

#: Told whether the record is kept.
Then = Callable[[bool], None]
#: Told of what an operator must know: what kind of thing, and what happened.
Alarm = Callable[[str, str], None]
#: Inserts records into the database, in place of the journal; raises where that failed or may have failed.
Fallback = Callable[[Sequence[Record]], Awaitable[None]]
Failpoint = Callable[[str], None]

Undo = Callable[[], None]
#: One record's bytes, the record, whom to tell, and what to undo once it is certain that it was not kept.
Item = tuple[bytes, Record | Note, Then, Undo | None]


def no_failpoint(_name: str) -> None:
    """Tests put something in its place that ends the process at a named point."""


class Journal:
    """The journal of one process instance; for the event loop's thread only."""

    def __init__(
        self,
        folder: Path,
        process_id: str,
        terms: Terms,
        *,
        alarm: Alarm,
        fallback: Fallback,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        self.process_id = process_id
        self._folder = folder
        self._terms = terms
        self._alarm = alarm
        self._fallback = fallback
        self._failpoint = failpoint
        self._segment: Segment | None = None
        self._spare: Segment | None = None
        #: Left behind, but still locked until they have been moved.
        self._old: dict[int, Segment] = {}
        self._moved: dict[int, int] = {}
        #: How many segments were published, and how many made.
        self._number = self._made = 0
        self._pending: list[Item] = []
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._preparing = False
        #: Records that may or may not be in the database: the call failed, what it holds waits for certainty.
        self.uncertain: list[tuple[Record, Undo | None]] = []
        self._unsynced: list[bytes] = []
        self._dirty: dict[int, Segment] = {}
        self._syncing: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._size = terms.segment_bytes
        self._bound = terms.journal_bytes
        #: Bytes that were written and, as far as we were told, not moved.
        self.unmoved = 0
        #: Whether a paid call may be admitted: it can be extended, and not too much of it is waiting.
        self.ready = False

    def open(self) -> None:
        """Make the first segment; OSError where that is not possible."""
        self._loop = asyncio.get_running_loop()
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._segment = self._make()
        except BlockingIOError:  # a sweep of unfinished files met it
            self._segment = self._make()
        self._publish(self._segment)
        self._judge()

    def append(self, record: Record | Note, then: Then, undo: Undo | None = None) -> None:
        """Keep a record or a note; `then` is called once it is on file (True), or could not be kept (False).

        `undo` is called when it is certain that the record will never be charged.
        """
        assert self._loop is not None
        try:
            data = frame(record)
        except Exception as error:  # noqa: BLE001 - a record that cannot be written must not stop the others
            self._alarm("record", f"record {record.id} cannot be written: {error}")
            self._loop.call_soon(self._refuse, (b"", record, then, undo))
            return
        self._pending.append((data, record, then, undo))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what is pending and tell whom it concerns."""
        self._scheduled = False
        items, self._pending = self._pending, []
        if not items:
            return
        self._failpoint("journal.before_write")
        kept = self._write(items)
        self._failpoint("journal.after_write")
        rest = items[kept:]
        for item in items[:kept]:
            self._tell(item, True)
        self._failpoint("journal.after_reply")
        if rest:
            self._rescue(rest)

    def note(self, positions: Mapping[int, tuple[int, str]]) -> bool:
        """Learn from the database how far the segments were moved; False if one was stopped as damaged."""
        for number, (position, state) in positions.items():
            if state == "stopped" and (number in self._old or (self._segment and self._segment.number == number)):
                return False
            self._moved[number] = position
            if state == "moved" and (old := self._old.pop(number, None)) is not None:
                old.close()
        self._judge()
        return True

    def mend(self) -> None:
        """Try again to have a segment to write to, after a failure."""
        if self._segment is None:
            self._next()
        self._judge()

    async def close(self) -> None:
        """Write what is pending and let go of the files: from now on the mover may take them for a dead process's."""
        self.flush()
        self.ready = False
        if self._syncing is not None:
            self._syncing.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._dirty:
            await self._sync()
        if self._spare is not None:
            self._spare.path.unlink(missing_ok=True)
        for segment in (self._segment, self._spare, *self._old.values()):
            if segment is not None:
                segment.close()
        self._segment = self._spare = None
        self._old.clear()

    def discard(self) -> None:
        """Delete the first segment of a journal that was never used."""
        if self._segment is not None:
            self._segment.path.unlink(missing_ok=True)
            self._segment.close()
            self._segment = None

    def _tell(self, item: Item, kept: bool) -> None:
        _, record, then, _ = item
        try:
            then(kept)
        except Exception as error:  # noqa: BLE001 - one call's failure must not stop the others
            self._alarm("callback", f"the end of call {record.id} failed: {error!r}")

    def _refuse(self, item: Item) -> None:
        """The record was never written anywhere."""
        if item[3] is not None:
            item[3]()
        self._tell(item, False)

    def _write(self, items: Sequence[Item]) -> int:
        """Write the items in order; how many of them are on file."""
        done = failures = 0
        while done < len(items) and self._segment is not None:
            segment = self._segment
            data = [item[0] for item in items[done:]]
            written, tried = self._write_some(segment, data)
            done += written
            if written < tried:
                failures += 1
                self._leave()
                if failures > 1:
                    break
            elif not tried and not segment.offset:
                break  # larger than a segment
            if written < len(data):
                self._next()
        if self._segment is None or self.unmoved >= self._bound:
            self._judge()
        return done

    def _write_some(self, segment: Segment, data: Sequence[bytes]) -> tuple[int, int]:
        """Write as many as fit into a segment; how many are there in full, and how many were tried."""
        room = segment.size - segment.offset
        tried = 0
        for piece in data:
            room -= len(piece)
            if room < 0:
                break
            tried += 1
        if not tried:
            return 0, 0
        blob = data[0] if tried == 1 else b"".join(data[:tried])
        try:
            count = os.pwrite(segment.fd, blob, segment.offset)
        except OSError as error:
            self._alarm("journal", f"writing to {segment.path.name} failed: {error}")
            return 0, tried
        if count == len(blob):
            written = tried
        else:
            self._alarm("journal", f"only {count} of {len(blob)} bytes were written to {segment.path.name}")
            written, count = _whole(data, count)
        segment.offset += count
        self.unmoved += count
        if self._terms.sync:
            self._unsynced.extend(data[:written])
            self._dirty[segment.number] = segment
            self._sync_soon()
        if segment.offset * 2 > segment.size and self._spare is None and not self._preparing:
            self._preparing = True
            self._run(self._prepare())
        return written, tried

    def _leave(self) -> None:
        """Go on without the current segment; its lock is held on to."""
        if self._segment is not None:
            self._old[self._segment.number] = self._segment
            self._segment = None

    def _next(self) -> None:
        """Go on in a new segment, if one can be made."""
        self._leave()
        segment, self._spare = self._spare, None
        try:
            segment = segment or self._make()
            self._failpoint("journal.before_rename")
            self._publish(segment)
            self._failpoint("journal.after_rename")
        except OSError as error:
            self._alarm("journal", f"no new segment could be made: {error}")
            if segment is not None:
                segment.close()
            return
        self._segment = segment
        if self._terms.sync:
            self._run(self._sync_names())

    def _publish(self, segment: Segment) -> None:
        self._number += 1
        segment.publish(self.process_id, self._number)

    def _make(self) -> Segment:
        return segments.create(self._folder, self._name(), self._size)

    def _name(self) -> str:
        self._made += 1
        return f"{self.process_id}.{self._made}"

    async def _prepare(self) -> None:
        """Make the next segment in a thread, so that going on in it takes no time."""
        loop = asyncio.get_running_loop()
        try:
            self._spare = await loop.run_in_executor(None, segments.create, self._folder, self._name(), self._size)
        except OSError as error:
            self._alarm("journal", f"no spare segment could be made: {error}")
        finally:
            self._preparing = False

    def _judge(self) -> None:
        sizes = [(s.number, s.offset) for s in (self._segment, *self._old.values()) if s is not None]
        self.unmoved = sum(max(offset - self._moved.get(number, 0), 0) for number, offset in sizes)
        self.ready = self._segment is not None and self.unmoved < self._bound

    def _rescue(self, items: Sequence[Item]) -> None:
        """What cannot be written on file goes into the database, and only then the answers go out."""
        self._judge()
        self._run(self._into_database(items))

    async def _into_database(self, items: Sequence[Item]) -> None:
        """Records only: whoever has a note writes it into the database in any case."""
        records = [(record, undo) for _, record, _, undo in items if isinstance(record, Record)]
        try:
            await self._fallback([record for record, _ in records])
            kept = True
        except Exception as error:  # noqa: BLE001 - whatever it was, the calls must end
            self._alarm("journal", f"{len(records)} records could not be kept: {error!r}")
            self.uncertain += records
            kept = False
        for item in items:
            self._tell(item, kept and isinstance(item[1], Record))

    def _sync_soon(self) -> None:
        if self._syncing is None and self._loop is not None:
            self._syncing = self._loop.call_later(self._terms.sync, self._start_sync)

    def _start_sync(self) -> None:
        self._syncing = None
        self._run(self._sync())

    async def _sync(self) -> None:
        """Sync what was written so far; where that fails, nothing of it may be there: write it anew elsewhere."""
        count = len(self._unsynced)
        dirty, self._dirty = list(self._dirty.values()), {}
        try:
            await asyncio.get_running_loop().run_in_executor(None, _sync_all, [s.fd for s in dirty if s.fd >= 0])
            del self._unsynced[:count]
        except OSError as error:
            self._alarm("journal", f"syncing the journal failed: {error}")
            again, self._unsynced = self._unsynced, []
            self._next()
            if self._segment is not None:
                self._write_some(self._segment, again)
            self._judge()

    async def _sync_names(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(None, segments.sync_folder, self._folder)
        except OSError as error:
            self._alarm("journal", f"syncing the journal's folder failed: {error}")

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _sync_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.fsync(fd)


def _whole(data: Sequence[bytes], count: int) -> tuple[int, int]:
    """How many pieces lie in full within `count` bytes, and where the last of them ends."""
    whole = end = 0
    for piece in data:
        if end + len(piece) > count:
            break
        end += len(piece)
        whole += 1
    return whole, end
