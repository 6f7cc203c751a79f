"""Any order of calls, crashes, moves and lost answers keeps the books exact.

And three ways of doing it wrong, which must show.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from billing_books import Action, Books
from billing_cases import Flaky
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.sql.base import Executable

from unigate.billing.bank import Bank
from unigate.billing.follow import close_holds
from unigate.store.database import ConstraintFailed, Database, Params, Row, Tx
from unigate.store.migrate import migrate


@pytest.fixture(autouse=True, scope="module")
def _template(tmp_path_factory: pytest.TempPathFactory) -> None:
    Books.template = tmp_path_factory.mktemp("template") / "unigate.db"
    migrate(f"sqlite:///{Books.template}")


#: What may happen, and how often in comparison.
WEIGHTS = {
    "calls": 4,
    "hold": 4,
    "settle": 5,
    "grow": 2,
    "move": 2,
    "move_unheard": 1,
    "another_mover": 1,
    "beat": 2,
    "top_up": 1,
    "trouble": 1,
    "start": 2,
    "kill": 1,
    "end": 1,
    "lose": 1,
}
NAMES = [name for name, weight in WEIGHTS.items() for _ in range(weight)]
NUMBER = st.integers(0, 99)
ACTIONS = st.lists(st.tuples(st.sampled_from(NAMES), st.tuples(NUMBER, NUMBER, NUMBER)), min_size=30, max_size=60)
BOUNDS = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
)


@BOUNDS
@given(ACTIONS)
def test_the_books_are_exact(actions: Sequence[Action]) -> None:
    Books.play(actions)


class Everything:
    """A transaction that says of all rows of the table `usage` that they are new."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def insert_new(self, statement: Executable, rows: Sequence[Params]) -> list[Row]:
        made = await self._tx.insert_new(statement, rows)
        return [(row["id"],) for row in rows] if "INTO usage" in str(statement) else made


class DebitsTheBatch(Books):
    """Captures what a batch sums up to, rather than the rows that it inserted."""

    def make(self, real: Database) -> Flaky:
        class Mutant(Flaky):
            @asynccontextmanager
            async def writing(self) -> AsyncIterator[Tx]:
                async with super().writing() as tx:
                    yield Everything(tx)

        return Mutant(real)


class ClosesTooEarly(Books):
    """Closes what a dead process held before its journal is moved."""

    def after_kill(self, bank: Bank) -> None:
        async def close() -> None:
            async with self.flaky.real.writing() as tx:
                await close_holds(tx, bank.process_id)

        self.run(close())


class DeclaresDeadByTheClock(Books):
    """Reclaims what a living process holds, because it was silent for a while."""

    def another_mover(self, node: str) -> None:
        super().another_mover(node)

        async def close() -> None:
            async with self.flaky.real.writing() as tx:
                for bank, of_node in self.banks:
                    if of_node == node:
                        await close_holds(tx, bank.process_id)

        self.run(close())


@pytest.mark.parametrize("mutant", [DebitsTheBatch, ClosesTooEarly, DeclaresDeadByTheClock])
def test_a_mistake_shows(mutant: type[Books]) -> None:
    @settings(BOUNDS, max_examples=100, phases=(Phase.generate,))
    @given(ACTIONS)
    def play(actions: Sequence[Action]) -> None:
        mutant.play(actions)

    with pytest.raises((AssertionError, ConstraintFailed)):
        play()
