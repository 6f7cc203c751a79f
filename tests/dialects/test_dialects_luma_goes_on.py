"""Luma and Udio: what is gone on from is what was looked for and nothing else, and is as large as what is charged."""

import json
from dataclasses import replace
from typing import Any

import pytest

from unigate.base.errors import BadRequest
from unigate.dialects import luma, luma_relay, udio
from unigate.providers import luma as official
from unigate.providers import luma_relay as relay
from unigate.providers import udio_relay
from unigate.spec.task import Answered, Draft, Json, Order, Submission, Task

OPERATIONS = {row.name: row for spoken in (luma, luma_relay, udio) for row in spoken.OPERATIONS}
IMAGE = {"type": "image", "url": "https://pictures.example.com/a.png"}


def submission(name: str, body: Json, id: str = "") -> Submission:
    row = OPERATIONS[name]
    params = {"id": id} if id else {}
    content = json.dumps(body).encode()
    return Submission(operation=row, path=row.path, query="", params=params, headers={}, body=content, key_id="key_1")


def order(draft: Draft, called: str, parent: Json | None = None) -> Order:
    return Order(
        task_id="t1", called=called, operation=called, model=draft.model, body=draft.body, parent=parent, callback=""
    )


def film(called: str = "luma.video", model: str = "ray-2", **about: Any) -> Task:
    return Task(
        id="ours",
        called=called,
        operation=called,
        dialect=called.partition(".")[0],
        user_id="usr_1",
        key_id="key_1",
        model=model,
        state="succeeded",
        input={"makes": "video", **about},
        conditions={"resolution": "540p", "duration": "9s"},
        handle={"id": "theirs"},
    )


def sent(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.body)
    return found


def test_a_frame_names_a_generation_by_our_id_only() -> None:
    frame = {**IMAGE, "handle": {"id": "another-users"}, "id": "another-users"}
    draft = luma.read_task(submission("luma.video", {"model": "ray-2", "keyframes": {"frame0": frame}}))
    for provider in (official, relay):
        message = provider.PROVIDER.tasks["luma.video"].submit(order(draft, "luma.video"), {})
        assert "another-users" not in message.path and "another-users" not in str(message.body)
    assert sent(official.PROVIDER.tasks["luma.video"].submit(order(draft, "luma.video"), {}))["keyframes"] == {
        "frame0": IMAGE
    }


@pytest.mark.parametrize("frames", [{"frame0": "x"}, {"frame0": {"type": "generation", "id": "another-users"}}, {}])
@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("luma.upscale", {"resolution": "4k"}),
        ("luma.audio", {"prompt": "x"}),
        ("luma.image", {"model": "photon-1", "prompt": "x"}),
    ],
)
def test_frames_are_for_films_that_are_made_anew(name: str, body: Json, frames: Json) -> None:
    with pytest.raises(BadRequest):
        luma.read_task(submission(name, {**body, "keyframes": frames}, "ours"))


def test_what_the_official_form_would_say_does_not_travel_with_a_relays() -> None:
    more = {"keyframes": {"frame0": {"type": "generation", "id": "another-users"}}, "model": "ray-v3", "mood": "warm"}
    draft = luma_relay.read_task(submission("luma_relay.create", {"user_prompt": "x", **more}))
    assert dict(draft.body) == {"user_prompt": "x", "mood": "warm"}


def test_a_longer_film_has_the_size_of_the_one_before() -> None:
    read = luma_relay.read_task(submission("luma_relay.extend", {"user_prompt": "on"}, "ours"))
    draft = luma_relay.continue_task(read, film("luma_relay.create", ratio="9:16"))
    assert draft.conditions == {"resolution": "540p", "duration": "5s"}
    asked = order(draft, "luma_relay.extend", {"id": "theirs"})
    api = official.PROVIDER.tasks["luma_relay.extend"]
    for provider in (official, relay):
        body = sent(provider.PROVIDER.tasks["luma_relay.extend"].submit(asked, {}))
        assert (body["resolution"], body["aspect_ratio"]) == ("540p", "9:16")
    done = {"id": "new", "state": "completed", "assets": {"video": "https://cdn.example.com/v.mp4"}}
    video: Any = api.accepted(asked, Answered(status=201, body=json.dumps(done).encode())).progress.detail["video"]
    assert (video["width"], video["height"]) == (540, 960)


@pytest.mark.parametrize("frame", ["frame0", "frame1"])
def test_so_it_is_in_the_official_form(frame: str) -> None:
    body = {"model": "ray-2", "keyframes": {frame: {"type": "generation", "id": "ours"}}}
    read = luma.read_task(submission("luma.video", body))
    draft = luma.continue_task(read, film(request={"aspect_ratio": "1:1"}))
    assert draft.conditions == {"resolution": "540p", "duration": "5s"}
    assert (draft.body["resolution"], draft.body["aspect_ratio"]) == ("540p", "1:1")
    shown: Any = draft.input["request"]
    assert (shown["resolution"], shown["aspect_ratio"]) == ("540p", "1:1")
    named = luma.continue_task(
        replace(
            read,
            body={**read.body, "resolution": "1080p"},
            conditions={**read.conditions, "resolution": "1080p"},
        ),
        film(),
    )
    assert (named.body["resolution"], named.conditions["resolution"]) == ("1080p", "1080p")


def test_a_model_of_one_size_is_told_none() -> None:
    read = luma_relay.read_task(submission("luma_relay.extend", {"user_prompt": "on"}, "ours"))
    assert "resolution" not in luma_relay.continue_task(read, film(model="ray-1-6", ratio="1:1")).body


def test_only_names_that_a_header_holds_are_told_as_ignored() -> None:
    names = ["a\r\nset-cookie: x=1", "é", "", "x" * 65, *(f"note_{number}" for number in range(100))]
    draft = luma_relay.read_task(submission("luma_relay.create", {"user_prompt": "x", **dict.fromkeys(names, 1)}))
    api = official.PROVIDER.tasks["luma_relay.create"]
    told = api.accepted(
        order(draft, "luma_relay.create"), Answered(status=201, body=b'{"id": "new", "state": "queued"}')
    )
    assert told.progress.detail["ignored"] == [f"note_{number}" for number in range(20)]


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        {"gen_params": {"prompt": "x", "config": {"mode": "regular", "source": {"song_id": "another-users"}}}},
        {"gen_params": {"prompt": "x"}, "config": {"mode": "continuation", "source": {"song_id": "another-users"}}},
        {"gen_params": {"prompt": "x"}, "samplerOptions": {"audio_conditioning_song_id": "another-users"}},
        {"gen_params": {"prompt": "x", "audio_conditioning_song_id": "another-users"}},
    ],
)
def test_a_song_is_named_where_it_is_looked_for_only(body: Json, *, flat: bool) -> None:
    draft = udio.read_task(submission("udio.music", body))
    message = udio_relay.PROVIDER.tasks["udio.music"].submit(order(draft, "udio.music"), {"flat": flat})
    assert "another-users" not in str(message.body)
