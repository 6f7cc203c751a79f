"""A vendor's file server over real HTTP: pictures and films, and everything that such a server may do wrong."""

import asyncio
import io
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs

from PIL import Image


def picture(kind: str = "PNG", color: str = "teal") -> bytes:
    """A small picture, such as Pillow writes it."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(out, kind)
    return out.getvalue()


#: A film by its first bytes, and long enough to be sent in many pieces.
FILM = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(range(256)) * 12_000
PICTURE = picture()
#: Path -> what is there, and its type.
_SOUND = {
    "/picture.png": (PICTURE, "image/png"),
    "/film.mp4": (FILM, "video/mp4"),
    "/film": (FILM, "video/mp4"),
    "/untyped": (PICTURE, "application/octet-stream"),
    "/mistyped": (PICTURE, "text/plain"),
    "/flaky": (PICTURE, "image/png"),
    "/page": (b"<!DOCTYPE html><html><script>steal()</script></html>", "text/html"),
    "/empty": (b"", "image/png"),
}
#: Path -> status, header lines, body of what is no file.
_WRONG = {
    "/zipped": (200, "content-type: image/png\r\ncontent-encoding: gzip\r\n", b"x"),
    "/gone": (404, "content-length: 4\r\n", b"gone"),
    "/flaky": (500, "content-length: 0\r\n", b""),
    "/torn": (200, f"content-type: video/mp4\r\ncontent-length: {len(FILM)}\r\n", FILM[: len(FILM) // 2]),
}
_HEAD = "HTTP/1.1 {} X\r\nconnection: close\r\n{}\r\n"


class Gallery:
    """The server, and what was asked of it."""

    def __init__(self) -> None:
        self.port = 0
        #: Requests by path.
        self.asked: Counter[str] = Counter()
        #: Heads as they came.
        self.heads: list[str] = []
        #: Bytes of `/endless` that went out.
        self.endless = 0
        #: `/gate` sends half of the film, and the rest when this is set.
        self.gate = asyncio.Event()
        #: Connections on which `/gate` has sent its half.
        self.halves = 0

    def url(self, path: str) -> str:
        """The address of one of its files."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            path, _, query = head.split(" ")[1].partition("?")
            self.asked[path] += 1
            await self._answer(writer, path, parse_qs(query), head)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, writer: asyncio.StreamWriter, path: str, query: dict[str, list[str]], head: str) -> None:
        if path in _SOUND and not (path == "/flaky" and self.asked[path] <= 2):
            _send(writer, *_SOUND[path], head)
        elif path == "/to":
            writer.write(_HEAD.format(302, f"location: {query['url'][0]}\r\ncontent-length: 0\r\n").encode())
        elif path == "/round":
            writer.write(_HEAD.format(307, f"location: /round?n={self.asked[path]}\r\n").encode())
        elif path == "/gate":
            await self._gated(writer)
        elif path == "/endless":
            await self._endless(writer)
        else:
            status, lines, body = _WRONG.get(path, (404, "content-length: 0\r\n", b""))
            writer.write(_HEAD.format(status, lines).encode() + body)

    async def _gated(self, writer: asyncio.StreamWriter) -> None:
        half = len(FILM) // 2
        writer.write(_HEAD.format(200, f"content-type: video/mp4\r\ncontent-length: {len(FILM)}\r\n").encode())
        writer.write(FILM[:half])
        await writer.drain()
        self.halves += 1
        await self.gate.wait()
        writer.write(FILM[half:])

    async def _endless(self, writer: asyncio.StreamWriter) -> None:
        writer.write(_HEAD.format(200, "content-type: video/mp4\r\n").encode())
        while not writer.is_closing():
            writer.write(FILM[: 1 << 16])
            self.endless += 1 << 16
            await writer.drain()


def _send(writer: asyncio.StreamWriter, body: bytes, kind: str, head: str) -> None:
    """A sound answer; one range is served."""
    asked = re.search(r"\r\nrange: bytes=(\d+)-(\d*)", head, re.IGNORECASE)
    status, more, part = 200, "", body
    if asked is not None:
        start, stop = int(asked[1]), min(int(asked[2] or len(body)) + 1, len(body))
        status, part = 206, body[start:stop]
        more = f"content-range: bytes {start}-{stop - 1}/{len(body)}\r\n"
    lines = f'content-type: {kind}\r\ncontent-length: {len(part)}\r\netag: "v1"\r\n{more}'
    writer.write(_HEAD.format(status, lines).encode() + part)


@asynccontextmanager
async def gallery() -> AsyncIterator[Gallery]:
    """A running one."""
    made = Gallery()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.gate.set()
        server.close()
        await server.wait_closed()
