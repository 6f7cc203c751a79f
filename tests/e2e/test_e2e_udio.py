"""Udio in the relays' form by plain HTTP, as web clients call it, with the sandbox behind the gateway."""

import io
from collections.abc import Iterator
from typing import Any

import av
import httpx
import pytest

from support.contract import Contract
from support.luma import call, charged, fetched, sound
from support.replicate import opened
from support.stage import Stage, mark, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

QUICK = "[[speed:50]]"
CHANNELS = """
channels:
  - {name: udio, provider: udio_relay, base_url: SANDBOX/udio, credentials: udio-unigate, models: [udio32-v1.5, udio130-v1.5]}
users:
  - {name: alice, credit: 100}
  - {name: bob, credit: 100}
  - {name: carol, credit: 100}
  - {name: poor, credit: 0.001}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: carol, user: carol, secret: sk-carol-0123456789}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
settings: {notify: {allow_private_targets: true}}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to a relay of Udio."""
    built = set_stage(tmp_path_factory.mktemp("udio"), vendors, CHANNELS)
    yield built
    built.sound()
    built.stop()


@pytest.fixture(scope="module")
def contract(stage: Stage) -> Contract:
    """What the gateway says of itself."""
    return Contract(httpx.get(f"{stage.url}/openapi.json").json())


def submitted(stage: Stage, **params: Any) -> str:
    """The id of a task that is taken."""
    reply = call(stage, "POST", "/udio/submit/music", json={"gen_params": params})
    assert reply.status_code == 200, reply.text
    assert set(reply.json()) == {"code", "message", "data"}
    return str(reply.json()["data"])


def done(stage: Stage, id: str) -> dict[str, Any]:
    """A task once it has ended."""
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(call(stage, "GET", f"/udio/fetch/{id}").json()["data"])
        return found["status"] in {"SUCCESS", "FAILURE"}

    wait_until(look, what="the end of a song", seconds=120)
    return found


def heard(content: bytes) -> tuple[str, float, float]:
    """Codec, seconds and the loudest sample (0 to 1) of a song."""
    with av.open(io.BytesIO(content), "r") as file:
        codec = file.streams.audio[0].codec_context.name
    samples = sound(content)
    return codec, len(samples) / 8000, max(map(abs, samples)) / 32768


@pytest.fixture(scope="module")
def songs(stage: Stage) -> list[dict[str, Any]]:
    """Songs that others go on from."""
    made: list[dict[str, Any]] = done(stage, submitted(stage, prompt=f"jazz at night {QUICK}"))["songs"]
    return made


@pytest.mark.endpoint("U1")
@pytest.mark.endpoint("U2")
def test_a_song_from_a_description(stage: Stage) -> None:
    since = now_ms()
    task = done(stage, submitted(stage, prompt=f"a song about the moon {QUICK}", lyrics_type="generate", seed=-1))
    assert (task["status"], task["progress"], task["action"], task["fail_reason"]) == (
        "SUCCESS",
        "100%",
        "udio-generate",
        "",
    )
    assert task["data"]["songs"] == task["songs"], "clients look at either place"
    assert len({song["id"] for song in task["songs"]}) == 2
    sounds = []
    for song in task["songs"]:
        assert (song["finished"], song["generation_id"], song["error_detail"]) == (True, task["task_id"], None)
        assert song["song_path"].startswith(stage.url)
        assert "moon" in song["lyrics"].lower()
        sounds.append(fetched(song["song_path"]))
        codec, seconds, loud = heard(sounds[-1])
        assert codec.startswith("mp3") and abs(seconds - song["duration"]) < 0.5 and loud > 0.05
        assert opened(fetched(song["image_path"])).size == (256, 256)
    assert sounds[0] != sounds[1]
    assert "of-the-account" not in str(task) and "TheAccountsArtist" not in str(task)
    assert task["submit_time"] > 1_700_000_000 and task["finish_time"] >= task["start_time"] >= task["submit_time"]
    assert charged(stage, since) == 0.05


def test_own_words_and_none(stage: Stage) -> None:
    since = now_ms()
    words = "[Verse]\nThe harbour sleeps\n[Chorus]\nSing on"
    own = done(stage, submitted(stage, prompt=QUICK, lyrics=words, lyrics_type="user", model_type="studio130-v1.5"))
    assert [song["lyrics"] for song in own["songs"]] == [words, words]
    assert own["songs"][0]["duration"] > 12
    assert charged(stage, since) == 0.10
    none = done(stage, submitted(stage, prompt=f"piano {QUICK}", lyrics_type="instrumental"))
    assert none["songs"][0]["lyrics"] == ""


