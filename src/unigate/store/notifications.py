"""What users want to hear of, as rows: their settings, and the targets at which they are told."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import Integer, bindparam, delete, func, select, update

from unigate.base import ids
from unigate.store.database import Tx
from unigate.store.metadata import insert
from unigate.store.notice_tables import notifications, targets
from unigate.store.tables import users

#: Ids of targets begin so, those of users' webhooks do not: messages to either name whom they go to in one column.
TARGET = "target_"


@dataclass(frozen=True, slots=True)
class Preferences:
    """A row of `notifications`; `low_balance` in nano-USD (-1: as the operator has it), `language` "": likewise."""

    user_id: str
    low_balance: int = -1
    language: str = ""
    task_callback_url: str = ""
    #: Events of targets that are told only where somebody asks for them, each between bars.
    wanted: str = ""
    changed_at: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A row of `targets`; events as JSON text (an empty list: those told by default), times in ms since 1970."""

    id: str
    user_id: str
    position: int
    kind: str
    #: Of an e-mail ("": the account's), or the URL.
    address: str
    #: `standard` or `newapi` of a webhook, else "".
    format: str = ""
    template: str = ""
    priority: int = 0
    events: str = "[]"
    #: Secret, token and headers; empty: none.
    sealed: bytes = field(default=b"", repr=False)
    enabled: int = 1
    disabled_because: str = ""
    failing_since: int = 0
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Whom something is told."""

    id: str
    name: str
    email: str | None
    role: str


_ACCOUNT = (users.c.id, users.c.name, users.c.email, users.c.role)
_ACCOUNTS = select(*_ACCOUNT).where(users.c.id.in_(bindparam("ids", expanding=True)), users.c.enabled == 1)
_OPERATORS = select(users.c.id).where(users.c.role != "user", users.c.enabled == 1).order_by(users.c.id)


def usual_target(user_id: str, at: int) -> Target:
    """What everybody has who has said nothing: mails to the account's address."""
    return Target(ids.new("target"), user_id, 0, "email", "", created_at=at)


_new = insert(notifications)
_START = _new.on_conflict_do_nothing().returning(notifications.c.user_id)
_PUT = _new.on_conflict_do_update(
    index_elements=[notifications.c.user_id],
    set_={name: _new.excluded[name] for name in notifications.c.keys() if name != "user_id"},  # noqa: SIM118 - columns
)
_OF = select(notifications).where(notifications.c.user_id == bindparam("of"))
_LOCK = _OF.with_for_update()
_SOME = select(notifications).where(notifications.c.user_id.in_(bindparam("ids", expanding=True)))
_WANTING = (
    select(notifications.c.user_id)
    .where(notifications.c.wanted.like(bindparam("pattern")), notifications.c.user_id > bindparam("after"))
    .order_by(notifications.c.user_id)
    .limit(bindparam("most", type_=Integer()))
)
_THE_ONE = targets.c.id == bindparam("of")
_new_target = insert(targets)
_PUT_TARGET = _new_target.on_conflict_do_update(
    index_elements=[targets.c.id],
    set_={name: _new_target.excluded[name] for name in targets.c.keys() if name != "id"},  # noqa: SIM118 - columns
)
_TARGETS = select(targets).where(targets.c.user_id == bindparam("of")).order_by(targets.c.position, targets.c.id)
_BY_IDS = select(targets).where(targets.c.id.in_(bindparam("ids", expanding=True)))
_SEALED = select(targets).where(func.length(targets.c.sealed) > 0).order_by(targets.c.id)
_DROP = delete(targets).where(_THE_ONE)
_WORKED = update(targets).where(_THE_ONE, targets.c.failing_since != 0).values(failing_since=0)
_FAILED = update(targets).where(_THE_ONE, targets.c.failing_since == 0).values(failing_since=bindparam("now"))
_OFF = update(targets).where(_THE_ONE, targets.c.enabled == 1).values(enabled=0, disabled_because=bindparam("why"))
_OFF_SINCE = _OFF.where(targets.c.failing_since <= bindparam("since"), targets.c.failing_since != 0)


async def accounts(tx: Tx, user_ids: Collection[str]) -> dict[str, Account]:
    """Those of these users who exist and are not disabled, by id."""
    rows = await tx.all(_ACCOUNTS, {"ids": sorted(user_ids)}) if user_ids else []
    return {row[0]: Account(*row) for row in rows}


async def operators(tx: Tx) -> list[str]:
    """The ids of operators and owners who are not disabled."""
    return [str(row[0]) for row in await tx.all(_OPERATORS)]


async def start(tx: Tx, preferences: Preferences, target: Target) -> None:
    """Give a user who has said nothing yet these preferences and this target; whoever has is left alone."""
    if await tx.insert_new(_START, [asdict(preferences)]):
        await put_target(tx, target)


async def begun(tx: Tx, user_id: str, at: int) -> Preferences:
    """A user's preferences for the rest of the transaction; of one who has said nothing yet those that everybody has."""
    await start(tx, Preferences(user_id, changed_at=at), usual_target(user_id, at))
    found = await of_user(tx, user_id, lock=True)
    assert found is not None
    return found


async def of_user(tx: Tx, user_id: str, *, lock: bool = False) -> Preferences | None:
    """A user's preferences, None where they have said nothing yet; `lock`: for the rest of the transaction."""
    row = await tx.one(_LOCK if lock else _OF, {"of": user_id})
    return Preferences(*row) if row else None


async def of_users(tx: Tx, user_ids: Collection[str]) -> dict[str, Preferences]:
    """Preferences by user, of those that have some."""
    rows = await tx.all(_SOME, {"ids": sorted(user_ids)}) if user_ids else []
    return {row[0]: Preferences(*row) for row in rows}


async def wanting(tx: Tx, event: str, *, after: str, most: int) -> list[str]:
    """The first of the users after that one who asked for an event that is told to nobody by default."""
    given = {"pattern": f"%|{event}|%", "after": after, "most": most}
    return [str(row[0]) for row in await tx.all(_WANTING, given)]


async def put(tx: Tx, preferences: Preferences) -> None:
    """Insert or replace a user's preferences."""
    await tx.run(_PUT, asdict(preferences))


async def targets_of(tx: Tx, user_id: str) -> list[Target]:
    """A user's targets in their order."""
    return [Target(*row) for row in await tx.all(_TARGETS, {"of": user_id})]


async def by_ids(tx: Tx, ids: Collection[str]) -> dict[str, Target]:
    """Targets by id, of those that exist."""
    rows: Sequence[tuple[object, ...]] = await tx.all(_BY_IDS, {"ids": sorted(ids)}) if ids else []
    found = [Target(*row) for row in rows]  # type: ignore[arg-type] # columns in the order of the fields
    return {target.id: target for target in found}


async def sealed(tx: Tx) -> list[Target]:
    """Targets that keep something sealed."""
    return [Target(*row) for row in await tx.all(_SEALED)]


async def put_target(tx: Tx, target: Target) -> None:
    """Insert or replace a target."""
    await tx.run(_PUT_TARGET, asdict(target))


async def drop_target(tx: Tx, id: str) -> None:
    """Delete a target."""
    await tx.run(_DROP, {"of": id})


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
