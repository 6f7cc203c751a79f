"""Files that go in bodies themselves: how much of them."""

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from unigate.base.errors import Unsupported
from unigate.relay import references
from unigate.relay.call import Call, NamedFiles
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.store.own_files import FileRow

MiB = 1 << 20


class Shelf:
    """Copies at a provider that takes none; notes which files were read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    async def ensure(self, candidate: Candidate, row: FileRow) -> str:
        raise Unsupported("no files here")

    async def content(self, row: FileRow) -> AsyncIterator[bytes]:
        self.read.append(row.id)

        async def pieces() -> AsyncIterator[bytes]:
            yield b"x"

        return pieces()


def world(sizes: dict[str, int], times: int) -> tuple[Call, Services, Candidate, Shelf]:
    parts = [{"type": "file", "file": {"file_id": id}} for id in sizes for _ in range(times)]
    rows = {
        id: cast(FileRow, SimpleNamespace(id=id, size=size, filename="a.txt", media_type="text/plain"))
        for id, size in sizes.items()
    }
    call: Any = SimpleNamespace(
        body=json.dumps({"messages": [{"role": "user", "content": parts}]}).encode(),
        named=NamedFiles(rows=rows),
        operation=SimpleNamespace(name="openai.chat"),
        upstream_seconds=0.0,
    )
    provider = SimpleNamespace(carries_files=frozenset({"openai.chat"}))
    candidate: Any = SimpleNamespace(route=SimpleNamespace(channel=SimpleNamespace(provider=provider)))
    shelf = Shelf()
    return call, cast(Services, SimpleNamespace(copies=shelf)), candidate, shelf


@pytest.mark.parametrize(
    ("sizes", "times"),
    [({"file-a": 8 * MiB}, 3), ({"file-a": 8 * MiB + 1}, 1), ({f"file-{n}": 6 * MiB for n in range(4)}, 1)],
    ids=["one often", "one too large", "several"],
)
async def test_no_file_is_read_where_all_are_too_much(sizes: dict[str, int], times: int) -> None:
    call, svc, candidate, shelf = world(sizes, times)

    async def attempt() -> None:
        pytest.fail("it is not sent")

    with pytest.raises(Unsupported):
        await references.with_copies(call, svc, candidate, attempt)
    assert shelf.read == []


async def test_what_is_read_once_goes_to_all_its_places() -> None:
    call, svc, candidate, shelf = world({"file-a": 8 * MiB, "file-b": 2 * MiB}, 2)

    async def attempt() -> bytes:
        assert call.named is not None
        return references.put(call.body, call.named)

    sent = json.loads(await references.with_copies(call, svc, candidate, attempt))
    data = [part["file"]["file_data"] for part in sent["messages"][0]["content"]]
    assert data == ["data:text/plain;base64,eA=="] * 4
    assert shelf.read == ["file-a", "file-b"]
    assert call.named is not None and call.named.growth >= 20 * MiB
