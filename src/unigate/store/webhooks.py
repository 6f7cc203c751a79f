"""Users' own webhooks as rows."""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from unigate.store.database import Tx
from unigate.store.pages import Listing, Page, Slice
from unigate.store.task_tables import webhooks


@dataclass(frozen=True, slots=True)
class Webhook:
    """A row of `webhooks`; events as JSON text, `secret` sealed (empty: the user's own), times in ms since 1970."""

    id: str
    user_id: str
    url: str
    events: str
    secret: bytes
    enabled: int
    disabled_because: str
    failing_since: int
    created_at: int


_THE_ONE = webhooks.c.id == bindparam("of")
_ADD = insert(webhooks)
_SOME = select(webhooks).where(webhooks.c.id.in_(bindparam("ids", expanding=True)))
_OF_USER = (
    select(webhooks).where(webhooks.c.user_id == bindparam("user"), webhooks.c.enabled == 1).order_by(webhooks.c.id)
)
_LOCK = select(webhooks.c.id).where(webhooks.c.user_id == bindparam("user")).order_by(webhooks.c.id).with_for_update()
_SEALED = select(webhooks).where(func.length(webhooks.c.secret) > 0).order_by(webhooks.c.id)
_COUNT = select(func.count()).select_from(webhooks).where(webhooks.c.user_id == bindparam("user"))
_CHANGES = ("url", "events", "secret", "enabled", "disabled_because", "failing_since")
_SET = update(webhooks).where(_THE_ONE).values({name: bindparam(f"to_{name}") for name in _CHANGES})
_DROP = delete(webhooks).where(_THE_ONE)
_WORKED = update(webhooks).where(_THE_ONE, webhooks.c.failing_since != 0).values(failing_since=0)
_FAILED = update(webhooks).where(_THE_ONE, webhooks.c.failing_since == 0).values(failing_since=bindparam("now"))
_OFF = update(webhooks).where(_THE_ONE, webhooks.c.enabled == 1).values(enabled=0, disabled_because=bindparam("why"))
_OFF_SINCE = _OFF.where(webhooks.c.failing_since <= bindparam("since"), webhooks.c.failing_since != 0)
_LIST = Listing(
    select(webhooks),
    (webhooks.c.created_at, webhooks.c.id),
    {name: webhooks.c[name] == bindparam(name) for name in ("user_id", "enabled")},
)


async def add(tx: Tx, webhook: Webhook) -> None:
    """Insert a webhook."""
    await tx.run(_ADD, asdict(webhook))


async def by_ids(tx: Tx, ids: Collection[str]) -> dict[str, Webhook]:
    """Webhooks by id, of those that exist."""
    rows = await tx.all(_SOME, {"ids": sorted(ids)}) if ids else []
    return {row[0]: Webhook(*row) for row in rows}


async def of_user(tx: Tx, user_id: str) -> list[Webhook]:
    """A user's webhooks that are on."""
    return [Webhook(*row) for row in await tx.all(_OF_USER, {"user": user_id})]


async def lock_of_user(tx: Tx, user_id: str) -> None:
    """Until the transaction ends nobody else does this, or changes a webhook of the user."""
    await tx.all(_LOCK, {"user": user_id})


async def sealed(tx: Tx) -> list[Webhook]:
    """Webhooks with a secret of their own."""
    return [Webhook(*row) for row in await tx.all(_SEALED)]


async def count(tx: Tx, user_id: str) -> int:
    """How many webhooks a user has."""
    row = await tx.one(_COUNT, {"user": user_id})
    return int(row[0]) if row else 0


async def page(tx: Tx, page: Page, *, user_id: str | None = None, enabled: bool | None = None) -> Slice[Webhook]:
    """A page of webhooks, newest first."""
    found = await _LIST.read(tx, page, user_id=user_id, enabled=None if enabled is None else int(enabled))
    return found.map(lambda row: Webhook(*row))


async def change(tx: Tx, webhook: Webhook) -> None:
    """Write what may change of a webhook."""
    await tx.run(_SET, {"of": webhook.id, **{f"to_{name}": getattr(webhook, name) for name in _CHANGES}})


async def drop(tx: Tx, id: str) -> bool:
    """Delete a webhook; False where there is none."""
    return await tx.run(_DROP, {"of": id}) == 1


async def worked(tx: Tx, id: str) -> None:
    """It took a message."""
    await tx.run(_WORKED, {"of": id})


async def failed(tx: Tx, id: str, now: int, *, since: int, why: str) -> bool:
    """It did not take a message; whether it is switched off by that: it has not taken any from `since` on."""
    await tx.run(_FAILED, {"of": id, "now": now})
    return await tx.run(_OFF_SINCE, {"of": id, "since": since, "why": why}) == 1


async def switch_off(tx: Tx, id: str, why: str) -> bool:
    """Send nothing to it any more; False where it was off."""
    return await tx.run(_OFF, {"of": id, "why": why}) == 1
