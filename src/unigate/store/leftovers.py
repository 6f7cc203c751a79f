"""What a writer that was killed leaves in a folder: a file beside its place, named after it with `#` and a number."""

import re
from contextlib import suppress
from itertools import count
from pathlib import Path

from unigate.base.clock import now_ms

_LEFT = re.compile(r".+#\d+")


def remove_leftovers(folder: Path, older: float) -> int:
    """Remove such files that nobody wrote to for so many seconds; how many it were."""
    before = now_ms() / 1000 - older
    removed = 0
    for path in folder.rglob("*#*"):
        with suppress(OSError):  # another process tidies too
            if _LEFT.fullmatch(path.name) and path.is_file() and path.stat().st_mtime < before:
                path.unlink()
                removed += 1
    return removed


def remove_left_of(file: Path) -> None:
    """Remove what was left of one file, which nobody writes any more. OSError."""
    for number in count(1):
        try:
            file.with_name(f"{file.name}#{number}").unlink()
        except FileNotFoundError:
            return
