"""The rows of docs/endpoints.md, and the check that each row that works has an end-to-end test that passed.

As a plugin of pytest it notes which rows passed; with `--every-endpoint`, which is for runs of the whole suite, rows that
work and of which nothing passed make the run fail.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

TABLE = Path(__file__).resolve().parents[2] / "docs" / "endpoints.md"
STATES = ("works", "not yet")
_ROW = re.compile(r"\| ([A-Z][0-9]+[a-z]?) \| ([^|]+) \|([^|]*)\| ([^|]+) \|")
_PROPERTY = "endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the table."""

    name: str
    what: str
    #: Names of operations.
    operations: tuple[str, ...]
    state: str


def rows(text: str) -> list[Row]:
    """The rows that stand in the tables of a Markdown text, in order."""
    found = []
    for line in text.splitlines():
        told = _ROW.fullmatch(line.strip())
        if told is not None:
            name, what, operations, state = (part.strip() for part in told.groups())
            names = tuple(one.strip() for one in operations.split(",") if one.strip())
            found.append(Row(name=name, what=what, operations=names, state=state))
    return found


def unproven(passed: Iterable[str], table: Sequence[Row]) -> list[str]:
    """Names of the rows that are said to work and of which nothing passed."""
    proven = set(passed)
    return [row.name for row in table if row.state == "works" and row.name not in proven]


class Proof:
    """Collects over a whole run, in the process that hears of all tests, which rows passed."""

    def __init__(self, table: Sequence[Row]) -> None:
        self._table = table
        self._passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has ended, here or in a worker."""
        if report.when == "call" and report.passed:
            self._passed.update(str(value) for name, value in report.user_properties if name == _PROPERTY)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The run fails where a row has no proof."""
        if unproven(self._passed, self._table) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which."""
        if missing := unproven(self._passed, self._table):
            terminalreporter.write_line(
                f"rows of endpoints that work but have no test that passed: {', '.join(missing)}"
            )


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that makes rows without proof a failure."""
    parser.addoption(
        "--every-endpoint", action="store_true", help="fail where a row that works has no test that passed"
    )
    parser.addoption("--endpoints-table", default=str(TABLE), help="the table of rows")


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark, and listen where the whole run is heard of."""
    config.addinivalue_line("markers", "endpoint(*rows): an end-to-end test of these rows of docs/endpoints.md")
    if config.getoption("--every-endpoint") and not hasattr(config, "workerinput"):
        table = Path(config.getoption("--endpoints-table")).read_text()
        config.pluginmanager.register(Proof(rows(table)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests carry the names of their rows in their reports."""
    for item in items:
        item.user_properties.extend((_PROPERTY, name) for name in marked(item))


def marked(item: pytest.Item) -> Iterator[str]:
    """The rows that a test is marked with."""
    for mark in item.iter_markers(_PROPERTY):
        yield from map(str, mark.args)
