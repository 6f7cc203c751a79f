"""`/api/codes`: made by operators, redeemed by users, each refusal with a status and a code of its own."""

import asyncio

import pytest
from api_kit import Api, fields, refused

from unigate.manage import codes


async def test_a_code_goes_from_an_operator_to_a_user(api: Api) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    made = await operator.post("/api/codes", amount="12.5", count=2, batch="spring")
    assert made.status_code == 201, made.text
    batch = made.json()
    assert (batch["batch"], batch["amount"], batch["expires_at"], len(batch["codes"])) == ("spring", "12.5", None, 2)
    code = batch["codes"][0]["code"]
    given = await alice.post("/api/codes/redeem", code=code.lower())
    assert given.status_code == 200, given.text
    assert given.json() == {"id": batch["codes"][0]["id"], "amount": "12.5", "balance": "12.5"}
    refused(await alice.post("/api/codes/redeem", code=code), 409, "code_redeemed")
    shown = (await operator.get(f"/api/codes/{batch['codes'][0]['id']}")).json()
    assert (shown["state"], shown["user_id"], shown["last4"]) == ("redeemed", alice.id, code[-4:])
    listed = (await operator.get("/api/codes", state="open", batch="spring")).json()["data"]
    assert [one["id"] for one in listed] == [batch["codes"][1]["id"]]
    assert code not in str(listed) and "code" not in listed[0]
    (transfer,) = (await alice.get("/api/ledger/transfers")).json()["data"]
    assert (transfer["id"], transfer["amount"], transfer["code"]) == (f"grant:code:{shown['id']}", "12.5", "grant")


async def test_many_tries_at_once_give_once(api: Api) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    code = (await operator.post("/api/codes", amount="1")).json()["codes"][0]["code"]
    replies = await asyncio.gather(*(alice.post("/api/codes/redeem", code=code) for _ in range(8)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7
    assert len((await alice.get("/api/ledger/transfers")).json()["data"]) == 1


async def test_each_refusal_says_why(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    made = (await operator.post("/api/codes", amount="1", count=2, expires_at="2999-01-01T00:00:00Z")).json()
    first, second = made["codes"]
    withdrawn = await operator.delete(f"/api/codes/{first['id']}")
    assert withdrawn.json()["state"] == "withdrawn"
    refused(await alice.post("/api/codes/redeem", code=first["code"]), 410, "code_withdrawn")
    refused(await alice.post("/api/codes/redeem", code="nonsense"), 404, "code_not_found")
    monkeypatch.setattr(codes, "now_ms", lambda: 40_000_000_000_000)
    refused(await alice.post("/api/codes/redeem", code=second["code"]), 410, "code_expired")
    monkeypatch.undo()
    assert (await operator.post("/api/codes/withdraw", batch=made["batch"])).json() == {"count": 1}
    for path in ("/api/codes/code_none", "/api/codes/nothing"):
        refused(await operator.get(path), 404, "not_found")
        refused(await operator.delete(path), 404, "not_found")
    refused(await operator.post("/api/codes/withdraw", batch="none"), 404, "not_found")


async def test_too_many_tries_have_to_wait(api: Api) -> None:
    alice = await api.someone("user", "alice")
    for _ in range(codes.TRIES):
        refused(await alice.post("/api/codes/redeem", code="nonsense"), 404, "code_not_found")
    reply = await alice.post("/api/codes/redeem", code="nonsense")
    refused(reply, 429, "rate_limit_exceeded")
    assert 0 < int(reply.headers["retry-after"]) <= codes.TRIES_MS // 1000


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({}, {"amount"}),
        ({"amount": 5}, {"amount"}),
        ({"amount": "0"}, {"amount"}),
        ({"amount": "1", "count": 0}, {"count"}),
        ({"amount": "1", "count": 1001}, {"count"}),
        ({"amount": "1", "expires_at": "2020-01-01"}, {"expires_at"}),
        ({"amount": "1", "expires_at": "soon"}, {"expires_at"}),
        ({"amount": "1", "batch": "", "colour": "red"}, {"batch", "colour"}),
    ],
)
async def test_a_form_that_is_wrong_names_its_fields(sqlite_api: Api, form: dict[str, object], names: set[str]) -> None:
    operator = await sqlite_api.someone("operator")
    assert fields(await operator.post("/api/codes", **form)) == names
    assert (await operator.get("/api/codes")).json() == {"data": [], "next": None}
