"""A module and a function stay small enough to be read."""

from support.tree import ROOT, functions, modules, name, parse

MODULE_LINES = 400
FUNCTION_LINES = 60


def test_there_is_something_to_measure() -> None:
    assert len(modules()) > 20


def test_modules_stay_short() -> None:
    sizes = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules(ROOT)}
    assert {path: size for path, size in sizes.items() if size > MODULE_LINES} == {}


def test_functions_fit_on_a_screen() -> None:
    sizes = {
        f"{name(path)}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in modules()
        for function in functions(parse(path))
    }
    assert {place: size for place, size in sizes.items() if size > FUNCTION_LINES} == {}
