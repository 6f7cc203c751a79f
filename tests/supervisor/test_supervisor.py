"""The supervisor with real processes, real signals and real sockets."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from support.waiting import wait_until

Start = Callable[[str], "Run"]


class Run:
    """A running supervisor and what its log says."""

    def __init__(self, folder: Path, scenario: str) -> None:
        self.folder = folder
        program = str(Path(__file__).with_name("supervised_main.py"))
        self.process = subprocess.Popen([sys.executable, program, str(folder), scenario], start_new_session=True)

    def events(self, name: str = "", event: str = "") -> list[tuple[str, str, int, float]]:
        """Name, event, pid and time of what happened, in order."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        found = [(line[0], line[1], int(line[2]), float(line[3])) for line in map(str.split, lines)]
        return [row for row in found if name in {"", row[0]} and event in {"", row[1]}]

    def wait_for(self, name: str, event: str, times: int = 1) -> int:
        """Wait until something has happened so often; the pid of the last."""
        wait_until(lambda: len(self.events(name, event)) >= times, seconds=30, what=f"{name} {event} {times}")
        return self.events(name, event)[-1][2]

    def order(self) -> list[tuple[str, str]]:
        """Names and events in order."""
        return [(name, event) for name, event, _pid, _time in self.events()]

    def ask(self, line: bytes = b"x") -> int:
        """The pid of whoever answers a connection."""
        with self.connect() as connection:
            connection.sendall(line)
            return int(connection.recv(100))

    def connect(self) -> socket.socket:
        """A connection to the workers' port."""
        return socket.create_connection(("127.0.0.1", int((self.folder / "port").read_text())), timeout=20)

    def pids(self) -> set[int]:
        """Every process that was ever started."""
        return {pid for _name, event, pid, _time in self.events() if event == "started"}

    def ends(self, seconds: float = 30) -> int:
        """Wait for the end and check that nobody is left; the exit status."""
        status = self.process.wait(seconds)
        wait_until(lambda: not any(map(alive, self.pids())), what="the end of all children")
        return status


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has taken note of yet, after its parent went, does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # it has just gone, or this is not Linux
        return not Path("/proc/self").exists()
    return state != "Z"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def begin(scenario: str) -> Run:
        runs.append(Run(tmp_path, scenario))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()
        run.process.wait()
        for pid in run.pids() - {run.process.pid}:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def test_it_is_ready_when_all_are_and_ends_them_in_order(start: Start) -> None:
    run = start("serve")
    run.wait_for("supervisor", "ready")
    order = run.order()
    assert order[0] == ("supervisor", "started")
    assert {(name, "started") for name in ("worker-1", "worker-2", "mover")} <= set(
        order[: order.index(("supervisor", "ready"))]
    )
    workers = {run.wait_for("worker-1", "started"), run.wait_for("worker-2", "started")}
    answered: set[int] = set()

    def both_answered() -> bool:
        answered.add(run.ask())
        return answered == workers

    wait_until(both_answered)
    run.process.terminate()
    assert run.ends() == 0
    order = run.order()
    assert order.index(("mover", "SIGTERM")) > max(order.index((name, "ended")) for name in ("worker-1", "worker-2"))
    assert order[-1] == ("mover", "ended")


def test_a_dead_worker_comes_back_and_no_connection_is_refused(start: Start) -> None:
    run = start("serve")
    run.wait_for("supervisor", "ready")
    first, second = run.wait_for("worker-1", "started"), run.wait_for("worker-2", "started")
    os.kill(first, signal.SIGKILL)
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: not alive(first) and not alive(second))
    answered = {run.ask() for _ in range(10)}  # they wait in the queues until somebody is there
    assert not answered & {first, second}
    assert run.wait_for("worker-1", "started", 2) != first
    assert run.wait_for("worker-2", "started", 2) != second
    assert len(run.events("supervisor", "ready")) == 1
    run.process.terminate()
    assert run.ends() == 0


def test_a_dead_mover_comes_back(start: Start) -> None:
    run = start("serve")
    run.wait_for("supervisor", "ready")
    first = run.wait_for("mover", "started")
    os.kill(first, signal.SIGKILL)
    assert run.wait_for("mover", "started", 2) != first
    run.process.terminate()
    assert run.ends() == 0


def test_what_is_on_its_way_is_finished_and_nothing_new_is_taken(start: Start) -> None:
    run = start("serve")
    run.wait_for("supervisor", "ready")
    with run.connect() as connection:
        connection.sendall(b"slow")
        wait_until(lambda: any(event == "got" for _name, event in run.order()))
        run.process.terminate()
        assert int(connection.recv(100)) in run.pids()
    assert run.ends() == 0
    with pytest.raises(ConnectionRefusedError):
        run.connect()


def test_while_the_last_ones_end_connections_are_refused_at_once(start: Start) -> None:
    """A socket that stays open without anybody who accepts would let callers hang."""
    run = start("serve")
    run.wait_for("supervisor", "ready")
    mover = run.wait_for("mover", "started")
    os.kill(mover, signal.SIGSTOP)  # so that the supervisor stays
    try:
        run.process.terminate()
        run.wait_for("worker-1", "ended")
        run.wait_for("worker-2", "ended")

        def refused() -> bool:
            try:
                run.connect().close()
            except ConnectionRefusedError:
                return True
            return False

        wait_until(refused)
        assert run.process.poll() is None
    finally:
        os.kill(mover, signal.SIGCONT)
    assert run.ends() == 0


