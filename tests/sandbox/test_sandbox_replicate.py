"""The sandbox's Replicate: how predictions begin, proceed and end, and what is refused."""

import itertools
import re
from typing import Any

import httpx
import pytest
from replicate_calls import SCHNELL, SDXL, VERSIONS, Replicate
from sandbox_client import Sandbox, eventually

from unigate.sandbox.forms import replicate_errors as errors
from unigate.sandbox.forms.replicate_models import MODELS
from unigate.sandbox.forms.replicate_prediction import new, shown, timeline
from unigate.sandbox.forms.replicate_request import Asked
from unigate.sandbox.options import Options
from unigate.sandbox.serving.jobs import Job, Stage

GIVEN = {"prompt": "an astronaut", "megapixels": "0.25"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def vendor(sandbox: Sandbox) -> Replicate:
    return Replicate(sandbox)


def slow(vendor: Replicate) -> dict[str, Any]:
    """A prediction that won't come further by itself."""
    return vendor.begun(SCHNELL, {**GIVEN, "n": "[[fault:stuck:1]]"})


def test_a_prediction_from_its_beginning_to_its_end(vendor: Replicate) -> None:
    answer = vendor.create(SCHNELL, {**GIVEN, "num_outputs": 2, "seed": 5})
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]) == ("600", "599")
    told = answer.json()
    assert re.fullmatch(r"[a-z2-7]{26}", told["id"])
    assert (told["status"], told["model"], told["version"], told["source"]) == ("starting", SCHNELL, "hidden", "api")
    assert told["input"] == {**GIVEN, "num_outputs": 2, "seed": 5, "sandbox": "[[speed:200]]"}
    assert (told["output"], told["error"], told["logs"], told["data_removed"]) == (None, None, "", False)
    assert (told["started_at"], told["completed_at"], told["metrics"]) == (None, None, {})
    base = f"{vendor.base}/predictions/{told['id']}"
    assert (told["urls"]["get"], told["urls"]["cancel"]) == (base, f"{base}/cancel")
    assert told["urls"]["web"] == f"https://replicate.com/p/{told['id']}"
    done = vendor.ended(told["id"])
    assert (done["status"], done["error"]) == ("succeeded", None)
    assert len(done["output"]) == done["metrics"]["image_count"] == 2
    assert 1 <= done["metrics"]["predict_time"] <= 3
    assert done["metrics"]["total_time"] > done["metrics"]["predict_time"]
    moments = [done["created_at"], done["started_at"], done["completed_at"]]
    assert all(MOMENT.fullmatch(moment) for moment in moments)
    assert moments == sorted(moments)
    assert done["logs"].startswith("Using seed: 5\n")
    assert done["logs"].endswith("\n")
    assert "100%|██████████| 4/4" in done["logs"]


def test_it_goes_through_its_states_and_its_logs_grow(vendor: Replicate) -> None:
    given = {**GIVEN, "seed": 5}
    logs = [""]
    for percent, status in ((0, "starting"), (1, "processing"), (50, "processing"), (75, "processing")):
        id = vendor.begun(SCHNELL, {**given, "n": f"[[fault:stuck:{percent}]]"})["id"]

        def arrived(id: str = id, status: str = status) -> dict[str, Any] | None:
            told = vendor.get(id)
            return told if (told["status"], told["logs"] > logs[-1] or status == "starting") == (status, True) else None

        told = eventually(arrived)
        assert (told["output"], told["completed_at"], told["metrics"]) == (None, None, {})
        assert (told["started_at"] is None) is (status == "starting")
        logs.append(told["logs"])
    logs.append(vendor.done(SCHNELL, given)["logs"])
    assert logs[1] == ""
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(logs))
    assert len(set(logs)) == 5


def test_stills_come_while_it_runs(vendor: Replicate) -> None:
    given = {"prompt_start": "a", "prompt_end": "b", "width": 128, "height": 128, "num_animation_frames": 4}
    stuck = {**given, "intermediate_output": True, "n": "[[fault:stuck:75]]"}
    id = vendor.begun("andreasjansson/stable-diffusion-animation", stuck)["id"]

    def stills() -> Any:
        told = vendor.get(id)
        return told["status"] == "processing" and len(told["output"] or []) == 3

    assert eventually(stills)


@pytest.mark.parametrize("version", [VERSIONS["stability-ai/sdxl"], SDXL, SCHNELL, MODELS[SCHNELL].version])
def test_by_version(vendor: Replicate, version: str) -> None:
    answer = vendor.call("POST", "/predictions", json={"version": version, "input": {"prompt": "x"}})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["model"] == ("stability-ai/sdxl" if "sdxl" in version or version in SDXL else SCHNELL)
    assert told["version"] == ("hidden" if version == SCHNELL else version.rpartition(":")[2])


