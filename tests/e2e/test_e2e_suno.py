"""Suno's scenarios by plain HTTP, from the submission to the song that is opened: docs/suno.md tells the same in words."""

import asyncio
import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from support.receiver import Receiver, receiving
from support.sounds import silence
from support.stage import Stage, set_stage
from support.suno import BOB, CHANNELS, Suno, good_song, heard, opened, seconds, streams
from support.waiting import until, wait_until
from support.world import start
from unigate.base.clock import now_ms
from unigate.sandbox.media.waves import Samples

LYRICS = "[Verse]\nWalking down the streets\nBeneath the city lights\n[Chorus]\nWe are alive tonight"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before a sandbox."""
    home = tmp_path_factory.mktemp("suno")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "20"], home / "sandbox.log")
    notify = "settings: {notify: {allow_private_targets: true}, tasks:"
    prices = "prices: [{operation: suno.act.wav, per_call: 0.05}]\n"
    stage = set_stage(home, vendors, CHANNELS.replace("settings: {tasks:", notify) + prices)
    yield stage
    stage.stop()
    vendors.stop()


@pytest.fixture(scope="module")
def suno(stage: Stage) -> Suno:
    """Alice's client."""
    return Suno(stage)


@pytest.fixture(scope="module")
def song(suno: Suno) -> dict[str, Any]:
    """A song of Alice's that others go on from."""
    return suno.songs(prompt=LYRICS, title="City Lights", tags="emotional punk", mv="chirp-v4")[0]


@pytest.mark.endpoint("S1", "S4")
def test_scenario_1_an_idea(suno: Suno, stage: Stage) -> None:
    since = now_ms()
    body = {"gpt_description_prompt": "a calm song about rain", "make_instrumental": False, "mv": "chirp-v4"}
    clips = suno.songs(**body)
    assert len(clips) == 2 and clips[0]["id"] != clips[1]["id"]
    for clip in clips:
        assert good_song(clip, stage) > 5
        assert clip["metadata"]["gpt_description_prompt"] == "a calm song about rain" and clip["metadata"]["prompt"]
    assert stage.charged(since) == 100_000_000


@pytest.mark.endpoint("S1", "S4")
def test_scenario_2_words_of_one_s_own(suno: Suno, stage: Stage) -> None:
    began = int(time.time())
    told = suno.post("/submit/music", prompt=LYRICS, tags="emotional punk", mv="chirp-v4", title="City Lights")
    assert (told["code"], told["message"], told["id"]) == ("success", "", told["data"])
    assert (told["title"], told["status"], told["model_name"]) == ("City Lights", "submitted", "chirp-v4")
    assert (told["major_model_version"], told["metadata"]["prompt"]) == ("v4", LYRICS)
    assert len(told["metadata"]) == 12 and len(told) == 25
    task = suno.until(told["data"])
    assert (task["task_id"], task["action"], task["progress"]) == (told["data"], "MUSIC", "100%")
    assert began <= task["submit_time"] <= task["start_time"] <= task["finish_time"] <= time.time() + 1
    for clip in task["data"]:
        assert good_song(clip, stage) > 5
        assert (clip["title"], clip["metadata"]["tags"], clip["metadata"]["prompt"]) == (
            "City Lights",
            "emotional punk",
            LYRICS,
        )
    assert suno.good("GET", f"/submit/fetch/{told['data']}")["data"]["status"] == "SUCCESS"


@pytest.mark.endpoint("S13")
def test_scenario_3_without_singing(suno: Suno, stage: Stage) -> None:
    body = {"prompt": "", "tags": "slow piano", "mv": "chirp-v4", "title": "Quiet", "make_instrumental": True}
    (clip, _) = suno.songs(**body)
    assert good_song(clip, stage) > 5
    assert suno.good("GET", f"/act/timing/{clip['id']}")["aligned_words"] == []