@pytest.mark.endpoint("U1")
def test_before_and_after_a_song(stage: Stage, songs: list[dict[str, Any]]) -> None:
    source = songs[0]
    length = heard(fetched(source["song_path"]))[1]
    for mode, start in (("precede", 0), ("precede", 0.4), ("continuation", 0.4), ("continuation", 0.9)):
        config = {"mode": mode, "context_length": 130, "source": {"source_type": "song", "song_id": source["id"]}}
        task = done(stage, submitted(stage, prompt=f"more {QUICK}", song_section_start=start, config=config))
        assert task["status"] == "SUCCESS", task
        assert [song["audio_conditioning_type"] for song in task["songs"]] == [mode, mode]
        assert heard(fetched(task["songs"][0]["song_path"]))[1] > length + 5


def test_a_song_of_somebody_else_is_not_gone_on_from(stage: Stage, songs: list[dict[str, Any]]) -> None:
    for key, id in (("sk-bob-0123456789", songs[0]["id"]), ("", "nobodys")):
        config = {"mode": "continuation", "source": {"source_type": "song", "song_id": id}}
        body = {"gen_params": {"prompt": "never sent this", "config": config}}
        reply = call(stage, "POST", "/udio/submit/music", key=key, json=body)
        assert (reply.status_code, reply.json()["code"]) == (400, "task_origin_not_exist")
    assert stage.received("never sent this") == []


def test_an_unfinished_song_is_not_gone_on_from(stage: Stage) -> None:
    carol = "sk-carol-0123456789"
    body = {"gen_params": {"prompt": "x [[fault:stuck]]"}}
    id = call(stage, "POST", "/udio/submit/music", key=carol, json=body).json()["data"]
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(call(stage, "GET", f"/udio/fetch/{id}", key=carol).json()["data"])
        return len(found["songs"]) == 2

    wait_until(look, what="songs that have begun", seconds=60)
    assert {song["finished"] for song in found["songs"]} == {False}
    config = {"mode": "continuation", "source": {"source_type": "song", "song_id": found["songs"][1]["id"]}}
    reply = call(stage, "POST", "/udio/submit/music", key=carol, json={"gen_params": {"prompt": "x", "config": config}})
    assert (reply.status_code, reply.json()["code"]) == (400, "task_origin_not_finished")


@pytest.mark.endpoint("U1")
def test_the_other_form_names_its_songs(stage: Stage) -> None:
    word = mark()
    body = {"prompt": f"waltz {word} {QUICK}", "lyricInput": "", "samplerOptions": {"seed": 7, "crop_start_time": 0.4}}
    told = call(stage, "POST", "/udio/generate-proxy", json=body).json()
    assert told["generation_id"] == told["data"] and len(told["track_ids"]) == 2
    ids = ",".join(told["track_ids"])
    first = call(stage, "GET", f"/udio/query?ids={ids},nobodys").json()["songs"]
    assert [song["id"] for song in first] == told["track_ids"], "they are known from their submission on"
    task = done(stage, told["data"])
    assert [song["id"] for song in task["songs"]] == told["track_ids"]
    found = call(stage, "GET", f"/udio/songs/?songIds={ids}").json()["songs"]
    assert all(song["finished"] for song in found)
    assert heard(fetched(found[1]["song_path"]))[2] > 0.05
    assert call(stage, "GET", f"/udio/query?ids={ids}", key="sk-bob-0123456789").json() == {"songs": []}
    (sent,) = [one["body"]["gen_params"] for one in stage.received(word)]
    assert (sent["lyrics_type"], sent["seed"], sent["song_section_start"]) == ("instrumental", 7, 0.4)
    more = {"audio_conditioning_song_id": told["track_ids"][1], "audio_conditioning_type": "continuation"}
    after = call(stage, "POST", "/udio/generate-proxy", json={"prompt": f"on {QUICK}", "samplerOptions": more})
    assert done(stage, after.json()["data"])["status"] == "SUCCESS"


@pytest.mark.endpoint("U2")
def test_tasks_are_the_callers_own(stage: Stage, songs: list[dict[str, Any]]) -> None:
    id = songs[0]["generation_id"]
    for path in (f"/udio/fetch/{id}", "/udio/fetch/nobodys/"):
        reply = call(stage, "GET", path, key="sk-bob-0123456789")
        assert (reply.status_code, reply.json()["code"]) == (400, "task_not_exist")
    several = call(stage, "POST", "/udio/fetch", json={"ids": [id, "nobodys"]}).json()
    assert [task["task_id"] for task in several["data"]] == [id]
    assert call(stage, "POST", "/udio/fetch", key="sk-bob-0123456789", json={"ids": [id]}).json()["data"] == []


