"""Sounds handed to the imitation Suno server, and what it makes of them."""

import pytest
from sandbox_client import Sandbox
from suno_client import Suno

from support.sounds import silence
from unigate.sandbox.media import music_ear, music_notes, voice, waves
from unigate.sandbox.media.voice import RATE

KEYS = (60, 64, 67, 72, 71, 67, 62, 60)


def tune() -> bytes:
    """Somebody's tune: eight keys, a second each."""
    made = waves.silence(0)
    for key in KEYS:
        made += music_notes.played("flute", key, RATE, 12_000)
    return voice.encode(waves.packed(made), "wav", "")


@pytest.fixture(scope="module")
def suno(sandbox: Sandbox) -> Suno:
    return Suno(sandbox)


@pytest.fixture(scope="module")
def clip(suno: Suno) -> str:
    """The id of an uploaded clip."""
    state = suno.uploaded(tune())
    assert (state["status"], state["error_message"], state["title"]) == ("complete", None, "tune")
    assert suno.file(state["image_url"]).startswith(b"\x89PNG")
    id: str = suno.post(f"/uploads/audio/{state['id']}/initialize-clip")["clip_id"]
    assert state["s3_id"] == f"m_{id}"
    return id


def test_a_cover_of_an_upload_keeps_its_length_and_melody(suno: Suno, clip: str) -> None:
    made = suno.made(
        task="cover", cover_clip_id=clip, prompt="", tags="flute, ambient", mv="chirp-v4-tau", title="Again"
    )
    assert made[0]["duration"] == pytest.approx(8, abs=0.01) and made[0]["metadata"]["cover_clip_id"] == clip
    notes = suno.get(f"/act/midi/{made[0]['id']}")
    while notes["state"] == "running":
        notes = suno.get(f"/act/midi/{made[0]['id']}")
    heard = [note["pitch"] for note in notes["instruments"][0]["notes"] if note["end"] - note["start"] > 0.5]
    assert [key - heard[0] for key in heard] == [key - KEYS[0] for key in KEYS]
    assert suno.sound(made[0]) != suno.sound(made[1])


def test_an_upload_is_continued_and_joined(suno: Suno, clip: str) -> None:
    more = suno.made(
        task="upload_extend", continue_clip_id=clip, continue_at=6, prompt="[Verse]\nNow I sing", tags="pop"
    )
    (whole,) = suno.made("/submit/concat", clip_id=more[0]["id"])
    heard = suno.sound(whole)
    assert len(heard) / RATE == pytest.approx(6 + more[0]["duration"], abs=0.08)
    assert [one.key for one in music_ear.contour(heard[: 5 * RATE]) if one.length > RATE // 2] == list(KEYS[:5])


def test_an_upload_by_its_address(suno: Suno, sandbox: Sandbox, clip: str) -> None:
    given = suno.made(task="cover", cover_clip_id=clip, tags="rock")[0]["audio_url"]
    answer = suno.post("/uploads/audio-url", url=given)
    assert answer["data"] == answer["clip_id"] == answer["task_id"]
    task = suno.ended(answer)
    assert task["action"] == "UPLOAD" and task["status"] == "SUCCESS"
    assert task["data"][0]["id"] == answer["data"] and task["data"][0]["metadata"]["type"] == "upload"
    assert task["data"][0]["duration"] == pytest.approx(8, abs=0.1)
    task = suno.ended(suno.post("/uploads/audio-url", url=f"{sandbox.url}/sandbox/files/none.mp3"))
    assert task["status"] == "FAILURE" and "can't be used" in task["fail_reason"]
    assert suno.refused("/uploads/audio-url", url="file:///etc/passwd") == "invalid_request"


@pytest.mark.parametrize(("data", "said"), [(b"no sound" * 100, ""), (silence(2), "6 to 480 seconds")])
def test_what_is_no_good_sound_ends_in_an_error(suno: Suno, data: bytes, said: str) -> None:
    state = suno.uploaded(data)
    assert state["status"] == "error" and said in state["error_message"] and state["s3_id"] is None
    assert suno.refused(f"/uploads/audio/{state['id']}/initialize-clip") == "invalid_request"


def test_the_form_wants_its_fields_first_and_no_key(suno: Suno, sandbox: Sandbox) -> None:
    given = suno.post("/uploads/audio", extension="mp3")
    assert given["is_file_uploaded"] is False and given["fields"]["Content-Type"] == "audio/mpeg"
    post = sandbox.http.post
    assert post(given["url"], files={"file": ("a.mp3", tune())}).status_code == 403
    changed = given["fields"] | {"policy": "another"}
    assert post(given["url"], data=changed, files={"file": ("a.mp3", tune())}).status_code == 403
    assert suno.refused(f"/uploads/audio/{given['id']}/upload-finish") == "invalid_request", "nothing came"
    assert post(given["url"].replace(given["id"], "none"), files={"file": b"x"}).status_code == 403
    answer = post(given["url"], data=given["fields"], files={"file": ("a.mp3", tune())})
    assert answer.status_code == 204 and answer.headers["access-control-allow-origin"] == "*"
    assert suno.get(f"/uploads/audio/{given['id']}")["status"] == "waiting"


def test_a_browser_may_send_the_form_and_watch_it_go(suno: Suno, sandbox: Sandbox) -> None:
    given = suno.post("/uploads/audio", extension="mp3")
    asks = {"origin": "https://app.example", "access-control-request-method": "POST"}
    wanted = {**asks, "access-control-request-headers": "content-type"}
    answer = sandbox.http.options(given["url"], headers=wanted)
    assert answer.status_code == 204 and answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "content-type"


def test_uploads_of_others_and_bad_kinds_are_refused(suno: Suno, sandbox: Sandbox, clip: str) -> None:
    given = suno.post("/uploads/audio", extension="wav")
    assert Suno(sandbox).ask(f"/uploads/audio/{given['id']}").json()["code"] == "task_not_exist"
    assert Suno(sandbox).refused("/submit/music", task="cover", cover_clip_id=clip) == "task_origin_not_exist"
    assert suno.refused("/uploads/audio", extension="exe") == "invalid_request"
    assert suno.refused("/persona/create", root_clip_id=clip, name="Me") == "invalid_request"
