"""A SQLite file that is held, full, broken or gone: StoreUnavailable in time, and service returns by itself."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import bindparam, func, select

from support.items import items, make_tables
from unigate.base.errors import StoreUnavailable
from unigate.store.database import Database
from unigate.store.metadata import insert
from unigate.store.open import sqlite_path
from unigate.store.sqlite import open_file

Opening = Callable[..., Database]

ADD = insert(items).values(id=bindparam("id"), amount=1)
COUNT = select(func.count()).select_from(items)


@pytest.fixture
def path(sqlite_url: str) -> Path:
    make_tables(sqlite_url)
    return sqlite_path(sqlite_url)


async def add(db: Database, name: str) -> None:
    async with db.writing() as tx:
        await tx.run(ADD, {"id": name})


async def count(db: Database) -> int:
    async with db.reading() as tx:
        row = await tx.one(COUNT)
    assert row
    return int(row[0])


async def test_commits_are_synced_and_readers_do_not_wait(path: Path, sqlite_url: str, opening: Opening) -> None:
    db = opening(sqlite_url)
    await add(db, "a")
    connection = open_file(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    connection.close()


async def test_held_by_another_process(path: Path, sqlite_url: str, opening: Opening) -> None:
    """Every caller gets an answer within the bound, and the event loop goes on meanwhile."""
    db = opening(sqlite_url, wait=1.0)
    await add(db, "before")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    longest, running = 0.0, True

    async def tick() -> None:
        nonlocal longest
        while running:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

    ticking = asyncio.create_task(tick())
    began = time.monotonic()
    outcomes = await asyncio.gather(*(add(db, f"n{number}") for number in range(50)), return_exceptions=True)
    took = time.monotonic() - began
    running = False
    await ticking
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert took < 2.5
    assert longest < 0.7  # far below the wait itself
    assert await count(db) == 1  # readers are not kept out
    holder.execute("COMMIT")
    holder.close()
    await add(db, "after")
    assert await count(db) == 2


async def test_a_short_hold_is_only_waited_for(path: Path, sqlite_url: str, opening: Opening) -> None:
    db = opening(sqlite_url, wait=10.0)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    adding = asyncio.create_task(add(db, "a"))
    await asyncio.sleep(0.1)
    assert not adding.done()
    holder.execute("COMMIT")
    holder.close()
    await adding
    assert await count(db) == 1


async def test_a_file_that_is_not_there(tmp_path: Path, opening: Opening) -> None:
    """It is never made by accident: an empty database would look like one without any user."""
    db = opening(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(StoreUnavailable):
        await add(db, "a")
    with pytest.raises(StoreUnavailable):
        await count(db)
    assert list(tmp_path.iterdir()) == []


async def test_a_broken_file_and_its_return(path: Path, sqlite_url: str, opening: Opening) -> None:
    sound = path.read_bytes()
    path.write_bytes(b"this is no database" * 1000)
    db = opening(sqlite_url)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await add(db, "a")
        with pytest.raises(StoreUnavailable):
            await count(db)
    path.write_bytes(sound)
    await add(db, "a")
    assert await count(db) == 1


def test_a_name_with_special_characters(tmp_path: Path) -> None:
    path = tmp_path / "a b%20?#&ü.db"
    sqlite3.connect(path).close()
    path.touch()
    connection = open_file(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    assert path.stat().st_size > 0
    assert not (tmp_path / "a b ").exists()


_FULL = """
import asyncio, resource, signal, sys
from sqlalchemy import text
from unigate.base.errors import StoreUnavailable
from unigate.store.open import connect

async def main(url):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    db = connect(url)
    add = text("INSERT INTO items (id, amount, body) VALUES (:id, 1, :body)")

    async def insert(name):
        async with db.writing() as tx:
            await tx.run(add, {"id": name, "body": bytes(300_000)})

    await insert("first")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    refused = 0
    for number in range(8):
        try:
            await insert(f"n{number}")
        except StoreUnavailable:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await insert("last")
    async with db.reading() as tx:
        count = await tx.one(text("SELECT count(*) FROM items"))
        sound = await tx.one(text("PRAGMA integrity_check"))
    await db.close()
    print(refused, count[0], sound[0])

asyncio.run(main(sys.argv[1]))
"""


def test_a_full_disk_and_its_return(path: Path, sqlite_url: str) -> None:
    """What was refused is not there, what was confirmed is, and it goes on once there is room."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL, sqlite_url], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    refused, rows, sound = done.stdout.split()
    assert int(refused) > 0
    assert int(rows) == 2 + 8 - int(refused)
    assert sound == "ok"


_WRITER = """
import asyncio, sys
from sqlalchemy import text
from unigate.store.open import connect

async def main(url):
    db = connect(url)
    number = 0
    while True:
        async with db.writing() as tx:
            await tx.run(text("INSERT INTO items (id, amount) VALUES (:id, 1)"), {"id": str(number)})
        print(number, flush=True)
        number += 1

asyncio.run(main(sys.argv[1]))
"""


async def test_what_was_confirmed_survives_a_kill(path: Path, sqlite_url: str, opening: Opening) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, sqlite_url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        for line in writer.stdout:
            if line == "50\n":
                break
        os.kill(writer.pid, signal.SIGKILL)
        confirmed = 51 + len(writer.stdout.read().split())
    db = opening(sqlite_url)
    assert confirmed <= await count(db) <= confirmed + 1
    await add(db, "next")
