"""`/files/{asset}.{ending}?until=..&sig=..`: files of tasks, by signed links. No key is needed: the signature is the right.

It stands before the table of operations, since it is none: it belongs to no dialect, costs nothing, and any dialect's tasks
hand out such links.
"""

from collections.abc import Coroutine
from typing import Any
from urllib.parse import parse_qs

import structlog

from unigate.base import ids
from unigate.base.errors import GatewayError, MethodNotAllowed, NotFound
from unigate.dialects import openai_errors
from unigate.http import cors
from unigate.http.exchange import Exchange
from unigate.http.state import Handler
from unigate.relay.files import Files
from unigate.relay.rendering import render
from unigate.tasks.assets import Links

log: Any = structlog.get_logger("unigate.http")
_BELOW = b"/files/"
_METHODS = (b"GET", b"HEAD", b"OPTIONS")
_NAME_BYTES = 128
_SEEN: cors.Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"accept-ranges, content-disposition, content-range, etag, x-request-id"),
)


def with_files(files: Files, links: Links, handler: Handler) -> Handler:
    """The handler, with files of tasks below `/files/`."""

    def handle(x: Exchange) -> Coroutine[Any, Any, None]:
        return _serve(files, links, x) if x.path.startswith(_BELOW) else handler(x)

    return handle


async def _serve(files: Files, links: Links, x: Exchange) -> None:
    request_id = ids.new("req")
    head = [(b"x-request-id", request_id.encode()), *(_SEEN if b"origin" in x.fields else ())]
    try:
        if x.method == b"OPTIONS":
            x.reply(204, cors.preflight(_METHODS, x.header(b"access-control-request-headers")), b"")
            return
        if x.method not in _METHODS:
            raise MethodNotAllowed(headers=((b"allow", b", ".join(_METHODS)),))
        name, download, seconds = _checked(links, x)
        await files.serve(x, await files.find(name), headers=tuple(head), seconds=seconds, download=download)
    except GatewayError as error:
        _refuse(x, request_id, error, head)
    except Exception:
        log.exception("a file could not be served", request_id=request_id)
        _refuse(x, request_id, GatewayError("The gateway failed to serve this file."), head)


def _checked(links: Links, x: Exchange) -> tuple[str, bool, int]:
    """The asset's id, whether it is to be saved, and for how many seconds the link still works."""
    name = x.path[len(_BELOW) :].decode("ascii", "replace").partition(".")[0]
    if not name or len(name) > _NAME_BYTES or not name.replace("_", "").replace("-", "").isalnum():
        raise NotFound("There is no such file.")
    asked = parse_qs(x.query.decode("ascii", "replace"))
    seconds = links.check(name, asked.get("until", [""])[0], asked.get("sig", [""])[0])
    return name, asked.get("download", [""])[0] not in ("", "0"), seconds


def _refuse(x: Exchange, request_id: str, error: GatewayError, head: list[tuple[bytes, bytes]]) -> None:
    if error.detail:
        log.warning("file refused", request_id=request_id, code=error.code, detail=error.detail)
    if x.started_reply or x.ended:
        x.cut()
        return
    status, found, body = render(error, request_id, openai_errors)
    x.reply(status, [*found, *(one for one in head if one[0] != b"x-request-id")], body)
