"""Transcripts and translations through a real gateway: the official SDK, every form, times, prices by hand, bad files."""

import asyncio
import json
import math
import re
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

import httpx
import pytest
from openai import BadRequestError, OpenAI
from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose
from sound_stage import cost, form, looked, silence, sound_stage, speech

from support.leftovers import nothing_left, stored
from support.stage import Stage
from support.world import Process
from unigate.base.clock import now_ms

TEXT = "The quick brown fox jumps over the lazy dog. Then it sleeps under a tree. It dreams of hens."
Kind = Literal["mp3", "opus", "aac", "flac", "wav"]
NAMES = {"mp3": "said.mp3", "opus": "said.ogg", "aac": "said.m4a", "flac": "said.flac", "wav": "said.wav"}
CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)[,.](\d{3}) --> (\d\d):(\d\d):(\d\d)[,.](\d{3})")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway before the sandbox."""
    built = sound_stage(tmp_path_factory.mktemp("transcriptions"), vendors)
    yield built
    built.sound()
    assert built.stop() == 0


@pytest.fixture
def client(stage: Stage) -> Iterator[OpenAI]:
    """The official SDK."""
    with OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def said(stage: Stage) -> dict[str, bytes]:
    """The text, spoken into a file of each format."""
    return {
        kind: speech(stage, model="tts-1", input=TEXT, voice="alloy", response_format=kind).content for kind in NAMES
    }


def spans(subtitles: str) -> list[tuple[float, float]]:
    """The times of subtitles, in seconds."""
    found = []
    for match in CLOCK.finditer(subtitles):
        h1, m1, s1, f1, h2, m2, s2, f2 = map(int, match.groups())
        found.append((h1 * 3600 + m1 * 60 + s1 + f1 / 1000, h2 * 3600 + m2 * 60 + s2 + f2 / 1000))
    return found


def in_order(times: list[tuple[float, float]], length: float) -> bool:
    """Whether times follow each other, and lie within a length."""
    flat = [at for span in times for at in span]
    return bool(flat) and flat == sorted(flat) and flat[0] >= 0 and flat[-1] <= length


@pytest.mark.endpoint("O2")
@pytest.mark.parametrize("kind", list(NAMES))
def test_what_was_said_in_each_format_is_heard(
    client: OpenAI, stage: Stage, said: dict[str, bytes], kind: Kind
) -> None:
    reply = client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=(NAMES[kind], said[kind]))
    assert reply.parse().text == TEXT
    row = stage.row(reply.headers["x-request-id"])
    seconds = math.ceil(looked(said[kind])[1])
    assert row["units"] == {"milliseconds": seconds * 1000} and not row["estimated"]
    assert cost(row) == Decimal("0.006") * seconds / 60
    assert reply.headers["x-unigate-cost"] == format(cost(row).normalize(), "f")


@pytest.mark.endpoint("O2")
def test_words_and_segments_have_times_within_the_length(client: OpenAI, stage: Stage, said: dict[str, bytes]) -> None:
    reply = client.audio.transcriptions.with_raw_response.create(
        model="whisper-1",
        file=("said.mp3", said["mp3"]),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    found = reply.parse()
    assert isinstance(found, TranscriptionVerbose)
    length = looked(said["mp3"])[1]
    assert float(found.duration) == pytest.approx(length, abs=0.05)
    assert found.words is not None and found.segments is not None
    assert [word.word for word in found.words] == TEXT.split()
    assert in_order([(word.start, word.end) for word in found.words], length)
    assert "".join(segment.text for segment in found.segments) == TEXT and len(found.segments) == 3
    assert in_order([(segment.start, segment.end) for segment in found.segments], length)
    assert found.usage is not None
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"] == {"milliseconds": int(found.usage.seconds * 1000)}


@pytest.mark.endpoint("O2")
@pytest.mark.parametrize("kind", ["text", "srt", "vtt"])
def test_plain_text_and_subtitles_are_paid_by_the_file(
    client: OpenAI, stage: Stage, said: dict[str, bytes], kind: Literal["text", "srt", "vtt"]
) -> None:
    reply = client.audio.transcriptions.with_raw_response.create(
        model="whisper-1", file=("said.wav", said["wav"]), response_format=kind
    )
    length = looked(said["wav"])[1]
    if kind == "text":
        assert reply.text.strip() == TEXT
    else:
        assert len(spans(reply.text)) == 3 and in_order(spans(reply.text), length)
        assert reply.text.startswith("WEBVTT\n\n" if kind == "vtt" else "1\n00:00:00,000 --> ")
        said_lines = [line for line in reply.text.splitlines() if line and line in TEXT and not line.isdigit()]
        assert " ".join(said_lines) == TEXT
    assert reply.headers["content-type"] == f"text/{'vtt' if kind == 'vtt' else 'plain'}; charset=utf-8"
    row = stage.row(reply.headers["x-request-id"])
    # Nobody told its length: it was read from the file.
    assert row["units"] == {"milliseconds": math.ceil(length * 1000)} and not row["estimated"]
    assert row["cost"] == math.ceil(6_000_000 * row["units"]["milliseconds"] / 60_000)


@pytest.mark.endpoint("O2")
def test_models_that_are_paid_by_tokens(client: OpenAI, stage: Stage, said: dict[str, bytes]) -> None:
    reply = client.audio.transcriptions.with_raw_response.create(
        model="gpt-4o-transcribe", file=("said.mp3", said["mp3"]), prompt="About animals.", include=["logprobs"]
    )
    found = reply.parse()
    assert found.text == TEXT
    assert found.logprobs and "".join(one.token or "" for one in found.logprobs) == TEXT
    assert found.usage is not None and found.usage.type == "tokens"
    details = found.usage.input_token_details
    assert details is not None and details.text_tokens and details.audio_tokens
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"] == {
        "input": details.text_tokens,
        "audio_input": details.audio_tokens,
        "output": found.usage.output_tokens,
    }
    by_hand = Decimal("2.5") * (details.text_tokens + details.audio_tokens) + 10 * found.usage.output_tokens
    assert cost(row) == by_hand / 10**6


