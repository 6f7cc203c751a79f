"""The config file's channels, prices and settings; see `apply.py`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from unigate.base.clock import now_ms
from unigate.base.config_reader import ConfigError
from unigate.base.settings import ChannelEntry, PriceEntry
from unigate.manage.applied import Applied, at
from unigate.manage.audit import noted
from unigate.manage.channel_rows import channel_row, given_credentials, seal_options
from unigate.manage.channels import channel_facts, group_names, put_credentials
from unigate.manage.desk import FILE, Desk
from unigate.manage.live import sealed, setting_facts, setting_row
from unigate.manage.price_forms import rates_of, rates_text, subject_of
from unigate.manage.price_news import Change, tell
from unigate.manage.prices import facts, in_force, new_price, title
from unigate.store import channels as channel_rows
from unigate.store import prices as price_rows
from unigate.store import settings_rows
from unigate.store.database import Tx
from unigate.store.prices import PriceRow
from unigate.store.tables import LEFT_BY_FILE

Subject = tuple[str | None, str | None, str]


async def apply_channels(tx: Tx, desk: Desk, entries: list[ChannelEntry], done: Applied) -> None:
    """Create and update the channels that the file names, with exactly the credentials that it gives."""
    groups = await group_names(tx)
    for entry in entries:
        with at(entry):
            await _apply_channel(tx, desk, entry, groups, done)
    named = {entry.name for entry in entries}
    for row in await channel_rows.all_channels(tx):
        if row.owned_by == done.owner and row.name not in named:
            left = replace(row, owned_by=LEFT_BY_FILE)
            await channel_rows.set_channel(tx, left)
            await noted(tx, FILE, "set", "channel", row.id, row.name, channel_facts(row), channel_facts(left))
            done.left.append(f"channel {row.name}")


async def _apply_channel(tx: Tx, desk: Desk, entry: ChannelEntry, groups: frozenset[str], done: Applied) -> None:
    old = await channel_rows.channel_by_name(tx, entry.name)
    row = replace(channel_row(entry, desk.providers, groups), owned_by=done.owner)
    if old is None:
        row = seal_options(row, desk.vault)
        await channel_rows.add_channel(tx, row)
        await put_credentials(tx, desk, row.id, given_credentials(entry))
        await noted(tx, FILE, "create", "channel", row.id, row.name, after=channel_facts(row))
        done.created.append(f"channel {entry.name}")
        done.kinds.add("channels")
        return
    row = seal_options(replace(row, id=old.id, created_at=old.created_at), desk.vault, old)
    if row != old:
        await channel_rows.set_channel(tx, row)
    before, after = channel_facts(old), channel_facts(row)
    if await put_credentials(tx, desk, old.id, given_credentials(entry)):
        before["credentials"], after["credentials"] = 0, 1  # the log tells that they changed, and no more
    if before != after:
        await noted(tx, FILE, "set", "channel", row.id, row.name, before, after)
        done.updated.append(f"channel {entry.name}")
        done.kinds.add("channels")


async def apply_prices(tx: Tx, entries: list[PriceEntry], done: Applied) -> None:
    """Make the file's prices hold from now on, and schedule those that are to come."""
    now = now_ms()
    by_subject = _by_subject(entries)
    known = await price_rows.all_prices(tx)
    told: list[Change] = []
    for subject, some in by_subject.items():
        own = [row for row in known if row.enabled and row.subject == subject]
        started = [entry for entry in some if (entry.starts or 0) <= now]
        if started:
            current = max(started, key=lambda entry: entry.starts or 0)
            told += await _put_price(tx, current, in_force(own, subject, now), now, done)
        to_come = {entry.starts: entry for entry in some if (entry.starts or 0) > now}
        for start, entry in to_come.items():
            old = next((row for row in own if row.starts_at == start), None)
            told += await _put_price(tx, entry, old, now, done)
        for row in own:
            if row.owned_by == done.owner and row.starts_at > now and row.starts_at not in to_come:
                await price_rows.set_price(tx, replace(row, enabled=0))
                await noted(tx, FILE, "withdraw", "price", row.id, title(row), before=facts(row))
                _note(done.updated, row, done)
                told.append((row, None))
    await tell(tx, told)
    for row in known:
        if row.owned_by == done.owner and row.enabled and row.subject not in by_subject:
            await _own_price(tx, row, LEFT_BY_FILE)
            done.left.append(f"price {_title(row)}")


async def apply_settings(tx: Tx, desk: Desk, values: Mapping[str, object], done: Applied) -> None:
    """Set what the file sets; what it no longer sets stays as it is, and is anybody's again."""
    known = {row.name: row for row in await settings_rows.all_settings(tx)}
    for name, value in values.items():
        old = known.get(name)
        row = setting_row(name, sealed(desk, value, old), done.owner)
        if old is not None and (old.value, old.owned_by) == (row.value, row.owned_by):
            continue
        await settings_rows.put_setting(tx, row)
        await noted(tx, FILE, "set", "setting", name, name, setting_facts(old), setting_facts(row))
        (done.updated if old is not None else done.created).append(f"setting {name}")
        done.kinds.add("settings")
    for row in known.values():
        if row.owned_by == done.owner and row.name not in values:
            left = replace(row, owned_by=LEFT_BY_FILE)
            await settings_rows.put_setting(tx, left)
            await noted(tx, FILE, "set", "setting", row.name, row.name, setting_facts(row), setting_facts(left))
            done.left.append(f"setting {row.name}")


def _by_subject(entries: Iterable[PriceEntry]) -> dict[Subject, list[PriceEntry]]:
    found: dict[Subject, list[PriceEntry]] = {}
    for entry in entries:
        with at(entry):
            rates_of(entry)
            some = found.setdefault(subject_of(entry), [])
        if any(other.starts == entry.starts for other in some):
            raise ConfigError(entry.at, "the same model, operation, conditions and date have a price already")
        some.append(entry)
    return found


async def _put_price(tx: Tx, entry: PriceEntry, old: PriceRow | None, now: int, done: Applied) -> list[Change]:
    """Make a price of the file hold; what changed of one that there was."""
    if old is not None and old.rates == rates_text(rates_of(entry)):
        if old.owned_by != done.owner:
            await _own_price(tx, old, done.owner)
        return []
    if old is not None and old.starts_at > now:
        await price_rows.set_price(tx, replace(old, enabled=0))
    row = new_price(entry, now, old, owned_by=done.owner)
    await price_rows.add_price(tx, row)
    await noted(tx, FILE, "set", "price", row.id, title(row), None if old is None else facts(old), facts(row))
    _note(done.created if old is None else done.updated, row, done)
    return [] if old is None else [(old, row)]


async def _own_price(tx: Tx, old: PriceRow, owner: str) -> None:
    row = replace(old, owned_by=owner)
    await price_rows.set_price(tx, row)
    await noted(tx, FILE, "set", "price", row.id, title(row), facts(old), facts(row))


def _note(names: list[str], row: PriceRow, done: Applied) -> None:
    names.append(f"price {_title(row)}")
    done.kinds.add("prices")


def _title(row: PriceRow) -> str:
    subject = " ".join(part for part in (row.operation, row.model) if part)
    return subject if row.conditions == "{}" else f"{subject} {row.conditions}"
