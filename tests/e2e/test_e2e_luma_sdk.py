"""Luma's official client against the gateway with the sandbox behind it."""

from collections.abc import Iterator
from typing import Any

import httpx
import lumaai
import pytest
from lumaai import AsyncLumaAI, LumaAI
from lumaai.types import Generation

from support.contract import Contract
from support.luma import CHANNELS, QUICK, ROOT, call, charged, client, ended, fetched, measured, sound
from support.replicate import opened
from support.stage import Stage, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to Luma."""
    private = "settings: {notify: {allow_private_targets: true}}\n"
    built = set_stage(tmp_path_factory.mktemp("luma"), vendors, CHANNELS + private)
    yield built
    built.sound()
    built.stop()


@pytest.fixture
def luma(stage: Stage) -> Iterator[LumaAI]:
    with client(stage) as made:
        yield made


@pytest.fixture(scope="module")
def film(stage: Stage) -> Generation:
    """A film that others go on from."""
    with client(stage) as luma:
        made = luma.generations.create(
            model="ray-2", prompt=f"a fox runs {QUICK}", resolution="540p", aspect_ratio="4:3", duration="5s"
        )
        return ended(luma, made)


def video(made: Generation) -> bytes:
    assert made.state == "completed", made.failure_reason
    assert made.assets is not None and made.assets.video
    return fetched(made.assets.video)


@pytest.fixture(scope="module")
def contract(stage: Stage) -> Contract:
    """What the gateway says of itself."""
    return Contract(httpx.get(f"{stage.url}/openapi.json").json())


@pytest.mark.endpoint("V1")
def test_a_film(stage: Stage, luma: LumaAI) -> None:
    since = now_ms()
    made = luma.generations.video.create(
        model="ray-2", prompt=f"a fox runs {QUICK}", resolution="540p", aspect_ratio="9:16", duration="5s"
    )
    assert (made.state, made.generation_type, made.assets) == ("queued", "video", None)
    assert made.to_dict()["request"]["resolution"] == "540p"  # type: ignore[index]
    done = ended(luma, made)
    seen = measured(video(done))
    assert (seen.size, round(seen.seconds)) == ((540, 960), 5)
    assert seen.moves > 2
    assert seen.loud > 0.05
    assert done.assets is not None and str(done.assets.video).startswith(stage.url), "no address of the vendor's"
    assert opened(fetched(done.assets.image)).size == (540, 960)
    assert charged(stage, since) == 0.40


@pytest.mark.endpoint("V2")
def test_longer_in_both_directions_and_between_two(stage: Stage, luma: LumaAI, film: Generation) -> None:
    assert film.id is not None
    since = now_ms()
    source: Any = {"type": "generation", "id": film.id}
    more: Any = {"model": "ray-2", "prompt": f"it sleeps {QUICK}", "resolution": "540p"}
    longer = ended(luma, luma.generations.create(**more, keyframes={"frame0": source}))
    seen = measured(video(longer))
    assert (seen.size, round(seen.seconds)) == ((720, 540), 10)
    assert charged(stage, since) == 0.40
    earlier = ended(luma, luma.generations.create(**more, keyframes={"frame1": source}))
    assert round(measured(video(earlier)).seconds) == 10
    other: Any = {"type": "generation", "id": longer.id}
    between = ended(luma, luma.generations.create(**more, keyframes={"frame0": other, "frame1": source}))
    assert round(measured(video(between)).seconds) == 5
    sent = stage.received("it sleeps")[-1]["body"]["keyframes"]
    theirs = {frame["id"] for frame in sent.values()}
    assert len(theirs) == 2 and not theirs & {film.id, longer.id}, "the vendor is told its own ids"
    assert between.request is not None and film.id in str(between.request), "and its caller ours"


def test_pictures_begin_and_end_a_film(stage: Stage, luma: LumaAI) -> None:
    frames: Any = {
        "frame0": {"type": "image", "url": "https://pictures.example.com/morning.png"},
        "frame1": {"type": "image", "url": "https://pictures.example.com/evening.png"},
    }
    made = luma.generations.create(model="ray-flash-2", prompt=QUICK, resolution="540p", keyframes=frames)
    assert measured(video(ended(luma, made))).moves > 2
    none: Any = {"frame0": {"type": "image", "url": f"{stage.sandbox.url}/sandbox/requests"}}
    since = now_ms()
    failed = ended(luma, luma.generations.create(model="ray-2", prompt=QUICK, keyframes=none))
    assert failed.state == "failed"
    assert "not a valid image" in str(failed.failure_reason)
    assert charged(stage, since) == 0


@pytest.mark.endpoint("V1")
def test_pictures(stage: Stage, luma: LumaAI) -> None:
    since = now_ms()
    made = luma.generations.image.create(
        model="photon-1", prompt=f"a fox {QUICK}", format="png", aspect_ratio="1:1", sync=True
    )
    assert made.state == "completed", "it was waited for"
    assert made.assets is not None
    picture = opened(fetched(made.assets.image))
    assert (picture.format, picture.size) == ("PNG", (1080, 1080))
    assert charged(stage, since) == 0.015
    wide = luma.generations.image.reframe(
        generation_type="reframe_image",
        model="photon-flash-1",
        aspect_ratio="21:9",
        media={"url": str(made.assets.image)},
        prompt=QUICK,
    )
    done = ended(luma, wide)
    assert done.assets is not None
    assert opened(fetched(done.assets.image)).size == (2520, 1080)


@pytest.mark.endpoint("V1")
def test_what_is_done_with_a_film(stage: Stage, luma: LumaAI, film: Generation) -> None:
    assert film.id is not None and film.assets is not None
    source = fetched(film.assets.video)
    loud = ended(luma, luma.generations.audio(film.id, prompt=f"rain on a roof {QUICK}"))
    heard = video(loud)
    assert measured(heard).size == measured(source).size
    assert sound(heard) != sound(source)
    large = ended(luma, luma.generations.upscale(film.id, resolution="720p", extra_body={"note": QUICK}))
    assert measured(video(large)).size == (960, 720)
    assert large.model == "ray-2"
    media: Any = {"url": str(film.assets.video)}
    tall = luma.generations.video.reframe(
        generation_type="reframe_video", model="ray-2", aspect_ratio="1:1", media=media, prompt=QUICK
    )
    assert measured(video(ended(luma, tall))).size == (540, 540)
    changed = luma.generations.video.modify(
        generation_type="modify_video", model="ray-2", mode="flex_1", media=media, prompt=f"in snow {QUICK}"
    )
    seen = measured(video(ended(luma, changed)))
    assert (seen.size, round(seen.seconds)) == ((720, 540), 5)


@pytest.mark.endpoint("V4")
def test_get_list_and_delete(stage: Stage, luma: LumaAI) -> None:
    made = [luma.generations.image.create(model="photon-1", prompt=f"{word} {QUICK}") for word in ("one", "two")]
    for one in made:
        ended(luma, one)
    page = luma.generations.list(limit=1, offset=0)
    assert ([one.id for one in page.generations], page.count, page.has_more) == ([made[1].id], 1, True)
    assert [one.id for one in luma.generations.list(limit=1, offset=1).generations] == [made[0].id]
    assert made[0].id is not None
    luma.generations.delete(made[0].id)
    with pytest.raises(lumaai.NotFoundError, match="Generation not found"):
        luma.generations.get(made[0].id)
    assert made[0].id not in {one.id for one in luma.generations.list().generations}
    with client(stage, "sk-bob-0123456789") as bob:
        assert bob.generations.list().generations == []
        for ask in (bob.generations.get, bob.generations.delete):
            with pytest.raises(lumaai.NotFoundError):
                ask(str(made[1].id))
        with pytest.raises(lumaai.NotFoundError):
            bob.generations.upscale(str(made[1].id), resolution="720p")


def test_deleting_ends_what_runs_and_its_vendor_does_not_say_that_it_bills_nothing(stage: Stage, luma: LumaAI) -> None:
    since = now_ms()
    made = luma.generations.create(model="ray-2", prompt="never done [[fault:stuck]]", resolution="540p")
    assert made.id is not None
    wait_until(lambda: luma.generations.get(str(made.id)).state == "dreaming", what="dreaming", seconds=60)
    luma.generations.delete(made.id)
    with pytest.raises(lumaai.NotFoundError):
        luma.generations.get(made.id)
    assert charged(stage, since) == 0.4
    stage.sound()


@pytest.mark.endpoint("V4")
def test_credits_concepts_and_ping(stage: Stage, luma: LumaAI) -> None:
    left = float(stage.settled()["balance"])
    assert luma.credits.get().credit_balance == pytest.approx(left * 100)
    assert {"zoom_in", "orbit_left"} <= set(luma.generations.concepts.list())
    assert luma.ping.check().message == "pong"


def test_callbacks_tell_of_each_state(stage: Stage, luma: LumaAI) -> None:
    address = f"{stage.sandbox.url}/sandbox/hooks/luma-gateway"
    made = luma.generations.create(model="ray-2", prompt="told [[speed:2]]", resolution="540p", callback_url=address)
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = [one["body"] for one in httpx.get(address).json()["data"]]
        return any(one["state"] == "completed" for one in found)

    wait_until(look, what="the last callback", seconds=120)
    assert {one["id"] for one in found} == {made.id}
    assert [one["state"] for one in found] in (["dreaming", "completed"], ["completed"]), "progress may be dropped"
    assert measured(fetched(found[-1]["assets"]["video"])).size == (960, 540)


def test_one_whose_answer_got_lost_is_found_again_by_its_callback(stage: Stage, luma: LumaAI) -> None:
    """Nothing else tells it from another order of the same words."""
    stage.manage("settings", "set", "public_url", stage.url)

    def reached() -> bool:
        """The setting reaches the worker a moment later."""
        luma.generations.image.create(model="photon-1", prompt=f"may we be called {QUICK}")
        return any(
            "callback_url" in one["body"] for one in stage.received("may we be called") if one["method"] == "POST"
        )

    wait_until(reached, what="an order with a callback", seconds=60)
    word = "answered by nobody"
    since = now_ms()
    lost = f"{word} {QUICK} [[fault:accept-and-hang-up]]"
    made = ended(luma, luma.generations.create(model="ray-2", prompt=lost, resolution="540p"))
    stage.manage("settings", "disable", "public_url")
    assert measured(video(made)).size == (960, 540)
    (sent,) = [one["body"] for one in stage.received(word) if one["method"] == "POST"]
    assert sent["callback_url"].startswith(f"{stage.url}/callbacks/{made.id}/")
    assert charged(stage, since) == 0.40


def test_refusals(stage: Stage, luma: LumaAI) -> None:
    since = now_ms()
    with pytest.raises(lumaai.BadRequestError, match="Prompt not allowed"):
        luma.generations.create(model="ray-2", prompt="sandbox-banned")
    failed = ended(luma, luma.generations.create(model="ray-2", prompt=f"sandbox-moderated {QUICK}"))
    assert failed.state == "failed"
    assert "moderation" in str(failed.failure_reason)
    assert charged(stage, since) == 0
    with client(stage, "sk-nobody") as stranger, pytest.raises(lumaai.AuthenticationError, match="Not authenticated"):
        stranger.credits.get()
    with client(stage, "sk-poor-0123456789") as poor, pytest.raises(lumaai.APIStatusError) as raised:
        poor.generations.create(model="ray-2", prompt="x")
    assert raised.value.status_code == 402


_IMAGE = {"type": "image", "url": "https://pictures.example.com/a.png"}
_BAD: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("/generations", {"model": "ray-2"}, 400),
    ("/generations", {"prompt": "x"}, 400),
    ("/generations", {"model": "ray-9", "prompt": "[1]"}, 400),
    ("/generations", {"model": "ray-2", "prompt": 5}, 400),
    ("/generations", {"model": "ray-2", "prompt": "x", "aspect_ratio": "2:1"}, 400),
    ("/generations", {"model": "ray-2", "prompt": "x", "duration": "6s"}, 400),
    ("/generations", {"model": "ray-2", "prompt": "x", "resolution": "8k"}, 400),
    ("/generations", {"model": "ray-2", "prompt": "x", "loop": "yes"}, 400),
    ("/generations", {"model": "ray-2", "prompt": "x", "keyframes": []}, 400),
    ("/generations", {"model": "ray-2", "prompt": "x", "keyframes": {"frame2": _IMAGE}}, 400),
    (
        "/generations",
        {"model": "ray-2", "keyframes": {"frame0": {"type": "image", "url": "data:image/png;base64,AA"}}},
        400,
    ),
    ("/generations", {"model": "ray-2", "keyframes": {"frame0": {"type": "generation", "id": "nobody's"}}}, 404),
    ("/generations", {"model": "ray-2", "prompt": "x", "callback_url": "file:///etc/passwd"}, 400),
    ("/generations", {"model": "ray-2", "prompt": "x", "generation_type": "image"}, 400),
    ("/generations/image", {"model": "photon-1"}, 400),
    ("/generations/image", {"model": "photon-1", "prompt": "x", "image_ref": [_IMAGE] * 5}, 400),
    ("/generations/image", {"model": "photon-1", "prompt": "x", "sync": True, "sync_timeout": 1e9}, 400),
    ("/generations/image/reframe", {"model": "photon-1", "media": _IMAGE}, 400),
    ("/generations/video/reframe", {"model": "ray-2", "aspect_ratio": "1:1"}, 400),
    ("/generations/video/modify", {"model": "ray-2", "media": _IMAGE, "mode": "melt_1"}, 400),
    ("/generations/nobodys/upscale", {"resolution": "4k"}, 404),
    ("/generations/nobodys/audio", {"prompt": "rain"}, 404),
)


@pytest.mark.parametrize(("path", "body", "status"), _BAD)
def test_bad_input(stage: Stage, contract: Contract, path: str, body: dict[str, Any], status: int) -> None:
    word = "never sent this"
    reply = call(stage, "POST", ROOT + path, json={**body, "note": word})
    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"detail", "code"} and isinstance(reply.json()["detail"], str)
    assert reply.headers["x-request-id"]
    assert stage.received(word) == []
    described = path.replace("nobodys", "{id}") if path != "/generations" else "/generations/video"
    assert contract.breaches("POST", ROOT + described, reply) == []


def test_other_bad_input(stage: Stage, contract: Contract) -> None:
    large = b'{"model": "ray-2", "prompt": "' + b"x" * (21 << 20) + b'"}'
    for content, kind, status in ((large, "application/json", 413), (b"{}", "text/plain", 415)):
        reply = call(stage, "POST", f"{ROOT}/generations/video", content=content, headers={"content-type": kind})
        assert (reply.status_code, set(reply.json())) == (status, {"detail", "code"}), reply.text
        assert contract.breaches("POST", f"{ROOT}/generations/video", reply) == []
    for content in (b"{", b"[]", b'{"model": "ray-2", "model": "ray-9", "prompt": "x"}', b'{"model": "\xff"}'):
        reply = call(
            stage, "POST", f"{ROOT}/generations", content=content, headers={"content-type": "application/json"}
        )
        assert reply.status_code == 400, reply.text
    for query in ("limit=-1", "limit=x", "offset=99999999", "limit=101"):
        assert call(stage, "GET", f"{ROOT}/generations?{query}").status_code == 400, query


def test_an_unfinished_film_is_not_gone_on_from(stage: Stage, luma: LumaAI) -> None:
    made = luma.generations.create(model="ray-2", prompt="never done [[fault:stuck]]", resolution="540p")
    for path, body in (
        (f"/generations/{made.id}/upscale", {"resolution": "4k"}),
        ("/generations", {"model": "ray-2", "keyframes": {"frame0": {"type": "generation", "id": made.id}}}),
    ):
        reply = call(stage, "POST", ROOT + path, json=body)
        assert (reply.status_code, reply.json()["detail"]) == (400, "The generation is not completed yet.")
    picture = ended(luma, luma.generations.image.create(model="photon-1", prompt=QUICK + "x"))
    reply = call(stage, "POST", f"{ROOT}/generations/{picture.id}/audio", json={"prompt": "rain"})
    assert (reply.status_code, reply.json()["detail"]) == (400, "The generation is not a video.")


def test_the_shorter_address_works_too(stage: Stage) -> None:
    assert call(stage, "GET", "/dream-machine/v1/ping").json() == {"message": "pong"}


async def test_the_asynchronous_half(stage: Stage) -> None:
    async with AsyncLumaAI(auth_token=stage.key, base_url=f"{stage.url}{ROOT}") as luma:
        made = await luma.generations.image.create(model="photon-1", prompt=f"a fox {QUICK}", sync=True)
        assert made.state == "completed"
