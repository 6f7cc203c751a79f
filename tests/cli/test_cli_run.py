"""What `unigate serve` starts its processes with."""

import socket
from pathlib import Path
from typing import Any

import pytest

from unigate.base.config_reader import ConfigError
from unigate.base.settings import load
from unigate.cli import run
from unigate.server import WorkerSettings
from unigate.spec.terms import Terms
from unigate.supervisor import Child


def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str) -> list[tuple[Any, ...]]:
    """The arguments of the processes that a file's `server` would have."""
    found: list[tuple[Any, ...]] = []

    def kept(children: list[Child], _: object) -> int:
        found.extend(child.args for child in children)
        for place in (one for args in found for one in args if isinstance(one, socket.socket)):
            place.close()
        return 0

    monkeypatch.setattr(run, "_supervise", kept)
    monkeypatch.setattr(run, "apart", lambda work: work())  # nobody forks what has threads
    monkeypatch.setattr("unigate.cli.run.logging.configure", lambda: None)
    file = tmp_path / "gateway.yaml"
    file.write_text(f"server: {server}\nsecret: a-secret-of-some-length\n")
    assert run.serve(load(file, data=tmp_path / "data", environ={})) == 0
    return found


@pytest.mark.parametrize(("server", "seconds"), [("{port: 0}", 0), ("{port: 0, journal_sync: 0.05}", 0.05)])
def test_the_journal_is_synced_as_the_file_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str, seconds: float
) -> None:
    told = [one for args in started(monkeypatch, tmp_path, server) for one in args]
    terms = [
        one.terms if isinstance(one, WorkerSettings) else one for one in told if isinstance(one, WorkerSettings | Terms)
    ]
    assert [one.sync for one in terms] == [seconds, seconds], "of mover and worker"


def test_a_span_before_now_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a number >= 0"):
        started(monkeypatch, tmp_path, "{port: 0, journal_sync: -1}")
