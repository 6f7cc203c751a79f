"""The receivers of pages of docs/, run in their languages: Python and Node always, the others where their programs are."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.node import bare

#: Language of a block -> the file in which it stands, and the programs that it needs.
_FILES = {
    "python": "receiver.py",
    "js": "receiver.mjs",
    "go": "receiver.go",
    "php": "receiver.php",
    "java": "Receiver.java",
}
_NEEDED = {"go": ("go",), "php": ("php",), "java": ("java", "javac")}


def _missing(language: str) -> str:
    """The program that a language lacks here."""
    return next((name for name in _NEEDED.get(language, ()) if shutil.which(name) is None), "")


LANGUAGES = [
    pytest.param(
        language,
        marks=pytest.mark.skipif(
            bool(_missing(language)), reason=f"{_missing(language)} is not installed: make test asks for none but Node"
        ),
    )
    for language in _FILES
]


@dataclass
class Running:
    """A receiver that listens."""

    url: str
    _next: Callable[[], str] = field(repr=False)

    def said(self) -> str:
        """Its next line."""
        return self._next()


@contextmanager
def running(page: str, language: str, folder: Path, **environ: str) -> Iterator[Running]:
    """The one receiver of a page in that language."""
    [source] = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    path = folder / _FILES[language]
    path.write_text(source, encoding="utf-8")
    environment = {**os.environ, "PORT": "0", **environ}
    process = subprocess.Popen(
        _command(language, path, environment),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        started = next(lines)
        found = re.search(r"listening at (\d+)|\(http://127\.0\.0\.1:(\d+)\) started", started)
        assert found, started + "".join(lines)
        # PHP's own server writes a log between
        said = (line.strip() for line in lines if not line.startswith("["))
        yield Running(f"http://127.0.0.1:{found[1] or found[2]}/", lambda: next(said))
    finally:
        process.kill()
        process.communicate()


def _command(language: str, path: Path, environment: dict[str, str]) -> list[str]:
    if language == "go":  # what `go run` starts would live on
        built = path.with_suffix("")
        build = ["go", "build", "-o", str(built), str(path)]
        made = subprocess.run(
            build, env={**environment, "GOTOOLCHAIN": "local"}, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        return [str(built)]
    if language == "php":
        return ["php", "-S", "127.0.0.1:0", str(path)]
    return [{"python": sys.executable, "java": "java"}.get(language) or bare(), str(path)]
