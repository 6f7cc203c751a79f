"""`unigate serve` with its journal, or all of its data, on a real file system of its own that is tiny.

The file system is mounted in a private mount namespace, which ends with the gateway. Others see plain files in it by
`/proc`; who needs its database runs there.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from unigate.spec.terms import Terms

#: S is 4 s in place of 30 s; a segment holds some sixty records.
TIGHT = Terms(silence=4.0, beat=0.25, segment_bytes=32 * 1024)
#: Names of variables: which folder below the data directory is mounted, and how many kilobytes it has.
FOLDER, KILOBYTES = "TIGHT_FOLDER", "TIGHT_KILOBYTES"
#: Ways to get a mount namespace, and into it: as root, or as a user who may have a user namespace.
WAYS = {
    ("unshare", "--mount"): ("nsenter", "--mount"),
    ("unshare", "--mount", "--map-root-user"): ("nsenter", "--mount", "--user", "--preserve-credentials"),
}


@cache
def way() -> tuple[tuple[str, ...], str]:
    """The command that gives this user a mount namespace, else nothing and the reason."""
    reason = ""
    for command in WAYS:
        with TemporaryDirectory() as folder:
            try:
                done = subprocess.run([*command, *_mount(folder, 64)], capture_output=True, text=True, check=False)
            except OSError as error:  # no such program
                reason = str(error)
                continue
        if not done.returncode:
            return command, ""
        reason = done.stderr.strip()
    return (), reason


def inside(pid: int, folder: Path) -> Path:
    """A folder as a process sees it."""
    return Path(f"/proc/{pid}/root{folder}")


def main(arguments: list[str]) -> int:
    """Take what `unigate serve` takes, as the tests give it; a first word `mounted` says that we are in there."""
    if arguments[0] != "mounted":
        command = [*way()[0], sys.executable, __file__, "mounted", *arguments]
        os.execvp(command[0], command)
    from unigate.base.settings import load, with_server  # noqa: PLC0415 - loaded once, by who needs it
    from unigate.cli import run  # noqa: PLC0415

    given = dict(zip(arguments[2::2], arguments[3::2], strict=False))
    data = Path(given["--data"])
    folder = data / os.environ[FOLDER]
    folder.mkdir(parents=True)
    subprocess.run(_mount(str(folder), int(os.environ[KILOBYTES])), check=True)
    settings = load(Path(given["--config"]), data=data)
    return run.serve(with_server(settings, port=given["--port"]), as_json=True, terms=TIGHT)


def _mount(folder: str, kilobytes: int) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0700", "tight", folder]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
