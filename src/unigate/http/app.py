"""The gateway's handler of exchanges: finds the operation, knows the key, and drives the use case.

Errors leave in the form of the operation's dialect, always with a request id, never with a stack trace.
"""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import structlog

from unigate.access.limits import Admission
from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import (
    CallerError,
    GatewayError,
    InvalidKey,
    UnsupportedMediaType,
)
from unigate.dialects import Dialect, Writer, dialect, openai_errors, writer
from unigate.http import cors, realtime
from unigate.http.asgi import AsgiApp, run_asgi
from unigate.http.exchange import Exchange
from unigate.http.forms import read_form
from unigate.http.presented import presented_key
from unigate.http.table import Table, unknown
from unigate.relay.call import Call
from unigate.relay.free import USES
from unigate.relay.pipeline import relay
from unigate.relay.rendering import render
from unigate.relay.services import Services
from unigate.spec.caller import Group, Key
from unigate.spec.operation import Operation
from unigate.spec.reply import Pieces, Reply

log: Any = structlog.get_logger("unigate.http")
Header = tuple[bytes, bytes]


#: Who calls what is open to everybody.
NOBODY = Key(id="", name="", last4="", user_id="", user_name="", group=Group(id="", name=""), wallet_id="")


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
        state = svc.settings.state(operation.name, operation.family)
        if state == "off":
            raise unknown(x.method, x.path)
        if operation.use == "realtime":
            await realtime.serve(x, request_id, operation, await realtime.opening(x, svc), svc)
            return
        key = NOBODY if operation.scope is None else await self._key(x)
        call = Call(x, request_id, operation, key, now_ms())
        call.params = params
        if state == "deprecated":
            call.marks.append((b"deprecation", b"true"))
        if b"origin" in x.fields:
            call.marks += cors.ANSWER
        if operation.use == "relay":
            if operation.body == "json":
                _check_media_type(x.fields.get(b"content-type"))
                call.body = await x.read(operation.body_bytes or svc.settings.relay.body_bytes)
            elif operation.body == "form":
                svc.keys.check(key, None, x.client, call.at, operation)  # before a large body is taken
                await self._take_form(x, call)
            if b"idempotency-key" in x.fields:
                call.marks.append((b"x-unigate-ignored", b"idempotency-key"))  # only tasks heed it
            try:
                reply = await relay(call, self._dialects[operation.dialect], svc)
            finally:
                if call.form is not None:
                    call.form.close()
            if reply is not None:
                await _send(x, call, reply)
            return
        if operation.scope is None:
            await self._use(x, call)
            return
        svc.keys.check(key, None, x.client, call.at, operation)
        admission = svc.limits.admit(key, 0) or await svc.limits.take(key, 0)
        call.marks += admission.headers()
        await self._use(x, call, admission)

    async def _use(self, x: Exchange, call: Call, admission: Admission | None = None) -> None:
        """Serve a call by the use case that its operation names; an answer in pieces takes no place among its key's calls."""
        operation, svc = call.operation, self._services
        try:
            if operation.body == "form":
                await self._take_form(x, call)
            elif operation.body != "none":
                if operation.body == "json":
                    _check_media_type(x.header(b"content-type"))
                call.body = await x.read(operation.body_bytes or svc.settings.relay.body_bytes)
            reply = await USES[operation.use](call, svc)
        finally:
            if call.form is not None:
                call.form.close()
            if admission is not None:
                admission.done(0)
        if reply is not None:
            await _send(x, call, reply)

    async def _take_form(self, x: Exchange, call: Call) -> None:
        """Read the form, or the JSON that may stand in its place: that is held in memory, so bounded as all JSON is."""
        operation, svc = call.operation, self._services
        most = svc.settings.relay.body_bytes
        if operation.json_too and _is_json(x.header(b"content-type") or b""):
            call.body = await x.read(min(most, operation.body_bytes or most))
        else:
            call.form = await read_form(x, svc.spool, operation.form, operation.body_bytes or most)

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
        spoken = operation or self._table.family(x.path)
        write = self._writers[spoken.dialect] if spoken is not None else openai_errors
        status, head, body = render(error, request_id, write, x.header(b"accept-language") or b"")
        if spoken is not None and x.header(b"origin") is not None:
            head += cors.ANSWER
        x.reply(status, head, body)


async def _send(x: Exchange, call: Call, reply: Reply | Pieces) -> None:
    """Send what a use case answered."""
    head = [*reply.headers, (b"x-request-id", call.id.encode()), *call.marks]
    if isinstance(reply, Reply):
        x.reply(reply.status, head, reply.body)
    else:
        await _pour(x, reply, head)


async def _pour(x: Exchange, reply: Pieces, head: list[Header]) -> None:
    """Send an answer as its pieces come, until it ends or its caller leaves; one without end ends when the gateway stops."""
    x.start(reply.status, head, None)
    async with aclosing(reply.pieces) as pieces:
        if x.method != b"HEAD":
            async for piece in pieces:
                if x.write(piece):
                    await x.drain()
                if reply.endless and x.draining:
                    break
    x.end()


def render_wire(_x: Exchange | None, error: GatewayError) -> tuple[int, list[Header], bytes]:
    """The reply to what the wire itself refuses, before any operation is known."""
    return render(error, ids.new("req"), openai_errors)


def _check_media_type(value: bytes | None) -> None:
    """A JSON body is declared as JSON, or not at all; UnsupportedMediaType."""
    if value is None or value == b"application/json":
        return
    if not _is_json(value):
        shown = value.partition(b";")[0].strip().lower().decode("ascii", "replace")
        raise UnsupportedMediaType(f"Unsupported content type '{shown}'. This endpoint takes application/json.")


def _is_json(value: bytes) -> bool:
    kind = value.partition(b";")[0].strip().lower()
    return kind == b"application/json" or kind.endswith(b"+json")
