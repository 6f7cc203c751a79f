"""What the tests of the money read back from the database."""

import asyncio

from billing_cases import KEY
from sqlalchemy import select

from unigate.billing.bank import Bank
from unigate.mover import Mover
from unigate.spec.balance import Balance
from unigate.store import processes
from unigate.store.balances import user_balance
from unigate.store.database import Database
from unigate.store.ledger_tables import accounts, usage


async def held(database: Database) -> int:
    async with database.reading() as tx:
        row = await tx.one(select(accounts.c.held))
    assert row is not None
    return int(row[0])


async def rows(database: Database) -> list[tuple[str, int, int]]:
    """Usage rows: id, charged, written off."""
    async with database.reading() as tx:
        return [(r[0], r[1], r[2]) for r in await tx.all(select(usage.c.id, usage.c.charged, usage.c.written_off))]


async def comes(bank: Bank, balance: Balance, *, of_key: bool = False) -> None:
    """Wait until a balance is shown."""
    seen = None
    for _ in range(1000):
        seen = await bank.balance(KEY, of_key=of_key)
        if seen == balance:
            return
        await asyncio.sleep(0.01)
    assert seen == balance


async def charged(database: Database) -> list[tuple[str, int]]:
    async with database.reading() as tx:
        return [(str(r[0]), int(r[1])) for r in await tx.all(select(usage.c.id, usage.c.charged).order_by(usage.c.id))]


async def money(database: Database) -> tuple[int, int]:
    """Posted, held."""
    async with database.reading() as tx:
        row = await tx.one(select(accounts.c.posted, accounts.c.held))
    assert row is not None
    return int(row[0]), int(row[1])


async def state(database: Database, process_id: str) -> str | None:
    async with database.reading() as tx:
        return await processes.state(tx, process_id)


async def until_state(database: Database, mover: Mover, process_id: str, wanted: str) -> None:
    for _ in range(500):
        await mover.step(database)
        if await state(database, process_id) == wanted:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{process_id} did not become {wanted}")


async def shown(database: Database) -> Balance:
    """The balance of the user."""
    async with database.reading() as tx:
        return await user_balance(tx, KEY.wallet_id)
