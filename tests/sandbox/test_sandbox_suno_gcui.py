"""The imitation of gcui-art's server of Suno: the same songs, told of by flat clips."""

from typing import Any

import httpx
import pytest
from sandbox_client import Sandbox, eventually

from unigate.sandbox.media import music_ear

COOKIE = "__client=of-the-sandbox"


def call(sandbox: Sandbox, path: str, body: object = None, **head: str) -> httpx.Response:
    url = f"{sandbox.url}/suno_gcui/api/{path}"
    shown = head or {"cookie": COOKIE}
    if body is None:
        return sandbox.http.get(url, headers=shown, timeout=60)
    return sandbox.http.post(url, json=body, headers=shown, timeout=60)


def made(sandbox: Sandbox, path: str, **body: Any) -> list[dict[str, Any]]:
    """The clips of a call, once they have ended."""
    answer = call(sandbox, path, {**body, "wait_audio": False})
    assert answer.status_code == 200, answer.text
    told = answer.json() if isinstance(answer.json(), list) else [answer.json()]
    ids = ",".join(clip["id"] for clip in told)

    def look() -> list[dict[str, Any]] | None:
        clips: list[dict[str, Any]] = call(sandbox, f"get?ids={ids}").json()
        return clips if {clip["status"] for clip in clips} <= {"complete", "error"} else None

    found: list[dict[str, Any]] = eventually(look, 90)
    return found


@pytest.fixture(scope="module")
def song(sandbox: Sandbox) -> dict[str, Any]:
    """A song of words."""
    return made(sandbox, "custom_generate", prompt="[Verse]\nOver the sea", tags="folk", title="Sea [[speed:20]]")[0]


def test_a_song(sandbox: Sandbox, song: dict[str, Any]) -> None:
    assert song["status"] == "complete" and song["lyric"] == song["prompt"] == "[Verse]\nOver the sea"
    assert "metadata" not in song and song["model_name"] == "chirp-v3-5"
    samples = music_ear.decoded(sandbox.http.get(song["audio_url"]).content)
    assert max(map(abs, samples)) > 1000 and float(song["duration"]) > 3
    idea, _ = made(sandbox, "generate", prompt="a song about the sea [[speed:20]]")
    assert idea["gpt_description_prompt"] and idea["lyric"]
    words = call(sandbox, f"get_aligned_lyrics?song_id={song['id']}").json()
    assert [word["word"].split()[-1] for word in words] == ["Over", "the", "sea"]


def test_what_is_made_of_a_song(sandbox: Sandbox, song: dict[str, Any]) -> None:
    part, _ = made(sandbox, "extend_audio", audio_id=song["id"], continue_at=2, prompt="[Verse]\nOn [[speed:20]]")
    (whole,) = made(sandbox, "concat", clip_id=part["id"])
    assert float(whole["duration"]) == pytest.approx(2 + float(part["duration"]), abs=0.2)
    stems = call(sandbox, "generate_stems", {"audio_id": song["id"]}).json()
    assert {stem["stem_from_id"] for stem in stems} == {song["id"]} and len(stems) == 2
    assert set(stems[0]) == {"id", "status", "created_at", "title", "stem_from_id", "duration"}


def test_words_and_what_is_left(sandbox: Sandbox) -> None:
    told = call(sandbox, "generate_lyrics", {"prompt": "the sea"}).json()
    assert told["text"] and told["title"] and told["status"] == "complete"
    assert call(sandbox, "generate_lyrics", {"prompt": "sandbox-moderated"}).json()["status"] == "error"
    assert call(sandbox, "get_limit").json()["credits_left"] > 0


def test_what_is_refused(sandbox: Sandbox, song: dict[str, Any]) -> None:
    for path, body in (
        ("extend_audio", {"prompt": "x"}),
        ("generate", {"prompt": "x", "wait_audio": True}),
        ("concat", {"clip_id": song["id"]}),
        ("generate_stems", {"audio_id": "another"}),
    ):
        answer = call(sandbox, path, body)
        assert answer.status_code == 400 and isinstance(answer.json()["error"], str), (path, answer.text)
    assert call(sandbox, "get?ids=another").json() == []
    assert call(sandbox, f"get?ids={song['id']}", authorization="Bearer other").json() == []
    assert call(sandbox, "get_limit", authorization="none").status_code == 401
    assert call(sandbox, "nothing").json() == {"error": "/api/nothing not found"}
