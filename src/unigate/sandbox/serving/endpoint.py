"""One operation of one face as an ASGI app: reads the call, minds key and faults, sends the answer, logs all of it."""

import re
from collections.abc import Mapping
from email.utils import formatdate

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from unigate.base import clock
from unigate.sandbox.serving import faults
from unigate.sandbox.serving.answer import Answer, Spoiled, VendorError, Whole
from unigate.sandbox.serving.deliver import Delivery, deliver
from unigate.sandbox.serving.face import Call, Face, Handler
from unigate.sandbox.serving.line import CallerLeft, Cut, Line, read_body
from unigate.sandbox.serving.log import Entry, masked
from unigate.sandbox.serving.world import World

_PACE = re.compile(rb"\[\[pace:(\d{1,6}(?:\.\d{1,3})?)\]\]")


class Peek(msgspec.Struct):
    """What faults and the log want to know of a JSON body, whatever its dialect."""

    model: str = ""
    stream: bool | None = None


_peek = msgspec.json.Decoder(Peek)


class Endpoint:
    """Serves one handler of a face."""

    def __init__(self, face: Face, handler: Handler, world: World) -> None:
        self._face = face
        self._handler = handler
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        log = self._world.log
        headers = Headers(scope=scope)
        entry = _entry(self._face, scope, headers, log.next_number())
        line: Line | None = None
        log.open(entry)
        try:
            body = await read_body(receive, self._world.options.max_body)
            log.read(entry, body or b"")
            line = Line(receive, send, entry)
            await self._serve(scope, headers, body, entry, line)
            entry.end = "completed"
        except CallerLeft:
            entry.end = "caller_left"
        except Cut:
            # An app that returns half way makes its server break the connection, as one that raises does, but quietly.
            entry.end = "cut"
            if line is not None and not line.started:
                await line.hang_up(scope)
        except BaseException:
            entry.end = "failed"
            raise
        finally:
            log.close(entry)
            if line is not None:
                await line.close()

    async def _serve(self, scope: Scope, headers: Headers, body: bytes | None, entry: Entry, line: Line) -> None:
        face = self._face
        fault = faults.NONE
        try:
            if body is None:
                raise face.failure(413, None)
            credential = face.credential(headers)
            entry.secret = credential or ""
            entry.credential = masked(credential) if credential else ""
            _peek_into(entry, body)
            fault = self._fault(scope.get("path_params", {}), body, entry)
            entry.fault = fault.text
            if credential is None or "invalid" in credential:
                raise face.refuse_key(credential)
            if fault.status is not None and "error-event" not in fault:
                raise face.failure(fault.status, fault.code)
            answer: Answer = await self._handler(self._call(scope, headers, body, entry, fault))
        except VendorError as error:
            answer = _refusal(face, error, fault)
        except Spoiled as spoiled:
            answer = spoiled.answer
        pace = _pace(answer, body, self._world.options.tokens_per_second)
        await deliver(answer, Delivery(face=face, fault=fault, line=line, entry=entry, pace=pace))

    def _call(self, scope: Scope, headers: Headers, body: bytes, entry: Entry, fault: faults.Fault) -> Call:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return Call(
            number=entry.number,
            method=scope["method"],
            path=path,
            params=scope.get("path_params", {}),
            query=QueryParams(scope["query_string"]),
            headers=headers,
            body=body,
            credential=entry.secret,
            fault=fault,
            world=self._world,
        )

    def _fault(self, params: Mapping[str, str], body: bytes, entry: Entry) -> faults.Fault:
        """The faults of the base URL and of the prompt that apply to this call."""
        found = faults.NONE
        for text in (params.get("fault"), faults.marked(body)):
            if not text:
                continue
            try:
                fault = faults.parse(text)
            except ValueError as error:
                raise VendorError(400, f"sandbox: {error}", kind="sandbox_error", code="unknown_fault") from None
            if self._world.faults.active(fault, credential=entry.secret, model=entry.model, stream=entry.stream):
                found = found | fault
        return found


def _entry(face: Face, scope: Scope, headers: Headers, number: int) -> Entry:
    return Entry(
        number=number,
        at=clock.now_ms(),
        face=face.name,
        method=scope["method"],
        path=scope["path"],
        query=dict(QueryParams(scope["query_string"])),
        headers=headers.items(),
        request_id=f"req_sandbox_{number:08d}",
    )


def _peek_into(entry: Entry, body: bytes) -> None:
    """Read model and stream where the body is JSON that has them."""
    try:
        peek = _peek.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    entry.model = peek.model
    entry.stream = bool(peek.stream)


def _refusal(face: Face, error: VendorError, fault: faults.Fault) -> Whole:
    """An error as the vendor's answer, with the Retry-After that the fault asks for."""
    answer = face.error(error)
    retry_after = fault.retry_after or error.retry_after
    seconds = fault.get("retry-after-date")
    if seconds is not None:
        retry_after = formatdate(clock.now_ms() / 1000 + seconds, usegmt=True)
    more = () if retry_after in (None, "off") else (("retry-after", str(retry_after)),)
    return Whole(
        payload=answer.payload,
        status=answer.status,
        headers=(*answer.headers, *error.headers, *more),
        media_type=answer.media_type,
        indent=answer.indent,
    )


def _pace(answer: Answer, body: bytes | None, usual: float) -> float:
    """Tokens per second: as the answer asks for (by its model's name), else a marker, else the option."""
    if answer.pace is not None:
        return answer.pace
    found = _PACE.findall(body or b"")
    return float(found[-1]) if found else usual
