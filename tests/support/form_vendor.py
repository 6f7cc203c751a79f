"""A vendor of forms over raw sockets: what it does with a request is in the first segment of the request's path."""

import asyncio
import email
import email.policy
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Bytes = bytes | bytearray


@dataclass
class Asked:
    """A request: its path, its headers, and of its body what came."""

    path: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    method: str = ""

    @property
    def size(self) -> int:
        """Bytes of the body as they were declared."""
        return int(self.headers.get("content-length", "0"))

    def parts(self) -> list[tuple[str, str | None, str, bytes]]:
        """Name, file name, media type and content of each part, as the standard library reads a form."""
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + bytes(self.body), policy=email.policy.HTTP)
        assert message.is_multipart() and not message.defects, message.defects
        found = []
        for part in message.iter_parts():
            told = part.get_payload(decode=True)
            assert isinstance(told, bytes)
            disposition = part["content-disposition"].params
            found.append((disposition["name"], disposition.get("filename"), part.get("content-type", ""), told))
        return found


Handler = Callable[[Asked, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FormVendor:
    """A running vendor: handlers by the first segment of a path, and what it was asked."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
                headers = dict(line.lower().split(": ", 1) if "boundary" not in line else _raw(line) for line in lines)
                asked = Asked(first.split(" ")[1], headers, method=first.split(" ")[0])
                self.asked.append(asked)
                await self.handlers[asked.path.split("/")[1]](asked, reader, writer)
        writer.close()


def _raw(line: str) -> list[str]:
    name, value = line.split(": ", 1)
    return [name.lower(), value]


async def take(asked: Asked, reader: asyncio.StreamReader, size: int | None = None, *, pause: float = 0.0) -> None:
    """Read so much of a body, else all of it."""
    left = asked.size if size is None else size
    while left:
        piece = await reader.read(min(left, 1 << 16))
        if not piece:
            raise ConnectionError("the body ended too soon")
        asked.body += piece
        left -= len(piece)
        if pause:
            await asyncio.sleep(pause)


def answer(status: int, body: bytes, *more: bytes) -> bytes:
    """A whole answer."""
    head = b"".join(line + b"\r\n" for line in more or (b"content-type: application/json",))
    return b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n%b" % (status, head, len(body), body)


async def good(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read all and say what it was."""
    await take(asked, reader)
    told: dict[str, Any] = {"sha256": hashlib.sha256(asked.body).hexdigest(), "usage": {"input": 10, "output": 5}}
    writer.write(answer(200, json.dumps(told).encode()))


@asynccontextmanager
async def form_vendor(**handlers: Handler) -> AsyncIterator[FormVendor]:
    """Serve; `good` is always there."""
    vendor = FormVendor({"good": good, **handlers})
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        task.add_done_callback(running.discard)
        await vendor.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 18)
    vendor.port = server.sockets[0].getsockname()[1]
    try:
        yield vendor
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        if running:
            await asyncio.wait(tuple(running), timeout=10)


@contextmanager
def vendor_beside(**handlers: Handler) -> Iterator[FormVendor]:
    """The same in a loop of its own, for tests that have none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = form_vendor(**handlers)
    try:
        yield asyncio.run_coroutine_threadsafe(made.__aenter__(), loop).result(20)
    finally:
        asyncio.run_coroutine_threadsafe(made.__aexit__(None, None, None), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
