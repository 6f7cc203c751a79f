"""Uploads in parts by OpenAI's official client: parts become a file, once, and nothing is left of what does not."""

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from openai import APIStatusError, OpenAI

from support.node import tell
from support.own_files import CHANNELS, ask, client, kept, refused
from support.stage import Stage, set_stage
from support.world import Process


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    built = set_stage(tmp_path_factory.mktemp("uploads"), vendors, CHANNELS)
    yield built
    assert built.settled()["used"] == 0, "uploads are free"
    built.stop()


@pytest.fixture
def openai(stage: Stage) -> Iterator[OpenAI]:
    with client(stage) as made:
        yield made


def begun(stage: Stage, size: int, key: str = "") -> str:
    """The id of an upload that is to have so many bytes."""
    with client(stage, key) as made:
        return made.uploads.create(bytes=size, filename="a.txt", mime_type="text/plain", purpose="user_data").id


@pytest.mark.endpoint("O14")
def test_parts_become_a_file(stage: Stage, openai: OpenAI, tmp_path: Path) -> None:
    body = random.Random(4).randbytes(5_000_000)
    (tmp_path / "large.bin").write_bytes(body)
    upload = openai.uploads.upload_file_chunked(
        file=tmp_path / "large.bin",
        mime_type="application/octet-stream",
        purpose="user_data",
        part_size=1_500_000,
        md5=hashlib.md5(body).hexdigest(),
    )
    assert (upload.status, upload.bytes, upload.filename) == ("completed", len(body), "large.bin")
    assert upload.expires_at == upload.created_at + 3600
    assert upload.file is not None
    assert (upload.file.bytes, upload.file.filename, upload.file.purpose) == (len(body), "large.bin", "user_data")
    assert openai.files.content(upload.file.id).content == body
    assert len(kept(stage)) == 1, "no parts are left"
    assert openai.files.content(upload.file.id).content == body
    openai.files.delete(upload.file.id)
    assert kept(stage) == []


def test_parts_come_side_by_side_and_in_any_order(stage: Stage, openai: OpenAI) -> None:
    upload_id = begun(stage, 400)

    def add(letter: str) -> str:
        part = openai.uploads.parts.create(upload_id, data=letter.encode() * 100)
        assert (part.object, part.upload_id) == ("upload.part", upload_id)
        return part.id

    with ThreadPoolExecutor(5) as threads:
        ids = dict(zip("abcdx", threads.map(add, "abcdx"), strict=True))
    done = openai.uploads.complete(upload_id, part_ids=[ids[letter] for letter in "dbca"])
    assert done.file is not None
    assert openai.files.content(done.file.id).text == "d" * 100 + "b" * 100 + "c" * 100 + "a" * 100
    openai.files.delete(done.file.id)


def test_many_completions_make_one_file(stage: Stage, openai: OpenAI) -> None:
    upload_id = begun(stage, 200_000)
    part = openai.uploads.parts.create(upload_id, data=b"x" * 200_000)
    path, asked = f"/v1/uploads/{upload_id}/complete", {"part_ids": [part.id]}
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda _n: ask(stage, "POST", path, json=asked), range(6)))
    assert sorted(reply.status_code for reply in replies) == [200] + [400] * 5
    (file,) = openai.files.list().data
    assert openai.files.content(file.id).content == b"x" * 200_000
    openai.files.delete(file.id)
    assert kept(stage) == [], "neither parts nor other tries are left"


def test_what_does_not_fit_is_refused_and_may_be_mended(stage: Stage, openai: OpenAI) -> None:
    upload_id = begun(stage, 10)
    first = openai.uploads.parts.create(upload_id, data=b"01234").id
    second = openai.uploads.parts.create(upload_id, data=b"56789").id
    others = openai.uploads.parts.create(begun(stage, 5), data=b"other").id
    path = f"/v1/uploads/{upload_id}/complete"
    for asked, param in (
        ({"part_ids": [first]}, "part_ids"),
        ({"part_ids": [first, second, first]}, "part_ids"),
        ({"part_ids": [first, others]}, "part_ids"),
        ({"part_ids": []}, "part_ids"),
        ({"part_ids": "all"}, "part_ids"),
        ({}, "part_ids"),
        ({"part_ids": [first, second], "md5": "0" * 32}, "md5"),
        ({"part_ids": [first, second], "md5": "short"}, "md5"),
    ):
        reply = ask(stage, "POST", path, json=asked)
        refused(reply, 400)
        assert reply.json()["error"]["param"] == param, asked
    assert list(openai.files.list()) == []
    md5 = hashlib.md5(b"0123456789").hexdigest().upper()
    done = openai.uploads.complete(upload_id, part_ids=[first, second], md5=md5)
    assert done.file is not None
    assert openai.files.content(done.file.id).text == "0123456789"
    openai.files.delete(done.file.id)


