"""A receiver of webhooks: a little HTTP server in the test's loop that keeps what it got and answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from support.waiting import until


@dataclass(frozen=True)
class Got:
    """One request."""

    method: str
    #: Path and query as they came.
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


#: The bytes of an answer, or its status; None: none comes, the connection is closed.
Answer = bytes | int | None
Answering = Callable[[Got], Awaitable[Answer]]


@dataclass
class Receiver:
    """What was received, in order, and what comes next."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    #: Answers in order; the last stays.
    answers: list[Answer] = field(default_factory=lambda: [200])
    #: Decides in place of `answers` where there is one.
    answering: Answering | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def receiving(
    *answers: Answer, host: str = "127.0.0.1", answering: Answering | None = None
) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver(answers=list(answers) or [200], answering=answering)
    open_now: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    got = await _request(reader)
                    receiver.got.append(got)
                    answer = await receiver.answering(got) if receiver.answering else receiver.next()
                    if answer is None:
                        return
                    writer.write(_answer(answer))
                    await writer.drain()
        finally:
            open_now.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for writer in tuple(open_now):
            writer.close()
        await until(lambda: not open_now)


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer with headers or a body."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Told\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


async def _request(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(method, target, headers, body)


def _answer(told: bytes | int) -> bytes:
    return answer(told) if isinstance(told, int) else told
