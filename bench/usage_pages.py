"""How long the pages of usage take over many rows: `python -m bench.usage_pages [--rows N]`, on SQLite and PostgreSQL.

The rows are those of a month of a busy gateway: a few hundred keys that work by day, models from common to rare. They are
written as text and summed up by the migration's own statement; what is measured are the use cases that pages call.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from unigate.base.clock import now_ms
from unigate.manage import requests, usage
from unigate.manage.call_filter import CallFilter
from unigate.manage.desk import Desk
from unigate.manage.usage_csv import export_usage
from unigate.store.database import Database
from unigate.store.gateway_tables import usage_days, usage_hours
from unigate.store.hours import DIMENSIONS, FIGURES, HOUR_MS
from unigate.store.ledger_tables import usage as table
from unigate.store.migrate import migrate
from unigate.store.open import connect, sqlite_path
from unigate.store.pages import Page

DAYS, USERS, KEYS = 30, 200, 400
MODELS = [("gpt-4o-mini", 600), ("gpt-4o", 300), ("o3-mini", 90), ("text-embedding-3-small", 9), ("rare", 1)]
ENDS = [("completed", 970), ("caller_left", 20), ("failed", 9), ("upstream_broken", 1)]
ROUNDS = 7
BATCH = 10_000
#: Of one page, in milliseconds (see docs/performance.md).
GOAL = 200
COLUMNS = [column.name for column in table.c]


def made(count: int, until: int) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of their time; each key has a day of its own and two models."""
    draw = random.Random(1)
    names, weights = zip(*MODELS, strict=True)
    favourites = [draw.choices(names, weights, k=2) for _ in range(KEYS)]
    begins = [draw.randrange(24) for _ in range(KEYS)]
    awake = [[k for k in range(KEYS) if (hour - begins[k]) % 24 < 10] or [0] for hour in range(24)]
    step = DAYS * 24 * HOUR_MS / count
    ends, shares = zip(*ENDS, strict=True)
    for n in range(count):
        at = int(until - (count - n) * step)
        key = draw.choice(awake[at // HOUR_MS % 24])
        model = "rare" if draw.random() < 0.0001 else favourites[key][draw.random() < 0.2]
        cost = draw.randrange(1000, 1_000_000)
        row: dict[str, Any] = {
            "id": f"req_{n:026d}",
            "at": at,
            "user_id": f"usr_{key % USERS:03d}",
            "key_id": f"key_{key:03d}",
            "group_name": "default",
            "operation": "openai.embeddings" if "embedding" in model else "openai.chat",
            "model": model,
            "channel_id": f"ch_{len(model) % 2 + key % 2}",
            "upstream_model": model,
            "ended": draw.choices(ends, shares)[0],
            "units": '{"input":300,"output":50}',
            "input_tokens": 300,
            "output_tokens": 50,
            "cost": cost,
            "charged": cost,
            "status": 200,
            "multiplier": 1_000_000,
            "price_id": "prc_1",
            "attempts": "",
            "hold_id": f"hld_{key}",
            "transfer_id": f"tr_{n // 500}",
            "error": "",
            "upstream_request_id": f"up_{n}",
        }
        yield tuple(row.get(name, 0) for name in COLUMNS)


def fill_sqlite(url: str, count: int) -> None:
    """Write the rows and their hours."""
    import sqlite3  # noqa: PLC0415 - for this only

    connection = sqlite3.connect(sqlite_path(url))
    connection.execute("PRAGMA synchronous = OFF")
    marks = ", ".join("?" * len(COLUMNS))
    connection.executemany(f"INSERT INTO usage ({', '.join(COLUMNS)}) VALUES ({marks})", made(count, now_ms()))
    for statement in sums():
        connection.execute(statement)
    connection.commit()
    connection.close()


def fill_postgres(url: str, count: int) -> None:
    """The same by COPY."""
    import asyncpg  # noqa: PLC0415 - for this only

    async def run() -> None:
        connection = await asyncpg.connect(url)
        await connection.copy_records_to_table("usage", records=made(count, now_ms()), columns=COLUMNS)
        for statement in sums():
            await connection.execute(statement)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()

    asyncio.run(run())


def sums() -> list[str]:
    """Statements that sum the rows up by the hour and by the day, as the migration does it."""
    by = ", ".join(DIMENSIONS)
    figures = ", ".join("count(*)" if name == "calls" else f"sum({name})" for name in FIGURES)
    again = ", ".join(f"sum({name})" for name in FIGURES)
    names = ", ".join((*DIMENSIONS, *FIGURES))
    places = ", ".join(str(place) for place in range(1, len(DIMENSIONS) + 2))
    return [
        f"INSERT INTO usage_hours (hour, {names}) SELECT at / {HOUR_MS}, {by}, {figures} FROM usage GROUP BY {places}",
        f"INSERT INTO usage_days (day, {names}) SELECT hour / 24, {by}, {again} FROM usage_hours GROUP BY {places}",
    ]


def pages(desk: Desk) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is measured: name -> one page. Users, keys and channels are not asked by name, so none need be there."""
    now = now_ms()
    middle = (now - 15 * 24 * HOUR_MS, "req_")
    month = CallFilter(since=now - DAYS * 24 * HOUR_MS)

    def listed(wanted: CallFilter, *, own: str | None = None, after: tuple[int | str, ...] | None = None) -> Any:
        return lambda: usage.list_usage(desk, Page(after=after), wanted, own=own)

    def summed(wanted: CallFilter, **terms: Any) -> Any:
        return lambda: usage.overview(desk, wanted, **terms)

    async def first_lines() -> None:
        lines = await export_usage(desk, CallFilter(model="rare"))
        await anext(lines)
        await anext(lines)

    return {
        "list: newest": listed(CallFilter()),
        "list: from the middle": listed(CallFilter(), after=middle),
        "list: one user's": listed(CallFilter(), own="usr_007"),
        "list: one user's failed calls": listed(CallFilter(ended="failed"), own="usr_007"),
        "list: a common model": listed(CallFilter(model="gpt-4o")),
        "list: a rare model (1 in 10,000)": listed(CallFilter(model="rare")),
        "list: a rare end (1 in 1,000)": listed(CallFilter(ended="upstream_broken")),
        "list: a model that nobody called": listed(CallFilter(model="none")),
        "list: requests that failed in one day": lambda: requests.list_requests(
            desk, Page(), CallFilter(ended="failed", since=now - 10 * 24 * HOUR_MS, until=now - 9 * 24 * HOUR_MS)
        ),
        "overview: a day by the hour": summed(CallFilter(), step="hour"),
        "overview: a day by the hour and model": summed(CallFilter(), step="hour", by="model"),
        "overview: a month by the day": summed(month),
        "overview: a month by the day and model": summed(month, by="model"),
        "overview: a month by key, the highest ten": summed(month, step="all", by="key"),
        "overview: one user's month by the day": summed(month, own="usr_007"),
        "export: first 1,000 rows of a rare model": first_lines,
    }


async def measured(url: str) -> dict[str, float]:
    """Medians in milliseconds, the first time not counted; each page once per round, so that none is always warm."""
    db: Database = connect(url, statement=60.0)
    try:
        some = pages(Desk(db=db, secret="s"))
        times: dict[str, list[float]] = {name: [] for name in some}
        for _ in range(ROUNDS + 1):
            for name, page in some.items():
                began = time.perf_counter()
                await page()
                times[name].append((time.perf_counter() - began) * 1000)
        return {name: statistics.median(taken[1:]) for name, taken in times.items()}
    finally:
        await db.close()


async def counted(url: str) -> tuple[int, int, int]:
    """Rows of usage, of its hours and of its days."""
    db = connect(url, statement=60.0)
    try:
        desk = Desk(db=db, secret="s")
        total = (await usage.overview(desk, CallFilter(since=0), step="all")).total.calls
        async with db.reading() as tx:
            rows = [await tx.one(select(func.count()).select_from(one)) for one in (usage_hours, usage_days)]
        hours, days = (int(row[0]) if row is not None else 0 for row in rows)
        return total, hours, days
    finally:
        await db.close()


def run(count: int) -> dict[str, Any]:
    """Both databases: kind -> medians; and how many hours the rows made."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.postgres import Cluster, new_folder, remove  # noqa: PLC0415 - the tests' own server

    found: dict[str, Any] = {"rows": count}
    with tempfile.TemporaryDirectory(prefix="unigate-bench-") as home:
        url = f"sqlite:///{home}/usage.db"
        migrate(url)
        fill_sqlite(url, count)
        rows, found["hours"], found["days"] = asyncio.run(counted(url))
        found["void"] = [] if rows == count else [f"usage pages: {rows} of {count} rows are in their hours"]
        found["sqlite"] = asyncio.run(measured(url))
    folder = new_folder()
    cluster = Cluster(folder, shared_buffers="256MB")
    try:
        cluster.start()
        url = cluster.create("usage")
        migrate(url)
        fill_postgres(url, count)
        found["postgresql"] = asyncio.run(measured(url))
    finally:
        remove(folder)
    return found


def table_of(found: dict[str, Any]) -> list[str]:
    """Lines for people: each page on both databases."""
    size = f"{found['rows'] / 1e6:g} million rows"
    return [
        f"| usage pages, {size}: {name}, ms | SQLite {taken:.1f} | PostgreSQL {found['postgresql'][name]:.1f} |"
        for name, taken in found["sqlite"].items()
    ]


def main() -> None:
    """Measure, and print the lines."""
    parser = argparse.ArgumentParser(prog="bench.usage_pages")
    parser.add_argument("--rows", type=int, default=1_000_000)
    found = run(parser.parse_args().rows)
    print("| what | value | against |", "| --- | --- | --- |", *table_of(found), sep="\n")
    print(json.dumps({name: found[name] for name in ("hours", "days", "void")}))


if __name__ == "__main__":
    main()
