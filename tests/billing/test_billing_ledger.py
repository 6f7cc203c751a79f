"""The verbs on both databases: what they move, what they refuse, and that nothing happens twice."""

import pytest
from billing_cases import House, fund, record
from sqlalchemy import delete, select, update

from unigate.base.errors import BadRequest, Conflict, NoFunds, NotFound
from unigate.base.money import MAX_AMOUNT, MAX_SUM
from unigate.billing.check import check
from unigate.store import holds, ledger
from unigate.store.captures import capture
from unigate.store.database import ConstraintFailed, Database
from unigate.store.holds import Purpose, Window
from unigate.store.ledger_tables import accounts, transfers, usage, windows
from unigate.store.ledger_tables import holds as hold_rows

DAY = Window(id="key_1/20261121", budget=500)


def lease(id: str = "hld_1", *, day: Window | None = None, wallet: str = "wal_1") -> Purpose:
    return Purpose(id=id, wallet_id=wallet, key_id="key_1", kind="lease", process_id="prc_1", day=day)


async def wallet(database: Database, id: str = "wal_1") -> tuple[int, int, int]:
    """Granted, posted, held."""
    async with database.reading() as tx:
        row = await tx.one(select(accounts.c.granted, accounts.c.posted, accounts.c.held).where(accounts.c.id == id))
    assert row is not None
    return row[0], row[1], row[2]


async def window(database: Database, id: str) -> tuple[int, int]:
    """Held, captured."""
    async with database.reading() as tx:
        row = await tx.one(select(windows.c.held, windows.c.captured).where(windows.c.id == id))
    assert row is not None
    return row[0], row[1]


async def paid(database: Database, id: str) -> tuple[int, int, int]:
    """Charged, overrun, written off."""
    async with database.reading() as tx:
        row = await tx.one(select(usage.c.charged, usage.c.overrun, usage.c.written_off).where(usage.c.id == id))
    assert row is not None
    return row[0], row[1], row[2]


async def sound(database: Database, *, owners: bool = False) -> None:
    """The books agree with themselves (holds of these tests have no process)."""
    found = (await check(database)).findings
    assert [f for f in found if owners or f.rule != "an open hold has an owner"] == []


async def test_credit_is_given_once(database: Database) -> None:
    async with database.writing() as tx:
        await ledger.open_account(tx, "wal_1", 1)
        assert await ledger.grant(tx, id="t1", wallet_id="wal_1", amount=1000, at=1)
        assert not await ledger.grant(tx, id="t1", wallet_id="wal_1", amount=1000, at=2)
        await ledger.open_account(tx, "wal_1", 2)
    assert await wallet(database) == (1000, 1000, 0)
    with pytest.raises(Conflict):
        async with database.writing() as tx:
            await ledger.grant(tx, id="t1", wallet_id="wal_1", amount=1001, at=2)
    await sound(database)


async def test_amounts_have_bounds(database: Database) -> None:
    await fund(database, 0)
    for amount in (0, -1, MAX_AMOUNT + 1):
        with pytest.raises(BadRequest):
            async with database.writing() as tx:
                await ledger.grant(tx, id="t", wallet_id="wal_1", amount=amount, at=1)
    with pytest.raises(NotFound):
        async with database.writing() as tx:
            await ledger.grant(tx, id="t", wallet_id="nobody", amount=1, at=1)


