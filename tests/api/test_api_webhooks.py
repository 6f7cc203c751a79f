"""`/api/webhooks` and `/api/deliveries`: whose they are, what they refuse, secrets, tests and replays over real HTTP."""

import asyncio
from typing import Any

import pytest
from api_kit import SECRET, Api, Someone, fields, refused
from standardwebhooks.webhooks import Webhook as Checker

from support.receiver import answer, receiving
from unigate.manage import live
from unigate.store import outbox as rows
from unigate.tasks.notices import message
from unigate.tasks.signing import new_secret, user_secret

URL = "https://example.com/hook"


async def allow_private(api: Api) -> None:
    await live.set_setting(api.desk, "notify", {"allow_private_targets": True})


async def created(someone: Someone, **form: Any) -> dict[str, Any]:
    reply = await someone.post("/api/webhooks", **{"url": URL, **form})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def sent(api: Api, user_id: str, **more: Any) -> str:
    """A message in the database; its id."""
    given: dict[str, Any] = {"form": "standard", "event": "task.failed", "url": URL, "headers": (), "signed": True}
    row = message(user_id=user_id, body=b'{"a":1}', **{**given, **more})
    async with api.desk.db.writing() as tx:
        await rows.add(tx, [row])
    return row.id


async def test_a_webhook_is_made_shown_changed_and_deleted(api: Api) -> None:
    alice = await api.someone("user", "alice")
    made = await created(alice, events=["task.succeeded", "task.failed"])
    assert made.pop("secret") == user_secret(SECRET, alice.id)
    assert made == {
        "id": made["id"],
        "user_id": alice.id,
        "user": "alice",
        "url": URL,
        "events": ["task.failed", "task.succeeded"],
        "own_secret": False,
        "enabled": True,
        "disabled_because": "",
        "failing_since": None,
        "created_at": made["created_at"],
    }
    path = f"/api/webhooks/{made['id']}"
    assert (await alice.get(path)).json() == made
    assert (await alice.get("/api/webhooks")).json() == {"data": [made], "next": None}
    changed = (await alice.patch(path, url=URL + "2", events=[], enabled=False)).json()
    assert (changed["url"], changed["events"], changed["enabled"]) == (URL + "2", [], False)
    assert (await alice.get("/api/webhooks", enabled=True)).json()["data"] == []
    assert (await alice.delete(path)).json() == {"id": made["id"]}
    refused(await alice.get(path), 404, "not_found")
    operator = await api.someone("operator")
    told = (await operator.get("/api/audit", kind="webhook")).json()["data"]
    assert [row["action"] for row in told] == ["delete", "set", "create"]


async def test_only_owners_and_operators_see_and_change_them(api: Api) -> None:
    alice, bob, operator = [await api.someone(*who) for who in (("user", "alice"), ("user", "bob"), ("operator", "o"))]
    made = await created(alice)
    mine = await sent(api, alice.id)
    path = f"/api/webhooks/{made['id']}"
    for reply in (
        await bob.get(path),
        await bob.patch(path, enabled=False),
        await bob.delete(path),
        await bob.post(path + "/rotate"),
        await bob.post(path + "/test"),
        await bob.get(f"/api/deliveries/{mine}"),
        await bob.post(f"/api/deliveries/{mine}/replay"),
        await bob.get("/api/webhooks", user="alice"),
        await bob.get("/api/deliveries", user="alice"),
        await bob.post("/api/webhooks", url=URL, user="alice"),
    ):
        refused(reply, 404, "not_found")
    for noun in ("webhooks", "deliveries"):
        assert (await bob.get(f"/api/{noun}")).json()["data"] == []
        assert len((await operator.get(f"/api/{noun}")).json()["data"]) == 1
        assert len((await operator.get(f"/api/{noun}", user="alice")).json()["data"]) == 1
        assert (await operator.get(f"/api/{noun}", user="bob")).json()["data"] == []
    assert (await operator.post("/api/webhooks", url=URL, user="bob")).json()["user"] == "bob"
    assert (await operator.patch(path, enabled=False)).status_code == 200


