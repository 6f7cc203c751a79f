"""`/api/me/notifications`: what is shown, set and refused, tests over real HTTP, the log, and sending again."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_kit import Api, Someone, fields, refused
from standardwebhooks.webhooks import Webhook as Checker

from support.receiver import answer, receiving
from unigate.manage import live
from unigate.store import notifications as rows
from unigate.store import outbox
from unigate.tasks.signing import new_secret

PATH = "/api/me/notifications"
URL = "https://example.com/hook"


async def put(someone: Someone, **form: Any) -> httpx.Response:
    return await someone.client.put(PATH, json=form)


async def kept(someone: Someone, *targets: dict[str, Any], **form: Any) -> dict[str, Any]:
    reply = await put(someone, targets=list(targets), **form)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_who_has_said_nothing_is_told_by_mail_of_what_suits_their_role(api: Api) -> None:
    alice = await api.someone("user", "alice")
    shown = (await alice.get(PATH)).json()
    [target] = shown.pop("targets")
    assert shown == {
        "low_balance_usd": "1",
        "language": "en",
        "task_callback_url": "",
        "events": [
            *("balance.low", "balance.empty", "key.budget", "key.expiring"),
            *("task.succeeded", "task.failed", "topup.done", "price.changed"),
        ],
        "mail": False,
    }
    assert (target["id"], target["kind"], target["enabled"], target["chosen"]) == (None, "email", True, False)
    assert target["events"] == ["balance.low", "balance.empty", "key.budget", "key.expiring", "topup.done"]
    operator = await api.someone("operator", "op")
    [target] = (await operator.get(PATH)).json()["targets"]
    assert {"balance.low", "channel.parked", "price.changed", "ledger.mismatch"} <= set(target["events"])
    assert "user.balance_low" not in target["events"] and "task.failed" not in target["events"]


async def test_settings_are_kept_and_secrets_are_shown_once(api: Api) -> None:
    alice = await api.someone("user", "alice")
    made = await kept(
        alice,
        {"kind": "webhook", "url": URL, "headers": {"X-Team": "blue"}, "events": ["task.failed", "balance.low"]},
        {"kind": "webhook", "url": URL, "format": "newapi", "secret": "s3", "template": '{"t": "{{title}}"}'},
        {"kind": "bark", "url": "https://bark.example.com/k/{{title}}/{{content}}"},
        {"kind": "gotify", "url": "https://gotify.example.com/x/", "token": "tok", "priority": 7},
        {"kind": "email", "address": "Two@Example.com"},
        low_balance_usd="2.5",
        language="zh",
        task_callback_url="https://example.com/tasks",
    )
    secrets = made.pop("secrets")
    standard, newapi, bark, gotify, email = made["targets"]
    assert list(secrets) == [standard["id"]] and secrets[standard["id"]].startswith("whsec_")
    assert standard["headers"] == {"X-Team": "***"} and standard["has_secret"] and standard["chosen"]
    assert standard["events"] == ["balance.low", "task.failed"]
    assert (newapi["format"], newapi["template"], newapi["has_secret"]) == ("newapi", '{"t": "{{title}}"}', True)
    assert bark["url"].endswith("/{{title}}/{{content}}") and not bark["has_secret"]
    assert (gotify["priority"], gotify["has_secret"]) == (7, True)
    assert (email["address"], email["url"]) == ("two@example.com", None)
    assert (await alice.get(PATH)).json() == made
    assert (made["low_balance_usd"], made["language"]) == ("2.5", "zh")
    back = (await put(alice, low_balance_usd=None, language=None, task_callback_url="")).json()
    assert (back["low_balance_usd"], back["language"], back["task_callback_url"]) == ("1", "en", "")
    assert back["targets"] == made["targets"] and back["secrets"] == {}
    operator = await api.someone("operator")
    told = (await operator.get("/api/audit", kind="notification")).json()["data"]
    assert [row["action"] for row in told] == ["set", "set"]
    assert "tok" not in str(told) and "blue" not in str(told) and secrets[standard["id"]] not in str(told)


async def test_what_is_left_out_stays_and_a_changed_secret_signs_beside_the_old_one(api: Api) -> None:
    await live.set_setting(api.desk, "notify", {"allow_private_targets": True})
    alice = await api.someone("user", "alice")
    async with receiving() as receiver:
        first, second = new_secret(), new_secret()
        made = await kept(
            alice, {"kind": "webhook", "url": receiver.url, "secret": first, "headers": {"x-a": "1", "x-b": "2"}}
        )
        id = made["targets"][0]["id"]
        await kept(alice, {"id": id, "kind": "webhook", "secret": second, "headers": {"X-A": "***", "x-c": "3"}})
        trials = (await alice.post(PATH + "/test")).json()["data"]
    assert [(one["target"], one["kind"], one["ok"], one["status"]) for one in trials] == [(id, "webhook", True, 200)]
    [got] = receiver.got
    for secret in (first, second):
        Checker(secret).verify(got.body, got.headers)
    assert got.json["type"] == "test" and got.json["data"]["title"] == "Test notification"
    assert (got.headers["x-a"], got.headers["x-c"]) == ("1", "3") and "x-b" not in got.headers


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ({"kind": "pigeon"}, "targets.0.kind"),
        ({"kind": "webhook"}, "targets.0.url"),
        ({"kind": "webhook", "url": "ftp://example.com"}, "targets.0.url"),
        ({"kind": "webhook", "url": "http://user:pw@example.com/"}, "targets.0.url"),
        ({"kind": "webhook", "url": "http://127.0.0.1:1/"}, "targets.0.url"),
        ({"kind": "webhook", "url": "http://[::ffff:10.0.0.1]/"}, "targets.0.url"),
        ({"kind": "webhook", "url": "http://localhost/"}, "targets.0.url"),
        ({"kind": "webhook", "url": URL, "secret": "whsec_short"}, "targets.0.secret"),
        ({"kind": "webhook", "url": URL, "secret": "s" * 129, "format": "newapi"}, "targets.0.secret"),
        ({"kind": "webhook", "url": URL, "format": "xml"}, "targets.0.format"),
        ({"kind": "webhook", "url": URL, "template": "{}"}, "targets.0.template"),
        ({"kind": "webhook", "url": URL, "format": "newapi", "template": '{"a": {{title}}}'}, "targets.0.template"),
        ({"kind": "webhook", "url": URL, "format": "newapi", "template": "not json"}, "targets.0.template"),
        ({"kind": "webhook", "url": URL, "headers": {"Host": "x"}}, "targets.0.headers"),
        ({"kind": "webhook", "url": URL, "headers": {"content-type": "x"}}, "targets.0.headers"),
        ({"kind": "webhook", "url": URL, "headers": {"webhook-signature": "x"}}, "targets.0.headers"),
        ({"kind": "webhook", "url": URL, "headers": {"x": "a\r\nb: c"}}, "targets.0.headers"),
        ({"kind": "webhook", "url": URL, "headers": {"a b": "c"}}, "targets.0.headers"),
        ({"kind": "webhook", "url": URL, "headers": {"x-a": "***"}}, "targets.0.headers"),
        ({"kind": "webhook", "url": URL, "headers": {"x-a": "1", "X-A": "2"}}, "targets.0.headers"),
        (
            {"kind": "webhook", "url": URL, "format": "newapi", "template": '{"a": "\\{{content}}"}'},
            "targets.0.template",
        ),
        ({"kind": "webhook", "url": URL, "events": ["balance.lost"]}, "targets.0.events"),
        ({"kind": "webhook", "url": URL, "events": ["channel.parked"]}, "targets.0.events"),
        ({"kind": "webhook", "url": URL, "token": "t"}, "targets.0.token"),
        ({"kind": "webhook", "url": URL, "id": "target_of_nobody"}, "targets.0.id"),
        ({"kind": "email", "address": "nobody"}, "targets.0.address"),
        ({"kind": "email", "url": URL}, "targets.0.url"),
        ({"kind": "bark", "url": "https://bark.example.com/k"}, "targets.0.url"),
        ({"kind": "bark", "url": "http://10.0.0.1/{{title}}/{{content}}"}, "targets.0.url"),
        ({"kind": "bark", "url": "https://{{title}}.example.com/{{content}}"}, "targets.0.url"),
        ({"kind": "bark", "url": "https://example.com:{{title}}?{{content}}"}, "targets.0.url"),
        ({"kind": "gotify", "url": URL}, "targets.0.token"),
        ({"kind": "gotify", "url": URL, "token": "t", "priority": 11}, "targets.0.priority"),
    ],
    ids=lambda case: str(case)[:60],
)
async def test_what_no_target_can_be_is_refused_by_name(sqlite_api: Api, target: dict[str, Any], named: str) -> None:
    alice = await sqlite_api.someone("user", "alice")
    reply = await put(alice, targets=[target])
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert named == error["param"] or named in {one["name"] for one in error.get("fields", [])}, error
    async with sqlite_api.desk.db.reading() as tx:
        assert await rows.of_user(tx, alice.id) is None


async def test_other_settings_are_refused_by_name(sqlite_api: Api) -> None:
    alice = await sqlite_api.someone("user", "alice")
    for name, value in (
        ("low_balance_usd", -1),
        ("low_balance_usd", "a lot"),
        ("language", "fr"),
        ("color", "blue"),
    ):
        assert fields(await put(alice, **{name: value})) == {name}
    for url in ("nonsense", "http://192.168.1.1/x", "https://u:p@example.com"):
        refused(await put(alice, task_callback_url=url), 400, "invalid_callback")
    six = [{"kind": "webhook", "url": URL}] * 6
    assert fields(await put(alice, targets=six)) == {"targets"}


async def test_targets_are_their_users_own(api: Api) -> None:
    alice, bob = await api.someone("user", "alice"), await api.someone("user", "bob")
    [mine] = (await kept(alice, {"kind": "webhook", "url": URL}))["targets"]
    stolen = await put(bob, targets=[{"id": mine["id"], "kind": "webhook", "url": "https://evil.example.com"}])
    assert refused(stolen, 400, "invalid_request")["param"] == "targets.0.id"
    refused(await bob.client.post(PATH + "/test", params={"target": mine["id"]}), 404, "not_found")
    assert (await alice.get(PATH)).json()["targets"] == [mine]
    nobody = api.client()
    refused(await nobody.get(PATH), 401, "invalid_session")
    assert (await api.client(authorization=f"Bearer {await api.key('alice', 'relay')}").get(PATH)).status_code == 403
    managing = api.client(authorization=f"Bearer {await api.key('alice', 'manage')}")
    assert (await managing.get(PATH)).json()["targets"] == [mine]


async def test_tests_stand_in_the_log_and_can_be_sent_again(api: Api) -> None:
    await live.set_setting(api.desk, "notify", {"allow_private_targets": True})
    alice, bob = await api.someone("user", "alice"), await api.someone("user", "bob")
    async with receiving(answer(500, b"broken")) as receiver:
        [target] = (await kept(alice, {"kind": "webhook", "url": receiver.url, "format": "newapi"}))["targets"]
        [trial] = (await alice.client.post(PATH + "/test", params={"target": target["id"]})).json()["data"]
    assert (trial["ok"], trial["status"], trial["answer"]) == (False, 500, "broken")
    [told] = (await alice.get(PATH + "/deliveries")).json()["data"]
    assert (told["id"], told["state"], told["event"], told["form"]) == (trial["message_id"], "failed", "test", "newapi")
    assert [one["status"] for one in told["tries"]] == [500]
    path = f"{PATH}/deliveries/{told['id']}/resend"
    refused(await bob.post(path), 404, "not_found")
    again = (await alice.post(path)).json()
    assert (again["id"], again["state"]) == (told["id"], "waiting")
    assert (await bob.get(PATH + "/deliveries")).json()["data"] == []
    await kept(alice, {"id": target["id"], "kind": "webhook", "enabled": False})
    assert (await alice.get(PATH + "/deliveries")).json()["data"][0]["state"] == "failed"
    assert refused(await alice.post(path), 409, "conflict")
    await kept(alice)
    assert refused(await alice.post(path), 409, "conflict")


async def test_tests_are_ten_a_minute(sqlite_api: Api) -> None:
    alice = await sqlite_api.someone("user", "alice")
    for _ in range(10):
        [trial] = (await alice.post(PATH + "/test")).json()["data"]
        assert trial["error"] == "no server for mails is set"
    late = await alice.post(PATH + "/test")
    refused(late, 429, "rate_limit_exceeded")
    assert 1 <= int(late.headers["retry-after"]) <= 60


async def test_many_that_begin_at_once_have_one_usual_target(api: Api) -> None:
    alice = await api.someone("user", "alice")
    many = [put(alice, language="zh") for _ in range(4)] + [alice.post(PATH + "/test") for _ in range(4)]
    assert {reply.status_code for reply in await asyncio.gather(*many)} == {200}
    [target] = (await alice.get(PATH)).json()["targets"]
    assert target["kind"] == "email" and target["id"]


async def test_what_is_sent_again_goes_where_the_target_is_now(api: Api) -> None:
    alice = await api.someone("user", "alice")
    [mail] = (await kept(alice, {"kind": "email", "address": "stranger@example.com"}))["targets"]
    [trial] = (await alice.post(PATH + "/test")).json()["data"]
    path = f"{PATH}/deliveries/{trial['message_id']}/resend"
    assert (await alice.post(path)).json()["url"] == "mailto:stranger@example.com"
    await kept(alice, {"id": mail["id"], "kind": "email", "address": "me@example.com"})
    assert (await alice.get(PATH + "/deliveries")).json()["data"][0]["url"] == "mailto:me@example.com"
    async with api.desk.db.writing() as tx:
        await outbox.end_of_webhook(tx, mail["id"], 1)
        await rows.put_target(tx, replace((await rows.targets_of(tx, alice.id))[0], address="two@example.com"))
    assert (await alice.post(path)).json()["url"] == "mailto:two@example.com"
