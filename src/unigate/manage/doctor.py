"""Doctor: what an operator should put right, found by looking at database, disk and settings. Changes nothing."""

import asyncio
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from unigate.access.secrets import CannotOpen
from unigate.base.clock import now_ms
from unigate.base.errors import Forbidden, GatewayError, StoreUnavailable
from unigate.billing.prices import Prices
from unigate.dialects import operations
from unigate.manage import load, shipped
from unigate.manage.channel_rows import open_credential, open_options
from unigate.manage.desk import Desk, OtherSecret, check_secret
from unigate.manage.storage import elsewhere, probe
from unigate.spec.caller import Group
from unigate.spec.channel import Channel
from unigate.spec.operation import Operation
from unigate.store import channels as channel_rows
from unigate.store import keys as key_rows
from unigate.store import migrate, settings_rows
from unigate.store import prices as price_rows
from unigate.store import users as user_rows
from unigate.store.channels import ChannelRow, CredentialRow
from unigate.store.objects import Storages
from unigate.store.tables import LEFT_BY_FILE

#: Less free disk than this is told.
LEAST_FREE = 200 * 1024 * 1024
#: Shorter secrets are told.
LEAST_SECRET = 16
_WAIT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found: a `problem` keeps calls from being served or money from being safe, a `notice` may be meant."""

    level: Literal["problem", "notice"]
    about: str
    message: str


async def examine(
    desk: Desk, database_url: str, data: Path, storage: tuple[Storages, bool] | None = None
) -> list[Finding]:
    """Everything found wanting, problems first; empty where all is well.

    `storage`: where files of tasks are kept, and whether they are.
    """
    found = [*_disk(data), *_secret(desk.secret, data)]
    blocked = await _database(database_url)
    found += blocked
    if not blocked:
        try:
            await check_secret(desk)
        except OtherSecret as error:
            found.append(_problem("secret", error.message))
        found += await _older_secret(desk)
        if storage is not None:
            found += await _storage(desk, *storage)
        found += [*await _people(desk), *await _channels(desk), *await _unpriced(desk), *await _left(desk)]
    return sorted(found, key=lambda finding: finding.level == "notice")


def _problem(about: str, message: str) -> Finding:
    return Finding(level="problem", about=about, message=message)


def _notice(about: str, message: str) -> Finding:
    return Finding(level="notice", about=about, message=message)


def _disk(data: Path) -> list[Finding]:
    try:
        with tempfile.TemporaryFile(dir=data) as probe:
            probe.write(b"x")
            probe.flush()
    except OSError as error:
        return [_problem("disk", f"{data} cannot be written: {error.strerror}")]
    free = shutil.disk_usage(data).free
    if free < LEAST_FREE:
        return [_problem("disk", f"only {free // 2**20} MB are free at {data}; the journal of calls needs room")]
    return []


def _secret(secret: str, data: Path) -> list[Finding]:
    found = []
    if len(secret) < LEAST_SECRET:
        found.append(_problem("secret", f"the secret has less than {LEAST_SECRET} characters: it can be guessed"))
    kept = data / "secret"
    if kept.exists() and stat.S_IMODE(kept.stat().st_mode) & 0o077:
        found.append(_problem("secret", f"{kept} can be read by others: chmod 600"))
    return found


async def _older_secret(desk: Desk) -> list[Finding]:
    """What still needs a secret that another has taken the place of."""
    vault = desk.vault
    async with desk.db.reading() as tx:
        sealed = [row.sealed for rows in (await channel_rows.all_credentials(tx)).values() for row in rows]
        sealed += [row.options for row in await channel_rows.all_channels(tx) if row.options]
        keys = await key_rows.count_older(tx, vault.id) if desk.others else 0
    found = []
    if desk.others and not all(map(vault.fresh, sealed)):
        found.append(_notice("secret", "another secret sealed some credentials: run `unigate secret rotate`"))
    if keys:
        found.append(_notice("secret", f"{keys} keys are known by an older secret until they are used next"))
    return found


async def _database(url: str) -> list[Finding]:
    try:
        # It runs an event loop of its own, so it gets a thread of its own.
        has, newest = await asyncio.to_thread(migrate.version, url, wait=_WAIT)
    except GatewayError as error:
        return [_problem("database", f"{error.message} {error.detail}".strip())]
    return [_problem("database", migrate.wanting(has, newest))] if has != newest else []


async def _storage(desk: Desk, at: Storages, keep: bool) -> list[Finding]:
    """Whether files can be kept, and whether some still lie elsewhere."""
    try:
        if keep:
            await probe(at)
        others = await elsewhere(desk, at)
    except StoreUnavailable as error:
        return [_problem("storage", f"files of tasks cannot be kept: {error.detail}")]
    return [_notice("storage", f"files lie at {name} too: run `unigate storage move`") for name in others]


async def _people(desk: Desk) -> list[Finding]:
    async with desk.db.reading() as tx:
        owners = await user_rows.count_owners(tx)
        users = await user_rows.all_users(tx)
    if not owners:
        return [_problem("users", "there is no owner: unigate user create NAME --role owner --email E --password P")]
    if not any(user.role == "owner" and user.enabled and user.password for user in users):
        return [_notice("users", "no owner has a password, so nobody can sign in as owner")]
    return []


async def _channels(desk: Desk) -> list[Finding]:
    async with desk.db.reading() as tx:
        rows = await channel_rows.all_channels(tx)
        credentials = await channel_rows.all_credentials(tx)
    if not any(row.enabled for row in rows):
        return [_problem("channels", "there is no channel in use, so no call can be served")]
    found = []
    for row in rows:
        level = _problem if row.enabled else _notice
        found += [level(f"channel {row.name}", why) for why in _wrong(desk, row, credentials.get(row.id, []))]
    return found


def _wrong(desk: Desk, row: ChannelRow, credentials: Sequence[CredentialRow]) -> list[str]:
    wrong = []
    if row.provider not in desk.providers:
        wrong.append(f"its provider {row.provider!r} is not installed")
    if not any(credential.enabled for credential in credentials):
        wrong.append("it has no credential")
    if not msgspec.json.decode(row.models):
        wrong.append("it serves no model")
    try:
        open_options(row, desk.vault)
        for credential in credentials:
            open_credential(credential, desk.vault)
    except CannotOpen as error:
        wrong.append(f"{error}: give it anew")
    return wrong


async def _unpriced(desk: Desk) -> list[Finding]:
    """Models that a channel in use serves under a name of their own, but no price is known for."""
    settings = await load.load_settings(desk.db)
    if settings.allow_unpriced:
        return [_notice("prices", "calls without a price are served free of charge (allow_unpriced)")]
    prices = Prices(await load.load_prices(desk.db, shipped.prices()))
    channels = await load.load_channels(desk.db, desk.vault, desk.providers)
    now = now_ms()
    missing: dict[str, set[str]] = {}
    for channel in channels:
        for model in channel.models if channel.enabled else ():
            if not model.endswith("*") and not _priced(prices, model, channel, now):
                missing.setdefault(model, set()).add(channel.name)
    return [
        _problem(f"model {model}", f"it has no price, so calls are refused (channel {', '.join(sorted(names))})")
        for model, names in sorted(missing.items())
    ]


def _priced(prices: Prices, model: str, channel: Channel, now: int) -> bool:
    """Whether any paid operation that the channel's provider offers has a price for the model."""
    for operation in paid_operations(channel):
        try:
            prices.quote(operation.name, model, Group(id="", name=""), now)
        except Forbidden:
            continue
        return True
    return False


def paid_operations(channel: Channel) -> list[Operation]:
    """Operations that go to a channel's provider and cost something."""
    served = channel.provider.serves
    return [row for row in operations() if row.use in {"relay", "realtime", "task"} and not row.free and served(row)]


async def _left(desk: Desk) -> list[Finding]:
    """What the config file once named and names no longer."""
    async with desk.db.reading() as tx:
        owners: Mapping[str, str] = {
            **{f"group {row.name}": row.owned_by for row in await user_rows.all_groups(tx)},
            **{f"user {row.name}": row.owned_by for row in await user_rows.all_users(tx)},
            **{f"key {owner.name}/{key.name}": key.owned_by for key, owner in await key_rows.all_keys(tx)},
            **{f"channel {row.name}": row.owned_by for row in await channel_rows.all_channels(tx)},
            **{
                f"price {row.operation or ''} {row.model or ''} {row.id}": row.owned_by
                for row in await price_rows.all_prices(tx)
                if row.enabled
            },
            **{f"setting {row.name}": row.owned_by for row in await settings_rows.all_settings(tx)},
        }
    message = "the config file no longer names it; it stays in use: name it again, disable it, or set it by hand"
    return [_notice(name, message) for name, owner in owners.items() if owner == LEFT_BY_FILE]
