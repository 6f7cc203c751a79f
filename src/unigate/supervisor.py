"""The parent of all processes of a node: starts them, restarts what dies, and ends them in order.

It knows no room: what its children run is handed in as functions. It holds the listening sockets, so that a worker can
die and come back without a refused connection. It has no event loop and does nothing but wait.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType, ModuleType
from typing import Any, Self

import structlog

from unigate.base.clock import monotonic

log: Any = structlog.get_logger("unigate.supervisor")

# A fork of ourselves would copy threads and locks in whatever state they are; a fresh interpreter for each child would
# load everything once more each. So one fresh process without threads loads it, and children are forked from that.
_SERVER = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process to keep running: it calls `target(*args, ready)`, and `ready()` once it does its work.

    SIGTERM asks it to end. `target` is a module's function and `args` can be pickled; sockets among them are closed in
    the supervisor as soon as it stops, since nobody accepts any more.
    """

    name: str
    target: Callable[..., None]
    args: tuple[Any, ...] = ()
    #: Ended after all others: the mover, which carries their last records, and what they need while they drain.
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long things may take, in seconds."""

    #: From the start until every child has been ready.
    start: float = 60.0
    #: From SIGTERM to the end of the children; a worker's own bound on its calls is shorter.
    drain: float = 35.0
    #: The same for the late ones.
    late: float = 35.0
    #: Before a child that died is started again: at first, and at most, doubling in between.
    pause: float = 0.1
    longest_pause: float = 5.0
    #: A child that ran this long died of something new.
    steady: float = 10.0


def prepare(modules: Sequence[str]) -> None:
    """Begin to load what children will need, beside whatever the caller does next; once, before the first child."""
    _SERVER.set_forkserver_preload([__name__, *modules])
    with _nothing_to_import_again():
        forkserver.ensure_running()


class Supervisor:
    """Keeps a list of children running until a signal ends them all."""

    def __init__(
        self, children: Sequence[Child], *, terms: Terms | None = None, on_ready: Callable[[], None] = lambda: None
    ) -> None:
        """`on_ready` is called once, when every child has been ready."""
        self._terms = terms or Terms()
        self._posts = [_Post(child, self._terms) for child in children]
        self._on_ready = on_ready

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, from the main thread; a second signal ends everything at once.

        Gives the exit status: 0, or 1 when the start failed or somebody had to be killed.
        """
        with _Signals() as signals:
            try:
                well = self._start(signals) and self._keep(signals)
                return 0 if self._stop(signals) and well else 1
            finally:
                for post in self._posts:
                    post.kill()

    def _start(self, signals: "_Signals") -> bool:
        for post in self._posts:
            post.start()
        deadline = monotonic() + self._terms.start
        while not signals.count:
            waiting = [post for post in self._posts if not post.ready]
            if not waiting:
                self._on_ready()
                return True
            _wait(self._posts, signals, deadline)
            for post in self._posts:
                if post.ended():
                    log.error("a process ended while starting", process=post.child.name, status=post.status)
                    return False
            if monotonic() >= deadline:
                log.error("processes did not start in time", processes=[post.child.name for post in waiting])
                return False
        return True

    def _keep(self, signals: "_Signals") -> bool:
        while not signals.count:
            _wait(self._posts, signals, min((post.due for post in self._posts if post.due), default=None))
            for post in self._posts:
                if post.ended():
                    pause = post.put_off()
                    log.warning("a process ended", process=post.child.name, status=post.status, restart_in=pause)
                elif post.due and monotonic() >= post.due:
                    post.start()
        return True

    def _stop(self, signals: "_Signals") -> bool:
        """End all children in order; False when some had to be killed."""
        for post in self._posts:
            post.close_sockets()
        early = self._end([post for post in self._posts if not post.child.late], self._terms.drain, signals)
        late = self._end([post for post in self._posts if post.child.late], self._terms.late, signals)
        return early and late

    def _end(self, posts: "list[_Post]", seconds: float, signals: "_Signals") -> bool:
        for post in posts:
            post.terminate()
        deadline = monotonic() + seconds
        while running := [post for post in posts if post.running and not post.ended()]:
            if signals.count > 1 or monotonic() >= deadline:
                log.warning("processes were killed", processes=[post.child.name for post in running])
                for post in running:
                    post.kill()
                return False
            _wait(running, signals, deadline)
        return True


