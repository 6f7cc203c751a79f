"""Tests that share a gateway are found by the process that shares tests out."""

import pytest

from support.sharing import scope
from support.tree import ROOT


@pytest.mark.parametrize(
    ("test", "shares"),
    [
        ("tests/e2e/test_e2e_suno.py::test_a[x]", "tests/e2e/test_e2e_suno.py"),
        ("tests/e2e/test_e2e_sdk.py::test_chat", "demo"),
        ("tests/e2e/test_e2e_demo.py::test_what_it_prints", "demo"),
        ("tests/e2e/test_e2e_node.py::test_node[one gateway, SQLite-chat]", "one gateway"),
        ("tests/e2e/test_e2e_uploads.py::test_a[two gateways, PostgreSQL]", "two gateways"),
        ("tests/e2e/test_e2e_schemathesis.py::test_a[chat]", "tests/e2e/test_e2e_schemathesis.py::test_a[chat]"),
        ("tests/billing/test_billing_bank.py::test_a", "tests/billing/test_billing_bank.py::test_a"),
    ],
)
def test_what_is_shared(test: str, shares: str) -> None:
    assert scope(test) == shares


def test_modules_that_are_named_are_there() -> None:
    for name in ("test_e2e_demo", "test_e2e_sdk", "test_e2e_schemathesis"):
        assert (ROOT / "tests" / "e2e" / f"{name}.py").exists()
