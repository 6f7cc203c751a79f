"""What a statement does and gives is the same on SQLite and on PostgreSQL."""

from typing import Any

import pytest
from sqlalchemy import bindparam, delete, exists, func, literal, select, text, update
from sqlalchemy.sql.base import Executable

from support.items import items, make_tables
from unigate.store.database import ConstraintFailed, Database
from unigate.store.metadata import insert

TOP = 10**18
ADD = insert(items)
ADD_NEW = insert(items).on_conflict_do_nothing().returning(items.c.id, items.c.amount)
ALL = select(items.c.id, items.c.amount, items.c.note, items.c.body).order_by(items.c.id)
AMOUNT = select(items.c.amount).where(items.c.id == bindparam("which"))
TAKE = (
    update(items)
    .where(items.c.id == bindparam("which"), items.c.amount >= bindparam("taken"))
    .values(amount=items.c.amount - bindparam("taken"))
)


@pytest.fixture
def db(database_url: str, database: Database) -> Database:
    make_tables(database_url)
    return database


def item(name: str, amount: int = 0, note: str | None = None, body: bytes | None = None) -> dict[str, Any]:
    return {"id": name, "amount": amount, "note": note, "body": body}


async def test_values_come_back_as_they_went_in(db: Database) -> None:
    rows = [
        item("a", TOP, "größer 猫 🐈 '\"; --", bytes(range(256))),
        item("b", 0, "", b""),
        item("c", 2**31 + 5, None, None),
    ]
    async with db.writing() as tx:
        for row in rows:
            assert await tx.run(ADD, row) == 1
    async with db.reading() as tx:
        found = await tx.all(ALL)
    assert found == [tuple(row.values()) for row in rows]
    assert all(type(row) is tuple for row in found)
    assert type(found[0][3]) is bytes


async def test_one_gives_the_first_row_or_none(db: Database) -> None:
    async with db.writing() as tx:
        await tx.many(ADD, [item("a", 1), item("b", 2)])
        assert await tx.one(ALL) == ("a", 1, None, None)
        assert await tx.one(AMOUNT, {"which": "z"}) is None


async def test_run_counts_the_rows_it_touched(db: Database) -> None:
    async with db.writing() as tx:
        await tx.many(ADD, [item(name, 10) for name in "abc"])
        assert await tx.run(TAKE, {"which": "a", "taken": 11}) == 0
        assert await tx.run(TAKE, {"which": "a", "taken": 10}) == 1
        assert await tx.run(update(items).values(note=None)) == 3
        assert await tx.run(delete(items).where(items.c.amount == 10)) == 2
        assert await tx.run(delete(items).where(items.c.amount == 10)) == 0


async def test_returning_rows_of_an_update(db: Database) -> None:
    async with db.writing() as tx:
        await tx.many(ADD, [item(name, 10) for name in "abc"])
        changed = update(items).where(items.c.id != "b").values(amount=items.c.amount + 5)
        found = await tx.all(changed.returning(items.c.id, items.c.amount))
        assert sorted(found) == [("a", 15), ("c", 15)]
        assert await tx.run(changed.returning(items.c.id)) == 2


async def test_one_statement_object_upserts_on_both(db: Database) -> None:
    add = insert(items).values(id=bindparam("id"), amount=bindparam("amount"))
    add = add.on_conflict_do_update(index_elements=["id"], set_={"amount": items.c.amount + add.excluded.amount})
    async with db.writing() as tx:
        for amount in (TOP - 5, 2, 3):
            await tx.run(add, {"id": "a", "amount": amount})
        assert await tx.one(AMOUNT, {"which": "a"}) == (TOP,)


async def test_an_upsert_with_a_condition_may_touch_nothing(db: Database) -> None:
    add = insert(items).values(id=bindparam("id"), amount=bindparam("amount"))
    only_up = add.excluded.amount > items.c.amount
    add = add.on_conflict_do_update(index_elements=["id"], set_={"amount": add.excluded.amount}, where=only_up)
    async with db.writing() as tx:
        assert await tx.run(add, {"id": "a", "amount": 5}) == 1
        assert await tx.run(add, {"id": "a", "amount": 4}) == 0
        assert await tx.run(add, {"id": "a", "amount": 6}) == 1


async def test_insert_new_tells_only_of_what_was_new(db: Database) -> None:
    async with db.writing() as tx:
        assert await tx.insert_new(ADD_NEW, [item("a", 1), item("b", 2, "n", b"\0x")]) == [("a", 1), ("b", 2)]
        again = [item("b", 9), item("c", 3), item("c", 4), item("d", 5, "n")]
        assert await tx.insert_new(ADD_NEW, again) == [("c", 3)]
        assert await tx.insert_new(ADD_NEW, []) == []
    async with db.reading() as tx:
        assert await tx.all(ALL) == [("a", 1, None, None), ("b", 2, "n", b"\0x"), ("c", 3, None, None)]


async def test_insert_new_takes_500_rows(db: Database) -> None:
    rows = [item(f"{number:03}", number, f"n{number}", b"x" * number) for number in range(500)]
    async with db.writing() as tx:
        assert len(await tx.insert_new(ADD_NEW, rows)) == 500
        assert await tx.insert_new(ADD_NEW, rows) == []
        assert len(await tx.insert_new(ADD_NEW, [item("new"), *rows[1:]])) == 1
    async with db.reading() as tx:
        assert await tx.all(ALL) == [*(tuple(row.values()) for row in rows), ("new", 0, None, None)]


