"""The end of files' terms, crossed with moving and copying: no row names a file that is gone, no file is left unnamed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_tasks_copying import Desk

from support.gallery import FILM, Gallery, gallery
from support.waiting import until
from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.manage import desk as manage_desk
from unigate.manage.storage import move_files
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.database import Database, Tx
from unigate.store.objects import Objects, Storages
from unigate.tasks import retention
from unigate.tasks.places import beginning, place


@pytest.fixture
async def vendor() -> AsyncIterator[Gallery]:
    async with gallery() as made:
        yield made


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(database, tmp_path)
    yield made
    await made.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Storages:
    return Storages("file:///elsewhere", data=tmp_path, aws={})


async def kept(desk: Desk, vendor: Gallery) -> AssetRow:
    (id,) = await desk.add(vendor.url("/picture.png"))
    desk.start()
    row = await desk.ends(id)
    await desk.stop()
    return row


async def over(desk: Desk, id: str) -> None:
    """A term is over."""
    async with desk.db.writing() as tx:
        await rows.delete_later(tx, id, at=now_ms() - 1)


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and ".db" not in path.name]


def office(desk: Desk) -> manage_desk.Desk:
    return manage_desk.Desk(db=desk.db, secret="a-secret-that-is-long-enough")


async def test_rows_say_so_before_files_go(desk: Desk, vendor: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await kept(desk, vendor)
    await over(desk, row.id)
    seen: list[str] = []
    delete = Objects.delete

    async def watched(self: Objects, path: str) -> None:
        seen.append((await desk.row(row.id)).state)
        await delete(self, path)

    monkeypatch.setattr(Objects, "delete", watched)
    assert await retention.delete_ended(desk.db, desk.storages) == 1
    assert seen == ["deleted"] and desk.files() == []


async def test_a_file_that_was_moved_meanwhile_is_deleted_where_it_is(
    desk: Desk, vendor: Gallery, elsewhere: Storages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = await kept(desk, vendor)
    await over(desk, row.id)
    ended = rows.ended

    async def moved_after(tx: Tx, now: int, most: int) -> list[AssetRow]:
        found = await ended(tx, now, most)
        assert (await move_files(office(desk), elsewhere)).files == len(found)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(rows, "ended", moved_after)
        assert await retention.delete_ended(desk.db, elsewhere) == 0
    now = await desk.row(row.id)
    assert (now.state, now.store) == ("kept", "file:///elsewhere") and now.ends_at > 0
    assert await elsewhere.open().size(now.path) == row.size
    await over(desk, row.id)
    assert await retention.delete_ended(desk.db, elsewhere) == 1
    assert files_of(tmp_path) == []


async def test_a_file_whose_term_ends_while_it_is_moved_leaves_no_copy(
    desk: Desk, vendor: Gallery, elsewhere: Storages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = await kept(desk, vendor)
    await over(desk, row.id)
    put = Objects.put

    async def then_ended(self: Objects, path: str, *rest: Any, **more: Any) -> Any:
        stored = await put(self, path, *rest, **more)
        if self.name == elsewhere.name and path == row.path:
            assert await retention.delete_ended(desk.db, desk.storages) == 1
        return stored

    monkeypatch.setattr(Objects, "put", then_ended)
    done = await move_files(office(desk), elsewhere)
    assert (done.files, done.failed) == (0, 1)
    assert files_of(tmp_path) == []


async def test_a_mover_that_died_leaves_copies_that_its_next_run_or_the_term_removes(
    desk: Desk, vendor: Gallery, elsewhere: Storages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second, third = [await kept(desk, vendor) for _ in range(3)]

    async def died(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:  # after the row said so, before the old copy was removed
        patched.setattr("unigate.manage.storage._remove_left", died)
        with pytest.raises(KeyboardInterrupt):
            await move_files(office(desk), elsewhere)
    assert (await desk.row(first.id)).owner == first.store
    async with desk.db.reading() as tx:
        assert await rows.stores(tx) == ["file:///assets", "file:///elsewhere"]
    assert (await move_files(office(desk), elsewhere)).files == 2
    assert len(files_of(tmp_path)) == 3
    assert [(await desk.row(one.id)).owner for one in (first, second, third)] == [""] * 3
    back = desk.storages
    with monkeypatch.context() as patched:
        patched.setattr("unigate.manage.storage._remove_left", died)
        with pytest.raises(KeyboardInterrupt):
            await move_files(office(desk), back)
    for one in (first, second, third):
        await over(desk, one.id)
    assert await retention.delete_ended(desk.db, back) == 3
    assert files_of(tmp_path) == []


async def test_a_copy_that_ends_behind_its_term_is_removed(desk: Desk, vendor: Gallery) -> None:
    (id,) = await desk.add(vendor.url("/gate"), kind="video")
    copier = desk.start(places=1)
    await until(lambda: vendor.halves == 1)
    await over(desk, id)
    assert await retention.delete_ended(desk.db, desk.storages) == 0  # it is being copied
    assert (await desk.row(id)).state == "waiting"
    async with desk.db.writing() as tx:  # as if its copier had been taken for dead
        await rows.CopyQueue(dict, 1).give_back(tx, copier.owner, [id], now=now_ms())
    await over(desk, id)
    assert await retention.delete_ended(desk.db, desk.storages) == 1
    vendor.gate.set()
    await until(lambda: not copier._busy)
    async with desk.db.reading() as tx:
        assert await rows.find(tx, id) is None
    assert desk.files() == []


@pytest.mark.parametrize("state", ["waiting", "lost"])
async def test_what_a_dead_copier_had_stored_goes_with_the_term(desk: Desk, state: rows.State, vendor: Gallery) -> None:
    row = await kept(desk, vendor)
    other = replace(
        row, id="ast_other", state=state, store="", path="", size=-1, digest=b"", source="https://x.example/f"
    )
    async with desk.db.writing() as tx:
        await rows.add(tx, [other])
    left = desk.folder / place(other, "video/mp4")
    left.write_bytes(FILM)
    assert left.name == "ast_other.mp4" and str(left).startswith(str(desk.folder / beginning(other)))
    await over(desk, other.id)
    assert await retention.delete_ended(desk.db, desk.storages) == 1
    assert [path.name for path in desk.files()] == [Path(row.path).name]


async def test_bytes_in_a_row_go_with_the_term(desk: Desk) -> None:
    (id,) = await desk.add("data:image/png;base64,AAAA")
    async with desk.db.reading() as tx:
        before = await rows.find(tx, id)
    assert before is not None
    async with desk.db.writing() as tx:
        assert await rows.term_over(tx, before, store="", path="", now=now_ms(), again=1)
    assert "AAAA" not in (await desk.row(id)).source


async def test_files_that_cannot_be_removed_keep_no_others_waiting(
    desk: Desk, vendor: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their terms were noted as over long ago, and fill a whole portion."""
    monkeypatch.setattr(retention, "TOGETHER", 2)
    row = await kept(desk, vendor)
    stuck = [replace(row, id=f"ast_{n}", state="deleted", path=f"stuck/{n}", ends_at=n + 1) for n in range(2)]
    async with desk.db.writing() as tx:
        await rows.add(tx, stuck)
    await over(desk, row.id)
    delete = Objects.delete

    async def away(self: Objects, path: str) -> None:
        if path.startswith("stuck/"):
            raise StoreUnavailable(detail="as ordered")
        await delete(self, path)

    monkeypatch.setattr(Objects, "delete", away)
    async with asyncio.timeout(60):
        assert await retention.delete_ended(desk.db, desk.storages) == 1
    assert desk.files() == []
    assert min([(await desk.row(one.id)).ends_at for one in stuck]) > now_ms()
    monkeypatch.setattr(Objects, "delete", delete)
    for one in stuck:
        await over(desk, one.id)
    assert await retention.delete_ended(desk.db, desk.storages) == 0
    async with desk.db.reading() as tx:
        assert await rows.several(tx, [one.id for one in stuck]) == []


