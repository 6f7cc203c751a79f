"""Programs of `unigate` without the seconds that loading its code takes: a process that has loaded it forks for each.

What runs in the fork is what runs otherwise: the command line, the supervisor and its children. Only that the code had
been loaded is different, so what starting itself is about (how soon, from what) starts a program of its own.
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryFile
from typing import IO, Any

#: Bytes of an order; seconds for a program that is run to its end.
_LARGEST, _LONGEST = 1 << 20, 60


class Forked:
    """A program that runs in a fork, as `subprocess.Popen` would show it."""

    def __init__(self, status: socket.socket, words: Sequence[str]) -> None:
        self._status = status
        self._words = words
        self._seen = b""
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        while b"\n" not in self._seen:
            piece = status.recv(100)
            assert piece, "the nursery is gone"
            self._seen += piece
        first, _, self._seen = self._seen.partition(b"\n")
        self.pid = int(first)

    def poll(self) -> int | None:
        """The exit code, or the negative number of what killed it; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once it has ended; TimeoutExpired when it does not within so many seconds."""
        while self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(list(self._words), timeout or 0)
            piece = self._status.recv(100)
            self._seen += piece
            if not piece or b"\n" in self._seen:
                self.returncode = os.waitstatus_to_exitcode(int(self._seen or signal.SIGKILL))
                self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal if it runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as no program can help."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks, as those who use it see it."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._orders.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
            assert self._process.stdout is not None
            assert self._process.stdout.readline() == b"ready\n", "the nursery did not start"

    def start(
        self, words: Sequence[str], *, program: Path | None, stdout: int, stderr: int, environ: Mapping[str, str]
    ) -> Forked:
        """Run `unigate WORDS`, or another program, with these files as its output."""
        mine, theirs = socket.socketpair()
        told = {
            "words": list(words),
            "program": program and str(program),
            "environ": dict(environ),
            "cwd": str(Path.cwd()),
        }
        with theirs:
            socket.send_fds(self._orders, [json.dumps(told).encode()], [theirs.fileno(), stdout, stderr])
        return Forked(mine, words)

    def close(self) -> None:
        """Let it end; what it has started goes on."""
        self._process.communicate()
        self._orders.close()


@cache
def nursery() -> Nursery:
    """The nursery of this process, started when it is first needed."""
    return Nursery()


def close_nursery() -> None:
    """End it if it was needed."""
    if nursery.cache_info().currsize:
        nursery().close()
        nursery.cache_clear()


def start(words: Sequence[str], *, stderr: IO[Any], environ: Mapping[str, str], program: Path | None = None) -> Forked:
    """Run `unigate WORDS`, or another program, whose standard output can be read."""
    mine, theirs = os.pipe()
    try:
        made = nursery().start(words, program=program, stdout=theirs, stderr=stderr.fileno(), environ=environ)
    finally:
        os.close(theirs)
    made.stdout = os.fdopen(mine)
    return made


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `unigate WORDS` to its end."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as errors:
        files = {"stdout": out.fileno(), "stderr": errors.fileno()}
        made = nursery().start(words, program=None, environ={**os.environ, **environ}, **files)
        code = made.wait(_LONGEST)
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), errors.read())


def _load() -> None:
    """Load what any of the programs needs."""
    import alembic.command  # noqa: F401, PLC0415 - those who only talk to a nursery need none of these
    import asyncpg  # noqa: F401, PLC0415
    import uvloop  # noqa: F401, PLC0415

    import unigate.http.api.app  # noqa: PLC0415
    import unigate.sandbox.app  # noqa: F401, PLC0415
    from unigate.cli import run  # noqa: PLC0415
    from unigate.dialects import operations  # noqa: PLC0415
    from unigate.manage import shipped  # noqa: PLC0415
    from unigate.providers import catalogue  # noqa: PLC0415

    assert run, "what `serve` needs is loaded by it"
    catalogue(), operations(), shipped.prices(), shipped.models()


def _raise(orders: socket.socket) -> dict[str, Any]:
    """Fork for each order, until our input ends; gives the order in the fork, which becomes that program."""
    ended, wake = os.pipe()
    for end in (ended, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C; who asked us to start ends us
    children: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([orders.fileno(), ended, 0], [], [])
        if 0 in ready:
            os._exit(0)
        if ended in ready:
            os.read(ended, 4096)
            _bury(children)
        if orders.fileno() in ready:
            said, files, _, _ = socket.recv_fds(orders, _LARGEST, 3)
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.dup2(files[1], 1)
                os.dup2(files[2], 2)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                orders.close()
                for status in children.values():
                    status.close()
                os.closerange(3, max(ended, wake, *files) + 1)
                order: dict[str, Any] = json.loads(said)
                return order
            children[pid] = socket.socket(fileno=files[0])
            children[pid].send(f"{pid}\n".encode())
            for file in files[1:]:
                os.close(file)


def _bury(children: dict[int, socket.socket]) -> None:
    """Tell of those who have ended."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with children.pop(pid) as told, suppress(OSError):
            told.send(f"{status}\n".encode())


def _be(order: Mapping[str, Any]) -> None:
    """Become the program, to its very end."""
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["cwd"])
    if order["program"] is None:
        from unigate.cli import main  # noqa: PLC0415 - it is loaded by now

        sys.argv = ["unigate", *order["words"]]
        main()
    else:
        sys.path.insert(0, str(Path(order["program"]).parent))
        sys.argv = [order["program"], *order["words"]]
        run_path(order["program"], run_name="__main__")


if __name__ == "__main__":
    sys.path.pop(0)  # our own folder: what lies in it are modules of `support`
    _load()
    gc.collect()
    gc.freeze()
    os.write(1, b"ready\n")
    _be(_raise(socket.socket(fileno=int(sys.argv[1]))))
