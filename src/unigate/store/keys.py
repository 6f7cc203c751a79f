"""Callers' keys as rows, and the one look-up that the hot path falls back to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, func, insert, select, update

from unigate.store.database import Tx
from unigate.store.ledger import window_ids
from unigate.store.ledger_tables import windows
from unigate.store.pages import Listing, Page, Slice, contains
from unigate.store.tables import groups, keys, users


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A row of `keys`; lists and mappings as JSON text, amounts in nano-USD, times in ms since 1970."""

    id: str
    user_id: str
    name: str
    digest: bytes
    last4: str
    scopes: str
    models: str
    addresses: str
    expires_at: int | None
    budgets: str
    rpm: int
    tpm: int
    concurrency: int
    user_view: int
    enabled: int
    owned_by: str
    created_at: int
    keep_days: int = 0
    secret_id: str = ""
    options: str = "{}"


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """What a call needs to know of the user behind a key."""

    id: str
    name: str
    role: str
    wallet_id: str
    enabled: int
    group_id: str
    group_name: str
    multiplier: int
    group_enabled: int


_WIDTH = len(KeyRow.__slots__)
_WITH_OWNER = (
    select(
        keys,
        users.c.id,
        users.c.name,
        users.c.role,
        users.c.wallet_id,
        users.c.enabled,
        groups.c.id,
        groups.c.name,
        groups.c.multiplier,
        groups.c.enabled,
    )
    .join(users, users.c.id == keys.c.user_id)
    .join(groups, groups.c.id == users.c.group_id)
)
_BY_DIGEST = _WITH_OWNER.where(keys.c.digest == bindparam("by"))
_BY_ID = _WITH_OWNER.where(keys.c.id == bindparam("by"))
_BY_NAME = _WITH_OWNER.where(keys.c.name == bindparam("by")).order_by(keys.c.id)
_ALL = _WITH_OWNER.order_by(keys.c.id)
_LIST = Listing(
    _WITH_OWNER,
    (keys.c.id,),
    {
        **{name: keys.c[name] == bindparam(name) for name in ("user_id", "enabled")},
        "text": func.lower(keys.c.name).like(bindparam("text"), escape="\\"),
    },
)
_SPENT = select(windows.c.id, windows.c.captured).where(windows.c.id.in_(bindparam("ids", expanding=True)))
_ADD = insert(keys)
_CHANGES = (
    "digest",
    "last4",
    "scopes",
    "models",
    "addresses",
    "expires_at",
    "budgets",
    "rpm",
    "tpm",
    "concurrency",
    "user_view",
    "enabled",
    "owned_by",
    "keep_days",
    "secret_id",
    "options",
)
_SET = update(keys).where(keys.c.id == bindparam("of")).values({name: bindparam(f"to_{name}") for name in _CHANGES})

_COUNT_OLDER = select(func.count()).where(keys.c.enabled == 1, keys.c.secret_id != bindparam("newest"))

_KNOWN_BY = (
    update(keys)
    .where(keys.c.id == bindparam("of"), keys.c.digest == bindparam("before"))
    .values(digest=bindparam("digest"), secret_id=bindparam("secret_id"))
)

Found = tuple[KeyRow, KeyOwner]


async def by_digest(tx: Tx, digest: bytes) -> Found | None:
    """The key with that digest, and its owner."""
    row = await tx.one(_BY_DIGEST, {"by": digest})
    return _found(row) if row else None


async def known_by(tx: Tx, id: str, before: bytes, digest: bytes, secret_id: str) -> None:
    """Know a key by another digest, if it is still known by `before`."""
    await tx.run(_KNOWN_BY, {"of": id, "before": before, "digest": digest, "secret_id": secret_id})


async def count_older(tx: Tx, secret_id: str) -> int:
    """How many keys in use are known by another secret than the one of that name."""
    row = await tx.one(_COUNT_OLDER, {"newest": secret_id})
    assert row is not None
    return int(row[0])


async def by_id(tx: Tx, id: str) -> Found | None:
    """The key of that id, and its owner."""
    row = await tx.one(_BY_ID, {"by": id})
    return _found(row) if row else None


async def by_name(tx: Tx, name: str) -> list[Found]:
    """All keys of that name; names are unique for one user only."""
    return [_found(row) for row in await tx.all(_BY_NAME, {"by": name})]


async def all_keys(tx: Tx) -> list[Found]:
    """All keys with their owners, oldest first."""
    return [_found(row) for row in await tx.all(_ALL)]


async def page(
    tx: Tx, page: Page, *, user_id: str | None = None, enabled: bool | None = None, text: str | None = None
) -> Slice[Found]:
    """A page of keys with their owners, newest first; `text` is found in names, whatever its case."""
    found = await _LIST.read(
        tx,
        page,
        user_id=user_id,
        enabled=None if enabled is None else int(enabled),
        text=None if text is None else contains(text),
    )
    return found.map(_found)


async def spent(tx: Tx, key_ids: Sequence[str], day: int) -> dict[str, dict[str, int]]:
    """What keys used, in nano-USD by period (day, month, total), as of `day` (20261121)."""
    places = {
        window: (key_id, period)
        for key_id in key_ids
        for window, period in zip(window_ids(key_id, day), ("day", "month", "total"), strict=True)
    }
    sums = {key_id: {"day": 0, "month": 0, "total": 0} for key_id in key_ids}
    for window, captured in await tx.all(_SPENT, {"ids": list(places)}) if places else []:
        key_id, period = places[window]
        sums[key_id][period] = captured
    return sums


async def add(tx: Tx, key: KeyRow) -> None:
    """Insert a key; ConstraintFailed (unique) where the user has one of that name, or the secret is in use."""
    await tx.run(_ADD, asdict(key))


async def change(tx: Tx, key: KeyRow) -> None:
    """Write what may change of a key; ConstraintFailed (unique) where the secret is in use."""
    await tx.run(_SET, {"of": key.id, **{f"to_{name}": getattr(key, name) for name in _CHANGES}})


def _found(row: tuple[object, ...]) -> Found:
    return KeyRow(*row[:_WIDTH]), KeyOwner(*row[_WIDTH:])  # type: ignore[arg-type]
