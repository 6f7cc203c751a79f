"""What providers keep for users, where something goes wrong: at the provider, with its answers, or because a caller leaves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.kept_vendor import KeptVendor, kept_vendor
from support.own_files import ask, refused
from support.stage import Caller, Stage, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

CONFIG = """
channels:
  - {name: main, provider: openai, base_url: "MAIN", credentials: sk-main, models: [base-1]}
  - {name: narrow, provider: openai, base_url: "MAIN", credentials: sk-n, models: [base-1], limits: {concurrency: 2}, groups: [narrow], priority: 2}
  - {name: other, provider: openai, base_url: "MAIN", credentials: sk-other, models: {base-2: theirs-2}, groups: [narrow]}
  - {name: slow, provider: openai, base_url: "MAIN", credentials: sk-s, models: [base-1], limits: {rpm: 4}, groups: [slow]}
prices:
  - {model: "ft:*", per_call: 0.5}
  - {model: base-1, per_call: 0.5}
  - {operation: openai.evals.create, per_call: 0.25}
  - {operation: openai.vector_stores.search, per_call: 0.125}
groups: [{name: narrow}, {name: slow}]
users:
  - {name: alice, credit: 10}
  - {name: nina, credit: 10, group: narrow}
  - {name: rita, credit: 10, group: slow}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, platform]}
  - {name: single, user: alice, secret: sk-single-0123456789, scopes: [relay, platform], limits: {concurrency: 1}}
  - {name: nina, user: nina, secret: sk-nina-0123456789, scopes: [platform]}
  - {name: rita, user: rita, secret: sk-rita-0123456789, scopes: [platform]}
