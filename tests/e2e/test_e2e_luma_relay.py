"""Luma in the relays' form by plain HTTP, as web clients call it, with both kinds of channels behind the gateway."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import lumaai
import pytest

from support.contract import Contract
from support.luma import QUICK, ROOT, call, charged, client, ended, fetched, measured
from support.replicate import opened, photo
from support.stage import Stage, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

CHANNELS = """
channels:
  - {name: relay, provider: luma_relay, base_url: SANDBOX/luma_relay, credentials: relay-unigate, models: [ray-2]}
  - {name: array, provider: luma_relay, base_url: SANDBOX/luma_relay, credentials: array-free-unigate, models: [ray-1-6]}
  - {name: official, provider: luma, base_url: SANDBOX/luma/dream-machine/v1, credentials: luma-unigate, models: [ray-flash-2]}
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
#: As the web client sends it: all fields, always.
_FIELDS = {"expand_prompt": True, "loop": False, "image_url": "", "image_end_url": "", "resolution": "540p"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with channels of both kinds."""
    built = set_stage(tmp_path_factory.mktemp("luma_relay"), vendors, CHANNELS)
    yield built
    built.sound()
    built.stop()


def made(stage: Stage, path: str = "/luma/generations", key: str = "", **body: Any) -> dict[str, Any]:
    """A submission that is taken."""
    reply = call(stage, "POST", path, key=key, json={**_FIELDS, **body})
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


def done(stage: Stage, told: dict[str, Any]) -> dict[str, Any]:
    """It once it has ended; the web client waits for `download_url` too."""
    found = told

    def look() -> bool:
        nonlocal found
        found = call(stage, "GET", f"/luma/generations/{told['id']}").json()
        return found["state"] == "failed" or bool(found["state"] == "completed" and found["video"]["download_url"])

    wait_until(look, what="the end of a film", seconds=120)
    return found


@pytest.fixture(scope="module")
def film(stage: Stage) -> dict[str, Any]:
    """A film that others go on from."""
    return done(stage, made(stage, user_prompt=f"a cat dances {QUICK}", model_name="ray-v2"))


@pytest.fixture(scope="module")
def contract(stage: Stage) -> Contract:
    """What the gateway says of itself."""
    return Contract(httpx.get(f"{stage.url}/openapi.json").json())


@pytest.mark.endpoint("V1")
def test_a_film(stage: Stage) -> None:
    since = now_ms()
    told = made(
        stage, "/luma/generations/", user_prompt=f"a dog {QUICK}", aspect_ratio="1:1", duration="9", model_name="ray-v2"
    )
    assert (told["state"], told["video"], told["prompt"]) == ("pending", None, f"a dog {QUICK}")
    found = done(stage, told)
    seen = measured(fetched(found["video"]["download_url"]))
    assert (seen.size, round(seen.seconds)) == ((540, 540), 9)
    assert seen.moves > 2 and seen.loud > 0.05
    assert found["url"] == found["video"]["download_url"]
    assert found["video"]["url"] != found["url"], "the one with a mark is there too"
    assert (found["video"]["width"], found["video"]["height"]) == (540, 540)
    assert opened(fetched(found["last_frame"]["url"])).size == (540, 540)
    assert opened(fetched(found["thumbnail"]["url"])).size == (540, 540)
    assert "of-the-account" not in str(found)
    assert charged(stage, since) == 0.72
    (sent,) = [one["body"] for one in stage.received("a dog") if one["method"] == "POST"]
    assert (sent["model_name"], sent["duration"]) == ("ray-v2", "9s")


@pytest.mark.endpoint("V2")
def test_a_film_made_longer(stage: Stage, film: dict[str, Any]) -> None:
    since = now_ms()
    told = made(stage, f"/luma/generations/{film['id']}/extend", user_prompt=f"it sleeps {QUICK}")
    assert told["id"] != film["id"]
    seen = measured(fetched(done(stage, told)["url"]))
    assert (seen.size, round(seen.seconds)) == ((960, 540), 10)
    assert charged(stage, since) == 0.40


@pytest.mark.endpoint("V3")
def test_the_address_of_a_film(stage: Stage, film: dict[str, Any]) -> None:
    path = f"/luma/generations/{film['id']}/download_video_url"
    url = call(stage, "GET", path).json()["url"]
    assert url.startswith(stage.url)
    assert fetched(url) == fetched(film["url"])
    carol = "sk-carol-0123456789"
    told = made(stage, key=carol, user_prompt="never done [[fault:stuck]]")
    reply = call(stage, "GET", f"/luma/generations/{told['id']}/download_video_url", key=carol)
    assert (reply.status_code, reply.json()["code"]) == (400, "task_not_finished")


def test_an_account_that_marks_its_films(stage: Stage) -> None:
    told = made(stage, user_prompt=f"free {QUICK}", model_name="ray-v1")  # its submission is answered as a list
    found = done(stage, told)
    assert found["video_raw"] is None
    clean = call(stage, "GET", f"/luma/generations/{told['id']}/download_video_url").json()["url"]
    assert fetched(clean) != fetched(found["video"]["url"])
    assert measured(fetched(clean)).size == (960, 540)


def test_an_end_that_is_told_before_its_address(stage: Stage) -> None:
    found = done(stage, made(stage, user_prompt=f"sandbox-late {QUICK}"))
    clean = call(stage, "GET", f"/luma/generations/{found['id']}/download_video_url").json()["url"]
    assert measured(fetched(clean)).size == (960, 540)


@pytest.mark.endpoint("V4")
def test_several_and_lists(stage: Stage, film: dict[str, Any]) -> None:
    body = f'{{"ids": ["{film["id"]}", "nobodys"]}}'
    reply = call(stage, "POST", "/luma/tasks", content=body, headers={"content-type": "text/plain;charset=UTF-8"})
    told = reply.json()
    (task,) = told["data"]
    assert (told["code"], task["task_id"], task["status"], task["progress"]) == (
        "success",
        film["id"],
        "SUCCESS",
        "100%",
    )
    assert (task["action"], task["platform"], task["data"]["state"]) == ("LUMA_VIDEO", "luma", "completed")
    listed = call(stage, "GET", "/luma/generations?offset=0&limit=100").json()
    assert film["id"] in {one["id"] for one in listed}
    assert call(stage, "GET", "/luma/generations?limit=1").json() == call(stage, "GET", "/luma/generations").json()[:1]
    bob = "sk-bob-0123456789"
    assert call(stage, "GET", "/luma/generations", key=bob).json() == []
    assert call(stage, "POST", "/luma/tasks", key=bob, json={"ids": [film["id"]]}).json()["data"] == []
    for method, path in (
        ("GET", ""),
        ("GET", "/download_video_url"),
        ("POST", "/extend"),
    ):
        reply = call(stage, method, f"/luma/generations/{film['id']}{path}", key=bob, json={"user_prompt": "x"})
        assert (reply.status_code, reply.json()["code"]) == (400, "task_not_exist"), path


def test_by_the_official_api(stage: Stage) -> None:
    told = call(
        stage,
        "POST",
        "/luma/generations",
        json={**_FIELDS, "user_prompt": f"a fox {QUICK}", "model_name": "ray-flash-2"},
    )
    assert told.headers["x-unigate-ignored"] == "expand_prompt"
    found = done(stage, told.json())
    assert measured(fetched(found["url"])).size == (960, 540)
    assert (found["video"]["width"], found["video"]["height"]) == (960, 540)
    assert call(stage, "GET", f"/luma/generations/{found['id']}/download_video_url").status_code == 200
    since = now_ms()
    reply = call(
        stage, "POST", f"/luma/generations/{found['id']}/extend", json={"user_prompt": f"on {QUICK}", "a\r\nb": 1}
    )
    assert reply.status_code == 200, reply.text
    longer = done(stage, reply.json())
    seen = measured(fetched(longer["url"]))
    assert (seen.size, round(seen.seconds)) == ((960, 540), 10)
    assert (longer["video"]["width"], longer["video"]["height"]) == (960, 540)
    assert charged(stage, since) == 0.14


@pytest.mark.parametrize("model", ["ray-v2", "ray-flash-2"])
def test_pictures_in_base64_begin_a_film(stage: Stage, model: str) -> None:
    """A relay gets them as they are, the official API a link to each."""
    data = base64.b64encode(photo()).decode()
    word = f"photo-{model}"
    for value in (data, f"data:image/png;base64,{data}"):
        found = done(stage, made(stage, user_prompt=f"{word} {QUICK}", image_url=value, model_name=model))
        still = opened(fetched(found["thumbnail"]["url"])).convert("RGB")
        assert still.getpixel((10, 530))[0] > 150, "it begins with that picture"  # type: ignore[index]
        shown = call(stage, "GET", f"/v1/tasks/{found['id']}").json()
        assert data not in str(shown)
    if model == "ray-flash-2":
        sent = [one["body"]["keyframes"]["frame0"]["url"] for one in stage.received(word) if one["method"] == "POST"]
        assert len(sent) == 2 and all(one.startswith(f"{stage.url}/files/") for one in sent)
        assert [fetched(one) for one in sent] == [photo()] * 2


def test_a_caller_of_the_official_form_on_a_relay(stage: Stage) -> None:
    with client(stage) as luma:
        first = ended(luma, luma.generations.create(model="ray-2", prompt=f"a fox {QUICK}", resolution="540p"))
        assert first.state == "completed" and first.assets is not None
        assert measured(fetched(first.assets.video)).size == (960, 540)
        assert opened(fetched(first.assets.image)).size == (960, 540)
        frames: Any = {"frame0": {"type": "generation", "id": first.id}}
        longer = ended(
            luma, luma.generations.create(model="ray-2", prompt=f"on {QUICK}", resolution="540p", keyframes=frames)
        )
        assert longer.assets is not None
        assert round(measured(fetched(longer.assets.video)).seconds) == 10
    body = {"model": "ray-2", "prompt": "x", "concepts": [{"key": "zoom_in"}]}
    assert call(stage, "POST", f"{ROOT}/generations", json=body).status_code == 400
    assert call(stage, "POST", f"{ROOT}/generations/image", json={"model": "ray-2", "prompt": "x"}).status_code == 400
    with client(stage) as luma, pytest.raises(lumaai.BadRequestError, match="offers"):
        luma.generations.upscale(str(first.id), resolution="1080p")


def test_notices_tell_the_end(stage: Stage) -> None:
    address = f"{stage.sandbox.url}/sandbox/hooks/luma-relay"
    told = made(stage, user_prompt=f"told {QUICK}", notify_hook=address)
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = [one["body"] for one in httpx.get(address).json()["data"]]
        return bool(found)

    wait_until(look, what="a notice", seconds=120)
    (notice,) = found
    assert (notice["id"], notice["task_id"], notice["status"], notice["state"]) == (
        told["id"],
        told["id"],
        "SUCCESS",
        "completed",
    )
    assert notice["data"]["video"]["download_url"]


def test_refusals_and_failures_are_free(stage: Stage) -> None:
    since = now_ms()
    reply = call(stage, "POST", "/luma/generations", json={"user_prompt": "sandbox-banned"})
    assert reply.status_code == 400
    assert "moderation" in reply.json()["error"]["message"] and "moderation" in reply.json()["detail"]
    failed = done(stage, made(stage, user_prompt=f"sandbox-moderated {QUICK}"))
    assert failed["state"] == "failed" and "moderation" in failed["failure_reason"]
    assert charged(stage, since) == 0
    poor = call(stage, "POST", "/luma/generations", key="sk-poor-0123456789", json={"user_prompt": "x"})
    assert (poor.status_code, poor.json()["code"]) == (403, "quota_not_enough")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_prompt": "", "image_end_url": "https://pictures.example.com/a.png"},
        {"user_prompt": 5},
        {"user_prompt": "x", "aspect_ratio": "2:1"},
        {"user_prompt": "x", "resolution": "8k"},
        {"user_prompt": "x", "duration": "7s"},
        {"user_prompt": "x", "loop": "yes"},
        {"user_prompt": "x", "image_url": base64.b64encode(b"no picture at all").decode()},
        {"user_prompt": "x", "image_url": "file:///etc/passwd"},
        {"user_prompt": "x", "notify_hook": "nowhere"},
    ],
)
def test_bad_input(stage: Stage, contract: Contract, body: dict[str, Any]) -> None:
    word = "never sent this"
    reply = call(stage, "POST", "/luma/generations", json={**body, "note": word})
    told = reply.json()
    assert (reply.status_code, told["code"], told["data"]) == (400, "invalid_request", None), reply.text
    assert told["message"] == told["detail"] == told["error"]["message"]
    assert stage.received(word) == []
    assert contract.breaches("POST", "/luma/generations", reply) == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [(b"{", "application/json", 400), (b"[]", "application/json", 400), (b"{}", "text/plain", 415)],
)
def test_other_bad_input(stage: Stage, contract: Contract, content: bytes, kind: str, status: int) -> None:
    reply = call(stage, "POST", "/luma/generations", content=content, headers={"content-type": kind})
    assert (reply.status_code, reply.json()["data"]) == (status, None), reply.text
    assert contract.breaches("POST", "/luma/generations", reply) == []


def test_what_is_not_finished_is_not_made_longer(stage: Stage, film: dict[str, Any]) -> None:
    carol = "sk-carol-0123456789"
    told = made(stage, key=carol, user_prompt="never done [[fault:stuck]]")
    reply = call(stage, "POST", f"/luma/generations/{told['id']}/extend", key=carol, json={"user_prompt": "x"})
    assert (reply.status_code, reply.json()["code"]) == (400, "task_not_finished")
    for body in ({"user_prompt": "x", "image_url": "https://pictures.example.com/a.png"}, {"user_prompt": ""}):
        reply = call(stage, "POST", f"/luma/generations/{film['id']}/extend", json=body)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_request")


def test_other_paths(stage: Stage, film: dict[str, Any]) -> None:
    assert call(stage, "GET", f"/pro/luma/generations/{film['id']}/").json()["id"] == film["id"]
    told = made(stage, "/luma/v1/generations", user_prompt=f"older {QUICK}")
    assert done(stage, told)["state"] == "completed"
