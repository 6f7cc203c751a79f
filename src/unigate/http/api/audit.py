"""`/api/audit`: who changed what, and when."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from unigate.http.api.fields import Time, TimeIn, View
from unigate.http.api.office import TheDesk
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.manage import audit
from unigate.manage.audit import AuditFilter

router = api_router("audit")


class Change(View):
    """A change."""

    id: str
    at: Time
    actor_id: str = Field(description="A user's id, or `shell`, `file`.")
    actor: str = Field(description="As the actor was called then.")
    action: str
    kind: str
    subject_id: str
    subject: str
    changes: dict[str, list[Any]] = Field(description="Field: what it was and what it is; secrets are never shown.")
    address: str
    request_id: str


class ListedChanges(Listed):
    """Which changes are wanted."""

    actor_id: str | None = None
    action: str | None = None
    kind: str | None = None
    subject_id: str | None = None
    since: TimeIn | None = None
    until: TimeIn | None = Field(None, description="Exclusive.")


@route(router, "GET", "/audit", role="operator")
async def list_audit(desk: TheDesk, query: Annotated[ListedChanges, Query()]) -> Paged[Change]:
    """List changes, newest first."""
    wanted = AuditFilter(
        actor_id=query.actor_id,
        action=query.action,
        kind=query.kind,
        subject_id=query.subject_id,
        since=query.since,
        until=query.until,
    )
    return paged(await audit.list_audit(desk, query.page(), wanted), Change.model_validate)
