"""Applies the config file: what it names is created or updated, by name; what it no longer names stays.

One transaction, so that a file is applied whole or not at all, and applying it again changes nothing. Of two processes
that apply it at once, the second waits for the first and finds its work done.
"""

from dataclasses import replace

from unigate.access.passwords import hash_password, verify_password
from unigate.base.clock import now_ms
from unigate.base.config_reader import ConfigError
from unigate.base.errors import Conflict, StoreUnavailable
from unigate.base.key_options import told
from unigate.base.settings import Config, GroupEntry, KeyEntry, UserEntry
from unigate.manage.applied import Applied, at, check_twice
from unigate.manage.apply_offer import apply_channels, apply_prices, apply_settings
from unigate.manage.audit import noted
from unigate.manage.desk import FILE, Desk, check_secret
from unigate.manage.groups import group_facts, group_named, new_group
from unigate.manage.keys import KeyForm, add_key, checked_secret, new_key, with_form, with_secret, write_key
from unigate.manage.users import (
    add_user,
    checked_email,
    checked_password,
    new_user,
    user_named,
    write_user,
)
from unigate.store import generations, ledger
from unigate.store import keys as key_rows
from unigate.store import users as user_rows
from unigate.store.database import ConstraintFailed, Tx
from unigate.store.tables import LEFT_BY_FILE, OWNED_BY_FILE
from unigate.store.users import GroupRow, UserRow

#: How often it is tried while others apply the same file.
_TRIES = 5


async def apply(desk: Desk, config: Config, owner: str = OWNED_BY_FILE) -> Applied:
    """Bring about what the file names. ConfigError names the place; OtherSecret; StoreUnavailable.

    `owner` is who owns what is named from then on: by default the file, so that nobody else can change it.
    """
    await check_secret(desk)
    _check_file(config)
    hashes = await _hashes(desk, config.users)
    for _ in range(_TRIES):
        done = Applied(owner)
        try:
            async with desk.db.writing() as tx:
                await generations.lock(tx)
                await _apply_groups(tx, config.groups, done)
                await _apply_users(tx, config.users, hashes, done)
                await _apply_keys(tx, desk, config.keys, done)
                await apply_channels(tx, desk, config.channels, done)
                await apply_prices(tx, config.prices, done)
                await apply_settings(tx, desk, config.settings, done)
                await generations.bump(tx, done.kinds)
        except ConstraintFailed as error:
            if error.kind != "unique":
                raise
            continue
        return done
    raise StoreUnavailable("Other processes keep changing what the config file names.")


def _check_file(config: Config) -> None:
    check_twice(config.groups, [entry.name for entry in config.groups], "group")
    check_twice(config.users, [entry.name for entry in config.users], "user")
    with_email = [entry for entry in config.users if entry.email is not None]
    check_twice(with_email, [str(entry.email).lower() for entry in with_email], "e-mail address")
    check_twice(config.keys, [f"{entry.user}/{entry.name}" for entry in config.keys], "key")
    secrets = [entry.secret for entry in config.keys]
    for position, entry in enumerate(config.keys):
        if entry.secret in secrets[:position]:
            raise ConfigError(entry.at, "another key has the same secret")
    check_twice(config.channels, [entry.name for entry in config.channels], "channel")


async def _hashes(desk: Desk, entries: list[UserEntry]) -> dict[str, str]:
    """New hashes of the passwords that are not what is kept; made before the transaction, since they take long."""
    async with desk.db.reading() as tx:
        known = {row.name: row for row in await user_rows.all_users(tx)}
    hashes: dict[str, str] = {}
    for entry in entries:
        if entry.password is None:
            continue
        with at(entry):
            password = checked_password(entry.password.reveal())
        row = known.get(entry.name)
        if row is None or row.password is None or not await verify_password(row.password, password):
            hashes[entry.name] = await hash_password(password)
    return hashes


async def _apply_groups(tx: Tx, entries: list[GroupEntry], done: Applied) -> None:
    for entry in entries:
        row = await user_rows.group_by_name(tx, entry.name)
        if row is None:
            with at(entry):
                row = replace(new_group(entry.name, entry.multiplier, done.owner), enabled=int(entry.enabled))
            await user_rows.add_group(tx, row)
            await noted(tx, FILE, "create", "group", row.id, row.name, after=group_facts(row))
            done.created.append(f"group {entry.name}")
            continue
        new = replace(row, multiplier=entry.multiplier, enabled=int(entry.enabled), owned_by=done.owner)
        if new != row:
            await _write_group(tx, row, new)
            done.updated.append(f"group {entry.name}")
            done.kinds.add("keys")
    named = {entry.name for entry in entries}
    for row in await user_rows.all_groups(tx):
        if row.owned_by == done.owner and row.name not in named:
            await _write_group(tx, row, replace(row, owned_by=LEFT_BY_FILE))
            done.left.append(f"group {row.name}")


