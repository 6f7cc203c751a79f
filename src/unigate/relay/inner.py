"""Calls that the gateway makes by itself for a key, without HTTP: the same pipeline, limits, money, records and errors.

What would have gone to a caller is collected and handed back. Whoever makes such a call says under which id it is charged: of
several calls with one id one is charged, whichever process made them. Must not know what the calls are for.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import structlog

from unigate.base import ids
from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import GatewayError, NotFound, StoreUnavailable
from unigate.dialects import dialect, writer
from unigate.relay.call import Call
from unigate.relay.pipeline import relay
from unigate.relay.rendering import render
from unigate.relay.services import Services
from unigate.spec.caller import Key
from unigate.spec.exchange import Header
from unigate.spec.operation import Operation
from unigate.spec.reply import Pieces
from unigate.spec.usage import Usage

log: Any = structlog.get_logger("unigate.inner")
_NONE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call of a relay operation with a JSON body."""

    operation: Operation
    key: Key
    body: bytes
    #: Under which it is charged, and known to its caller.
    id: str
    #: The address that stands for the caller's, and that by which they reach us.
    client: str = ""
    base: str = ""
    #: Millionths that are taken off its price.
    discount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller would have got; `error` where it is an error of ours or the provider's."""

    status: int
    body: bytes
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    error: GatewayError | None = None
    usage: Usage = _NONE


class Memory:
    """A request without a connection, whose reply is collected. Fulfils `spec.exchange.Exchange`."""

    def __init__(self, asked: Asked) -> None:
        scheme, _, host = asked.base.partition("://")
        self.method, self.path, self.query = asked.operation.method.encode(), asked.operation.path.encode(), b""
        self.headers: list[Header] = [
            (b"host", host.encode()),
            (b"x-forwarded-proto", scheme.encode()),
            (b"content-type", b"application/json"),
            (b"idempotency-key", asked.id.encode()),  # where the call becomes a task, it becomes one only
        ]
        self.fields = dict(self.headers)
        self.client, self.started = asked.client, monotonic()
        self.gone = self.started_reply = self.ended = self.promised = self.draining = False
        self.status = 0
        self.told: dict[bytes, bytes] = {}
        self.body = bytearray()
        self._asked = asked.body
        self._over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def over(self) -> bool:
        """Wait until the reply has ended; False where it was broken off."""
        return await self._over

    def header(self, name: bytes) -> bytes | None:
        """The value of a header."""
        return self.fields.get(name)

    async def read(self, limit: int) -> bytes:
        """The body; whoever made the call has bounded it."""
        return self._asked[:limit]

    def start(self, status: int, headers: Iterable[Header], length: int | None) -> None:  # noqa: ARG002 - see Exchange
        """Begin the reply."""
        self.status, self.told, self.started_reply = status, dict(headers), True

    def write(self, data: bytes) -> bool:
        """Collect a piece."""
        self.body += data
        return False

    async def drain(self) -> None:
        """Nobody is waited for."""

    def end(self) -> None:
        """The reply is whole."""
        self._end(whole=True)

    def cut(self) -> None:
        """The reply breaks off."""
        self._end(whole=False)

    def reply(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Collect a whole reply."""
        self.start(status, headers, len(body))
        self.write(body)
        self.end()

    def _end(self, *, whole: bool) -> None:
        self.ended = True
        if not self._over.done():
            self._over.set_result(whole)


async def inner(asked: Asked, svc: Services) -> Answer:
    """Make a call and wait for its reply, errors included. What fails is recorded under an id of its own.

    A call that is cancelled before its reply ended is settled as one whose caller left.
    """
    operation = asked.operation
    x = Memory(asked)
    call = Call(x, asked.id, operation, asked.key, now_ms())
    call.failed_id, call.body, call.discount = ids.new("req"), asked.body, asked.discount
    try:
        if svc.settings.state(operation.name, operation.family) == "off":
            raise NotFound(f"Unknown request URL: {operation.method} {operation.path}.", code="unknown_url")
        reply = await relay(call, dialect(operation.dialect), svc)
        if isinstance(reply, Pieces):
            x.start(reply.status, reply.headers, None)
            async with aclosing(reply.pieces) as pieces:
                async for piece in pieces:
                    x.write(piece)
            x.end()
        elif reply is not None:
            x.reply(reply.status, reply.headers, reply.body)
        if not await x.over():
            raise StoreUnavailable(detail="the reply broke off")
    except GatewayError as error:
        return _refused(asked, error)
    except Exception:
        log.exception("an inner call failed", request_id=asked.id, operation=operation.name)
        return _refused(asked, GatewayError("The gateway failed to serve this call."))
    failed = StoreUnavailable() if x.status == StoreUnavailable.status else None
    return Answer(status=x.status, body=bytes(x.body), headers=x.told, error=failed, usage=call.usage or _NONE)


def _refused(asked: Asked, error: GatewayError) -> Answer:
    """The reply that the caller would have got."""
    status, headers, body = render(error, asked.id, writer(asked.operation.dialect))
    return Answer(status=status, body=body, headers=dict(headers), error=error)
