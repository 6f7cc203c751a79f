"""What accounts are told by a real gateway of two workers: by mail and webhook, once for each crossing, and of their tasks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from support.midjourney import Client
from support.stage import KEY, Stage, body, mark, set_stage
from support.waiting import wait_until
from support.world import start

CONFIG = """
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-upstream-main, models: [gpt-4o-mini, bare]}
  - {name: down, provider: openai, base_url: SANDBOX/fault/401/openai/v1, credentials: sk-upstream-down, models: [gpt-4o]}
  - {name: mj, provider: midjourney_proxy, base_url: SANDBOX/midjourney, credentials: sk-mj, models: [midjourney]}
prices:
  - {model: gpt-4o-mini, per_call: 0.25}
settings:
  tasks: {poll_scale: 0.05}
  notify: {allow_private_targets: true, low_balance_usd: 1, topup_url: "https://relay.example/topup"}
  mail: {host: 127.0.0.1, port: MAILPORT, tls: false, from_address: no-reply@relay.example, username: relay, password: word-of-mail}
users:
  - {name: root, email: root@example.com, role: owner}
  - {name: alice, email: alice@example.com, credit: 3}
  - {name: bob, email: bob@example.com, credit: 100}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, manage]}
  - {name: bob, user: bob, secret: sk-bob-0123456789, scopes: [relay, manage]}
  - {name: tight, user: bob, secret: sk-tight-0123456789, budget: {total: 1}}
"""
BOB = "sk-bob-0123456789"


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two workers, and a sandbox with its mail server."""
    home = tmp_path_factory.mktemp("told")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "10"], home / "sandbox.log")
    database = "sqlite:///unigate.db"
    if request.param == "postgresql":
        cluster = request.getfixturevalue("_postgres")
        database = cluster.create(f"t_{mark().removeprefix('mark-')}")
    text = CONFIG.replace("MAILPORT", str(vendors.said["mail_port"]))
    stage = set_stage(home, vendors, text, database=database, workers=2)
    yield stage
    stage.stop()
    vendors.stop()


