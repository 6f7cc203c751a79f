"""`unigate serve` with terms scaled down, for tests of what happens when they pass: the same processes, the same code."""

import sys
from pathlib import Path

from unigate.base.settings import load, with_server
from unigate.cli import run
from unigate.spec.terms import Terms

#: S is 4 s in place of 30 s; leases are given back soon.
QUICK = Terms(silence=4.0, beat=0.25)


def main(arguments: list[str], *, terms: Terms = QUICK) -> int:
    """Take what `unigate serve` takes, as the tests give it."""
    given = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    settings = load(Path(given["--config"]), data=Path(given["--data"]))
    return run.serve(with_server(settings, port=given["--port"]), as_json=True, terms=terms)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
