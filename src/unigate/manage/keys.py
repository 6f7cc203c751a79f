"""Callers' keys: create, show, change, rotate. The key itself is shown once and kept nowhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import msgspec

from unigate.access.keys import Digest, caller, new_secret
from unigate.access.secrets import last4
from unigate.base import ids, key_options
from unigate.base.clock import now_ms, utc
from unigate.base.errors import BadRequest, Conflict, Forbidden, NotFound
from unigate.base.money import MAX_AMOUNT, format_usd
from unigate.manage.audit import noted
from unigate.manage.desk import (
    MAX_NAME,
    SHELL,
    Actor,
    Desk,
    check_editable,
    check_name,
    check_rank,
    json_text,
    unique,
)
from unigate.manage.users import user_named
from unigate.spec.caller import Key
from unigate.store import generations
from unigate.store import keys as rows
from unigate.store.database import Tx
from unigate.store.keys import KeyRow
from unigate.store.pages import Page, Slice

#: What a key may be for: calls of models, things that are kept at vendors (vector stores, fine-tuning, ...), or management.
SCOPES = ("relay", "platform", "manage")
PERIODS = ("day", "month", "total")
MAX_LIMIT = 1_000_000_000
MAX_KEEP_DAYS = 3650
#: What the audit log tells of a key as it is shown.
_TOLD = (
    "scopes",
    "models",
    "addresses",
    "expires",
    "rpm",
    "tpm",
    "concurrency",
    "user_view",
    "keep_days",
    "options",
    "enabled",
    "owned_by",
)
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
    #: Options by name (`base/key_options.py`); None as a value takes one away.
    options: dict[str, object] | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key as it is shown."""

    id: str
    name: str
    user: str
    user_id: str
    last4: str
    scopes: list[str]
    models: list[str]
    addresses: list[str]
    #: ISO 8601, and in ms since 1970; None: never.
    expires: str | None
    expires_at: int | None
    #: Nano-USD by period.
    budgets: dict[str, int]
    rpm: int
    tpm: int
    concurrency: int
    user_view: bool
    keep_days: int
    options: dict[str, object]
    enabled: bool
    owned_by: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """Which keys are wanted; None: all. `user` is a name or id, `text` is found in the key's name."""

    user: str | None = None
    enabled: bool | None = None
    text: str | None = None


async def list_keys(desk: Desk, user: str | None = None) -> list[KeyView]:
    """All keys, or those of one user, oldest first."""
    async with desk.db.reading() as tx:
        only = (await user_named(tx, user)).id if user is not None else None
        found = await rows.all_keys(tx)
    return [key_view(key, owner.name) for key, owner in found if only in (None, owner.id)]


async def page_keys(desk: Desk, page: Page, wanted: KeyFilter, *, of: str | None = None) -> Slice[KeyView]:
    """A page of keys, newest first, of the user with the id `of` only where one is given. NotFound (user)."""
    async with desk.db.reading() as tx:
        user_id = (await user_named(tx, wanted.user)).id if wanted.user is not None else of
        if of not in (None, user_id):
            raise NotFound(f"There is no user {wanted.user!r}.")
        found = await rows.page(tx, page, user_id=user_id, enabled=wanted.enabled, text=wanted.text)
    return found.map(lambda one: key_view(one[0], one[1].name))


async def spent(desk: Desk, key_ids: Sequence[str], day: int) -> dict[str, dict[str, int]]:
    """What keys used, in nano-USD by period: on `day` (20261121), in its month, in total. Calls settled so far."""
    async with desk.db.reading() as tx:
        return await rows.spent(tx, key_ids, day)


async def show_key(desk: Desk, name: str, *, of: str | None = None) -> KeyView:
    """One key by id, name, or `USER/NAME`; NotFound, Conflict where several have the name."""
    async with desk.db.reading() as tx:
        key, owner = await key_named(tx, name, of)
    return key_view(key, owner.name)


