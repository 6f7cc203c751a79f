"""The audit log as rows: who changed what, only ever appended to."""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, insert, select

from unigate.store.database import Tx
from unigate.store.gateway_tables import audit
from unigate.store.pages import Listing, Page, Slice


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of `audit`; `changes` as JSON text."""

    id: str
    at: int
    actor_id: str
    actor: str
    action: str
    kind: str
    subject_id: str
    subject: str
    changes: str
    address: str
    request_id: str


_ADD = insert(audit)
_LIST = Listing(
    select(audit),
    (audit.c.at, audit.c.id),
    {
        **{name: audit.c[name] == bindparam(name) for name in ("actor_id", "action", "kind", "subject_id")},
        "since": audit.c.at >= bindparam("since"),
        "until": audit.c.at < bindparam("until"),
    },
)


async def add(tx: Tx, row: AuditRow) -> None:
    """Append a row."""
    await tx.run(_ADD, asdict(row))


async def page(
    tx: Tx,
    page: Page,
    *,
    actor_id: str | None = None,
    action: str | None = None,
    kind: str | None = None,
    subject_id: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> Slice[AuditRow]:
    """A page of the rows that fulfil all filters given, newest first; `since` and `until` (exclusive) in ms."""
    found = await _LIST.read(
        tx, page, actor_id=actor_id, action=action, kind=kind, subject_id=subject_id, since=since, until=until
    )
    return found.map(lambda row: AuditRow(*row))
