"""`unigate serve` that speaks the tests' dialect of forms and sound: the same processes, the same code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.form_dialect import spoken
from unigate.base.settings import load, with_server
from unigate.cli import run


def main(arguments: list[str]) -> int:
    """Take what `unigate serve` takes, as the tests give it."""
    given = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    settings = with_server(load(Path(given["--config"]), data=Path(given["--data"])), port=given["--port"])
    with spoken():
        return run.serve(settings, as_json=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
