"""The mover: one process per node that carries the journals of its workers into the database.

It follows all journals of a folder, living or dead, and gives back what dead processes held: on its own node on proof by
lock, on others when a beat has stood still for R on its own clock. It runs when the machine is idle; a thread of normal
priority takes over when it lags behind. Must not serve anything.
"""

import asyncio
import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import StoreUnavailable
from unigate.billing import segments
from unigate.billing.follow import Carrier, Followed, close_holds
from unigate.billing.journal import Alarm, Failpoint, no_failpoint
from unigate.spec.terms import Terms
from unigate.store import processes
from unigate.store.database import Database
from unigate.store.open import connect

LOCK = "mover.lock"
#: Seconds between two tries after the database failed.
PAUSE = 0.5
#: A thread that gives way so often and is back within so many seconds is in nobody's way.
_YIELDS, _PROMPT = 10, 0.002


class Mover:
    """What the mover knows; one step at a time, in whatever thread."""

    def __init__(
        self, folder: Path, node: str, *, terms: Terms, alarm: Alarm, failpoint: Failpoint = no_failpoint
    ) -> None:
        self._folder = folder
        self._node = node
        self._terms = terms
        self._alarm = alarm
        self._carrier = Carrier(folder, terms, alarm=alarm, failpoint=failpoint)
        self.journals: dict[str, Followed] = {}
        self._scanned = -terms.scan
        self._stepped = monotonic()
        #: Processes seen alive: id -> beat, for how long it has stood still, when it was last looked at.
        self._beats: dict[str, tuple[int, float, float]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def lag(self) -> float:
        """Seconds since the end of every journal was last reached, or since anybody looked at all."""
        since = [journal.caught_up for journal in self.journals.values() if not journal.stopped]
        return monotonic() - min([self._stepped, *since])

    async def step(self, database: Database, *, look: bool = False) -> int:
        """Move one batch of every journal; how many records there were. Raises StoreUnavailable.

        Now and then, or when told to `look`, it also looks for who died.
        """
        now = monotonic()
        self._list()
        if look or now - self._scanned >= self._terms.scan:
            self._scanned = now
            segments.sweep(self._folder)
            for journal in self.journals.values():
                self._prove(journal)
                if journal.stopped:
                    await self._carrier.look_again(database, journal)
            await self._watch(database)
        moved = 0
        for journal in list(self.journals.values()):
            moved += await self._carrier.move(database, journal)
            if journal.ended or not journal.numbers:
                journal.release()
                del self.journals[journal.process_id]
        self._stepped = monotonic()
        return moved

    async def drain(self, database: Database, *, seconds: float = 30.0) -> bool:
        """Move everything that can be moved, to the end of what the dead have left; False if time runs out."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            try:
                moved = await self.step(database, look=True)
            except StoreUnavailable:
                await asyncio.sleep(PAUSE)
                continue
            if not moved and all(journal.stopped or not journal.dead for journal in self.journals.values()):
                return True
        return False

    def close(self) -> None:
        """Let go of all files."""
        for journal in self.journals.values():
            journal.release()
        self.journals.clear()

    def _list(self) -> None:
        """Which journals and segments there are; taken before any of them is read."""
        found = segments.published(self._folder)
        for process_id, numbers in found.items():
            journal = self.journals.get(process_id)
            if journal is None:
                journal = self.journals[process_id] = Followed(process_id)
            journal.numbers = numbers
        for process_id in self.journals.keys() - found.keys():
            self.journals.pop(process_id).release()

    def _prove(self, journal: Followed) -> None:
        """Find out by their locks whether a journal's process is dead: all of them can be had."""
        if journal.dead or not journal.numbers:
            return
        locks: list[int] = []
        try:
            for number in journal.numbers:
                fd = segments.try_lock(segments.path_of(self._folder, journal.process_id, number))
                if fd is None:
                    break
                locks.append(fd)
            else:
                if segments.published(self._folder).get(journal.process_id) == journal.numbers:
                    journal.locks, locks = locks, []
        except FileNotFoundError:
            pass
        finally:
            for fd in locks:
                os.close(fd)

    async def _watch(self, database: Database) -> None:
        """Declare dead whose beat stood still for R, and close what they held.

        Only time between two looks that came one after the other counts, so that neither a sleep of ours nor a
        database that nobody could reach makes anybody dead.
        """
        async with database.reading() as tx:
            living = await processes.living(tx)
        now = monotonic()
        longest = 2 * max(self._terms.scan, self._terms.beat)
        seen: dict[str, tuple[int, float, float]] = {}
        for process_id, node, beat in living:
            if node == self._node and process_id in self.journals:
                continue  # its lock decides
            known, still, looked = self._beats.get(process_id, (beat, 0, now))
            still = still + (now - looked if now - looked <= longest else 0) if known == beat else 0
            seen[process_id] = (beat, still, now)
            if still >= self._terms.death:
                await self._declare_dead(database, process_id, beat, node)
                del seen[process_id]
        self._beats = seen

    async def _declare_dead(self, database: Database, process_id: str, beat: int, node: str) -> None:
        """Declare a process dead and close what it held, unless it has beaten in the meantime."""
        try:
            async with database.writing() as tx:
                dead = await processes.declare_dead(tx, process_id, beat, at=now_ms())
                if dead:
                    await close_holds(tx, process_id)
        except StoreUnavailable:
            self._beats.clear()  # where we cannot write, nobody could beat
            raise
        if dead:
            self._alarm("process", f"process {process_id} of node {node} was silent for too long: dead")


def lock(folder: Path) -> int | None:
    """Become the mover of this folder; None while another process is."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def main(
    database_url: str,
    folder: Path,
    node: str,
    *,
    terms: Terms | None = None,
    alarm: Alarm,
    failpoint: Failpoint = no_failpoint,
    drain: float = 30.0,
) -> None:
    """Run as the mover's process until SIGTERM or SIGINT; then move to the end, for at most `drain` seconds."""
    terms = terms or Terms()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    held = None
    while held is None:
        held = lock(folder)
        if held is None and stop.wait(PAUSE):
            return
    mover = Mover(folder, node, terms=terms, alarm=alarm, failpoint=failpoint)
    _Pair(mover, database_url, terms, alarm, stop).run()
    asyncio.run(_drain(mover, database_url, drain))
    mover.close()
    os.close(held)


class _Pair:
    """Two threads that share the mover: one for idle time, and one that takes over when that is not enough."""

    def __init__(self, mover: Mover, database_url: str, terms: Terms, alarm: Alarm, stop: threading.Event) -> None:
        self._mover = mover
        self._url = database_url
        self._terms = terms
        self._alarm = alarm
        self._stop = stop
        self._turn = threading.Lock()

    def run(self) -> None:
        """Work until told to stop."""
        idle = threading.Thread(target=self._idle, name="unigate-mover-idle", daemon=True)
        idle.start()
        asyncio.run(self._work(self._terms.lag, lambda: self._mover.lag > self._terms.lag))
        idle.join()

    def _idle(self) -> None:
        _only_when_idle()
        asyncio.run(self._work(self._terms.poll, _has_processor))

    async def _work(self, pause: float, wanted: Callable[[], bool]) -> None:
        """Step while wanted, else look again after a pause."""
        database = connect(self._url)
        rest = pause
        while not self._stop.is_set():
            if wanted():
                rest = await self._step(database)
            else:
                rest = min(pause, 1.0) * 0.25
            await asyncio.sleep(rest)
        await database.close()

    async def _step(self, database: Database) -> float:
        """One step under the common lock; seconds to rest after it."""
        with self._turn:
            try:
                moved = await self._mover.step(database)
            except StoreUnavailable:
                return PAUSE
            except Exception as error:  # noqa: BLE001 - the next step tries again
                self._alarm("mover", f"a step failed: {error!r}")
                return PAUSE
        if not moved:
            return self._terms.poll
        return moved / (self._terms.pace * (1 + self._mover.lag))


async def _drain(mover: Mover, database_url: str, seconds: float) -> None:
    database = connect(database_url)
    try:
        await mover.drain(database, seconds=seconds)
    finally:
        await database.close()


def _only_when_idle() -> None:
    """Let this thread, and those that it starts, run when nobody else wants to (elsewhere than on Linux: be nice)."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


def _has_processor() -> bool:
    """Whether this thread runs when it wants to, which one of idle priority does not on a busy machine.

    Looked at before a step: whoever stands still in the middle of a transaction keeps the database from everybody. What
    is left lying is the other thread's, once it lags.
    """
    began = monotonic()
    for _ in range(_YIELDS):
        os.sched_yield()
    return monotonic() - began < _PROMPT
