"""Desk: what the use cases of this room work with, and the rules that they share."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from unigate.access.secrets import Vault
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, CallerError, Conflict, Forbidden
from unigate.spec.provider import Provider
from unigate.store import settings_rows
from unigate.store.database import ConstraintFailed, Database
from unigate.store.settings_rows import SettingRow
from unigate.store.tables import OWNED_BY_FILE

#: The setting that remembers which secret a database was made with.
SECRET_NAME = "_secret"  # noqa: S105 - a name, not a secret
MAX_NAME = 200
#: From least to most.
ROLES = ("user", "operator", "owner")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A database, the secret that belongs to it, and the providers that channels may name."""

    db: Database
    secret: str = field(repr=False)
    #: Secrets that may also have sealed something, while one takes the place of another.
    others: tuple[str, ...] = field(default=(), repr=False)
    providers: Mapping[str, Provider] = field(default_factory=dict, repr=False)

    @property
    def vault(self) -> Vault:
        """Seals and opens credentials."""
        return Vault(self.secret, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who changes something, as the audit log keeps it; `role` decides what of another user's they may change."""

    #: A user's id, or `shell`, `file`.
    id: str
    name: str
    role: str = "owner"
    address: str = ""
    request_id: str = ""
    #: They showed an API key, which may do less than its owner with a password.
    by_key: bool = False


#: Whoever has the database in hand.
SHELL = Actor(id="shell", name="shell")
#: The config file.
FILE = Actor(id="file", name="config file")


class OtherSecret(CallerError):
    """This database was made with another secret: its keys and credentials cannot be used with this one."""


async def check_secret(desk: Desk) -> None:
    """Remember which secret this database belongs to, or raise OtherSecret where it is none of those known."""
    vault = desk.vault
    mine = vault.id
    async with desk.db.reading() as tx:
        row = await settings_rows.setting(tx, SECRET_NAME)
    if row is None:
        made = SettingRow(name=SECRET_NAME, value=json_text(mine), owned_by="", changed_at=now_ms())
        async with desk.db.writing() as tx:
            await settings_rows.add_setting(tx, made)  # another process may be as quick
            row = await settings_rows.setting(tx, SECRET_NAME)
    if row is None or msgspec.json.decode(row.value) not in vault.ids:
        raise OtherSecret


def json_text(value: object) -> str:
    """JSON with sorted names, so that equal values are equal texts."""
    return msgspec.json.encode(value, order="deterministic").decode()


def check_name(name: str, what: str) -> str:
    """`name`, if it can be one; BadRequest."""
    if not name.strip() or len(name) > MAX_NAME or _CONTROL.search(name) or name != name.strip():
        raise BadRequest(f"A {what}'s name has 1 to 200 printable characters, not {name!r}.", param="name")
    return name


def check_editable(owned_by: str, what: str, name: str) -> None:
    """Conflict where the config file owns it, since it would come back as it was at the next start."""
    if owned_by == OWNED_BY_FILE:
        raise Conflict(f"The {what} {name!r} belongs to the config file: change it there.")


def check_rank(actor: Actor, role: str) -> None:
    """Forbidden where what is to change belongs to somebody of a higher role."""
    if ROLES.index(role) > ROLES.index(actor.role):
        raise Forbidden(f"This belongs to the role '{role}', yours is '{actor.role}'.")


@contextmanager
def unique(message: str) -> Iterator[None]:
    """Turns a broken uniqueness into a Conflict with `message`."""
    try:
        yield
    except ConstraintFailed as error:
        if error.kind != "unique":
            raise
        raise Conflict(message) from None
