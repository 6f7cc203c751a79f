"""What a serving process keeps in memory of the database: channels, prices, models, live settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from unigate.access.secrets import CannotOpen, Vault
from unigate.base.clock import now_ms
from unigate.base.live_settings import LiveSettings, live_settings
from unigate.manage import parking
from unigate.manage.channel_rows import open_credential, open_options
from unigate.manage.price_forms import price_of
from unigate.spec.channel import Channel, Timeouts
from unigate.spec.price import Model, Price
from unigate.spec.provider import Credential, Provider
from unigate.store import channels as channel_rows
from unigate.store import prices as price_rows
from unigate.store import settings_rows
from unigate.store.channels import ChannelRow, CredentialRow
from unigate.store.database import Database
from unigate.store.prices import ModelRow

log: Any = structlog.get_logger("unigate.manage")


async def load_channels(db: Database, vault: Vault, catalogue: Mapping[str, Provider]) -> list[Channel]:
    """All channels, disabled ones too, ready to be routed to.

    A channel whose provider is not installed, or whose options can't be opened, is left out; so is a credential that
    can't be opened. `doctor` names them.
    """
    async with db.reading() as tx:
        rows = await channel_rows.all_channels(tx)
        credentials = await channel_rows.all_credentials(tx)
        unparked = await parking.unparked(tx)
    found = [_channel(row, credentials.get(row.id, []), vault, catalogue, unparked) for row in rows]
    return [channel for channel in found if channel is not None]


async def load_prices(db: Database, shipped: Iterable[Price] = ()) -> list[Price]:
    """The operator's prices in use, and the shipped ones that none of them stands for."""
    async with db.reading() as tx:
        rows = await price_rows.all_prices(tx)
    return merged_prices([price_of(row) for row in rows if row.enabled], shipped, now_ms())


async def load_models(db: Database, shipped: Iterable[Model] = ()) -> dict[str, Model]:
    """What is known of models, by name; the operator's word wins."""
    async with db.reading() as tx:
        rows = await price_rows.all_models(tx)
    return {model.name: model for model in (*shipped, *map(model_of, rows))}


async def load_settings(db: Database) -> LiveSettings:
    """The live settings; what this version cannot read counts as not set."""
    async with db.reading() as tx:
        rows = await settings_rows.all_settings(tx)
    values = {row.name: msgspec.json.decode(row.value) for row in rows}
    while True:
        try:
            return live_settings(values)
        except msgspec.ValidationError as error:
            bad = next(name for name in values if f"`$.{name}" in str(error))
            log.warning("a setting cannot be read and counts as not set", setting=bad, error=str(error))
            del values[bad]


def model_of(row: ModelRow) -> Model:
    """A row as the calls see it."""
    return Model(
        name=row.name,
        owner=row.owner,
        created=row.created,
        input_limit=row.input_limit,
        output_limit=row.output_limit,
        modalities=msgspec.json.decode(row.modalities, type=tuple[str, ...]),
    )


def merged_prices(own: Sequence[Price], shipped: Iterable[Price], now: int) -> list[Price]:
    """The operator's prices and those shipped ones that still count beside them.

    A row of the operator's for a model, or for a pattern but not `*` alone, stands for all shipped rows of the models
    that it names: from its start on none of them is looked at, however specific it is.
    """
    result = list(own)
    for row in shipped:
        covers = [price for price in own if _covers(price, row)]
        if any(cover.starts_at <= max(now, row.starts_at) for cover in covers):
            continue
        result.append(row)
        # Those that are yet to start take over at that moment, as rows that are just as specific and start later.
        heirs = [cover for cover in covers if not any(_sooner(other, cover) for other in covers)]
        result += [replace(heir, model=row.model, operation=row.operation, when=row.when) for heir in heirs]
    return result


def _covers(own: Price, shipped: Price) -> bool:
    if own.when or own.model in (None, "*") or own.operation not in (None, shipped.operation):
        return False
    if shipped.model is None or own.model is None:
        return False
    if own.model.endswith("*"):
        return shipped.model.startswith(own.model[:-1])
    return own.model == shipped.model


def _sooner(other: Price, cover: Price) -> bool:
    """Whether another row is more specific and starts no later."""
    return _rank(other) > _rank(cover) and other.starts_at <= cover.starts_at


def _rank(price: Price) -> tuple[bool, int, bool]:
    name = price.model or ""
    return not name.endswith("*"), len(name), price.operation is not None


def _channel(
    row: ChannelRow,
    credentials: Sequence[CredentialRow],
    vault: Vault,
    catalogue: Mapping[str, Provider],
    unparked: Mapping[str, int],
) -> Channel | None:
    provider = catalogue.get(row.provider)
    if provider is None:
        log.warning("the provider of a channel is not installed", channel=row.name, provider=row.provider)
        return None
    try:
        options = open_options(row, vault)
    except CannotOpen as error:
        log.warning("the options of a channel cannot be opened", channel=row.name, error=str(error))
        return None
    ms = msgspec.json.decode(row.timeouts, type=dict[str, int])
    return Channel(
        id=row.id,
        name=row.name,
        provider=provider,
        base_url=(row.base_url or provider.base_url or "").rstrip("/"),
        credentials=tuple(_credentials(row, credentials, vault)),
        models=msgspec.json.decode(row.models, type=dict[str, str]),
        groups=msgspec.json.decode(row.groups, type=frozenset[str]),
        priority=row.priority,
        weight=row.weight,
        concurrency=row.concurrency,
        rpm=row.rpm,
        timeouts=Timeouts(**{name: value / 1000 for name, value in ms.items()}),
        options=options,
        enabled=bool(row.enabled),
        unparked={id: unparked[id] for id in (row.id, *(c.id for c in credentials)) if id in unparked},
    )


def _credentials(row: ChannelRow, credentials: Sequence[CredentialRow], vault: Vault) -> list[Credential]:
    opened = []
    for credential in credentials:
        if not credential.enabled:
            continue
        try:
            opened.append(open_credential(credential, vault))
        except CannotOpen as error:
            log.warning("a credential cannot be opened", channel=row.name, credential=credential.id, error=str(error))
    return opened
