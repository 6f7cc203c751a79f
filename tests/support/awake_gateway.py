"""`unigate serve` that says soon that it is still there, for tests of what waits: the same processes, the same code."""

import sys
from pathlib import Path

from unigate.base.settings import load, with_server
from unigate.cli import run
from unigate.relay import late_stream


def main(arguments: list[str]) -> int:
    """Take what `unigate serve` takes, as the tests give it."""
    given = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    settings = load(Path(given["--config"]), data=Path(given["--data"]))
    late_stream.KEEP_ALIVE = 0.3
    return run.serve(with_server(settings, port=given["--port"]), as_json=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