@pytest.mark.parametrize(
    "version",
    [
        "0" * 64,
        "sdxl",
        "stability-ai/sdxl",
        "stability-ai/sdxl:latest",
        f"cjwbw/rembg:{VERSIONS['stability-ai/sdxl']}",
        "nobody/nothing",
    ],
)
def test_versions_that_there_are_not(vendor: Replicate, version: str) -> None:
    answer = vendor.call("POST", "/predictions", json={"version": version, "input": {"prompt": "x"}})
    assert answer.status_code == 422
    assert answer.json()["title"] == "Invalid version or not permitted"


def test_models_of_the_community_have_no_path(vendor: Replicate) -> None:
    for name in ("stability-ai/sdxl", "nobody/nothing"):
        answer = vendor.call("POST", f"/models/{name}/predictions", json={"input": {"prompt": "x"}})
        assert answer.status_code == 404
        assert answer.json() == {"detail": "The requested resource could not be found.", "status": 404}


def test_by_deployment(vendor: Replicate) -> None:
    answer = vendor.call("POST", "/deployments/sandbox/demo/predictions", json={"input": GIVEN})
    assert answer.status_code == 201
    assert (answer.json()["model"], answer.json()["deployment"]) == (SCHNELL, "sandbox/demo")
    release = vendor.call("GET", "/deployments/sandbox/demo").json()["current_release"]
    assert (release["model"], release["version"]) == (SCHNELL, answer.json()["version"])
    assert vendor.call("POST", "/deployments/sandbox/other/predictions", json={"input": GIVEN}).status_code == 404
    assert vendor.call("GET", "/deployments/sandbox/other").status_code == 404


def test_prefer_wait_answers_with_the_output(vendor: Replicate) -> None:
    for told, applied in (("wait", "wait=60"), ("wait=30", "wait=30")):
        answer = vendor.create(SCHNELL, GIVEN, headers={"prefer": told})
        assert answer.status_code == 201
        assert answer.headers["preference-applied"] == applied
        assert answer.json()["status"] == "succeeded"
        assert len(answer.json()["output"]) == 1


