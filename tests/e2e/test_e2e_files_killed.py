"""Workers that are killed while a file comes in, or is being stored: nothing of it stays, and nothing of it counts."""

import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from support.own_files import CHANNELS, ask, client, kept
from support.stage import KEY, Stage, set_stage, workers_of
from support.waiting import wait_until
from support.world import Process

#: Long enough that storing it takes a while.
LARGE = 32 << 20
TEXT = CHANNELS.replace("file_bytes: 400000", f"file_bytes: {2 * LARGE}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def stage(home: Path, vendors: Process) -> Iterator[Stage]:
    built = set_stage(home, vendors, TEXT)
    yield built
    built.stop()


def serves(stage: Stage) -> bool:
    with suppress(httpx.TransportError):
        return ask(stage, "GET", "/v1/files").status_code == 200
    return False


def kill(stage: Stage) -> None:
    """Kill the worker, and wait until another one serves."""
    (worker,) = workers_of(stage)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: worker not in workers_of(stage) and serves(stage), seconds=60, what="another worker")


def half_sent(stage: Stage, path: str, field: str) -> socket.socket:
    """A form with a file, of which half was sent."""
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="a"\r\n\r\n'.encode()
    host, port = stage.url.removeprefix("http://").split(":")
    made = socket.create_connection((host, int(port)), timeout=60)
    made.sendall(
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {LARGE}\r\n"
        f"content-type: multipart/form-data; boundary=x\r\n\r\n".encode()
        + head
        + bytes(LARGE // 2)
    )
    return made


def killed_while_stored(stage: Stage, path: str, field: str) -> None:
    """Send a file, and kill the worker once some of it lies on the disk."""
    before = len(kept(stage))

    def post() -> bool:
        with suppress(httpx.TransportError):
            return ask(stage, "POST", path, files={field: ("a", bytes(LARGE))}).status_code == 200
        return False

    with ThreadPoolExecutor(1) as other:
        sent = other.submit(post)
        wait_until(lambda: sent.done() or len(kept(stage)) > before, seconds=60, what="some of it on the disk")
        kill(stage)
        assert not sent.result(), "it was stored before its worker could be killed"


def totals(stage: Stage) -> list[tuple[int, int]]:
    """What all users have: files, and their bytes."""
    with closing(sqlite3.connect(stage.data / "unigate.db")) as db:
        return db.execute("select files, bytes from file_totals").fetchall()


def test_nothing_stays_of_what_was_sent_by_half(stage: Stage) -> None:
    told = {"bytes": LARGE, "filename": "a", "mime_type": "text/plain", "purpose": "user_data"}
    upload = ask(stage, "POST", "/v1/uploads", json=told).json()["id"]
    paths = (("/v1/files", "file"), (f"/v1/uploads/{upload}/parts", "data"))
    with half_sent(stage, *paths[0]), half_sent(stage, *paths[1]):
        kill(stage)
    assert kept(stage) == []
    assert totals(stage) == [(1, LARGE)], "what the upload announced"
    ask(stage, "POST", f"/v1/uploads/{upload}/cancel")
    assert totals(stage) == [(0, 0)]
    assert list((stage.data / "spool").iterdir()) == [], "what came had no name"


def test_a_part_that_was_being_stored_may_be_sent_again(stage: Stage) -> None:
    told = {"bytes": LARGE + 5, "filename": "a", "mime_type": "text/plain", "purpose": "user_data"}
    upload = ask(stage, "POST", "/v1/uploads", json=told).json()["id"]
    parts = f"/v1/uploads/{upload}/parts"
    first = ask(stage, "POST", parts, files={"data": ("a", b"hello")}).json()["id"]
    killed_while_stored(stage, parts, "data")
    second = ask(stage, "POST", parts, files={"data": ("a", bytes(LARGE))}).json()["id"]
    done = ask(stage, "POST", f"/v1/uploads/{upload}/complete", json={"part_ids": [first, second]})
    assert done.status_code == 200, done.text
    file = done.json()["file"]
    assert file["bytes"] == LARGE + 5
    (lies,) = kept(stage)
    assert lies.stat().st_size == LARGE + 5, "its parts are gone, and the one that was never whole"
    with client(stage) as openai:
        openai.files.delete(file["id"])
    assert (kept(stage), totals(stage)) == ([], [(0, 0)])


def test_a_file_that_was_being_stored_is_nobodys_and_goes(home: Path, stage: Stage, vendors: Process) -> None:
    killed_while_stored(stage, "/v1/files", "file")
    assert ask(stage, "GET", "/v1/files").json()["data"] == []
    assert totals(stage) == [(1, LARGE)], "somebody might still be writing it"
    stage.stop()
    with closing(sqlite3.connect(stage.data / "unigate.db")) as db:
        assert db.execute("update files set due_at = 1 where state = 'writing'").rowcount == 1, "an hour is over"
        db.commit()
    again = set_stage(home, vendors, TEXT)
    try:
        wait_until(lambda: totals(again) == [(0, 0)], seconds=60, what="what is counted")
        wait_until(lambda: kept(again) == [], seconds=60, what="an empty disk")
    finally:
        again.stop()
