"""What Suno's callers get wrong: the convention's own error, nothing sent upstream, nothing charged."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.sounds import silence
from support.stage import Stage, set_stage
from support.suno import BOB, CHANNELS, POOR, Suno, opened
from support.waiting import wait_until
from support.world import start
from unigate.base.clock import now_ms

UNKNOWN = "0f5d2f0a-0000-4000-8000-000000000000"
MUSIC = "/submit/music"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before a sandbox."""
    home = tmp_path_factory.mktemp("suno-bad")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "20"], home / "sandbox.log")
    stage = set_stage(home, vendors, CHANNELS)
    yield stage
    stage.stop()
    vendors.stop()


@pytest.fixture(scope="module")
def suno(stage: Stage) -> Suno:
    """Alice's client."""
    return Suno(stage)


@pytest.fixture(scope="module")
def song(suno: Suno) -> dict[str, Any]:
    """A song of Alice's."""
    return suno.songs(prompt="[Verse]\nStill here", title="Here", tags="folk")[0]


def sent(stage: Stage) -> int:
    """How many calls the vendor has had that were not questions about tasks."""
    return len([one for one in stage.received("") if not one["path"].endswith("/fetch")])


@pytest.mark.endpoint("S1", "S5", "S12", "S13")
def test_what_is_unknown_or_cannot_be_is_refused_here(stage: Stage, suno: Suno, song: dict[str, Any]) -> None:
    since, asked = now_ms(), sent(stage)
    lyrics = {"prompt": "x", "tags": "folk"}
    outside = song["metadata"]["duration"] + 5
    far = {"infill_start_s": 1, "infill_end_s": outside}
    for body, code in (
        ({}, "invalid_request"),
        ({"prompt": ""}, "invalid_request"),
        ({**lyrics, "task": "paint"}, "invalid_request"),
        ({**lyrics, "task": "extend", "continue_clip_id": UNKNOWN, "continue_at": 1}, "task_origin_not_exist"),
        ({**lyrics, "task": "extend", "task_id": UNKNOWN, "continue_clip_id": song["id"]}, "task_origin_not_exist"),
        ({**lyrics, "task": "extend", "continue_clip_id": song["id"], "continue_at": outside}, "invalid_request"),
        ({**lyrics, "task": "infill", "continue_clip_id": song["id"], **far}, "invalid_request"),
        ({**lyrics, "task": "cover", "cover_clip_id": UNKNOWN}, "task_origin_not_exist"),
        ({**lyrics, "task": "artist_consistency", "persona_id": UNKNOWN}, "task_origin_not_exist"),
        ({**lyrics, "task": "gen_stem", "continue_clip_id": UNKNOWN}, "task_origin_not_exist"),
        ({**lyrics, "notify_hook": "http://169.254.1.1/hook"}, "invalid_callback"),
    ):
        assert suno.refused(MUSIC, **body) == code, body
    assert suno.refused("/submit/concat", clip_id=UNKNOWN) == "task_origin_not_exist"
    assert suno.refused("/submit/sing", prompt="x") == "invalid_request"
    assert suno.refused("/persona/create", root_clip_id=UNKNOWN, name="Ada") == "task_origin_not_exist"
    assert suno.refused("/persona/create", root_clip_id=song["id"], name=" ") == "invalid_request"
    assert suno.refused("/uploads/audio", extension="exe") == "invalid_request"
    assert suno.refused("/uploads/audio-url", url="file:///x.mp3") == "invalid_request"
    for path in (f"/act/wav/{UNKNOWN}", f"/uploads/audio/{UNKNOWN}"):
        assert suno.refused(path, method="GET") == "task_origin_not_exist"
    assert suno.refused(f"/fetch/{UNKNOWN}", method="GET") == "task_not_exist"
    assert suno.refused("/fetch", ids="all") == "invalid_request"
    assert (sent(stage), stage.charged(since)) == (asked, 0)


@pytest.mark.endpoint("S4", "S6", "S9")
def test_what_is_somebody_else_s_is_unknown(stage: Stage, song: dict[str, Any]) -> None:
    alice, bob = Suno(stage), Suno(stage, BOB)
    persona = alice.post("/persona/create", root_clip_id=song["id"], name="Ada")["id"]
    upload = alice.post("/uploads/audio", extension="wav")["id"]
    asked = sent(stage)
    more: dict[str, Any] = {"prompt": "x", "tags": "folk"}
    for body in (
        {"task": "extend", "continue_clip_id": song["id"], "continue_at": 1},
        {"task": "cover", "cover_clip_id": song["id"]},
        {"task": "artist_consistency", "persona_id": persona},
    ):
        assert bob.refused(MUSIC, **more, **body) == "task_origin_not_exist"
    assert bob.refused("/submit/concat", clip_id=song["id"]) == "task_origin_not_exist"
    assert bob.refused("/persona/create", root_clip_id=song["id"], name="Eve") == "task_origin_not_exist"
    assert bob.refused(f"/act/timing/{song['id']}", method="GET") == "task_origin_not_exist"
    assert bob.refused(f"/uploads/audio/{upload}", method="GET") == "task_origin_not_exist"
    assert sent(stage) == asked


@pytest.mark.endpoint("S1")
def test_without_money(stage: Stage) -> None:
    poor, asked = Suno(stage, POOR), sent(stage)
    assert poor.refused(MUSIC, 403, prompt="[Verse]\nNothing left") == "quota_not_enough"
    assert sent(stage) == asked