def test_ctrl_c_in_a_terminal_reaches_only_the_supervisor(start: Start) -> None:
    run = start("serve")
    run.wait_for("supervisor", "ready")
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.ends() == 0
    assert run.events(event="SIGINT") == []
    assert len(run.events(event="SIGTERM")) == 3


def test_children_end_when_the_supervisor_was_killed(start: Start) -> None:
    run = start("serve")
    run.wait_for("supervisor", "ready")
    run.process.kill()
    run.process.wait()
    for name in ("worker-1", "worker-2", "mover"):
        run.wait_for(name, "ended")
    run.ends()


def test_children_that_do_not_listen_end_too_when_the_supervisor_was_killed(start: Start) -> None:
    run = start("stubborn")
    run.wait_for("supervisor", "ready")
    run.process.kill()
    run.ends()


def test_who_does_not_end_in_time_is_killed_and_the_late_ones_still_end_well(start: Start) -> None:
    run = start("stubborn")
    run.wait_for("supervisor", "ready")
    run.process.terminate()
    assert run.ends() == 1
    assert run.order()[-3:] == [("worker", "SIGTERM"), ("mover", "SIGTERM"), ("mover", "ended")]


def test_a_second_signal_ends_everything_at_once(start: Start) -> None:
    run = start("serve")
    run.wait_for("supervisor", "ready")
    stuck = run.wait_for("worker-1", "started")
    os.kill(stuck, signal.SIGSTOP)
    run.process.terminate()
    run.wait_for("worker-2", "ended")
    assert run.process.poll() is None
    run.process.terminate()
    assert run.ends(10) == 1  # far below the 30 s for draining


def test_a_failed_start_ends_all(start: Start) -> None:
    run = start("fail")
    assert run.ends() == 1
    assert run.events("supervisor", "ready") == []
    assert len(run.events("worker", "started")) == 1


def test_a_start_has_a_bound(start: Start) -> None:
    run = start("never_ready")
    assert run.ends() == 1
    assert run.events("supervisor", "ready") == []


def test_a_signal_while_starting_is_a_clean_end(start: Start) -> None:
    run = start("slow_start")
    run.wait_for("worker", "started")
    run.wait_for("mover", "started")
    run.process.terminate()
    assert run.ends() == 0


def test_who_dies_again_and_again_is_started_ever_later(start: Start) -> None:
    run = start("crash")
    run.wait_for("worker", "started", 6)
    times = [moment for *_rest, moment in run.events("worker", "started")]
    gaps = [after - before for before, after in pairwise(times)]
    assert all(gap >= least for gap, least in zip(gaps, (0.1, 0.2, 0.4, 0.4, 0.4), strict=False))
    began = time.monotonic()
    run.process.terminate()
    assert run.ends() == 0
    assert time.monotonic() - began < 10


def test_a_child_keeps_no_lock_of_the_supervisor(start: Start) -> None:
    """Who was killed can be started again at once, however long its children take to end."""
    run = start("stubborn")
    run.wait_for("supervisor", "ready")
    worker = run.wait_for("worker", "started")
    with (run.folder / "lock").open("ab") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Not stopped: the kernel ends stopped processes whose parent has gone.
        run.process.kill()
        run.process.wait()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert alive(worker), "it does not end by itself, and holds no lock all the same"
    run.ends()


def program(text: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a few lines."""
    begin = "import os, signal, sys, threading\nfrom unigate.supervisor import Child, Supervisor, apart\n"
    return subprocess.run([sys.executable, "-c", begin + text], capture_output=True, text=True, timeout=60, check=False)


def test_what_is_done_apart_leaves_no_thread_and_gives_its_result() -> None:
    done = program(
        "def work():\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "    return os.getpid(), threading.active_count() > 1\n"
        "print(apart(work)[0] != os.getpid(), apart(work)[1], threading.active_count())\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True 1\n", "")


def test_an_error_apart_is_raised_with_what_led_to_it() -> None:
    done = program(
        "def work():\n    1 / 0\n"
        "try:\n    apart(work)\nexcept ZeroDivisionError as error:\n    print(error, 'in work' in error.__notes__[0])\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "division by zero True\n", "")


@pytest.mark.parametrize("work", ["os.kill(os.getpid(), signal.SIGKILL)", "threading.Lock()", "sys.exit(0)"])
def test_who_dies_apart_ends_the_program(work: str) -> None:
    done = program(f"apart(lambda: {work})\nprint('went on')\n")
    assert (done.returncode, done.stdout) == (1, "")


def test_nothing_is_forked_while_there_are_threads() -> None:
    done = program(
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "Supervisor([Child(name='x', target=print)]).run()\n"
    )
    assert done.returncode == 1 and "RuntimeError: a fork would copy" in done.stderr and not done.stdout
