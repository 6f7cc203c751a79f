"""Calls that the sandbox itself makes: callbacks, and pictures that a caller names by address. One call a connection."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httptools

from unigate.sandbox.serving.answer import Headers

_TIMEOUT = 10
_LARGEST = 64 * 1024 * 1024
_HOPS = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


async def post(url: str, body: bytes, headers: Headers = ()) -> int:
    """Send a body and give the status; redirects are not followed. OSError or ValueError where nothing comes of it."""
    async with asyncio.timeout(_TIMEOUT):
        return (await _call("POST", url, headers, body)).status


async def get(url: str) -> bytes:
    """What stands at an address; OSError or ValueError where it can't be had. Redirects are followed."""
    async with asyncio.timeout(_TIMEOUT):
        for _ in range(_HOPS):
            reply = await _call("GET", url, (), b"")
            if reply.status in (301, 302, 303, 307, 308) and "location" in reply.headers:
                url = urljoin(url, reply.headers["location"])
                continue
            if reply.status != 200:
                raise ValueError(f"{url} answered {reply.status}")
            return reply.body
    raise ValueError(f"{url} leads nowhere")


async def _call(method: str, url: str, headers: Headers, body: bytes) -> Reply:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url} is no address of the web")
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        writer.write(_head(f"{method} {target} HTTP/1.1", (("host", host), *headers), body) + body)
        await writer.drain()
        return await _read(reader)
    finally:
        writer.close()


def _head(line: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    lines = [line, "connection: close", "user-agent: unigate-sandbox", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if any("\r" in text or "\n" in text for text in lines):
        raise ValueError("a line break in a header")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


class _Parsed:
    """What the parser tells of a reply."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.size = 0
        self.done = False
        self.headed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self.size += len(piece)

    def on_message_complete(self) -> None:
        self.done = True


async def _read(reader: asyncio.StreamReader) -> Reply:
    told = _Parsed()
    parser = httptools.HttpResponseParser(told)
    while not told.done:
        data = await reader.read(65536)
        if not data:
            break
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ValueError("the answer is no HTTP") from error
        if told.size > _LARGEST:
            raise ValueError("the answer is too large")
    unframed = "content-length" not in told.headers and "transfer-encoding" not in told.headers
    if not told.headed or not (told.done or unframed):
        raise ValueError("the answer broke off")
    return Reply(parser.get_status_code(), told.headers, b"".join(told.pieces))