async def test_insert_new_refuses_what_it_cannot_repeat(db: Database) -> None:
    computed = insert(items).values(id=bindparam("id"), amount=items.c.amount + 1)
    async with db.writing() as tx:
        with pytest.raises(TypeError, match="plain parameters"):
            await tx.insert_new(computed, [{"id": "a"}])


async def test_many_runs_once_for_each(db: Database) -> None:
    async with db.writing() as tx:
        await tx.many(ADD, [item(name, 10) for name in "abc"])
        await tx.many(ADD, [])
        await tx.many(TAKE, [{"which": "a", "taken": 1}, {"which": "b", "taken": 2}, {"which": "z", "taken": 3}])
        assert [row[1] for row in await tx.all(ALL)] == [9, 8, 10]


async def test_a_list_of_any_length_for_in(db: Database) -> None:
    some = select(items.c.id).where(
        items.c.id.in_(bindparam("ids", expanding=True)), items.c.amount > bindparam("least")
    )
    async with db.writing() as tx:
        await tx.many(ADD, [item(name, ord(name)) for name in "abcd"])
        for ids, expected in ((["a", "c", "z"], ["a", "c"]), (["d"], ["d"]), ([], [])):
            assert sorted(row[0] for row in await tx.all(some, {"ids": ids, "least": 0})) == expected
        assert await tx.all(some, {"ids": ["a"], "least": ord("a")}) == []


async def test_sums_are_whole_numbers(db: Database) -> None:
    total = select(func.sum(items.c.amount), func.count(), func.coalesce(func.sum(items.c.amount), 0))
    async with db.writing() as tx:
        assert await tx.one(total) == (None, 0, 0)
        await tx.many(ADD, [item(name, TOP) for name in "abc"])
        row = await tx.one(total)
    assert row == (3 * TOP, 3, 3 * TOP)
    assert [type(value) for value in row] == [int, int, int]


async def test_numbers_in_a_statement_have_64_bits(db: Database) -> None:
    async with db.reading() as tx:
        assert await tx.one(select(literal(2**40), bindparam("n", 2**41))) == (2**40, 2**41)
        assert await tx.one(select(literal(3) + bindparam("n")), {"n": 2**40}) == (2**40 + 3,)


async def test_rows_may_be_locked_where_the_database_has_row_locks(db: Database) -> None:
    async with db.writing() as tx:
        await tx.run(ADD, item("a", 4))
        assert await tx.one(AMOUNT.with_for_update(), {"which": "a"}) == (4,)


async def test_plain_text_and_exists(db: Database) -> None:
    async with db.writing() as tx:
        await tx.run(ADD, item("a", 4))
        assert await tx.one(text("SELECT id FROM items WHERE id = :which"), {"which": "a"}) == ("a",)
        found = await tx.one(select(exists().where(items.c.id == "a")))
        assert found
        assert found[0] == 1


@pytest.mark.parametrize("params", [None, {}, {"which": "a", "more": 1}, {"where": "a"}])
async def test_parameters_must_fit(db: Database, params: dict[str, object] | None) -> None:
    async with db.reading() as tx:
        with pytest.raises(TypeError, match="parameters"):
            await tx.one(AMOUNT, params)
        assert await tx.one(AMOUNT, {"which": "a"}) is None  # nothing was sent, so the transaction is well


async def write(db: Database, *steps: tuple[Executable, dict[str, Any] | None]) -> None:
    async with db.writing() as tx:
        for statement, params in steps:
            await tx.run(statement, params)


async def refused(db: Database, *steps: tuple[Executable, dict[str, Any] | None]) -> str:
    """The kind of constraint that the last statement broke."""
    with pytest.raises(ConstraintFailed) as failure:
        await write(db, *steps)
    return failure.value.kind


async def test_constraints_say_what_they_are(db: Database) -> None:
    add, part = (ADD, item("a", 1, "stays")), text("INSERT INTO parts (item, place) VALUES (:item, 1)")
    assert await refused(db, add, (ADD, item("a", 2))) == "unique"
    assert await refused(db, add, (ADD, item("b", 2, "stays"))) == "unique"
    assert await refused(db, (ADD, item("a", -1))) == "check"
    assert await refused(db, (ADD, item("a", TOP + 1))) == "check"
    assert await refused(db, (part, {"item": "nobody"})) == "foreign_key"
    assert await refused(db, add, (delete(items), None)) == "trigger"
    assert await refused(db, (ADD, item("a") | {"amount": None})) == "other"
    async with db.reading() as tx:
        assert await tx.all(ALL) == []


async def test_a_sum_beyond_64_bits_is_refused_not_rounded(db: Database) -> None:
    grow = update(items).values(amount=items.c.amount + bindparam("more"))
    assert await refused(db, (ADD, item("a", TOP)), (grow, {"more": 2**63 - 1})) in {"check", "other"}


async def test_after_a_failed_statement_a_transaction_can_only_be_left(db: Database) -> None:
    async def go_on() -> None:
        async with db.writing() as tx:
            await tx.run(ADD, item("a"))
            with pytest.raises(ConstraintFailed):
                await tx.run(ADD, item("a"))
            with pytest.raises(RuntimeError, match="failed"):
                await tx.run(ADD, item("b"))

    with pytest.raises(RuntimeError, match="cannot be kept"):
        await go_on()
    async with db.reading() as tx:
        assert await tx.all(ALL) == []


async def test_insert_new_takes_more_values_than_one_statement_of_sqlite(db: Database) -> None:
    rows = [item(f"{number:05}") for number in range(9000)]
    async with db.writing() as tx:
        found = await tx.insert_new(ADD_NEW, rows)
        assert sorted(found) == [(row["id"], 0) for row in rows]
        assert await tx.one(select(func.count()).select_from(items)) == (9000,)
