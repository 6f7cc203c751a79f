"""Live settings as rows: a name, a JSON value, and who owns it."""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, select

from unigate.store.database import Tx
from unigate.store.metadata import insert
from unigate.store.tables import settings


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A row of `settings`; `value` as JSON text. Names that begin with `_` are the gateway's own."""

    name: str
    value: str
    owned_by: str
    changed_at: int


_ALL = select(settings).order_by(settings.c.name)
_BY_NAME = select(settings).where(settings.c.name == bindparam("by"))
_ADD_NEW = insert(settings).on_conflict_do_nothing().returning(settings.c.name)
_new = insert(settings)
_PUT = _new.on_conflict_do_update(
    index_elements=[settings.c.name],
    set_={name: _new.excluded[name] for name in ("value", "owned_by", "changed_at")},
)
_DROP = delete(settings).where(settings.c.name == bindparam("of"))


async def all_settings(tx: Tx) -> list[SettingRow]:
    """All settings that differ from their defaults, by name."""
    return [SettingRow(*row) for row in await tx.all(_ALL)]


async def setting(tx: Tx, name: str) -> SettingRow | None:
    """One setting, None where it has its default."""
    row = await tx.one(_BY_NAME, {"by": name})
    return SettingRow(*row) if row else None


async def put_setting(tx: Tx, row: SettingRow) -> None:
    """Insert or replace a setting."""
    await tx.run(_PUT, asdict(row))


async def add_setting(tx: Tx, row: SettingRow) -> None:
    """Insert a setting unless there is one of that name."""
    await tx.insert_new(_ADD_NEW, [asdict(row)])


async def drop_setting(tx: Tx, name: str) -> int:
    """Back to the default; how many rows there were."""
    return await tx.run(_DROP, {"of": name})