async def test_a_wallet_has_a_cap(database: Database) -> None:
    await fund(database, MAX_AMOUNT)
    async with database.writing() as tx:
        for number in range(MAX_SUM // MAX_AMOUNT - 1):
            await ledger.grant(tx, id=f"t{number}", wallet_id="wal_1", amount=MAX_AMOUNT, at=1)
    with pytest.raises(BadRequest):
        async with database.writing() as tx:
            await ledger.grant(tx, id="t", wallet_id="wal_1", amount=1, at=1)
    assert await wallet(database) == (MAX_SUM, MAX_SUM, 0)
    await sound(database)


async def test_transfers_are_never_changed(database: Database) -> None:
    await fund(database, 1000)
    for statement in (update(transfers).values(amount=1), delete(transfers)):
        with pytest.raises(ConstraintFailed) as caught:
            async with database.writing() as tx:
                await tx.run(statement)
        assert caught.value.kind == "trigger"
    assert await wallet(database) == (1000, 1000, 0)


async def test_the_database_itself_refuses_what_cannot_be(database: Database) -> None:
    await fund(database, 1000)
    for values in ({"held": 1001}, {"posted": -1}, {"posted": 1001}, {"held": -1}, {"granted": MAX_SUM + 1}):
        with pytest.raises(ConstraintFailed):
            async with database.writing() as tx:
                await tx.run(update(accounts).values(**values))


async def test_a_hold_grows_lowers_and_closes(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        assert await holds.grow(tx, lease(), 300, step=1, at=1) == 300
        assert await holds.grow(tx, lease(), 200, step=2, at=1) == 500
    assert await wallet(database) == (1000, 1000, 500)
    async with database.writing() as tx:
        assert await holds.lower(tx, "hld_1", to=120, in_use=100, step=3, at=1)
    assert await wallet(database) == (1000, 1000, 120)
    async with database.writing() as tx:
        assert await holds.close(tx, "hld_1", at=1) == 120
        assert await holds.close(tx, "hld_1", at=1) == 0
    assert await wallet(database) == (1000, 1000, 0)
    await sound(database, owners=True)


async def test_a_statement_that_comes_again_or_late_changes_nothing(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(), 300, step=1, at=1)
        assert await holds.grow(tx, lease(), 300, step=1, at=1) == 300
        await holds.lower(tx, "hld_1", to=100, in_use=0, step=2, at=1)
        await holds.lower(tx, "hld_1", to=50, in_use=0, step=2, at=1)
        assert await holds.grow(tx, lease(), 300, step=1, at=1) == 100
    assert await wallet(database) == (1000, 1000, 100)


async def test_money_that_is_not_there_is_not_held(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        with pytest.raises(NoFunds):
            await holds.grow(tx, lease(), 1001, step=1, at=1)
        await holds.grow(tx, lease(), 1000, step=2, at=1)
        with pytest.raises(NoFunds):
            await holds.grow(tx, lease("hld_2"), 1, step=1, at=1)
        with pytest.raises(NoFunds):
            await holds.grow(tx, lease(wallet="nobody", id="hld_3"), 1, step=1, at=1)
    await sound(database)


async def test_a_budget_is_a_second_limit(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(day=DAY), 400, step=1, at=1)
        with pytest.raises(NoFunds):
            await holds.grow(tx, lease("hld_2", day=DAY), 101, step=1, at=1)
        await holds.grow(tx, lease("hld_2", day=DAY), 100, step=1, at=1)
        more = Window(id=DAY.id, budget=700)
        await holds.grow(tx, lease("hld_3", day=more), 200, step=1, at=1)
    assert await window(database, DAY.id) == (700, 0)
    async with database.writing() as tx:
        less = Window(id=DAY.id, budget=100)
        assert (await holds.funds(tx, "wal_1", "key_1", [less])).left == 0
        for id in ("hld_1", "hld_2", "hld_3"):
            await holds.close(tx, id, at=1)
    assert await window(database, DAY.id) == (0, 0)
    await sound(database, owners=True)


async def test_what_is_in_use_or_captured_cannot_be_lowered_away(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(), 300, step=1, at=1)
        await capture(tx, [record(200, hold="hld_1")], at=1)
    with pytest.raises(ValueError, match="lowered"):
        async with database.writing() as tx:
            await holds.lower(tx, "hld_1", to=199, in_use=199, step=2, at=1)
    assert await wallet(database) == (1000, 800, 100)
    await sound(database)


async def test_a_closed_hold_stays_closed(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.close(tx, "hld_1", at=1, tombstone=lease())
        with pytest.raises(NoFunds):
            await holds.grow(tx, lease(), 10, step=1, at=1)
        assert await holds.open_several(tx, [(lease(), 10)], at=1) == []
    assert await wallet(database) == (1000, 1000, 0)
    await sound(database, owners=True)


async def test_a_record_is_captured_once(database: Database) -> None:
    await fund(database, 1000)
    one, two = record(100, hold="hld_1"), record(50, hold="hld_1")
    async with database.writing() as tx:
        await holds.grow(tx, lease(day=DAY), 300, step=1, at=1)
        done = await capture(tx, [one, one], at=1)
        assert (done.rows, done.charged) == (1, 100)
        done = await capture(tx, [two, one], at=1)
        assert (done.rows, done.charged) == (1, 50)
        done = await capture(tx, [two, one], at=1)
        assert (done.rows, done.charged) == (0, 0)
    assert await wallet(database) == (1000, 850, 150)
    assert await window(database, DAY.id) == (150, 150)
    assert await window(database, "key_1/202611") == (0, 150)
    assert await window(database, "key_1/0") == (0, 150)
    async with database.reading() as tx:
        rows = await tx.all(select(transfers.c.amount).where(transfers.c.code == "capture"))
    assert sorted(rows) == [(50,), (100,)], "one transfer for each hold and batch that charged something"
    await sound(database)


async def test_a_single_hold_ends_with_its_record(database: Database) -> None:
    await fund(database, 1000)
    call = Purpose(id="hld_1", wallet_id="wal_1", key_id="key_1", kind="call", process_id="prc_1", day=DAY)
    async with database.writing() as tx:
        await holds.open_several(tx, [(call, 300)], at=1)
        await capture(tx, [record(100, hold="hld_1", single=True)], at=1)
    assert await wallet(database) == (1000, 900, 0)
    assert await window(database, DAY.id) == (0, 100)
    await sound(database, owners=True)


async def test_a_final_hold_ends_when_all_of_it_is_captured(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(), 300, step=1, at=1)
        await capture(tx, [record(100, hold="hld_1")], at=1)
        assert await holds.lower(tx, "hld_1", to=150, in_use=150, step=2, at=1, final=True)
        await capture(tx, [record(50, hold="hld_1")], at=1)
        row = await holds.read(tx, "hld_1")
        assert row is not None
        assert not row.open
        await holds.grow(tx, lease("hld_2"), 300, step=1, at=1)
        assert not await holds.lower(tx, "hld_2", to=0, in_use=0, step=2, at=1, final=True)
    assert await wallet(database) == (1000, 850, 0)
    await sound(database, owners=True)


async def test_an_overrun_is_taken_from_the_wallet(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(), 300, step=1, at=1)
        await capture(tx, [record(450, hold="hld_1", over=150, id="a")], at=1)
    assert await wallet(database) == (1000, 550, 0)
    assert await paid(database, "a") == (450, 150, 0)
    await sound(database)


async def test_only_what_the_wallet_lacks_is_written_off(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(), 300, step=1, at=1)
        await holds.grow(tx, lease("hld_2"), 600, step=1, at=1)
        done = await capture(tx, [record(450, hold="hld_1", over=150, id="a")], at=1)
        assert done.losses == {"wal_1": (50, 50)}
        done = await capture(tx, [record(7, hold="hld_1", over=7, id="b")], at=1)
        assert done.losses == {"wal_1": (7, 57)}
    assert await wallet(database) == (1000, 600, 600)
    assert await paid(database, "a") == (400, 100, 50)
    assert await paid(database, "b") == (0, 0, 7)
    await sound(database)


async def test_an_overrun_stays_within_the_budget(database: Database) -> None:
    await fund(database, 10_000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(day=DAY), 300, step=1, at=1)
        await holds.grow(tx, lease("hld_2", day=DAY), 150, step=1, at=1)
        records = [record(400, hold="hld_1", over=100, id="a"), record(160, hold="hld_2", over=10, id="b")]
        await capture(tx, records, at=1)
    assert await paid(database, "a") == (350, 50, 50)
    assert await paid(database, "b") == (150, 0, 10)
    assert await window(database, DAY.id) == (0, 500)
    await sound(database)


async def test_a_late_row_of_a_closed_hold_charges_the_wallet(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(), 300, step=1, at=1)
        await holds.close(tx, "hld_1", at=1)
        await holds.grow(tx, lease("hld_2"), 900, step=1, at=1)
        await capture(tx, [record(150, hold="hld_1", id="a")], at=1)
    assert await paid(database, "a") == (100, 100, 50)
    assert await wallet(database) == (1000, 900, 900)
    await sound(database)


async def test_records_of_an_unknown_hold_are_the_houses_loss(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        done = await capture(tx, [record(150, hold="nobody", id="a"), record(0, id="b")], at=1)
    assert done.unknown == ["nobody"]
    assert await paid(database, "a") == (0, 0, 150)
    assert await wallet(database) == (1000, 1000, 0)
    await sound(database)


async def test_many_wallets_in_one_batch(database: Database) -> None:
    records = []
    for number in range(50):
        await fund(database, 1000, wallet=f"wal_{number}")
        async with database.writing() as tx:
            await holds.grow(tx, lease(f"hld_{number}", wallet=f"wal_{number}"), 300, step=1, at=1)
        records += [record(number, hold=f"hld_{number}") for _ in range(3)]
    async with database.writing() as tx:
        done = await capture(tx, records, at=1)
    assert (done.rows, done.charged) == (150, 3 * sum(range(50)))
    assert await wallet(database, "wal_49") == (1000, 1000 - 147, 300 - 147)
    await sound(database)


async def test_credit_is_taken_back_as_far_as_it_is_spendable(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(), 300, step=1, at=1)
        assert await ledger.take_back(tx, id="b1", wallet_id="wal_1", amount=900, at=1) == 700
        assert await ledger.take_back(tx, id="b1", wallet_id="wal_1", amount=900, at=1) == 700
        assert await ledger.take_back(tx, id="b2", wallet_id="wal_1", amount=900, at=1) == 0
    assert await wallet(database) == (300, 300, 300)
    await sound(database)


async def test_a_refund_is_at_most_what_was_charged(database: Database) -> None:
    await fund(database, 1000)
    async with database.writing() as tx:
        await holds.grow(tx, lease(day=DAY), 300, step=1, at=1)
        await capture(tx, [record(200, hold="hld_1", id="a"), record(0, id="free")], at=1)
        assert await ledger.refund(tx, id="r1", call_id="a", amount=150, at=1)
        assert not await ledger.refund(tx, id="r1", call_id="a", amount=150, at=1)
    assert await wallet(database) == (1000, 950, 100)
    assert await window(database, DAY.id) == (100, 50)
    with pytest.raises(BadRequest):
        async with database.writing() as tx:
            await ledger.refund(tx, id="r2", call_id="a", amount=51, at=1)
    for call in ("free", "nobody"):
        with pytest.raises(NotFound):
            async with database.writing() as tx:
                await ledger.refund(tx, id="r3", call_id=call, amount=1, at=1)
    await sound(database)


async def test_text_that_a_database_cannot_hold(database: Database) -> None:
    strange = record(0, id="a")
    strange.model = "nul \0 in it"
    strange.error = "\U0001f600 \ud7ff"
    async with database.writing() as tx:
        await capture(tx, [strange], at=1)
        assert await tx.one(select(usage.c.model).where(usage.c.id == "a")) == ("nul � in it",)


CORRUPTIONS = {
    "posted is the sum of transfers": update(accounts).values(posted=accounts.c.posted - 1),
    "granted is the sum of grants": update(accounts).values(granted=accounts.c.granted + 1),
    "held is the sum of open holds": update(accounts).values(held=accounts.c.held + 1),
    "captured is the sum of rows": update(usage).where(usage.c.id == "a").values(cost=99, charged=99),
    "a window's captures are its rows": update(windows).where(windows.c.id == DAY.id).values(captured=7),
    "a window's held is that of its holds": update(windows).where(windows.c.id == DAY.id).values(held=7),
    "rows count in windows": delete(windows).where(windows.c.id == "key_1/0"),
    "overruns are the sum of transfers": update(usage).where(usage.c.id == "b").values(overrun=1),
    "losses are the sum of transfers": update(usage).where(usage.c.id == "b").values(cost=21, written_off=1),
    "a row's transfer exists": update(usage).where(usage.c.id == "a").values(transfer_id="tr_x"),
    "a row pays or is free": update(usage).where(usage.c.id == "a").values(transfer_id=""),
    "refunds are the sum of transfers": update(usage).where(usage.c.id == "a").values(refunded=5),
    "captured is the sum of transfers": update(hold_rows).values(captured=121, in_use=121),
    "an open hold has an owner": update(hold_rows).values(process_id="prc_gone"),
}


@pytest.mark.parametrize("rule", CORRUPTIONS)
async def test_the_check_finds_what_was_tampered_with(house: House, rule: str) -> None:
    await fund(house.database, 1000)
    async with house.open() as bank:
        async with house.database.writing() as tx:
            held = Purpose(
                id="hld_1", wallet_id="wal_1", key_id="key_1", kind="lease", process_id=bank.process_id, day=DAY
            )
            await holds.grow(tx, held, 300, step=1, at=1)
            await capture(tx, [record(100, hold="hld_1", id="a"), record(20, hold="hld_1", id="b")], at=1)
        assert (await check(house.database)).findings == ()
        async with house.database.writing() as tx:
            await tx.run(CORRUPTIONS[rule])
        found = {finding.rule for finding in (await check(house.database)).findings}
        assert rule in found
