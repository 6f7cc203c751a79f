"""Messages to callers' addresses, and each try to deliver them, as rows."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import ColumnElement, Integer, Update, bindparam, delete, func, insert, select, update

from unigate.store.claims import Queue, one_of
from unigate.store.database import Tx
from unigate.store.notifications import TARGET
from unigate.store.pages import Listing, Page, Slice
from unigate.store.task_tables import deliveries, outbox


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row of `outbox`; headers as JSON text, times in ms since 1970."""

    id: str
    user_id: str
    task_id: str
    webhook_id: str
    form: str
    event: str
    url: str
    host: str
    headers: str
    signed: int
    body: bytes = field(repr=False)
    state: str
    tries: int
    created_at: int
    due_at: int
    owner: str = ""
    lease_until: int = 0
    ended_at: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `deliveries`: one try; `status` 0: none came."""

    id: str
    message_id: str
    user_id: str
    at: int
    status: int
    error: str
    ms: int
    answer: str


_THE_ONE = outbox.c.id == bindparam("of")
_WAITING = one_of(outbox.c.state, "waiting")
#: What is to be sent: when the next is due, and giving back.
QUEUE = Queue(outbox, _WAITING)
_FREE = outbox.c.lease_until <= bindparam("now")


def _claiming(*more: ColumnElement[bool]) -> Update:
    """As the queue claims, but for what `more` leaves out."""
    due = (
        select(outbox.c.id)
        .where(_WAITING, outbox.c.due_at <= bindparam("now"), _FREE, *more)
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(bindparam("most", type_=Integer()))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    until = bindparam("until", type_=Integer())
    return (
        update(outbox)
        .where(outbox.c.id.in_(select(due.c.id)), _WAITING, _FREE)
        .values(owner=bindparam("by"), lease_until=until, due_at=until)
        .returning(*outbox.c)
    )


_ADD = insert(outbox)
_BY_ID = select(outbox).where(_THE_ONE)
_CLAIM = _claiming()
_CLAIM_OTHERS = _claiming(
    outbox.c.host.not_in(bindparam("hosts", expanding=True)),
    outbox.c.user_id.not_in(bindparam("users", expanding=True)),
)
_NOTE = (
    update(outbox)
    .where(_THE_ONE, outbox.c.owner == bindparam("by"), _WAITING)
    .values(
        state=bindparam("to_state"),
        tries=bindparam("to_tries"),
        due_at=bindparam("to_due"),
        ended_at=bindparam("to_ended"),
        owner="",
        lease_until=0,
    )
)
_TRIED = insert(deliveries)
_END_OF_WEBHOOK = (
    update(outbox)
    .where(outbox.c.webhook_id == bindparam("of"), _WAITING)
    .values(state="failed", ended_at=bindparam("now"), owner="", lease_until=0)
)
_READDRESS = (
    update(outbox)
    .where(outbox.c.webhook_id == bindparam("of"), _WAITING)
    .values(url=bindparam("to_url"), host=bindparam("to_host"))
)
_AGAIN = (
    update(outbox)
    .where(_THE_ONE, outbox.c.state != "waiting")
    .values(
        state="waiting",
        tries=0,
        due_at=bindparam("now"),
        ended_at=0,
        owner="",
        lease_until=0,
        url=bindparam("to_url"),
        host=bindparam("to_host"),
    )
)
_SOON = update(outbox).where(_THE_ONE, _WAITING).values(due_at=bindparam("now"))
_LIST = Listing(
    select(outbox),
    (outbox.c.created_at, outbox.c.id),
    {
        **{name: outbox.c[name] == bindparam(name) for name in ("user_id", "task_id", "webhook_id", "state")},
        "told": outbox.c.webhook_id.like(bindparam("told")),
    },
)
_TRIES = (
    select(deliveries)
    .where(deliveries.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.at, deliveries.c.id)
)
_COUNT = (
    select(func.count())
    .select_from(outbox)
    .where(
        outbox.c.user_id == bindparam("user"),
        outbox.c.webhook_id == bindparam("hook"),
        outbox.c.event.in_(bindparam("events", expanding=True)),
        outbox.c.created_at > bindparam("since"),
    )
)
_OLD = (
    select(outbox.c.id)
    .where(outbox.c.created_at < bindparam("before"), outbox.c.state != "waiting")
    .order_by(outbox.c.created_at)
    .limit(bindparam("most"))
)
_OLD_TRIES = (
    select(deliveries.c.id)
    .where(deliveries.c.at < bindparam("before"))
    .order_by(deliveries.c.at)
    .limit(bindparam("most"))
)
_DROP = delete(outbox).where(outbox.c.id.in_(_OLD))
_DROP_TRIES = delete(deliveries).where(deliveries.c.id.in_(_OLD_TRIES))


async def add(tx: Tx, rows: Sequence[OutboxRow]) -> None:
    """Insert messages."""
    if rows:
        await tx.many(_ADD, [asdict(row) for row in rows])


async def claim(
    tx: Tx,
    owner: str,
    *,
    now: int,
    until: int,
    most: int,
    without: Collection[str] = (),
    without_users: Collection[str] = (),
) -> list[OutboxRow]:
    """Take at most so many messages that are due; nobody else has them until then.

    None to the hosts `without`, and none of `without_users`: they have enough on their way.
    """
    given = {"now": now, "until": until, "most": most, "by": owner}
    if without or without_users:
        rows = await tx.all(_CLAIM_OTHERS, {**given, "hosts": sorted(without), "users": sorted(without_users)})
    else:
        rows = await tx.all(_CLAIM, given)
    return sorted((OutboxRow(*row) for row in rows), key=lambda row: row.id)


async def note(tx: Tx, row: OutboxRow, tried: Delivery | None = None) -> bool:
    """Write down how a message stands now, and the try; False where its `owner` does not have it any more."""
    if tried is not None:
        await tx.run(_TRIED, asdict(tried))
    given = {"to_state": row.state, "to_tries": row.tries, "to_due": row.due_at, "to_ended": row.ended_at}
    return await tx.run(_NOTE, {"of": row.id, "by": row.owner, **given}) == 1


async def log(tx: Tx, tried: Delivery) -> None:
    """Write down a try."""
    await tx.run(_TRIED, asdict(tried))


async def end_of_webhook(tx: Tx, webhook_id: str, now: int) -> int:
    """Nothing more is sent to a webhook; how many messages waited for it."""
    return await tx.run(_END_OF_WEBHOOK, {"of": webhook_id, "now": now})


async def readdress(tx: Tx, webhook_id: str, url: str, host: str) -> None:
    """What waits for a webhook goes to another address."""
    await tx.run(_READDRESS, {"of": webhook_id, "to_url": url, "to_host": host})


async def again(tx: Tx, id: str, now: int, *, url: str, host: str) -> None:
    """Send a message again, with all its tries; one that waits is sent now."""
    if not await tx.run(_AGAIN, {"of": id, "now": now, "to_url": url, "to_host": host}):
        await tx.run(_SOON, {"of": id, "now": now})


async def count(tx: Tx, user_id: str, webhook_id: str, events: Collection[str], since: int) -> int:
    """How many messages about these events were made for one of a user's receivers after then."""
    row = await tx.one(_COUNT, {"user": user_id, "hook": webhook_id, "events": sorted(events), "since": since})
    return int(row[0]) if row else 0


