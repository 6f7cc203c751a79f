"""Groups and users: create, show, change, give credit."""

import re
from dataclasses import dataclass, replace

from unigate.access.passwords import MAX_LENGTH, MIN_LENGTH, hash_password
from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, Conflict, NotFound
from unigate.base.money import format_multiplier
from unigate.base.settings import DEFAULT_GROUP
from unigate.billing import credit as crediting
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk, check_editable, check_name, unique
from unigate.store import generations, ledger, wallets
from unigate.store import users as rows
from unigate.store.database import Tx
from unigate.store.pages import Page, Slice
from unigate.store.users import GroupRow, UserRow
from unigate.store.wallets import Shown

#: RFC 5321, section 4.5.3.1.3, less the angle brackets.
MAX_EMAIL = 254
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
ROLES = ("user", "operator", "owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group as it is shown; `multiplier` in millionths."""

    id: str
    name: str
    multiplier: int
    enabled: bool
    owned_by: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserView:
    """A user as they are shown; money in nano-USD."""

    id: str
    name: str
    email: str | None
    role: str
    group: str
    enabled: bool
    #: `balance + used + in_use` is what was granted.
    balance: int
    used: int
    in_use: int
    can_sign_in: bool
    owned_by: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanges:
    """What is to change of a user; None: stays."""

    email: str | None = None
    password: str | None = None
    role: str | None = None
    group: str | None = None
    enabled: bool | None = None


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


async def list_users(desk: Desk) -> list[UserView]:
    """All users, oldest first."""
    async with desk.db.reading() as tx:
        names = {group.id: group.name for group in await rows.all_groups(tx)}
        shown = await wallets.all_shown(tx)
        users = await rows.all_users(tx)
    return [_view(row, names[row.group_id], shown.get(row.wallet_id, Shown())) for row in users]


async def show_user(desk: Desk, name: str) -> UserView:
    """One user by name, id or e-mail address; NotFound."""
    async with desk.db.reading() as tx:
        return await _shown(tx, await user_named(tx, name))


async def create_user(
    desk: Desk,
    name: str,
    *,
    email: str | None = None,
    password: str | None = None,
    role: str = "user",
    group: str = DEFAULT_GROUP,
    credit: int = 0,
) -> UserView:
    """A new user with a wallet, and `credit` nano-USD in it. BadRequest, Conflict, NotFound (group)."""
    kept = await hash_password(checked_password(password)) if password is not None else None
    with unique(f"There is a user with the name {name!r} or that e-mail address already."):
        async with desk.db.writing() as tx:
            row = new_user(name, email, kept, role, await group_named(tx, group))
            await insert_user(tx, row)
            if credit:
                await ledger.grant(
                    tx, id=ids.new("grant"), wallet_id=row.wallet_id, amount=credit, at=now_ms(), note="first credit"
                )
            return await _shown(tx, row)


async def set_user(desk: Desk, name: str, changes: UserChanges) -> UserView:
    """Change a user. BadRequest, Conflict (address taken, file's, last owner), NotFound."""
    kept = await hash_password(checked_password(changes.password)) if changes.password is not None else None
    with unique("There is a user with that e-mail address already."):
        async with desk.db.writing() as tx:
            row = await user_named(tx, name)
            check_editable(row.owned_by, "user", row.name)
            group = await group_named(tx, changes.group) if changes.group is not None else None
            new = replace(
                row,
                email=checked_email(changes.email) if changes.email is not None else row.email,
                password=kept or row.password,
                role=checked_role(changes.role) if changes.role is not None else row.role,
                group_id=group.id if group is not None else row.group_id,
                enabled=int(changes.enabled) if changes.enabled is not None else row.enabled,
            )
            await _keep_an_owner(tx, row, new)
            await rows.set_user(tx, new)
            await generations.bump(tx, ["keys"])
            return await _shown(tx, new)


async def topup(desk: Desk, name: str, amount: int, *, note: str = "", id: str | None = None) -> UserView:
    """Give `amount` nano-USD of credit; with an `id` of the caller's own it happens once however often it is tried."""
    async with desk.db.writing() as tx:
        row = await user_named(tx, name)
        await ledger.grant(
            tx, id=id or ids.new("grant"), wallet_id=row.wallet_id, amount=amount, at=now_ms(), note=note
        )
        return await _shown(tx, row)


async def take_back(
    desk: Desk, name: str, amount: int, *, note: str = "", id: str | None = None
) -> tuple[UserView, int]:
    """Take credit back, at most what is not used or in use; the user, and how much it was."""
    async with desk.db.reading() as tx:
        row = await user_named(tx, name)
    taken = await crediting.take_back(
        desk.db, id=id or ids.new("takeback"), wallet_id=row.wallet_id, amount=amount, note=note
    )
    return await show_user(desk, row.id), taken


async def group_named(tx: Tx, name: str) -> GroupRow:
    """The group by name or id; NotFound."""
    row = await rows.group_by_name(tx, name)
    if row is None and name.startswith("grp_"):
        row = await rows.group_by_id(tx, name)
    if row is None:
        raise NotFound(f"There is no group {name!r}.")
    return row


async def user_named(tx: Tx, name: str) -> UserRow:
    """The user by name, id or e-mail address; NotFound."""
    row = await rows.user_by_name(tx, name)
    if row is None and name.startswith("usr_"):
        row = await rows.user_by_id(tx, name)
    if row is None and "@" in name:
        row = await rows.user_by_email(tx, name)
    if row is None:
        raise NotFound(f"There is no user {name!r}.")
    return row


def new_group(name: str, multiplier: int, owned_by: str = "") -> GroupRow:
    """The row of a new group; BadRequest."""
    name = check_name(name, "group")
    return GroupRow(
        id=ids.new("grp"), name=name, multiplier=multiplier, enabled=1, owned_by=owned_by, created_at=now_ms()
    )


def new_user(
    name: str, email: str | None, kept: str | None, role: str, group: GroupRow, *, owned_by: str = ""
) -> UserRow:
    """The row of a new user whose password's hash is `kept`; BadRequest."""
    return UserRow(
        id=ids.new("usr"),
        name=check_name(name, "user"),
        email=checked_email(email) if email is not None else None,
        password=kept,
        role=checked_role(role),
        group_id=group.id,
        wallet_id=ids.new("wal"),
        enabled=1,
        owned_by=owned_by,
        created_at=now_ms(),
    )


async def insert_user(tx: Tx, row: UserRow) -> None:
    """Insert a user with a wallet of their own."""
    await ledger.open_account(tx, row.wallet_id, row.created_at)
    await rows.add_user(tx, row)


def checked_email(email: str) -> str:
    """An address in lower case; BadRequest."""
    if not _EMAIL.fullmatch(email) or len(email) > MAX_EMAIL:
        raise BadRequest(f"This is not an e-mail address: {email!r}.")
    return email.lower()


def checked_role(role: str) -> str:
    """A role; BadRequest."""
    if role not in ROLES:
        raise BadRequest(f"A role is one of {', '.join(ROLES)}, not {role!r}.")
    return role


def checked_password(password: str) -> str:
    """A password that may be chosen; BadRequest."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise BadRequest(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    return password


async def _keep_an_owner(tx: Tx, old: UserRow, new: UserRow) -> None:
    was, stays = (bool(row.enabled) and row.role == "owner" for row in (old, new))
    if was and not stays and await rows.count_owners(tx) == 1:
        raise Conflict(f"{old.name!r} is the only owner: make another one first.")


async def _shown(tx: Tx, row: UserRow) -> UserView:
    names = {group.id: group.name for group in await rows.all_groups(tx)}
    return _view(row, names[row.group_id], await wallets.shown(tx, row.wallet_id))


def _view(row: UserRow, group: str, wallet: Shown) -> UserView:
    return UserView(
        id=row.id,
        name=row.name,
        email=row.email,
        role=row.role,
        group=group,
        enabled=bool(row.enabled),
        balance=wallet.balance,
        used=wallet.used,
        in_use=wallet.in_use,
        can_sign_in=row.password is not None,
        owned_by=row.owned_by,
        created_at=row.created_at,
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
