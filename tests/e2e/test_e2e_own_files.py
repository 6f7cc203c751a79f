"""Files of users by OpenAI's official client: kept by the gateway itself, found by their owner only, counted, and gone once deleted."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import APIStatusError, NotFoundError, OpenAI

from support.own_files import CHANNELS, ask, client, kept, refused
from support.stage import Stage, set_stage
from support.world import Process


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    built = set_stage(tmp_path_factory.mktemp("files"), vendors, CHANNELS, workers=2)
    yield built
    assert built.settled()["used"] == 0, "files are free"
    built.stop()


@pytest.fixture
def openai(stage: Stage) -> Iterator[OpenAI]:
    with client(stage) as made:
        yield made


@pytest.mark.endpoint("O14")
def test_a_file_is_kept_found_read_and_deleted(stage: Stage, openai: OpenAI) -> None:
    body = bytes(range(256)) * 1200
    made = openai.files.create(file=("notes ü.bin", io.BytesIO(body)), purpose="user_data")
    assert made.id.startswith("file-")
    assert (made.bytes, made.filename, made.purpose, made.status) == (
        len(body),
        "notes ü.bin",
        "user_data",
        "processed",
    )
    assert made.expires_at is None
    assert openai.files.retrieve(made.id).model_dump(exclude={"url"}) == made.model_dump(exclude={"url"})
    assert [file.id for file in openai.files.list()] == [made.id]
    assert openai.files.content(made.id).content == body
    with client(stage, "sk-again-0123456789") as again:
        assert again.files.retrieve(made.id).id == made.id, "another key of the same user"
    assert len(kept(stage)) == 1
    gone = openai.files.delete(made.id)
    assert (gone.id, gone.deleted) == (made.id, True)
    with pytest.raises(NotFoundError) as raised:
        openai.files.retrieve(made.id)
    assert raised.value.param == "id"
    assert raised.value.code == "not_found"
    assert raised.value.message.endswith(f"No such File object: {made.id}")
    assert kept(stage) == []
    assert list(openai.files.list()) == []


def test_ranges_and_types(stage: Stage, openai: OpenAI) -> None:
    body = b"0123456789" * 1000
    made = openai.files.create(file=("digits.txt", body, "text/plain"), purpose="evals")
    path = f"/v1/files/{made.id}/content"
    whole = ask(stage, "GET", path)
    assert (whole.status_code, whole.content) == (200, body)
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.headers["content-disposition"] == 'attachment; filename="digits.txt"'
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = ask(stage, "GET", path, headers={"range": "bytes=5-14"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"5678901234", "bytes 5-14/10000")
    assert ask(stage, "GET", path, headers={"range": "bytes=-3"}).content == b"789"
    beyond = ask(stage, "GET", path, headers={"range": "bytes=10000-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10000")
    known = ask(stage, "GET", path, headers={"if-none-match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    openai.files.delete(made.id)


@pytest.mark.parametrize(
    ("name", "declared", "content"),
    [
        ("page.html", "text/html", b"<html><script>alert(1)</script></html>"),
        ("picture.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        ("program.js", "text/javascript", b"alert(1)"),
        ("feed", "application/atom+xml", b"<?xml version='1.0'?><feed/>"),
    ],
)
def test_what_a_browser_may_run_is_bytes(
    stage: Stage, openai: OpenAI, name: str, declared: str, content: bytes
) -> None:
    made = openai.files.create(file=(name, content, declared), purpose="user_data")
    url = str(made.model_dump()["url"])
    for reply in (ask(stage, "GET", f"/v1/files/{made.id}/content"), httpx.get(url)):
        assert (reply.status_code, reply.content) == (200, content)
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["x-content-type-options"] == "nosniff"
    openai.files.delete(made.id)


def test_links_need_no_key_and_end_with_the_file(stage: Stage, openai: OpenAI) -> None:
    made = openai.files.create(file=("a.png", b"\x89PNG\r\n\x1a\n" + b"x" * 100), purpose="vision")
    url = str(made.model_dump()["url"])
    assert url.startswith(f"{stage.url}/files/{made.id}.png?until=")
    reply = httpx.get(url, headers={"range": "bytes=0-3"})
    assert (reply.status_code, reply.content, reply.headers["content-type"]) == (206, b"\x89PNG", "image/png")
    assert httpx.get(url + "0").status_code == 403
    assert httpx.get(url.replace(made.id, made.id[:-1] + "0")).status_code == 403
    openai.files.delete(made.id)
    assert httpx.get(url).status_code == 404


def test_files_of_others_do_not_exist(stage: Stage, openai: OpenAI) -> None:
    made = openai.files.create(file=("mine.txt", b"mine"), purpose="user_data")
    with client(stage, "sk-bob-0123456789") as bob:
        assert list(bob.files.list()) == []
        for call in (bob.files.retrieve, bob.files.delete, bob.files.content):
            with pytest.raises(NotFoundError, match="No such File object"):
                call(made.id)
        with pytest.raises(APIStatusError) as raised:
            bob.files.list(after=made.id)
        assert (raised.value.status_code, raised.value.param) == (400, "after")
    assert openai.files.content(made.id).content == b"mine"
    openai.files.delete(made.id)


def test_lists_are_read_page_by_page(openai: OpenAI) -> None:
    made = [
        openai.files.create(file=(f"{n}.txt", b"%d" % n), purpose="evals" if n % 2 else "vision").id for n in range(7)
    ]
    assert [file.id for file in openai.files.list(limit=2)] == made[::-1]
    assert [file.id for file in openai.files.list(limit=3, order="asc")] == made
    assert [file.id for file in openai.files.list(purpose="evals", order="asc", limit=1)] == made[1::2]
    page = openai.files.list(limit=3, order="asc", after=made[1])
    assert ([file.id for file in page.data], page.has_more) == (made[2:5], True)
    openai.files.delete(made[2])
    assert [file.id for file in openai.files.list(limit=3, order="asc", after=made[1]).data] == made[3:6]
    for file_id in made[:2] + made[3:]:
        openai.files.delete(file_id)


def test_expiry_is_told_and_checked(stage: Stage, openai: OpenAI) -> None:
    soon = openai.files.create(
        file=("a.txt", b"a"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert soon.expires_at == soon.created_at + 3600
    batch = openai.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    assert batch.expires_at == batch.created_at + 2_592_000
    for fields in (
        {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"},
        {"expires_after[anchor]": "created_at", "expires_after[seconds]": "2592001"},
        {"expires_after[anchor]": "created_at", "expires_after[seconds]": "soon"},
        {"expires_after[anchor]": "last_active_at", "expires_after[seconds]": "3600"},
        {"expires_after[seconds]": "3600"},
        {"expires_after[anchor]": "created_at"},
    ):
        reply = ask(stage, "POST", "/v1/files", files={"file": ("a", b"a")}, data=fields)
        refused(reply, 400)
        assert reply.json()["error"]["param"].startswith("expires_after"), fields
    for file in (soon, batch):
        openai.files.delete(file.id)


def test_bad_forms_leave_nothing(stage: Stage) -> None:
    cases: list[tuple[dict[str, Any], int, str | None]] = [
        ({"data": {"purpose": "evals"}, "files": {"other": ("a", b"a")}}, 400, "file"),
        ({"data": {"purpose": "evals", "file": "text"}, "files": {"x": ("a", b"")}}, 400, "file"),
        ({"files": {"file": ("a", b"")}}, 400, "file"),
        ({"files": [("file", ("a", b"a")), ("file", ("b", b"b"))]}, 400, "file"),
        ({"data": {"purpose": "world peace"}, "files": {"file": ("a", b"a")}}, 400, "purpose"),
        ({"data": {"purpose": ["evals", "batch"]}, "files": {"file": ("a", b"a")}}, 400, "purpose"),
        ({"files": {"file": ("x" * 300, b"a")}}, 400, "file"),
        ({"files": {"file": ("folder/", b"a")}}, 400, "file"),
        ({"json": {"file": "a"}}, 415, None),
    ]
    for given, status, param in cases:
        reply = ask(stage, "POST", "/v1/files", **given)
        refused(reply, status)
        assert reply.json()["error"]["param"] == param, given
    for query in ("limit=0", "limit=10001", "limit=x", "order=up", "after=file-none", "after=%00"):
        refused(ask(stage, "GET", f"/v1/files?{query}"), 400)
    for file_id in ("file-none", "x", "%00", "..%2f..", "a" * 500):
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
            refused(ask(stage, method, f"/v1/files/{file_id}{path}"), 404)
    assert kept(stage) == []


def test_users_have_a_limit_each(stage: Stage) -> None:
    """Carol's group may have 3 files of 1000 bytes; no file has more than 400000."""
    with client(stage, "sk-carol-0123456789") as carol:
        first = carol.files.create(file=("a", b"a" * 600), purpose="evals")
        with pytest.raises(APIStatusError, match="3 files of 1000 bytes") as raised:
            carol.files.create(file=("b", b"b" * 401), purpose="evals")
        assert raised.value.status_code == 413
        others = [carol.files.create(file=("c", b"c" * 200), purpose="evals") for _ in range(2)]
        with pytest.raises(APIStatusError) as raised:
            carol.files.create(file=("d", b"d"), purpose="evals")
        assert raised.value.status_code == 413
        carol.files.delete(first.id)
        others.append(carol.files.create(file=("e", b"e" * 600), purpose="evals"))
        assert len(kept(stage)) == 3
        for file in others:
            carol.files.delete(file.id)
    with client(stage) as alice, pytest.raises(APIStatusError, match="larger than 400000 bytes") as raised:
        alice.files.create(file=("large", b"x" * 400_001), purpose="evals")
    assert raised.value.status_code == 413
    assert kept(stage) == []


def test_bytes_survive_the_gateway(tmp_path: Path, vendors: Process) -> None:
    built = set_stage(tmp_path, vendors, CHANNELS)
    with client(built) as made:
        file_id = made.files.create(file=("a.txt", b"still here"), purpose="user_data").id
    built.stop_hard()
    again = set_stage(tmp_path, vendors, CHANNELS)
    try:
        with client(again) as made:
            assert made.files.content(file_id).content == b"still here"
    finally:
        again.stop()
