"""Speech through a real gateway: the official SDK, every format, streams, prices by hand, and what breaks off."""

import base64
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from openai import BadRequestError, OpenAI
from sound_stage import CODECS, cost, looked, sound_stage, speech

from support.leftovers import nothing_left, stored
from support.stage import Caller, Stage
from support.world import Process

TEXT = "The quick brown fox jumps over the lazy dog. Then it sleeps."
Format = Literal["mp3", "opus", "aac", "flac", "wav"]
KINDS = {"mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway before the sandbox."""
    built = sound_stage(tmp_path_factory.mktemp("speech"), vendors)
    yield built
    built.sound()
    assert built.stop() == 0


@pytest.fixture
def client(stage: Stage) -> Iterator[OpenAI]:
    """The official SDK."""
    with OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def seconds(stage: Stage) -> float:
    """How long the text lasts, by bare samples."""
    bare = speech(stage, model="tts-1", input=TEXT, voice="alloy", response_format="pcm").raise_for_status().content
    return len(bare) / 48_000


@pytest.mark.endpoint("O1")
@pytest.mark.parametrize("asked", list(KINDS))
def test_each_format_is_what_it_says_and_lasts_as_long(
    client: OpenAI, stage: Stage, seconds: float, asked: Format
) -> None:
    reply = client.audio.speech.with_raw_response.create(
        model="tts-1", input=TEXT, voice="alloy", response_format=asked
    )
    assert reply.headers["content-type"] == KINDS[asked]
    codec, length, channels = looked(reply.content)
    assert codec in CODECS[asked] and channels == 1
    assert length == pytest.approx(seconds, abs=0.15)
    row = stage.row(reply.headers["x-request-id"])
    assert (row["units"], row["estimated"]) == ({"characters": len(TEXT)}, False)
    assert cost(row) == Decimal(15) * len(TEXT) / 10**6


@pytest.mark.endpoint("O1")
def test_bare_samples_speed_and_voices(client: OpenAI, seconds: float) -> None:
    def said(voice: str, speed: float) -> bytes:
        return client.audio.speech.create(
            model="tts-1-hd", input=TEXT, voice=voice, speed=speed, response_format="pcm"
        ).content

    assert len(said("nova", 2)) / 48_000 == pytest.approx(seconds / 2, abs=0.1)
    assert len(said("nova", 0.5)) / 48_000 == pytest.approx(seconds * 2, abs=0.1)
    assert said("nova", 1) != said("onyx", 1)


@pytest.mark.endpoint("O1")
def test_sound_comes_in_chunks(client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", input=TEXT, voice="coral", response_format="wav"
    ) as reply:
        assert reply.headers["transfer-encoding"] == "chunked"
        pieces = list(reply.iter_bytes())
    assert len(pieces) > 3
    assert looked(b"".join(pieces))[0] == "pcm_s16le"


@pytest.mark.endpoint("O1")
@pytest.mark.parametrize("asked", ["mp3", "pcm", "opus"])
def test_tokens_of_sound_are_measured_where_nobody_tells_them(stage: Stage, seconds: float, asked: str) -> None:
    reply = speech(stage, model="gpt-4o-mini-tts", input=TEXT, voice="coral", response_format=asked)
    length = len(reply.content) / 48_000 if asked == "pcm" else looked(reply.content)[1]
    row = stage.row(reply.headers["x-request-id"])
    assert row["estimated"]
    assert row["units"]["audio_output"] == pytest.approx(21 * length, abs=3)
    assert row["units"]["input"] == pytest.approx(len(TEXT) / 4.5, abs=6)
    by_hand = Decimal("0.6") * row["units"]["input"] + 12 * row["units"]["audio_output"]
    assert cost(row) == by_hand / 10**6


@pytest.mark.endpoint("O1")
def test_events_carry_the_sound_and_its_usage(stage: Stage) -> None:
    reply = speech(
        stage, model="gpt-4o-mini-tts", input=TEXT, voice="coral", response_format="mp3", stream_format="sse"
    )
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert looked(sound)[0] in CODECS["mp3"]
    assert events[-1]["type"] == "speech.audio.done"
    told = events[-1]["usage"]
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"] == {"input": told["input_tokens"], "audio_output": told["output_tokens"]}
    assert not row["estimated"] and row["stream"]
    assert cost(row) == (Decimal("0.6") * told["input_tokens"] + 12 * told["output_tokens"]) / 10**6


@pytest.mark.endpoint("O1")
def test_a_stream_shows_its_cost_where_it_is_asked_for(stage: Stage) -> None:
    reply = speech(
        stage,
        model="gpt-4o-mini-tts",
        input=TEXT,
        voice="coral",
        stream_format="sse",
        usage={"include": True},
    )
    last = json.loads(reply.text.splitlines()[-2][6:])
    row = stage.row(reply.headers["x-request-id"])
    assert Decimal(str(last["usage"]["cost"])) == cost(row) > 0


@pytest.mark.endpoint("O1")
def test_a_broken_answer_is_charged_for_what_went_out(stage: Stage) -> None:
    for model, unit in (("cut-tts", "characters"), ("cut-mini-tts", "audio_output")):
        long = TEXT * 6
        body: dict[str, object] = {"model": model, "input": long, "voice": "alloy", "response_format": "pcm"}
        with Caller(stage, body, path="/v1/audio/speech") as caller:
            caller.rest()
            row = stage.row(caller.call_id)
        assert row["ended"] == "upstream_broken" and row["estimated"]
        sent = 3 * 8192 / 48_000  # seconds in three pieces of bare samples
        if unit == "characters":  # 15 of them are taken to be said in a second
            assert row["units"] == {unit: math.ceil(15 * sent)}
            assert cost(row) == Decimal(15) * row["units"][unit] / 10**6
        else:
            assert row["units"][unit] == pytest.approx(21 * sent, abs=1)


@pytest.mark.endpoint("O1")
def test_a_caller_who_leaves_pays_what_went_out(stage: Stage) -> None:
    body: dict[str, object] = {"model": "slow-mini-tts", "input": TEXT, "voice": "alloy", "response_format": "pcm"}
    with Caller(stage, body, path="/v1/audio/speech") as caller:
        while len(caller.seen.partition(b"\r\n\r\n")[2]) < 2 * 8192:
            caller.seen += caller.piece()
        caller.leave()
        row = stage.row(caller.call_id)
    assert row["ended"] == "caller_left"
    assert row["units"]["audio_output"] == math.ceil(21 * 2 * 8192 / 48_000)
    assert cost(row) > 0


BAD: list[tuple[dict[str, Any], str, int]] = [
    ({"voice": "nobody"}, "voice", 400),
    ({"response_format": "midi"}, "response_format", 400),
    ({"input": ""}, "input", 400),
    ({"input": "a" * 4097}, "input", 400),
    ({"input": None}, "input", 400),
    ({"speed": 9}, "speed", 400),
    ({"speed": "fast"}, "speed", 400),
    ({"voice": None}, "voice", 400),
    ({"instructions": 7}, "instructions", 400),
    ({"stream_format": "sse"}, "stream_format", 400),
    ({"model": "gpt-4o"}, "model", 400),
]


@pytest.mark.endpoint("O1")
@pytest.mark.parametrize(
    ("wrong", "param", "status"), BAD, ids=[str(one[0]) if len(str(one[0])) < 60 else "long" for one in BAD]
)
def test_wrong_calls_cost_nothing(stage: Stage, wrong: dict[str, Any], param: str, status: int) -> None:
    before, kept = stage.settled()["balance"], stored(stage)
    body: dict[str, Any] = {"model": "tts-1", "input": "Hello.", "voice": "alloy", **wrong}
    reply = speech(stage, **body)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["param"] == param
    assert reply.headers["x-request-id"]
    assert stage.settled()["balance"] == before
    nothing_left(stage, kept)


@pytest.mark.endpoint("O1")
def test_failures_cost_nothing_and_the_sdk_knows_them(client: OpenAI, stage: Stage) -> None:
    before = stage.settled()["balance"]
    assert speech(stage, model="broken-tts", input="Hello.", voice="alloy").status_code == 503
    with pytest.raises(BadRequestError) as caught:
        client.audio.speech.create(model="tts-1", input="Hello.", voice="nobody")
    assert caught.value.param == "voice"
    assert stage.settled()["balance"] == before


@pytest.mark.endpoint("O1")
def test_speech_that_cannot_be_paid_is_not_begun(stage: Stage, tmp_path: Path) -> None:
    said = "unaffordable " * 200
    reply = speech(stage, key="sk-small-0123456789", model="tts-1", input=said, voice="alloy")
    assert reply.status_code == 402
    assert stage.received("unaffordable") == []
