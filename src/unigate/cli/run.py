"""Running the gateway: `serve`, `demo` and `sandbox`. Puts processes together and hands them to the supervisor.

Importing this module loads what the children need, once for all of them.
"""

import fcntl
import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from unigate.access.limiter_server import place as limiter_place
from unigate.base import ids
from unigate.base import log as logging
from unigate.base.config_reader import ConfigError, Place
from unigate.base.settings import Settings
from unigate.cli.children import SandboxSettings, limiter_main, mover_main, sandbox_main
from unigate.cli.common import at_desk
from unigate.dialects import operations
from unigate.http.listen import listen
from unigate.manage import demo as demos
from unigate.manage import figures, shipped
from unigate.manage.apply import apply
from unigate.manage.desk import Desk, check_secret
from unigate.providers import catalogue
from unigate.server import WorkerSettings
from unigate.server import main as worker_main
from unigate.spec.terms import Terms
from unigate.store.migrate import migrate
from unigate.store.open import connect
from unigate.supervisor import Child, Supervisor, apart


def serve(settings: Settings, *, as_json: bool = False, terms: Terms | None = None) -> int:
    """Run the gateway until it is told to stop; the exit code. `terms` are the books' own unless given."""
    logging.configure()
    with _Home(settings.data):
        _load(settings)
        apart(lambda: _bring_about(settings))
        sockets = _listen(settings.server.host, settings.server.port, settings.server.workers)
        url = _url(settings.server.host, sockets[0])
        children = _gateway(settings, sockets, terms=terms or _terms(settings))
        return _supervise(children, partial(_announce, {"url": url}, as_json=as_json))


def demo(settings: Settings, *, as_json: bool = False) -> int:
    """Run gateway and sandbox with a demo user until told to stop; the exit code."""
    logging.configure()
    with _Home(settings.data):
        _load(settings)
        host = settings.server.host
        vendors, mail = _listen("127.0.0.1", 0), _listen("127.0.0.1", 0)
        sandbox_url, mail_port = _url("127.0.0.1", vendors[0]), mail[0].getsockname()[1]
        found = apart(lambda: _prepare_demo(settings, sandbox_url, mail_port))
        sockets = _listen(host, settings.server.port, settings.server.workers)
        said = {
            "url": _url(host, sockets[0]),
            "api_key": found.api_key,
            "admin": {"email": found.email, "password": found.password},
            "sandbox_url": sandbox_url,
        }
        children = [
            Child(name="sandbox", target=sandbox_main, args=(SandboxSettings(), vendors[0], mail[0])),
            *_gateway(settings, sockets, terms=_terms(settings), allow_private=True),
        ]
        return _supervise(children, partial(_announce, said, as_json=as_json))


def sandbox(
    host: str, port: int, mail_port: int, *, as_json: bool = False, tokens_per_second: float, task_speed: float
) -> int:
    """Run the imitation vendors alone; the exit code."""
    logging.configure()
    sockets, mail = _listen(host, port), _listen(host, mail_port)
    settings = SandboxSettings(tokens_per_second=tokens_per_second, task_speed=task_speed)
    children = [Child(name="sandbox", target=sandbox_main, args=(settings, sockets[0], mail[0]))]
    said = {"url": _url(host, sockets[0]), "mail_port": mail[0].getsockname()[1]}
    return _supervise(children, partial(_announce, said, as_json=as_json))


class _Home:
    """The data directory, owned by one gateway at a time."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> None:
        (self._data / "journal").mkdir(parents=True, exist_ok=True)
        (self._data / "run").mkdir(exist_ok=True)
        self._lock = (self._data / "run" / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(Place(str(self._data)), "another gateway runs on this data directory") from None
        figures.clear(self._data)

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()


def _terms(settings: Settings) -> Terms:
    return Terms(sync=settings.server.journal_sync)


def _gateway(
    settings: Settings, sockets: list[socket.socket], *, terms: Terms, allow_private: bool = False
) -> list[Child]:
    """The processes of a gateway: mover, limiter where workers share limits, workers."""
    node = _node(settings.data)
    url, data = settings.database.url, settings.data
    children = [
        Child(
            name="mover",
            target=mover_main,
            args=(url, data / "journal", node, terms),
            late=True,
        )
    ]
    limiter = None
    if len(sockets) > 1:
        limiter = limiter_place(str(data / "run"))
        children.append(Child(name="limiter", target=limiter_main, args=(limiter,), late=True))
    worker = WorkerSettings(
        database=url,
        data=data,
        secret=settings.secret.reveal(),
        others=tuple(other.reveal() for other in settings.others),
        node=node,
        allow_private=allow_private or settings.server.allow_private_upstreams,
        storage=settings.storage,
        aws=settings.aws,
        trusted_proxies=tuple(settings.server.trusted_proxies),
        workers=len(sockets),
        limiter=limiter,
        terms=terms,
        telemetry=settings.telemetry,
    )
    children += [Child(name=f"worker-{n}", target=worker_main, args=(worker, sock)) for n, sock in enumerate(sockets)]
    return children


def _supervise(children: list[Child], on_ready: Callable[[], None]) -> int:
    return Supervisor(children, on_ready=on_ready).run()


def _load(settings: Settings) -> None:
    """Load what is loaded where it is used, and what is kept once it was read; else each child would do it again."""
    connect(settings.database.url)
    catalogue(), operations(), shipped.prices(), shipped.models()
    import_module("unigate.http.api.app")
    with suppress(ImportError):
        import uvloop  # noqa: F401


def _bring_about(settings: Settings) -> None:
    """Make of the database what code and config file want."""

    async def work(desk: Desk) -> None:
        await check_secret(desk)
        if settings.config is not None:
            await apply(desk, settings.config)

    migrate(settings.database.url)
    at_desk(settings, work)


def _prepare_demo(settings: Settings, sandbox_url: str, mail_port: int) -> demos.Login:
    migrate(settings.database.url)
    return at_desk(settings, lambda desk: demos.prepare(desk, settings.data, sandbox_url, mail_port))


def _listen(host: str, port: int, workers: int = 1) -> list[socket.socket]:
    try:
        return listen(host, port, workers)
    except OSError as error:
        raise ConfigError(Place("server"), f"cannot listen on {host}:{port}: {error.strerror or error}") from None


def _url(host: str, sock: socket.socket) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{sock.getsockname()[1]}"


def _node(data: Path) -> str:
    """This node's id, made once and kept with its journals."""
    path = data / "node"
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(ids.new("node"))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def _announce(said: dict[str, Any], *, as_json: bool) -> None:
    """Say where it serves, once it does."""
    if as_json:
        print(json.dumps(said), flush=True)
        return
    lines = [f"unigate serves on {said['url']}"]
    if "api_key" in said:
        lines += [
            f"  sandbox      {said['sandbox_url']}",
            f"  owner        {said['admin']['email']}  {said['admin']['password']}",
            f"  key          {said['api_key']}",
            "",
            f"  curl {said['url']}/v1/chat/completions -H 'authorization: Bearer {said['api_key']}' \\",
            "    -H 'content-type: application/json' \\",
            """    -d '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}'""",
        ]
    print("\n".join(lines), file=sys.stdout, flush=True)
