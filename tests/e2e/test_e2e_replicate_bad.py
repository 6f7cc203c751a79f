"""Bad calls of Replicate's API: the vendor's form of an error, nothing sent upstream, nothing charged."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.replicate import CHANNELS, FAST, REMBG, SCHNELL, call, photo
from support.stage import Stage, set_stage
from support.waiting import wait_until
from support.world import Process

MARK = "a-call-that-is-not-to-be-sent"
PATH = f"/models/{SCHNELL}/predictions"
#: A group whose channel names its models, and somebody of it.
LISTED = f"""  - name: listed
    provider: replicate
    base_url: SANDBOX/replicate/v1
    credentials: r8_unigate
    models: [{SCHNELL}]
    groups: [listed]
groups: [{{name: listed}}]
users:
  - {{name: lister, group: listed, credit: 100}}
"""
LISTER = "  - {name: lister, user: lister, secret: sk-lister-0123456789}\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to Replicate, that tells nobody in private networks."""
    built = set_stage(tmp_path_factory.mktemp("bad"), vendors, CHANNELS.replace("users:\n", LISTED) + LISTER)
    yield built
    built.settled()
    charged = [row["cost"] for row in built.rows().values() if row["cost"]]
    assert set(charged) <= {3_000_000}, "only predictions that were in order"
    assert len(charged) <= 6
    built.sound()
    built.stop()


