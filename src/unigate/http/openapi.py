"""`/openapi.json`: the document of everything that is served, in front of the app that serves the rest.

What is in the document is the reference's business. It is made when it is first asked for and after the operator
switched operations, beside the event loop; otherwise the same bytes are sent.
"""

import asyncio
import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from unigate.base.errors import MethodNotAllowed
from unigate.http.asgi import AsgiApp, Receive, Scope, Send
from unigate.http.presented import HEADERS, QUERIES
from unigate.spec.operation import Operation, State

PATH = "/openapi.json"
States = Mapping[str, State]


class Documented:
    """An ASGI app with the document at PATH; where `app` has an `openapi()`, as FastAPI's do, that is in it too."""

    def __init__(self, app: AsgiApp, operations: Sequence[Operation], states: Callable[[], States]) -> None:
        """`states` gives what the operator switched, as it is now."""
        self._app = app
        self._operations = operations
        self._states = states
        self._lock = asyncio.Lock()
        #: For which states it was made, the tag and the bytes.
        self._made: tuple[States, str, bytes] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed(f"Not allowed to {scope['method']} on {PATH}.", headers=((b"allow", b"GET, HEAD"),))
        tag, body = await self._document()
        head = {"etag": tag, "cache-control": "no-cache"}
        reply = Response(body, headers=head, media_type="application/json")
        if _knows(Request(scope).headers.get("if-none-match", ""), tag):
            reply = Response(status_code=304, headers=head)
        await reply(scope, receive, send)

    async def _document(self) -> tuple[str, bytes]:
        states = dict(self._states())
        async with self._lock:
            if self._made is None or self._made[0] != states:
                body = await asyncio.to_thread(self._build, states)
                self._made = states, f'"{hashlib.sha256(body).hexdigest()[:32]}"', body
            return self._made[1:]

    def _build(self, states: States) -> bytes:
        reference: Any = importlib.import_module("unigate.reference.document")  # a worker needs it only here
        of_app: Callable[[], Mapping[str, Any]] | None = getattr(self._app, "openapi", None)
        document = reference.build(
            self._operations,
            states,
            key_headers=[name.decode() for name in HEADERS],
            key_queries=QUERIES,
            management=of_app() if of_app is not None else None,
        )
        return msgspec.json.encode(document)


def _knows(named: str, tag: str) -> bool:
    """Whether `if-none-match` names the tag."""
    return named.strip() == "*" or tag in {each.strip().removeprefix("W/") for each in named.split(",")}
