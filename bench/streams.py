"""Streams: a mock that paces chunks, and a reader of many at once that times each chunk."""

import asyncio
import statistics
import sys
import time
from dataclasses import dataclass

import uvloop

from bench.load import BODY

STREAM_BODY = BODY.replace('"temperature"', '"stream":true,"temperature"').encode()
#: The mock writes its clock into each chunk, where the vendor has its noise; both ends share it.
_EVENT = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4o-mini",'
    b'"service_tier":"default","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":{"content":" word"},'
    b'"logprobs":null,"finish_reason":null}],"obfuscation":"%017.6f"}\n\n'
)
_CLOCK = b'"obfuscation":"'

_FIRST = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
)
_LAST = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4o-mini",'
    b'"choices":[],"usage":{"prompt_tokens":14,"completion_tokens":%d,"total_tokens":%d}}\n\ndata: [DONE]\n\n'
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class _Mock(asyncio.Protocol):
    """Answers every POST with a stream of `chunks` events, `rate` a second."""

    def __init__(self, chunks: int, rate: float) -> None:
        self.chunks, self.rate = chunks, rate
        self.transport: asyncio.Transport
        self.seen = b""
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.seen += data
        head, end, body = self.seen.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self.seen = b""
            self.task = asyncio.ensure_future(self.stream())

    async def stream(self) -> None:
        self.chunk(_HEAD, raw=True)
        self.chunk(_FIRST)
        began = time.monotonic()
        for n in range(self.chunks):
            if self.transport.is_closing():
                return
            self.chunk(_EVENT % time.monotonic())
            await asyncio.sleep(max(0.0, began + (n + 1) / self.rate - time.monotonic()))
        self.chunk(_LAST % (self.chunks, self.chunks + 14))
        self.chunk(b"0\r\n\r\n", raw=True)

    def chunk(self, data: bytes, *, raw: bool = False) -> None:
        self.transport.write(data if raw else b"%x\r\n%b\r\n" % (len(data), data))


@dataclass(frozen=True)
class Streams:
    """What the reader saw: seconds to the first content, how late chunks were, and counts."""

    first_p50_ms: float
    late_p50_ms: float
    late_p99_ms: float
    chunks: int
    whole: int
    streams: int


async def _read(port: int, key: str, late: list[float], first: list[float]) -> bool:
    """One stream; True where every chunk came and it ended well."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    began = time.monotonic()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
        % (key.encode(), len(STREAM_BODY), STREAM_BODY)
    )
    ended, got_first = False, False
    while line := await reader.readline():
        at = line.find(_CLOCK)
        if at >= 0:
            now = time.monotonic()
            if not got_first:
                first.append(now - began)
                got_first = True
            late.append(now - float(line[at + len(_CLOCK) : at + len(_CLOCK) + 17]))
        ended = ended or b"[DONE]" in line
    writer.close()
    return ended


async def read_many(port: int, key: str, streams: int, ramp: float) -> Streams:
    """Open `streams` streams over `ramp` seconds and read them all to their end."""
    late: list[float] = []
    first: list[float] = []

    async def one(delay: float) -> bool:
        await asyncio.sleep(delay)
        return await _read(port, key, late, first)

    whole = await asyncio.gather(*(one(ramp * n / streams) for n in range(streams)))
    late.sort()
    return Streams(
        statistics.median(first) * 1000,
        late[len(late) // 2] * 1000,
        late[int(len(late) * 0.99)] * 1000,
        len(late),
        sum(whole),
        streams,
    )


def serve(port: int, chunks: int, rate: float) -> None:
    """Run the mock until it is ended."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Mock(chunks, rate), "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    uvloop.run(run())


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
