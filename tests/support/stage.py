"""A gateway with a configuration of a test's own, and what a test needs to act as caller, operator and vendor's witness."""

import asyncio
import io
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from unittest import mock
from uuid import uuid4

import httpx
import structlog

from support.postgres import run
from support.waiting import wait_until
from support.world import Process, World, start, usage_rows
from unigate.billing.format import Entry, blank, decode, read
from unigate.cli import main
from unigate.spec.record import Record

KEY = "sk-app-0123456789"
HEAD = """
server: {{allow_private_upstreams: true, workers: {workers}}}
database: {{url: "{database}"}}
secret: e2e-secret-e2e-secret-e2e
"""
MAIN = """
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-upstream-main, models: "*"}
"""


@dataclass
class Stage(World):
    """A world whose operator works in the test's own process, which spares the start of a program for each word."""

    def shell(self, *words: str) -> tuple[int, str, str]:
        """Run a command of `unigate` on this gateway's database: exit code, standard output, standard error."""
        return shell(*words, "--config", str(self.config), "--data", str(self.data))

    def manage(self, *words: str, code: int = 0) -> Any:
        """What a command prints with --json."""
        found, out, err = self.shell(*words, "--json")
        assert found == code, (words, found, out, err)
        return json.loads(out) if out.strip() else None

    def rows(self) -> dict[str, dict[str, Any]]:
        """All rows of usage by the call's id."""
        return {row["id"]: row for row in run(usage_rows(self))}

    def row(self, call_id: str) -> dict[str, Any]:
        """The row of one call, once it is there."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [row for row_id, row in self.rows().items() if row_id == call_id]
            return bool(found)

        wait_until(look, what=f"the row of {call_id}", seconds=20)
        return found[0]

    def received(self, text: str) -> list[dict[str, Any]]:
        """What the sandbox received that contains a text, oldest first."""
        reply = httpx.get(self.sandbox.url + "/sandbox/requests", params={"contains": text, "limit": "1000"})
        found: list[dict[str, Any]] = reply.json()["data"]
        return found

    def settled(self, key: str | None = None) -> dict[str, Any]:
        """Balance and used of a key's user in USD, once nothing is in use and what is on file is in the database.

        A call is on file before its caller sees the end of the answer, while what is in use is told but once a second.
        """
        written = on_file(self.data)
        if written:
            wait_until(lambda: written <= self.rows().keys(), seconds=20, what="the rows of all calls")
        wait_until(lambda: self.usage(key)["cache_used"] == 0, seconds=20, what="nothing in use")
        return self.usage(key)

    def charged(self, since: int) -> int:
        """What the calls cost that came since then (ms since 1970), in nano-USD, once nothing is in use any more."""
        self.settled()
        return sum(int(row["cost"]) for row in self.rows().values() if row["at"] >= since)

    def sound(self) -> None:
        """The books agree."""
        report = self.manage("ledger", "check")
        assert report["sound"] and not report["findings"], report

    def stop(self) -> int:
        """End the gateway; its exit code."""
        return self.process.stop()

    def stop_hard(self) -> int:
        """End the gateway's first process as no program can help; its exit code."""
        return self.process.stop(sig=signal.SIGKILL)


def on_file(data: Path) -> set[str]:
    """The ids of calls whose records stand in the journals below a gateway's data."""
    found: set[str] = set()
    for path in data.glob("journal/*.journal"):
        with suppress(FileNotFoundError):  # all of it was moved meanwhile
            found.update(one.id for one in map(decode, _written(path)) if isinstance(one, Record))
    return found


def _written(path: Path) -> list[Entry]:
    """The records of a journal, most of which is room for more: no more of it is read than is written."""
    size = 1 << 16
    while True:
        with path.open("rb") as file:
            data = file.read(size)
        entries, end = read(data, 0, 1_000_000)
        if len(data) < size or (end < len(data) and blank(data, end)):
            return entries
        size *= 8


