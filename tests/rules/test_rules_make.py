"""What `make` says where something is missing: one clear line about what to do, and nothing half made stays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.tree import ROOT

#: What the recipes call beside the shell.
TOOLS = ("awk", "env", "rm", "touch")


class Scratch:
    """A copy of what `make` needs, and a PATH on which nothing is but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.bin = folder / "bin"
        self.tree.mkdir()
        self.bin.mkdir()
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, self.tree)
        shutil.copytree(ROOT / "requirements", self.tree / "requirements")
        for name in TOOLS:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)

    def program(self, name: str, *lines: str) -> None:
        """Put a program on the PATH, or anywhere in the tree where its name has a folder."""
        path = self.tree / name if "/" in name else self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(("#!/bin/sh", *lines, "")))
        path.chmod(0o755)

    def make(self, target: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        make = shutil.which("make")
        if make is None:
            pytest.skip("there is no make")
        done = subprocess.run(
            [make, target], cwd=self.tree, env={"PATH": str(self.bin)}, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def installed(self) -> None:
        """As if everything but PostgreSQL had been installed; the tests' Python finds no programs of it."""
        self.program(".venv/bin/python", "exit 1")
        for name in (".run", ".test"):
            (self.tree / ".venv" / name).touch()

    @property
    def venv(self) -> Path:
        """Where the virtual environment comes to be."""
        return self.tree / ".venv"


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A tree of its own."""
    return Scratch(tmp_path)


def python(scratch: Scratch, name: str, *, without: str) -> None:
    """A real Python that lacks a module."""
    lacking = scratch.bin.parent / "lacking"
    lacking.mkdir()
    (lacking / f"{without}.py").write_text(f"raise ModuleNotFoundError('No module named {without!r}')\n")
    scratch.program(name, f'PYTHONPATH="{lacking}" exec "{sys.executable}" "$@"')


def test_no_python(scratch: Scratch) -> None:
    code, _, said = scratch.make("install")
    assert code
    assert "unigate needs Python 3.11 or later" in said
    assert "apt-get install python3" in said
    assert not scratch.venv.exists()


def test_an_old_python(scratch: Scratch) -> None:
    scratch.program("python3", "exit 1  # what it answers when asked whether it is new enough")
    code, _, said = scratch.make("install")
    assert code
    assert "unigate needs Python 3.11 or later" in said
    assert not scratch.venv.exists()


@pytest.mark.parametrize("name", ["python3", "python3.12"])
def test_a_python_without_the_parts_for_virtual_environments(scratch: Scratch, name: str) -> None:
    python(scratch, name, without="ensurepip")
    code, _, said = scratch.make("install")
    assert code
    assert f"{name} cannot make virtual environments" in said
    assert f"apt-get install {name}-venv" in said, "the package is named after the program"
    assert "make PYTHON=" in said
    assert "Traceback" not in said
    assert not scratch.venv.exists()


def test_a_virtual_environment_that_breaks_off(scratch: Scratch) -> None:
    """What is half made would be taken for whole the next time."""
    scratch.program(
        "python3",
        'case "$1" in -m) ;; *) exit 0;; esac',
        "/bin/mkdir -p .venv/bin; echo >.venv/bin/python; echo 'No space left on device' >&2; exit 1",
    )
    for _ in range(2):
        code, _, said = scratch.make("install")
        assert code
        assert "No space left on device" in said
        assert ".venv could not be made; the lines above say why" in said
        assert not scratch.venv.exists()


@pytest.mark.parametrize("step", ["--require-hashes", "--editable"])
def test_packages_that_cannot_be_installed(scratch: Scratch, step: str) -> None:
    fails = f"case \"$*\" in *{step}*) echo 'ERROR: no route to host' >&2; exit 1;; esac"
    scratch.program(".venv/bin/python", fails)
    code, said, complaint = scratch.make("install")
    assert code
    assert "installing what unigate needs" in said
    assert "ERROR: no route to host" in complaint
    assert "the packages could not be installed; the lines above say why" in complaint
    assert not (scratch.venv / ".run").exists(), "the next make tries again"


def test_an_apt_get_that_fails(scratch: Scratch) -> None:
    scratch.installed()
    scratch.program("id", "echo 0")
    scratch.program("apt-get", "echo 'E: Unable to locate package postgresql' >&2; exit 100")
    code, said, complaint = scratch.make("postgres")
    assert code
    assert "installing PostgreSQL for the tests" in said
    assert "E: Unable to locate package" in complaint
    assert "PostgreSQL could not be installed; the lines above say why" in complaint
    assert "the tests need PostgreSQL's programs" in complaint


def test_an_apt_get_that_works(scratch: Scratch) -> None:
    scratch.installed()
    scratch.program("id", "echo 0")
    scratch.program("apt-get", 'echo "$@" >>called')
    code, _, complaint = scratch.make("postgres")
    assert (code, complaint) == (0, "")
    called = (scratch.tree / "called").read_text().splitlines()
    assert [line.split()[1] for line in called] == ["update", "install"]
    assert called[-1].endswith(" postgresql")


@pytest.mark.parametrize("user", ["0", "1000"])
def test_nobody_who_could_install_postgresql(scratch: Scratch, user: str) -> None:
    """Root where there is no apt-get, and somebody who may not use it: told what to do, and it is not tried."""
    scratch.installed()
    scratch.program("id", f"echo {user}")
    if user != "0":
        scratch.program("apt-get", "touch called")
    code, _, complaint = scratch.make("postgres")
    assert code
    assert "the tests need PostgreSQL's programs (initdb, pg_ctl)" in complaint
    assert "sudo apt-get install postgresql" in complaint
    assert not (scratch.tree / "called").exists()


def test_postgresql_is_here(scratch: Scratch) -> None:
    scratch.installed()
    scratch.program(".venv/bin/python", "exit 0")
    os.utime(scratch.venv / ".run")
    os.utime(scratch.venv / ".test")
    scratch.program("apt-get", "touch called")
    assert scratch.make("postgres") == (0, "", "")
    assert not (scratch.tree / "called").exists()