def test_a_wait_that_is_over_answers_as_at_the_beginning(vendor: Replicate) -> None:
    answer = vendor.create(SCHNELL, {**GIVEN, "n": "[[fault:stuck]]"}, headers={"prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
    told = answer.json()
    assert (told["status"], told["output"], told["logs"]) == ("starting", None, "")
    assert vendor.get(told["id"])["status"] == "processing"


@pytest.mark.parametrize("told", ["wait=0", "wait=abc", "wait=100", "wait="])
def test_waits_that_are_none(vendor: Replicate, told: str) -> None:
    assert vendor.create(SCHNELL, GIVEN, headers={"prefer": told}).status_code == 422


def test_other_preferences_are_ignored(vendor: Replicate) -> None:
    answer = vendor.create(SCHNELL, GIVEN, headers={"prefer": "respond-async"})
    assert answer.status_code == 201
    assert "preference-applied" not in answer.headers


def test_cancel(vendor: Replicate) -> None:
    id = slow(vendor)["id"]
    eventually(lambda: vendor.get(id)["status"] == "processing")
    answer = vendor.call("POST", f"/predictions/{id}/cancel")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["output"]) == ("canceled", None)
    assert MOMENT.fullmatch(told["completed_at"])
    assert 0 < told["metrics"]["predict_time"] <= 3
    assert vendor.get(id) == told
    assert vendor.call("POST", f"/predictions/{id}/cancel").json() == told, "it can't end twice"
    done = vendor.done(SCHNELL, GIVEN)
    assert vendor.call("POST", f"/predictions/{done['id']}/cancel").json() == done


def test_cancel_after(vendor: Replicate) -> None:
    stuck = {**GIVEN, "n": "[[fault:stuck:1]]"}
    begun = vendor.begun(SCHNELL, stuck, speed=100, headers={"cancel-after": "1m30s"})
    assert begun["deadline"] > begun["created_at"]
    assert vendor.ended(begun["id"])["status"] == "canceled"
    told = vendor.done(SCHNELL, {**GIVEN, "n": "[[fault:stuck:0]]"}, speed=100, headers={"cancel-after": "5s"})
    assert (told["status"], told["started_at"], told["metrics"]) == ("aborted", None, {})
    assert vendor.done(SCHNELL, GIVEN, headers={"cancel-after": "1h"})["status"] == "succeeded"
    for wrong in ("4s", "soon", "-5s"):
        assert vendor.create(SCHNELL, GIVEN, headers={"cancel-after": wrong}).status_code == 422


def test_the_list_has_the_newest_first(sandbox: Sandbox) -> None:
    vendor = Replicate(sandbox, "r8_lists_00000000000000000000000000000001")
    made = [slow(vendor) for _ in range(3)]
    listed = vendor.call("GET", "/predictions").json()
    assert [one["id"] for one in listed["results"]] == [one["id"] for one in reversed(made)]
    assert (listed["previous"], listed["next"]) == (None, None)
    after = vendor.call("GET", "/predictions", params={"created_after": made[-1]["created_at"]}).json()
    assert after["results"] == []
    before = vendor.call("GET", "/predictions", params={"created_before": "2020-01-01T00:00:00Z"}).json()
    assert before["results"] == []
    assert vendor.call("GET", "/predictions", params={"source": "web"}).json()["results"] == []
    for wrong in ({"created_after": "yesterday"}, {"source": "api"}):
        assert vendor.call("GET", "/predictions", params=wrong).status_code == 422
    assert vendor.call("GET", "/predictions", params={"cursor": "zzz"}).status_code == 400


def test_the_list_comes_in_pages(sandbox: Sandbox) -> None:
    vendor = Replicate(sandbox, "r8_pages_00000000000000000000000000000001")
    cheap = {"image": "data:,x", "n": "[[fault:stuck:1]]"}
    made = [vendor.begun("cjwbw/rembg", cheap)["id"] for _ in range(205)]
    seen: list[str] = []
    page = vendor.call("GET", "/predictions", params={"created_after": "2020-01-01T00:00:00Z"}).json()
    sizes = [len(page["results"])]
    seen += [one["id"] for one in page["results"]]
    while page["next"]:
        last = page
        page = vendor.call("GET", page["next"]).json()
        sizes.append(len(page["results"]))
        seen += [one["id"] for one in page["results"]]
        back = vendor.call("GET", page["previous"]).json()
        assert [one["id"] for one in back["results"]] == [one["id"] for one in last["results"]]
    assert sizes == [100, 100, 5]
    assert seen == made[::-1]


def test_nobody_sees_what_others_made(sandbox: Sandbox, vendor: Replicate) -> None:
    id = slow(vendor)["id"]
    other = Replicate(sandbox, "r8_another_000000000000000000000000000001")
    assert other.call("GET", f"/predictions/{id}").status_code == 404
    assert other.call("POST", f"/predictions/{id}/cancel").status_code == 404
    assert other.call("GET", "/predictions").json()["results"] == []
    assert vendor.call("GET", "/predictions/zzzzzzzzzzzzzzzzzzzzzzzzzz").status_code == 404


def test_what_it_was_about_is_removed_after_an_hour() -> None:
    asked = Asked(
        model=MODELS[SCHNELL], version="hidden", input={"prompt": "x"}, webhook="", moments=frozenset(), wait=0, life=0
    )
    prediction = new(asked, id="a", origin="http://127.0.0.1", body=b"", empty=False)
    prediction.outputs = ("http://127.0.0.1/sandbox/files/1.webp",)
    prediction.made.set()
    failed = Stage(name="failed", ended=True)
    job = Job(
        id="a", credential="", timeline=timeline(prediction), failed=failed, refuse=errors.failure, data=prediction
    )
    job.begin(job.made - 60)
    prediction.made_ms = job.made_ms
    kept = shown(job, now_ms=job.made_ms + 3_599_000)
    assert (kept["data_removed"], kept["output"], kept["input"]) == (False, list(prediction.outputs), {"prompt": "x"})
    gone = shown(job, now_ms=job.made_ms + 3_600_000)
    assert (gone["data_removed"], gone["output"], gone["input"], gone["logs"]) == (True, None, {}, "")
    assert (gone["status"], gone["metrics"]) == ("succeeded", kept["metrics"])


def test_tokens(sandbox: Sandbox) -> None:
    anyone = Replicate(sandbox)
    for authorization, status in (
        ("Token r8_old", 200),
        ("Bearer r8_new", 200),
        ("Bearer r8_invalid", 401),
        ("Basic eDp5", 401),
        ("", 401),
    ):
        anyone.headers = {"authorization": authorization} if authorization else {}
        answer = anyone.call("GET", "/account")
        assert answer.status_code == status
        if status == 401:
            assert answer.json() == {
                "title": "Unauthenticated",
                "detail": "You did not pass a valid authentication token",
                "status": 401,
            }
            assert answer.headers["content-type"] == "application/problem+json"


def test_an_account_without_money(sandbox: Sandbox) -> None:
    poor = Replicate(sandbox, "r8_broke_0000000000000000000000000000001")
    answer = poor.create(SCHNELL, GIVEN)
    assert (answer.status_code, answer.json()["title"]) == (402, "Insufficient credit")
    assert poor.call("GET", "/predictions").json()["results"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"", 400),
        (b"{}", 422),
        (b'{"version": 5, "input": {}}', 422),
        (b'{"version": "black-forest-labs/flux-schnell"}', 422),
        (b'{"version": "black-forest-labs/flux-schnell", "input": "x"}', 422),
    ],
)
def test_bodies_that_are_none(vendor: Replicate, body: bytes, status: int) -> None:
    answer = vendor.call("POST", "/predictions", content=body)
    assert answer.status_code == status
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    "more",
    [
        {"webhook": "ftp://127.0.0.1/x"},
        {"webhook": 5},
        {"webhook": "http://127.0.0.1/x", "webhook_events_filter": ["end"]},
        {"webhook": "http://127.0.0.1/x", "webhook_events_filter": "start"},
    ],
)
def test_webhooks_that_are_none(vendor: Replicate, more: dict[str, Any]) -> None:
    assert vendor.create(SCHNELL, GIVEN, **more).status_code == 422


