"""Real processes for end-to-end tests: a demo, or a gateway with its own configuration in front of a sandbox."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from support import nursery
from support.nursery import Forked
from unigate.store.ledger_tables import usage
from unigate.store.open import connect

WAIT = 60.0


@dataclass
class Process:
    """A child with what it said first."""

    popen: subprocess.Popen[str] | Forked
    said: dict[str, Any]
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.said["url"])

    def stop(self, *, sig: int = signal.SIGTERM) -> int:
        """End it and wait."""
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            return self.popen.wait(WAIT)
        finally:
            if self.popen.poll() is None:
                self.popen.kill()
                self.popen.wait(WAIT)
            if self.popen.stdout is not None:
                self.popen.stdout.close()


def start(
    arguments: list[str], log: Path, *, program: Path | None = None, whole: bool = False, **environ: str
) -> Process:
    """Start `unigate ARGUMENTS`, or another program, which prints one line of JSON once it serves.

    It is a fork of a process that has loaded the code, unless the `whole` start is what a test is about.
    """
    around = {**os.environ, **environ}
    popen: subprocess.Popen[str] | Forked
    with log.open("ab") as errors:
        if whole:
            command = [sys.executable, *(["-m", "unigate"] if program is None else [str(program)]), *arguments]
            popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=around)
        else:
            popen = nursery.start(arguments, program=program, stderr=errors, environ=around)
    assert popen.stdout is not None
    line = popen.stdout.readline()
    if not line:
        popen.wait(WAIT)
        popen.stdout.close()
        pytest.fail(f"unigate {' '.join(arguments)} ended with {popen.returncode}:\n{log.read_text()[-4000:]}")
    return Process(popen, json.loads(line), log)


@dataclass
class World:
    """A gateway, its sandbox, and what a test needs to ask of both."""

    process: Process
    sandbox: Process
    key: str
    data: Path
    config: Path
    database: str | None = None
    spare: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.process.url

    @property
    def base(self) -> str:
        """The base URL for an SDK."""
        return self.process.url + "/v1"

    def post(self, body: object, key: str | None = None, **headers: str) -> httpx.Response:
        """POST a chat body."""
        auth = {"authorization": f"Bearer {key or self.key}", **headers}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        auth.setdefault("content-type", "application/json")
        url = self.base + "/chat/completions"
        # No certificates are loaded for a plain address: that takes longer than most calls.
        with httpx.stream("POST", url, content=content, headers=auth, timeout=30, verify=False) as reply:
            seen = []
            with suppress(httpx.RemoteProtocolError):  # a stream that broke is closed without its end
                for piece in reply.iter_raw():
                    seen.append(piece)  # noqa: PERF402 - what came before it broke counts
            return httpx.Response(
                reply.status_code, headers=reply.headers, content=b"".join(seen), request=reply.request
            )

    def chat(self, prompt: str = "Hello", **more: object) -> httpx.Response:
        """A small chat call."""
        return self.post({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}], **more})

    def usage(self, key: str | None = None, query: str = "unit=usd") -> dict[str, Any]:
        """Balance, used, in use."""
        reply = httpx.get(
            f"{self.url}/v1/billing/usage?{query}", headers={"authorization": f"Bearer {key or self.key}"}
        )
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()["data"]
        return found

    def cli(self, *arguments: str, check: bool = True) -> Any:
        """Run a management command with --json."""
        done = nursery.run(*arguments, "--json", "--config", str(self.config), "--data", str(self.data))
        if check and done.returncode != 0:
            pytest.fail(f"unigate {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None


async def usage_rows(world: World) -> list[dict[str, Any]]:
    """All rows of usage, attempts and units as structures."""
    url = world.database if world.database and world.database.startswith("postgres") else None
    database = connect(url or f"sqlite:///{world.data / 'unigate.db'}")
    try:
        async with database.reading() as tx:
            rows = await tx.all(select(usage).order_by(usage.c.at, usage.c.id))
    finally:
        await database.close()
    names = [column.name for column in usage.c]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        row["attempts"] = json.loads(row["attempts"] or "[]")
        row["units"] = json.loads(row["units"] or "{}")
    return found


CONFIG = """
server: {{allow_private_upstreams: true, workers: {workers}}}
database: {{url: "{database}"}}
secret: e2e-secret-e2e-secret-e2e
channels:
  - name: main
    provider: openai
    base_url: {sandbox}/openai/v1
    credentials: sk-upstream
    models:
      {{gpt-4o-mini: gpt-4o-mini, gpt-4o: gpt-4o, o3-mini: o3-mini, unpriced: gpt-4o-mini, flat: gpt-4o-mini,
      gpt-3.5-turbo-instruct: gpt-3.5-turbo-instruct, text-embedding-3-small: text-embedding-3-small,
      omni-moderation-latest: omni-moderation-latest}}
{more}
{prices}
settings: {{relay: {{body_bytes: 262144, answer_bytes: 1048576}}}}
users:
  - {{name: alice, email: alice@example.com, credit: 100}}
  - {{name: poor, email: poor@example.com, credit: 0}}
  - {{name: hundred, email: hundred@example.com, credit: 100}}
  - {{name: small, email: small@example.com, credit: "0.0005"}}