@pytest.mark.endpoint("S1")
def test_what_the_vendor_refuses_is_told_in_its_words_and_free(stage: Stage, suno: Suno) -> None:
    since = now_ms()
    reply = suno.call("POST", MUSIC, {"prompt": "x", "mv": "chirp-v99"})
    assert (reply.status_code, reply.json()["message"]) == (400, "model chirp-v99 is not supported")
    task = suno.until(suno.taken(MUSIC, prompt="[Verse]\nsandbox-moderated", tags="folk"))
    assert task["status"] == "FAILURE" and task["fail_reason"] == "Song Description contained moderated words"
    assert {clip["status"] for clip in task["data"]} == {"error"}
    assert {clip["metadata"]["error_type"] for clip in task["data"]} == {"moderation_failure"}
    assert stage.charged(since) == 0
    failed = {"task": "extend", "continue_clip_id": task["data"][0]["id"], "continue_at": 1}
    assert suno.refused(MUSIC, **failed) == "task_origin_not_exist"


@pytest.mark.endpoint("S1")
def test_one_clip_of_two(stage: Stage, suno: Suno) -> None:
    since = now_ms()
    task = suno.until(suno.taken(MUSIC, prompt="[Verse]\nsandbox-fail", tags="folk", title="Half"))
    assert [clip["status"] for clip in task["data"]] == ["complete", "error"]
    assert task["status"] == "SUCCESS" and stage.charged(since) == 100_000_000
    assert opened(task["data"][0]["audio_url"])
    broken = {"task": "cover", "cover_clip_id": task["data"][1]["id"], "prompt": "x"}
    assert suno.refused(MUSIC, **broken) == "invalid_request"


@pytest.mark.endpoint("S7")
def test_uploads_that_are_no_sound_too_short_or_unfinished(suno: Suno) -> None:
    for data, said in ((b"no sound at all", "it is no sound that can be read"), (silence(2), "6 to 480 seconds")):
        first = suno.post("/uploads/audio", extension="wav")
        about = f"/uploads/audio/{first['id']}"
        assert suno.refused(f"{about}/initialize-clip") == "invalid_request", "it was not uploaded yet"
        assert httpx.post(first["url"], data=first["fields"], files={"file": data}, verify=False).status_code == 204
        suno.post(f"{about}/upload-finish", upload_filename="tune.wav")
        state: dict[str, Any] = {}

        def look(about: str = about, state: dict[str, Any] = state) -> bool:
            state.update(suno.good("GET", about))
            return bool(state["status"] == "error")

        wait_until(look, what=f"the refusal of an upload: {state}", seconds=60)
        assert said in state["error_message"]
        assert suno.refused(f"{about}/initialize-clip") == "invalid_request"


@pytest.mark.endpoint("S7")
def test_an_address_where_no_sound_is(stage: Stage, suno: Suno, song: dict[str, Any]) -> None:
    since = now_ms()
    task = suno.until(suno.taken("/uploads/audio-url", url=song["image_url"]))
    assert task["status"] == "FAILURE" and task["fail_reason"]
    assert suno.refused(MUSIC, task="cover", cover_clip_id=task["task_id"], prompt="x") == "task_origin_not_exist"
    assert stage.charged(since) == 0


def test_what_is_being_made_cannot_be_gone_on_from(suno: Suno) -> None:
    id = suno.taken(MUSIC, prompt="[Verse]\nsandbox-slow [[speed:6]]", tags="folk")
    clips: list[dict[str, Any]] = []

    def look() -> bool:
        clips[:] = suno.fetch(id)["data"]
        return bool(clips)

    wait_until(look, what="the first clips", seconds=60)
    body = {"task": "extend", "continue_clip_id": clips[0]["id"], "continue_at": 1, "prompt": "x"}
    assert suno.refused(MUSIC, **body) == "invalid_request"


def test_the_clips_of_an_account_stay_there(stage: Stage, suno: Suno) -> None:
    """Two accounts serve the model: whatever a clip is asked goes to the one that made it."""
    began, used, number = now_ms(), set[str](), 0
    while len(used) < 2:  # which is drawn
        number += 1
        assert number < 30, "both are used"
        (clip, _) = suno.songs(prompt=f"[Verse]\nNumber {number}", tags="folk", title=str(number))
        assert suno.good("GET", f"/act/timing/{clip['id']}")["aligned_words"]
        suno.songs(prompt="[Verse]\nOn", tags="folk", task="extend", continue_clip_id=clip["id"], continue_at=3)
        stage.settled()
        rows = [row for row in stage.rows().values() if row["at"] >= began and row["operation"] == "suno.music"]
        used = {str(row["channel_id"]) for row in rows}
    assert stage.charged(began) == number * 2 * 100_000_000


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/suno/submit/music/more", 404),
        ("GET", "/suno", 404),
        ("GET", "/sunoapi/nothing", 404),
        ("POST", "/sunoi/fetch", 404),
        ("GET", "/suno/fetch", 405),
        ("GET", "/suno/fetch/%2e%2e/x", 404),
        ("POST", "/suno//submit/music", 404),
    ],
)
def test_what_is_not_there_is_said_as_its_clients_read_it(stage: Stage, method: str, path: str, status: int) -> None:
    reply = httpx.request(method, stage.url + path, headers={"origin": "https://app.example"}, verify=False)
    told = reply.json()
    assert (reply.status_code, told["data"]) == (status, None)
    assert told["code"] and told["message"] == told["error"]["message"] and reply.headers["x-request-id"]
    assert reply.headers["access-control-allow-origin"] == "*", "their clients run in browsers"
