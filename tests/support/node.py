"""Running the scripts of `tests/node` with the installed Node."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "node"
OLDEST = 20


@cache
def bare() -> str:
    """The path of `node`; RuntimeError, never a skipped test, where it is missing or too old."""
    found = shutil.which("node")
    if found is None:
        raise RuntimeError(f"these tests need Node {OLDEST} or later: apt-get install nodejs npm, or brew install node")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST:
        raise RuntimeError(f"these tests need Node {OLDEST} or later; {found} is {version}")
    return found


@cache
def program() -> str:
    """The path of `node`; RuntimeError, never a skipped test, where it or what the scripts need is missing."""
    found = bare()
    if not (FOLDER / "node_modules" / "openai").is_dir():
        raise RuntimeError("the packages of tests/node are missing: make test installs them (npm ci)")
    return found


def tell(script: str, *arguments: str, **environ: str) -> Any:
    """What a script prints; AssertionError with what it complained of where it failed."""
    done = subprocess.run(
        [program(), f"{script}.mjs", *arguments],
        cwd=FOLDER,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, f"{script}.mjs: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout)
