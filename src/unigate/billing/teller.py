"""The teller carries a process's statements about money into the database, one transaction after the other.

Several statements share a transaction. One whose outcome is unknown is repeated with the same statements until it is
known; each try has a number that the database keeps, so a try that arrives late finds itself passed and does nothing,
and a repeated one finds out whether it was kept. Must not know what the statements mean.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from unigate.base.clock import Seconds
from unigate.base.errors import StoreUnavailable
from unigate.billing.journal import Alarm, Failpoint, no_failpoint
from unigate.spec.terms import Terms
from unigate.store import processes
from unigate.store.database import ConstraintFailed, Database, Tx

#: Statements in one transaction.
TOGETHER = 64


class Statement(Protocol):
    """Something that the database is to be told about money."""

    #: Statements of a transaction are carried out in the order of their wallets.
    wallet_id: str

    def prepare(self) -> None:
        """Settle the numbers, in the same turn of the loop in which the transaction begins; only once."""
        ...

    async def apply(self, tx: Tx) -> None:
        """Carry it out; keeps what came of it for `done`. May run again where the transaction was not kept."""
        ...

    async def recover(self, tx: Tx) -> None:
        """The transaction was kept but its answer lost: read what came of it."""
        ...

    def done(self) -> None:
        """The outcome is known and durable."""
        ...

    def failed(self, error: BaseException, /) -> None:
        """It was not and will not be carried out."""
        ...


class Passed(Exception):
    """The process no longer counts as alive."""


class _Awaited:
    """A statement whose outcome somebody waits for."""

    def __init__(self, statement: Statement) -> None:
        self.wallet_id = statement.wallet_id
        self.outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.prepare = statement.prepare
        self.apply = statement.apply
        self.recover = statement.recover
        self._statement = statement

    def done(self) -> None:
        try:
            self._statement.done()
        finally:
            self._tell(True)

    def failed(self, error: BaseException) -> None:
        try:
            self._statement.failed(error)
        finally:
            self._tell(False)

    def _tell(self, outcome: bool) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class _Tries:
    """What is known of the tries of one batch."""

    __slots__ = ("kept", "unknown")

    def __init__(self) -> None:
        #: Numbers of the transactions whose outcome is not known.
        self.unknown: set[int] = set()
        #: One of those turned out to have been kept.
        self.kept = False


class Teller:
    """Works off statements in order, for one process instance."""

    def __init__(
        self,
        database: Database,
        process_id: str,
        terms: Terms,
        *,
        alarm: Alarm,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        self._database = database
        self._process_id = process_id
        self._terms = terms
        self._alarm = alarm
        self._failpoint = failpoint
        self._queue: list[Statement] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turn = 0
        self._task: asyncio.Task[None] | None = None
        #: Set when the database says that this process no longer counts as alive.
        self.passed = False

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    def put(self, statement: Statement) -> None:
        """Queue a statement."""
        if self.passed:
            statement.failed(Passed())
            return
        self._queue.append(statement)
        self._idle.clear()
        self._wake.set()

    async def carry(self, statement: Statement) -> bool:
        """Queue a statement and wait for its outcome; False where it failed."""
        awaited = _Awaited(statement)
        self.put(awaited)
        return await awaited.outcome

    async def rest(self, seconds: Seconds) -> bool:
        """Wait until everything is carried out; False where that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Stop working; what is queued fails."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._give_up(())

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            batch, self._queue = self._queue[:TOGETHER], self._queue[TOGETHER:]
            if not self._queue:
                self._wake.clear()
            if batch:
                await self._carry(sorted(batch, key=lambda statement: statement.wallet_id))
            if not self._queue:
                self._idle.set()

    async def _carry(self, batch: Sequence[Statement]) -> None:
        ready = [statement for statement in batch if self._prepared(statement)]
        tries = _Tries()
        if len(ready) < 2 or not await self._carried(ready, tries, alone=False):
            for statement in ready:
                await self._carried([statement], tries, alone=True)

    async def _carried(self, batch: Sequence[Statement], tries: "_Tries", *, alone: bool) -> bool:
        """Carry statements out and tell them; False where they failed together and none has been told."""
        if self.passed:
            self._give_up(batch)
            return True
        try:
            await self._try(batch, tries)
        except asyncio.CancelledError:
            for statement in batch:
                self._told(statement, Passed())
            raise
        except Passed:
            self.passed = True
            self._give_up(batch)
        except Exception as error:  # noqa: BLE001 - one by one it shows whose fault it is, and the others go on
            if not alone:
                return False
            self._reject(batch, error)
        else:
            for statement in batch:
                self._told(statement, None)
        return True

    async def _try(self, batch: Sequence[Statement], tries: "_Tries") -> None:
        """One transaction, as often as it takes to know its outcome."""
        pause = self._terms.retry
        while True:
            self._turn += 1
            try:
                self._failpoint("teller.before_transaction")
                async with self._database.writing() as tx:
                    last = await processes.take_turn(tx, self._process_id, self._turn)
                    if last is None:
                        raise Passed
                    tries.kept = tries.kept or last in tries.unknown
                    for statement in batch:
                        await (statement.recover(tx) if tries.kept else statement.apply(tx))
                    self._failpoint("teller.before_commit")
                self._failpoint("teller.after_commit")
                return
            except StoreUnavailable:
                tries.unknown.add(self._turn)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._terms.beat)

    def _prepared(self, statement: Statement) -> bool:
        try:
            statement.prepare()
        except Exception as error:  # noqa: BLE001 - it must not stop the others
            self._reject([statement], error)
            return False
        return True

    def _reject(self, batch: Sequence[Statement], error: BaseException) -> None:
        kind = "constraint" if isinstance(error, ConstraintFailed) else "teller"
        self._alarm(kind, f"a statement about money failed: {error!r}")
        for statement in batch:
            self._told(statement, error)

    def _give_up(self, batch: Sequence[Statement]) -> None:
        rest, self._queue = self._queue, []
        for statement in (*batch, *rest):
            self._told(statement, Passed())
        self._idle.set()

    def _told(self, statement: Statement, error: BaseException | None) -> None:
        try:
            if error is None:
                statement.done()
            else:
                statement.failed(error)
        except Exception as failure:  # noqa: BLE001 - it must not stop the others
            self._alarm("teller", f"the end of a statement failed: {failure!r}")