@pytest.mark.endpoint("O2")
def test_who_said_what(client: OpenAI, said: dict[str, bytes]) -> None:
    found = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=("said.mp3", said["mp3"]),
        response_format="diarized_json",
        extra_body={"known_speaker_names": ["fox"]},
    )
    assert isinstance(found, TranscriptionDiarized)
    assert [segment.speaker for segment in found.segments] == ["fox", "B", "fox"]
    assert in_order([(segment.start, segment.end) for segment in found.segments], found.duration)


@pytest.mark.endpoint("O2")
@pytest.mark.parametrize("diarized", [False, True])
def test_transcripts_in_events(client: OpenAI, said: dict[str, bytes], diarized: bool) -> None:
    more: dict[str, Any] = {"response_format": "diarized_json"} if diarized else {"include": ["logprobs"]}
    events = list(
        client.audio.transcriptions.create(
            model="gpt-4o-transcribe-diarize" if diarized else "gpt-4o-mini-transcribe",
            file=("said.mp3", said["mp3"]),
            stream=True,
            **more,
        )
    )
    deltas = [event for event in events if event.type == "transcript.text.delta"]
    assert "".join(event.delta for event in deltas) == TEXT
    assert [event.type for event in events].count("transcript.text.segment") == (3 if diarized else 0)
    done = events[-1]
    assert done.type == "transcript.text.done" and done.text == TEXT and done.usage is not None
    assert diarized or (deltas[0].logprobs and done.logprobs)


@pytest.mark.endpoint("O2")
def test_a_stream_is_settled_by_the_usage_in_its_last_event(stage: Stage, said: dict[str, bytes]) -> None:
    reply = form(
        stage, said["wav"], model="gpt-4o-mini-transcribe", stream="true", headers={"x-unigate-include": "cost"}
    )
    assert reply.headers["content-type"].startswith("text/event-stream")
    told = json.loads([line for line in reply.text.splitlines() if line.startswith("data: ")][-1][6:])["usage"]
    row = stage.row(reply.headers["x-request-id"])
    assert row["stream"] and not row["estimated"]
    by_hand = Decimal("1.25") * told["input_tokens"] + 5 * told["output_tokens"]
    assert cost(row) == by_hand / 10**6 == Decimal(str(told["cost"]))


@pytest.mark.endpoint("O2")
def test_a_model_that_does_not_stream_answers_whole_and_says_so(stage: Stage, said: dict[str, bytes]) -> None:
    reply = form(stage, said["wav"], model="whisper-1", stream="true")
    assert reply.json()["text"] == TEXT
    assert reply.headers["x-unigate-ignored"] == "stream"


