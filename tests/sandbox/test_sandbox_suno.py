"""The imitation Suno server: songs from submit to the opened and measured file."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image
from sandbox_client import Sandbox, eventually
from suno_client import Suno

from support.sounds import looked
from unigate.sandbox.media import reel, waves
from unigate.sandbox.media.voice import RATE

LYRICS = "[Verse]\nRain on the roof\n[Chorus]\nSing with me now"
Clip = dict[str, Any]


@pytest.fixture(scope="module")
def suno(sandbox: Sandbox) -> Suno:
    return Suno(sandbox)


@pytest.fixture(scope="module")
def clips(suno: Suno) -> list[Clip]:
    return suno.made(prompt=LYRICS, title="Rain", tags="folk, 100 bpm", mv="chirp-v4", make_instrumental=False)


def test_a_song_in_lyrics_and_tags(suno: Suno, clips: list[Clip]) -> None:
    first, second = clips
    assert first["id"] != second["id"]
    for clip in clips:
        assert (clip["status"], clip["title"], clip["model_name"]) == ("complete", "Rain", "chirp-v4")
        assert clip["major_model_version"] == "v4" and clip["created_at"].endswith("Z")
        meta = clip["metadata"]
        assert (meta["prompt"], meta["tags"], meta["type"], meta["error_type"]) == (
            LYRICS,
            "folk, 100 bpm",
            "gen",
            None,
        )
        data = suno.file(clip["audio_url"])
        codec, seconds, _ = looked(data)
        assert codec.startswith("mp3") and meta["duration"] == clip["duration"] == pytest.approx(seconds, abs=0.06)
        assert min(waves.levels(suno.sound(clip))[:-1]) > 0.02
    sizes = [Image.open(io.BytesIO(suno.file(first[name]))).size for name in ("image_url", "image_large_url")]
    assert sizes == [(256, 256), (512, 512)]
    assert suno.sound(first) != suno.sound(second)


def test_its_way_from_the_first_moment(suno: Suno) -> None:
    late = suno.post("/submit/music", gpt_description_prompt="a song [[speed:0.02]]", mv="chirp-auk")["data"]
    first = suno.get(f"/fetch/{late}")["data"]
    assert (first["status"], first["data"], first["progress"]) == ("NOT_START", [], "0%")
    assert first["action"] == "MUSIC" and first["finish_time"] == 0 < first["submit_time"]
    id = suno.post("/submit/music", gpt_description_prompt="a song about boats [[speed:1]]", mv="chirp-auk")["data"]
    seen: list[tuple[str, str]] = []

    def look() -> bool:
        task = suno.get(f"/fetch/{id}/")["data"]
        told = (task["status"], task["data"][0]["status"] if task["data"] else "")
        if told not in seen:
            seen.append(told)
        if told[1] == "streaming":
            assert task["data"][0]["audio_url"] and task["data"][0]["metadata"]["duration"] is None
        return bool(task["status"] == "SUCCESS")

    eventually(look, 90)
    order = [("NOT_START", ""), ("SUBMITTED", "submitted"), ("QUEUED", "queued"), ("IN_PROGRESS", "streaming")]
    order.append(("SUCCESS", "complete"))
    assert seen == [one for one in order if one in seen] and seen[-1] == order[-1] and len(seen) >= 2
    clip = suno.get(f"/fetch/{id}")["data"]["data"][0]
    assert clip["metadata"]["gpt_description_prompt"].startswith("a song about boats")
    assert "boats" in clip["metadata"]["prompt"] and clip["title"] and clip["metadata"]["tags"]


def test_without_singing(suno: Suno) -> None:
    (clip, _) = suno.made(prompt="", tags="ambient piano", title="Still", mv="chirp-v4", make_instrumental=True)
    assert suno.get(f"/act/timing/{clip['id']}")["aligned_words"] == []


def test_going_on_and_the_full_song(suno: Suno, clips: list[Clip]) -> None:
    at = 5.0
    more = suno.made(
        task="extend", continue_clip_id=clips[0]["id"], continue_at=at, prompt="[Outro]\nGood night", tags="folk"
    )
    assert more[0]["metadata"]["history"][0]["id"] == clips[0]["id"]
    (whole,) = suno.made("/submit/concat", clip_id=more[0]["id"], is_infill=False)
    assert whole["metadata"]["type"] == "concat"
    assert whole["metadata"]["concat_history"][0] == {"id": clips[0]["id"], "continue_at": at}
    assert whole["duration"] == pytest.approx(at + more[0]["duration"], abs=0.02)
    heard = suno.sound(whole)
    assert len(heard) / RATE == pytest.approx(whole["duration"], abs=0.06)
    assert waves.level(heard[: 4 * RATE]) == pytest.approx(waves.level(suno.sound(clips[0])[: 4 * RATE]), rel=0.05)
    last = suno.made(task="extend", continue_clip_id=more[0]["id"], continue_at=4, prompt="Three", tags="folk")
    (full,) = suno.made("/submit/concat", clip_id=last[0]["id"])
    assert full["duration"] == pytest.approx(at + 4 + last[0]["duration"], abs=0.02), "from the first clip on"
    assert [one["id"] for one in full["metadata"]["concat_history"]] == [clips[0]["id"], more[0]["id"]]
    words = [one["word"].strip() for one in suno.get(f"/act/timing/{whole['id']}")["aligned_words"]]
    assert words[-2:] == ["[Outro]\nGood", "night"] and words[0] == "[Verse]\nRain"


def test_a_stretch_is_replaced(suno: Suno, clips: list[Clip]) -> None:
    body = {
        "continue_clip_id": clips[0]["id"],
        "infill_start_s": 3,
        "infill_end_s": 6.5,
        "prompt": "Thunder",
        "tags": "metal",
    }
    parts = suno.made(task="infill", mv="chirp-v3-5-tau", **body)
    assert parts[0]["duration"] == pytest.approx(3.5, abs=0.01)
    (whole,) = suno.made("/submit/concat", clip_id=parts[0]["id"], is_infill=True)
    assert whole["duration"] == pytest.approx(clips[0]["duration"], abs=0.01)


def test_tracks(suno: Suno, clips: list[Clip]) -> None:
    body = {
        "continue_clip_id": clips[0]["id"],
        "stem_type_id": 91,
        "mv": "chirp-auk",
        "task": "gen_stem",
        "title": "Rain",
    }
    two = suno.made(stem_type_group_name="Two", stem_task="two", **body)
    assert [clip["title"] for clip in two] == ["Rain (Vocals)", "Rain (Instrumental)"]
    assert {clip["model_name"] for clip in two} == {"chirp-stem"}
    assert {clip["metadata"]["stem_from_id"] for clip in two} == {clips[0]["id"]}

    def samples(clip: Clip) -> waves.Samples:
        """The exact ones, of the wav."""
        address = eventually(lambda: suno.get(f"/act/wav/{clip['id']}").get("wav_file_url"), 60)
        return waves.unpacked(suno.file(address)[-2 * round(clip["duration"] * RATE) :])

    vocals, others, song = (samples(clip) for clip in (*two, clips[0]))
    assert vocals != others and waves.level(vocals) > 0.01
    assert [sum(pair) for pair in zip(vocals, others, strict=True)] == list(song)
    twelve = suno.made(stem_type_group_name="Twelve", stem_task="twelve", **body)
    assert len(twelve) >= 4 and len({clip["title"] for clip in twelve}) == len(twelve)
    old = eventually(lambda: (told := suno.get(f"/act/stems/{clips[0]['id']}"))["status"] == "complete" and told, 60)
    assert [clip["title"] for clip in old["clips"]] == ["Rain (Vocals)", "Rain (Instrumental)"]


def test_timing_fits_the_voice(suno: Suno, clips: list[Clip]) -> None:
    told = suno.get(f"/act/timing/{clips[0]['id']}")
    words = told["aligned_words"]
    assert [one["word"] for one in words] == [
        "[Verse]\nRain ",
        "on ",
        "the ",
        "roof ",
        "[Chorus]\nSing ",
        "with ",
        "me ",
        "now ",
    ]
    times = [at for one in words for at in (one["start_s"], one["end_s"])]
    assert times == sorted(times) and times[-1] <= clips[0]["duration"]
    assert all(0 <= one <= 1 for one in told["waveform_data"]) and max(told["waveform_data"]) == 1


def test_other_files(suno: Suno, clips: list[Clip]) -> None:
    wav = eventually(lambda: suno.get(f"/act/wav/{clips[0]['id']}").get("wav_file_url"), 60)
    codec, seconds, _ = looked(suno.file(wav))
    assert codec == "pcm_s16le" and seconds == pytest.approx(clips[0]["duration"], abs=0.01)
    told = suno.get(f"/act/mp4/{clips[0]['id']}")
    assert told["video_url"] == told["mp4_file_url"] == told["mp4"]
    film = reel.opened(suno.file(told["video_url"]))
    assert film.size == (512, 512) and film.seconds == pytest.approx(seconds, abs=0.2)
    assert waves.level(film.heard()) > 0.02
    notes = eventually(lambda: suno.get(f"/act/midi/{clips[0]['id']}").get("instruments"), 60)[0]["notes"]
    assert len(notes) >= 4 and all(20 < note["pitch"] < 100 and note["start"] < note["end"] for note in notes)
    assert "calm" in suno.post("/act/tags", original_tags="calm")["upsampled_tags"]


def test_a_persona_sings(suno: Suno, clips: list[Clip]) -> None:
    made = suno.post(
        "/persona/create/", root_clip_id=clips[0]["id"], name="Ada", clips=[clips[0]["id"]], is_public=False
    )
    assert made["data"]["id"] == made["id"] and made["root_clip_id"] == clips[0]["id"] and made["is_public"] is False
    body = {
        "task": "artist_consistency",
        "persona_id": made["id"],
        "artist_clip_id": clips[0]["id"],
        "prompt": "Hello you",
    }
    sung = suno.made(mv="chirp-v4-tau", tags="pop", **body)
    assert sung[0]["metadata"]["persona_id"] == made["id"]
    assert suno.refused("/submit/music", **(body | {"persona_id": "none"})) == "task_origin_not_exist"


def test_lyrics_and_queries_of_several(suno: Suno) -> None:
    id = suno.post("/submit/lyrics", prompt="a song about a lighthouse")["data"]
    task = suno.ended({"code": "success", "data": id})
    assert task["action"] == "LYRICS" and task["status"] == "SUCCESS" and task["progress"] == "100%"
    assert task["data"]["status"] == "complete" and "lighthouse" in task["data"]["text"] and task["data"]["title"]
    found = suno.post("/fetch", ids=[id, "unknown"])
    assert found["code"] == "success" and [one["task_id"] for one in found["data"]] == [id]
    assert suno.post("/fetch", ids=[id], action="MUSIC")["data"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "prompt_empty"),
        ({"prompt": "", "tags": "", "gpt_description_prompt": ""}, "prompt_empty"),
        ({"prompt": "x", "mv": "gpt-4o"}, "invalid_request"),
        ({"prompt": "x", "task": "dance"}, "invalid_action"),
        ({"prompt": "x" * 3001, "mv": "chirp-v4"}, "invalid_request"),
        ({"prompt": 7}, "invalid_request"),
        ({"prompt": "x", "task_id": "none"}, "task_origin_not_exist"),
        ({"prompt": "x", "task": "extend", "continue_clip_id": "none"}, "task_origin_not_exist"),
        ({"prompt": "x", "task": "cover"}, "task_origin_not_exist"),
    ],
)
def test_bad_bodies_are_refused(suno: Suno, body: dict[str, Any], code: str) -> None:
    assert suno.refused("/submit/music", **body) == code


def test_what_does_not_fit_a_clip_is_refused(suno: Suno, clips: list[Clip], sandbox: Sandbox) -> None:
    id = clips[0]["id"]
    for body in (
        {"task": "extend", "continue_clip_id": id, "continue_at": 1000},
        {"task": "extend", "continue_clip_id": id, "continue_at": "soon"},
        {"task": "infill", "continue_clip_id": id, "infill_start_s": 5, "infill_end_s": 4},
        {"task": "infill", "continue_clip_id": id},
    ):
        assert suno.refused("/submit/music", prompt="x", **body) == "invalid_request"
    assert suno.refused("/submit/concat", clip_id=id) == "invalid_request"
    assert suno.refused("/submit/concat", clip_id="none") == "task_origin_not_exist"
    other = Suno(sandbox)
    extend = {"task": "extend", "continue_clip_id": id, "continue_at": 3, "prompt": "x"}
    assert other.refused("/submit/music", **extend) == "task_origin_not_exist", "a clip belongs to its account"
    assert other.ask(f"/act/timing/{id}").json()["code"] == "task_not_exist"
    answer = suno.ask("/fetch/none")
    assert (answer.status_code, answer.json()["code"]) == (400, "task_not_exist")


def test_words_that_make_tasks_fail(suno: Suno, sandbox: Sandbox) -> None:
    task = suno.ended(suno.post("/submit/music", prompt="sandbox-fail-all", tags="pop"))
    assert task["status"] == "FAILURE" and task["fail_reason"] and task["data"][0]["status"] == "error"
    task = suno.ended(suno.post("/submit/music", prompt="sandbox-moderated", tags="pop"))
    assert task["data"][0]["metadata"]["error_type"] == "moderation_failure" and "moderated" in task["fail_reason"]
    task = suno.ended(suno.post("/submit/music", prompt="one sandbox-fail here", tags="pop"))
    assert task["status"] == "SUCCESS" and [clip["status"] for clip in task["data"]] == ["complete", "error"]
    assert suno.send("/submit/music", prompt="sandbox-429").status_code == 429
    assert suno.send("/submit/lyrics", prompt="sandbox-500").status_code == 500
    refused = Suno(sandbox, key="invalid").send("/submit/music", prompt="x")
    assert refused.status_code == 401 and refused.json()["error"]["message"]
    assert suno.send("/submit/dance", prompt="x").json()["code"] == "invalid_request"
    task = suno.ended(Suno(sandbox, "/fault/fail-at:30/suno", suno.key).post("/submit/lyrics", prompt="x"))
    assert task["status"] == "FAILURE" and task["fail_reason"]


def test_a_callback_gets_the_task(suno: Suno, sandbox: Sandbox) -> None:
    hook = f"{sandbox.url}/sandbox/hooks/suno"
    id = suno.post("/submit/lyrics", prompt="x", notify_hook=hook)["data"]
    (told, *_) = eventually(lambda: httpx.get(hook).json()["data"], 30)
    assert told["body"]["task_id"] == id and told["body"]["status"] == "SUCCESS" and told["body"]["notify_hook"] == hook