async def test_what_a_webhook_cant_be(api: Api) -> None:
    alice = await api.someone()
    assert fields(await alice.post("/api/webhooks")) == {"url"}
    assert fields(await alice.post("/api/webhooks", url="")) == {"url"}
    assert fields(await alice.post("/api/webhooks", url="https://a.example/" + "a" * 2000)) == {"url"}
    assert fields(await alice.post("/api/webhooks", url=URL, events=["task.begun"])) == {"events.0"}
    for url in ("ftp://example.com", "https://u:p@example.com", "http://127.0.0.1/", "http://localhost", "x"):
        assert refused(await alice.post("/api/webhooks", url=url), 400, "invalid_callback")["param"] == "url"
    for secret in ("whsec_short", "secret", "whsec_" + "!" * 40):
        assert refused(await alice.post("/api/webhooks", url=URL, secret=secret), 400, "invalid_request")
    assert (await alice.get("/api/webhooks")).json()["data"] == []
    await allow_private(api)
    for _ in range(20):
        await created(alice, url="http://127.0.0.1/")
    refused(await alice.post("/api/webhooks", url=URL), 409, "conflict")


async def test_a_test_is_sent_at_once_and_tells_its_outcome(api: Api) -> None:
    await allow_private(api)
    alice = await api.someone()
    secret = new_secret()
    async with receiving(answer(200, b"hello"), 500, answer(301, location="http://127.0.0.1/")) as receiver:
        made = await created(alice, url=f"{receiver.url}/in?x=1", secret=secret)
        assert made["secret"] == secret and made["own_secret"]
        path = f"/api/webhooks/{made['id']}/test"
        trial = (await alice.post(path)).json()
        assert {**trial, "ms": 0} == {
            "message_id": receiver.got[0].id,
            "ok": True,
            "status": 200,
            "error": "",
            "ms": 0,
            "answer": "hello",
        }
        got = receiver.got[0]
        assert got.target == "/in?x=1" and got.json["type"] == "test"
        assert got.json["data"]["webhook_id"] == made["id"]
        Checker(secret).verify(got.body, got.headers)
        assert [(t["ok"], t["status"]) for t in ((await alice.post(path)).json(), (await alice.post(path)).json())] == [
            (False, 500),
            (False, 301),
        ]
    gone = (await alice.post(path)).json()
    assert (gone["ok"], gone["status"]) == (False, 0) and gone["error"]
    listed = (await alice.get("/api/deliveries", webhook=made["id"])).json()["data"]
    assert [(row["event"], row["state"], row["tries"][0]["status"]) for row in listed] == [
        ("test", "failed", 0),
        ("test", "failed", 301),
        ("test", "failed", 500),
        ("test", "delivered", 200),
    ]


async def test_a_test_is_not_sent_by_what_calls_vendors(api: Api) -> None:
    """Callers' addresses must not fill the vendors' pool of connections, nor keep their names from being looked up."""
    await allow_private(api)
    alice = await api.someone()
    await api.worker.services.upstreams.client.close()
    async with receiving() as receiver:
        made = await created(alice, url=receiver.url)
        assert (await alice.post(f"/api/webhooks/{made['id']}/test")).json()["ok"]
        assert len(receiver.got) == 1


async def test_a_test_is_refused_at_an_address_that_became_private(api: Api) -> None:
    """It is checked when it is connected to, as it is for every message."""
    await allow_private(api)
    alice = await api.someone()
    async with receiving() as receiver:
        made = await created(alice, url=receiver.url)
        await live.set_setting(api.desk, "notify", {})
        trial = (await alice.post(f"/api/webhooks/{made['id']}/test")).json()
        assert (trial["ok"], trial["status"], receiver.got) == (False, 0, []) and "not allowed" in trial["error"]