@pytest.mark.endpoint("O2")
def test_usage_that_nobody_tells_is_counted(stage: Stage, said: dict[str, bytes]) -> None:
    length = math.ceil(looked(said["wav"])[1] * 1000)
    timed = form(stage, said["wav"], model="silent-whisper")
    row = stage.row(timed.headers["x-request-id"])
    assert row["units"] == {"milliseconds": length} and not row["estimated"]
    counted = form(stage, said["wav"], model="silent-transcribe", prompt="Animals")
    row = stage.row(counted.headers["x-request-id"])
    assert row["estimated"]
    assert row["units"]["audio_input"] == math.ceil(length / 100) and row["units"]["input"] == 1
    assert row["units"]["output"] == pytest.approx(len(TEXT) / 4.5, abs=8)
    streamed = form(stage, said["wav"], model="silent-transcribe", prompt="Animals", stream="true")
    assert "transcript.text.done" in streamed.text and "usage" not in streamed.text
    found = stage.row(streamed.headers["x-request-id"])
    assert (found["ended"], found["units"], found["cost"]) == ("completed", row["units"], row["cost"])


@pytest.mark.endpoint("O2")
def test_a_broken_stream_is_charged_for_what_went_out(stage: Stage, said: dict[str, bytes]) -> None:
    reply = form_until_cut(stage, said["wav"])
    assert reply["ended"] == "upstream_broken" and reply["estimated"]
    assert reply["units"]["output"] == 3
    assert reply["units"]["audio_input"] == math.ceil(looked(said["wav"])[1] * 10)


def form_until_cut(stage: Stage, sound: bytes) -> dict[str, Any]:
    """The row of a streamed call that breaks."""
    with httpx.stream(
        "POST",
        f"{stage.url}/v1/audio/transcriptions",
        data={"model": "cut-transcribe", "stream": "true"},
        files={"file": ("said.wav", sound, "audio/wav")},
        headers={"authorization": f"Bearer {stage.key}"},
        timeout=60,
    ) as reply:
        with pytest.raises(httpx.RemoteProtocolError):
            reply.read()
        return stage.row(reply.headers["x-request-id"])


@pytest.mark.endpoint("O2")
def test_the_second_channel_gets_the_whole_file(stage: Stage, said: dict[str, bytes]) -> None:
    reply = form(stage, said["flac"], name="said.flac", model="twice")
    assert reply.json()["text"] == TEXT
    row = stage.row(reply.headers["x-request-id"])
    assert [attempt[2] for attempt in row["attempts"]] == [503, 200]


