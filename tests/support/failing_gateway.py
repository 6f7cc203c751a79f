"""`unigate serve` with `failing_worker` in place of its workers; everything else is as it is."""

import sys
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.failing_worker import failing_worker
from unigate.base.settings import load, with_server
from unigate.cli import run


def main(arguments: list[str]) -> int:
    """Take what `unigate serve` takes, as the tests give it."""
    given = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    settings = load(Path(given["--config"]), data=Path(given["--data"]))
    with mock.patch.object(run, "worker_main", failing_worker):
        return run.serve(with_server(settings, port=given["--port"]), as_json=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
