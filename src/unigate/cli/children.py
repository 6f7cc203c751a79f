"""What the supervisor's children run beside workers: sandbox, mover, limiter. Arguments are plain values."""

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from unigate import mover
from unigate.access import limiter_server
from unigate.base import log as logging
from unigate.http import tuning
from unigate.http.app import render_wire
from unigate.http.asgi import run_asgi
from unigate.http.exchange import Exchange
from unigate.http.serving import Server
from unigate.sandbox.options import Options
from unigate.spec.terms import Terms

log: Any = structlog.get_logger("unigate.mover")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """What the process is started with; plain values."""

    tokens_per_second: float = Options().tokens_per_second
    task_speed: float = Options().task_speed
    log_level: str = "warning"


def sandbox_main(
    settings: SandboxSettings, sock: socket.socket, mail: socket.socket, ready: Callable[[], None]
) -> None:
    """Run the sandbox until told to stop, with its mail server; `ready` is called once it serves."""
    logging.configure(settings.log_level)
    with asyncio.Runner(loop_factory=tuning.new_event_loop) as runner:
        runner.run(_run(settings, sock, mail, ready))


async def _run(
    settings: SandboxSettings, sock: socket.socket, mail_sock: socket.socket, ready: Callable[[], None]
) -> None:
    from unigate.sandbox.app import create  # a gateway of real vendors has none
    from unigate.sandbox.serving import mail

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    mails = mail.Mails()
    app = create(Options(tokens_per_second=settings.tokens_per_second, task_speed=settings.task_speed), mails)

    async def handle(x: Exchange) -> None:
        await run_asgi(app, x, sockets=True)

    server = Server(handle, render_wire)
    await server.start([sock])
    taking = await mail.serve(mails, mail_sock)
    ready()
    await stopping.wait()
    taking.close()
    await server.drain(1.0)


def mover_main(database: str, folder: Path, node: str, terms: Terms, ready: Callable[[], None]) -> None:
    """Move journals until told to stop, and then to their end."""
    logging.configure()
    ready()
    mover.main(database, folder, node, terms=terms, alarm=_alarm)


def limiter_main(path: str, ready: Callable[[], None]) -> None:
    """Decide about rate limits for all workers until told to stop."""
    logging.configure()
    limiter_server.main(path, ready)


def _alarm(what: str, detail: str) -> None:
    log.error("alarm", what=what, detail=detail)