def translated(client: OpenAI, sound: bytes) -> str:
    """A translation by the SDK, which warns that the vendor has it for one model only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return client.audio.translations.create(model="whisper-1", file=("said.mp3", sound)).text


@pytest.mark.endpoint("O3")
def test_translations_are_english(client: OpenAI, stage: Stage, said: dict[str, bytes]) -> None:
    chinese = "你好，世界。今天天气很好。"
    sound = speech(stage, model="tts-1", input=chinese, voice="nova", response_format="mp3").content
    assert client.audio.transcriptions.create(model="whisper-1", file=("said.mp3", sound)).text == chinese
    english = translated(client, sound)
    assert english.isascii() and len(english) > 5
    reply = form(stage, sound, name="said.mp3", path="translations", model="whisper-1")
    assert reply.json()["text"] == english
    row = stage.row(reply.headers["x-request-id"])
    assert row["operation"] == "openai.translations"
    assert cost(row) == Decimal("0.006") * math.ceil(looked(sound)[1]) / 60
    assert translated(client, said["mp3"]) == TEXT


@pytest.mark.endpoint("O3")
@pytest.mark.parametrize("kind", ["text", "srt", "vtt", "verbose_json"])
def test_translations_in_each_form(stage: Stage, said: dict[str, bytes], kind: str) -> None:
    reply = form(stage, said["wav"], path="translations", model="whisper-1", response_format=kind)
    length = looked(said["wav"])[1]
    if kind == "verbose_json":
        told = reply.json()
        assert (told["task"], told["language"], told["text"]) == ("translate", "english", TEXT)
        assert in_order([(one["start"], one["end"]) for one in told["segments"]], length)
    elif kind == "text":
        assert reply.text.strip() == TEXT
    else:
        assert len(spans(reply.text)) == 3 and in_order(spans(reply.text), length)


SOUND = silence(1)
BAD: list[tuple[str, bytes, str, dict[str, Any], int, str | None]] = [
    ("unreadable", b"this is no sound" * 100, "a.wav", {}, 400, "file"),
    ("empty", b"", "a.wav", {}, 400, "file"),
    ("too short", silence(0.05), "a.wav", {}, 400, "file"),
    ("no sound by its name", SOUND, "a.txt", {}, 400, "file"),
    (
        "format of other models",
        SOUND,
        "a.wav",
        {"model": "gpt-4o-transcribe", "response_format": "srt"},
        400,
        "response_format",
    ),
    ("unknown format", SOUND, "a.wav", {"response_format": "html"}, 400, "response_format"),
    ("times without a place", SOUND, "a.wav", {"timestamp_granularities[]": "word"}, 400, "timestamp_granularities"),
    ("probabilities of whisper", SOUND, "a.wav", {"include[]": "logprobs"}, 400, "include"),
    ("hot", SOUND, "a.wav", {"temperature": "7"}, 400, "temperature"),
    ("no language", SOUND, "a.wav", {"language": "Klingon!"}, 400, "language"),
    ("a model that chats", SOUND, "a.wav", {"model": "gpt-4o"}, 400, "model"),
    ("no model", SOUND, "a.wav", {"model": ""}, 400, "model"),
    ("too large", SOUND[:44] + bytes(26_214_401), "a.wav", {}, 413, None),
]


@pytest.mark.endpoint("O2", "O3")
@pytest.mark.parametrize(
    ("sound", "name", "fields", "status", "param"), [one[1:] for one in BAD], ids=[one[0] for one in BAD]
)
def test_wrong_calls_cost_nothing(
    stage: Stage, sound: bytes, name: str, fields: dict[str, Any], status: int, param: str | None
) -> None:
    since, kept = now_ms(), stored(stage)
    for path in ("transcriptions", "translations"):
        if path == "translations" and set(fields) & {"include[]", "timestamp_granularities[]", "language"}:
            continue  # unknown there
        reply = form(stage, sound, name=name, path=path, **{"model": "whisper-1", **fields})
        assert reply.status_code == status, reply.text
        if not (path == "translations" and fields.get("model")):
            assert reply.json()["error"]["param"] == param
        assert reply.headers["x-request-id"]
    assert stage.charged(since) == 0
    nothing_left(stage, kept)


@pytest.mark.endpoint("O2")
def test_no_file_no_form_and_a_broken_vendor(client: OpenAI, stage: Stage) -> None:
    before = stage.settled()["balance"]
    with pytest.raises(BadRequestError) as caught:
        client.audio.transcriptions.create(model="whisper-1", file=b"")
    assert caught.value.status_code == 400
    assert form(stage, SOUND, model="broken").status_code == 503
    assert form(stage, SOUND, model="gpt-nothing").status_code == 404
    head = {"authorization": f"Bearer {stage.key}"}
    for sent in ({"json": {"model": "whisper-1"}}, {"data": {"model": "whisper-1"}}):
        reply = httpx.post(f"{stage.url}/v1/audio/transcriptions", headers=head, **sent)  # type: ignore[arg-type]
        assert (reply.status_code, reply.json()["error"]["type"]) == (415, "invalid_request_error"), reply.text
    assert stage.settled()["balance"] == before


@pytest.mark.endpoint("O2")
def test_a_file_that_cannot_be_paid_is_not_sent(stage: Stage) -> None:
    reply = form(stage, silence(30, 8000), name="unaffordable.wav", key="sk-small-0123456789", model="whisper-1")
    assert reply.status_code == 402
    assert stage.received("unaffordable.wav") == []


@pytest.mark.endpoint("O2")
async def test_a_caller_who_leaves_in_the_middle_of_an_upload_leaves_nothing(stage: Stage) -> None:
    host, port = stage.url.removeprefix("http://").split(":")
    before = stage.settled()
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {stage.key}\r\n"
        "content-type: multipart/form-data; boundary=cut\r\ncontent-length: 9000000\r\n\r\n"
        '--cut\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        '--cut\r\ncontent-disposition: form-data; name="file"; filename="left.wav"\r\n\r\n'
    )
    writer.write(head.encode() + SOUND * 60)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await reader.read(10)) == b""
    assert await asyncio.to_thread(stage.settled) == before
    assert await asyncio.to_thread(stage.received, "left.wav") == []


@pytest.mark.endpoint("O1", "O2", "O3")
@pytest.mark.parametrize(
    ("speaks", "voice", "hears"),
    [("azure-tts", "alloy", "azure-whisper"), ("playai-tts", "Arista-PlayAI", "whisper-large-v3-turbo")],
)
def test_other_vendors_speak_and_hear(stage: Stage, speaks: str, voice: str, hears: str) -> None:
    sound = speech(stage, model=speaks, input=TEXT, voice=voice, response_format="wav")
    assert sound.status_code == 200, sound.text
    length = looked(sound.content)[1]
    assert cost(stage.row(sound.headers["x-request-id"])) > 0
    for path in ("transcriptions", "translations"):
        reply = form(stage, sound.content, path=path, model=hears)
        assert reply.json()["text"] == TEXT, reply.text
        row = stage.row(reply.headers["x-request-id"])
        assert row["units"]["milliseconds"] == pytest.approx(length * 1000, abs=1000)
        assert row["cost"] > 0 and not row["estimated"]
