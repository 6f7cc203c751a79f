"""Channel: one upstream account; Route: a channel chosen for a call, with the upstream's model name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from unigate.spec.provider import Credential, Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: to connect, to the first byte, between bytes, in all."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One upstream account as the router sees it."""

    id: str
    name: str
    provider: Provider
    base_url: str
    credentials: tuple[Credential, ...]
    #: Public model name -> upstream name; a key may end in `*`, and `*` alone serves every model as it is.
    models: Mapping[str, str]
    groups: frozenset[str] = frozenset({"default"})
    priority: int = 0
    weight: int = 1
    #: 0 = none.
    concurrency: int = 0
    rpm: int = 0
    timeouts: Timeouts = field(default_factory=Timeouts)
    options: Mapping[str, object] = field(default_factory=dict)
    enabled: bool = True
    #: Its own id, and those of its credentials -> when an operator said last that they are well again, in ms since 1970.
    unparked: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """A channel chosen for a call, with the model's name there."""

    channel: Channel
    model: str
