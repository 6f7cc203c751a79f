"""Pictures, sounds and documents in prompts; spoken answers."""

import base64
import io
import struct
import wave
import zlib
from typing import Any

import pytest
from sandbox_client import Sandbox, deltas

from unigate.sandbox.brain import pictures, sound


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\x7f" * width) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    start = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + b"\0" * 9
    tables = b"\xff\xdb" + struct.pack(">H", 67) + b"\0" * 65
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"
    return start + tables + frame + b"\xff\xd9"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 8


def webp(kind: bytes, width: int, height: int) -> bytes:
    if kind == b"VP8X":
        body = b"\0" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == b"VP8L":
        body = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + b"\0" * 8
    else:
        body = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0" * 4
    return b"RIFF" + struct.pack("<I", len(body) + 12) + b"WEBP" + kind + struct.pack("<I", len(body)) + body


PICTURES = {
    "png": png(640, 480),
    "jpeg": jpeg(640, 480),
    "gif": gif(640, 480),
    "webp": webp(b"VP8X", 640, 480),
    "webp lossless": webp(b"VP8L", 640, 480),
    "webp lossy": webp(b"VP8 ", 640, 480),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_measured(name: str) -> None:
    assert pictures.measure(PICTURES[name]) == (name.split(maxsplit=1)[0], 640, 480)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF....WEBP", b"%PDF-1.4"])
def test_what_is_no_picture_has_no_size(data: bytes) -> None:
    assert pictures.measure(data) is None


def show(url: str, text: str = "What do you see?", **more: Any) -> list[Any]:
    picture = {"type": "image_url", "image_url": {"url": url, **more}}
    return [{"role": "user", "content": [{"type": "text", "text": text}, picture]}]


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _prompt_tokens(sandbox: Sandbox, messages: list[Any], **more: Any) -> int:
    answer = sandbox.post(messages=messages, **more)
    assert answer.status_code == 200, answer.text
    count: int = answer.json()["usage"]["prompt_tokens"]
    return count


def test_a_picture_is_described(sandbox: Sandbox) -> None:
    said = sandbox.post(messages=show(data_url(png(320, 200)))).json()["choices"][0]["message"]["content"]
    assert "PNG picture of 320x200 pixels" in said
    said = sandbox.post(messages=show(data_url(png(320, 200)), "你看到什么？")).json()["choices"][0]["message"][
        "content"
    ]
    assert "320x200 像素的 PNG" in said
    said = sandbox.post(messages=show("https://example.com/a.png")).json()["choices"][0]["message"]["content"]
    assert "linked picture" in said


@pytest.mark.parametrize(
    ("model", "size", "detail", "expected"),
    [
        ("gpt-4o", (512, 512), "auto", 85 + 170),
        ("gpt-4o", (1024, 1024), "high", 85 + 4 * 170),
        ("gpt-4o", (2048, 4096), "high", 85 + 6 * 170),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4o-mini", (512, 512), "auto", 2833 + 5667),
        ("o1", (512, 512), "auto", 75 + 150),
        ("gpt-4.1-mini", (320, 320), "auto", 162),
    ],
)
def test_tokens_of_pictures(sandbox: Sandbox, model: str, size: tuple[int, int], detail: str, expected: int) -> None:
    bare = [{"role": "user", "content": [{"type": "text", "text": "What do you see?"}]}]
    with_picture = show(data_url(jpeg(*size), "jpeg"), detail=detail)
    assert _prompt_tokens(sandbox, with_picture, model=model) - _prompt_tokens(sandbox, bare, model=model) == expected
    assert sandbox.last(contains=f'"{detail}"', model=model)["usage"]["image_input"] == expected


def test_a_linked_picture_counts_as_a_usual_one(sandbox: Sandbox) -> None:
    assert _prompt_tokens(sandbox, show("https://example.com/1.png")) == _prompt_tokens(
        sandbox, show(data_url(jpeg(1024, 1024), "jpeg"))
    )


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("data:image/png;base64,!!!!", "invalid_base64"),
        (data_url(b"no picture"), "invalid_image_format"),
        ("ftp://example.com/1.png", "invalid_image_url"),
        ("data:text/plain;base64,aGk=", "invalid_image_url"),
    ],
)
def test_bad_pictures_are_refused(sandbox: Sandbox, url: str, code: str) -> None:
    answer = sandbox.post(messages=show(url))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code


