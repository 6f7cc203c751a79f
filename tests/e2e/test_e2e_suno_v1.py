"""Suno's older forms by plain HTTP: what the clients that know them do, from the submission to the opened song."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.stage import Stage, set_stage
from support.suno import BOB, CHANNELS, Suno, good_song, seconds
from support.waiting import wait_until
from support.world import start
from unigate.base.clock import now_ms

LYRICS = "[Verse]\nOver the hills and far away"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before a sandbox."""
    home = tmp_path_factory.mktemp("suno-v1")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "20"], home / "sandbox.log")
    stage = set_stage(home, vendors, CHANNELS)
    yield stage
    stage.stop()
    vendors.stop()


@pytest.fixture(scope="module")
def suno(stage: Stage) -> Suno:
    """Alice's client."""
    return Suno(stage)


def fed(suno: Suno, *ids: str) -> list[dict[str, Any]]:
    """Clips by `feed`, once each has ended."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = suno.good("GET", f"/feed/{','.join(ids)}")
        assert [clip["id"] for clip in found] == list(ids)
        return all(clip["status"] in ("complete", "error") for clip in found)

    wait_until(look, what="the clips of a feed", seconds=120)
    return found


@pytest.mark.endpoint("S14")
def test_songs_by_generate_and_feed(suno: Suno, stage: Stage) -> None:
    since = now_ms()
    batch = suno.post("/generate", prompt=LYRICS, mv="chirp-v4", title="Hills", tags="folk")
    assert (batch["batch_size"], batch["major_model_version"], batch["status"]) == (2, "v4", "complete")
    ids = [clip["id"] for clip in batch["clips"]]
    assert len(set(ids)) == 2 and {clip["status"] for clip in batch["clips"]} == {"submitted"}
    assert len(suno.good("GET", f"/feed/{','.join(ids)}")) == 2, "they are known at once"
    for clip in fed(suno, *ids):
        assert good_song(clip, stage) > 3 and clip["title"] == "Hills"
    assert stage.charged(since) == 100_000_000
    assert Suno(stage, BOB).good("GET", f"/feed/{ids[0]}") == []
    assert [clip["id"] for clip in suno.fetch(batch["id"])["data"]] == ids, "the other form shows the same clips"


@pytest.mark.endpoint("S14")
def test_a_longer_song_and_the_whole_of_it(suno: Suno, stage: Stage) -> None:
    first = suno.post(
        "/generate/description-mode", gpt_description_prompt="a song about hills", prompt="", mv="chirp-v4"
    )
    (clip,) = fed(suno, first["clips"][0]["id"])
    body: dict[str, Any] = {"prompt": LYRICS, "mv": "chirp-v4", "title": "Further", "tags": "folk", "task": "extend"}
    longer = suno.post("/generate", **body, continue_clip_id=clip["id"], continue_at=4)
    (part,) = fed(suno, longer["clips"][0]["id"])
    joined = suno.post("/generate/concat", clip_id=part["id"], is_infill=False)
    (whole,) = fed(suno, joined["id"])
    assert good_song(whole, stage) == pytest.approx(4 + seconds(part["audio_url"]), abs=0.3)
    assert suno.good("GET", f"/act/timing/{whole['id']}")["code"] == "success"
    assert suno.refused("/generate", **body, continue_clip_id=clip["id"], continue_at=900) == "invalid_request"


@pytest.mark.endpoint("S14")
def test_words(suno: Suno) -> None:
    id = suno.post("/generate/lyrics/", prompt="hills")["id"]
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(suno.good("GET", f"/lyrics/{id}"))
        return bool(found["status"] == "complete")

    wait_until(look, what="the words", seconds=60)
    assert found["text"] and found["title"] and set(found) == {"text", "title", "status"}
    song = suno.post("/generate", prompt="[Verse]\nsandbox-fail-all", tags="folk")
    assert suno.refused(f"/lyrics/{song['id']}", method="GET") == "task_not_exist"
    assert {clip["status"] for clip in fed(suno, *(clip["id"] for clip in song["clips"]))} == {"error"}
    many = ",".join(f"c{number}" for number in range(101))
    assert suno.refused(f"/feed/{many}", method="GET") == "invalid_request"
    assert suno.refused("/generate", mv="chirp-v4") == "invalid_request"


@pytest.mark.endpoint("S14")
def test_the_third_form(suno: Suno, stage: Stage) -> None:
    asked = {"prompt": LYRICS, "mv": "mv-v4", "title": "Hills", "tags": "folk"}
    told = suno.post("/v1/music", custom_mode=True, input=asked, notify_hook="")
    assert (told["code"], told["message"]) == (200, "success")
    found: dict[str, Any] = {}

    def look(kind: str = "music", id: str = told["data"]["task_id"]) -> bool:
        found.clear()
        found.update(suno.good("GET", f"/v1/{kind}/{id}")["data"])
        return found["status"] in ("completed", "failed")

    wait_until(look, what="the songs", seconds=120)
    assert found["status"] == "completed" and found["input"] == {**asked, "mv": "chirp-v4"}
    assert len(found["clips"]) == 2
    for id, clip in found["clips"].items():
        assert clip["id"] == id and good_song(clip, stage) > 3
    named = next(iter(found["clips"]))
    further = {"task": "extend", "continue_clip_id": named, "continue_at": 3}
    part = suno.post("/v1/music/", custom_mode=True, input={**asked, **further})["data"]["task_id"]
    wait_until(lambda: look(id=part), what="the longer song", seconds=120)
    whole = suno.post("/v1/v3.0/music/concat", clip_id=next(iter(found["clips"])))["data"]["task_id"]
    wait_until(lambda: look(id=whole), what="the whole song", seconds=120)
    assert found["status"] == "completed" and len(found["clips"]) == 1
    words = suno.post("/v1/lyrics", prompt="hills")["data"]["task_id"]
    wait_until(lambda: look("lyrics", words), what="the words", seconds=60)
    assert found["text"] and found["title"]
    refused = suno.call("POST", "/v1/music", {"input": 7})
    assert (refused.status_code, refused.json()["code"]) == (400, 400)


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()
