"""docs/endpoints.md says what there is, and what it says works is tried end to end."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from support.endpoints import STATES, TABLE, rows
from unigate.dialects import operations

ROWS = rows(TABLE.read_text())
E2E = Path(__file__).resolve().parents[1] / "e2e"


def marks() -> set[str]:
    """Names of rows that end-to-end tests are marked with."""
    found: set[str] = set()
    for path in sorted(E2E.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "endpoint":
                found.update(
                    one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )
    return found


def test_names_are_unique_and_states_known() -> None:
    names = [row.name for row in ROWS]
    assert len(names) > 60
    assert len(set(names)) == len(names)
    assert {row.state for row in ROWS} <= set(STATES)


def test_each_operation_stands_in_one_row() -> None:
    told = [name for row in ROWS for name in row.operations]
    assert sorted(told) == sorted(operation.name for operation in operations())


def test_rows_that_do_not_work_name_no_operation() -> None:
    assert [row.name for row in ROWS if row.state != "works" and row.operations] == []


def test_rows_that_work_have_end_to_end_tests_and_no_test_names_another() -> None:
    working = {row.name for row in ROWS if row.state == "works"}
    assert working - marks() == set()
    assert marks() - {row.name for row in ROWS} == set()


_TESTS = """
import pytest

@pytest.mark.endpoint("A1", "A2")
def test_passes():
    pass

@pytest.mark.endpoint("A3")
def test_fails():
    assert OUTCOME
"""
_TABLE = """
| row | what | operations | state |
| --- | --- | --- | --- |
| A1 | one | a.one | works |
| A2 | two | a.two, a.three | works |
| A3 | three | | STATE |
"""


@pytest.mark.parametrize(
    ("outcome", "state", "workers", "code", "said"),
    [
        ("True", "works", "0", 0, ""),
        ("True", "works", "2", 0, ""),
        ("pytest.skip()", "works", "0", 1, "no test that passed: A3"),
        ("pytest.skip()", "works", "2", 1, "no test that passed: A3"),
        ("pytest.skip()", "not yet", "0", 0, ""),
        ("False", "works", "0", 1, "no test that passed: A3"),
    ],
)
def test_a_run_fails_where_a_row_that_works_was_not_proven(
    tmp_path: Path, outcome: str, state: str, workers: str, code: int, said: str
) -> None:
    (tmp_path / "test_rows.py").write_text(_TESTS.replace("OUTCOME", outcome))
    table = tmp_path / "table.md"
    table.write_text(_TABLE.replace("STATE", state))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "support.endpoints", "-n", workers]
    ran = subprocess.run(
        [*command, "--every-endpoint", "--endpoints-table", table, "--rootdir", tmp_path, tmp_path],
        cwd=E2E.parent,
        env={"PYTHONPATH": str(E2E.parent), "PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert said in ran.stdout
    assert bool(said) == ("no test that passed" in ran.stdout)
