"""The official SDK for Node on every endpoint: through one gateway, and through two that take turns."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageChops

from support.gateways import Gateways
from support.image_stage import holed, opened, picture
from support.node import FOLDER, tell
from support.sounds import looked
from unigate.dialects import operations

#: Where the mask lets something be changed.
HOLE = (256, 256, 768, 640)
#: Files that the script of pictures reads.
PICTURES = {
    "one.png": picture((1024, 1024)),
    "two.png": picture((64, 64), (10, 200, 30)),
    "mask.png": holed((1024, 1024), HOLE),
    "small.png": holed((32, 32), (0, 0, 8, 8)),
}
SERVED = {row.name for row in operations()}


def chat(seen: dict[str, Any]) -> None:
    assert seen["text"] and seen["usage"]["completion_tokens"] > 0
    assert re.fullmatch(r"req_[0-9A-Z]{26}", seen["request"])
    assert float(seen["cost"]) > 0
    assert seen["tool"] == "get_weather" and isinstance(seen["city"], str)
    assert "21" in seen["told"]
    assert set(seen["shaped"]) == {"city"}
    refused = seen["refused"]
    assert (refused["name"], refused["status"], refused["code"]) == ("BadRequestError", 400, "invalid_request")
    assert refused["id"].startswith("req_")


def stream(seen: dict[str, Any]) -> None:
    assert seen["text"] and seen["chunks"] > 3
    assert seen["finish"] == "stop"
    assert seen["hidden"], "usage is hidden from a caller who did not ask"
    assert seen["usage"]["completion_tokens"] > 0
    assert seen["whole"]
    assert seen["left"] == "chat.completion.chunk"


def models(seen: dict[str, Any]) -> None:
    assert "gpt-4o-mini" in seen["names"]
    assert seen["one"] == "gpt-4o-mini"
    refused = seen["refused"]
    assert (refused["name"], refused["status"], refused["code"]) == ("NotFoundError", 404, "model_not_found")


def completions(seen: dict[str, Any]) -> None:
    assert seen["text"] and seen["usage"]["completion_tokens"] > 0
    assert float(seen["cost"]) > 0
    assert seen["echoed"].startswith("The best thing about Lyon is")
    assert seen["tokens"] > 1
    assert sorted(seen["several"]) == [0, 1, 2, 3]
    assert seen["streamed"] and seen["streamedUsage"]["completion_tokens"] > 0
    assert (seen["refused"]["name"], seen["refused"]["status"]) == ("BadRequestError", 400)


def embeddings(seen: dict[str, Any]) -> None:
    assert seen["sizes"] == [1536] * 3 and seen["short"] == 256
    assert seen["same"], "floats and base64 are the same numbers"
    assert seen["norm"] == pytest.approx(1, abs=1e-4)
    assert seen["alike"] > seen["other"]
    assert seen["usage"]["prompt_tokens"] > 0 and float(seen["cost"]) > 0
    assert (seen["refused"]["status"], seen["refused"]["code"]) == (404, "model_not_found")


def audio(seen: dict[str, Any]) -> None:
    length = len(base64.b64decode(seen["sounds"].pop("pcm"))) / 48_000
    for kind, sound in seen["sounds"].items():
        codec, seconds, channels = looked(base64.b64decode(sound))
        assert codec.startswith("pcm_s16" if kind == "wav" else kind) and channels == 1
        assert seconds == pytest.approx(length, abs=0.15)
    assert seen["last"]["type"] == "speech.audio.done" and seen["last"]["usage"]["output_tokens"] > 0
    assert seen["plain"] == seen["streamed"] == seen["english"] == seen["input"]
    assert seen["duration"] == pytest.approx(length, abs=0.15)
    assert [word["word"] for word in seen["words"]] == seen["input"].split()
    assert seen["words"][-1]["end"] <= seen["duration"]
    assert seen["srt"].count(" --> ") == seen["told"]["vtt"].count(" --> ") == 2
    assert seen["told"]["text"].strip() == seen["told"]["json"]["text"] == seen["input"]
    speakers, begins, ends, texts = zip(*seen["speakers"], strict=True)
    assert len(set(speakers)) == 2 and "".join(texts).split() == seen["input"].split()
    assert list(begins) == sorted(begins) and max(ends) <= length + 0.1
    assert seen["translated"]["duration"] == pytest.approx(length, abs=0.15)
    assert len(seen["translated"]["segments"]) == 2
    assert (seen["unreadable"]["name"], seen["unreadable"]["status"]) == ("BadRequestError", 400)
    assert seen["usage"]["input_token_details"]["audio_tokens"] == pytest.approx(10 * length, abs=3)
    assert (seen["refused"]["name"], seen["refused"]["status"]) == ("BadRequestError", 400)


def images(seen: dict[str, Any]) -> None:
    def found(text: str) -> Image.Image:
        return opened(base64.b64decode(text, validate=True))

    for kind, made in seen["kinds"].items():
        pictures = [found(one) for one in made["pictures"]]
        assert [(one.format, one.size) for one in pictures] == [(kind.upper(), (1536, 1024))] * 2
        assert made["usage"]["output_tokens"] == 2 * 400 and made["size"] == "1536x1024"
    assert opened(httpx.get(seen["url"]).content).size == (1024, 1792)
    assert [one["type"] for one in seen["events"]] == ["image_generation.partial_image"] * 2 + [
        "image_generation.completed"
    ]
    assert {found(one["picture"]).size for one in seen["events"]} == {(1024, 1024)}
    assert seen["events"][-1]["usage"]["output_tokens"] == 272 + 2 * 100
    edited, given = found(seen["edited"]["picture"]).convert("RGB"), opened(PICTURES["one.png"]).convert("RGB")
    assert ImageChops.difference(edited, given).getbbox() == HOLE
    assert seen["edited"]["usage"]["input_tokens_details"]["image_tokens"] == 2 * 194
    assert seen["edits"] == ["image_edit.completed"]
    assert [found(one).size for one in seen["varied"]] == [(256, 256)] * 2
    for refused in (seen["refused"], seen["wrongMask"]):
        assert (refused["name"], refused["status"]) == ("BadRequestError", 400) and refused["id"].startswith("req_")


def moderations(seen: dict[str, Any]) -> None:
    assert seen["flagged"] == [False, True]
    assert seen["violence"][0] < 0.5 < seen["violence"][1]
    assert seen["mixed"] == 1
    assert float(seen["cost"]) == 0


def realtime(seen: dict[str, Any]) -> None:
    assert seen["text"] == "Hello from here." and seen["usage"]["output_tokens"] > 0
    assert seen["transcript"] == "One two three."
    assert seen["bytes"] == seen["audio"] * 50 * 48 > 0
    assert (seen["wrong"]["type"], seen["wrong"]["param"]) == ("invalid_request_error", "type")
    assert seen["unknown"] == 404
    assert seen["secret"].startswith("ek_") and seen["bound"] == "Bound."


def responses(seen: dict[str, Any]) -> None:
    assert seen["text"] and seen["usage"]["output_tokens"] > 0 and float(seen["cost"]) > 0
    assert seen["second"]["text"] and seen["second"]["previous"] == seen["second"]["first"]
    assert seen["types"][0] == "response.created" and seen["types"][-1] == "response.completed"
    assert seen["delta"] and seen["delta"] == seen["streamed"]
    assert seen["helped"] and seen["got"] is True
    assert isinstance(seen["city"], str) and "21" in seen["told"]
    assert seen["items"] == ["message"]
    assert seen["gone"]["status"] == 404
    assert (seen["lost"]["status"], seen["lost"]["code"]) == (400, "previous_response_not_found")
    later = seen["background"]
    assert re.fullmatch(r"resp_[0-9a-f]{32}", later["id"]) and later["text"]
    assert (later["begun"], later["ended"]) == ("queued", "completed")


def background(seen: dict[str, Any]) -> None:
    created, done = seen["created"], seen["done"]
    assert (created["status"], created["background"], created["output"]) == ("queued", True, [])
    assert (done["id"], done["status"]) == (created["id"], "completed")
    assert done["text"] and done["usage"]["output_tokens"] > 0
    assert seen["next"]
    canceled = seen["canceled"]
    assert [canceled[name] for name in ("status", "after", "twice")] == ["cancelled"] * 3
    assert canceled["id"] != created["id"]
    assert seen["late"] == "completed"
    assert seen["unknown"]["status"] == 404
    assert (seen["streamed"]["name"], seen["streamed"]["status"]) == ("BadRequestError", 400)


#: Check of a script's words, by the script's name, and the operation that it is about.
SCRIPTS: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "chat": ("openai.chat", chat),
    "stream": ("openai.chat", stream),
    "models": ("openai.models", models),
    "completions": ("openai.completions", completions),
    "embeddings": ("openai.embeddings", embeddings),
    "moderations": ("openai.moderations", moderations),
    "realtime": ("openai.realtime", realtime),
    "responses": ("openai.responses", responses),
    "background": ("openai.responses", background),
    "audio": ("openai.speech", audio),
    "images": ("openai.images.generations", images),
}
#: What others look at.
ELSEWHERE = {"batches", "client", "copies", "files", "platform", "replicate"}


def test_each_script_has_its_test() -> None:
    assert {path.stem for path in FOLDER.glob("*.mjs")} == {*SCRIPTS} | ELSEWHERE


@pytest.mark.parametrize("script", [name for name, (operation, _) in SCRIPTS.items() if operation in SERVED])
def test_node(gateways: Gateways, script: str, tmp_path: Path) -> None:
    for name, data in PICTURES.items():
        (tmp_path / name).write_bytes(data)
    SCRIPTS[script][1](tell(script, gateways.key, *gateways.origins, PICTURES=str(tmp_path)))


def test_the_books_agree(gateways: Gateways) -> None:
    tell("chat", gateways.key, *gateways.origins)
    gateways.sound()
