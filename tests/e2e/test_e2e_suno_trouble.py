"""Suno's servers that are not in order, or worse: whose the clips are, what is charged, and what the others notice."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.stage import Stage, set_stage
from support.suno import BOB, Suno
from support.suno_vendor import SunoVendor, clip, suno_vendor
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

CONFIG = """
channels:
  - {name: suno, provider: suno_relay, base_url: "VENDOR", credentials: sk-suno, models: [suno]}
prices:
  - {operation: suno.act.wav, per_call: 0.05}
settings: {tasks: {poll_scale: 0.1}}
users: [{name: alice, credit: 100}, {name: bob, credit: 100}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
"""
WAV = {"wav_file_url": "https://files.example/a.wav"}


@pytest.fixture(scope="module")
def vendor() -> Iterator[SunoVendor]:
    """A server that says what it is told to."""
    with suno_vendor() as vendor:
        yield vendor


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process, vendor: SunoVendor) -> Iterator[Stage]:
    """A gateway before it."""
    stage = set_stage(tmp_path_factory.mktemp("trouble"), vendors, CONFIG.replace("VENDOR", vendor.url))
    yield stage
    stage.sound()
    stage.stop()


@pytest.fixture
def suno(stage: Stage, vendor: SunoVendor) -> Iterator[Suno]:
    """Alice's client."""
    yield Suno(stage)
    vendor.says.clear()
    vendor.go.set()


def made(suno: Suno, vendor: SunoVendor, *clips: dict[str, Any], path: str = "/submit/music") -> dict[str, Any]:
    """The answer to a submission whose task has succeeded with these clips."""
    told: dict[str, Any] = suno.post(path, prompt="[Verse]\nOn and on")
    vendor.tell(vendor.last(), "SUCCESS", *clips)
    assert suno.until(told["id"])["status"] == "SUCCESS"
    return told


def test_what_a_priced_question_holds_is_given_back_however_it_ends(
    suno: Suno, vendor: SunoVendor, stage: Stage
) -> None:
    made(suno, vendor, clip("held-1", "complete"))
    since = now_ms()
    said: tuple[Any, ...] = (
        (400, {"code": "no", "message": "no"}, 400),
        (200, {"code": "no", "message": "no"}, 400),
        (200, b"{no json", 502),
        (200, {}, 200),
    )
    for status, answer, told in said:
        vendor.says["/suno/act/wav/held-1"] = (status, answer)
        assert suno.call("GET", "/act/wav/held-1").status_code == told
    vendor.says["/suno/act/wav/held-1"] = (200, WAV)
    vendor.go.clear()
    before = len(vendor.sent())
    shown = {"authorization": f"Bearer {stage.key}"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{stage.url}/suno/act/wav/held-1", headers=shown, timeout=0.5, verify=False)
    wait_until(lambda: len(vendor.sent()) > before, what="the question at the vendor", seconds=20)
    vendor.go.set()
    assert stage.charged(since) == 0, "and nothing is held any more"
    both = [threading.Thread(target=suno.good, args=("GET", "/act/wav/held-1")) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert stage.charged(since) == 100_000_000, "each answer that holds it"


def test_an_id_that_was_told_stays_its_clip_s_in_whatever_order_they_come(suno: Suno, vendor: SunoVendor) -> None:
    told = suno.post("/generate", prompt="[Verse]\nOver the hills")
    first, second = (one["id"] for one in told["clips"])

    def seen() -> dict[str, str]:
        return {one["id"]: one["title"] for one in suno.fetch(told["id"])["data"]}

    task = vendor.last()
    vendor.tell(task, "IN_PROGRESS", clip("order-b"))
    wait_until(lambda: seen() == {first: "order-b"}, what="the clip that came first", seconds=20)
    vendor.tell(task, "IN_PROGRESS", clip("order-a"), clip("order-b"))
    wait_until(lambda: seen() == {first: "order-b", second: "order-a"}, what="the other clip", seconds=20)
    vendor.tell(task, "SUCCESS", clip("order-b", "complete"), clip("order-a", "complete"), clip("order-c", "complete"))
    suno.until(told["id"])
    known = {first: "order-b", second: "order-a", "order-c": "order-c"}
    assert seen() == known
    assert {one["id"]: one["title"] for one in suno.good("GET", f"/feed/{second},{first}")} == {
        first: "order-b",
        second: "order-a",
    }
    for id, theirs in known.items():
        assert suno.good("GET", f"/act/timing/{id}")["asked"] == f"/suno/act/timing/{theirs}"
        suno.post("/submit/music", prompt="x", task="extend", continue_clip_id=id, continue_at=1)
        assert vendor.sent()[-1][2]["continue_clip_id"] == theirs


def test_a_clip_that_was_never_made_is_not_complete(suno: Suno, vendor: SunoVendor) -> None:
    told = made(suno, vendor, clip("only-one", "complete"), path="/generate")
    good, never = suno.good("GET", "/feed/" + ",".join(one["id"] for one in told["clips"]))
    assert (good["status"], good["title"], never["status"]) == ("complete", "only-one", "error")
    assert never["metadata"]["error_message"] and never["audio_url"] == ""


def test_another_s_clip_is_named_in_no_member_at_all(suno: Suno, vendor: SunoVendor, stage: Stage) -> None:
    theirs = "5c1e9f0a-7d43-4d2e-8a55-0f1e2d3c4b5a"
    made(suno, vendor, clip(theirs, "complete"), path="/generate")
    persona = "p-1234567"
    vendor.says["/suno/persona/create"] = (200, {"id": persona})
    suno.post("/persona/create", root_clip_id=theirs, name="Ada")
    bob = Suno(stage, BOB)
    made(bob, vendor, clip("bob-1", "complete"))
    before = len(vendor.sent())
    everywhere: tuple[dict[str, Any], ...] = (
        {"metadata": {"cover_clip_id": theirs}},
        {"edited_clip_id": theirs},
        {"clip_id": [theirs]},
        {"CONTINUE_CLIP_ID": theirs},
        {"history": [{"id": f"m_{theirs}"}]},
        {"audio": f"https://files.example/{theirs}.mp3"},
        {"metadata": {"persona": {"id": persona}}},
    )
    for named in everywhere:
        assert bob.refused("/submit/music", prompt="x", **named) == "task_origin_not_exist", named
        assert bob.refused("/generate", prompt="x", **named) == "task_origin_not_exist", named
        assert bob.refused("/submit/concat", clip_id="bob-1", more=named) == "task_origin_not_exist", named
        assert bob.call("POST", "/v1/music", {"input": {"prompt": "x", **named}}).status_code == 400, named
        assert bob.refused("/act/tags", original_tags="x", **named) == "task_origin_not_exist", named
        more = {name: value for name, value in named.items() if name != "clips"}
        assert bob.refused("/persona/create", root_clip_id="bob-1", name="x", **more) == "task_origin_not_exist"
    assert bob.refused(f"/act/wav/bob-1?clip_id={theirs}", method="GET") == "task_origin_not_exist"
    many = [f"clip-{number:06}" for number in range(501)]
    assert bob.refused("/submit/music", prompt="x", metadata={"all": many}) == "invalid_request"
    assert len(vendor.sent()) == before
    suno.post("/submit/music", prompt="x", metadata={"cover_clip_id": theirs})
    assert vendor.sent()[-1][2]["metadata"] == {"cover_clip_id": theirs}, "one's own travel"
