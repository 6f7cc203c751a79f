"""Exact holds that come to nothing: what may stand written beside one is taken back."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from billing_cases import KEY, LARGE, fund

from unigate.base.errors import StoreUnavailable
from unigate.billing.exact import Exact
from unigate.billing.lease import Account, Hold, Waiter, Wallet
from unigate.billing.statements import Desk
from unigate.store.database import Database, Tx
from unigate.store.holds import Purpose


class Beside:
    """What is written with a hold."""

    parts: Sequence[tuple[str, int]] = ()

    def __init__(self) -> None:
        self.taken_back = 0

    async def enter(self, tx: Tx) -> bool:
        return True

    async def entered(self, tx: Tx) -> bool:
        return True

    async def taken(self, tx: Tx) -> bool:
        return False

    def orphaned(self) -> None:
        self.taken_back += 1


@pytest.mark.parametrize("asks", [True, False], ids=["still asks", "asks no more"])
async def test_what_a_passed_process_may_have_written_is_taken_back(database: Database, asks: bool) -> None:
    await fund(database, LARGE)
    wallet, entry = Wallet("wal_1"), Beside()
    future: asyncio.Future[Hold] = asyncio.get_running_loop().create_future()
    purpose = Purpose(id="hld_1", wallet_id="wal_1", key_id=KEY.id, kind="task")
    waiter = Waiter(Account(KEY, wallet), 100, 100, purpose, day=20261121, hold=None, future=future, entry=entry)
    wallet.exact.append(waiter)
    exact = Exact(cast(Desk, None), wallet, 0)
    exact.prepare()
    if not asks:
        future.cancel()
    async with database.writing() as tx:
        await exact.apply(tx)
    exact.failed(StoreUnavailable(detail="as ordered"))
    assert entry.taken_back == int(asks)
    if asks:
        with pytest.raises(StoreUnavailable):
            await future
