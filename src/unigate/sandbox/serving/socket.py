"""One WebSocket operation of one face as an ASGI app: minds key and faults before the upgrade, logs, and hands it over.

Faults before the upgrade: a status (refused with the vendor's body), `hang` (no answer), `slow-first-byte`. What happens on
the wire later is the handler's, which has the fault at hand.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from unigate.base import clock
from unigate.sandbox.serving import faults
from unigate.sandbox.serving.answer import Object, VendorError, Whole
from unigate.sandbox.serving.face import Face
from unigate.sandbox.serving.line import CallerLeft, Cut
from unigate.sandbox.serving.log import Entry, masked
from unigate.sandbox.serving.world import World

#: How browsers say their key.
_KEY = "openai-insecure-api-key."


class Wire:
    """The WebSocket as a handler sees it."""

    def __init__(self, receive: Receive, send: Send, entry: Entry) -> None:
        self._receive = receive
        self._send = send
        self._entry = entry
        self._heard: list[bytes] = []

    async def accept(self, subprotocol: str | None) -> None:
        """Answer 101."""
        self._entry.status = 101
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})

    async def messages(self) -> AsyncIterator[str | bytes]:
        """What the caller sends, until it closes."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            told: str | bytes = message["bytes"] if text is None else text
            self._heard.append(told.encode() if isinstance(told, str) else told)
            yield told

    async def event(self, event: Object) -> None:
        """Send an event."""
        data = msgspec.json.encode(event).decode()
        await self._send({"type": "websocket.send", "text": data})
        self._entry.events += 1
        self._entry.sent_bytes += len(data)

    async def text(self, text: str) -> None:
        """Send a text as it is."""
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str = "") -> None:
        """Close."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def hang_up(self) -> None:
        """Break the connection."""
        await self._send({"type": "http.response.hang_up"})

    @property
    def heard(self) -> bytes:
        """All that the caller sent, a line each."""
        return b"\n".join(self._heard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A caller who wants to speak WebSocket, its credential accepted."""

    number: int
    query: QueryParams
    headers: Headers
    subprotocols: tuple[str, ...]
    credential: str
    fault: faults.Fault
    world: World
    entry: Entry
    wire: Wire


Talk = Callable[[Meeting], Awaitable[None]]


class SocketEndpoint:
    """Serves one WebSocket route of a face."""

    def __init__(self, face: Face, talk: Talk, world: World) -> None:
        self._face = face
        self._talk = talk
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        log = self._world.log
        entry = _entry(self._face, scope, log.next_number())
        wire = Wire(receive, send, entry)
        log.open(entry)
        try:
            await receive()  # websocket.connect
            await self._serve(scope, send, wire, entry)
            entry.end = "completed"
        except CallerLeft:
            entry.end = "caller_left"
        except Cut:
            entry.end = "cut"
            await wire.hang_up()
        except BaseException:
            entry.end = "failed"
            raise
        finally:
            log.read(entry, wire.heard)
            log.close(entry)

    async def _serve(self, scope: Scope, send: Send, wire: Wire, entry: Entry) -> None:
        face, headers = self._face, Headers(scope=scope)
        offered = tuple(scope.get("subprotocols", ()))
        query = QueryParams(scope["query_string"])
        entry.model = query.get("model", "")
        fault = faults.NONE
        try:
            credential = face.credential(headers) or _offered(offered)
            entry.secret = credential or ""
            entry.credential = masked(credential) if credential else ""
            fault = self._fault(scope, entry)
            entry.fault = fault.text
            if (wait := fault.get("slow-first-byte")) is not None:
                await asyncio.sleep(wait)
            if "hang" in fault:
                await asyncio.Event().wait()
            if credential is None or "invalid" in credential:
                raise face.refuse_key(credential)
            if fault.status is not None and "error-event" not in fault:
                raise face.failure(fault.status, fault.code)
            meeting = Meeting(
                number=entry.number,
                query=query,
                headers=headers,
                subprotocols=offered,
                credential=credential,
                fault=fault,
                world=self._world,
                entry=entry,
                wire=wire,
            )
            await self._talk(meeting)
        except VendorError as error:
            await _refuse(send, face.error(error), error, fault, entry)

    def _fault(self, scope: Scope, entry: Entry) -> faults.Fault:
        text = scope.get("path_params", {}).get("fault")
        if not text:
            return faults.NONE
        try:
            fault = faults.parse(text)
        except ValueError as error:
            raise VendorError(400, f"sandbox: {error}", kind="sandbox_error", code="unknown_fault") from None
        active = self._world.faults.active(fault, credential=entry.secret, model=entry.model, stream=True)
        return fault if active else faults.NONE


def _entry(face: Face, scope: Scope, number: int) -> Entry:
    return Entry(
        number=number,
        at=clock.now_ms(),
        face=face.name,
        method="GET",
        path=scope["path"],
        query=dict(QueryParams(scope["query_string"])),
        headers=Headers(scope=scope).items(),
        request_id=f"req_sandbox_{number:08d}",
        stream=True,
    )


def _offered(subprotocols: tuple[str, ...]) -> str | None:
    """The key among the subprotocols."""
    return next((name.removeprefix(_KEY) for name in subprotocols if name.startswith(_KEY)), None)


async def _refuse(send: Send, answer: Whole, error: VendorError, fault: faults.Fault, entry: Entry) -> None:
    """Answer the handshake with the vendor's refusal."""
    entry.status = answer.status
    wait = fault.retry_after or error.retry_after
    more = [(b"retry-after", wait.encode())] if wait and wait != "off" else []
    headers = [(b"content-type", answer.media_type.encode()), *more]
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.encoded(), "more_body": False})
