"""Settings: what the file and the environment say, read once at start. The only place that reads the environment.

Sections `server`, `database`, `redis`, `storage` and `telemetry` say how this process runs; the others name what is to exist in
the database, and `manage.apply` brings it about. Secrets never print.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec

from unigate.base.config_reader import ConfigError, PartOf, Place, Reader, Secret, Section, Text
from unigate.base.kept_secret import kept_secret
from unigate.base.key_options import KeyOptions
from unigate.base.live_settings import LiveSettings
from unigate.base.money import parse_multiplier, parse_usd
from unigate.base.storage_place import aws_access, check_storage

__all__ = ["ConfigError", "Secret", "Settings", "load", "with_server"]

_PREFIX = "UNIGATE_"
_USERINFO = re.compile(r"(?<=://)[^/@]*@")
DEFAULT_DATA = Path("data")
#: The group that every database has.
DEFAULT_GROUP = "default"


class Url(str):
    """An address whose user and password never print; as a plain text it is whole."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_USERINFO.sub("***@", self))


def parse_moment(text: str) -> int:
    """Milliseconds since 1970 of `2026-01-01` or `2026-01-01T08:00:00+08:00`; UTC where no zone is named."""
    at = datetime.fromisoformat(text.strip())
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1000


def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)


def _every(text: str) -> str:
    if text != "*":
        raise ValueError(text)
    return text


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
Usd = Annotated[int, Text(parse_usd, "an amount of USD")]
Moment = Annotated[int, Text(parse_moment, "a date such as 2026-01-01")]
Multiplier = Annotated[int, Text(parse_multiplier, "a multiplier")]
Network = Annotated[IPv4Network | IPv6Network, Text(_network, "an address or a network such as 10.0.0.0/8")]
Every = Annotated[str, Text(_every, 'a mapping, a list, or "*"')]
Address = Annotated[str, Text(Url, "an address")]
#: A price per unit: one amount, or an amount by condition.
PerUnit = Usd | dict[str, Usd] | None
Role = Literal["user", "operator", "owner"]


class Server(Section, frozen=True, kw_only=True):
    """Where callers reach the gateway, and by how many processes it serves them."""

    host: Name = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    #: Channels may lie at private addresses.
    allow_private_upstreams: bool = False
    #: Reverse proxies that are believed when they say whom they call for (`x-forwarded-for`).
    trusted_proxies: list[Network] = msgspec.field(default_factory=list)
    #: Seconds between two syncs of the journals to their disk; 0: left to the operating system.
    journal_sync: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0


class DatabasePlace(Section, frozen=True, kw_only=True):
    """`sqlite:///PATH` (below the data directory unless it begins with a slash) or `postgresql://...`."""

    url: Address = Url("sqlite:///unigate.db")


class RedisPlace(Section, frozen=True, kw_only=True):
    """Redis or Valkey, shared by several nodes."""

    url: Address | None = None


class Storage(Section, frozen=True, kw_only=True):
    """Where files that tasks produce are kept: `file:///PATH` (as in `database`) or `s3://BUCKET/PREFIX`.

    `keep` false: they stay with their providers.
    """

    url: Address = Url("file:///assets")
    keep: bool = True


class Telemetry(Section, frozen=True, kw_only=True):
    """Where traces of calls go: a collector's address for OTLP over HTTP; none without one."""

    endpoint: Address | None = None
    headers: dict[str, Secret] = msgspec.field(default_factory=dict)
    #: The share of calls that are traced where the caller did not decide.
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    service: Name = "unigate"


class ChannelLimits(Section, frozen=True, kw_only=True):
    """0 = none."""

    concurrency: Count = 0
    rpm: Count = 0


class ChannelTimeouts(Section, frozen=True, kw_only=True):
    """Seconds."""

    connect: Seconds = 5.0
    first_byte: Seconds = 60.0
    idle: Seconds = 60.0
    total: Seconds = 600.0


