"""Suno by servers of other forms: what they make is the same, and what they can't do goes to one that can, or is refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.stage import Stage, set_stage
from support.suno import Suno, opened, seconds
from support.world import start
from unigate.base.clock import now_ms

CHANNELS = """
channels:
  - {name: gcui, provider: suno_gcui, base_url: SANDBOX/suno_gcui, credentials: "a=1; __client=one", models: [suno],
     groups: [small, both], priority: 5}
  - {name: feed, provider: suno_feed, base_url: SANDBOX/suno/suno, credentials: sk-feed, models: [suno], groups: [fed],
     options: {every_task: true}}
  - {name: strict, provider: suno_feed, base_url: SANDBOX/suno/suno, credentials: sk-strict, models: [suno], groups: [strict]}
  - {name: relay, provider: suno_relay, base_url: SANDBOX/suno, credentials: sk-relay, models: [suno], groups: [both],
     options: {fetch_one: true}}
settings: {tasks: {poll_scale: 0.2}}
groups: [{name: small}, {name: fed}, {name: strict}, {name: both}]
users:
  - {name: ann, credit: 100, group: small}
  - {name: fay, credit: 100, group: fed}
  - {name: sue, credit: 100, group: strict}
  - {name: bea, credit: 100, group: both}
keys:
  - {name: app, user: ann, secret: sk-app-0123456789}
  - {name: fay, user: fay, secret: sk-fay-0123456789}
  - {name: sue, user: sue, secret: sk-sue-0123456789}
  - {name: bea, user: bea, secret: sk-bea-0123456789}
"""
LYRICS = "[Verse]\nTwo boats upon the water"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before a sandbox."""
    home = tmp_path_factory.mktemp("suno-servers")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "20"], home / "sandbox.log")
    stage = set_stage(home, vendors, CHANNELS)
    yield stage
    stage.stop()
    vendors.stop()


def heard(clip: dict[str, Any], stage: Stage) -> float:
    """How long a clip is that is complete, with its files on the gateway."""
    assert clip["status"] == "complete" and clip["user_id"].startswith("usr_")
    assert clip["audio_url"].startswith(stage.url) and opened(clip["image_url"]).startswith(b"\x89PNG")
    length = seconds(clip["audio_url"])
    assert abs(length - clip["metadata"]["duration"]) < 0.2
    return length


@pytest.mark.endpoint("S1", "S5", "S8")
def test_songs_by_gcui_s_server(stage: Stage) -> None:
    ann, since = Suno(stage), now_ms()
    first, second = ann.songs(prompt=LYRICS, title="Boats", tags="folk", mv="chirp-v4")
    assert heard(first, stage) > 3 and heard(second, stage) > 3
    assert (first["title"], first["metadata"]["tags"], first["metadata"]["prompt"]) == ("Boats", "folk", LYRICS)
    assert (first["model_name"], first["major_model_version"]) == ("chirp-v4", "v4")
    idea, _ = ann.songs(gpt_description_prompt="a song about boats", make_instrumental=True, mv="chirp-v4")
    assert heard(idea, stage) > 3 and idea["metadata"]["gpt_description_prompt"] == "a song about boats"
    more = {"prompt": "[Verse 2]\nAnd on", "tags": "folk", "mv": "chirp-v4", "title": "Further"}
    part, _ = ann.songs(task="extend", continue_clip_id=first["id"], continue_at=3, **more)
    (whole,) = ann.done("/submit/concat", clip_id=part["id"])
    assert heard(whole, stage) == pytest.approx(3 + heard(part, stage), abs=0.3)
    voice, band = ann.songs(task="gen_stem", continue_clip_id=first["id"], stem_task="two", prompt="", mv="chirp-auk")
    assert "Vocals" in voice["title"] and heard(band, stage) == pytest.approx(heard(first, stage), abs=0.2)
    assert stage.charged(since) == 4 * 100_000_000
    told = [one for one in stage.received("Boats") if one["path"].endswith("/api/custom_generate")]
    assert len(told) == 1 and told[0]["body"]["wait_audio"] is False


@pytest.mark.endpoint("S2")
def test_words_come_at_once(stage: Stage) -> None:
    ann, since = Suno(stage), now_ms()
    task = ann.until(ann.taken("/submit/lyrics", prompt="boats"))
    assert task["status"] == "SUCCESS" and task["data"]["text"] and task["data"]["title"]
    failed = ann.until(ann.taken("/submit/lyrics", prompt="boats sandbox-moderated"))
    assert (failed["status"], failed["fail_reason"]) == ("FAILURE", "The words were refused.")
    assert stage.charged(since) == 10_000_000


