"""Live settings: show, set, and back to the default."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from unigate.access.secrets import CannotOpen
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest
from unigate.base.live_settings import LiveSettings, MailSettings
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk, check_editable, json_text
from unigate.store import generations
from unigate.store import settings_rows as rows
from unigate.store.database import Tx
from unigate.store.settings_rows import SettingRow
from unigate.tasks.account_post import MAIL_CONTEXT

#: Stands for a password that is kept; given, it stays.
HIDDEN = "***"
_MAIL = "mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingView:
    """A setting as it is shown."""

    name: str
    value: Any
    default: Any
    owned_by: str


async def list_settings(desk: Desk) -> list[SettingView]:
    """All settings with their values, by name."""
    async with desk.db.reading() as tx:
        found = {row.name: row for row in await rows.all_settings(tx)}
    return [_view(name, found.get(name)) for name in LiveSettings.__struct_fields__]


async def show_setting(desk: Desk, name: str) -> SettingView:
    """One setting; BadRequest where there is none of that name."""
    _type(name)
    async with desk.db.reading() as tx:
        return _view(name, await rows.setting(tx, name))


async def set_setting(desk: Desk, name: str, value: object, *, actor: Actor = SHELL) -> SettingView:
    """Another value, given as plain structures; None: back to the default. BadRequest, Conflict where it is the file's."""
    checked = None if value is None else checked_setting(name, value)
    async with desk.db.writing() as tx:
        _type(name)
        old = await rows.setting(tx, name)
        if old is not None:
            check_editable(old.owned_by, "setting", name)
        row = None
        if checked is None:
            await rows.drop_setting(tx, name)
        else:
            row = setting_row(name, sealed(desk, checked, old))
            await rows.put_setting(tx, row)
        action = "set" if row is not None else "reset"
        await noted(tx, actor, action, "setting", name, name, setting_facts(old), setting_facts(row))
        await generations.bump(tx, ["settings"])
    return _view(name, row)


def checked_setting(name: str, value: object) -> object:
    """A value as its setting's type; BadRequest."""
    try:
        return msgspec.convert(value, _type(name))
    except msgspec.ValidationError as error:
        raise BadRequest(f"{name}: {error}") from None


def sealed(desk: Desk, value: object, old: SettingRow | None) -> object:
    """A value as it is kept, after what was kept before: a password is sealed, and stays where `***` is given."""
    if not isinstance(value, MailSettings):
        return value
    before = msgspec.json.decode(old.value, type=MailSettings).password if old is not None else ""
    if value.password == HIDDEN or (before and value.password == _password(desk, before)):
        return msgspec.structs.replace(value, password=before)
    password = desk.vault.seal(value.password, MAIL_CONTEXT) if value.password else ""
    return msgspec.structs.replace(value, password=password)


def _password(desk: Desk, kept: str) -> str | None:
    """What is sealed; None where no secret that is known opens it."""
    try:
        return desk.vault.open(kept, MAIL_CONTEXT)
    except CannotOpen:
        return None


async def reseal(tx: Tx, desk: Desk) -> None:
    """Seal what another secret had sealed with that of today. CannotOpen."""
    row = await rows.setting(tx, _MAIL)
    mail = msgspec.json.decode(row.value, type=MailSettings) if row is not None else MailSettings()
    if row is not None and mail.password and not desk.vault.fresh(mail.password):
        password = desk.vault.seal(desk.vault.open(mail.password, MAIL_CONTEXT), MAIL_CONTEXT)
        value = json_text(msgspec.structs.replace(mail, password=password))
        await rows.put_setting(tx, replace(row, value=value))


def setting_row(name: str, value: object, owned_by: str = "") -> SettingRow:
    """The row that keeps a value."""
    return SettingRow(name=name, value=json_text(value), owned_by=owned_by, changed_at=now_ms())


def setting_facts(row: SettingRow | None) -> dict[str, object]:
    """What the audit log tells of a setting; nothing where it is at its default."""
    if row is None:
        return {}
    found: dict[str, object] = {"value": _plain(row)}
    if row.name == _MAIL:
        found["password"] = msgspec.json.decode(row.value).get("password")
    return {**found, "owned_by": row.owned_by} if row.owned_by else found


def _type(name: str) -> Any:
    for field in msgspec.structs.fields(LiveSettings):
        if field.name == name:
            return field.type
    raise BadRequest(f"There is no setting {name!r}; known are {', '.join(LiveSettings.__struct_fields__)}.")


def _view(name: str, row: SettingRow | None) -> SettingView:
    default = msgspec.to_builtins(getattr(LiveSettings(), name))
    value = _plain(row) if row is not None else default
    return SettingView(name=name, value=value, default=default, owned_by=row.owned_by if row else "")


def _plain(row: SettingRow) -> Any:
    """A value as it is shown: without its password."""
    value = msgspec.json.decode(row.value)
    return {**value, "password": HIDDEN} if row.name == _MAIL and value.get("password") else value
