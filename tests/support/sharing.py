"""Which tests run in one process of xdist, one after the other: those that share a gateway."""

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_END_TO_END = "tests/e2e/"
#: Its tests are few and long, so that all processes take some.
_SHARED_OUT = f"{_END_TO_END}test_e2e_schemathesis.py"
#: What all modules share -> what stands in the names of its tests.
_OF_ALL = {
    "demo": (f"{_END_TO_END}test_e2e_demo.py", f"{_END_TO_END}test_e2e_sdk.py"),
    "one gateway": ("[one gateway, SQLite",),
    "two gateways": ("[two gateways, PostgreSQL",),
}


def scope(test: str) -> str:
    """What a test shares with those of the same scope, by its name; itself where it shares nothing."""
    for name, marks in _OF_ALL.items():
        if any(mark in test for mark in marks):
            return name
    module = test.partition("::")[0]
    return module if module.startswith(_END_TO_END) and module != _SHARED_OUT else test


class Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process the next scope when it has none left, those of many tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)