def test_what_a_server_cannot_do_is_refused_where_no_other_is(stage: Stage) -> None:
    ann, sue, since = Suno(stage), Suno(stage, "sk-sue-0123456789"), now_ms()
    clip, _ = ann.songs(prompt=LYRICS, title="Ours", tags="folk", mv="chirp-v4")
    other, _ = sue.songs(prompt=LYRICS, title="Theirs", tags="folk", mv="chirp-v4")
    asked = len([one for one in stage.received("") if one["method"] == "POST"])
    for suno, named in ((ann, clip), (sue, other)):
        assert suno.refused("/submit/music", task="cover", cover_clip_id=named["id"], prompt="x") == "unsupported"
        assert suno.refused("/submit/wav", clip_id=named["id"]) == "unsupported"
        assert suno.refused("/submit/lyrics", prompt="x", lyrics_model="remi-v1") == "unsupported"
    assert sue.refused("/submit/concat", clip_id=other["id"]) == "unsupported"
    assert ann.refused("/submit/concat", clip_id=clip["id"], is_infill=True) == "unsupported"
    assert ann.refused("/submit/lyrics", prompt="") == "unsupported"
    assert len([one for one in stage.received("") if one["method"] == "POST"]) == asked
    assert stage.charged(since) == 2 * 100_000_000


@pytest.mark.endpoint("S9")
def test_what_is_asked_of_a_clip(stage: Stage) -> None:
    ann, sue, since = Suno(stage), Suno(stage, "sk-sue-0123456789"), now_ms()
    clip, _ = ann.songs(prompt=LYRICS, title="Timed", tags="folk", mv="chirp-v4")
    told = ann.good("GET", f"/act/timing/{clip['id']}")
    assert [word["word"].split()[-1] for word in told["aligned_words"]] == ["Two", "boats", "upon", "the", "water"]
    assert told["code"] == "success" and told["data"]["aligned_words"] == told["aligned_words"]
    assert ann.refused(f"/act/wav/{clip['id']}", method="GET") == "unsupported"
    assert ann.refused("/persona/create", root_clip_id=clip["id"], name="Ada") == "unsupported"
    assert sue.refused(f"/act/timing/{clip['id']}", method="GET") == "task_origin_not_exist"
    other, _ = sue.songs(prompt=LYRICS, title="Untimed", tags="folk", mv="chirp-v4")
    assert sue.refused(f"/act/timing/{other['id']}", method="GET") == "unsupported"
    assert stage.charged(since) == 2 * 100_000_000


def test_what_a_server_cannot_do_goes_to_one_that_can(stage: Stage) -> None:
    bea = Suno(stage, "sk-bea-0123456789")
    clip, _ = bea.songs(prompt=LYRICS, title="Shared", tags="folk", mv="chirp-v4")
    assert heard(clip, stage) > 3
    words = bea.until(bea.taken("/submit/lyrics", prompt=""))
    assert words["status"] == "SUCCESS" and words["data"]["text"]
    task = bea.until(bea.taken("/uploads/audio-url", url=clip["audio_url"]))
    assert task["status"] == "SUCCESS", task
    body: dict[str, Any] = {"prompt": LYRICS, "tags": "jazz", "mv": "chirp-v4", "title": "Again"}
    cover, _ = bea.songs(task="cover", cover_clip_id=task["task_id"], **body)
    assert heard(cover, stage) == pytest.approx(heard(clip, stage), abs=0.5)
    assert bea.refused("/submit/music", task="cover", cover_clip_id=clip["id"], **body) == "unsupported"


@pytest.mark.endpoint("S1", "S14")
def test_songs_by_generate_and_feed(stage: Stage) -> None:
    fay, since = Suno(stage, "sk-fay-0123456789"), now_ms()
    first, _ = fay.songs(prompt=LYRICS, title="Fed", tags="folk", mv="chirp-v4")
    assert heard(first, stage) > 3
    body = {"prompt": LYRICS, "tags": "jazz", "mv": "chirp-v4", "title": "Covered"}
    cover, _ = fay.songs(task="cover", cover_clip_id=first["id"], **body)
    assert heard(cover, stage) == pytest.approx(heard(first, stage), abs=0.5)
    part, _ = fay.songs(task="extend", continue_clip_id=first["id"], continue_at=3, **body)
    (whole,) = fay.done("/submit/concat", clip_id=part["id"])
    assert heard(whole, stage) == pytest.approx(3 + heard(part, stage), abs=0.3)
    batch = fay.post("/generate/description-mode", gpt_description_prompt="boats", mv="chirp-v4")
    fay.until(batch["id"])
    ids = [clip["id"] for clip in batch["clips"]]
    fed = fay.good("GET", f"/feed/{','.join(ids)}")
    assert [clip["id"] for clip in fed] == ids and heard(fed[0], stage) > 3
    words = fay.until(fay.taken("/submit/lyrics", prompt="boats"))
    assert words["status"] == "SUCCESS" and words["data"]["text"]
    failed = fay.until(fay.taken("/submit/music", prompt="[Verse]\nsandbox-fail-all", tags="folk"))
    assert failed["status"] == "FAILURE" and failed["fail_reason"]
    assert stage.charged(since) == 4 * 100_000_000 + 10_000_000


def test_an_operator_can_try_them(stage: Stage) -> None:
    for name in ("gcui", "feed", "relay"):
        assert stage.manage("channel", "test", name)
    stage.settled()
    stage.sound()