class ChannelEntry(Section, frozen=True, kw_only=True):
    """A channel as the file names it."""

    name: Name
    provider: Name
    base_url: Address | None = None
    credentials: list[Secret | dict[str, Secret]] | Secret | dict[str, Secret] = msgspec.field(default_factory=list)
    models: dict[str, Name] | list[Name] | Every = msgspec.field(default_factory=dict)
    groups: list[Name] = msgspec.field(default_factory=lambda: [DEFAULT_GROUP])
    priority: Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)] = 0
    weight: Count = 1
    limits: ChannelLimits = ChannelLimits()
    timeouts: ChannelTimeouts = ChannelTimeouts()
    options: dict[str, object] = msgspec.field(default_factory=dict)
    enabled: bool = True

    def __repr__(self) -> str:
        return f"ChannelEntry({self.name!r}, {self.provider!r})"


class PriceEntry(Section, frozen=True, kw_only=True):
    """A price as the file names it; amounts in nano-USD."""

    model: Name | None = None
    operation: Name | None = None
    when: dict[str, str] = msgspec.field(default_factory=dict)
    starts: Moment | None = msgspec.field(default=None, name="from")
    input: PerUnit = None
    cached_input: PerUnit = None
    cache_write: PerUnit = None
    audio_input: PerUnit = None
    cached_audio_input: PerUnit = None
    image_input: PerUnit = None
    cached_image_input: PerUnit = None
    output: PerUnit = None
    reasoning: PerUnit = None
    audio_output: PerUnit = None
    image_output: PerUnit = None
    per_million_characters: PerUnit = None
    per_minute: PerUnit = None
    per_second: PerUnit = None
    per_image: PerUnit = None
    per_video: PerUnit = None
    per_thousand_searches: PerUnit = None
    per_call: PerUnit = None


class GroupEntry(Section, frozen=True, kw_only=True):
    """A group as the file names it."""

    name: Name
    multiplier: Multiplier = 1_000_000
    enabled: bool = True


class UserEntry(Section, frozen=True, kw_only=True):
    """A user as the file names them; `credit` is granted once."""

    name: Name
    email: Name | None = None
    password: Secret | None = None
    role: Role = "user"
    group: Name = DEFAULT_GROUP
    credit: Usd | None = None
    enabled: bool = True


class Budget(Section, frozen=True, kw_only=True):
    """Nano-USD per period."""

    day: Usd | None = None
    month: Usd | None = None
    total: Usd | None = None


class KeyLimits(Section, frozen=True, kw_only=True):
    """Requests and tokens per minute, calls at once; 0 = none."""

    rpm: Count = 0
    tpm: Count = 0
    concurrency: Count = 0


class KeyEntry(Section, frozen=True, kw_only=True):
    """A key as the file names it."""

    name: Name
    user: Name
    secret: Secret
    models: list[Name] = msgspec.field(default_factory=lambda: ["*"])
    addresses: list[Network] = msgspec.field(default_factory=list)
    expires: Moment | None = None
    scopes: list[Name] = msgspec.field(default_factory=lambda: ["relay"])
    budget: Budget = Budget()
    limits: KeyLimits = KeyLimits()
    #: Days for which prompts and answers of its calls are kept; 0: they are not.
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 0
    options: KeyOptions = KeyOptions()
    enabled: bool = True


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    server: Server = Server()
    database: DatabasePlace = DatabasePlace()
    redis: RedisPlace = RedisPlace()
    storage: Storage = Storage()
    telemetry: Telemetry = Telemetry()
    secret: Secret | None = None
    other_secrets: list[Secret] = msgspec.field(default_factory=list)
    channels: list[ChannelEntry] = msgspec.field(default_factory=list)
    prices: list[PriceEntry] = msgspec.field(default_factory=list)
    settings: Annotated[dict[str, Any], PartOf(LiveSettings)] = msgspec.field(default_factory=dict)
    groups: list[GroupEntry] = msgspec.field(default_factory=list)
    users: list[UserEntry] = msgspec.field(default_factory=list)
    keys: list[KeyEntry] = msgspec.field(default_factory=list)


