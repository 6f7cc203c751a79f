"""PostgreSQL clusters of our own for tests, from the installed package, reached over a Unix socket."""

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

R = TypeVar("R")

#: Where the programs are when they are not on the PATH: Debian, Homebrew.
_PLACES = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin")
_OWNER = "unigate"
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # containers often have a small /dev/shm
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "10min",
    "log_min_messages": "error",
}


def programs() -> Path:
    """The folder of `initdb` and `pg_ctl`; RuntimeError, never a skipped test, where there is none."""
    found = [path for place in _PLACES for path in Path("/").glob(place[1:]) if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: [int(part) for part in path.parent.name.split("@")[-1].split(".")])
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise RuntimeError(
        "these tests need PostgreSQL's programs (initdb, pg_ctl): apt-get install postgresql, or brew install postgresql"
    )


class Cluster:
    """One server with its own data, made at the first `start`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._settings = {**_SETTINGS, **settings}
        self._paused: list[int] = []

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://{_OWNER}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        data = self.folder / "data"
        if not data.exists():
            _own(self.folder)
            self._program(
                "initdb", "-D", str(data), "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
            )
        given = {**self._settings, "unix_socket_directories": str(self.folder)}
        options = " ".join(f"-c {name}='{value}'" for name, value in given.items())
        log = str(self.folder / "log")
        self._program("pg_ctl", "start", "-w", "-t", "60", "-D", str(data), "-l", log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast`, or `immediate` as in a crash."""
        self._program("pg_ctl", "stop", "-w", "-t", "60", "-m", mode, "-D", str(self.folder / "data"))

    @property
    def running(self) -> bool:
        """Whether the server has been started and not stopped."""
        return (self.folder / "data" / "postmaster.pid").exists()

    def pause(self) -> None:
        """Make the server hang: every process of it stops where it is."""
        rows = run(_fetch(self.url(), "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
        main = int((self.folder / "data" / "postmaster.pid").read_text().split("\n")[0])
        self._paused = [main, *(row[0] for row in rows)]
        for pid in self._paused:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        for pid in self._paused:
            os.kill(pid, signal.SIGCONT)
        self._paused = []

    def create(self, name: str, *, template: str | None = None) -> str:
        """Make a database, empty or like another one, and give its address."""
        execute(self.url(), f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database whoever is connected to it."""
        execute(self.url(), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def remove(self) -> None:
        """Stop the server if it runs, and delete its files."""
        if self._paused:
            self.resume()
        if self.running:
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _program(self, name: str, *arguments: str) -> None:
        user = _user()
        done = subprocess.run(
            [str(programs() / name), *arguments],
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if name == "initdb" else subprocess.DEVNULL,  # the server would keep a pipe open
            stderr=subprocess.PIPE if name == "initdb" else subprocess.DEVNULL,
            text=True,
            check=False,
        )
        if done.returncode:
            log = self.folder / "log"
            seen = (done.stderr or "") + (log.read_text()[-2000:] if log.exists() else "")
            raise RuntimeError(f"{name} failed: {seen}")


def new_folder(*, durable: bool = True) -> Path:
    """A folder with a name short enough for a Unix socket in it; in memory, if there is room, when not `durable`."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30
    folder = Path(tempfile.mkdtemp(prefix="ug-pg-", dir=memory if roomy and not durable else "/tmp"))
    (folder / "owner").write_text(str(os.getpid()))
    return folder


def sweep() -> None:
    """Remove what test runs left behind that were killed, servers included."""
    for folder in (*Path("/tmp").glob("ug-pg-*"), *Path("/dev/shm").glob("ug-pg-*")):
        try:
            os.kill(int((folder / "owner").read_text()), 0)
        except ProcessLookupError:
            remove(folder)
        except (OSError, ValueError):
            continue  # somebody else's, or being made


def remove(folder: Path) -> None:
    """Delete a folder of `new_folder`, stopping the servers in it."""
    for data in (*folder.glob("data"), *folder.glob("*/data")):
        with suppress(RuntimeError):  # it had stopped already
            Cluster(data.parent).remove()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock, so that of several test processes one does a thing first."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def execute(url: str, *statements: str) -> None:
    """Run statements one by one, each in its own transaction, from a fixture or a test."""
    run(_execute(url, statements))


def fetch(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Rows of a query, from a fixture or a test."""
    return [tuple(row) for row in run(_fetch(url, statement))]


def run(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine in a loop of its own on a thread of its own, also while the test's loop runs (it waits)."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, work).result()


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


def _user() -> str | None:
    """The server refuses to run as root: give it somebody unprivileged then."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _own(folder: Path) -> None:
    user = _user()
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