def problem(reply: httpx.Response, status: int, title: str | None = "Input validation failed") -> dict[str, Any]:
    """The problem document of a refusal."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-request-id"].startswith("req_")
    told: dict[str, Any] = reply.json()
    assert (told["status"], told.get("title")) == (status, title)
    assert told["detail"]
    assert "Traceback" not in reply.text
    return told


@pytest.mark.parametrize(
    ("path", "body", "headers", "fields"),
    [
        (PATH, {"input": {}}, {}, ["input"]),
        (PATH, {}, {}, ["input"]),
        (PATH, {"input": [1]}, {}, ["input"]),
        (PATH, {"input": {"prompt": 7}}, {}, ["input.prompt"]),
        (
            PATH,
            {"input": {"prompt": MARK, "num_outputs": "two", "go_fast": 1}},
            {},
            ["input.num_outputs", "input.go_fast"],
        ),
        (PATH, {"input": {"prompt": MARK}, "version": "x"}, {}, ["version"]),
        (PATH, {"input": {"prompt": MARK}, "webhook": "nowhere"}, {}, ["webhook"]),
        (PATH, {"input": {"prompt": MARK}, "webhook_events_filter": "all"}, {}, ["webhook_events_filter"]),
        (PATH, {"input": {"prompt": MARK}}, {"prefer": "wait=0"}, ["Prefer"]),
        (PATH, {"input": {"prompt": MARK}}, {"cancel-after": "soon"}, ["Cancel-After"]),
        ("/models/cjwbw/rembg/predictions", {"input": {"prompt": MARK}}, {}, ["input"]),
        ("/predictions", {"input": {"prompt": MARK}}, {}, ["version"]),
        ("/predictions", {"version": 7, "input": {"prompt": MARK}}, {}, ["version"]),
        ("/predictions", {"version": REMBG, "input": {"image": 7, "prompt": MARK}}, {}, ["input.image"]),
    ],
)
def test_what_does_not_fit(
    stage: Stage, path: str, body: dict[str, Any], headers: dict[str, str], fields: list[str]
) -> None:
    told = problem(call(stage, "POST", path, json=body, headers=headers), 422)
    assert [one["field"] for one in told["invalid_fields"]] == fields
    assert stage.received(MARK) == []


@pytest.mark.parametrize(
    "version",
    [
        "ab" * 32,
        "none-such",
        "a/b:c",
        f"stability-ai/sdxl:{REMBG.partition(':')[2]}",
        # It might cost more than the one that has a price.
        f"stability-ai/sdxl:{'ab' * 32}",
    ],
)
def test_versions_that_are_not_there(stage: Stage, version: str) -> None:
    reply = call(stage, "POST", "/predictions", json={"version": version, "input": {"prompt": MARK}})
    problem(reply, 422, "Invalid version or not permitted")
    assert stage.received(MARK) == []


@pytest.mark.parametrize(
    "version", ["ab" * 32, REMBG, REMBG.partition(":")[2], "cjwbw/rembg", f"acme/thing:{'ab' * 32}"]
)
def test_versions_that_no_channel_serves(stage: Stage, version: str) -> None:
    body = {"version": version, "input": {"prompt": MARK, "image": "https://example.com/a.png"}}
    reply = call(stage, "POST", "/predictions", json=body, key="sk-lister-0123456789")
    problem(reply, 422, "Invalid version or not permitted")
    assert stage.received(MARK) == []


@pytest.mark.parametrize("name", ["models/acme/thing", "models/cjwbw/rembg", "deployments/acme/thing"])
def test_models_that_no_channel_serves(stage: Stage, name: str) -> None:
    body = {"input": {"prompt": MARK, "image": "https://example.com/a.png"}}
    reply = call(stage, "POST", f"/{name}/predictions", json=body, key="sk-lister-0123456789")
    assert problem(reply, 404, None)["detail"] == "The requested resource could not be found."
    assert stage.received(MARK) == []


def test_models_that_are_not_priced(stage: Stage) -> None:
    reply = call(stage, "POST", "/models/acme/thing/predictions", json={"input": {"prompt": MARK}})
    assert problem(reply, 403, "Forbidden")["code"] == "price_missing"
    assert stage.received(MARK) == []


@pytest.mark.parametrize(
    ("content", "kind", "status", "title"),
    [
        (b"{", "application/json", 400, "Bad request"),
        (b'{"input":{"prompt":"\xff"}}', "application/json", 400, "Bad request"),
        (b"[]", "application/json", 400, "Bad request"),
        (b"", "application/json", 400, "Bad request"),
        (b"x=1", "application/x-www-form-urlencoded", 415, "Unsupported media type"),
    ],
)
def test_bodies_that_are_none(stage: Stage, content: bytes, kind: str, status: int, title: str) -> None:
    problem(call(stage, "POST", PATH, content=content, headers={"content-type": kind}), status, title)


def test_callbacks_into_private_networks(stage: Stage) -> None:
    for address in ("http://127.0.0.1:9/x", "http://169.254.169.254/latest", "http://[::1]/"):
        body = {"input": {"prompt": MARK}, "webhook": address}
        problem(call(stage, "POST", PATH, json=body), 422)
    assert stage.received(MARK) == []


def test_keys_and_money(stage: Stage) -> None:
    body = {"input": {"prompt": MARK}}
    problem(call(stage, "POST", PATH, json=body, key="sk-nobody"), 401, "Unauthenticated")
    problem(call(stage, "POST", PATH, json=body, key="sk-poor-0123456789"), 402, "Insufficient credit")
    assert stage.received(MARK) == []


def test_other_peoples_things(stage: Stage) -> None:
    body = {"input": {"prompt": "a fox", **FAST}}
    mine = call(stage, "POST", PATH, json=body, headers={"prefer": "wait"}).json()
    sent = call(stage, "POST", "/files", files={"content": ("a.png", photo(), "image/png")})
    assert sent.status_code == 201, sent.text
    for id in (mine["id"], "gm3qorzdhgbfurvjtvhg6dckhu", "%00", "x" * 500):
        for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/stream")):
            reply = call(stage, method, f"/predictions/{id}{path}", key="sk-bob-0123456789")
            assert problem(reply, 404, None)["detail"] == "The requested resource could not be found."
    for id in (sent.json()["id"], "none", "%00"):
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/download")):
            problem(call(stage, method, f"/files/{id}{path}", key="sk-bob-0123456789"), 404, None)
    assert call(stage, "GET", f"/files/{sent.json()['id']}").status_code == 200
    other = {"input": {"image": sent.json()["urls"]["get"], "prompt": MARK}}
    reply = call(stage, "POST", "/models/cjwbw/rembg/predictions", json=other, key="sk-bob-0123456789")
    assert problem(reply, 422)["invalid_fields"][0]["type"] == "not_found"
    assert stage.received(MARK) == []


def test_models_and_versions_that_are_not_there(stage: Stage) -> None:
    version = REMBG.partition(":")[2]
    for path in ("/models/stability-ai/sdxl/versions/none", f"/models/stability-ai/sdxl/versions/{version}"):
        problem(call(stage, "GET", path), 404, None)
    assert call(stage, "GET", f"/models/cjwbw/rembg/versions/{version}").json()["id"] == version


def test_a_download_without_the_vendors_signature_harms_nobody(stage: Stage) -> None:
    sent = call(stage, "POST", "/files", files={"content": ("a.png", photo(), "image/png")}).json()
    for _ in range(3):
        problem(call(stage, "GET", f"/files/{sent['id']}/download"), 403, "Forbidden")
        assert call(stage, "GET", f"/files/{sent['id']}").status_code == 200


def test_files_that_are_none(stage: Stage) -> None:
    problem(call(stage, "POST", "/files", content=b"hello"), 415, "Unsupported media type")
    reply = call(stage, "POST", "/files", files={"other": ("a.txt", b"hello")})
    assert 400 <= reply.status_code < 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["detail"]


@pytest.mark.parametrize("query", ["cursor=nonsense", "cursor=WyJhIl0"])
def test_places_that_are_not_in_a_list(stage: Stage, query: str) -> None:
    problem(call(stage, "GET", f"/predictions?{query}"), 400, "Bad request")
    problem(call(stage, "GET", f"/files?{query}"), 400, "Bad request")


def test_the_vendors_own_refusals_pass(stage: Stage) -> None:
    reply = call(stage, "POST", PATH, json={"input": {"prompt": "x", "num_outputs": 9}})
    told = problem(reply, 422)
    assert [one["field"] for one in told["invalid_fields"]] == ["input.num_outputs"]
    reply = call(stage, "POST", PATH, json={"input": {"prompt": "x", "aspect_ratio": "7:1"}})
    assert "aspect_ratio" in problem(reply, 422)["detail"]


def test_lists_have_pages_and_times(stage: Stage) -> None:
    ids = []
    for number in range(3):
        made = call(stage, "POST", PATH, json={"input": {"prompt": f"{number}", **FAST}}, key="sk-bob-0123456789")
        ids.append(made.json()["id"])

    def listed(query: str = "") -> list[str]:
        page = call(stage, "GET", f"/predictions{query}", key="sk-bob-0123456789").json()
        assert (page["previous"], page["next"]) == (None, None)
        return [one["id"] for one in page["results"]]

    assert listed() == ids[::-1]
    assert listed("?created_after=2020-01-01") == ids[::-1]
    assert listed("?created_after=2100-01-01T00:00:00Z") == []
    assert listed("?created_before=2020-01-01T00:00:00%2B02:00") == []

    def done() -> bool:
        found = [call(stage, "GET", f"/predictions/{id}", key="sk-bob-0123456789").json() for id in ids]
        return all(one["status"] == "succeeded" for one in found)

    wait_until(done, what="the end of three predictions", seconds=30)
    stream = call(stage, "GET", f"/predictions/{ids[0]}/stream", key="sk-bob-0123456789")
    assert stream.headers["content-type"].startswith("text/event-stream")
    last = [line.removeprefix("id: ") for line in stream.text.splitlines() if line.startswith("id: ")][-1]
    rest = call(stage, "GET", f"/predictions/{ids[0]}/stream", key="sk-bob-0123456789", headers={"last-event-id": last})
    assert [line for line in rest.text.splitlines() if line.startswith("event: ")] == ["event: done"]
    assert "replicate.delivery" not in stream.text
    assert stage.sandbox.url not in json.dumps(
        call(stage, "GET", f"/predictions/{ids[0]}", key="sk-bob-0123456789").json()
    )


def test_addresses_of_streams_that_we_did_not_sign(stage: Stage) -> None:
    body = {"input": {"prompt": "a fox", **FAST}}
    made = call(stage, "POST", PATH, json=body, headers={"prefer": "wait"}).json()
    address = made["urls"]["stream"]
    reply = httpx.get(address, timeout=60)
    assert reply.status_code == 200 and reply.text.rstrip().endswith("data: {}"), reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    asked = httpx.URL(address)
    query = dict(asked.params)
    wrong = [{**query, name: value} for name in query for value in ("", "0", "\0", query[name] + "1")]
    wrong += [{name: value for name, value in query.items() if name != gone} for gone in query]
    for one in [*wrong, {}]:
        problem(httpx.get(asked.copy_with(query=None), params=one, timeout=60), 404, None)
    other = call(stage, "POST", PATH, json=body, headers={"prefer": "wait"}).json()["id"]
    problem(httpx.get(address.replace(made["id"], other), timeout=60), 404, None)