async def create_key(
    desk: Desk,
    user: str,
    name: str,
    form: KeyForm | None = None,
    *,
    secret: str | None = None,
    of: str | None = None,
    actor: Actor = SHELL,
) -> tuple[KeyView, str]:
    """A new key and its secret, which is shown this once. BadRequest, Conflict, Forbidden, NotFound (user).

    `of`: the id of the one user who may be named, None: everybody.
    """
    made = checked_secret(secret) if secret is not None else new_secret()
    with unique(f"{user!r} has a key named {name!r} already, or the secret is in use."):
        async with desk.db.writing() as tx:
            owner = await user_named(tx, user)
            if of not in (None, owner.id):
                raise NotFound(f"There is no user {user!r}.")
            row = new_key(desk, owner.id, name, made, form or KeyForm())
            _check_may(actor, owner.role, row)
            await add_key(tx, actor, row, owner.name)
            await generations.bump(tx, ["keys"])
    return key_view(row, owner.name), made


async def set_key(desk: Desk, name: str, form: KeyForm, *, of: str | None = None, actor: Actor = SHELL) -> KeyView:
    """Change what a key allows, within about a second everywhere. BadRequest, Conflict, Forbidden, NotFound."""
    async with desk.db.writing() as tx:
        key, owner = await key_named(tx, name, of)
        new = with_form(key, form)
        _check_may(actor, owner.role, key, new)
        check_editable(key.owned_by, "key", key.name)
        await write_key(tx, actor, key, new, owner.name)
        await generations.bump(tx, ["keys"])
    return key_view(new, owner.name)


async def rotate_key(desk: Desk, name: str, *, of: str | None = None, actor: Actor = SHELL) -> tuple[KeyView, str]:
    """A new secret for a key; the old one ends at once. Conflict, Forbidden, NotFound."""
    made = new_secret()
    async with desk.db.writing() as tx:
        key, owner = await key_named(tx, name, of)
        _check_may(actor, owner.role, key)
        check_editable(key.owned_by, "key", key.name)
        new = with_secret(desk, key, made)
        await write_key(tx, actor, key, new, owner.name, action="rotate")
        await generations.bump(tx, ["keys"])
    return key_view(new, owner.name), made


async def add_key(tx: Tx, actor: Actor, row: KeyRow, owner: str) -> None:
    """Insert a key of the user of that name."""
    await rows.add(tx, row)
    await noted(tx, actor, "create", "key", row.id, f"{owner}/{row.name}", after=_facts(row))


async def write_key(tx: Tx, actor: Actor, old: KeyRow, new: KeyRow, owner: str, *, action: str = "set") -> None:
    """Write a key's change."""
    await rows.change(tx, new)
    await noted(tx, actor, action, "key", new.id, f"{owner}/{new.name}", _facts(old), _facts(new))


def _check_may(actor: Actor, owner_role: str, *keys: KeyRow) -> None:
    """Forbidden where the key, as it is or will be, is beyond the actor."""
    check_rank(actor, owner_role)
    if actor.by_key and any("manage" in msgspec.json.decode(key.scopes) for key in keys):
        raise Forbidden("A key neither makes nor changes keys with the scope 'manage': sign in for that.")


async def presented(desk: Desk, secret: str) -> Key | None:
    """The key that somebody shows, as it is now; None where there is none."""
    async with desk.db.reading() as tx:
        found = None
        for known in (desk.secret, *desk.others):
            found = found or await rows.by_digest(tx, Digest(known)(secret.encode()))
    return caller(*found) if found is not None else None


