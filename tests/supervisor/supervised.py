"""Processes for the supervisor's tests, and how they are supervised in each scenario.

What happens is appended to FOLDER/log, one line per event: `<name> <event> <pid>`.
"""

import fcntl
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from unigate.supervisor import Child, Supervisor, Terms

Ready = Callable[[], None]


def note(folder: str, name: str, event: str) -> None:
    """Append an event to the log, in one write."""
    with (Path(folder) / "log").open("a") as file:
        file.write(f"{name} {event} {os.getpid()} {time.monotonic()}\n")


class Stopping:
    """Notes SIGTERM, and SIGINT, which no child should ever get."""

    def __init__(self, folder: str, name: str) -> None:
        self.asked = False
        self._place = (folder, name)
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, self._note)

    def _note(self, number: int, _frame: object) -> None:
        self.asked = True
        note(*self._place, signal.Signals(number).name)


def serve(folder: str, name: str, sock: socket.socket, ready: Ready) -> None:
    """Answer each line with our pid; the line `slow` after a second, also while draining."""
    stopping = Stopping(folder, name)
    note(folder, name, "started")
    ready()
    sock.setblocking(False)
    while not stopping.asked:
        if select.select([sock], [], [], 0.02)[0]:
            connection, _peer = sock.accept()
            connection.settimeout(10)
            with connection:
                line = connection.recv(100)
                note(folder, name, "got")
                if line == b"slow":
                    time.sleep(1)
                connection.sendall(f"{os.getpid()}".encode())
    sock.close()
    note(folder, name, "ended")


def work(folder: str, name: str, ready: Ready) -> None:
    """Do nothing until asked to end."""
    stopping = Stopping(folder, name)
    note(folder, name, "started")
    ready()
    while not stopping.asked:
        time.sleep(0.02)
    note(folder, name, "ended")


def stubborn(folder: str, name: str, ready: Ready) -> None:
    """Never end by itself."""
    Stopping(folder, name)
    note(folder, name, "started")
    ready()
    while True:
        time.sleep(0.05)


def crash(folder: str, name: str, ready: Ready) -> None:
    """Become ready and die, but not before all are ready."""
    note(folder, name, "started")
    ready()
    while "supervisor ready" not in (Path(folder) / "log").read_text():
        time.sleep(0.01)
    os._exit(7)


def fail(folder: str, name: str, _ready: Ready) -> None:
    """Die without having been ready."""
    note(folder, name, "started")
    sys.exit(3)


def never_ready(folder: str, name: str, _ready: Ready) -> None:
    """Start for ever."""
    work(folder, name, lambda: None)


def listen() -> list[socket.socket]:
    """Two sockets that listen at one free port."""
    first = socket.create_server(("127.0.0.1", 0), reuse_port=True)
    return [first, socket.create_server(first.getsockname(), reuse_port=True)]


def children(folder: str, scenario: str) -> list[Child]:
    """The processes of a scenario."""
    mover = Child(name="mover", target=work, args=(folder, "mover"), late=True)
    if scenario == "serve":
        sockets = listen()
        (Path(folder) / "port.new").write_text(str(sockets[0].getsockname()[1]))
        (Path(folder) / "port.new").replace(Path(folder) / "port")
        names = ["worker-1", "worker-2"]
        return [
            *(Child(name=n, target=serve, args=(folder, n, s)) for n, s in zip(names, sockets, strict=True)),
            mover,
        ]
    target = {
        "crash": crash,
        "fail": fail,
        "never_ready": never_ready,
        "slow_start": never_ready,
        "stubborn": stubborn,
    }[scenario]
    return [Child(name="worker", target=target, args=(folder, "worker")), mover]


def main(folder: str, scenario: str) -> int:
    """Supervise until told to stop."""
    start = 1.5 if scenario == "never_ready" else 60.0
    drain = 1.0 if scenario == "stubborn" else 30.0
    terms = Terms(start=start, drain=drain, late=20.0, pause=0.1, longest_pause=0.4, steady=5.0)
    supervisor = Supervisor(
        children(folder, scenario), terms=terms, on_ready=lambda: note(folder, "supervisor", "ready")
    )
    with (Path(folder) / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        note(folder, "supervisor", "started")
        return supervisor.run()