class _Post:
    """A child's place: the process that fills it, or the time when the next one will."""

    __slots__ = ("_pause", "_pipe", "_process", "_since", "_terms", "child", "due", "ready", "status")

    def __init__(self, child: Child, terms: Terms) -> None:
        self.child = child
        self.ready = False
        #: When it starts again, 0 while it runs; and how the last process ended.
        self.due = 0.0
        self.status: int | None = None
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._since = 0.0
        self._terms = terms
        self._pause = terms.pause

    def start(self) -> None:
        """Fill the place with a new process."""
        mine, theirs = _SERVER.Pipe(duplex=False)
        patience = self._terms.late if self.child.late else self._terms.drain
        arguments = (self.child.target, self.child.args, theirs, patience)
        process = _SERVER.Process(target=_enter, args=arguments, name=self.child.name, daemon=True)
        with _nothing_to_import_again():
            process.start()
        theirs.close()
        self._process, self._pipe, self._since, self.due, self.ready = process, mine, monotonic(), 0.0, False

    @property
    def running(self) -> bool:
        """Whether a process fills the place (it may have ended unseen)."""
        return self._process is not None

    def handles(self) -> list[Any]:
        """What becomes readable when something happens here."""
        handles: list[Any] = [] if self._process is None else [self._process.sentinel]
        return handles if self._pipe is None else [*handles, self._pipe]

    def ended(self) -> bool:
        """Take note of what happened; True once for each process that ended."""
        self._listen()
        if self._process is None or self._process.exitcode is None:
            return False
        self.status = self._process.exitcode
        self._process.close()
        self._process = None
        self._hang_up()
        return True

    def put_off(self) -> float:
        """Set the time of the next start, later each time it dies soon; gives the seconds until then."""
        if monotonic() - self._since >= self._terms.steady:
            self._pause = self._terms.pause
        pause, self._pause = self._pause, min(self._pause * 2, self._terms.longest_pause)
        self.due = monotonic() + pause
        return pause

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self.ended()

    def close_sockets(self) -> None:
        """Close our copies of the sockets that the child listens on."""
        for argument in self.child.args:
            if isinstance(argument, socket.socket):
                argument.close()

    def _listen(self) -> None:
        if self._pipe is not None and self._pipe.poll():
            with suppress(EOFError):  # it ended without a word
                self._pipe.recv_bytes()
                self.ready = True
            self._hang_up()

    def _hang_up(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


class _Signals:
    """SIGTERM and SIGINT as something to wait for, while the block runs."""

    def __init__(self) -> None:
        self.count = 0
        self._mine, self._theirs = socket.socketpair()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for end in (self._mine, self._theirs):
            end.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._mine.close()
        self._theirs.close()

    def fileno(self) -> int:
        """What becomes readable with a signal."""
        return self._mine.fileno()

    def drain(self) -> None:
        """Take the wake-up's bytes."""
        with suppress(BlockingIOError):
            self._mine.recv(4096)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


def _wait(posts: Iterable[_Post], signals: _Signals, deadline: float | None) -> None:
    """Sleep until something happens, or the deadline."""
    handles = [signals, *(handle for post in posts for handle in post.handles())]
    wait(handles, None if deadline is None else max(deadline - monotonic(), 0))
    signals.drain()


@contextmanager
def _nothing_to_import_again() -> Iterator[None]:
    """Keep a child from importing our main module: it is the command line, which no child needs."""
    ours = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = ours


def _enter(target: Callable[..., None], args: tuple[Any, ...], pipe: Connection, patience: float) -> None:
    """What a child runs."""
    os.setpgid(0, 0)  # a terminal's Ctrl-C is for the supervisor, which ends us in order
    threading.Thread(target=_follow_parent, args=(patience,), daemon=True).start()

    def ready() -> None:
        with suppress(OSError):  # nobody listens any more
            pipe.send_bytes(b"ready")
            pipe.close()

    target(*args, ready)


def _follow_parent(patience: float) -> None:
    """End when the supervisor is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience)
        os._exit(1)