def test_cancelled_uploads_leave_nothing(stage: Stage, openai: OpenAI) -> None:
    upload_id = begun(stage, 3)
    part = openai.uploads.parts.create(upload_id, data=b"abc")
    assert openai.uploads.cancel(upload_id).status == "cancelled"
    path = f"/v1/uploads/{upload_id}"
    for reply in (
        ask(stage, "POST", f"{path}/parts", files={"data": ("a", b"abc")}),
        ask(stage, "POST", f"{path}/complete", json={"part_ids": [part.id]}),
        ask(stage, "POST", f"{path}/cancel"),
    ):
        refused(reply, 400)
        assert "cancelled" in reply.json()["error"]["message"]
    assert part.id not in [file.name for file in kept(stage)]


def test_uploads_of_others_do_not_exist(stage: Stage, openai: OpenAI) -> None:
    upload_id = begun(stage, 3)
    part = openai.uploads.parts.create(upload_id, data=b"abc").id
    for upload in (upload_id, "upload_none", "%00", "x" * 300):
        path, bob = f"/v1/uploads/{upload}", "sk-bob-0123456789"
        refused(ask(stage, "POST", f"{path}/parts", key=bob, files={"data": ("a", b"a")}), 404)
        refused(ask(stage, "POST", f"{path}/complete", key=bob, json={"part_ids": [part]}), 404)
        refused(ask(stage, "POST", f"{path}/cancel", key=bob), 404)
    openai.uploads.cancel(upload_id)


def test_bad_beginnings(stage: Stage) -> None:
    good = {"bytes": 5, "filename": "a.txt", "mime_type": "text/plain", "purpose": "user_data"}
    for wrong, status, param in (
        ({"bytes": 0}, 400, "bytes"),
        ({"bytes": "5"}, 400, "bytes"),
        ({"bytes": None}, 400, "bytes"),
        ({"bytes": 9 * 1024**3}, 413, "bytes"),
        ({"filename": ""}, 400, "filename"),
        ({"mime_type": "text"}, 400, "mime_type"),
        ({"purpose": "fun"}, 400, "purpose"),
        ({"expires_after": {"anchor": "created_at", "seconds": 1}}, 400, "expires_after.seconds"),
    ):
        reply = ask(stage, "POST", "/v1/uploads", json={**good, **wrong})
        refused(reply, status)
        assert reply.json()["error"]["param"] == param, wrong
    refused(ask(stage, "POST", "/v1/uploads", content=b"{", headers={"content-type": "application/json"}), 400)


def test_what_is_announced_counts(stage: Stage) -> None:
    """Carol may have 1000 bytes, pending uploads included; an upload can't be filled with far more than was announced."""
    carol = "sk-carol-0123456789"
    upload_id = begun(stage, 900, carol)
    with client(stage, carol) as made:
        with pytest.raises(APIStatusError) as raised:
            begun(stage, 101, carol)
        assert raised.value.status_code == 413
        with pytest.raises(APIStatusError):
            made.files.create(file=("a", b"a" * 101), purpose="evals")
        part = made.uploads.parts.create(upload_id, data=b"a" * 900).id
        done = made.uploads.complete(upload_id, part_ids=[part])
        assert done.file is not None
        with pytest.raises(APIStatusError):
            made.files.create(file=("a", b"a" * 101), purpose="evals")
        made.files.delete(done.file.id)
        begun(stage, 1000, carol)


def test_parts_have_a_size(stage: Stage, openai: OpenAI) -> None:
    upload_id = begun(stage, 10)
    path = f"/v1/uploads/{upload_id}/parts"
    refused(ask(stage, "POST", path, files={"data": ("a", b"")}), 400)
    refused(ask(stage, "POST", path, files={"file": ("a", b"a")}), 400)
    head = {
        "authorization": f"Bearer {stage.key}",
        "content-type": "multipart/form-data; boundary=x",
        "content-length": str(66 << 20),
    }
    line = HTTPConnection(stage.url.removeprefix("http://"), timeout=60)
    line.request("POST", path, headers=head)
    told = line.getresponse()
    large = httpx.Response(told.status, headers=told.getheaders(), content=told.read())
    line.close()
    refused(large, 413)
    openai.uploads.cancel(upload_id)


def test_node_s_client_does_all_of_it(tmp_path: Path, vendors: Process) -> None:
    built = set_stage(tmp_path, vendors, CHANNELS)
    try:
        seen = tell("files", built.key, built.url)
    finally:
        built.stop()
    assert seen["made"] == ["lines.txt", 1800, "user_data", None]
    assert seen["expires"] == 7200
    assert all(seen[name] for name in ("listed", "content", "deleted", "whole"))
    assert (seen["lost"]["name"], seen["lost"]["status"]) == ("NotFoundError", 404)
    assert (seen["wrong"]["status"], seen["late"]["status"]) == (400, 400)
    assert seen["complete"] == ["completed", "parts.bin"]