async def key_named(tx: Tx, name: str, of: str | None = None) -> rows.Found:
    """The key by id, name, or `USER/NAME`, of the user with the id `of` only where one is given.

    NotFound; Conflict where several users have a key of that name.
    """
    found = await rows.by_id(tx, name) if name.startswith("key_") else None
    several = [found] if found is not None else await rows.by_name(tx, name)
    if not several and "/" in name:
        user, _, own = name.partition("/")
        several = [found for found in await rows.by_name(tx, own) if found[1].name == user]
    several = [found for found in several if of in (None, found[1].id)]
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
    changes: dict[str, Any] = _limits(form)
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
    if form.keep_days is not None:
        if not 0 <= form.keep_days <= MAX_KEEP_DAYS:
            raise BadRequest(f"keep_days lies between 0 (nothing is kept) and {MAX_KEEP_DAYS}.")
        changes["keep_days"] = form.keep_days
    if form.options is not None:
        changes["options"] = json_text(_options(msgspec.json.decode(row.options), form.options))
    for name in ("user_view", "enabled"):
        if getattr(form, name) is not None:
            changes[name] = int(getattr(form, name))
    return replace(row, **changes)


def _limits(form: KeyForm) -> dict[str, int]:
    asked = {name: value for name in ("rpm", "tpm", "concurrency") if (value := getattr(form, name)) is not None}
    for name, value in asked.items():
        if not 0 <= value <= MAX_LIMIT:
            raise BadRequest(f"{name} lies between 0 (none) and 1000000000, not {value}.", param=f"limits.{name}")
    return asked


def checked_secret(secret: str) -> str:
    """A secret that a key may have; BadRequest."""
    if not _GIVEN.fullmatch(secret):
        raise BadRequest("A key's secret has 8 to 512 printable characters without spaces.", param="secret")
    return secret


def checked_pattern(model: str) -> str:
    """A model's name, or a pattern with one `*`; BadRequest."""
    if not model or model.count("*") > 1 or len(model) > MAX_NAME:
        raise BadRequest(f"A model's name has at most one '*', not {model!r}.", param="models")
    return model


def key_view(row: KeyRow, user: str) -> KeyView:
    """A row as it is shown."""
    return KeyView(
        id=row.id,
        name=row.name,
        user=user,
        user_id=row.user_id,
        last4=row.last4,
        scopes=msgspec.json.decode(row.scopes, type=list[str]),
        models=msgspec.json.decode(row.models, type=list[str]),
        addresses=msgspec.json.decode(row.addresses, type=list[str]),
        expires=_iso(row.expires_at),
        expires_at=row.expires_at,
        budgets=msgspec.json.decode(row.budgets, type=dict[str, int]),
        rpm=row.rpm,
        tpm=row.tpm,
        concurrency=row.concurrency,
        user_view=bool(row.user_view),
        keep_days=row.keep_days,
        options=msgspec.json.decode(row.options, type=dict[str, object]),
        enabled=bool(row.enabled),
        owned_by=row.owned_by,
        created_at=row.created_at,
    )


def _facts(row: KeyRow) -> dict[str, object]:
    """What the audit log tells of a key; of the secret only whether it is another."""
    view = key_view(row, "")
    told = {name: getattr(view, name) for name in _TOLD}
    budgets = {period: format_usd(amount) for period, amount in view.budgets.items()}
    return {**told, "budgets": budgets, "secret": row.digest}


def _iso(ms: int | None) -> str | None:
    return None if ms is None else utc(ms).isoformat()


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise BadRequest(f"Not an address or a network: {error}.", param="addresses") from None


def _scope(scope: str) -> str:
    if scope not in SCOPES:
        raise BadRequest(f"A scope is one of {', '.join(SCOPES)}, not {scope!r}.", param="scopes")
    return scope


def _options(old: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    try:
        return key_options.checked({**old, **changes})
    except ValueError as error:
        raise BadRequest(str(error), param="options") from None


def _budgets(old: dict[str, int], changes: dict[str, int | None]) -> dict[str, int]:
    new: dict[str, int | None] = {**old, **changes}
    for period, amount in new.items():
        if period not in PERIODS:
            raise BadRequest(f"A budget's period is one of {', '.join(PERIODS)}, not {period!r}.", param="budgets")
        if amount is not None and not 0 <= amount <= MAX_AMOUNT:
            raise BadRequest("A budget lies between 0 and 1000000 USD.", param=f"budgets.{period}")
    return {period: amount for period, amount in new.items() if amount is not None}
