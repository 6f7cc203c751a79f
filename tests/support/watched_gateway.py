"""`unigate serve` with `watched_worker` in place of its workers, and terms that make it busy."""

import sys
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.watched_worker import watched_worker
from unigate.base.settings import load, with_server
from unigate.cli import run
from unigate.spec.terms import Terms

#: Segments for about a hundred calls, leases for few: both end many times a second.
BUSY = Terms(beat=0.25, segment_bytes=64 * 1024, lease_holds=8, lease_seconds=0)


def main(arguments: list[str]) -> int:
    """Take what `unigate serve` takes, as the tests give it."""
    given = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    settings = with_server(load(Path(given["--config"]), data=Path(given["--data"])), port=given["--port"])
    with mock.patch.object(run, "worker_main", watched_worker):
        return run.serve(settings, as_json=True, terms=BUSY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