async def test_rows_that_keep_nothing_go_with_their_tasks(desk: Desk, vendor: Gallery) -> None:
    """Also those without a term; a file that is kept for ever keeps the row that names it."""
    row = await kept(desk, vendor)
    states: list[Any] = ["remote", "waiting", "lost", "deleted"]
    more = [replace(row, id=f"ast_{state}", state=state, store="", path="", ends_at=0) for state in states]
    still = replace(row, id="ast_still", state="deleted")  # its file is yet to be removed
    async with desk.db.writing() as tx:
        await rows.add(tx, [*more, still, replace(row, id="ast_else", task_id="t2", state="remote")])
        await rows.forget_of_tasks(tx, ["t1"])
        found = await rows.several(tx, [row.id, still.id, "ast_else", *(one.id for one in more)])
    assert {one.id for one in found} == {row.id, "ast_still", "ast_else"}


async def test_the_files_of_a_task_that_its_user_deletes_go_before_their_term(desk: Desk, vendor: Gallery) -> None:
    row = await kept(desk, vendor)
    still = replace(row, id="ast_still", state="deleted")  # its file is yet to be removed, at a time of its own
    others = replace(row, id="ast_else", task_id="t2")
    async with desk.db.writing() as tx:
        await rows.add(tx, [still, others])
        await rows.end_of_tasks(tx, ["t1"], now=now_ms())
        found = {one.id: one.ends_at for one in await rows.several(tx, [row.id, still.id, others.id])}
    assert found[row.id] <= now_ms()
    assert found[still.id] == found[others.id] == row.ends_at
    assert await retention.delete_ended(desk.db, desk.storages) == 1
    assert desk.files() == []