async def test_tests_and_replays_are_paced_by_user(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await allow_private(api)
    monkeypatch.setattr("unigate.manage.webhooks.TESTS", 3)
    monkeypatch.setattr("unigate.manage.deliveries.REPLAYS", 2)
    alice, bob = await api.someone(), await api.someone()
    async with receiving() as receiver:
        hers, his = await created(alice, url=receiver.url), await created(bob, url=receiver.url)
        path = f"/api/webhooks/{hers['id']}/test"
        tried = await asyncio.gather(*[alice.post(path) for _ in range(6)])
        assert sorted(reply.status_code for reply in tried) == [200] * 3 + [429] * 3
        refused(await alice.post(path), 429, "rate_limit_exceeded")
        assert 1 <= int((await alice.post(path)).headers["retry-after"]) <= 60
        assert len(receiver.got) == 3
        assert (await bob.post(f"/api/webhooks/{his['id']}/test")).json()["ok"]
        message = (await alice.get("/api/deliveries")).json()["data"][0]["id"]
        again = [await alice.post(f"/api/deliveries/{message}/replay") for _ in range(3)]
        assert [reply.status_code for reply in again] == [200, 200, 429]
        assert int(again[-1].headers["retry-after"]) >= 1


async def test_another_secret_and_the_old_one_for_a_day(api: Api) -> None:
    await allow_private(api)
    alice = await api.someone()
    async with receiving() as receiver:
        made = await created(alice, url=receiver.url)
        rotated = (await alice.post(f"/api/webhooks/{made['id']}/rotate")).json()
        assert rotated["secret"] != made["secret"] and rotated["own_secret"]
        assert "secret" not in (await alice.get(f"/api/webhooks/{made['id']}")).json()
        await alice.post(f"/api/webhooks/{made['id']}/test")
        for secret in (made["secret"], rotated["secret"]):
            Checker(secret).verify(receiver.got[0].body, receiver.got[0].headers)
        await alice.patch(f"/api/webhooks/{made['id']}", secret="")
        await alice.post(f"/api/webhooks/{made['id']}/test")
        assert " " not in receiver.got[1].headers["webhook-signature"]
        Checker(made["secret"]).verify(receiver.got[1].body, receiver.got[1].headers)
    operator = await api.someone("operator")
    told = (await operator.get("/api/audit", kind="webhook")).text
    assert "whsec_" not in told and "v1." not in told


async def test_messages_are_found_shown_and_sent_again(api: Api) -> None:
    alice = await api.someone()
    made = await created(alice)
    first = await sent(api, alice.id, task_id="task_1")
    second = await sent(api, alice.id, task_id="task_2", webhook_id=made["id"])
    async with api.desk.db.writing() as tx:
        row = await rows.by_id(tx, first)
        assert row is not None
        [row] = [one for one in await rows.claim(tx, "me", now=row.due_at, until=row.due_at, most=9) if one.id == first]
        tried = rows.Delivery("dlv_1", first, alice.id, row.created_at, 500, "it answered 500", 12, "oops")
        done = {**{name: getattr(row, name) for name in row.__slots__}, "state": "failed", "tries": 8, "ended_at": 5}
        assert await rows.note(tx, rows.OutboxRow(**done), tried)

    async def listed(**query: Any) -> list[str]:
        reply = await alice.get("/api/deliveries", **query)
        assert reply.status_code == 200, reply.text
        return [row["id"] for row in reply.json()["data"]]

    assert await listed() == [second, first]
    assert await listed(task="task_1") == await listed(state="failed") == [first]
    assert await listed(state="waiting") == await listed(webhook=made["id"]) == [second]
    assert await listed(state="delivered") == []
    page = (await alice.get("/api/deliveries", limit=1)).json()
    assert await listed(limit=1, cursor=page["next"]) == [first]
    shown = (await alice.get(f"/api/deliveries/{first}")).json()
    assert shown["tries"] == [
        {"at": shown["created_at"], "status": 500, "error": "it answered 500", "ms": 12, "answer": "oops"}
    ]
    assert (shown["state"], shown["body"], shown["task_id"], shown["due_at"]) == ("failed", '{"a":1}', "task_1", None)
    again = (await alice.post(f"/api/deliveries/{first}/replay")).json()
    assert (again["id"], again["state"], len(again["tries"])) == (first, "waiting", 1) and again["due_at"]
    assert (await alice.post(f"/api/deliveries/{second}/replay")).json()["state"] == "waiting"
    await alice.patch(f"/api/webhooks/{made['id']}", enabled=False)
    assert await listed(state="failed") == [second]
    refused(await alice.post(f"/api/deliveries/{second}/replay"), 409, "conflict")
    await alice.delete(f"/api/webhooks/{made['id']}")
    refused(await alice.post(f"/api/deliveries/{second}/replay"), 409, "conflict")
    refused(await alice.post("/api/deliveries/msg_none/replay"), 404, "not_found")
    operator = await api.someone("operator")
    told = (await operator.get("/api/audit", kind="delivery")).json()["data"]
    assert [(row["action"], row["subject_id"]) for row in told] == [("replay", second), ("replay", first)]
