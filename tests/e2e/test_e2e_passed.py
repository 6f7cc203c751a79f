"""What providers keep for users: found, changed and listed by their owner only, and never at another account."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.kept_vendor import CONTENT, ROOTS, KeptVendor, kept_vendor
from support.own_files import ask, refused
from support.stage import Stage, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms
from unigate.dialects import operations
from unigate.spec.operation import Operation

CONFIG = """
channels:
  - {name: first, provider: openai, base_url: "FIRST", credentials: sk-first, models: [base-1], priority: 2}
  - {name: second, provider: openai, base_url: "SECOND", credentials: sk-second, models: {base-2: base-2-theirs}}
  - {name: chat only, provider: openai_compatible, base_url: "SECOND", credentials: sk-chat, models: "*", priority: 9}
prices:
  - {operation: openai.vector_stores.search, per_call: 0.0025}
  - {model: "ft:base-2:*", per_call: 0.5}
users:
  - {name: alice, credit: 10}
  - {name: bob, credit: 10}
  - {name: poor}
  - {name: olga, role: operator}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, platform]}
  - {name: again, user: alice, secret: sk-again-0123456789, scopes: [platform]}
  - {name: bob, user: bob, secret: sk-bob-0123456789, scopes: [relay, platform]}
  - {name: poor, user: poor, secret: sk-poor-0123456789, scopes: [platform]}
  - {name: plain, user: alice, secret: sk-plain-0123456789}
  - {name: olga, user: olga, secret: sk-olga-0123456789, scopes: [platform]}
  - {name: narrow, user: alice, secret: sk-narrow-0123456789, scopes: [platform], models: [base-2]}
