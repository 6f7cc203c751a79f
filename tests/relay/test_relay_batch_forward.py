"""Batches that a provider runs: which lines go there, and that none hangs for ever, whatever its provider says."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from support.task_rig import KEY
from unigate.base.clock import now_ms
from unigate.base.errors import UpstreamRefused
from unigate.base.live_settings import LiveSettings
from unigate.billing.prices import Prices
from unigate.dialects.openai_batch_lines import read_answered
from unigate.providers import openai
from unigate.relay import batch_wire, batch_words
from unigate.relay.batch_entry import Entry, leave
from unigate.relay.batch_files import BatchFiles, NoInput
from unigate.relay.batch_forward import GIVEN_UP_MS, Forwarding, Step
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.spec.batch import Line
from unigate.spec.caller import Key
from unigate.spec.price import Price, Rate
from unigate.spec.record import Record
from unigate.store import batches
from unigate.store.batches import BatchRow, Result
from unigate.store.database import Database

RESPONSES = "/v1/responses"
HOUR = 3_600_000
PRICES = Prices(
    [
        Price(id="prc_1", model="*", rates={"input": Rate(150, 1), "output": Rate(600, 1)}),
        Price(id="prc_2", model="drawer", rates={"input": Rate(150, 1), "images": Rate(900, 1)}),
    ]
)


def row(**more: Any) -> BatchRow:
    now = now_ms()
    told: dict[str, Any] = {"endpoint": RESPONSES, "state": "in_progress", "created_at": now, "expires_at": now + HOUR}
    return BatchRow(
        id="batch_1",
        user_id="usr_1",
        key_id="key_1",
        client="",
        base="",
        input_file_id="file-1",
        completion_window="24h",
        lasts=3600,
        total=3,
        in_progress_at=now,
        due_at=now,
        **{**told, **more},
    )


class Told(Forwarding):
    """Providers that say one thing only."""

    error: Exception

    async def _asked(self, row: BatchRow, key: Key, candidate: Candidate) -> Step | None:
        raise self.error


def forwarding(error: Exception | None = None, database: Database | None = None) -> Forwarding:
    async def named(_id: str) -> Key:
        return KEY

    parts = {"settings": LiveSettings(), "models": {}, "prices": PRICES}
    keys, router = SimpleNamespace(named=named), SimpleNamespace(bound=lambda _place: None)
    services = cast(Services, SimpleNamespace(keys=keys, router=router, **parts))
    made = Told(cast(Database, database), services, cast(BatchFiles, None))
    made.error = error or AssertionError("nobody is asked")
    return made


@pytest.mark.parametrize("status", [401, 403, 429, 500])
async def test_who_refuses_for_ever_is_given_up(status: int) -> None:
    asked, late = forwarding(UpstreamRefused(status)), now_ms() - GIVEN_UP_MS - 1
    waiting = await asked.step(row())
    assert not waiting.ending and waiting.due_at > now_ms()
    assert (await asked.step(row(expires_at=late))).ending == "expired"
    assert (await asked.step(row(state="cancelling", cancelling_at=late))).ending == "cancelled"
    sent = row(state="cancelling", cancelling_at=late, upstream_id="batch_x")
    assert not (await asked.step(sent)).ending, "it may be running there"


async def test_a_batch_that_was_not_sent_fails_without_its_file() -> None:
    assert (await forwarding(NoInput()).step(row())).ending == "failed"


async def test_what_is_refused_is_written_with_where_it_goes(database: Database) -> None:
    mine = row(owner="me")
    placed = replace(mine, channel_id="ch_1", credential_id="crd_1", hold_id="hld_1", failed=1)
    async with database.writing() as tx:
        await batches.add(tx, mine)
        assert await Entry(placed, [Result(line=2, failed=True, body=b"{}")]).enter(tx)
    async with database.reading() as tx:
        assert await batches.done(tx, placed.id) == {2}
        assert await batches.find(tx, placed.id) == placed


@pytest.mark.parametrize(
    ("more", "goes"),
    [
        ({}, True),
        ({"model": "ft:gpt-4o-mini:their:own"}, False),
        ({"store": True}, False),
        ({"store": None}, False),
        ({"previous_response_id": "resp_1"}, False),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, False),
        ({"model": "drawer", "tools": [{"type": "image_generation"}]}, False),
    ],
)
async def test_only_lines_that_leave_nothing_behind_go_there(more: dict[str, object], goes: bool) -> None:
    body = {"model": "small", "input": "Hello", "store": False, "max_output_tokens": 16, **more}
    line = Line(number=1, custom_id="a", model=str(body["model"]), body=json.dumps(body).encode())
    assert (forwarding()._bound(row(), KEY, line) is not None) == goes


SECRET = "organization org-operator"


def answer(status: int, body: dict[str, object]) -> bytes:
    told = {"status_code": status, "request_id": "r", "body": body}
    return json.dumps({"custom_id": "7.a", "response": told, "error": None}).encode()


@pytest.mark.parametrize(
    ("status", "shown", "secret"), [(400, 400, True), (404, 404, True), (401, 502, False), (429, 502, False)]
)
async def test_what_a_provider_says_of_its_own_customer_stays_here(status: int, shown: int, secret: bool) -> None:
    body = answer(status, {"error": {"message": f"No, {SECRET}", "type": "t", "code": "c", "param": None}})
    told, record = _judged(body)
    line = json.loads(told.body)
    assert told.failed and record is None and line["response"]["status_code"] == shown
    assert (SECRET in line["response"]["body"]["error"]["message"]) == secret


async def test_what_a_provider_says_of_lines_that_it_did_not_call_is_said_in_our_words() -> None:
    for code, shown in (("batch_expired", "batch_expired"), ("account_closed", "provider_error")):
        body = json.dumps({"custom_id": "7.a", "response": None, "error": {"code": code, "message": SECRET}})
        told, _ = _judged(body.encode())
        line = json.loads(told.body)
        assert line["error"]["code"] == shown and SECRET not in line["error"]["message"]


def _judged(body: bytes) -> tuple[Result, Record | None]:
    answered = read_answered(body)
    assert answered is not None
    channel = SimpleNamespace(id="ch_1", provider=openai.PROVIDER)
    candidate = cast(Candidate, SimpleNamespace(route=SimpleNamespace(channel=channel, model="small")))
    return forwarding()._judge(row(), KEY, candidate, answered)


def test_errors_name_the_lines_of_the_caller_s_file() -> None:
    told: list[dict[str, Any]] = [
        {"code": "invalid", "message": "Bad.", "param": None, "line": 2, "more": SECRET},
        {"code": "billing", "message": SECRET, "param": None, "line": None},
    ]
    assert json.loads(batch_words.errors(told, [1, 4])) == [
        {"code": "invalid", "message": "Bad.", "param": None, "line": 4}
    ]
    (only,) = json.loads(batch_words.errors(told[1:], [1, 4]))
    assert only["code"] == "provider_failed" and SECRET not in only["message"]


async def test_a_batch_for_which_its_provider_has_no_room_is_run_here(database: Database) -> None:
    placed = row(channel_id="ch_1", credential_id="crd_1", upstream_id="batch_x", failed=1, owner="me")
    async with database.writing() as tx:
        await batches.add(tx, placed)
        assert not await leave(tx, replace(placed, owner="another"), now=7)
        assert await leave(tx, placed, now=7)
    async with database.reading() as tx:
        seen = await batches.find(tx, placed.id)
    assert seen == replace(placed, channel_id="", credential_id="", upstream_id="", owner="", due_at=7)


async def test_a_full_queue_is_told_from_other_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[dict[str, object]] = [{"code": "token_limit_exceeded", "message": SECRET, "line": None}]

    async def get(_wire: batch_wire.Wire, upstream_id: str) -> batch_wire.Seen:
        return batch_wire.Seen(id=upstream_id, status="failed", errors=errors)

    monkeypatch.setattr(batch_wire.Wire, "get", get)
    told = forwarding()
    step = await Forwarding._asked(told, row(upstream_id="batch_x"), KEY, cast(Candidate, None))
    assert step is not None and step.here and not step.ending
