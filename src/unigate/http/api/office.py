"""Office: what the handlers of the management API work with, built once by the composition root."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection

from unigate.access.attempts import Attempts
from unigate.base.clock import monotonic
from unigate.manage.desk import Desk
from unigate.manage.sessions import Doorkeeper
from unigate.relay.metrics import Metrics
from unigate.relay.services import Services
from unigate.upstream import Client


class Live(Protocol):
    """What only a running worker knows."""

    @property
    def services(self) -> Services:
        """What serves calls: router, prices, models, limits, settings as they are in memory now."""
        ...

    @property
    def allow_private(self) -> bool:
        """Whether channels may lead to private networks."""
        ...

    @property
    def letters(self) -> Client:
        """What sends messages to callers' addresses: another than that which calls vendors."""
        ...

    async def readiness(self) -> dict[str, str | None]:
        """What is needed to serve calls: name -> why it is not ready, or None."""
        ...

    def counters(self) -> Metrics:
        """The counters of all workers of this node."""
        ...

    def health(self) -> Mapping[str, object] | None:
        """What the workers of this node have learnt of channels, as `routing.snapshot` merges it; None: nothing yet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The parts that requests share."""

    desk: Desk
    live: Live
    door: Doorkeeper
    attempts: Attempts = field(default_factory=lambda: Attempts(monotonic))


def office_of(connection: HTTPConnection) -> Office:
    """The office of the app that serves this request."""
    return cast(Office, connection.app.state.office)


async def _desk(connection: HTTPConnection) -> Desk:
    return office_of(connection).desk


async def _live(connection: HTTPConnection) -> Live:
    return office_of(connection).live


async def _office(connection: HTTPConnection) -> Office:
    return office_of(connection)


#: Parameters of handlers.
TheDesk = Annotated[Desk, Depends(_desk)]
TheLive = Annotated[Live, Depends(_live)]
TheOffice = Annotated[Office, Depends(_office)]
