"""Groups and users as rows."""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, func, insert, or_, select, update

from unigate.store.database import Row, Tx
from unigate.store.pages import Listing, Page, Slice, contains
from unigate.store.tables import groups, users


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A row of `groups`; `multiplier` in millionths."""

    id: str
    name: str
    multiplier: int
    enabled: int
    owned_by: str
    created_at: int


@dataclass(frozen=True, slots=True)
class UserRow:
    """A row of `users`; `password` is argon2's text form, None: cannot sign in."""

    id: str
    name: str
    email: str | None
    password: str | None
    role: str
    group_id: str
    wallet_id: str
    enabled: int
    owned_by: str
    created_at: int

    def __repr__(self) -> str:
        return f"UserRow({self.id}, {self.name!r})"


_GROUPS = select(groups).order_by(groups.c.name)
_GROUP_LIST = Listing(select(groups), (groups.c.name,), newest_first=False)
_GROUP_BY_ID = select(groups).where(groups.c.id == bindparam("by"))
_GROUP_BY_NAME = select(groups).where(groups.c.name == bindparam("by"))
_ADD_GROUP = insert(groups)
_SET_GROUP = (
    update(groups)
    .where(groups.c.id == bindparam("of"))
    .values(multiplier=bindparam("to_multiplier"), enabled=bindparam("to_enabled"), owned_by=bindparam("to_owned_by"))
)
_USERS = select(users).order_by(users.c.id)
_USER_LIST = Listing(
    select(users),
    (users.c.id,),
    {
        **{name: users.c[name] == bindparam(name) for name in ("role", "group_id", "enabled")},
        "text": or_(
            func.lower(users.c.name).like(bindparam("text"), escape="\\"),
            users.c.email.like(bindparam("text"), escape="\\"),
        ),
    },
)
_USER_BY_NAME = select(users).where(users.c.name == bindparam("by"))
_USER_BY_ID = select(users).where(users.c.id == bindparam("by"))
_USER_BY_EMAIL = select(users).where(users.c.email == bindparam("by"))
_OWNERS = select(func.count()).select_from(users).where(users.c.role == "owner", users.c.enabled == 1)
_ADD_USER = insert(users)
_SET_USER = (
    update(users)
    .where(users.c.id == bindparam("of"))
    .values(
        email=bindparam("to_email"),
        password=bindparam("to_password"),
        role=bindparam("to_role"),
        group_id=bindparam("to_group_id"),
        enabled=bindparam("to_enabled"),
        owned_by=bindparam("to_owned_by"),
    )
)


async def all_groups(tx: Tx) -> list[GroupRow]:
    """All groups by name."""
    return [GroupRow(*row) for row in await tx.all(_GROUPS)]


async def group_by_name(tx: Tx, name: str) -> GroupRow | None:
    """The group of that name."""
    row = await tx.one(_GROUP_BY_NAME, {"by": name})
    return GroupRow(*row) if row else None


async def page_groups(tx: Tx, page: Page) -> Slice[GroupRow]:
    """A page of groups by name."""
    return (await _GROUP_LIST.read(tx, page)).map(lambda row: GroupRow(*row))


async def group_by_id(tx: Tx, id: str) -> GroupRow | None:
    """The group of that id."""
    row = await tx.one(_GROUP_BY_ID, {"by": id})
    return GroupRow(*row) if row else None


async def add_group(tx: Tx, group: GroupRow) -> None:
    """Insert a group; ConstraintFailed (unique) where the name is taken."""
    await tx.run(_ADD_GROUP, asdict(group))


async def set_group(tx: Tx, group: GroupRow) -> None:
    """Write what may change of a group."""
    values = {"to_multiplier": group.multiplier, "to_enabled": group.enabled, "to_owned_by": group.owned_by}
    await tx.run(_SET_GROUP, {"of": group.id, **values})


async def all_users(tx: Tx) -> list[UserRow]:
    """All users, oldest first."""
    return [UserRow(*row) for row in await tx.all(_USERS)]


async def page_users(
    tx: Tx,
    page: Page,
    *,
    role: str | None = None,
    group_id: str | None = None,
    enabled: bool | None = None,
    text: str | None = None,
) -> Slice[UserRow]:
    """A page of users, newest first; `text` is found in names and addresses, whatever its case."""
    found = await _USER_LIST.read(
        tx,
        page,
        role=role,
        group_id=group_id,
        enabled=None if enabled is None else int(enabled),
        text=None if text is None else contains(text),
    )
    return found.map(lambda row: UserRow(*row))


async def user_by_name(tx: Tx, name: str) -> UserRow | None:
    """The user of that name."""
    return _user(await tx.one(_USER_BY_NAME, {"by": name}))


async def user_by_id(tx: Tx, id: str) -> UserRow | None:
    """The user of that id."""
    return _user(await tx.one(_USER_BY_ID, {"by": id}))


async def user_by_email(tx: Tx, email: str) -> UserRow | None:
    """The user of that address, whatever its case."""
    return _user(await tx.one(_USER_BY_EMAIL, {"by": email.lower()}))


async def count_owners(tx: Tx) -> int:
    """How many users may do everything."""
    row = await tx.one(_OWNERS)
    return int(row[0]) if row else 0


async def add_user(tx: Tx, user: UserRow) -> None:
    """Insert a user; ConstraintFailed (unique) where name or address is taken."""
    await tx.run(_ADD_USER, asdict(user))


async def set_user(tx: Tx, user: UserRow) -> None:
    """Write what may change of a user; ConstraintFailed (unique) where the address is taken."""
    values = {f"to_{name}": getattr(user, name) for name in _CHANGES}
    await tx.run(_SET_USER, {"of": user.id, **values})


_CHANGES = ("email", "password", "role", "group_id", "enabled", "owned_by")


def _user(row: Row | None) -> UserRow | None:
    return UserRow(*row) if row else None
