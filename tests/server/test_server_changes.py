"""What an operator changes reaches a worker, whenever it comes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from unigate.manage import load
from unigate.server import Worker, WorkerSettings


@pytest.mark.parametrize("when", ["before it is read", "after it was read"])
async def test_a_change_that_comes_while_channels_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    worker = Worker(WorkerSettings(database="sqlite://", data=tmp_path, secret="s" * 32, node="node-1"))
    stored, served = ["first"], list[list[str]]()
    router = SimpleNamespace(replace=served.append)
    worker._svc = cast(Any, SimpleNamespace(router=router, upstreams=SimpleNamespace(forget=lambda: None)))
    worker._db = cast(Any, None)

    def change() -> None:
        if stored == ["first"]:
            stored[:] = ["second"]
            worker._on_change({"channels"})

    async def read(*_: object) -> list[str]:
        if when == "before it is read":
            change()
        found = list(stored)
        change()
        return found

    monkeypatch.setattr(load, "load_channels", read)
    worker._on_change({"channels"})
    for _ in range(3):  # as housekeeping does: once for each change, and every second
        await worker._load()
    assert served[-1] == ["second"]
    assert not worker._stale and len(served) <= 2
