"""What calls may leave behind at a gateway: files of forms, files that are kept, connections to a vendor."""

from contextlib import suppress
from pathlib import Path

from support.stage import Stage, workers_of
from support.waiting import wait_until

_ESTABLISHED = "01"


def spooled(stage: Stage) -> int:
    """Files of forms that take up the disk, with a name or without one."""
    folder = stage.data / "spool"
    opened = sum(link.startswith(str(folder)) for pid in workers_of(stage) for link in _opened(pid))
    return opened + sum(path.is_file() for path in folder.rglob("*"))


def stored(stage: Stage) -> set[Path]:
    """Files that are kept."""
    return {path for path in (stage.data / "assets").rglob("*") if path.is_file()}


def connected(stage: Stage, port: int) -> int:
    """Connections that its workers have to a port."""
    own = {link for pid in workers_of(stage) for link in _opened(pid) if link.startswith("socket:")}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        line[3] == _ESTABLISHED and int(line[2].partition(":")[2], 16) == port and f"socket:[{line[9]}]" in own
        for line in lines
    )


def nothing_left(stage: Stage, kept: set[Path] | None = None) -> None:
    """Wait until nothing of any call is there: no file of a form, no money that is held, no file but those."""
    wait_until(lambda: not spooled(stage), what="no file of a form", seconds=20)
    wait_until(lambda: stage.usage()["cache_used"] == 0, what="nothing in use", seconds=20)
    if kept is not None:
        assert stored(stage) == kept


def _opened(pid: int) -> list[str]:
    found = []
    with suppress(OSError):
        for opened in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.append(str(opened.readlink()))
    return found
