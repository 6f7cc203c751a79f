"""Following a journal: reading its segments in order and moving their records into the database, in batches.

Replay after a crash and following a living process are the same. What was moved is noted in the transaction that moved
it, and a segment is deleted only after that. Damage before good records stops a journal; only what a process left half
written at its end is cut off. Must not decide who is dead.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from unigate.base.clock import Seconds, monotonic, now_ms
from unigate.base.errors import StoreUnavailable
from unigate.billing import segments
from unigate.billing.format import HEAD, LONGEST, Entry, any_record, blank, decode, read
from unigate.billing.journal import Alarm, Failpoint
from unigate.spec.record import Note, Record
from unigate.spec.terms import Terms
from unigate.store import holds, processes, task_changes
from unigate.store.captures import Captured, capture
from unigate.store.database import Database, Tx

#: Bytes read at once, the next where those before end in the middle of the first record: most looks find nothing, most
#: others find little, and the last is more than the longest record.
PIECES = (HEAD, 2**18, 2 * LONGEST)


class Followed:
    """One process's journal as the mover sees it."""

    __slots__ = ("_file", "_torn_since", "caught_up", "ended", "locks", "numbers", "position", "process_id", "stopped")

    def __init__(self, process_id: str) -> None:
        self.process_id = process_id
        #: Segments that are to be moved, in order, and how far the first of them has been.
        self.numbers: list[int] = []
        self.position: int | None = None
        #: Locks of a dead process's segments; held, they are the proof.
        self.locks: list[int] = []
        #: Nothing of it is left.
        self.ended = False
        #: It was found damaged.
        self.stopped = False
        #: When its end was last reached.
        self.caught_up = monotonic()
        self._file: tuple[int, int] | None = None
        self._torn_since: Seconds | None = None

    @property
    def dead(self) -> bool:
        """Whether its process is proven dead."""
        return bool(self.locks)

    def read(self, path: Path, number: int, size: int) -> bytes:
        """Bytes of a segment from the position on."""
        if self._file is None or self._file[0] != number:
            self.close_file()
            self._file = (number, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return os.pread(self._file[1], size, self.position or 0)

    def close_file(self) -> None:
        """Let go of the file that is being read."""
        if self._file is not None:
            os.close(self._file[1])
            self._file = None

    def release(self) -> None:
        """Let go of everything."""
        self.close_file()
        for fd in self.locks:
            os.close(fd)
        self.locks = []

    def torn_for(self) -> Seconds:
        """Seconds for which the record at the position has been incomplete."""
        now = monotonic()
        if self._torn_since is None:
            self._torn_since = now
        return now - self._torn_since

    def whole(self) -> None:
        """The record at the position is complete, or was not begun."""
        self._torn_since = None


class Carrier:
    """Moves records of journals into a database."""

    def __init__(self, folder: Path, terms: Terms, *, alarm: Alarm, failpoint: Failpoint) -> None:
        self._folder = folder
        self._terms = terms
        self._alarm = alarm
        self._failpoint = failpoint

    async def move(self, database: Database, journal: Followed) -> int:
        """Move one batch of a journal; how many records it had. Raises StoreUnavailable."""
        if journal.stopped or journal.ended or not journal.numbers:
            return 0
        number = journal.numbers[0]
        finished = journal.dead or len(journal.numbers) > 1
        if journal.position is None and not await self._find(database, journal, number):
            return 0
        path = segments.path_of(self._folder, journal.process_id, number)
        data, entries, end = self._ahead(journal, path, number)
        if entries:
            journal.whole()
            await self._store(database, journal, number, entries, (journal.position or 0) + end)
            return len(entries)
        if finished:
            await self._finish(database, journal, number, path)
            return await self.move(database, journal)
        if blank(data, 0):
            journal.whole()
            journal.caught_up = monotonic()
        elif journal.torn_for() > self._terms.torn and any_record(journal.read(path, number, self._rest(path)), 1):
            await self._stop(database, journal, number)
        return 0

    async def look_again(self, database: Database, journal: Followed) -> None:
        """See whether an operator has let a damaged journal go on."""
        async with database.reading() as tx:
            known = await processes.positions(tx, journal.process_id)
        if not any(state == "stopped" for _, state in known.values()):
            journal.stopped = False
            journal.position = None
            journal.whole()

    def _ahead(self, journal: Followed, path: Path, number: int) -> tuple[bytes, list[Entry], int]:
        """What stands at the position: bytes, a batch of records in them, and the offset behind these."""
        data, entries, end = b"", list[Entry](), 0
        for size in PIECES:
            data = journal.read(path, number, size)
            entries, end = read(data, 0, self._terms.batch)
            if entries or blank(data, 0):
                break
        return data, entries, end

    def _rest(self, path: Path) -> int:
        return path.stat().st_size + 1

    async def _find(self, database: Database, journal: Followed, number: int) -> bool:
        """Learn how far a segment was moved before; False if there is nothing to move in it."""
        async with database.reading() as tx:
            known = await processes.positions(tx, journal.process_id)
        journal.position, state = known.get(number, (0, "open"))
        if state == "stopped":
            journal.stopped = True
            return False
        if state == "moved" and not (journal.dead and len(journal.numbers) == 1):
            self._drop(journal, number)
            return False
        return True

    async def _store(
        self, database: Database, journal: Followed, number: int, entries: Sequence[Entry], position: int
    ) -> None:
        records, notes, bad = self._decoded(journal, number, entries)
        try:
            self._failpoint("mover.before_transaction")
            async with database.writing() as tx:
                done = await _carry(tx, records, notes)
                await processes.put_aside(tx, bad, at=now_ms())
                await processes.set_position(tx, journal.process_id, number, position)
                self._failpoint("mover.before_commit")
            self._failpoint("mover.after_commit")
            self._look_at(done)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one by one it shows which record it is
            self._alarm("mover", f"a batch of journal {journal.process_id} failed: {error!r}")
            await self._store_singly(database, journal, number, entries)
        for _, _, reason in bad:
            self._alarm("record", f"a record of journal {journal.process_id} was set aside: {reason}")
        journal.position = position

    async def _store_singly(self, database: Database, journal: Followed, number: int, entries: Sequence[Entry]) -> None:
        for entry in entries:
            records, notes, bad = self._decoded(journal, number, [entry])
            try:
                async with database.writing() as tx:
                    done = await _carry(tx, records, notes)
                self._look_at(done)
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - it is kept, and told
                bad = [(self._name(journal, number, entry), entry.payload, repr(error))]
                self._alarm("record", f"a record of journal {journal.process_id} was set aside: {error!r}")
            async with database.writing() as tx:
                await processes.put_aside(tx, bad, at=now_ms())
                end = (journal.position or 0) + entry.end
                await processes.set_position(tx, journal.process_id, number, end)

    def _decoded(
        self, journal: Followed, number: int, entries: Sequence[Entry]
    ) -> tuple[list[Record], list[Note], list[tuple[str, bytes, str]]]:
        records: list[Record] = []
        notes: list[Note] = []
        bad: list[tuple[str, bytes, str]] = []
        for entry in entries:
            try:
                found = decode(entry)
            except ValueError as error:
                bad.append((self._name(journal, number, entry), entry.payload, str(error)))
                continue
            if isinstance(found, Note):
                notes.append(found)
            else:
                records.append(found)
        return records, notes, bad

    def _name(self, journal: Followed, number: int, entry: Entry) -> str:
        return f"{journal.process_id}.{number:08d}.{(journal.position or 0) + entry.end}"

    async def _finish(self, database: Database, journal: Followed, number: int, path: Path) -> None:
        """A segment has no more records: it is moved, and with a dead process's last one everything ends."""
        if any_record(journal.read(path, number, self._rest(path)), 1):
            await self._stop(database, journal, number)
            return
        last = journal.dead and len(journal.numbers) == 1
        async with database.writing() as tx:
            await processes.set_position(tx, journal.process_id, number, journal.position or 0, state="moved")
            if last:
                await close_holds(tx, journal.process_id)
                await processes.set_gone(tx, journal.process_id, at=now_ms())
            self._failpoint("mover.before_end_commit")
        self._failpoint("mover.before_delete")
        self._drop(journal, number)
        self._failpoint("mover.after_delete")
        if last:
            journal.ended = True

    def _drop(self, journal: Followed, number: int) -> None:
        """Delete a segment that is in the database."""
        journal.close_file()
        segments.path_of(self._folder, journal.process_id, number).unlink(missing_ok=True)
        journal.numbers.remove(number)
        journal.position = None
        journal.whole()

    async def _stop(self, database: Database, journal: Followed, number: int) -> None:
        """Damage before good records: keep everything as it is, and tell the operator."""
        reason = f"damaged at {journal.position}, with records behind it"
        async with database.writing() as tx:
            position = journal.position or 0
            await processes.set_position(tx, journal.process_id, number, position, state="stopped", reason=reason)
        journal.stopped = True
        self._alarm("journal", f"segment {number} of journal {journal.process_id} is {reason}; it is no longer moved")

    def _look_at(self, done: Captured) -> None:
        for hold in done.unknown:
            self._alarm("ledger", f"records name the hold {hold}, which does not exist; their cost is written off")
        for wallet, (lost, today) in done.losses.items():
            if today > self._terms.daily_loss >= today - lost:
                self._alarm("loss", f"more than {self._terms.daily_loss} nano-USD were lost on wallet {wallet} today")


async def _carry(tx: Tx, records: Sequence[Record], notes: Sequence[Note]) -> Captured:
    """Notes first, by task: their rows are locked before any wallet, as where tasks end."""
    if notes:
        told = sorted({note.id: note for note in notes}.values(), key=lambda note: note.id)
        rows = [(note.id, note.channel, note.credential, note.handle) for note in told]
        await task_changes.note_handles(tx, rows, now=now_ms())
    return await capture(tx, records, at=now_ms())


async def close_holds(tx: Tx, process_id: str) -> None:
    """Close all open holds of a dead process; what was not captured returns."""
    for hold in await holds.of_process(tx, process_id):
        await holds.close(tx, hold.id, at=now_ms())