def test_models_that_do_not_see_refuse(sandbox: Sandbox) -> None:
    answer = sandbox.post(model="gpt-3.5-turbo", messages=show("https://example.com/1.png"))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "messages[0].content[1].type"


def hear(ms: int, text: str = "What do you hear?") -> list[Any]:
    data = base64.b64encode(sound.wav(sound.tone(ms, 440))).decode()
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    return [{"role": "user", "content": [{"type": "text", "text": text}, part]}]


def test_sound_in_prompts(sandbox: Sandbox) -> None:
    answer = sandbox.post(model="gpt-4o-audio-preview", messages=hear(1500)).json()
    assert "1.5 seconds of sound" in answer["choices"][0]["message"]["content"]
    details = answer["usage"]["prompt_tokens_details"]
    assert details["audio_tokens"] == 15
    assert details["text_tokens"] == answer["usage"]["prompt_tokens"] - 15
    assert sandbox.post(model="gpt-4o", messages=hear(100)).status_code == 400
    messages = hear(1500)
    messages[0]["content"][1]["input_audio"] = {"data": base64.b64encode(b"x" * 16_000).decode(), "format": "mp3"}
    usage = sandbox.post(model="gpt-4o-audio-preview", messages=messages).json()["usage"]
    assert usage["prompt_tokens_details"]["audio_tokens"] == 10
    messages[0]["content"][1]["input_audio"]["format"] = "wav"
    assert sandbox.post(model="gpt-4o-audio-preview", messages=messages).status_code == 400
    assert sandbox.post(model="gpt-4o-audio-preview").json()["error"]["param"] == "model"


def test_spoken_answers(sandbox: Sandbox) -> None:
    answer = sandbox.post(
        model="gpt-audio", modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}
    ).json()
    message = answer["choices"][0]["message"]
    assert message["content"] is None
    assert message["audio"]["transcript"]
    with wave.open(io.BytesIO(base64.b64decode(message["audio"]["data"]))) as file:
        assert file.getframerate() == sound.RATE
        ms = file.getnframes() * 1000 // file.getframerate()
    details = answer["usage"]["completion_tokens_details"]
    assert details["audio_tokens"] == ms // 50 > 0
    assert details["text_tokens"] + details["audio_tokens"] == answer["usage"]["completion_tokens"]


def test_spoken_answers_in_streams(sandbox: Sandbox) -> None:
    chunks = sandbox.chunks(
        model="gpt-audio", modalities=["audio", "text"], audio={"voice": "alloy", "format": "pcm16"}
    )
    parts = [delta["audio"] for delta in deltas(chunks) if "audio" in delta]
    assert len({part["id"] for part in parts}) == 1
    assert "".join(part.get("transcript", "") for part in parts)
    samples = b"".join(base64.b64decode(part["data"]) for part in parts if "data" in part)
    assert len(samples) > 4800
    assert max(struct.unpack(f"<{len(samples) // 2}h", samples)) > 5000
    assert parts[-1]["expires_at"] > 0


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"modalities": ["audio"]}, "audio"),
        ({"modalities": ["audio"], "audio": {"format": "wav"}}, "audio.voice"),
        ({"modalities": ["audio"], "audio": {"voice": "alloy", "format": "ogg"}}, "audio.format"),
        ({"modalities": ["audio"], "audio": {"voice": "alloy", "format": "mp3"}}, "audio.format"),
        ({"modalities": ["audio"], "stream": True, "audio": {"voice": "alloy", "format": "wav"}}, "audio.format"),
        ({"modalities": ["smell"]}, "modalities[0]"),
        ({"modalities": ["audio"], "model": "gpt-4o"}, "modalities"),
    ],
)
def test_bad_wishes_for_speech(sandbox: Sandbox, body: dict[str, Any], param: str) -> None:
    answer = sandbox.post(**{"model": "gpt-audio", **body})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_documents(sandbox: Sandbox) -> None:
    data = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.4" + b"x" * 4000).decode()
    part = {"type": "file", "file": {"filename": "plan.pdf", "file_data": data}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "Sum it up"}, part]}]
    answer = sandbox.post(messages=messages).json()
    assert "plan.pdf" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens"] > 100
    part["file"] = {"file_id": "file-123"}
    assert sandbox.post(messages=messages).status_code == 404
