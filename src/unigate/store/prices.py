"""Prices, and what an operator says of models, as rows. A price is never deleted, since calls name it."""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from unigate.store.database import Tx
from unigate.store.metadata import insert as upsert
from unigate.store.tables import models, prices


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A row of `prices`; `conditions` and `rates` as JSON text with sorted names, so that equal ones are equal texts."""

    id: str
    model: str | None
    operation: str | None
    conditions: str
    rates: str
    starts_at: int
    enabled: int
    owned_by: str
    created_at: int

    @property
    def subject(self) -> tuple[str | None, str | None, str]:
        """What it is a price of: rows with the same subject follow each other in time."""
        return self.model, self.operation, self.conditions


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A row of `models`; `modalities` as JSON text."""

    name: str
    owner: str
    created: int
    input_limit: int | None
    output_limit: int | None
    modalities: str


_ALL = select(prices).order_by(prices.c.starts_at, prices.c.id)
_BY_ID = select(prices).where(prices.c.id == bindparam("by"))
_ADD = insert(prices)
_SET = (
    update(prices)
    .where(prices.c.id == bindparam("of"))
    .values(enabled=bindparam("to_enabled"), owned_by=bindparam("to_owned_by"))
)
_MODELS = select(models).order_by(models.c.name)
_new_model = upsert(models)
_PUT_MODEL = _new_model.on_conflict_do_update(
    index_elements=[models.c.name],
    set_={name: _new_model.excluded[name] for name in ModelRow.__slots__ if name != "name"},
)
_DROP_MODEL = delete(models).where(models.c.name == bindparam("of"))


async def all_prices(tx: Tx) -> list[PriceRow]:
    """All price rows, withdrawn ones too, by start."""
    return [PriceRow(*row) for row in await tx.all(_ALL)]


async def price_by_id(tx: Tx, id: str) -> PriceRow | None:
    """The price row of that id."""
    row = await tx.one(_BY_ID, {"by": id})
    return PriceRow(*row) if row else None


async def add_price(tx: Tx, price: PriceRow) -> None:
    """Insert a price."""
    await tx.run(_ADD, asdict(price))


async def set_price(tx: Tx, price: PriceRow) -> None:
    """Withdraw a price or bring it back, and say who owns it; what it says never changes."""
    await tx.run(_SET, {"of": price.id, "to_enabled": price.enabled, "to_owned_by": price.owned_by})


async def all_models(tx: Tx) -> list[ModelRow]:
    """What the operator says of models."""
    return [ModelRow(*row) for row in await tx.all(_MODELS)]


async def put_model(tx: Tx, model: ModelRow) -> None:
    """Insert or replace what is said of a model."""
    await tx.run(_PUT_MODEL, asdict(model))


async def drop_model(tx: Tx, name: str) -> int:
    """Forget what is said of a model; how many rows there were."""
    return await tx.run(_DROP_MODEL, {"of": name})
