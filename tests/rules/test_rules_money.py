"""Money is whole numbers: billing knows no float and no division that makes one."""

import ast

import pytest

from support.tree import SOURCE, modules, name, parse

BILLING = SOURCE / "billing"


def inexact(tree: ast.Module) -> list[str]:
    """What in a module could make or keep a float, by line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            found.append(f"{node.lineno}: {node.value}")
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            found.append(f"{node.lineno}: /")
        elif isinstance(node, ast.Name) and node.id in {"float", "complex"}:
            found.append(f"{node.lineno}: {node.id}")
        elif isinstance(node, ast.Attribute) and node.attr in {"truediv", "fsum", "float64"}:
            found.append(f"{node.lineno}: {node.attr}")
        elif isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & {"truediv", "fsum"}:
            found.append(f"{node.lineno}: import")
    return found


@pytest.mark.parametrize(
    "line", ["x = 0.5", "x = a / b", "x /= 2", "x = float(y)", "from operator import truediv", "x: float"]
)
def test_the_rule_sees(line: str) -> None:
    assert inexact(ast.parse(line)) != []


@pytest.mark.parametrize(
    "line", ["x = a // b", "x = -(-a // b)", "q, r = divmod(a, b)", "x = Decimal('0.5')", "p = 'a/b'"]
)
def test_the_rule_allows(line: str) -> None:
    assert inexact(ast.parse(line)) == []


def test_billing_is_exact() -> None:
    paths = modules(BILLING)
    assert paths
    assert {name(path): lines for path in paths if (lines := inexact(parse(path)))} == {}
