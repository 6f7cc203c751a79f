"""Sound and pictures of vendors beside OpenAI, each in its own form: opened, measured, paid by hand-computed prices."""

import base64
import json
import math
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest
from openai import OpenAI
from sound_stage import cost, form, looked, speech

from support.image_stage import opened, post
from support.stage import Stage, mark, set_stage
from support.world import Process
from unigate.base.clock import now_ms

TEXT = "The quick brown fox jumps over the lazy dog. Then it sleeps under a tree."
CONFIG = """
channels:
  - {name: together, provider: together, base_url: SANDBOX/together/v1, credentials: sk-together,
     models: {flux: black-forest-labs/FLUX.1-schnell, tara: canopylabs/orpheus-3b-0.1-ft, together-hears: openai/whisper-large-v3}}
  - {name: siliconflow, provider: siliconflow, base_url: SANDBOX/siliconflow/v1, credentials: sk-silicon,
     models: {kolors: Kwai-Kolors/Kolors, cosy: FunAudioLLM/CosyVoice2-0.5B, sense: FunAudioLLM/SenseVoiceSmall}}
  - {name: mistral, provider: mistral, base_url: SANDBOX/mistral/v1, credentials: sk-mistral, models: [voxtral-mini-latest]}
  - {name: vllm, provider: vllm, base_url: SANDBOX/vllm/v1, credentials: none, models: {own: openai/whisper-large-v3}}
  - {name: groq, provider: groq, base_url: SANDBOX/groq/openai/v1, credentials: sk-groq,
     models: [canopylabs/orpheus-v1-english]}
prices:
  - {model: flux, per_image: 0.0027}
  - {model: flux, when: {size: 512x512}, per_image: 0.001}
  - {model: kolors, per_image: 0.01}
  - {model: tara, per_million_characters: 15}
  - {model: cosy, per_million_characters: 7.15}
  - {model: sense, per_minute: 0.001}
  - {model: together-hears, per_minute: 0.0015}
  - {model: own, per_minute: 0.006}
users: [{name: alice, credit: 100}]
keys: [{name: app, user: alice, secret: sk-app-0123456789}]
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway before these vendors."""
    built = set_stage(tmp_path_factory.mktemp("vendors"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    assert built.stop() == 0


@pytest.fixture(scope="module")
def said(stage: Stage) -> bytes:
    """The text, spoken."""
    reply = speech(stage, model="tara", input=TEXT, voice="tara", response_format="wav")
    return reply.raise_for_status().content


@pytest.mark.endpoint("O8")
@pytest.mark.parametrize(
    ("model", "size", "charged"),
    [("flux", "512x512", "0.002"), ("flux", "768x512", "0.0054"), ("kolors", "960x1280", "0.02")],
)
def test_pictures_by_the_sdk_are_of_the_size_asked_for(stage: Stage, model: str, size: str, charged: str) -> None:
    word = mark()
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        raw = client.images.with_raw_response.generate(
            model=model,
            prompt=word,
            n=2,
            size=size,
        )
    told = raw.parse()
    assert told.data is not None and told.created > 1_700_000_000
    pictures = [opened(httpx.get(one.url or "").content) for one in told.data]
    assert [f"{one.width}x{one.height}" for one in pictures] == [size] * 2
    assert pictures[0].tobytes() != pictures[1].tobytes()
    assert Decimal(raw.headers["x-unigate-cost"]) == Decimal(charged)
    (sent,) = stage.received(word)
    assert "size" not in sent["body"] and ("n" in sent["body"]) == (model == "flux")


@pytest.mark.endpoint("O8")
def test_pictures_themselves_and_what_is_not_taken(stage: Stage) -> None:
    sent = {"model": "flux", "prompt": "a fox", "response_format": "b64_json", "output_format": "png", "quality": "hd"}
    reply = post(stage, "/images/generations", json=sent)
    image = opened(base64.b64decode(reply.json()["data"][0]["b64_json"]))
    assert (image.format, image.size) == ("PNG", (1024, 1024))
    assert reply.headers["x-unigate-ignored"] == "quality"
    assert stage.row(reply.headers["x-request-id"])["units"] == {"images": 1}


@pytest.mark.endpoint("O8")
@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"model": "kolors", "response_format": "b64_json"}, "response_format"),
        ({"model": "kolors", "stream": True}, "stream"),
        ({"model": "flux", "size": "huge"}, "size"),
        ({"model": "flux", "size": "9x9"}, "width"),
        ({"model": "flux", "n": 5}, "n"),
        ({"model": "kolors", "size": "0x0"}, None),
    ],
)
def test_what_these_vendors_cannot_do_costs_nothing(stage: Stage, sent: dict[str, object], param: str | None) -> None:
    began = now_ms()
    reply = post(stage, "/images/generations", json={"prompt": "a fox", **sent})
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["param"] == param and reply.headers["x-request-id"]
    assert stage.charged(began) == 0