def test_failures_by_demand(sandbox: Sandbox, vendor: Replicate) -> None:
    told = vendor.done(SCHNELL, {**GIVEN, "n": "[[fault:fail-at:50]]"})
    assert (told["status"], told["output"]) == ("failed", None)
    assert told["error"] in told["logs"]
    assert 0 < told["metrics"]["predict_time"] < 3
    refused = vendor.create(SCHNELL, {**GIVEN, "n": "[[fault:429]]"})
    assert (refused.status_code, refused.json()["title"]) == (429, "Too many requests")
    assert (refused.headers["retry-after"], refused.json()["retry_after"]) == ("1", 1)
    assert vendor.create(SCHNELL, {**GIVEN, "n": "[[fault:503]]"}).status_code == 503
    gone = vendor.begun(SCHNELL, {**GIVEN, "n": "[[fault:vanish]]"})
    assert vendor.call("GET", f"/predictions/{gone['id']}").status_code == 404
    polled = vendor.begun(SCHNELL, {**GIVEN, "n": "[[fault:poll-429:2,poll-garbage:1]]"})["id"]
    assert [vendor.call("GET", f"/predictions/{polled}").status_code for _ in range(4)] == [429, 429, 200, 200]
    assert vendor.ended(polled)["status"] == "succeeded"
    empty = vendor.done(SCHNELL, {**GIVEN, "n": "[[fault:empty]]"})
    assert (empty["status"], empty["output"], empty["metrics"]["image_count"]) == ("succeeded", [], 0)
    unmetered = Replicate(sandbox, prefix="/fault/missing-usage")
    assert "metrics" not in unmetered.done(SCHNELL, GIVEN)


def test_accepted_without_an_answer(sandbox: Sandbox) -> None:
    vendor = Replicate(sandbox, "r8_hangup_0000000000000000000000000000001")
    with pytest.raises(httpx.TransportError):
        vendor.create(SCHNELL, {**GIVEN, "n": "[[fault:accept-and-hang-up]]"})
    (found,) = vendor.call("GET", "/predictions").json()["results"]
    assert vendor.ended(found["id"])["status"] == "succeeded"


def test_unknown_paths_and_methods(vendor: Replicate) -> None:
    assert vendor.call("GET", "/nothing").status_code == 404
    answer = vendor.call("DELETE", "/predictions")
    assert (answer.status_code, answer.json()["detail"]) == (405, 'Method "DELETE" not allowed.')


def test_the_account(sandbox: Sandbox, vendor: Replicate) -> None:
    told = vendor.call("GET", "/account").json()
    assert (told["type"], told["github_url"]) == ("user", "")
    assert Replicate(sandbox, "r8_other").call("GET", "/account").json()["username"] != told["username"]


@pytest.mark.parametrize("own_sandbox", [Options(task_speed=500)], indirect=True)
def test_clearing_forgets_predictions(own_sandbox: Sandbox) -> None:
    vendor = Replicate(own_sandbox)
    told = vendor.done(SCHNELL, GIVEN)
    own_sandbox.http.delete(f"{own_sandbox.url}/sandbox")
    assert vendor.call("GET", f"/predictions/{told['id']}").status_code == 404
    assert own_sandbox.http.get(told["output"][0]).status_code == 404
    assert own_sandbox.http.get(told["urls"]["stream"]).status_code == 404
