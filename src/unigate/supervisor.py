"""The parent of all processes of a node: starts them, restarts what dies, and ends them in order.

It knows no room: what its children run is handed in as functions. It holds the listening sockets, so that a worker can
die and come back without a refused connection. Children are forks of it, which share all that it has loaded; so it must
never have a thread, an event loop or an open database: work that needs these is done in `apart`.
"""

import gc
import multiprocessing
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import MAXFD
from types import FrameType
from typing import Any, Self, TypeVar

import structlog

from unigate.base.clock import monotonic

log: Any = structlog.get_logger("unigate.supervisor")

R = TypeVar("R")

_FORK = multiprocessing.get_context("fork")
_ENDING = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process to keep running: it calls `target(*args, ready)`, and `ready()` once it does its work.

    SIGTERM asks it to end. Of the files that are open it keeps sockets among `args`, and standard streams; the
    supervisor closes such sockets as soon as it stops, since nobody accepts any more.
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


def apart(work: Callable[[], R]) -> R:
    """What `work` gives, run in a process of its own: whatever threads it starts, none is in ours when children fork.

    Its result and its errors can be pickled; an error is raised here, with the traceback there as a note. Where that
    process dies, our own program ends too.
    """
    mine, theirs = _FORK.Pipe(duplex=False)
    process = _fork("apart", lambda: theirs.send(_outcome(work)), keep=[theirs], patience=0)
    theirs.close()
    outcome = None
    with mine, suppress(EOFError):
        outcome = mine.recv()
    process.join()
    if outcome is None:
        raise SystemExit(1)
    result, error = outcome
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _outcome(work: Callable[[], R]) -> tuple[R | None, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - whoever waits for the result is told
        error.add_note(traceback.format_exc())
        return None, error


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
        mine, theirs = _FORK.Pipe(duplex=False)

        def ready() -> None:
            with suppress(OSError):  # nobody listens any more
                theirs.send_bytes(b"ready")

        process = _fork(
            self.child.name,
            lambda: self.child.target(*self.child.args, ready),
            keep=[theirs, *self._sockets()],
            patience=self._terms.late if self.child.late else self._terms.drain,
        )
        theirs.close()
        self._process, self._pipe, self._since, self.due, self.ready = process, mine, monotonic(), 0.0, False

    @property
    def running(self) -> bool:
        """Whether a process fills the place (it may have ended unseen)."""
        return self._process is not None

    def handles(self) -> list[Connection]:
        """What becomes readable when something happens here."""
        return [] if self._pipe is None else [self._pipe]

    def ended(self) -> bool:
        """Take note of what happened; True once for each process that ended."""
        if self._process is None or self._pipe is None:
            return False
        try:
            while self._pipe.poll():
                self._pipe.recv_bytes()
                self.ready = True
        except EOFError:  # the child's end is open as long as the child lives
            self._process.join()
            self.status = self._process.exitcode
            self._process.close()
            self._pipe.close()
            self._process = self._pipe = None
            return True
        return False

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
        for sock in self._sockets():
            sock.close()

    def _sockets(self) -> list[socket.socket]:
        return [argument for argument in self.child.args if isinstance(argument, socket.socket)]


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
        for number in _ENDING:
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
    handles: list[Any] = [signals, *(handle for post in posts for handle in post.handles())]
    wait(handles, None if deadline is None else max(deadline - monotonic(), 0))
    signals.drain()


def _fork(
    name: str, target: Callable[[], None], *, keep: Sequence[Connection | socket.socket], patience: float
) -> BaseProcess:
    """Start a child that has no open files but standard streams and those to `keep`."""
    if threading.active_count() > 1:
        raise RuntimeError("a fork would copy the locks of other threads in whatever state they are")
    gc.freeze()  # what nobody's collector walks over stays shared between all processes
    process = _FORK.Process(target=_enter, args=(target, keep, patience), name=name, daemon=True)
    # A signal must not come to a child as long as it would be noted as the supervisor's.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def _enter(target: Callable[[], None], keep: Sequence[Connection | socket.socket], patience: float) -> None:
    """What a child runs."""
    os.setpgid(0, 0)  # a terminal's Ctrl-C is for the supervisor, which ends us in order
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which forgets one that came before we had a group of our own
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    # Else locks, sockets and pipes would live as long as the last of us. Objects that own them stay with the callers of
    # the fork, to which a child never returns, so none of them closes a number that has become something else.
    parent = multiprocessing.parent_process()
    assert parent is not None
    for last, following in pairwise(sorted([2, parent.sentinel, *(kept.fileno() for kept in keep), MAXFD])):
        os.closerange(last + 1, following)
    threading.Thread(target=_follow, args=(parent.sentinel, patience), daemon=True).start()
    target()


def _follow(parent: int, patience: float) -> None:
    """End when the supervisor is gone, however it went."""
    wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    os._exit(1)