"""
NINA, RITA = "sk-nina-0123456789", "sk-rita-0123456789"
SINGLE = "sk-single-0123456789"
CHAT = {"model": "base-1", "messages": [{"role": "user", "content": "Hello"}]}


@dataclass
class Places:
    """A gateway before a vendor."""

    stage: Stage
    main: KeptVendor

    def ask(self, method: str, path: str, *, key: str = "", **more: Any) -> httpx.Response:
        return ask(self.stage, method, f"/v1/{path}", key=key, **more)

    def made(self, root: str, key: str = "", **body: object) -> str:
        """The id of a thing that a user makes."""
        reply = self.ask("POST", root, key=key, json=body)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["id"])


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Places]:
    with kept_vendor() as main:
        text = CONFIG.replace("MAIN", main.url)
        stage = set_stage(tmp_path_factory.mktemp("trouble"), vendors, text)
        yield Places(stage, main)
        stage.sound()
        stage.stop()


@pytest.mark.parametrize(("status", "told"), [(401, 503), (402, 503), (403, 503), (429, 429)])
def test_calls_of_models_go_on_where_the_provider_refuses_what_it_keeps(places: Places, status: int, told: int) -> None:
    made = places.made("evals")
    for method, path in (("POST", "evals"), ("GET", f"evals/{made}"), ("GET", "evals")):
        places.main.then = [status]
        reply = places.ask(method, path, json={} if method == "POST" else None)
        refused(reply, told)
        assert "No:" not in reply.text, "what the operator's credential may not concerns no caller"
        assert ("retry-after" in reply.headers) == (told == 429)
    assert places.ask("POST", "chat/completions", json=CHAT).status_code == 200
    assert places.ask("GET", f"evals/{made}").status_code == 200
    assert places.ask("DELETE", f"evals/{made}").status_code == 200


@pytest.mark.parametrize(("path", "cost"), [("evals", 0.25), ("vector_stores/STORE/search", 0.125)])
def test_whoever_leaves_once_it_was_sent_pays_and_has_what_was_made(places: Places, path: str, cost: float) -> None:
    path = path.replace("STORE", places.made("vector_stores"))
    since = now_ms()
    places.main.go.clear()
    places.main.then = ["wait"]
    before = len(places.main.got)
    with Caller(places.stage, {"name": "left"}, path=f"/v1/{path}", key=SINGLE):
        wait_until(lambda: len(places.main.got) > before, what="the request at the vendor", seconds=20)
        refused(places.ask("GET", "models", key=SINGLE), 429)
    wait_until(lambda: places.ask("GET", "models", key=SINGLE).status_code == 200, what="the caller gone", seconds=20)
    places.main.go.set()
    wait_until(lambda: places.stage.charged(since) == round(cost * 10**9), what="the call charged", seconds=20)
    if path == "evals":
        assert [one["name"] for one in places.ask("GET", "evals").json()["data"] if "name" in one] == ["left"]


def test_what_is_lost_is_logged_and_costs_nothing(places: Places) -> None:
    since = now_ms()
    places.main.then = ["break"]
    reply = places.ask("POST", "evals", json={})
    refused(reply, 502)
    log = places.stage.process.log
    wait_until(
        lambda: any(
            "what a call has done is not known" in line and reply.headers["x-request-id"] in line
            for line in log.read_text().splitlines()
        ),
        what="a line of the log",
        seconds=20,
    )
    places.main.then = [400]
    refused(places.ask("POST", "evals", json={}), 400)
    assert places.stage.charged(since) == 0


def test_a_list_takes_no_more_places_than_there_are(places: Places) -> None:
    made = [places.made("containers", NINA) for _ in range(12)]
    reply = places.ask("GET", "containers?order=asc&limit=100", key=NINA)
    assert [one["id"] for one in reply.json()["data"]][-12:] == made
    assert "x-unigate-unreachable" not in reply.headers
    made = [places.made("containers", RITA) for _ in range(3)]
    reply = places.ask("GET", "containers?order=asc", key=RITA)
    assert [one["id"] for one in reply.json()["data"]] == made[:1]
    assert reply.headers["x-unigate-unreachable"] == ", ".join(made[1:])
    refused(places.ask("GET", "containers", key=RITA), 503)


def test_a_list_goes_on_where_one_thing_cannot_be_told(places: Places) -> None:
    made = {places.made("containers", NINA) for _ in range(3)}
    for trouble in (500, 400, 429):
        places.main.then = [trouble]
        reply = places.ask("GET", "containers", key=NINA)
        assert reply.status_code == 200
        left = {one["id"] for one in reply.json()["data"]}
        (missed,) = reply.headers["x-unigate-unreachable"].split(", ")
        assert missed not in left and made <= {*left, missed}


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("Text/HTML; charset=utf-8", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("", "application/octet-stream"),
    ],
)
def test_no_browser_runs_what_a_container_holds(places: Places, kind: str, shown: str) -> None:
    path = f"containers/{places.made('containers')}/files/cfile_1/content"
    places.main.content_type, places.main.disposition = kind, 'inline; filename="a.html"'
    reply = places.ask("GET", path)
    assert (reply.status_code, reply.headers["content-type"]) == (200, shown)
    assert reply.headers["content-disposition"] == 'attachment; filename="a.html"'
    assert "sandbox" in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_models_go_only_where_they_are_served(places: Places) -> None:
    made = places.made("evals", NINA)
    before = len(places.main.got)
    for path, body, status, param in (
        ("evals", {"testing_criteria": [{"model": "nobodys"}]}, 404, "testing_criteria.0.model"),
        ("evals", {"testing_criteria": [{"model": "ft:nobodys"}]}, 404, "testing_criteria.0.model"),
        (f"evals/{made}/runs", {"data_source": {"model": "nobodys"}}, 404, "data_source.model"),
        (f"evals/{made}/runs", {"data_source": {"model": "base-2"}}, 400, "model"),
        ("evals", {"testing_criteria": [{"model": "base-1"}, {"model": "base-2"}]}, 400, "model"),
    ):
        reply = places.ask("POST", path, key=NINA, json=body)
        refused(reply, status)
        assert reply.json()["error"]["param"] == param
    assert len(places.main.got) == before
    assert places.ask("POST", f"evals/{made}/runs", key=NINA, json={"data_source": {"model": "base-1"}}).is_success
    places.made("evals", NINA, testing_criteria=[{"model": "base-2"}])
    assert places.main.got[-1].headers["authorization"] == "Bearer sk-other"
    assert places.main.got[-1].json == {"testing_criteria": [{"model": "theirs-2"}]}


def test_a_credential_of_another_account_makes_a_list_forget_nothing(places: Places) -> None:
    made = [places.made("fine_tuning/jobs", NINA, model="base-1") for _ in range(3)]

    def listed() -> list[str]:
        reply = places.ask("GET", "fine_tuning/jobs?order=asc", key=NINA)
        assert reply.status_code == 200, reply.text
        return [one["id"] for one in reply.json()["data"]]

    account = places.main.things.pop("Bearer sk-n")
    assert listed() == []
    places.main.things["Bearer sk-n"] = account
    assert listed() == made
    gone = account.pop(made[1])
    assert listed() == [made[0], made[2]]
    account[made[1]] = gone
    assert listed() == [made[0], made[2]], "what was gone is forgotten, since others were there"


def test_tuned_models_are_called_in_the_background_too(places: Places) -> None:
    name = "ft:base-1:me::7"
    job = places.made("fine_tuning/jobs", model="base-1", fine_tuned_model=name)
    assert places.ask("GET", f"fine_tuning/jobs/{job}").status_code == 200
    places.main.then = [400]
    refused(places.ask("POST", "responses", json={"model": name, "input": "Hello", "background": True}), 400)
    got = places.main.got[-1]
    assert (got.path, got.json["model"]) == ("/v1/responses", name)