async def _write_group(tx: Tx, old: GroupRow, new: GroupRow) -> None:
    await user_rows.set_group(tx, new)
    await noted(tx, FILE, "set", "group", new.id, new.name, group_facts(old), group_facts(new))


async def _apply_users(tx: Tx, entries: list[UserEntry], hashes: dict[str, str], done: Applied) -> None:
    for entry in entries:
        with at(entry):
            row = await _apply_user(tx, entry, hashes.get(entry.name), done)
            if entry.credit:
                await _grant_once(tx, row, entry.credit)
    named = {entry.name for entry in entries}
    for row in await user_rows.all_users(tx):
        if row.owned_by == done.owner and row.name not in named:
            await write_user(tx, FILE, row, replace(row, owned_by=LEFT_BY_FILE))
            done.left.append(f"user {row.name}")


async def _apply_user(tx: Tx, entry: UserEntry, hashed: str | None, done: Applied) -> UserRow:
    group = await group_named(tx, entry.group)
    email = checked_email(entry.email) if entry.email is not None else None
    if email is not None:
        other = await user_rows.user_by_email(tx, email)
        if other is not None and other.name != entry.name:
            raise Conflict(f"the e-mail address {email} is that of the user {other.name!r}")
    row = await user_rows.user_by_name(tx, entry.name)
    if row is None:
        row = new_user(entry.name, email, hashed, entry.role, group, owned_by=done.owner)
        row = replace(row, enabled=int(entry.enabled))
        await add_user(tx, FILE, row, group)
        done.created.append(f"user {entry.name}")
        return row
    new = replace(
        row,
        email=email if email is not None else row.email,
        password=hashed or row.password,
        role=entry.role,
        group_id=group.id,
        enabled=int(entry.enabled),
        owned_by=done.owner,
    )
    if new != row:
        await write_user(tx, FILE, row, new)
        done.updated.append(f"user {entry.name}")
        done.kinds.add("keys")
    return new


async def _grant_once(tx: Tx, user: UserRow, amount: int) -> None:
    """The credit of the file, once for each user: another amount in a later file is not another grant."""
    try:
        await ledger.grant(
            tx, id=f"grant:file:{user.id}", wallet_id=user.wallet_id, amount=amount, at=now_ms(), note="config file"
        )
    except Conflict:
        return


async def _apply_keys(tx: Tx, desk: Desk, entries: list[KeyEntry], done: Applied) -> None:
    for entry in entries:
        with at(entry):
            await _apply_key(tx, desk, entry, done)
    named = {(entry.user, entry.name) for entry in entries}
    for key, owner in await key_rows.all_keys(tx):
        if key.owned_by == done.owner and (owner.name, key.name) not in named:
            await write_key(tx, FILE, key, replace(key, owned_by=LEFT_BY_FILE), owner.name)
            done.left.append(f"key {owner.name}/{key.name}")


async def _apply_key(tx: Tx, desk: Desk, entry: KeyEntry, done: Applied) -> None:
    user = await user_named(tx, entry.user)
    secret = checked_secret(entry.secret.reveal())
    form = _key_form(entry)
    fresh = new_key(desk, user.id, entry.name, secret, form, owned_by=done.owner)
    other = await key_rows.by_digest(tx, fresh.digest)
    found = [key for key, owner in await key_rows.by_name(tx, entry.name) if owner.id == user.id]
    if other is not None and (not found or other[0].id != found[0].id):
        raise Conflict(f"the key {other[1].name}/{other[0].name} has the same secret")
    if not found:
        await add_key(tx, FILE, fresh, user.name)
        done.created.append(f"key {entry.user}/{entry.name}")
    else:
        blank = replace(found[0], budgets="{}", expires_at=None, options="{}", owned_by=done.owner)
        new = with_secret(desk, with_form(blank, form), secret)
        if new == found[0]:
            return
        await write_key(tx, FILE, found[0], new, user.name)
        done.updated.append(f"key {entry.user}/{entry.name}")
    done.kinds.add("keys")


def _key_form(entry: KeyEntry) -> KeyForm:
    return KeyForm(
        models=tuple(entry.models),
        addresses=tuple(str(network) for network in entry.addresses),
        scopes=tuple(entry.scopes),
        expires_at=entry.expires,
        budgets={period: getattr(entry.budget, period) for period in ("day", "month", "total")},
        rpm=entry.limits.rpm,
        tpm=entry.limits.tpm,
        concurrency=entry.limits.concurrency,
        keep_days=entry.keep_days,
        options=told(entry.options),
        enabled=entry.enabled,
    )