@pytest.mark.endpoint("O1")
@pytest.mark.parametrize(
    ("model", "voice", "kind", "price"),
    [
        ("tara", "tara", "mp3", "15"),
        ("cosy", "FunAudioLLM/CosyVoice2-0.5B:alex", "opus", "7.15"),
        ("canopylabs/orpheus-v1-english", "hannah", "wav", "22"),
    ],
)
def test_speech_is_paid_by_its_characters(stage: Stage, model: str, voice: str, kind: str, price: str) -> None:
    reply = speech(stage, model=model, input=TEXT, voice=voice, response_format=kind)
    assert reply.status_code == 200, reply.text
    assert looked(reply.content)[1] > 2
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"] == {"characters": len(TEXT)}
    assert row["cost"] == math.ceil(Decimal(price) * len(TEXT) * 1000)


@pytest.mark.endpoint("O2")
@pytest.mark.parametrize(
    ("model", "price"),
    [("together-hears", "0.0015"), ("sense", "0.001"), ("voxtral-mini-latest", "0.002"), ("own", "0.006")],
)
def test_what_was_said_is_heard_and_paid_by_the_minute(stage: Stage, said: bytes, model: str, price: str) -> None:
    reply = form(stage, said, model=model)
    assert reply.json()["text"] == TEXT
    row = stage.row(reply.headers["x-request-id"])
    told = row["units"]["milliseconds"]
    length = looked(said)[1] * 1000
    # Some tell whole seconds; where nobody tells, the file is measured.
    assert told == (math.ceil(length / 1000) * 1000 if model in ("voxtral-mini-latest", "own") else math.ceil(length))
    assert row["cost"] == math.ceil(Decimal(price) * told * 10**9 / 60_000) and not row["estimated"]


@pytest.mark.endpoint("O3")
@pytest.mark.parametrize("model", ["together-hears", "own"])
def test_translations(stage: Stage, said: bytes, model: str) -> None:
    reply = form(stage, said, path="translations", model=model)
    assert reply.json()["text"] == TEXT
    assert cost(stage.row(reply.headers["x-request-id"])) > 0


@pytest.mark.endpoint("O2")
def test_events_of_other_names_pass_and_are_paid_as_they_tell(stage: Stage, said: bytes) -> None:
    reply = form(stage, said, model="voxtral-mini-latest", stream="true")
    events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    assert events[0]["type"] == "transcription.language" and events[-1]["type"] == "transcription.done"
    assert "".join(one["text"] for one in events if one["type"].endswith(".delta")) == TEXT == events[-1]["text"]
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"]["milliseconds"] == events[-1]["usage"]["prompt_audio_seconds"] * 1000
    assert row["cost"] == math.ceil(Decimal("0.002") * row["units"]["milliseconds"] * 10**9 / 60_000)


@pytest.mark.endpoint("O2")
def test_chunks_as_of_chats_are_paid_by_the_file(stage: Stage, said: bytes) -> None:
    reply = form(stage, said, model="own", stream="true")
    chunks = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
    assert "".join(one["choices"][0]["delta"]["content"] for one in chunks) == TEXT
    assert reply.text.rstrip().endswith("[DONE]")
    row = stage.row(reply.headers["x-request-id"])
    assert (row["ended"], row["estimated"]) == ("completed", False)
    assert row["units"] == {"milliseconds": math.ceil(looked(said)[1] * 1000)}
    assert row["cost"] == math.ceil(Decimal("0.006") * row["units"]["milliseconds"] * 10**9 / 60_000)