"""
BOB, AGAIN = "sk-bob-0123456789", "sk-again-0123456789"
ROWS = [row for row in operations() if row.use == "passed" and row.dialect.startswith("openai_")]


@dataclass
class Places:
    """A gateway before two vendors."""

    stage: Stage
    first: KeptVendor
    second: KeptVendor

    def ask(self, method: str, path: str, *, key: str = "", **more: Any) -> httpx.Response:
        return ask(self.stage, method, path, key=key, **more)

    def made(self, root: str = "vector_stores", key: str = "", **body: object) -> dict[str, Any]:
        """A thing that a user makes."""
        reply = self.ask("POST", f"/v1/{root}", key=key, json=body)
        assert reply.status_code == 200, reply.text
        told: dict[str, Any] = reply.json()
        return told

    @property
    def count(self) -> int:
        """How many requests came to any vendor so far."""
        return len(self.first.got) + len(self.second.got)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Places]:
    with kept_vendor() as first, kept_vendor() as second:
        text = CONFIG.replace("FIRST", first.url).replace("SECOND", second.url)
        stage = set_stage(tmp_path_factory.mktemp("passed"), vendors, text)
        yield Places(stage, first, second)
        stage.sound()
        stage.stop()


def path_of(row: Operation) -> str:
    return row.path.format(id="x_1", file_id="file-1", item_id="i_1", run_id="r_1", batch_id="b_1")


def test_a_key_without_the_scope_is_refused_everywhere(places: Places) -> None:
    before = places.count
    for row in ROWS:
        reply = places.ask(row.method, path_of(row), key="sk-plain-0123456789", json={} if row.body != "none" else None)
        refused(reply, 403)
        assert reply.json()["error"]["code"] == "insufficient_permissions"
        assert "'platform'" in reply.json()["error"]["message"], row.name
    assert places.count == before


def test_the_scope_is_given_by_name(places: Places) -> None:
    plain = places.stage.manage("key", "create", "given", "--user", "bob")
    assert plain["scopes"] == ["relay"]
    refused(places.ask("GET", "/v1/vector_stores", key=plain["secret"]), 403)
    assert places.stage.manage("key", "set", "given", "--scope", "relay", "--scope", "platform")["scopes"] == [
        "relay",
        "platform",
    ]
    secret = plain["secret"]
    wait_until(
        lambda: places.ask("GET", "/v1/vector_stores", key=secret).status_code == 200, what="the scope", seconds=20
    )
    places.stage.manage("key", "set", "given", "--scope", "everything", code=2)


@pytest.mark.parametrize("root", ROOTS)
def test_a_thing_is_its_makers_alone(places: Places, root: str) -> None:
    made = places.made(root, metadata={"of": "alice"}, input={"πrecise": 1.50})
    path = f"/v1/{root}/{made['id']}"
    got = places.first.got[-1]
    assert got.headers["authorization"] == "Bearer sk-first"
    assert (got.headers.get("openai-beta") == "assistants=v2") == (root == "vector_stores")
    assert got.json == {"metadata": {"of": "alice"}, "input": {"πrecise": 1.5}}
    assert places.ask("GET", path).json() == made
    assert places.ask("GET", path, key=AGAIN).json() == made, "another key of the same user"
    before = places.count
    mine = [row for row in ROWS if row.path.startswith(f"/v1/{root}/{{id}}")]
    assert len(mine) > 4
    for row in mine:
        url = row.path.format(id=made["id"], file_id="file-1", item_id="i_1", run_id="r_1", batch_id="b_1")
        unknown = url.replace(made["id"], f"{made['id']}0")
        told: dict[str, Any] = {"json": {}} if row.body != "none" else {}
        for key, where in ((BOB, url), ("", unknown)):
            reply = places.ask(row.method, where, key=key, **told)
            refused(reply, 404)
            assert (made["id"] if key else f"{made['id']}0") in reply.json()["error"]["message"], row.name
    assert places.count == before, "nothing of it may reach a vendor"
    if root != "fine_tuning/jobs":
        assert places.ask("DELETE", path).json()["deleted"] is True
        before = places.count
        refused(places.ask("GET", path), 404)
        assert places.count == before


def test_lists_show_ones_own_page_by_page(places: Places) -> None:
    alices = [places.made("evals", name=f"a{number}", n=number)["id"] for number in range(5)]
    bobs = [places.made("evals", BOB, name="b")["id"] for _ in range(2)]
    before = len(places.first.got)

    def page(query: str, key: str = "") -> tuple[list[str], bool]:
        reply = places.ask("GET", f"/v1/evals?{query}", key=key)
        assert reply.status_code == 200, reply.text
        told = reply.json()
        ids = [one["id"] for one in told["data"]]
        assert told["object"] == "list"
        assert (told["first_id"], told["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
        return ids, told["has_more"]

    assert page("") == (alices, False), "evals begin with the oldest"
    assert page("order=desc") == (alices[::-1], False)
    assert page("limit=2") == (alices[:2], True)
    assert page(f"limit=2&after={alices[1]}") == (alices[2:4], True)
    assert page(f"limit=2&after={alices[3]}") == (alices[4:], False)
    assert page(f"limit=2&before={alices[3]}") == (alices[1:3], True)
    assert page(f"order=desc&limit=9&before={alices[3]}") == (alices[4:], False)
    assert page("", BOB) == (bobs, False)
    assert f"GET {'/v1/evals'}" not in places.first.since(before), "the vendor's list has everybody's"
    refused(places.ask("GET", f"/v1/evals?after={bobs[0]}"), 400)
    for bad in ("limit=0", "limit=101", "limit=x", "order=up", "after=%00", f"after={alices[0]}&before={alices[1]}"):
        refused(places.ask("GET", f"/v1/evals?{bad}"), 400)
    # What its vendor has no more is dropped, and forgotten.
    del places.first.things["Bearer sk-first"][alices[2]]
    left = [id for id in alices if id != alices[2]]
    assert page("") == (left, False)
    before = len(places.first.got)
    assert page("") == (left, False)
    assert not any(alices[2] in asked for asked in places.first.since(before))


def test_lists_are_narrowed_as_the_vendor_does_it(places: Places) -> None:
    names = [places.made("containers", name=name)["id"] for name in ("x", "y", "x")]
    found = places.ask("GET", "/v1/containers?name=x&order=asc").json()
    assert [one["id"] for one in found["data"]] == [names[0], names[2]]
    jobs = [places.made("fine_tuning/jobs", metadata={"team": team})["id"] for team in ("red", "blue")]
    found = places.ask("GET", "/v1/fine_tuning/jobs?metadata[team]=red").json()
    assert [one["id"] for one in found["data"]] == jobs[:1]


def test_a_list_fails_where_its_vendor_does(places: Places) -> None:
    places.made("containers", "sk-olga-0123456789")
    places.first.then = [500]
    refused(places.ask("GET", "/v1/containers", key="sk-olga-0123456789"), 503)
    assert len(places.ask("GET", "/v1/containers", key="sk-olga-0123456789").json()["data"]) == 1


def test_what_is_within_a_thing_goes_where_the_thing_is(places: Places) -> None:
    made = places.made("conversations")
    reply = places.ask("POST", f"/v1/conversations/{made['id']}/items?include=a&include=b", json={"items": []})
    assert reply.json()["below"] == "items"
    assert places.first.got[-1].path == f"/v1/conversations/{made['id']}/items?include=a&include=b"
    assert places.ask("DELETE", f"/v1/conversations/{made['id']}/items/msg_1").json()["below"] == "items/msg_1"
    assert places.ask("GET", f"/v1/conversations/{made['id']}").status_code == 200, "only an item of it was deleted"
    job = places.made("fine_tuning/jobs")["id"]
    for verb in ("cancel", "pause", "resume"):
        assert places.ask("POST", f"/v1/fine_tuning/jobs/{job}/{verb}").json()["below"] == verb
    before = places.count
    for id in ("%2e%2e", "%2e", "a%2Fb", "a%00b", "a" * 300):
        refused(places.ask("GET", f"/v1/conversations/{made['id']}/items/{id}"), 404)
        refused(places.ask("GET", f"/v1/conversations/{id}"), 404)
    assert places.count == before


def test_bad_bodies_are_refused_here(places: Places) -> None:
    made = places.made()
    before = places.count
    for path in ("/v1/vector_stores", f"/v1/vector_stores/{made['id']}/search"):
        for body in (
            b"{",
            b"[]",
            b'"x"',
            b'{"file_ids": [], "file_ids": []}' if path.endswith("s") else b"nul",
            b"\xff",
        ):
            reply = places.ask("POST", path, content=body, headers={"content-type": "application/json"})
            refused(reply, 400)
            assert reply.json()["error"]["code"] == "invalid_json", reply.text
        refused(places.ask("POST", path, content=b"a", headers={"content-type": "text/plain"}), 415)
    assert places.count == before


def test_nothing_reaches_what_other_users_of_the_account_made(places: Places) -> None:
    eval_id, conversation = places.made("evals")["id"], places.made("conversations")["id"]
    before = places.count
    runs, items = f"evals/{eval_id}/runs", f"conversations/{conversation}/items"
    tools = [{"type": "function"}, {"type": "file_search", "vector_store_ids": ["vs_1"]}]
    for path, body, param in (
        ("evals", {"data_source_config": {"type": "logs"}}, "data_source_config.type"),
        ("evals", {"data_source_config": {"type": "stored_completions"}}, "data_source_config.type"),
        (runs, {"data_source": {"source": {"type": "responses"}}}, "data_source.source.type"),
        (runs, {"data_source": {"sampling_params": {"tools": tools}}}, "data_source.sampling_params.tools.1.type"),
        (items, {"items": [{"role": "user", "content": "x"}, {"type": "item_reference", "id": "msg_1"}]}, "items.1"),
        ("conversations", {"items": [{"id": "msg_1"}]}, "items.0"),
    ):
        reply = places.ask("POST", f"/v1/{path}", json=body)
        refused(reply, 400)
        assert reply.json()["error"]["param"] == param
    assert places.count == before
    custom = {"data_source_config": {"type": "custom", "item_schema": {}}, "testing_criteria": []}
    assert places.ask("POST", "/v1/evals", json=custom).status_code == 200
    message = {"items": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]}
    assert places.ask("POST", f"/v1/{items}", json=message).status_code == 200


def test_a_refusal_of_the_vendor_passes(places: Places) -> None:
    made = places.made()
    places.first.then = [409]
    reply = places.ask("POST", f"/v1/vector_stores/{made['id']}", json={})
    refused(reply, 409)
    assert reply.json()["error"]["message"] == "No: 409."


def test_what_was_refused_goes_to_the_next_channel_and_what_may_be_made_does_not(places: Places) -> None:
    before = len(places.second.got)
    places.first.then = [500]
    made = places.made("conversations")
    assert places.second.since(before) == ["POST /v1/conversations"]
    assert places.ask("GET", f"/v1/conversations/{made['id']}").json() == made
    assert places.second.since(before)[1:] == [f"GET /v1/conversations/{made['id']}"]
    first, second = len(places.first.got), len(places.second.got)
    for then, status in (("break", 502), (502, 503)):
        places.first.then = [then]
        refused(places.ask("POST", "/v1/conversations", json={}), status)
    assert places.second.since(second) == []
    assert places.first.since(first) == ["POST /v1/conversations"] * 2


def test_a_model_that_is_tuned_chooses_the_channel(places: Places) -> None:
    made = places.made("fine_tuning/jobs", model="base-2", organization_id="org-operator")
    assert places.second.got[-1].json == {"model": "base-2-theirs", "organization_id": "org-operator"}
    assert made["organization_id"] == "", "whose account it is concerns no caller"
    assert places.ask("GET", f"/v1/fine_tuning/jobs/{made['id']}").json()["id"] == made["id"]
    before = places.count
    narrow = "sk-narrow-0123456789"
    told = places.ask("POST", "/v1/fine_tuning/jobs", key=narrow, json={"model": "base-1"})
    refused(told, 403)
    assert told.json()["error"]["code"] == "model_not_allowed"
    graders = {"method": {"reinforcement": {"grader": {"graders": {"one": {"model": "base-1"}}}}}}
    refused(places.ask("POST", "/v1/fine_tuning/jobs", key=narrow, json={"model": "base-2", **graders}), 403)
    refused(places.ask("POST", "/v1/fine_tuning/jobs", json={"model": "nobodys"}), 404)
    eval_id = places.made("evals", narrow)["id"]
    source = {"type": "completions", "model": "base-1"}
    refused(places.ask("POST", f"/v1/evals/{eval_id}/runs", key=narrow, json={"data_source": source}), 403)
    assert places.count == before + 1


def test_a_tuned_model_is_its_makers_alone(places: Places) -> None:
    name = "ft:base-2:me::1"
    chat = {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
    job = places.made("fine_tuning/jobs", model="base-2", fine_tuned_model=name)
    assert places.ask("GET", f"/v1/fine_tuning/jobs/{job['id']}").json()["fine_tuned_model"] == name
    reply = places.ask("POST", "/v1/chat/completions", json=chat)
    assert (reply.status_code, reply.headers["x-unigate-cost"]) == (200, "0.5"), reply.text
    assert (places.second.got[-1].path, places.second.got[-1].json["model"]) == ("/v1/chat/completions", name)
    again = places.made("fine_tuning/jobs", model=name)
    assert places.second.got[-1].json == {"model": name}
    assert again["id"].startswith(f"ftjob-{places.second.port}")
    before = places.count
    for path, body in (
        ("chat/completions", chat),
        ("responses", {"model": name, "input": "Hello"}),
        ("fine_tuning/jobs", {"model": name}),
    ):
        reply = places.ask("POST", f"/v1/{path}", key=BOB, json=body)
        refused(reply, 404)
        assert reply.json()["error"]["code"] == "model_not_found"
    assert places.count == before
    other = places.made("fine_tuning/jobs", model="base-2", fine_tuned_model="ft:base-1:x")
    places.ask("GET", f"/v1/fine_tuning/jobs/{other['id']}")
    reply = places.ask("POST", "/v1/chat/completions", json={**chat, "model": "ft:base-1:x"})
    refused(reply, 403)
    assert reply.json()["error"]["code"] == "price_missing"


def test_content_passes_as_it_comes(places: Places) -> None:
    made = places.made("containers")
    path = f"/v1/containers/{made['id']}/files/cfile_1/content"
    whole = places.ask("GET", path)
    assert (whole.status_code, whole.headers["content-length"]) == (200, str(len(CONTENT)))
    assert hashlib.sha256(whole.content).digest() == hashlib.sha256(CONTENT).digest()
    part = places.ask("GET", path, headers={"range": "bytes=5-14"})
    assert (part.status_code, part.content) == (206, CONTENT[5:15])
    assert part.headers["content-range"] == f"bytes 5-14/{len(CONTENT)}"
    places.first.then = [404]
    refused(places.ask("GET", path), 404)
    places.first.then = ["half"]
    with pytest.raises(httpx.RemoteProtocolError):
        places.ask("GET", path)
    assert places.ask("HEAD", path).status_code == 200


def test_a_file_is_put_into_a_container(places: Places) -> None:
    made = places.made("containers")
    body = CONTENT[:3_000_000]
    reply = places.ask("POST", f"/v1/containers/{made['id']}/files", files={"file": ("a.bin", body, "text/csv")})
    assert reply.status_code == 200, reply.text
    got = places.first.got[-1]
    assert got.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="file"; filename="a.bin"' in got.body
    assert body in got.body


def test_an_operation_with_a_price_is_charged_and_no_other(places: Places) -> None:
    made = places.made()
    path = f"/v1/vector_stores/{made['id']}/search"
    since = now_ms()
    reply = places.ask("POST", path, json={"query": "x"})
    assert (reply.status_code, reply.headers["x-unigate-cost"]) == (200, "0.0025")
    row = places.stage.row(reply.headers["x-request-id"])
    assert (row["operation"], row["cost"], row["model"]) == ("openai.vector_stores.search", 2_500_000, "")
    places.first.then = [400]
    refused(places.ask("POST", path, json={"query": "x"}), 400)
    assert places.ask("POST", f"/v1/vector_stores/{made['id']}", json={}).headers["x-unigate-cost"] == "0"
    wait_until(lambda: places.stage.charged(since) == 2_500_000, what="one search charged")
    poors = places.made(key="sk-poor-0123456789")
    before_sent = places.count
    refused(places.ask("POST", f"/v1/vector_stores/{poors['id']}/search", key="sk-poor-0123456789", json={}), 402)
    assert places.count == before_sent


def test_a_channel_that_is_gone_is_told(places: Places) -> None:
    here = places.made("containers", BOB)
    words = ("--provider", "openai", "--base-url", places.second.url, "--credential", "sk-third", "--model", "base-1")
    places.stage.manage("channel", "create", "third", *words, "--priority", "5")
    made: list[dict[str, Any]] = []

    def by_the_third() -> bool:
        made[:] = [places.made("containers", BOB)]
        if str(made[0]["id"]).startswith(f"cntr_{places.second.port}"):
            return True
        places.ask("DELETE", f"/v1/containers/{made[0]['id']}", key=BOB)
        return False

    wait_until(by_the_third, what="the channel to be there", seconds=20)
    lost, path = made[0], f"/v1/containers/{made[0]['id']}"
    places.stage.manage("channel", "disable", "third")
    wait_until(lambda: places.ask("GET", path, key=BOB).status_code == 503, what="the channel to be gone", seconds=20)
    refused(places.ask("GET", path, key=BOB), 503)
    listed = places.ask("GET", "/v1/containers?order=asc", key=BOB)
    assert [one["id"] for one in listed.json()["data"]] == [here["id"]]
    assert listed.headers["x-unigate-unreachable"] == lost["id"]
    places.stage.manage("channel", "enable", "third")
    wait_until(lambda: places.ask("GET", path, key=BOB).status_code == 200, what="the channel to be back", seconds=20)
    assert json.loads(places.ask("GET", path, key=BOB).content) == lost
