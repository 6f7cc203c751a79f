"""Runs of schemathesis, whose code takes longer to load than most of them last: a process that has loaded it forks for each."""

import contextlib
import os
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path

#: What a run needs, most of which it loads only while it goes.
_LOADED = [
    "schemathesis.cli",
    "schemathesis.cli.commands.run.executor",
    "schemathesis.engine.core",
    "schemathesis.specs.openapi.schemas",
]


@cache
def _context() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    return context


def explore(words: list[str], home: Path, *, seconds: float) -> tuple[int | None, str]:
    """Run `schemathesis WORDS` in a folder: its exit code, None where it did not end in time, and what it printed."""
    printed = home / "printed"
    process = _context().Process(target=_run, args=(words, str(home), str(printed)))
    process.start()
    process.join(seconds)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    return code, printed.read_text()


def _run(words: list[str], home: str, printed: str) -> None:
    os.chdir(home)
    os.environ.update(NO_COLOR="1", COLUMNS="150")
    with Path(printed).open("w") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        from schemathesis.cli import schemathesis  # noqa: PLC0415 - only a process that explores loads it

        schemathesis(words, prog_name="schemathesis")