async def by_id(tx: Tx, id: str) -> OutboxRow | None:
    """The message of that id."""
    row = await tx.one(_BY_ID, {"of": id})
    return OutboxRow(*row) if row else None


async def page(
    tx: Tx,
    page: Page,
    *,
    user_id: str | None = None,
    task_id: str | None = None,
    webhook_id: str | None = None,
    state: str | None = None,
    told: bool = False,
) -> Slice[OutboxRow]:
    """A page of messages, newest first; `told`: only those to targets of notifications."""
    found = await _LIST.read(
        tx,
        page,
        user_id=user_id,
        task_id=task_id,
        webhook_id=webhook_id,
        state=state,
        told=f"{TARGET}%" if told else None,
    )
    return found.map(lambda row: OutboxRow(*row))


async def tries(tx: Tx, ids: Collection[str]) -> dict[str, list[Delivery]]:
    """The tries of messages, oldest first."""
    found: dict[str, list[Delivery]] = {id: [] for id in ids}
    for row in await tx.all(_TRIES, {"ids": sorted(ids)}) if ids else []:
        found[row[1]].append(Delivery(*row))
    return found


async def drop_old(tx: Tx, before: int, most: int) -> int:
    """Delete at most so many messages that have ended, and so many tries, from before then; how many rows it were."""
    given = {"before": before, "most": most}
    return await tx.run(_DROP, given) + await tx.run(_DROP_TRIES, given)
