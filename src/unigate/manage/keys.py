"""Callers' keys: create, show, change, rotate. The key itself is shown once and kept nowhere."""

import re
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import msgspec

from unigate.access.keys import Digest, caller, new_secret
from unigate.access.secrets import last4
from unigate.base import ids
from unigate.base.clock import now_ms, utc
from unigate.base.errors import BadRequest, Conflict, NotFound
from unigate.base.money import MAX_AMOUNT
from unigate.manage.desk import MAX_NAME, Desk, check_editable, check_name, json_text, unique
from unigate.manage.users import user_named
from unigate.spec.caller import Key
from unigate.store import generations
from unigate.store import keys as rows
from unigate.store.database import Tx
from unigate.store.keys import KeyRow

#: What a key may be for: calls of models, or management.
SCOPES = ("relay", "manage")
PERIODS = ("day", "month", "total")
MAX_LIMIT = 1_000_000_000
MAX_KEEP_DAYS = 3650
_GIVEN = re.compile(r"[!-~]{8,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyForm:
    """What a key allows; None in a change: stays. Budgets in nano-USD, `expires_at` in ms since 1970 (0: never)."""

    models: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None
    expires_at: int | None = None
    #: Period -> amount; None as an amount takes the budget away.
    budgets: dict[str, int | None] | None = None
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    user_view: bool | None = None
    #: Days for which prompts and answers of its calls are kept; 0: they are not.
    keep_days: int | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key as it is shown."""

    id: str
    name: str
    user: str
    last4: str
    scopes: list[str]
    models: list[str]
    addresses: list[str]
    #: ISO 8601, None: never.
    expires: str | None
    #: Nano-USD by period.
    budgets: dict[str, int]
    rpm: int
    tpm: int
    concurrency: int
    user_view: bool
    keep_days: int
    enabled: bool
    owned_by: str
    created_at: int


async def list_keys(desk: Desk, user: str | None = None) -> list[KeyView]:
    """All keys, or those of one user, oldest first."""
    async with desk.db.reading() as tx:
        only = (await user_named(tx, user)).id if user is not None else None
        found = await rows.all_keys(tx)
    return [key_view(key, owner.name) for key, owner in found if only in (None, owner.id)]


async def show_key(desk: Desk, name: str) -> KeyView:
    """One key by id, name, or `USER/NAME`; NotFound, Conflict where several have the name."""
    async with desk.db.reading() as tx:
        key, owner = await key_named(tx, name)
    return key_view(key, owner.name)


async def create_key(
    desk: Desk, user: str, name: str, form: KeyForm | None = None, *, secret: str | None = None
) -> tuple[KeyView, str]:
    """A new key and its secret, which is shown this once. BadRequest, Conflict, NotFound (user)."""
    made = checked_secret(secret) if secret is not None else new_secret()
    with unique(f"{user!r} has a key named {name!r} already, or the secret is in use."):
        async with desk.db.writing() as tx:
            owner = await user_named(tx, user)
            row = new_key(desk, owner.id, name, made, form or KeyForm())
            await rows.add(tx, row)
            await generations.bump(tx, ["keys"])
    return key_view(row, owner.name), made


async def set_key(desk: Desk, name: str, form: KeyForm) -> KeyView:
    """Change what a key allows, within about a second everywhere. BadRequest, Conflict, NotFound."""
    async with desk.db.writing() as tx:
        key, owner = await key_named(tx, name)
        check_editable(key.owned_by, "key", key.name)
        new = with_form(key, form)
        await rows.change(tx, new)
        await generations.bump(tx, ["keys"])
    return key_view(new, owner.name)


async def rotate_key(desk: Desk, name: str) -> tuple[KeyView, str]:
    """A new secret for a key; the old one ends at once. Conflict, NotFound."""
    made = new_secret()
    async with desk.db.writing() as tx:
        key, owner = await key_named(tx, name)
        check_editable(key.owned_by, "key", key.name)
        new = with_secret(desk, key, made)
        await rows.change(tx, new)
        await generations.bump(tx, ["keys"])
    return key_view(new, owner.name), made


async def presented(desk: Desk, secret: str) -> Key | None:
    """The key that somebody shows, as it is now; None where there is none."""
    async with desk.db.reading() as tx:
        found = await rows.by_digest(tx, Digest(desk.secret)(secret.encode()))
    return caller(*found) if found is not None else None


async def key_named(tx: Tx, name: str) -> rows.Found:
    """The key by id, name, or `USER/NAME`; NotFound, Conflict where several have the name."""
    if name.startswith("key_") and (found := await rows.by_id(tx, name)) is not None:
        return found
    several = await rows.by_name(tx, name)
    if not several and "/" in name:
        user, _, own = name.partition("/")
        several = [found for found in await rows.by_name(tx, own) if found[1].name == user]
    if not several:
        raise NotFound(f"There is no key {name!r}.")
    if len(several) > 1:
        raise Conflict(f"Several users have a key {name!r}: name one as {several[0][1].name}/{name}.")
    return several[0]


def new_key(desk: Desk, user_id: str, name: str, secret: str, form: KeyForm, *, owned_by: str = "") -> KeyRow:
    """The row of a new key; BadRequest."""
    blank = KeyRow(
        id=ids.new("key"),
        user_id=user_id,
        name=check_name(name, "key"),
        digest=b"",
        last4="",
        scopes='["relay"]',
        models='["*"]',
        addresses="[]",
        expires_at=None,
        budgets="{}",
        rpm=0,
        tpm=0,
        concurrency=0,
        user_view=1,
        enabled=1,
        owned_by=owned_by,
        created_at=now_ms(),
    )
    return with_secret(desk, with_form(blank, form), secret)


def with_secret(desk: Desk, row: KeyRow, secret: str) -> KeyRow:
    """The row with another secret."""
    digest = Digest(desk.secret)(secret.encode())
    return replace(row, digest=digest, last4=last4(secret), secret_id=desk.vault.id)


def with_form(row: KeyRow, form: KeyForm) -> KeyRow:
    """The row with what the form says; BadRequest."""
    changes: dict[str, Any] = {}
    if form.models is not None:
        changes["models"] = json_text([checked_pattern(model) for model in form.models])
    if form.addresses is not None:
        changes["addresses"] = json_text([_network(text) for text in form.addresses])
    if form.scopes is not None:
        changes["scopes"] = json_text([_scope(scope) for scope in form.scopes])
    if form.expires_at is not None:
        changes["expires_at"] = form.expires_at or None
    if form.budgets is not None:
        changes["budgets"] = json_text(_budgets(msgspec.json.decode(row.budgets), form.budgets))
    for name in ("rpm", "tpm", "concurrency"):
        value = getattr(form, name)
        if value is not None:
            if not 0 <= value <= MAX_LIMIT:
                raise BadRequest(f"{name} lies between 0 (none) and 1000000000, not {value}.")
            changes[name] = value
    if form.keep_days is not None:
        if not 0 <= form.keep_days <= MAX_KEEP_DAYS:
            raise BadRequest(f"keep_days lies between 0 (nothing is kept) and {MAX_KEEP_DAYS}.")
        changes["keep_days"] = form.keep_days
    for name in ("user_view", "enabled"):
        if getattr(form, name) is not None:
            changes[name] = int(getattr(form, name))
    return replace(row, **changes)


def checked_secret(secret: str) -> str:
    """A secret that a key may have; BadRequest."""
    if not _GIVEN.fullmatch(secret):
        raise BadRequest("A key's secret has 8 to 512 printable characters without spaces.")
    return secret


def checked_pattern(model: str) -> str:
    """A model's name, or a pattern with one `*`; BadRequest."""
    if not model or model.count("*") > 1 or len(model) > MAX_NAME:
        raise BadRequest(f"A model's name has at most one '*', not {model!r}.")
    return model


def key_view(row: KeyRow, user: str) -> KeyView:
    """A row as it is shown."""
    return KeyView(
        id=row.id,
        name=row.name,
        user=user,
        last4=row.last4,
        scopes=msgspec.json.decode(row.scopes, type=list[str]),
        models=msgspec.json.decode(row.models, type=list[str]),
        addresses=msgspec.json.decode(row.addresses, type=list[str]),
        expires=_iso(row.expires_at),
        budgets=msgspec.json.decode(row.budgets, type=dict[str, int]),
        rpm=row.rpm,
        tpm=row.tpm,
        concurrency=row.concurrency,
        user_view=bool(row.user_view),
        keep_days=row.keep_days,
        enabled=bool(row.enabled),
        owned_by=row.owned_by,
        created_at=row.created_at,
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else utc(ms).isoformat()


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise BadRequest(f"Not an address or a network: {error}.") from None


def _scope(scope: str) -> str:
    if scope not in SCOPES:
        raise BadRequest(f"A scope is one of {', '.join(SCOPES)}, not {scope!r}.")
    return scope


def _budgets(old: dict[str, int], changes: dict[str, int | None]) -> dict[str, int]:
    new: dict[str, int | None] = {**old, **changes}
    for period, amount in new.items():
        if period not in PERIODS:
            raise BadRequest(f"A budget's period is one of {', '.join(PERIODS)}, not {period!r}.")
        if amount is not None and not 0 <= amount <= MAX_AMOUNT:
            raise BadRequest("A budget lies between 0 and 1000000 USD.")
    return {period: amount for period, amount in new.items() if amount is not None}
