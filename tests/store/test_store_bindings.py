"""Bindings: whose a vendor's id is, on both databases."""

from dataclasses import replace

import pytest

from unigate.spec.binding import Binding
from unigate.store import bindings
from unigate.store.database import Database
from unigate.store.pages import Page

ONE = Binding(
    kind="response",
    public_id="resp_1",
    upstream_id="resp_1",
    channel_id="ch_1",
    credential_id="crd_1",
    user_id="usr_1",
    model="m",
    created_at=5,
)


async def add(database: Database, binding: Binding) -> bool:
    async with database.writing() as tx:
        return await bindings.add(tx, binding)


async def find(database: Database, public_id: str = "resp_1", user_id: str = "usr_1", kind: str = "response") -> object:
    async with database.reading() as tx:
        return await bindings.find(tx, kind, public_id, user_id)


async def test_only_its_user_finds_it(database: Database) -> None:
    assert await add(database, ONE)
    assert await find(database) == ONE
    assert await find(database, user_id="usr_2") is None
    assert await find(database, "resp_2") is None
    assert await find(database, kind="file") is None


@pytest.mark.parametrize(
    "changed", [{"user_id": "usr_2"}, {"channel_id": "ch_2"}, {"credential_id": "crd_2"}, {"upstream_id": "resp_9"}]
)
async def test_what_is_bound_is_never_overwritten(database: Database, changed: dict[str, str]) -> None:
    assert await add(database, ONE)
    assert not await add(database, replace(ONE, **changed))  # type: ignore[arg-type]
    assert await find(database) == ONE
    assert await add(database, replace(ONE, created_at=9, model="n")), "the same thing may be bound again"
    assert await find(database) == ONE


async def test_only_its_user_removes_it(database: Database) -> None:
    await add(database, ONE)
    async with database.writing() as tx:
        await bindings.remove(tx, "response", "resp_1", "usr_2")
    assert await find(database) == ONE
    async with database.writing() as tx:
        await bindings.remove(tx, "response", "resp_1", "usr_1")
    assert await find(database) is None
    assert await add(database, replace(ONE, user_id="usr_2")), "a freed id may be anybody's"


async def test_a_user_pages_through_a_kind_from_either_end(database: Database) -> None:
    for number in range(1, 5):
        await add(database, replace(ONE, public_id=f"resp_{number}", created_at=number // 2))
    await add(database, replace(ONE, public_id="resp_9", user_id="usr_2"))
    await add(database, replace(ONE, public_id="vs_1", kind="vector_store"))

    async def page(limit: int, after: tuple[int, str] | None, *, newest_first: bool) -> tuple[list[str], bool]:
        async with database.reading() as tx:
            found = await bindings.page(
                tx, Page(limit=limit, after=after), "response", "usr_1", newest_first=newest_first
            )
        return [one.public_id for one in found.rows], found.next is not None

    every = [f"resp_{number}" for number in range(1, 5)]
    assert await page(9, None, newest_first=True) == (every[::-1], False)
    assert await page(9, None, newest_first=False) == (every, False)
    assert await page(2, None, newest_first=False) == (every[:2], True)
    assert await page(2, (1, "resp_2"), newest_first=False) == (every[2:], False)
    assert await page(2, (1, "resp_3"), newest_first=True) == (["resp_2", "resp_1"], False)
    assert await bindings_of(database, "resp_9") == "usr_2"
    assert await bindings_of(database, "resp_0") is None


async def bindings_of(database: Database, public_id: str) -> str | None:
    """Whose a response is."""
    async with database.reading() as tx:
        found = await bindings.anybodys(tx, "response", public_id)
    return None if found is None else found.user_id