def test_failures_are_free_and_half_a_task_is_one(stage: Stage) -> None:
    since = now_ms()
    failed = done(stage, submitted(stage, prompt=f"sandbox-moderated {QUICK}"))
    assert (failed["status"], failed["progress"]) == ("FAILURE", "100%")
    assert "moderator" in failed["fail_reason"]
    assert {(song["finished"], song["error_type"]) for song in failed["songs"]} == {(True, "MODERATION")}
    assert charged(stage, since) == 0
    half = done(stage, submitted(stage, prompt=f"sandbox-half {QUICK}"))
    assert half["status"] == "SUCCESS"
    assert heard(fetched(half["songs"][0]["song_path"]))[2] > 0.05
    assert (half["songs"][1]["finished"], half["songs"][1]["song_path"]) == (True, "")
    poor = call(stage, "POST", "/udio/submit/music", key="sk-poor-0123456789", json={"gen_params": {"prompt": "x"}})
    assert (poor.status_code, poor.json()["code"]) == (403, "quota_not_enough")


def test_a_notice_tells_the_end(stage: Stage) -> None:
    address = f"{stage.sandbox.url}/sandbox/hooks/udio-gateway"
    body = {"gen_params": {"prompt": f"told {QUICK}"}, "notify_hook": address}
    id = call(stage, "POST", "/udio/submit/MUSIC", json=body).json()["data"]
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = [one["body"] for one in httpx.get(address).json()["data"]]
        return bool(found)

    wait_until(look, what="a notice", seconds=60)
    (notice,) = found
    assert (notice["task_id"], notice["status"], notice["notify_hook"]) == (id, "SUCCESS", address)
    assert notice["songs"][0]["finished"]


_EXTEND = {"mode": "continuation", "source": {"source_type": "song"}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"gen_params": []},
        {"gen_params": {}},
        {"gen_params": {"prompt": "", "lyrics": ""}},
        {"gen_params": {"prompt": 5}},
        {"gen_params": {"prompt": "x", "lyrics_type": "some"}},
        {"gen_params": {"prompt": "x", "lyrics_type": "user", "lyrics": " "}},
        {"gen_params": {"prompt": "x", "song_section_start": 1.5}},
        {"gen_params": {"prompt": "x", "clarity_strength": "high"}},
        {"gen_params": {"prompt": "x", "seed": 0.5}},
        {"gen_params": {"prompt": "x", "config": {"mode": "sideways"}}},
        {"gen_params": {"prompt": "x", "config": _EXTEND}},
        {"gen_params": {"prompt": "x", "config": {**_EXTEND, "source": "s"}}},
        {"gen_params": {"prompt": "x"}, "notify_hook": "nowhere"},
    ],
)
def test_bad_input(stage: Stage, contract: Contract, body: dict[str, Any]) -> None:
    word = "never sent this either"
    reply = call(stage, "POST", "/udio/submit/music", json={**body, "note": word})
    told = reply.json()
    assert (reply.status_code, told["code"], told["data"]) == (400, "invalid_request", None), reply.text
    assert told["error"]["message"] == told["message"]
    assert stage.received(word) == []
    assert contract.breaches("POST", "/udio/submit/music", reply) == []


def test_other_bad_input(stage: Stage, contract: Contract) -> None:
    large = b'{"gen_params": {"prompt": "' + b"x" * (257 << 10) + b'"}}'
    for content, kind, status in ((large, "application/json", 413), (b"{}", "text/plain", 415)):
        for path in ("/udio/submit/music", "/udio/generate-proxy", "/udio/fetch"):
            reply = call(stage, "POST", path, content=content, headers={"content-type": kind})
            assert (reply.status_code, reply.json()["data"]) == (status, None), reply.text
            assert contract.breaches("POST", path, reply) == []
    for body in ({}, {"ids": "x"}, {"ids": ["x"] * 1001}):
        reply = call(stage, "POST", "/udio/fetch", json=body)
        assert reply.status_code == 400, reply.text
        assert contract.breaches("POST", "/udio/fetch", reply) == []
    for content in (b"{", b"[]", b'{"gen_params": {"prompt": "x", "prompt": "y"}}'):
        head = {"content-type": "application/json"}
        reply = call(stage, "POST", "/udio/submit/music", content=content, headers=head)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_request"), reply.text
    assert call(stage, "GET", "/udio/query").status_code == 400
    unknown = call(stage, "POST", "/udio/submit/music", json={"gen_params": {"prompt": "x", "model_type": "udio-9"}})
    assert unknown.status_code in {403, 503}, unknown.text