@pytest.mark.endpoint("S13")
def test_scenario_4_an_idea_without_singing(suno: Suno, stage: Stage) -> None:
    idea = "a march for a parade of ducks"
    (clip, _) = suno.songs(gpt_description_prompt=idea, mv="chirp-v4", prompt="", make_instrumental=True)
    assert good_song(clip, stage) > 5


@pytest.mark.endpoint("S6", "S7")
def test_scenario_5_a_sound_of_one_s_own_goes_on(suno: Suno, stage: Stage) -> None:
    clip = suno.uploaded(silence(8))
    more = {"prompt": "[Verse]\nAnd on it goes", "tags": "folk", "negative_tags": "", "mv": "chirp-v4", "title": "On"}
    (longer, _) = suno.songs(**more, continue_clip_id=clip, continue_at=6, task="upload_extend")
    assert good_song(longer, stage) > 3


@pytest.mark.endpoint("S1", "S5")
def test_scenario_6_a_longer_song_and_the_whole_of_it(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    at = 4.0
    more = {"prompt": "[Verse 2]\nUntil the sun comes up", "tags": "punk", "mv": "chirp-v4", "title": "City Lights 2"}
    (part, _) = suno.songs(**more, task="extend", continue_clip_id=song["id"], continue_at=at)
    length = good_song(part, stage)
    (whole,) = suno.done("/submit/concat", clip_id=part["id"], is_infill=False)
    assert whole["metadata"]["type"] == "concat"
    assert whole["metadata"]["concat_history"][0] == {"id": song["id"], "continue_at": at}
    assert good_song(whole, stage) == pytest.approx(at + length, abs=0.3)
    (upstream,) = [one for one in stage.received("City Lights 2") if one["path"].endswith("/submit/music")]
    assert "task_id" in json.dumps(upstream["body"]), "the server is told its own task"


@pytest.mark.endpoint("S13")
def test_scenario_7_a_cover(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    body = {"prompt": LYRICS, "tags": "slow jazz", "negative_tags": "", "mv": "chirp-v4-tau", "title": "Jazz"}
    (cover, _) = suno.songs(task="cover", cover_clip_id=song["id"], generation_type="TEXT", **body)
    assert good_song(cover, stage) == pytest.approx(seconds(song["audio_url"]), abs=0.5)
    assert heard(cover["audio_url"]) != heard(song["audio_url"])


@pytest.mark.endpoint("S13", "S5")
def test_scenario_8_a_section_made_anew(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    body = {"prompt": LYRICS, "tags": "punk", "negative_tags": "", "mv": "chirp-v3-5-tau", "title": "Mended"}
    window = {"continue_at": None, "continued_aligned_prompt": None, "infill_start_s": 2, "infill_end_s": 4.5}
    (part, _) = suno.songs(task="infill", continue_clip_id=song["id"], generation_type="TEXT", **body, **window)
    (whole,) = suno.done("/submit/concat", clip_id=part["id"], is_infill=True)
    assert good_song(whole, stage) == pytest.approx(seconds(song["audio_url"]), abs=0.5)


@pytest.mark.endpoint("S12")
def test_scenario_9_a_singer(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    persona = suno.post("/persona/create/", root_clip_id=song["id"], name="Ada", clips=[song["id"]], is_public=False)
    assert persona["id"] == persona["data"]["id"] and persona["root_clip_id"] == song["id"]
    body = {"prompt": "[Verse]\nThe same voice again", "tags": "folk", "mv": "chirp-v4-tau", "title": "Again"}
    named = {"persona_id": persona["id"], "artist_clip_id": song["id"], "generation_type": "TEXT"}
    (clip, _) = suno.songs(task="artist_consistency", **named, **body)
    assert good_song(clip, stage) > 3


@pytest.mark.endpoint("S6", "S7")
def test_scenario_10_a_sound_by_its_address(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    told = suno.post("/uploads/audio-url", url=song["audio_url"])
    assert told["data"] == told["clip_id"] == told["task_id"]
    task = suno.until(told["data"])
    assert (task["action"], task["status"]) == ("UPLOAD", "SUCCESS"), task
    (clip,) = task["data"]
    assert clip["id"] == told["data"] and clip["metadata"]["type"] == "upload"
    body = {"prompt": "[Verse]\nHeard before", "tags": "folk", "mv": "chirp-v4", "title": "Before"}
    (cover, _) = suno.songs(task="cover", cover_clip_id=clip["id"], **body)
    assert good_song(cover, stage) == pytest.approx(seconds(song["audio_url"]), abs=0.5)
    (longer, _) = suno.songs(task="upload_extend", continue_clip_id=clip["id"], continue_at=5, **body)
    assert good_song(longer, stage) > 3


@pytest.mark.endpoint("S8")
def test_stems(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    wanted = {"stem_type_id": 91, "stem_type_group_name": "Two", "stem_task": "two"}
    body = {
        "generation_type": "TEXT",
        "title": "City Lights",
        "mv": "chirp-auk",
        "prompt": "",
        "make_instrumental": True,
    }
    empty = {"continued_aligned_prompt": None, "continue_at": None}
    voice, band = suno.songs(task="gen_stem", continue_clip_id=song["id"], **wanted, **body, **empty)
    assert voice["metadata"]["stem_from_id"] == band["metadata"]["stem_from_id"] == song["id"]
    assert "Vocals" in voice["title"] and "Instrumental" in band["title"]
    one, other = music(voice), music(band)
    assert one != other and len(one) == len(other)


def music(clip: dict[str, Any]) -> Samples:
    """The samples of a track, which may be silent here and there."""
    return heard(clip["audio_url"])


@pytest.mark.endpoint("S2", "S3", "S4")
def test_lyrics_and_many_tasks_at_once(suno: Suno, stage: Stage) -> None:
    since = now_ms()
    told = suno.post("/submit/LYRICS", prompt="a lighthouse keeper's holiday")
    assert (told["text"], told["title"], told["status"], told["id"]) == ("", "", "submitted", told["data"])
    task = suno.until(told["data"])
    words = task["data"]
    assert task["action"] == "LYRICS" and words["text"] and words["title"] and words["status"] == "complete"
    assert stage.charged(since) == 10_000_000
    other = suno.taken("/submit/lyrics/", prompt="")
    suno.until(other)
    ids = [other, told["data"], "00000000-0000-4000-8000-000000000000"]
    for path in ("/fetch", "/submit/fetch", "/fetch/"):
        many = suno.post(path, ids=ids)["data"]
        assert [one["task_id"] for one in many] == ids[:2]
    assert suno.post("/fetch", ids=ids, action="MUSIC")["data"] == []
    assert len(suno.post("/fetch", ids=ids, action="lyrics")["data"]) == 2
    assert Suno(stage, BOB).post("/fetch", ids=ids)["data"] == []
    assert Suno(stage, prefix="/sunoapi").fetch(other)["status"] == "SUCCESS"


@pytest.mark.endpoint("S2")
def test_lyrics_by_a_model_that_writes_two(suno: Suno) -> None:
    task = suno.until(suno.taken("/submit/lyrics", prompt="a lighthouse", lyrics_model="remi-v1"))
    one, other = task["data"]
    assert task["status"] == "SUCCESS" and one["text"] and other["text"] and one["text"] != other["text"]
    assert {one["status"], other["status"]} == {"complete"} and one["id"] != other["id"]
    assert suno.good("GET", f"/lyrics/{task['task_id']}")["text"] == one["text"], "the older form has room for one"


@pytest.mark.endpoint("S9")
def test_when_each_word_is_sung(suno: Suno, song: dict[str, Any]) -> None:
    told = suno.good("GET", f"/act/timing/{song['id']}")
    assert told["code"] == "success" and told["data"]["aligned_words"] == told["aligned_words"]
    words = told["aligned_words"]
    sung = [word.strip(",.") for word in LYRICS.split() if not word.startswith("[")]
    assert [word["word"].split()[-1].strip(",.") for word in words] == sung
    starts = [word["start_s"] for word in words]
    assert starts == sorted(starts) and all(word["start_s"] < word["end_s"] for word in words)
    assert words[-1]["end_s"] <= song["metadata"]["duration"] and told["waveform_data"]


@pytest.mark.endpoint("S10", "S11")
def test_other_files_of_a_clip(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    length, since = song["metadata"]["duration"], now_ms()
    wav = ready(suno, f"/act/wav/{song['id']}/", "wav_file_url")
    assert wav["data"]["wav_file_url"] == wav["wav_file_url"]
    assert opened(wav["wav_file_url"]).startswith(b"RIFF")
    assert seconds(wav["wav_file_url"]) == pytest.approx(length, abs=0.05)
    film = ready(suno, f"/act/mp4/{song['id']}", "video_url")
    assert film["video_url"] == film["mp4_file_url"] == film["mp4"] == film["data"]["mp4"]
    assert streams(film["video_url"]) == ["audio", "video"]
    assert seconds(film["video_url"]) == pytest.approx(length, abs=0.5)
    notes = ready(suno, f"/act/midi/{song['id']}", "instruments")
    assert notes["state"] == "complete" and notes["instruments"][0]["notes"]
    assert stage.charged(since) == 50_000_000, "the wav, once, when it was there"


@pytest.mark.endpoint("S8")
def test_tracks_the_former_way(suno: Suno, song: dict[str, Any]) -> None:
    told = ready(suno, f"/act/stems/{song['id']}", "clips")
    voice, band = told["clips"]
    assert heard(voice["audio_url"]) != heard(band["audio_url"])
    assert suno.good("GET", f"/act/timing/{voice['id']}")["code"] == "success", "they may be asked about"
    assert Suno(suno.stage, BOB).refused(f"/act/timing/{voice['id']}", method="GET") == "task_origin_not_exist"


@pytest.mark.endpoint("S1", "S2")
async def test_who_asks_for_it_is_told_of_the_end(suno: Suno, stage: Stage) -> None:
    async with receiving() as hook:
        for path, body in (
            ("/submit/lyrics", {"prompt": "a bell"}),
            ("/submit/music", {"prompt": "[Verse]\nsandbox-fail-all", "tags": "folk"}),
        ):
            id = await asyncio.to_thread(suno.taken, path, **body, notify_hook=f"{hook.url}/{path[-5:]}")
            await until(partial(told_of, hook, id), seconds=60)
            (told,) = told_of(hook, id)
            assert told == (await asyncio.to_thread(suno.fetch, id)) and told["notify_hook"].startswith(hook.url)
    assert [one.json["status"] for one in hook.got] == ["SUCCESS", "FAILURE"]
    assert stage.received(hook.url) == [], "the vendor is told nothing of it"


def told_of(hook: Receiver, id: str) -> list[dict[str, Any]]:
    """What was told of a task."""
    return [one.json for one in hook.got if one.json["task_id"] == id]


@pytest.mark.endpoint("S13")
def test_styles_in_more_words(suno: Suno) -> None:
    assert suno.post("/act/tags", original_tags="student")["upsampled_tags"].startswith("student, ")


@pytest.mark.endpoint("S12")
def test_the_voice_of_a_stretch(suno: Suno, song: dict[str, Any]) -> None:
    told = suno.post(f"/act/vox/{song['id']}", vocal_start_s=1, vocal_end_s=3.5)
    assert told["id"] and told["data"] == {"id": told["id"]}
    (upstream,) = suno.stage.received("vocal_start_s")
    assert upstream["body"] == {"vocal_start_s": 1, "vocal_end_s": 3.5}
    for moments in ({}, {"vocal_start_s": 3, "vocal_end_s": 1}, {"vocal_start_s": "1", "vocal_end_s": 2}):
        assert suno.refused(f"/act/vox/{song['id']}", **moments) == "invalid_request"
    assert len(suno.stage.received("vocal_start_s")) == 1
    other = Suno(suno.stage, BOB)
    assert other.refused(f"/act/vox/{song['id']}", vocal_start_s=1, vocal_end_s=2) == "task_origin_not_exist"


@pytest.mark.endpoint("S8", "S9", "S10", "S11", "S12", "S13")
def test_submits_of_newer_relays(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    since, length, named = now_ms(), song["metadata"]["duration"], {"clip_id": song["id"]}
    voice, band = suno.done("/submit/stems", **named)
    assert "Vocals" in voice["title"] and heard(band["audio_url"]) != heard(voice["audio_url"])
    (part,) = suno.done("/submit/crop", **named, crop_start_s=1, crop_end_s=4.5)
    assert good_song(part, stage) == pytest.approx(3.5, abs=0.1)
    (quick,) = suno.done("/submit/SPEED", **named, speed=2)
    assert good_song(quick, stage) == pytest.approx(length / 2, abs=0.1)
    assert suno.good("GET", f"/act/timing/{quick['id']}")["aligned_words"], "it may be gone on from and asked about"
    assert stage.charged(since) == 100_000_000, "the tracks"

    wav = finished(suno, "wav", **named)["wav_file_url"]
    assert wav.startswith(stage.url) and seconds(wav) == pytest.approx(length, abs=0.05)
    film = finished(suno, "video", **named)
    assert film["video_url"].startswith(stage.url) and streams(film["video_url"]) == ["audio", "video"]
    assert finished(suno, "timing", **named)["aligned_words"][0]["word"].startswith("[Verse]")
    assert finished(suno, "midi", **named)["instruments"][0]["notes"]
    assert finished(suno, "upsample-tags", original_tags="student")["upsampled_tags"].startswith("student, ")
    persona = finished(suno, "persona", root_clip_id=song["id"], name="Ada", clips=[song["id"]])
    assert persona["name"] == "Ada" and persona["user_handle"] == "" and "handle" not in persona["clip"]
    sung = {"task": "artist_consistency", "persona_id": persona["id"], "prompt": "[Verse]\nAgain", "title": "Again"}
    assert good_song(suno.songs(**sung)[0], stage) > 3
    assert Suno(stage, BOB).refused("/submit/music", **sung) == "task_origin_not_exist"
    assert stage.charged(since) == 2 * 100_000_000


def test_what_newer_relays_refuse(suno: Suno, stage: Stage, song: dict[str, Any]) -> None:
    since, named, bob = now_ms(), {"clip_id": song["id"]}, Suno(stage, BOB)
    length = song["metadata"]["duration"]
    for action, body in (
        ("wav", {}),
        ("stems", {}),
        ("crop", {**named, "crop_start_s": 2, "crop_end_s": 2}),
        ("crop", {**named, "crop_start_s": 1, "crop_end_s": length + 5}),
        ("speed", {**named, "speed": 9}),
        ("speed", {**named, "speed": True}),
        ("persona", {"root_clip_id": song["id"]}),
        ("upsample-tags", {"original_tags": " "}),
        ("anything", named),
    ):
        assert suno.refused(f"/submit/{action}", **body) == "invalid_request", (action, body)
    for action in ("wav", "stems", "timing"):
        assert bob.refused(f"/submit/{action}", **named) == "task_origin_not_exist"
    assert bob.refused("/submit/persona", root_clip_id=song["id"], name="Eve") == "task_origin_not_exist"
    assert stage.charged(since) == 0


def finished(suno: Suno, action: str, **body: object) -> dict[str, Any]:
    """What comes of a submit that makes no clips."""
    task = suno.until(suno.taken(f"/submit/{action}", **body))
    assert (task["status"], task["action"]) == ("SUCCESS", action.upper()), task
    found: dict[str, Any] = task["data"]
    return found


def ready(suno: Suno, path: str, name: str) -> dict[str, Any]:
    """What a call answers once a member of it is there."""
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(suno.good("GET", path))
        return bool(found.get(name))

    wait_until(look, what=f"{path} to have {name}: {found}", seconds=60)
    return found


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()