#: Sections that the environment overrides, each with its type.
_OVERRIDDEN: Mapping[str, type[Section]] = {
    "server": Server,
    "database": DatabasePlace,
    "redis": RedisPlace,
    "storage": Storage,
    "telemetry": Telemetry,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a process is started with."""

    data: Path
    server: Server
    database: DatabasePlace
    redis: RedisPlace
    storage: Storage
    telemetry: Telemetry
    secret: Secret
    #: How S3-compatible storage is reached: `endpoint`, `region`, `access_key_id`, ...
    aws: Mapping[str, Secret] = field(default_factory=dict)
    #: Secrets that may also have sealed something, while one takes the place of another.
    others: tuple[Secret, ...] = ()
    #: The file whose sections are to be applied, None where there is no file.
    config: Config | None = field(default=None, repr=False)
    #: Where a secret was made just now because there was none.
    made_secret: Path | None = None


def load(file: Path | None = None, *, data: Path = DEFAULT_DATA, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the file (if any) and the environment; makes `data` and, where none is given, a secret in it.

    Raises ConfigError, which names the file and the line, or the variable.
    """
    variables = os.environ if environ is None else environ
    config = read_config(file, variables) if file is not None else None
    sections = overridden(config or Config(), variables)
    data = data.absolute()
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(Place(str(data)), f"cannot make this directory: {error.strerror}") from None
    secret, made = _secret(config, variables, data)
    others = tuple(config.other_secrets) if config is not None else ()
    if variables.get("UNIGATE_OTHER_SECRET"):
        others += (Secret(variables["UNIGATE_OTHER_SECRET"]),)
    database = sections["database"]
    check_storage(sections["storage"].url)
    resolved = DatabasePlace(url=Url(database_url(database.url, data)), at=database.at)
    return Settings(
        data=data,
        server=sections["server"],
        database=resolved,
        redis=sections["redis"],
        storage=sections["storage"],
        telemetry=sections["telemetry"],
        secret=secret,
        aws=aws_access(variables),
        others=tuple(other for other in others if other != secret),
        config=config,
        made_secret=made,
    )


def with_server(settings: Settings, **given: Any) -> Settings:
    """`settings` with fields of `server` replaced where a value is given; ConfigError for a bad one."""
    values = {name: value for name, value in given.items() if value is not None}
    server = settings.server
    for name, value in values.items():
        kind = next(f.type for f in msgspec.structs.fields(Server) if f.name == name)
        values[name] = Reader(f"--{name}", {}).text(str(value), kind)
    return replace(settings, server=msgspec.structs.replace(server, **values))


def read_config(file: Path, environ: Mapping[str, str]) -> Config:
    """The file as typed sections; ConfigError."""
    try:
        source = file.read_bytes()
    except OSError as error:
        raise ConfigError(Place(str(file)), f"cannot be read: {error.strerror}") from None
    found: Config = Reader(str(file), environ).parse(source, Config)
    return found


def overridden(config: Config, environ: Mapping[str, str]) -> dict[str, Any]:
    """The sections `server`, `database`, `redis`, `storage`, `telemetry`, changed by `UNIGATE_<SECTION>__<NAME>`."""
    sections: dict[str, Any] = {name: getattr(config, name) for name in _OVERRIDDEN}
    for variable in sorted(environ):
        section, mark, name = variable.removeprefix(_PREFIX).lower().partition("__")
        if not variable.startswith(_PREFIX) or not mark:
            continue
        place = Place(f"environment variable {variable}")
        if section not in _OVERRIDDEN:
            raise ConfigError(place, f"unknown section; known are {', '.join(_OVERRIDDEN)}")
        known = {f.name: f.type for f in msgspec.structs.fields(_OVERRIDDEN[section]) if f.name != "at"}
        if name not in known:
            raise ConfigError(place, f"unknown name; {section} has {', '.join(known)}")
        value = Reader(place.file, environ).text(environ[variable], known[name])
        sections[section] = msgspec.structs.replace(sections[section], **{name: value})
    return sections


def database_url(url: str, data: Path) -> str:
    """The database's address with a relative path of SQLite placed below `data`; ConfigError for another kind."""
    if url.startswith(("postgresql://", "postgres://")):
        return url
    if not url.startswith("sqlite:///") or url == "sqlite:///":
        raise ConfigError(Place("database.url"), f"expected sqlite:///PATH or postgresql://..., not {Url(url)!r}")
    path = url.removeprefix("sqlite:///")
    return url if path.startswith("/") else f"sqlite:///{quote(str(data))}/{path}"


def _secret(config: Config | None, environ: Mapping[str, str], data: Path) -> tuple[Secret, Path | None]:
    """The secret of the file, else of the environment, else of DATA/secret, which is made if need be."""
    if config is not None and config.secret is not None:
        return config.secret, None
    if environ.get("UNIGATE_SECRET"):
        return Secret(environ["UNIGATE_SECRET"]), None
    return kept_secret(data)
