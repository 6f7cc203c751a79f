"""Large forms, many at once: what they cost a worker in memory. `python -m bench.uploads` runs it alone.

The vendor reads and counts; the callers send the same file from one place, so that only the gateway's memory moves.
Callers, vendor and gateway speak the tests' dialect of forms.
"""

import asyncio
import dataclasses
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import gateways, nginx
from bench.processes import Running, free_port, rss_mb, wait_for_port

PROGRAM = "tests/support/form_gateway.py"
COUNT, SIZE = 20, 25 << 20
_PIECE = b"\x5a" * (256 << 10)
_HEAD = (
    b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-4o-mini\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
)
_END = b"\r\n--XX--\r\n"
_USAGE = b'{"input": %d, "output": %d}' % (nginx.USAGE["prompt_tokens"], nginx.USAGE["completion_tokens"])


@dataclass(frozen=True, slots=True)
class Uploads:
    """What a round saw; memory of the worker, its most from the process's start."""

    good: int
    seconds: float
    cpu_seconds: float
    idle_mb: float
    most_mb: float
    after_mb: float


async def _send(port: int) -> bool:
    """One upload; True where the vendor got every byte of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/form HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer %b\r\nconnection: close\r\n"
        b"content-type: multipart/form-data; boundary=XX\r\ncontent-length: %d\r\n\r\n%b"
        % (gateways.KEY.encode(), len(_HEAD) + SIZE + len(_END), _HEAD)
    )
    for _ in range(SIZE // len(_PIECE)):
        writer.write(_PIECE)
        await writer.drain()
    writer.write(_END)
    told = await reader.read()
    writer.close()
    return told.startswith(b"HTTP/1.1 200") and b'"file": %d' % SIZE in told


async def _round(port: int) -> int:
    return sum(await asyncio.gather(*(_send(port) for _ in range(COUNT))))


def run(running: Running, home: Path, *, gateway_core: int, load_core: int, rate: int = 0) -> Uploads:
    """Send all at once. `rate`: bytes a second that the vendor takes of each at most; 0: as many as come."""
    vendor, port = free_port(), free_port()
    command = [sys.executable, "-m", "bench.uploads", "vendor", str(vendor), str(rate)]
    running.start(command, core=load_core, log=home / "log")
    wait_for_port(vendor)
    upstream = f"http://127.0.0.1:{vendor}/v1"
    directory = home / f"uploads-{rate}"
    gate = gateways.start_unigate(running, upstream, port, gateway_core, directory, program=PROGRAM)
    idle, before, began = gate.memory(), gate.cpu(), time.monotonic()
    good = asyncio.run(_round(port))
    seen = Uploads(
        good, time.monotonic() - began, gate.cpu() - before, idle, rss_mb(gate.worker, "VmHWM"), gate.memory()
    )
    running.stop(gate.pid)
    return seen


def table_of(name: str, seen: Uploads) -> str:
    """A round for people."""
    rate = COUNT * SIZE / 1e6 / seen.seconds
    return (
        f"| {COUNT} uploads of {SIZE >> 20} MB at once, {name} | worker at most {seen.most_mb:.0f} MB "
        f"| idle {seen.idle_mb:.0f}, after {seen.after_mb:.0f} MB; {rate:.0f} MB/s, {seen.cpu_seconds:.1f} s of CPU |"
    )


def serve(port: int, rate: int) -> None:
    """The vendor: read a form and tell how long its file was."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        left, told, pause = size, b"", (1 << 16) / rate if rate else 0.0
        while left:
            piece = await reader.read(min(left, 1 << 16))
            if len(told) < 2048:
                told += piece
            left -= len(piece)
            if pause:
                await asyncio.sleep(pause)
        around = told.index(b"\x5a" * 64) + len(b"\r\n----\r\n") + 32  # parts' heads, and the last boundary of ours
        answer = b'{"file": %d, "usage": %b}' % (size - around, _USAGE)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(take, "127.0.0.1", port, limit=1 << 16)
        await server.serve_forever()

    asyncio.run(run())


def main() -> None:
    """One round with a quick vendor, one with a slow one."""
    running = Running()
    home = Path(tempfile.mkdtemp(prefix="unigate-uploads-"))
    try:
        for name, rate in (("quick vendor", 0), ("slow vendor", 2 << 20)):
            seen = run(running, home, gateway_core=0, load_core=1, rate=rate)
            print(table_of(name, seen), dataclasses.asdict(seen))
    finally:
        running.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["vendor"]:
        serve(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