keys:
  - {{name: app, user: alice, secret: sk-app-0123456789}}
  - {{name: expired, user: alice, secret: sk-expired-0123456789, expires: 2020-01-01}}
  - {{name: disabled, user: alice, secret: sk-disabled-0123456789, enabled: false}}
  - {{name: narrow, user: alice, secret: sk-narrow-0123456789, models: ["gpt-4o"]}}
  - {{name: elsewhere, user: alice, secret: sk-elsewhere-0123456789, addresses: ["203.0.113.0/24"]}}
  - {{name: scopeless, user: alice, secret: sk-scopeless-0123456789, scopes: [manage]}}
  - {{name: slow, user: alice, secret: sk-slow-0123456789, limits: {{rpm: 2}}}}
  - {{name: spent, user: alice, secret: sk-spent-0123456789, budget: {{total: 0}}}}
  - {{name: poor, user: poor, secret: sk-poor-0123456789}}
  - {{name: hundred, user: hundred, secret: sk-hundred-0123456789}}
  - {{name: small, user: small, secret: sk-small-0123456789}}
"""


PRICES = """prices:
  - {model: gpt-4o-mini, input: 0.15, cached_input: 0.075, output: 0.60}
  - {model: flat, per_call: 1}
"""


def build_world(home: Path, database: str, *, workers: int = 1, more: str = "", own_prices: bool = True) -> World:
    """A sandbox, and a gateway before it, with users and keys for every case."""
    sandbox = start(["sandbox", "--port", "0", "--json"], home / "sandbox.log")
    config = home / "gateway.yaml"
    channels = more.replace("SANDBOX", sandbox.url)
    prices = PRICES if own_prices else ""
    text = CONFIG.format(workers=workers, database=database, sandbox=sandbox.url, more=channels, prices=prices)
    config.write_text(text)
    arguments = ["serve", "--config", str(config), "--port", "0", "--data", str(home / "data"), "--json"]
    try:
        process = start(arguments, home / "gateway.log")
    except BaseException:
        sandbox.stop()
        raise
    return World(process, sandbox, "sk-app-0123456789", home / "data", config, database)


async def rows_until(
    world: World, enough: Callable[[list[dict[str, Any]]], bool], *, seconds: float = 30.0
) -> list[dict[str, Any]]:
    """Rows of usage once there are enough of them: the mover carries them a little later than replies."""
    deadline = time.monotonic() + seconds
    while not enough(rows := await usage_rows(world)):
        assert time.monotonic() < deadline, f"the awaited rows did not come; there are {len(rows)}"
        await asyncio.sleep(0.05)
    return rows