class Caller:
    """One call over a raw socket: the test decides when it reads, and when the caller is gone."""

    def __init__(
        self,
        world: World,
        body: dict[str, object],
        *,
        key: str | None = None,
        receive_buffer: int | None = None,
        path: str = "/v1/chat/completions",
    ) -> None:
        host, port = world.url.removeprefix("http://").split(":")
        content = json.dumps(body).encode()
        self.seen = b""
        self._sock = socket.socket()
        if receive_buffer is not None:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._sock.settimeout(60)
        self._sock.connect((host, int(port)))
        self._sock.sendall(
            b"POST %b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\nconnection: close\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (path.encode(), (key or world.key).encode(), len(content), content)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def until(self, text: bytes, times: int = 1) -> bytes:
        """Read until a text has come so often; everything seen so far."""
        while self.seen.count(text) < times:
            piece = self._sock.recv(65536)
            assert piece, f"the reply ended without {text!r}: {self.seen[-500:]!r}"
            self.seen += piece
        return self.seen

    def piece(self) -> bytes:
        """The next piece of the reply."""
        return self._sock.recv(65536)

    def rest(self) -> bytes:
        """Read to the end; everything seen."""
        pieces = [self.seen]
        while piece := self._sock.recv(1 << 20):
            pieces.append(piece)
        self.seen = b"".join(pieces)
        return self.seen

    def leave(self) -> None:
        """Close the socket, whatever is under way."""
        self._sock.close()

    @property
    def call_id(self) -> str:
        """The call's id, from the reply's head."""
        return self.header("x-request-id")

    @property
    def status(self) -> int:
        """The reply's status."""
        return int(self.seen[9:12])

    def header(self, name: str) -> str:
        """A header of the reply."""
        head = self.seen.partition(b"\r\n\r\n")[0].decode()
        found = [line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith(name + ":")]
        assert len(found) == 1, head
        return found[0]

    def events(self) -> Iterator[str]:
        """The data of each event seen; the last may be a part."""
        for line in unchunked(self.seen.partition(b"\r\n\r\n")[2]).decode(errors="replace").splitlines():
            if line.startswith("data: "):
                yield line.removeprefix("data: ")


def unchunked(body: bytes) -> bytes:
    """A chunked body without its framing, as far as it came."""
    pieces, at = [], 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:end], 16)
        if not size:
            break
        pieces.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(pieces)


def shell(*words: str) -> tuple[int, str, str]:
    """Run `unigate WORDS` in this process: exit code, standard output, standard error."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with mock.patch.object(sys, "argv", ["unigate", *words]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            structlog.reset_defaults()
    return code, out.getvalue(), err.getvalue()


def set_stage(
    home: Path,
    vendors: Process,
    text: str,
    *,
    database: str = "sqlite:///unigate.db",
    workers: int = 1,
    key: str = KEY,
    program: Path | None = None,
    whole: bool = False,
    **environ: str,
) -> Stage:
    """Start a gateway on a configuration (`SANDBOX` in it is the sandbox's address), by `program` if not by `unigate`."""
    config = home / "gateway.yaml"
    config.write_text(HEAD.format(workers=workers, database=database) + text.replace("SANDBOX", vendors.url))
    arguments = ["serve", "--config", str(config), "--port", "0", "--data", str(home / "data"), "--json"]
    process = start(arguments, home / "gateway.log", program=program, whole=whole, **environ)
    return Stage(process, vendors, key, home / "data", config, database)


def body(prompt: str, **more: object) -> dict[str, object]:
    """A chat body."""
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}], **more}


def mark() -> str:
    """A word by which a call is found in the sandbox's log."""
    return f"mark-{uuid4().hex}"


def descendants(pid: int) -> list[int]:
    """The processes below a process that run."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            _, _, rest = status.read_text().partition("\nPPid:\t")
            parents[int(status.parent.name)] = int(rest.split("\n")[0])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return [child for child in found[1:] if alive(child)]


def alive(pid: int) -> bool:
    """Whether a process runs (one that only waits to be buried does not)."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def workers_of(stage: World) -> list[int]:
    """Process ids of the workers that serve."""
    found: list[int] = []

    def look() -> bool:
        # Files are replaced by renaming, and a folder that is read meanwhile may show neither the old one nor the new.
        looks = [path for _ in range(3) for path in (stage.data / "run").glob("figures-*.json")]
        pids = sorted({int(path.stem.removeprefix("figures-")) for path in looks})
        found[:] = [pid for pid in pids if alive(pid)]
        return bool(found)

    wait_until(look, what="a worker that tells of itself", seconds=30)
    return found


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def gather_posts(stage: World, count: int, sent: dict[str, object], key: str) -> list[httpx.Response]:
    """`count` equal calls at once, each on a connection of its own."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    head = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        return await asyncio.gather(
            *(client.post(stage.base + "/chat/completions", json=sent, headers=head) for _ in range(count))
        )
