"""Forms through a real gateway: whole, by a second channel, refused early, left by their caller, killed."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from form_stage import FormStage, Gate, Upload, form_stage

from support.form_vendor import Asked, answer, good, take
from support.stage import alive, resident
from support.waiting import wait_until
from unigate.base.clock import now_ms

MB = 1 << 20
SOUND = os.urandom(2 * MB)
GATE = Gate()


async def half(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read half, and break off."""
    await take(asked, reader, asked.size // 2)
    writer.transport.abort()


async def sorry(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a little, and answer that it is out of order."""
    await take(asked, reader, 1000)
    writer.write(answer(503, b'{"error": {"message": "overloaded"}}'))


async def large(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a little, and refuse the rest."""
    await take(asked, reader, 1000)
    writer.write(answer(413, b'{"error": {"message": "too large for us"}}'))


async def slow(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a little, and the rest when the test says so."""
    await take(asked, reader, 1000)
    await asyncio.to_thread(GATE.wait)
    await take(asked, reader, asked.size - 1000)
    writer.write(answer(200, b'{"usage": {"input": 1}}'))


CHANNELS = {
    "good": "models: {echo: echo, other: real-name, broken: real-name, busy: busy, nothing: nothing}",
    "half": "models: [broken], priority: 9",
    "sorry": "models: [busy], priority: 9",
    "large": "models: [large]",
    "slow": "models: [slow]",
    "kept": "models: [kept], options: {keep_days: 3}",
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FormStage]:
    with form_stage(
        tmp_path_factory.mktemp("forms"), CHANNELS, half=half, sorry=sorry, large=large, slow=slow, kept=good
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def _clean(stage: FormStage) -> Iterator[None]:
    stage.vendor.asked.clear()
    yield
    stage.nothing_left()


def test_a_form_arrives_as_it_was(stage: FormStage) -> None:
    reply = stage.client.post(
        "/v1/form",
        data={"model": "other", "prompt": "ü \r\n--x", "include[]": ["a", "b"]},
        files=[("file", ('a"b.mp3', SOUND, "audio/mpeg")), ("image[]", ("small.png", b"png", "image/png"))],
    )
    assert reply.status_code == 200, reply.text
    (asked,) = stage.vendor.asked
    assert (asked.path, asked.headers["authorization"]) == ("/good/form", "bearer sk-up")
    assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert asked.parts() == [
        ("model", None, "", b"real-name"),
        ("prompt", None, "", "ü \r\n--x".encode()),
        ("include[]", None, "", b"a"),
        ("include[]", None, "", b"b"),
        ("file", "a%22b.mp3", "audio/mpeg", SOUND),
        ("image[]", "small.png", "image/png", b"png"),
    ]
    row = stage.gateway.row(reply.headers["x-request-id"])
    assert (row["model"], row["units"], row["cost"]) == ("other", {"input": 10, "output": 5}, 15_000)


def test_json_in_place_of_a_form(stage: FormStage) -> None:
    reply = stage.client.post("/v1/form", json={"model": "other", "input": "x", "more": {"a": [1]}})
    assert reply.status_code == 200, reply.text
    (asked,) = stage.vendor.asked
    assert asked.headers["content-type"] == "application/json"
    assert asked.body == b'{"model":"real-name","input":"x","more":{"a":[1]}}'


@pytest.mark.parametrize("model", ["broken", "busy"])
def test_a_second_channel_gets_the_whole_form(stage: FormStage, model: str) -> None:
    reply = stage.send(model, SOUND, prompt="hello")
    assert reply.status_code == 200, reply.text
    *failed, second = stage.vendor.asked  # a connection that had served before is tried anew
    assert all(len(first.body) < first.size for first in failed)
    assert [part[3] for part in second.parts()] == [b"real-name" if model == "broken" else b"busy", b"hello", SOUND]
    assert failed[0].headers["content-type"] != second.headers["content-type"]  # a boundary is used once
    assert len(stage.gateway.row(reply.headers["x-request-id"])["attempts"]) == 2


def test_of_a_form_that_is_kept_the_files_are_not(stage: FormStage) -> None:
    reply = stage.send("kept", SOUND, prompt="hello")
    assert reply.headers["x-unigate-kept"] == "3"
    kept = stage.kept(reply.headers["x-request-id"])
    told = {"filename": "a.mp3", "content_type": "audio/mpeg", "bytes": len(SOUND)}
    assert json.loads(kept["request"]) == {"model": "kept", "prompt": "hello", "file": told}
    assert kept["answer"] == reply.text


def test_a_refusal_before_all_was_written_is_the_callers(stage: FormStage) -> None:
    reply = stage.send("large", os.urandom(30 * MB))
    assert (reply.status_code, reply.json()["error"]["message"]) == (413, "too large for us")
    assert len(stage.vendor.asked[0].body) == 1000
    assert stage.gateway.row(reply.headers["x-request-id"])["cost"] == 0


def test_a_vendor_that_reads_slowly_costs_no_memory(stage: FormStage) -> None:
    worker = stage.worker()
    stage.send("echo", SOUND)
    before = resident(worker)
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(stage.send, "slow", os.urandom(50 * MB)) for _ in range(2)]
        wait_until(lambda: len(stage.vendor.asked) == 3, what="both calls at the vendor", seconds=60)
        last = -1
        while last != (last := resident(worker)):
            time.sleep(0.3)
        assert stage.spooled() == 2
        assert resident(worker) - before < 20 * MB
        GATE.open(len(sent))
        assert [one.result().status_code for one in sent] == [200, 200]
    assert resident(worker) - before < 20 * MB


def test_a_caller_who_leaves_in_the_middle_of_an_upload(stage: FormStage) -> None:
    upload = Upload(stage, "echo", 30 * MB)
    upload.send(10 * MB)
    wait_until(stage.spooled)
    upload.leave()
    wait_until(lambda: not stage.spooled())
    assert not stage.vendor.asked


def test_a_caller_who_leaves_while_the_vendor_takes_the_form(stage: FormStage) -> None:
    since = now_ms()
    upload = Upload(stage, "slow", 30 * MB)
    upload.send()
    wait_until(lambda: stage.vendor.asked)
    upload.leave()
    wait_until(lambda: not stage.spooled())
    GATE.open()

    def told() -> list[dict[str, Any]]:
        return [row for row in stage.gateway.rows().values() if row["at"] >= since]

    wait_until(told, seconds=20)
    (row,) = told()
    assert (row["ended"], row["cost"]) == ("caller_left", 0)


FIELD = b'Content-Disposition: form-data; name="file"\r\n\r\nx\r\n--XX--\r\n'
BAD = {
    "no model": (b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--XX--\r\n', 400, "model"),
    "two models": (b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\necho\r\n' * 2 + b"--XX--\r\n", 400, "model"),
    "a model that is a file": (
        b'--XX\r\nContent-Disposition: form-data; name="model"; filename="a"\r\n\r\necho\r\n--XX--\r\n', 400, "model",
    ),
    "a file that is a field": (
        b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\necho\r\n--XX\r\n%b' % FIELD, 400, "file",
    ),
    "an unknown model": (b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nnone\r\n--XX--\r\n', 404, "model"),
    "no end": (b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\necho\r\n', 400, None),
}  # fmt: skip


@pytest.mark.parametrize(("content", "status", "param"), BAD.values(), ids=BAD)
def test_bad_forms_are_told_in_the_dialects_words(
    stage: FormStage, content: bytes, status: int, param: str | None
) -> None:
    spent = stage.gateway.usage()["used"]
    head = {"content-type": "multipart/form-data; boundary=XX"}
    reply = stage.client.post("/v1/form", content=content, headers=head)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["param"] == param
    assert reply.headers["x-request-id"].startswith("req_")
    assert not stage.vendor.asked
    assert stage.gateway.usage()["used"] == spent


def test_a_key_that_may_not_is_refused_before_its_upload(stage: FormStage) -> None:
    host, port = stage.gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as sock:
        sock.sendall(
            b"POST /v1/form HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-off-0123456789\r\nContent-Length: 50000000\r\n"
            b"Content-Type: multipart/form-data; boundary=XX\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_many_at_once(stage: FormStage) -> None:
    contents = [os.urandom(3 * MB) for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda content: stage.send("echo", content), contents))
    assert [reply.status_code for reply in replies] == [200] * 12
    found = {hashlib.sha256(asked.parts()[1][3]).digest() for asked in stage.vendor.asked}
    assert found == {hashlib.sha256(content).digest() for content in contents}


def test_a_killed_worker_leaves_no_file(tmp_path: Path) -> None:
    with form_stage(tmp_path, {"slow": "models: [slow]"}, slow=slow) as stage:
        upload, waiting = Upload(stage, "slow", 20 * MB), Upload(stage, "slow", 20 * MB)
        upload.send(10 * MB)
        waiting.send()
        wait_until(lambda: stage.spooled() == 2 and stage.vendor.asked, seconds=20)
        worker = stage.worker()
        assert not list((stage.gateway.data / "spool").glob("*"))  # on the disk, and without a name already
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not alive(worker), seconds=20)
        GATE.open()
        assert not list((stage.gateway.data / "spool").glob("*"))
        upload.leave()
        waiting.leave()
