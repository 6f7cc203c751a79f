"""Outboxes, webhooks and messages for tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from unigate.access.secrets import Vault
from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.live_settings import NotifySettings
from unigate.store import outbox as rows
from unigate.store import webhooks as webhook_rows
from unigate.store.database import Database
from unigate.store.outbox import Delivery, OutboxRow
from unigate.store.webhooks import Webhook
from unigate.tasks.notices import Dialects, message, spoken
from unigate.tasks.outbox import Outbox
from unigate.tasks.signing import Secrets
from unigate.upstream import Client, ClientLimits
from unigate.upstream.resolve import Lookup

SECRET = "hooks-secret-hooks-secret"
VAULT = Vault(SECRET)
SECRETS = Secrets(gateway=(SECRET,), unseal=VAULT.open)
USER = "usr_test"
#: Pauses short enough to wait for, on addresses of this machine.
QUICK = NotifySettings(allow_private_targets=True, tries=(0.0, *[0.05] * 7), jitter=0.5, seconds=5.0)


def quick(**changes: Any) -> NotifySettings:
    """Short terms with changes."""
    given = {name: getattr(QUICK, name) for name in QUICK.__struct_fields__}
    return NotifySettings(**{**given, **changes})


@asynccontextmanager
async def delivering(
    db: Database, terms: NotifySettings = QUICK, *, lookup: Lookup | None = None, dialects: Dialects = spoken
) -> AsyncIterator[Outbox]:
    """A running outbox, which has ended when the block has."""
    client = Client(ClientLimits(sweep_seconds=0.05, kept_heads=8), lookup=lookup)
    outbox = Outbox(db, client, SECRETS, lambda: terms, dialects=dialects)
    async with asyncio.TaskGroup() as group:
        group.create_task(outbox.run())
        try:
            yield outbox
        finally:
            outbox.stop()
    await client.close()


def letter(url: str, **more: Any) -> OutboxRow:
    """A signed message."""
    given: dict[str, Any] = {
        "user_id": USER,
        "form": "standard",
        "event": "task.succeeded",
        "url": url,
        "headers": ((b"content-type", b"application/json"),),
        "signed": True,
        "body": b'{"type":"task.succeeded"}',
    }
    columns = {name: more.pop(name) for name in ("due_at", "state", "tries", "created_at") if name in more}
    return replace(message(**{**given, **more}), **columns)


async def put(db: Database, *letters: OutboxRow) -> list[str]:
    """Write messages; their ids."""
    async with db.writing() as tx:
        await rows.add(tx, letters)
    return [row.id for row in letters]


async def webhook(db: Database, url: str, **more: Any) -> Webhook:
    """A webhook in the database."""
    made = Webhook(
        id=ids.new("hook"),
        user_id=USER,
        url=url,
        events="[]",
        secret=b"",
        enabled=1,
        disabled_because="",
        failing_since=0,
        created_at=now_ms(),
    )
    made = replace(made, **more)
    async with db.writing() as tx:
        await webhook_rows.add(tx, made)
    return made


async def found(db: Database, id: str) -> OutboxRow:
    """A message as it stands."""
    async with db.reading() as tx:
        row = await rows.by_id(tx, id)
    assert row is not None
    return row


async def tries(db: Database, id: str) -> list[Delivery]:
    """The tries of a message."""
    async with db.reading() as tx:
        return (await rows.tries(tx, [id]))[id]


async def until_so(condition: Callable[[], Awaitable[object]], *, seconds: float = 20.0) -> None:
    """Return once the condition, which asks the database, holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the state is in the database
            await asyncio.sleep(0.02)


async def ended(db: Database, ids: Sequence[str], *, seconds: float = 20.0) -> list[OutboxRow]:
    """Messages once all of them have ended."""

    async def all_ended() -> bool:
        return all([(await found(db, id)).state != "waiting" for id in ids])

    await until_so(all_ended, seconds=seconds)
    return [await found(db, id) for id in ids]
