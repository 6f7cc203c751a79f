"""Credit that is given, taken back and refunded while calls run: nothing below zero, and each nano-USD is somewhere."""

import asyncio
from dataclasses import replace

from billing_cases import KEY, QUICK, House, fund, key, settle
from billing_seen import money
from sqlalchemy import select

from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError
from unigate.billing.bank import Bank
from unigate.billing.credit import take_back
from unigate.store import ledger
from unigate.store.ledger_tables import usage

COST = 1000
GIVEN = 500 * COST


async def test_credit_moves_under_load(house: House) -> None:
    await fund(house.database, GIVEN)
    terms = replace(QUICK, hold_wait=10.0, recall_wait=5.0)
    stop = asyncio.Event()
    ended: list[str] = []

    async def caller(bank: Bank, number: int) -> None:
        mine = key(f"key_{number % 3}")
        while not stop.is_set():
            try:
                hold = bank.hold(mine, COST) or await bank.hold_slow(mine, COST, COST)
            except GatewayError as error:
                ended.append(str(error.status))
                await asyncio.sleep(0.01)
                continue
            await asyncio.sleep(0.002)
            assert await settle(hold, COST - number % 2)
            ended.append("ok")

    async def move() -> None:
        mover = house.mover()
        while not stop.is_set():
            await mover.step(house.database)
            await asyncio.sleep(0.01)
        mover.close()

    taken = given = refunded = 0
    async with house.open(terms) as first, house.open(terms) as second:
        at_work = [asyncio.ensure_future(caller(bank, n)) for bank in (first, second) for n in range(8)]
        at_work.append(asyncio.ensure_future(move()))
        turn = 0
        while turn < 12 or not refunded:
            turn += 1
            taken += await take_back(
                house.database, id=f"back_{turn}", wallet_id=KEY.wallet_id, amount=20 * COST, terms=terms
            )
            await fund(house.database, 30 * COST)
            given += 30 * COST
            refunded += await refund_some(house, turn)
        stop.set()
        await asyncio.gather(*at_work)
    report = await house.moved()
    assert (report.findings, report.held) == ((), 0)
    async with house.database.reading() as tx:
        charged = sum([int(row[0]) for row in await tx.all(select(usage.c.charged))])
    assert "ok" in ended
    assert set(ended) <= {"ok", "402"}, "neither 503 nor anything else"
    assert taken and refunded
    assert await money(house.database) == (GIVEN + given + refunded - taken - charged, 0)


async def refund_some(house: House, turn: int) -> int:
    """Give back all that a few calls cost, those that were not refunded; how much."""
    back = 0
    async with house.database.reading() as tx:
        rows = await tx.all(select(usage.c.id, usage.c.charged).where(usage.c.refunded == 0).limit(3))
    for id, cost in rows:
        async with house.database.writing() as tx:
            assert await ledger.refund(tx, id=f"refund_{turn}_{id}", call_id=id, amount=cost, at=now_ms())
        back += int(cost)
    return back
