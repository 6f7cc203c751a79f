"""Starting, pinning and measuring the processes of a run."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for_port(port: int, seconds: float = 30.0) -> None:
    """Wait until something accepts connections."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"nothing came up on port {port}")


@dataclass
class Running:
    """The processes of a run, ended together."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, command: Sequence[str], *, core: int | None, log: Path, cwd: Path | None = None) -> int:
        """Start a command on one core (None: on any); its process id."""
        pinned = ["taskset", "-c", str(core), *command] if core is not None and shutil.which("taskset") else command
        with log.open("ab") as out:
            process = subprocess.Popen(list(pinned), stdout=out, stderr=out, cwd=cwd, start_new_session=True)
        self.processes.append(process)
        return process.pid

    def stop(self, pid: int | None = None) -> None:
        """End one process, or all of them."""
        for process in self.processes:
            if (pid is None or process.pid == pid) and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    out, todo = [], [pid]
    while todo:
        one = todo.pop()
        out.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return out


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid: int, what: str = "VmRSS") -> float:
    """Resident memory of a process in MB; `VmHWM`: the most that it ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    return 0.0


def write_json(path: Path, value: object) -> None:
    """Write a result file."""
    path.write_text(json.dumps(value, indent=2) + "\n")


def python() -> str:
    """The interpreter of this environment."""
    return sys.executable
