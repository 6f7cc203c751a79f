"""The audit log: one row for each change, in the transaction that makes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.manage.desk import Actor, Desk, json_text
from unigate.store import audit as rows
from unigate.store.audit import AuditRow
from unigate.store.database import Tx
from unigate.store.pages import Page, Slice

#: Fields of which the log tells that they changed, never what they were or are.
_SECRET = frozenset(("password", "secret", "token", "digest", "code", "credential", "credentials", "sealed", "options"))
_HIDDEN = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """A change as it is shown."""

    id: str
    at: int
    actor_id: str
    actor: str
    action: str
    kind: str
    subject_id: str
    subject: str
    #: Field -> what it was and what it is; None: there was or is none.
    changes: dict[str, list[Any]]
    address: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which changes are wanted; None: all. `since` and `until` (exclusive) in ms."""

    actor_id: str | None = None
    action: str | None = None
    kind: str | None = None
    subject_id: str | None = None
    since: int | None = None
    until: int | None = None


async def noted(  # noqa: PLR0917 - who, what and of what, in the order of a sentence
    tx: Tx,
    actor: Actor,
    action: str,
    kind: str,
    subject_id: str,
    subject: str,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write down what changed: fields of `before` and `after` that differ, shown as plain structures of JSON.

    A thing that was made has no `before`, one that was removed no `after`. Nothing is written of a change (both given)
    that changes nothing.
    """
    changes = _changes(before or {}, after or {})
    if before is not None and after is not None and not changes:
        return
    await rows.add(
        tx,
        AuditRow(
            id=ids.new("aud"),
            at=now_ms(),
            actor_id=actor.id,
            actor=actor.name,
            action=action,
            kind=kind,
            subject_id=subject_id,
            subject=subject,
            changes=json_text(changes),
            address=actor.address,
            request_id=actor.request_id,
        ),
    )


async def list_audit(desk: Desk, page: Page, wanted: AuditFilter | None = None) -> Slice[AuditView]:
    """A page of changes, newest first."""
    wanted = wanted or AuditFilter()
    async with desk.db.reading() as tx:
        found = await rows.page(
            tx,
            page,
            actor_id=wanted.actor_id,
            action=wanted.action,
            kind=wanted.kind,
            subject_id=wanted.subject_id,
            since=wanted.since,
            until=wanted.until,
        )
    return found.map(_view)


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, list[object]]:
    changes = {}
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was != now:
            changes[name] = [_shown(name, was), _shown(name, now)]
    return changes


def _shown(name: str, value: object) -> object:
    return _HIDDEN if name in _SECRET and value is not None else value


def _view(row: AuditRow) -> AuditView:
    return AuditView(
        id=row.id,
        at=row.at,
        actor_id=row.actor_id,
        actor=row.actor,
        action=row.action,
        kind=row.kind,
        subject_id=row.subject_id,
        subject=row.subject,
        changes=msgspec.json.decode(row.changes, type=dict[str, list[Any]]),
        address=row.address,
        request_id=row.request_id,
    )
