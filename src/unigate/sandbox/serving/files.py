"""`GET /sandbox/files/{name}`: files that jobs made, whole or in part (Range, RFC 9110 section 14)."""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from unigate.sandbox.serving.world import World

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def routes(world: World) -> list[Route]:
    """The route of the files."""

    async def show(request: Request) -> Response:
        """Give a file, or the part of it that is asked for."""
        id, _, kind = request.path_params["name"].partition(".")
        file = world.files.get(id)
        if file is None or kind != file.kind:
            return Response(b"no such file\n", 404, media_type="text/plain")
        headers = {"accept-ranges": "bytes", "etag": f'"{file.id}"', "access-control-allow-origin": "*"}
        size = len(file.data)
        asked = request.headers.get("range")
        span = None if asked is None else _span(asked, size)
        if span is None:
            return Response(file.data, headers=headers, media_type=file.media_type)
        first, last = span
        if first >= size:
            return Response(b"", 416, headers={**headers, "content-range": f"bytes */{size}"})
        part = file.data[first : last + 1]
        headers["content-range"] = f"bytes {first}-{first + len(part) - 1}/{size}"
        return Response(part, 206, headers=headers, media_type=file.media_type)

    return [Route("/sandbox/files/{name}", show, methods=["GET"])]


def _span(text: str, size: int) -> tuple[int, int] | None:
    """The first and last byte of a range; None where it is none that is understood, and the file is given whole."""
    found = _RANGE.fullmatch(text.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        length = int(last)
        return (max(0, size - length), size - 1) if length else (size, size)
    if last and int(last) < int(first):
        return None
    return int(first), int(last) if last else size - 1
