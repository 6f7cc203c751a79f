"""Users: create, show, change, give credit."""

import re
from dataclasses import dataclass, replace

from unigate.access.passwords import MAX_LENGTH, MIN_LENGTH, hash_password
from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, Conflict, Forbidden, NotFound
from unigate.base.money import format_usd
from unigate.base.settings import DEFAULT_GROUP
from unigate.billing import credit as crediting
from unigate.manage.audit import noted
from unigate.manage.desk import ROLES, SHELL, Actor, Desk, check_editable, check_name, check_rank, unique
from unigate.manage.groups import group_for
from unigate.store import generations, ledger, news, sessions, wallets
from unigate.store import users as rows
from unigate.store.database import Tx
from unigate.store.pages import Page, Slice
from unigate.store.users import GroupRow, UserRow
from unigate.store.wallets import Shown

#: RFC 5321, section 4.5.3.1.3, less the angle brackets.
MAX_EMAIL = 254
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")


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

    #: "": none any more.
    email: str | None = None
    #: "": none any more, so that they can't sign in.
    password: str | None = None
    role: str | None = None
    group: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which users are wanted; None: all. `text` is found in names and addresses, `group` is a name or id."""

    role: str | None = None
    group: str | None = None
    enabled: bool | None = None
    text: str | None = None


async def list_users(desk: Desk) -> list[UserView]:
    """All users, oldest first."""
    async with desk.db.reading() as tx:
        names = {group.id: group.name for group in await rows.all_groups(tx)}
        shown = await wallets.all_shown(tx)
        users = await rows.all_users(tx)
    return [_view(row, names[row.group_id], shown.get(row.wallet_id, Shown())) for row in users]


async def page_users(desk: Desk, page: Page, wanted: UserFilter) -> Slice[UserView]:
    """A page of users, newest first. BadRequest for a group that is not there."""
    async with desk.db.reading() as tx:
        names = {group.id: group.name for group in await rows.all_groups(tx)}
        group = await group_for(tx, wanted.group) if wanted.group is not None else None
        found = await rows.page_users(
            tx,
            page,
            role=wanted.role,
            group_id=group.id if group is not None else None,
            enabled=wanted.enabled,
            text=wanted.text,
        )
        shown = await wallets.shown_of(tx, [row.wallet_id for row in found.rows])
    return found.map(lambda row: _view(row, names[row.group_id], shown.get(row.wallet_id, Shown())))


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
    actor: Actor = SHELL,
) -> UserView:
    """A new user with a wallet, and `credit` nano-USD in it. BadRequest, Conflict, Forbidden (roles are owners')."""
    kept = await hash_password(checked_password(password)) if password is not None else None
    with unique(f"There is a user with the name {name!r} or that e-mail address already."):
        async with desk.db.writing() as tx:
            home = await group_for(tx, group)
            row = new_user(name, email, kept, role, home)
            _check_role(actor, "user", row.role)
            await add_user(tx, actor, row, home, credit=credit)
            if credit:
                await ledger.grant(
                    tx, id=ids.new("grant"), wallet_id=row.wallet_id, amount=credit, at=now_ms(), note="first credit"
                )
            return await _shown(tx, row)


async def set_user(desk: Desk, name: str, changes: UserChanges, *, actor: Actor = SHELL) -> UserView:
    """Change a user. BadRequest, Conflict (address taken, file's, last owner), Forbidden (roles), NotFound.

    Another password and being disabled end all their sessions.
    """
    kept = await hash_password(checked_password(changes.password)) if changes.password else None
    with unique("There is a user with that e-mail address already."):
        async with desk.db.writing() as tx:
            row = await user_named(tx, name)
            check_rank(actor, row.role)
            check_editable(row.owned_by, "user", row.name)
            new = replace(
                row,
                email=row.email if changes.email is None else checked_email(changes.email) if changes.email else None,
                password=kept if changes.password is not None else row.password,
                role=checked_role(changes.role) if changes.role is not None else row.role,
                group_id=row.group_id if changes.group is None else (await group_for(tx, changes.group)).id,
                enabled=int(changes.enabled) if changes.enabled is not None else row.enabled,
            )
            _check_role(actor, row.role, new.role)
            await _keep_an_owner(tx, row, new)
            await write_user(tx, actor, row, new)
            return await _shown(tx, new)


async def write_user(tx: Tx, actor: Actor, old: UserRow, new: UserRow, *, kept_session: str = "") -> None:
    """Write a user's change with all that follows from it; the session `kept_session` goes on."""
    if new == old:
        return
    await rows.set_user(tx, new)
    if new.password != old.password or not new.enabled:
        await sessions.drop_others(tx, new.id, kept_session)
    names = {group.id: group.name for group in await rows.all_groups(tx)}
    facts = [user_facts(row, names[row.group_id]) for row in (old, new)]
    await noted(tx, actor, "set", "user", new.id, new.name, *facts)
    await generations.bump(tx, ["keys"])


async def topup(
    desk: Desk, name: str, amount: int, *, note: str = "", id: str | None = None, actor: Actor = SHELL
) -> UserView:
    """Give `amount` nano-USD of credit; with an `id` of the caller's own it happens once however often it is tried."""
    id = id or ids.new("grant")
    async with desk.db.writing() as tx:
        row = await user_named(tx, name)
        check_rank(actor, row.role)
        if await ledger.grant(tx, id=id, wallet_id=row.wallet_id, amount=amount, at=now_ms(), note=note):
            facts = {"amount": format_usd(amount), "note": note, "id": id}
            await noted(tx, actor, "topup", "user", row.id, row.name, after=facts)
            await news.add(tx, [news.made("topup.done", row.id, {"amount": amount}, now_ms())])
        return await _shown(tx, row)


async def take_back(
    desk: Desk, name: str, amount: int, *, note: str = "", id: str | None = None, actor: Actor = SHELL
) -> tuple[UserView, int]:
    """Take credit back, at most what is not used or in use; the user, and how much it was."""
    id = id or ids.new("takeback")
    async with desk.db.reading() as tx:
        row = await user_named(tx, name)
    check_rank(actor, row.role)
    await crediting.recall(desk.db, row.wallet_id)
    async with desk.db.writing() as tx:
        before = await ledger.lock_wallet(tx, row.wallet_id)
        taken = await ledger.take_back(tx, id=id, wallet_id=row.wallet_id, amount=amount, at=now_ms(), note=note)
        if await ledger.lock_wallet(tx, row.wallet_id) != before:  # not so where the id did it before
            facts = {"amount": format_usd(taken), "note": note, "id": id}
            await noted(tx, actor, "takeback", "user", row.id, row.name, after=facts)
        return await _shown(tx, row), taken


async def user_named(tx: Tx, name: str) -> UserRow:
    """The user by id, name or e-mail address; NotFound. Ids come first: a name may look like one."""
    row = await rows.user_by_id(tx, name) if name.startswith("usr_") else None
    if row is None:
        row = await rows.user_by_name(tx, name)
    if row is None and "@" in name:
        row = await rows.user_by_email(tx, name)
    if row is None:
        raise NotFound(f"There is no user {name!r}.")
    return row


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


async def add_user(tx: Tx, actor: Actor, row: UserRow, group: GroupRow, *, credit: int = 0) -> None:
    """Insert a user with a wallet of their own; `credit` is what they will be given at once."""
    await ledger.open_account(tx, row.wallet_id, row.created_at)
    await rows.add_user(tx, row)
    facts = {**user_facts(row, group.name), "credit": format_usd(credit)}
    await noted(tx, actor, "create", "user", row.id, row.name, after=facts)


def checked_email(email: str) -> str:
    """An address in lower case; BadRequest."""
    if not _EMAIL.fullmatch(email) or len(email) > MAX_EMAIL:
        raise BadRequest(f"This is not an e-mail address: {email!r}.", param="email")
    return email.lower()


def checked_role(role: str) -> str:
    """A role; BadRequest."""
    if role not in ROLES:
        raise BadRequest(f"A role is one of {', '.join(ROLES)}, not {role!r}.", param="role")
    return role


def checked_password(password: str, param: str = "password") -> str:
    """A password that may be chosen; BadRequest, naming the field `param`."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise BadRequest(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.", param=param)
    return password


def user_facts(row: UserRow, group: str) -> dict[str, object]:
    """What the audit log tells of a user; of the password only whether it is another."""
    return {
        "email": row.email,
        "password": row.password,
        "role": row.role,
        "group": group,
        "enabled": bool(row.enabled),
        "owned_by": row.owned_by,
    }


def _check_role(actor: Actor, old: str, new: str) -> None:
    if new != old and actor.role != "owner":
        raise Forbidden("Only an owner gives and takes roles.", param="role")


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
