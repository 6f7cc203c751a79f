"""Answers of bytes through a real gateway: as they come, counted or measured, broken off, left by their caller."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from form_stage import FormStage, Gate, form_stage

from support.form_vendor import Asked, answer, take
from support.waiting import wait_until
from unigate.base.clock import now_ms

GATE = Gate()
PIECE = bytes(range(256)) * 400
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def whole(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sound with a length."""
    await take(asked, reader)
    writer.write(answer(200, PIECE * 3, b"content-type: audio/wav"))


async def chunks(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sound in two chunks, the second when the test says so; what the prompt says of its end."""
    await take(asked, reader)
    prompt = json.loads(asked.body)["input"]
    if prompt == "refuse":
        writer.write(answer(400, b'{"error": {"message": "no such voice"}}'))
        return
    if prompt == "nothing":
        writer.write(HEAD + chunk(b""))
        return
    if prompt == "an error":
        writer.write(answer(200, b'{"error": {"message": "out of order"}}'))
        return
    writer.write(HEAD + chunk(b"unreadable" if prompt == "unreadable" else PIECE))
    await writer.drain()
    await asyncio.to_thread(GATE.wait)
    with suppress(ConnectionError):
        writer.write(chunk(PIECE))
        await writer.drain()
        if prompt == "break":
            writer.close()
            return
        writer.write(b"0\r\n\r\n")


async def down(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break off before there is any sound."""
    await take(asked, reader)
    writer.write(HEAD)
    await writer.drain()
    writer.transport.abort()


async def closing(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sound whose end is the connection's."""
    await take(asked, reader)
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + PIECE)
    await writer.drain()
    writer.close()


CHANNELS = {
    "whole": "models: [whole, measured-whole, second]",
    "chunks": "models: [counted, measured]",
    "down": "models: [second], priority: 9",
    "closing": "models: [closing]",
    "kept": "models: [kept], options: {keep_days: 3}",
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FormStage]:
    home = tmp_path_factory.mktemp("sounds")
    with form_stage(home, CHANNELS, whole=whole, chunks=chunks, down=down, closing=closing, kept=whole) as made:
        yield made


@pytest.fixture(autouse=True)
def _clean(stage: FormStage) -> Iterator[None]:
    yield
    stage.nothing_left()


def ask(stage: FormStage, model: str, prompt: str = "hello") -> httpx.Response:
    return stage.client.post("/v1/sound", json={"model": model, "input": prompt})


@pytest.mark.parametrize(("model", "cost"), [("whole", 1), ("measured-whole", 2), ("second", 1)])
def test_sound_passes_with_its_type_and_is_counted(stage: FormStage, model: str, cost: int) -> None:
    reply = ask(stage, model)
    assert (reply.status_code, reply.content) == (200, PIECE * 3)
    assert reply.headers["content-type"] == "audio/wav"
    row = stage.gateway.row(reply.headers["x-request-id"])
    assert (row["ended"], row["units"]) == ("completed", {"output": len(PIECE) * 3 * cost})
    assert bool(row["estimated"]) == (cost == 1)
    assert len(row["attempts"]) == (2 if model == "second" else 0)


@pytest.mark.parametrize(("model", "cost"), [("counted", 1), ("measured", 2)])
@pytest.mark.parametrize("prompt", ["end", "break"])
def test_sound_goes_out_as_it_comes(stage: FormStage, model: str, cost: int, prompt: str) -> None:
    with stage.client.stream("POST", "/v1/sound", json={"model": model, "input": prompt}) as reply:
        assert reply.headers["content-type"] == "audio/mpeg"
        pieces = reply.iter_raw()
        got = b""
        while len(got) < len(PIECE):
            got += next(pieces)
        assert got == PIECE  # while the vendor waits
        GATE.open()
        if prompt == "end":
            assert b"".join(pieces) == PIECE
        else:
            rest: list[bytes] = []
            with pytest.raises(httpx.RemoteProtocolError):  # never taken for complete
                rest.extend(pieces)
            assert b"".join(rest) == PIECE  # and nothing else among the sound
    row = stage.gateway.row(reply.headers["x-request-id"])
    assert row["ended"] == ("completed" if prompt == "end" else "upstream_broken")
    assert row["units"] == {"output": len(PIECE) * 2 * cost}
    assert row["cost"] == len(PIECE) * 2 * cost * 1000


@pytest.mark.parametrize(("model", "cost"), [("counted", 1), ("measured", 2)])
def test_a_caller_who_leaves_pays_what_went_out(stage: FormStage, model: str, cost: int) -> None:
    with stage.client.stream("POST", "/v1/sound", json={"model": model, "input": "end"}) as reply:
        next(reply.iter_raw())
    row = stage.gateway.row(reply.headers["x-request-id"])
    GATE.open()
    assert (row["ended"], row["units"]) == ("caller_left", {"output": len(PIECE) * cost})


def test_of_sound_that_is_kept_only_the_question_is(stage: FormStage) -> None:
    reply = ask(stage, "kept")
    assert reply.headers["x-unigate-kept"] == "3"
    kept = stage.kept(reply.headers["x-request-id"])
    assert (json.loads(kept["request"])["input"], kept["answer"]) == ("hello", "")


def test_what_cannot_be_measured_is_counted(stage: FormStage) -> None:
    GATE.open()
    reply = ask(stage, "measured", "unreadable")
    assert reply.content == b"unreadable" + PIECE
    row = stage.gateway.row(reply.headers["x-request-id"])
    assert (row["units"], bool(row["estimated"])) == ({"output": len(PIECE) + 10}, True)


def test_sound_that_ends_with_its_connection(stage: FormStage) -> None:
    reply = ask(stage, "closing")
    assert (reply.content, reply.headers["content-type"]) == (PIECE, "application/octet-stream")
    assert stage.gateway.row(reply.headers["x-request-id"])["ended"] == "completed"


def test_errors_and_nothing_are_free(stage: FormStage) -> None:
    since = now_ms()
    refused = ask(stage, "counted", "refuse")
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "no such voice")
    failed = ask(stage, "counted", "an error")
    assert failed.status_code == 502, failed.text
    nothing = ask(stage, "counted", "nothing")
    assert (nothing.status_code, nothing.content) == (200, b"")
    assert stage.gateway.row(nothing.headers["x-request-id"])["ended"] == "empty"
    assert stage.gateway.charged(since) == 0
    wait_until(lambda: stage.gateway.row(failed.headers["x-request-id"])["cost"] == 0)
