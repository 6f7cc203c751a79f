"""Copies of files at a provider over real HTTP: one each, however many ask and whoever dies, and gone with the file."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from support.form_vendor import Asked, FormVendor, answer, form_vendor, take
from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import NotFound, Unreachable, Unsupported, UpstreamRefused
from unigate.base.live_settings import FileSettings
from unigate.providers import catalogue
from unigate.relay import file_copies
from unigate.relay.file_copies import Copies
from unigate.relay.file_house import FileHouse
from unigate.relay.own_files import OwnFiles
from unigate.relay.own_uploads import OwnUploads
from unigate.relay.upstreams import Upstreams
from unigate.routing.choice import Candidate, Router
from unigate.spec.caller import Group, Key
from unigate.spec.channel import Channel
from unigate.spec.form import FilePart
from unigate.spec.operation import Operation
from unigate.spec.own_file import NewFile
from unigate.spec.provider import Credential
from unigate.store import file_copies as rows
from unigate.store import own_files
from unigate.store.database import Database
from unigate.store.file_copies import CopyRow
from unigate.store.objects import Storages
from unigate.store.own_files import FileRow
from unigate.store.spool import Spool
from unigate.tasks.assets import Links
from unigate.upstream import Client

KEY = Key(
    id="k", name="k", last4="1234", user_id="u", user_name="u", group=Group(id="g", name="default"), wallet_id="w"
)
CHAT = Operation(name="openai.chat", method="POST", path="/v1/chat/completions", dialect="openai_chat", family="chat")
BODY = b"line of a file\n" * 8_000


@dataclass
class Shelf:
    """What the vendor has, and how it answers: a status to refuse with, or a moment to wait for."""

    files: dict[str, Asked] = field(default_factory=dict)
    refuses: int = 0
    #: Close the connection once all of an upload came.
    mute: bool = False
    #: Uploads are answered once it is set.
    go: asyncio.Event = field(default_factory=asyncio.Event)
    uploads: int = 0

    def __post_init__(self) -> None:
        self.go.set()

    async def __call__(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take(asked, reader)
        id = asked.path.rpartition("/")[2]
        if asked.method == "POST":
            self.uploads += 1
            id = f"file-theirs{self.uploads}"
            await self.go.wait()
            if self.mute:
                raise ConnectionError
        if self.refuses:
            writer.write(answer(self.refuses, b'{"error": {"message": "no"}}'))
        elif asked.method == "POST":
            self.files[id] = asked
            writer.write(answer(200, json.dumps({"id": id, "object": "file"}).encode()))
        elif id not in self.files:
            writer.write(answer(404, b'{"error": {"message": "No such File object"}}'))
        else:
            if asked.method == "DELETE":
                del self.files[id]
            writer.write(answer(200, b'{"deleted": true}'))


@dataclass
class Rig:
    """A vendor, and processes on one database."""

    db: Database
    folder: Path
    vendor: FormVendor
    shelf: Shelf
    files: OwnFiles
    house: FileHouse
    storages: Storages
    spool: Spool
    clients: list[Client] = field(default_factory=list)

    def process(self, *, provider: str = "openai") -> tuple[Copies, Candidate]:
        """One more process, and a candidate of its router."""
        channel = Channel(
            id="ch_1",
            name="main",
            provider=catalogue()[provider],
            base_url=f"{self.vendor.url}/shelf/v1",
            credentials=(Credential("cr_1", "sk-1"),),
            models={"m": "m"},
        )
        client = Client()
        self.clients.append(client)
        router = Router([channel])
        copies = Copies(self.db, self.storages, Upstreams(client, allow_private=True), router)
        (candidate,) = router.routes("m", "default", CHAT)
        assert candidate.take()
        return copies, candidate

    async def keep(self, body: bytes = BODY, *, purpose: str = "user_data", lasts: int = 0) -> FileRow:
        source = self.spool.file()
        source.add(body)
        part = FilePart(name="file", filename="ä.txt", media_type="text/plain", size=len(body), source=source)
        await source.write()
        try:
            return await self.files.create(KEY, NewFile(part=part, purpose=purpose, filename="ä.txt", lasts=lasts))
        finally:
            source.close()

    async def row(self, file: FileRow) -> CopyRow | None:
        blank = CopyRow(file_id=file.id, channel_id="ch_1", credential_id="cr_1", created_at=0, due_at=0)
        async with self.db.reading() as tx:
            return await rows.find(tx, blank)

    async def claimed(self, file: FileRow, *, due_at: int) -> CopyRow:
        """What a process leaves that was killed while it uploaded."""
        row = CopyRow(file_id=file.id, channel_id="ch_1", credential_id="cr_1", created_at=1, due_at=due_at)
        async with self.db.writing() as tx:
            assert await rows.begin(tx, row) is None
        return row


@pytest.fixture
async def rig(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    storages = Storages("file:///assets", data=tmp_path, aws={})
    spool = Spool(tmp_path / "spool", reserve=0)
    settings = FileSettings()
    files = OwnFiles(database, storages, Links("secret"), spool, lambda: settings)
    house = FileHouse(database, files, OwnUploads(database, storages, files, lambda: settings))
    shelf = Shelf()
    async with form_vendor(shelf=shelf) as vendor:
        made = Rig(database, tmp_path, vendor, shelf, files, house, storages, spool)
        yield made
        for client in made.clients:
            await client.close()


async def until(state: Callable[[], Any], what: str) -> None:
    for _ in range(600):
        if state():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"never: {what}")


async def test_a_copy_is_the_file_and_is_made_once(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    assert await copies.ensure(candidate, file) == "file-theirs1"
    assert await copies.ensure(candidate, file) == "file-theirs1"
    assert await rig.process()[0].ensure(candidate, file) == "file-theirs1"
    (asked,) = rig.vendor.asked
    assert (asked.method, asked.path, asked.headers["authorization"]) == ("POST", "/shelf/v1/files", "bearer sk-1")
    assert [(name, filename, told) for name, filename, _, told in asked.parts()] == [
        ("purpose", None, b"user_data"),
        ("file", "ä.txt", BODY),
    ]
    assert await copies.ours(candidate, ["file-theirs1", "file-other"]) == {"file-theirs1": file.id}
    assert await copies.holders([file.id]) == {("ch_1", "cr_1")}
    assert await copies.holders([file.id, "file-other"]) == set()


async def test_what_expires_is_told_so_and_azure_has_purposes_of_its_own(rig: Rig) -> None:
    copies, candidate = rig.process(provider="azure_openai")
    await copies.ensure(candidate, await rig.keep(lasts=7200))
    told = {name: value for name, _, _, value in rig.vendor.asked[0].parts()}
    assert (told["purpose"], told["expires_after[anchor]"]) == (b"assistants", b"created_at")
    assert 7100 < int(told["expires_after[seconds]"]) <= 7200
    assert rig.vendor.asked[0].path == "/shelf/v1/openai/v1/files"


async def test_however_many_ask_one_uploads(rig: Rig) -> None:
    processes = [rig.process() for _ in range(3)]
    file = await rig.keep()
    found = await asyncio.gather(*(copies.ensure(candidate, file) for copies, candidate in processes * 10))
    assert set(found) == {"file-theirs1"} and rig.shelf.uploads == 1


async def test_what_a_dead_process_was_making_is_made_anew_and_told(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    await rig.claimed(file, due_at=now_ms() - 1)
    with structlog.testing.capture_logs() as logs:
        assert await copies.ensure(candidate, file) == "file-theirs1"
    assert "an upload was never finished: a copy may be left at the provider" in [one["event"] for one in logs]


async def test_what_a_dead_process_was_making_is_forgotten(rig: Rig) -> None:
    copies, _ = rig.process()
    file = await rig.keep()
    await rig.claimed(file, due_at=now_ms() - 1)
    await copies.tidy()
    assert await rig.row(file) is None


async def test_what_a_living_process_is_making_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_copies, "CLAIMED_MS", 400)
    monkeypatch.setattr(file_copies, "_RENEWED", 0.05)
    (one, candidate), (other, second) = rig.process(), rig.process()
    file = await rig.keep()
    rig.shelf.go.clear()
    making = asyncio.create_task(one.ensure(candidate, file))
    await until(lambda: rig.shelf.uploads, "the upload has begun")
    waiting = asyncio.create_task(other.ensure(second, file))
    await asyncio.sleep(1)  # longer than a claim lasts that nobody renews
    rig.shelf.go.set()
    assert await making == await waiting == "file-theirs1"
    assert rig.shelf.uploads == 1


async def test_an_answer_that_is_lost_leaves_no_claim(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    rig.shelf.mute = True
    with structlog.testing.capture_logs() as logs, pytest.raises(Unreachable) as failed:
        await copies.ensure(candidate, file)
    assert failed.value.sent
    assert "an upload has no answer: a copy may be left at the provider" in [one["event"] for one in logs]
    assert await rig.row(file) is None
    rig.shelf.mute = False
    assert await copies.ensure(candidate, file) == "file-theirs2"


@pytest.mark.parametrize(("status", "told"), [(413, 400), (400, 400), (429, 429), (500, 500)])
async def test_refusals(rig: Rig, status: int, told: int) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    rig.shelf.refuses = status
    with pytest.raises(UpstreamRefused) as refused:
        await copies.ensure(candidate, file)
    assert refused.value.upstream_status == told and refused.value.aside, "it says nothing of calls of models"
    assert await rig.row(file) is None


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
async def test_a_provider_that_takes_no_files_is_asked_again_later(
    rig: Rig, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies, candidate = rig.process(provider="openai_compatible")
    file = await rig.keep()
    rig.shelf.refuses = status
    for _ in range(2):
        with pytest.raises(Unsupported):
            await copies.ensure(candidate, file)
    assert rig.shelf.uploads == 1
    now = monotonic()
    monkeypatch.setattr(copies._router, "_clock", lambda: now + 601)
    rig.shelf.refuses = 0
    assert await copies.ensure(candidate, file) == "file-theirs2"


async def test_a_refused_deletion_parks_nothing(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    await copies.ensure(candidate, file)
    await rig.files.delete(file)
    rig.shelf.refuses = 401
    await copies.tidy()
    assert not candidate.owner.parked and candidate.health.clear


async def test_who_takes_no_files_is_not_asked_again(rig: Rig) -> None:
    copies, candidate = rig.process(provider="openai_compatible")
    file = await rig.keep()
    rig.shelf.refuses = 404
    for _ in range(2):
        with pytest.raises(Unsupported):
            await copies.ensure(candidate, file)
    assert rig.shelf.uploads == 1
    other, plain = rig.process(provider="cerebras")
    with pytest.raises(Unsupported):
        await other.ensure(plain, file)
    assert rig.shelf.uploads == 1


async def test_nobody_uploads_for_callers_who_left(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    rig.shelf.go.clear()
    callers = [asyncio.create_task(copies.ensure(candidate, file)) for _ in range(2)]
    await until(lambda: rig.shelf.uploads, "the upload has begun")
    callers[0].cancel()
    await asyncio.sleep(0.1)
    assert await rig.row(file) is not None, "one of them waits still"
    callers[1].cancel()
    await asyncio.wait(callers)
    rig.shelf.go.set()
    assert await copies.ensure(candidate, file) == "file-theirs2", "who comes then is not cancelled with them"


async def test_copies_go_with_the_file(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    await copies.ensure(candidate, file)
    await rig.files.delete(file)
    rig.shelf.refuses = 500
    await copies.tidy()
    found = await rig.row(file)
    assert found is not None and found.state == "deleted" and found.due_at > now_ms(), "it is tried again"
    rig.shelf.refuses = 0
    async with rig.db.writing() as tx:
        assert await rows.later(tx, found, due_at=1)
    await copies.tidy()
    assert rig.shelf.files == {} and await rig.row(file) is None


async def test_copies_go_when_the_file_expires(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep(lasts=3600)
    await copies.ensure(candidate, file)
    async with rig.db.writing() as tx:
        await own_files.later(tx, file.id, due_at=1)
    await rig.house.tidy()
    await copies.tidy()
    assert rig.shelf.files == {} and await rig.row(file) is None


async def test_a_file_that_is_deleted_meanwhile_leaves_no_copy(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    rig.shelf.go.clear()
    making = asyncio.create_task(copies.ensure(candidate, file))
    await until(lambda: rig.shelf.uploads, "the upload has begun")
    await rig.files.delete(file)
    rig.shelf.go.set()
    with pytest.raises(NotFound):
        await making
    await copies.tidy()
    assert rig.shelf.files == {} and await rig.row(file) is None


async def test_a_file_that_is_deleted_just_as_its_copy_is_noted_leaves_none(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    noted, deleting = rows.ready, []

    async def ready(*args: Any, **more: Any) -> bool:
        deleting.append(asyncio.create_task(rig.files.delete(file)))
        await asyncio.wait(deleting, timeout=0.5)  # it can't be done before this transaction has ended
        return await noted(*args, **more)

    monkeypatch.setattr(rows, "ready", ready)
    await copies.ensure(candidate, file)
    await asyncio.gather(*deleting)
    found = await rig.row(file)
    assert found is not None and found.state == "deleted"
    await copies.tidy()
    assert rig.shelf.files == {} and await rig.row(file) is None


async def test_a_copy_that_the_provider_lost_is_forgotten(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    theirs = await copies.ensure(candidate, file)
    assert not await copies.lost(candidate, file, theirs)
    rig.shelf.files.clear()
    assert await copies.lost(candidate, file, theirs)
    assert await copies.ensure(candidate, file) == "file-theirs2"


async def test_copies_of_channels_that_are_gone_are_forgotten(rig: Rig) -> None:
    copies, candidate = rig.process()
    file = await rig.keep()
    await copies.ensure(candidate, file)
    await rig.files.delete(file)
    router = Router(
        [Channel(id="ch_2", name="x", provider=catalogue()["openai"], base_url="", credentials=(), models={})]
    )
    await Copies(rig.db, rig.storages, Upstreams(rig.clients[0], allow_private=True), router).tidy()
    assert await rig.row(file) is None
