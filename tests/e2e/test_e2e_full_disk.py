"""A real disk that is full: calls are refused and free, nothing is lost, and service returns when there is room.

The disk is a tmpfs of a few hundred kilobytes that only the gateway has.
"""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from e2e_trial import USERS, Trial

import support.tight_gateway
from support.stage import MAIN, Stage, descendants, set_stage, workers_of
from support.tight_gateway import FOLDER, KILOBYTES, TIGHT, WAYS, inside, way
from support.waiting import wait_until
from support.world import Process

PROGRAM = Path(support.tight_gateway.__file__)
#: Prints what ids and costs the rows of usage have; a program of its own, so that it starts quickly.
_ROWS = """
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1], timeout=10).execute("SELECT id, cost FROM usage")
print(json.dumps([{"id": id, "cost": cost} for id, cost in rows]))
"""


@dataclass
class TightStage(Stage):
    """A stage whose database only processes in the gateway's namespace can open."""

    #: What was read last.
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The data directory as the gateway names it."""
        return self.config.parent / "data"

    def manage(self, *words: str, code: int = 0) -> Any:
        """See Stage."""
        return self._run(
            "-m", "unigate", *words, "--json", "--config", str(self.config), "--data", str(self.home), code=code
        )

    def rows(self) -> dict[str, dict[str, Any]]:
        """See Stage."""
        self.seen = {row["id"]: row for row in self._run("-c", _ROWS, str(self.home / "unigate.db"))}
        return self.seen

    def row(self, call_id: str) -> dict[str, Any]:
        """See Stage; only what is not known yet is read."""
        wait_until(lambda: call_id in self.seen or call_id in self.rows(), seconds=20, what=f"the row of {call_id}")
        return self.seen[call_id]

    def _run(self, *command: str, code: int = 0) -> Any:
        enter = [*WAYS[way()[0]], "--target", str(self.process.popen.pid), sys.executable]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, check=False)
        assert done.returncode == code, (command, done)
        return json.loads(done.stdout)


class Tight:
    """A gateway whose journal, or everything, is on a tiny disk."""

    def __init__(self, home: Path, vendors: Process, *, folder: str, kilobytes: int) -> None:
        environ: dict[str, Any] = {FOLDER: folder, KILOBYTES: str(kilobytes)}
        self.stage = set_stage(home, vendors, MAIN + USERS, program=PROGRAM, **environ)
        self.pid = self.stage.process.popen.pid
        self.disk = inside(self.pid, self.stage.data / folder)
        if folder == ".":
            self.stage = TightStage(self.stage.process, vendors, self.stage.key, self.disk, self.stage.config)
        self.trial = Trial(self.stage)

    def fill(self) -> None:
        """Take all the room that there is."""
        with (self.disk / "filler").open("ab", buffering=0) as file:
            for size in (4096, 512, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass
        assert self.free() == 0

    def free(self) -> int:
        """Bytes that are free."""
        found = os.statvfs(self.disk)
        return found.f_bavail * found.f_frsize

    def make_room(self) -> None:
        """Take away what filled it."""
        (self.disk / "filler").unlink()

    def refused(self) -> bool:
        """Whether one call is refused, with the disk as full as it can be."""
        self.fill()
        return self.trial.call().status_code == 503


@pytest.fixture(params=["journal", "."])
def tight(request: pytest.FixtureRequest, tmp_path: Path, vendors: Process) -> Iterator[Tight]:
    """The journal alone on a tiny disk, or journal, database and everything else."""
    command, reason = way()
    if not command:
        pytest.skip(f"nothing can be mounted here: {reason}")
    built = Tight(tmp_path, vendors, folder=request.param, kilobytes=128 if request.param == "journal" else 8192)
    yield built
    assert built.stage.stop() == 0


def test_others_fill_the_disk(tight: Tight) -> None:
    trial = tight.trial
    assert trial.call().status_code == 200
    (worker,) = workers_of(tight.stage)
    wait_until(tight.refused, seconds=60, what="a refusal")
    good = len(trial.good)
    assert all(tight.refused() for _ in range(20)), "it stays so"
    wait_until(lambda: trial.ready() == 503, what="not ready")
    assert len(trial.good) == good
    with pytest.raises(OSError, match="No space left") as caught:
        (tight.disk / "more").write_bytes(bytes(8192))
    assert caught.value.errno == errno.ENOSPC
    (tight.disk / "more").unlink(missing_ok=True)
    tight.make_room()
    trial.checked()
    assert workers_of(tight.stage) == [worker], "nobody had to be replaced"
    assert "No space left on device" in tight.stage.process.log.read_text(), "the operator is told"


@pytest.mark.parametrize("tight", ["journal"], indirect=True)
def test_the_journal_fills_its_disk(tight: Tight) -> None:
    """Nobody moves it for a while; once somebody does, there is room, and nobody else has to do anything."""
    trial = tight.trial
    assert trial.call().status_code == 200
    tight.stage.row(trial.good[0])
    mover = mover_of(tight)
    stop_between_transactions(tight.stage, mover)
    try:
        wait_until(lambda: trial.call().status_code == 503, seconds=60, what="a refusal")
        assert tight.free() < TIGHT.segment_bytes
        assert len(trial.good) > 60, "the journal took them"
        assert len(tight.stage.rows()) < 10, "and nobody moved it"
        assert {trial.call().status_code for _ in range(20)} == {503}
    finally:
        os.kill(mover, signal.SIGCONT)
    trial.checked()
    assert tight.free() > TIGHT.segment_bytes


def mover_of(tight: Tight) -> int:
    """The process that has the mover's lock."""
    for pid in descendants(tight.pid):
        with suppress(OSError):
            if any(fd.readlink().name == "mover.lock" for fd in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
    pytest.fail("there is no mover")


def stop_between_transactions(stage: Stage, pid: int) -> None:
    """Stop a process where it keeps nobody from the database."""

    def stopped() -> bool:
        os.kill(pid, signal.SIGSTOP)
        with closing(sqlite3.connect(stage.data / "unigate.db", isolation_level=None, timeout=1)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
                return False
            return True

    wait_until(stopped, what="a moment between two transactions")