def api(stage: Stage, method: str, path: str, key: str = KEY, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.request(method, f"{stage.url}/api/me/notifications{path}", headers=headers, verify=False, **more)


def hook(stage: Stage) -> str:
    """A receiver's address in the sandbox."""
    return f"{stage.sandbox.url}/sandbox/hooks/{mark()}"


def got(url: str, secret: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(url, params={"secret": secret} if secret else {}, verify=False).json()[
        "data"
    ]
    return found


def mails(stage: Stage, to: str) -> list[dict[str, Any]]:
    url = f"{stage.sandbox.url}/sandbox/mails"
    found: list[dict[str, Any]] = httpx.get(url, params={"to": to}, verify=False).json()["data"]
    return found


def kinds(url: str) -> list[str]:
    return [one["body"]["type"] for one in got(url)]


both = pytest.mark.parametrize("stage", ["sqlite", "postgresql"], indirect=True)
sqlite_only = pytest.mark.parametrize("stage", ["sqlite"], indirect=True)


@both
@pytest.mark.endpoint("P2")
def test_a_balance_is_told_once_for_each_crossing_under_load(stage: Stage) -> None:
    newapi, standard = hook(stage), hook(stage)
    targets = [
        {"kind": "webhook", "url": newapi, "format": "newapi", "secret": "s3cret"},
        {"kind": "webhook", "url": standard, "events": ["balance.low", "balance.empty", "topup.done"]},
        {"kind": "email"},
    ]
    reply = api(stage, "PUT", "", json={"targets": targets, "language": "zh"})
    assert reply.status_code == 200, reply.text
    [secret] = reply.json()["secrets"].values()
    for round_ in range(1, 3):
        with ThreadPoolExecutor(8) as pool:
            statuses = [one.status_code for one in pool.map(lambda _: stage.post(body("Hello")), range(40))]
        assert statuses.count(200) == 12 and set(statuses) == {200, 402}, statuses  # of 3 USD, at 0.25
        wanted = ["balance.low", "balance.empty", "topup.done"][: 2 if round_ == 1 else 3]
        wait_until(lambda: kinds(standard).count("balance.empty") == round_, what="the refusal", seconds=60)  # noqa: B023
        wait_until(lambda: kinds(standard).count("balance.low") == round_, what="the crossing", seconds=60)  # noqa: B023
        assert set(kinds(standard)) == set(wanted)
        stage.manage("user", "topup", "alice", "3")
        wait_until(lambda: kinds(standard).count("topup.done") == round_, what="the top-up", seconds=60)  # noqa: B023
    assert sorted(kinds(standard)) == sorted(["balance.low", "balance.empty", "topup.done"] * 2)
    assert {one["signature"] for one in got(standard, secret)} == {"valid"}
    assert {one["signature"] for one in got(newapi, "s3cret")} == {"valid"}
    [low, _] = [one["body"] for one in got(newapi) if one["body"]["type"] == "quota_exceed"]
    assert low["title"] == low["values"][0] == "您的额度即将用尽"
    assert low["values"][1] in {"$0.75", "$0.50", "$0.25", "$0.00"}  # calls are moved together
    assert low["values"][2:] == ["https://relay.example/topup"] * 2
    assert low["content"].endswith("<a href='https://relay.example/topup'>https://relay.example/topup</a>")
    wait_until(lambda: len(mails(stage, "alice@example.com")) == 6, what="the mails", seconds=60)
    first = next(one for one in mails(stage, "alice@example.com") if one["subject"] == "您的额度即将用尽")
    assert (first["from"], first["login"]) == ("no-reply@relay.example", "relay")
    assert "https://relay.example/topup" in first["text"] and "<" not in first["text"]

    def deliveries() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = api(stage, "GET", "/deliveries", params={"limit": 100}).json()["data"]
        return told

    wait_until(lambda: all(one["state"] == "delivered" for one in deliveries()), what="it be noted", seconds=60)
    listed = deliveries()
    assert len(listed) == 18
    again = api(stage, "POST", f"/deliveries/{listed[0]['id']}/resend")
    assert again.status_code == 200, again.text

    def sent() -> int:
        return len(got(standard)) + len(got(newapi)) + len(mails(stage, "alice@example.com"))

    wait_until(lambda: sent() == 19, what="what was sent again", seconds=60)


@sqlite_only
@pytest.mark.endpoint("P2")
def test_a_budget_and_tests(stage: Stage) -> None:
    url = hook(stage)
    reply = api(stage, "PUT", "", BOB, json={"targets": [{"kind": "webhook", "url": url, "events": ["key.budget"]}]})
    assert reply.status_code == 200, reply.text
    for expected in (200, 200, 200, 200, 402, 402):
        assert stage.post(body("Hello"), key="sk-tight-0123456789").status_code == expected
    wait_until(lambda: len(kinds(url)) >= 1, what="the budget", seconds=60)
    percents = [one["body"]["data"]["percent"] for one in got(url)]
    assert percents in ([80, 100], [100]), percents  # four calls may be moved together
    assert got(url)[-1]["body"]["data"]["key"] == "tight"
    [trial] = stage.manage("notification", "test", "bob")
    assert (trial["ok"], trial["status"]) == (True, 200)
    assert kinds(url)[-1] == "test"
    shown = stage.manage("notification", "list", "bob")
    assert [one["url"] for one in shown["targets"]] == [url] and shown["low_balance_usd"] == "1"


@sqlite_only
@pytest.mark.endpoint("P2")
def test_a_task_without_a_callback_goes_to_the_accounts(stage: Stage) -> None:
    default, own, told = hook(stage), hook(stage), hook(stage)
    stage.manage("price", "set", "--operation", "midjourney.imagine", "per_call=0.01")
    targets = f'[{{"kind": "webhook", "url": "{told}", "events": ["task.succeeded"]}}]'
    stage.manage("notification", "set", "bob", "--task-callback-url", default, "--targets", targets)
    client = Client(stage, key=BOB)

    def priced() -> bool:
        return bool(client.post("/submit/imagine", prompt="a lighthouse", notifyHook="").json().get("code") == 1)

    wait_until(priced, what="the price to be known", seconds=30)
    id = client.taken("/submit/imagine", prompt="a named lighthouse", notifyHook=own)
    assert client.until(id)["status"] == "SUCCESS"
    for url in (default, own):
        wait_until(
            lambda: any(one["body"]["status"] == "SUCCESS" for one in got(url)),  # noqa: B023
            what="the callback",
            seconds=60,
        )
    assert {one["body"]["id"] for one in got(own)} == {id} and id not in {one["body"]["id"] for one in got(default)}
    assert not [name for name, _ in got(default)[0]["headers"] if "signature" in name]
    wait_until(lambda: len(kinds(told)) == 2, what="the events", seconds=60)
    assert {one["body"]["type"] for one in got(told)} == {"task.succeeded"}
    assert all(one["body"]["data"]["state"] == "succeeded" for one in got(told))


@sqlite_only
@pytest.mark.endpoint("P2")
def test_operators_are_told_of_prices_and_credentials_once(stage: Stage) -> None:
    for _ in range(4):
        assert stage.post({**body("Hello"), "model": "bare"}, key=BOB).status_code == 403
        assert stage.post({**body("Hello"), "model": "gpt-4o"}, key=BOB).status_code == 503
    stage.manage("price", "set", "--model", "gpt-4o", "per_call=0.5")
    wanted = {"A price is missing", "A credential is out of use", "Prices change"}

    def subjects() -> list[str]:
        return [one["subject"] for one in mails(stage, "root@example.com")]

    wait_until(lambda: wanted <= set(subjects()), what="the mails", seconds=60)
    assert subjects().count("A price is missing") == subjects().count("A credential is out of use") == 1
    told = next(one for one in mails(stage, "root@example.com") if one["subject"] == "A credential is out of use")
    assert "down" in told["text"] and "(ends in down)" in told["text"]
    stage.sound()
    shown = stage.manage("settings", "show", "mail")
    assert "word-of-mail" not in str(shown) and shown["value"]["password"] == "***"
