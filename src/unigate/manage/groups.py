"""Groups: create, show, change."""

from dataclasses import dataclass, replace

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, NotFound
from unigate.base.money import format_multiplier
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk, check_editable, check_name, unique
from unigate.store import generations
from unigate.store import users as rows
from unigate.store.database import Tx
from unigate.store.pages import Page, Slice
from unigate.store.users import GroupRow


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group as it is shown; `multiplier` in millionths."""

    id: str
    name: str
    multiplier: int
    enabled: bool
    owned_by: str
    created_at: int


async def list_groups(desk: Desk) -> list[GroupView]:
    """All groups by name."""
    async with desk.db.reading() as tx:
        return [_group_view(row) for row in await rows.all_groups(tx)]


async def page_groups(desk: Desk, page: Page) -> Slice[GroupView]:
    """A page of groups by name."""
    async with desk.db.reading() as tx:
        return (await rows.page_groups(tx, page)).map(_group_view)


async def show_group(desk: Desk, name: str) -> GroupView:
    """One group by name or id; NotFound."""
    async with desk.db.reading() as tx:
        return _group_view(await group_named(tx, name))


async def create_group(desk: Desk, name: str, multiplier: int = 1_000_000, *, actor: Actor = SHELL) -> GroupView:
    """A new group; `multiplier` in millionths. BadRequest, Conflict."""
    row = new_group(name, multiplier)
    with unique(f"There is a group {name!r} already."):
        async with desk.db.writing() as tx:
            await rows.add_group(tx, row)
            await noted(tx, actor, "create", "group", row.id, row.name, after=group_facts(row))
    return _group_view(row)


async def set_group(
    desk: Desk, name: str, multiplier: int | None = None, *, enabled: bool | None = None, actor: Actor = SHELL
) -> GroupView:
    """Change a group, for calls admitted from now on; disabled, none of its users' keys works. NotFound, Conflict."""
    async with desk.db.writing() as tx:
        old = await group_named(tx, name)
        check_editable(old.owned_by, "group", old.name)
        row = replace(
            old,
            multiplier=old.multiplier if multiplier is None else multiplier,
            enabled=old.enabled if enabled is None else int(enabled),
        )
        await rows.set_group(tx, row)
        await noted(tx, actor, "set", "group", row.id, row.name, group_facts(old), group_facts(row))
        await generations.bump(tx, ["keys"])
    return _group_view(row)


async def group_named(tx: Tx, name: str) -> GroupRow:
    """The group by id or name; NotFound. Ids come first: a name may look like one."""
    row = await rows.group_by_id(tx, name) if name.startswith("grp_") else None
    if row is None:
        row = await rows.group_by_name(tx, name)
    if row is None:
        raise NotFound(f"There is no group {name!r}.")
    return row


async def group_for(tx: Tx, name: str) -> GroupRow:
    """The group that a user is to be in; BadRequest where there is none."""
    try:
        return await group_named(tx, name)
    except NotFound as error:
        raise BadRequest(error.message, param="group") from None


def new_group(name: str, multiplier: int, owned_by: str = "") -> GroupRow:
    """The row of a new group; BadRequest."""
    name = check_name(name, "group")
    return GroupRow(
        id=ids.new("grp"), name=name, multiplier=multiplier, enabled=1, owned_by=owned_by, created_at=now_ms()
    )


def group_facts(row: GroupRow) -> dict[str, object]:
    """What the audit log tells of a group."""
    return {
        "multiplier": format_multiplier(row.multiplier),
        "enabled": bool(row.enabled),
        "owned_by": row.owned_by,
    }


def _group_view(row: GroupRow) -> GroupView:
    return GroupView(
        id=row.id,
        name=row.name,
        multiplier=row.multiplier,
        enabled=bool(row.enabled),
        owned_by=row.owned_by,
        created_at=row.created_at,
    )
