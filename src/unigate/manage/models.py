"""Models: what is known of each, who serves it, and what it costs. What an operator says goes before what is shipped."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, NotFound
from unigate.billing.prices import Prices
from unigate.manage import load, shipped
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk, check_name, json_text
from unigate.manage.price_forms import shown_rates
from unigate.spec.channel import Channel
from unigate.spec.price import Model
from unigate.store import generations
from unigate.store import prices as rows
from unigate.store.prices import ModelRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RateView:
    """One price of a model, in decimal USD by the names of the file."""

    id: str
    operation: str | None
    when: dict[str, str]
    rates: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model as it is shown."""

    name: str
    owner: str
    #: Seconds since 1970; 0 where nobody knows.
    created: int
    input_limit: int | None
    output_limit: int | None
    modalities: list[str]
    #: `operator`, `shipped`, or `` where nothing is known of it but that a channel serves it.
    source: str
    #: Names of the channels in use that serve it.
    channels: list[str]
    #: Those that price it now, the most specific first; none: calls are refused.
    prices: list[RateView]


async def list_models(
    desk: Desk, *, group: str | None = None, served: bool = True, search: str | None = None
) -> list[ModelView]:
    """Models by name: those that a channel in use serves (to a group), or all that something is known of."""
    channels = [channel for channel in await load.load_channels(desk.db, desk.vault, desk.providers) if channel.enabled]
    if group is not None:
        channels = [channel for channel in channels if group in channel.groups]
    prices = Prices(await load.load_prices(desk.db, shipped.prices()))
    known = await load.load_models(desk.db, shipped.models())
    async with desk.db.reading() as tx:
        said = {row.name for row in await rows.all_models(tx)}
    names = {name for channel in channels for name in channel.models if not name.endswith("*")} | known.keys()
    views = [
        _view(name, known.get(name), channels, prices, "operator" if name in said else "shipped")
        for name in sorted(names)
        if search is None or search.lower() in name.lower()
    ]
    return [view for view in views if view.channels or not served]


async def show_model(desk: Desk, name: str) -> ModelView:
    """One model; NotFound where nobody serves it and nothing is known of it."""
    for view in await list_models(desk, served=False):
        if view.name == name:
            return view
    raise NotFound(f"There is no model {name!r}.")


async def set_model(desk: Desk, model: Model, *, actor: Actor = SHELL) -> None:
    """Say what is to be known of a model in place of what is shipped. BadRequest."""
    check_name(model.name, "model")
    for field in ("input_limit", "output_limit"):
        limit = getattr(model, field)
        if limit is not None and limit <= 0:
            raise BadRequest("A limit is a number of tokens above 0.", param=field)
    row = ModelRow(
        name=model.name,
        owner=model.owner,
        created=model.created,
        input_limit=model.input_limit,
        output_limit=model.output_limit,
        modalities=json_text(list(model.modalities)),
    )
    async with desk.db.writing() as tx:
        old = {known.name: known for known in await rows.all_models(tx)}.get(model.name)
        await rows.put_model(tx, row)
        await noted(tx, actor, "set", "model", row.name, row.name, None if old is None else _facts(old), _facts(row))
        await generations.bump(tx, ["prices"])


async def reset_model(desk: Desk, name: str, *, actor: Actor = SHELL) -> None:
    """Take back what was said of a model: what is shipped counts again. NotFound where nothing was said."""
    async with desk.db.writing() as tx:
        old = {known.name: known for known in await rows.all_models(tx)}.get(name)
        if old is None:
            raise NotFound(f"Nothing was said of a model {name!r}.")
        await rows.drop_model(tx, name)
        await noted(tx, actor, "reset", "model", name, name, before=_facts(old))
        await generations.bump(tx, ["prices"])


def _facts(row: ModelRow) -> dict[str, object]:
    return {
        "owner": row.owner,
        "created": row.created,
        "input_limit": row.input_limit,
        "output_limit": row.output_limit,
        "modalities": msgspec.json.decode(row.modalities),
    }


def _view(name: str, model: Model | None, channels: Iterable[Channel], prices: Prices, source: str) -> ModelView:
    found = model or Model(name=name, modalities=())
    return ModelView(
        name=name,
        owner=found.owner,
        created=found.created,
        input_limit=found.input_limit,
        output_limit=found.output_limit,
        modalities=list(found.modalities),
        source=source if model is not None else "",
        channels=sorted(channel.name for channel in channels if serves(channel.models, name)),
        prices=[
            RateView(id=row.id, operation=row.operation, when=dict(row.when), rates=shown_rates(row.rates))
            for row in prices.rows(name, now_ms())
        ],
    )


def serves(models: Mapping[str, str], name: str) -> bool:
    """Whether a channel's models, patterns too, name this one."""
    return name in models or any(known.endswith("*") and name.startswith(known[:-1]) for known in models)
