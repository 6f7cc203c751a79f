"""The two other dialects of the imitation Suno server."""

from typing import Any

import pytest
from sandbox_client import Sandbox, eventually
from suno_client import Suno

from support.sounds import looked


@pytest.fixture(scope="module")
def suno(sandbox: Sandbox) -> Suno:
    return Suno(sandbox)


def done(suno: Suno, ids: list[str]) -> list[dict[str, Any]]:
    """Clips once they are complete."""

    def look() -> list[dict[str, Any]] | None:
        clips: list[dict[str, Any]] = suno.get(f"/feed/{','.join(ids)}")
        return clips if clips and all(clip["status"] in ("complete", "error") for clip in clips) else None

    found: list[dict[str, Any]] = eventually(look, 90)
    return found


def test_generate_and_feed(suno: Suno, sandbox: Sandbox) -> None:
    answer = suno.post("/generate", prompt="[Verse]\nOne two three", title="Count", tags="pop", mv="chirp-v4")
    assert answer["batch_size"] == 2 and answer["status"] == "complete" and answer["major_model_version"] == "v4"
    ids = [clip["id"] for clip in answer["clips"]]
    assert {clip["status"] for clip in answer["clips"]} == {"submitted"}
    clips = done(suno, [*ids, "unknown"])
    assert [clip["id"] for clip in clips] == ids
    assert looked(suno.file(clips[0]["audio_url"]))[1] == pytest.approx(clips[0]["duration"], abs=0.06)
    assert Suno(sandbox).get(f"/feed/{ids[0]}") == []
    more = suno.post("/generate", task="extend", continue_clip_id=ids[0], continue_at=3, prompt="Four", tags="pop")
    part = done(suno, [more["clips"][0]["id"]])[0]
    whole = done(suno, [suno.post("/generate/concat", clip_id=part["id"])["id"]])[0]
    assert whole["duration"] == pytest.approx(3 + part["duration"], abs=0.02)
    assert suno.get(f"/fetch/{answer['id']}")["data"]["status"] == "SUCCESS", "one task in both dialects"


def test_a_description_and_lyrics(suno: Suno) -> None:
    body = {"gpt_description_prompt": "rain over hills", "make_instrumental": True, "mv": "chirp-v4", "prompt": ""}
    assert suno.post("/generate/description-mode", **body)["clips"][0]["metadata"]["prompt"] == "[Instrumental]"
    id = suno.post("/generate/lyrics/", prompt="rain over hills")["id"]
    told = eventually(lambda: (now := suno.get(f"/lyrics/{id}"))["status"] != "running" and now, 30)
    assert told["status"] == "complete" and "hills" in told["text"] and told["title"]
    assert suno.ask("/lyrics/none").status_code == 400
    assert suno.send("/generate").status_code == 400


def test_codes_in_figures(suno: Suno) -> None:
    body = {"prompt": "sandbox-fail", "tags": "pop", "title": "One", "mv": "chirp-v4"}
    answer = suno.post("/v1/music", custom_mode=True, input=body, notify_hook="")
    assert answer["code"] == 200
    id = answer["data"]["task_id"]

    def look() -> dict[str, Any] | None:
        data: dict[str, Any] = suno.get(f"/v1/music/{id}")["data"]
        return data if data["status"] in ("completed", "failed") else None

    data = eventually(look, 90)
    assert data["status"] == "completed" and len(data["clips"]) == 2
    assert all(clip["id"] == id for id, clip in data["clips"].items())
    assert suno.refused("/v1/music") == "invalid_request"
