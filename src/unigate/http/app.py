"""The gateway's handler of exchanges: finds the operation, knows the key, and drives the use case.

Errors leave in the form of the operation's dialect, always with a request id, never with a stack trace.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import (
    CallerError,
    GatewayError,
    InvalidKey,
    UnsupportedMediaType,
    UpstreamRefused,
)
from unigate.dialects import Dialect, Writer, dialect, openai_errors, writer
from unigate.http import cors
from unigate.http.asgi import AsgiApp, run_asgi
from unigate.http.exchange import Exchange
from unigate.http.presented import presented_key
from unigate.http.table import Table, unknown
from unigate.relay.call import Call
from unigate.relay.free import USES
from unigate.relay.pipeline import relay
from unigate.relay.services import Services
from unigate.spec.caller import Key
from unigate.spec.operation import Operation

log: Any = structlog.get_logger("unigate.http")
Header = tuple[bytes, bytes]
_JSON_TYPE = (b"content-type", b"application/json")


class ErrorWriter(Protocol):
    """What writes errors in a dialect's form."""

    def write_error(self, error: GatewayError, request_id: str) -> bytes:
        """The body of an error reply."""
        ...


class Gateway:
    """Serves relay operations itself and hands everything under a management path to the ASGI app."""

    def __init__(
        self, table: Table, services: Services, management: AsgiApp, is_management: Callable[[bytes], bool]
    ) -> None:
        self._table = table
        self._services = services
        self._management = management
        self._is_management = is_management
        self._writers: dict[str, Writer] = {o.dialect: writer(o.dialect) for o in table.operations}
        self._dialects: dict[str, Dialect] = {
            o.dialect: dialect(o.dialect) for o in table.operations if o.use == "relay"
        }

    async def __call__(self, x: Exchange) -> None:
        """Serve one exchange."""
        operation: Operation | None = None
        request_id = ids.new("req")
        try:
            if x.method == b"OPTIONS" and (methods := self._table.methods(x.path)):
                asked = x.header(b"access-control-request-headers")
                x.reply(204, cors.preflight(methods, asked), b"")
                return
            found = self._table.find(x.method, x.path)
            if found is None:
                if self._is_management(x.path):
                    await run_asgi(self._management, x, {"request_id": request_id})
                    return
                raise unknown(x.method, x.path)
            operation = found[0]
            await self._serve(x, request_id, operation, found[1])
        except GatewayError as error:
            self._refuse(x, request_id, operation, error)
        except Exception:
            log.exception("call failed", request_id=request_id, operation=operation and operation.name)
            self._refuse(x, request_id, operation, GatewayError("The gateway failed to serve this call."))

    async def _serve(self, x: Exchange, request_id: str, operation: Operation, params: Any) -> None:
        svc = self._services
        states = svc.settings.operations
        state = states.get(operation.name) or states.get(operation.family) if states else None
        if state == "off":
            raise unknown(x.method, x.path)
        key = await self._key(x)
        call = Call(x, request_id, operation, key, now_ms())
        call.params = params
        if state == "deprecated":
            call.marks.append((b"deprecation", b"true"))
        if b"origin" in x.fields:
            call.marks += cors.ANSWER
        if operation.body == "json":
            _check_media_type(x.fields.get(b"content-type"))
            call.body = await x.read(svc.settings.relay.body_bytes)
        if operation.use == "relay":
            if b"idempotency-key" in x.fields:
                call.marks.append((b"x-unigate-ignored", b"idempotency-key"))  # only tasks heed it
            await relay(call, self._dialects[operation.dialect], svc)
            return
        svc.keys.check(key, None, x.client, call.at, operation)
        admission = svc.limits.admit(key, 0) or await svc.limits.take(key, 0)
        try:
            reply = await USES[operation.use](call, svc)
            head = [*reply.headers, (b"x-request-id", request_id.encode()), *admission.headers(), *call.marks]
            x.reply(reply.status, head, reply.body)
        finally:
            admission.done(0)

    async def _key(self, x: Exchange) -> Key:
        presented = presented_key(x)
        if presented is None:
            raise InvalidKey("You didn't provide an API key. Send it as a header: Authorization: Bearer YOUR_KEY.")
        keys = self._services.keys
        key = keys.find(presented) or await keys.load(presented)
        if key is None:
            raise InvalidKey
        return key

    def _refuse(self, x: Exchange, request_id: str, operation: Operation | None, error: GatewayError) -> None:
        if isinstance(error, CallerError) or error.code == "no_channel_available":
            self._services.metrics.refuse(error.code)
        if error.detail:
            log.warning("call refused", request_id=request_id, code=error.code, detail=error.detail)
        if x.started_reply or x.ended:
            if not x.ended:
                x.cut()
            return
        write = self._writers[operation.dialect] if operation is not None else openai_errors
        status, head, body = render(error, request_id, write)
        if operation is not None and x.header(b"origin") is not None:
            head += cors.ANSWER
        x.reply(status, head, body)


def render(error: GatewayError, request_id: str, write: ErrorWriter) -> tuple[int, list[Header], bytes]:
    """Status, headers and body of an error's reply; a vendor's own refusal passes in the caller's dialect."""
    head: list[Header] = [(b"x-request-id", request_id.encode()), _JSON_TYPE, *error.headers]
    if error.retry_after is not None and not any(name == b"retry-after" for name, _ in error.headers):
        head.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    if isinstance(error, UpstreamRefused):
        return error.upstream_status, head, openai_errors.pass_error(error.upstream_status, error.body)
    return error.status, head, write.write_error(error, request_id)


def render_wire(_x: Exchange | None, error: GatewayError) -> tuple[int, list[Header], bytes]:
    """The reply to what the wire itself refuses, before any operation is known."""
    return render(error, ids.new("req"), openai_errors)


def _check_media_type(value: bytes | None) -> None:
    """A JSON body is declared as JSON, or not at all; UnsupportedMediaType."""
    if value is None or value == b"application/json":
        return
    kind = value.partition(b";")[0].strip().lower()
    if kind != b"application/json" and not kind.endswith(b"+json"):
        shown = kind.decode("ascii", "replace")
        raise UnsupportedMediaType(f"Unsupported content type '{shown}'. This endpoint takes application/json.")
