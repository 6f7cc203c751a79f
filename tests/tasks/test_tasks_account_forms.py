"""The bytes of each form against ones that were made by hand, and what words and own bodies there can be."""

import json
from dataclasses import replace
from typing import Any

import pytest

from unigate.base.money import NANO
from unigate.store.notifications import Target
from unigate.tasks.account_events import EVENTS, OFF, TEST, limited_with, newapi_name, wants
from unigate.tasks.account_forms import (
    Happened,
    Text,
    bark_url,
    body,
    check_template,
    gotify_body,
    gotify_url,
    signature,
)
from unigate.tasks.account_words import Language, money, said
from unigate.tasks.signing import sign

AT = 1_739_950_503_000
LINK = "https://relay.example/topup"
LOW = {"balance": 42 * NANO // 100, "threshold": NANO, "user": "alice"}
#: Facts of each event, as they stand in news.
FACTS: dict[str, dict[str, Any]] = {
    "balance.low": LOW,
    "balance.empty": {"balance": 0},
    "key.budget": {
        "key": "app",
        "key_id": "key_1",
        "window": "key_1/202611",
        "percent": 80,
        "spent": 8 * NANO,
        "budget": 10 * NANO,
    },
    "key.expiring": {"key": "app", "key_id": "key_1", "expires_at": AT},
    "task.succeeded": {"task_id": "task_1", "operation": "midjourney.imagine", "task": '{"id":"task_1"}'},
    "task.failed": {"task_id": "task_1", "operation": "midjourney.imagine", "task": '{"id":"task_1"}'},
    "topup.done": {"amount": 5 * NANO},
    "channel.parked": {"channel": "main", "channel_id": "chn_1", "reason": "unreachable"},
    "channel.recovered": {"channel": "main", "channel_id": "chn_1", "reason": "unreachable"},
    "credential.parked": {"channel": "main", "channel_id": "chn_1", "reason": "forbidden", "last4": "wxyz"},
    "user.balance_low": {**LOW, "user_id": "usr_1"},
    "price.changed": {"prices": [{"title": "gpt-4o", "old": "input 1", "new": "input 2", "at": AT}], "count": 1},
    "price.missing": {"model": "gpt-9", "operation": "openai.chat"},
    "ledger.mismatch": {"count": 2, "first": "posted (wal_1)"},
    "system.backlog": {"what": "messages", "figure": "7 min"},
    OFF: {"target_id": "target_1", "address": "https://a.example", "why": "its address answered 410"},
    TEST: {},
}


def happened(event: str = "balance.low", language: Language = "en", link: str = LINK, **more: Any) -> Happened:
    told = said(event, FACTS[event], language)
    return Happened(event=event, at=AT, said=told, language=language, link=link, **more)


def target(kind: str = "webhook", **more: Any) -> Target:
    return Target("target_1", "usr_1", 0, kind, "https://a.example", **more)


def test_newapi_is_as_its_receivers_know_it() -> None:
    made = body(target(format="newapi"), happened())
    assert made == (
        b'{"type":"quota_exceed","title":"Your balance is low","content":"$0.42 left. Top up: '
        b"<a href='https://relay.example/topup'>https://relay.example/topup</a>\","
        b'"values":["Your balance is low","$0.42","https://relay.example/topup","https://relay.example/topup"],'
        b'"timestamp":1739950503}'
    )
    # openssl dgst -sha256 -hmac s3cret
    signed = "3e826b08691f685e13e460f2798b3ff753d34f3a4380b027e1c737342731649b"
    assert signature("s3cret", made) == ((b"x-webhook-signature", signed.encode()),)
    assert signature("", made) == ()
    chinese = json.loads(body(target(format="newapi"), happened(language="zh")))
    assert (chinese["title"], chinese["values"][:2]) == ("您的额度即将用尽", ["您的额度即将用尽", "$0.42"])
    assert chinese["content"] == (f"您的额度即将用尽，当前剩余额度为 $0.42，请及时充值：<a href='{LINK}'>{LINK}</a>")
    assert "values" not in json.loads(body(target(format="newapi"), happened(TEST)))


def test_standard_is_as_standard_webhooks_has_it() -> None:
    made = body(target(format="standard"), happened(link=""))
    assert made == (
        b'{"type":"balance.low","timestamp":"2025-02-19T07:35:03.000Z","data":{"title":"Your balance is low",'
        b'"content":"$0.42 left.","values":["Your balance is low","$0.42"],"balance_usd":"0.42","threshold_usd":"1"}}'
    )
    # openssl dgst -sha256 -mac HMAC -macopt hexkey:... of msg_1.1739950503.{body}
    headers = dict(sign("whsec_YW4tb2xkLWtleS1vZi0yNC1ieXRlcy14eA==", "msg_1", AT // 1000, made))
    assert headers[b"webhook-signature"] == b"v1,FBspXhL/e/yHF4O+K/eqxzqho09uIndechddLmmcrV8="
    task = body(target(format="standard"), happened("task.failed", task='{"id":"task_1","state":"failed"}'))
    assert json.loads(task) == {
        "type": "task.failed",
        "timestamp": "2025-02-19T07:35:03.000Z",
        "data": {"id": "task_1", "state": "failed"},
    }


def test_an_own_body_is_filled_in_as_json() -> None:
    template = '{"text": "{{title}}: {{content}}", "at": {{timestamp}}, "kind": "{{type}}", "also": "{{other}}"}'
    made = json.loads(body(target(format="newapi", template=template), happened("channel.parked", link="")))
    assert made == {
        "text": "A channel is out of use: The channel main is out of use for now: unreachable.",
        "at": AT // 1000,
        "kind": "channel_update",
        "also": "{{other}}",
    }
    for bad in ('{"a": {{title}}}', "{{title}}", '{"a": "{{title}}"', "", "[" * 100_000):
        with pytest.raises(ValueError, match="not JSON"):
            check_template(bad)
    hostile = {**FACTS["channel.parked"], "channel": '"}, "admin": true, {"\\\n\u2028'}
    told = Happened(event="channel.parked", at=AT, said=said("channel.parked", hostile, "en"), language="en")
    assert json.loads(body(target(format="newapi", template='{"t":"{{content}}"}'), told))["t"] == told.said.text


def test_bark_and_gotify_get_their_own() -> None:
    text = Text(title="a b/ä?", text="x&y=1#2")
    assert bark_url("https://b.example/k/{{title}}/{{content}}?level=1", text) == (
        "https://b.example/k/a%20b%2F%C3%A4%3F/x%26y%3D1%232?level=1"
    )
    assert gotify_url("https://g.example/push/", "t&k") == "https://g.example/push/message?token=t%26k"
    assert gotify_body(text, 7) == '{"title":"a b/ä?","message":"x&y=1#2","priority":7}'.encode()
    short = json.loads(body(target("bark"), happened()))
    assert short == {"title": "Your balance is low", "text": "$0.42 left.", "language": "en"}
    assert json.loads(body(target("email"), happened()))["text"] == f"$0.42 left. Top up: {LINK}"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("event", [*EVENTS, OFF, TEST])
def test_every_event_has_words_in_both_languages_and_every_form(event: str, language: Language) -> None:
    told = said(event, FACTS[event], language)
    assert told.title and told.text and "{" not in told.title + told.text
    assert all(isinstance(value, (str, int)) for value in told.values)
    for one in (
        target(format="standard"),
        target(format="newapi"),
        target("bark"),
        target("gotify"),
        target("email"),
        target(format="newapi", template='{"a":"{{content}}"}'),
    ):
        json.loads(body(one, happened(event, language)))


def test_values_stand_in_their_order() -> None:
    shown = {event: said(event, FACTS[event], "en").values for event in FACTS}
    assert shown["key.budget"] == ["app", "$8.00", "$10.00"]
    assert shown["key.expiring"] == ["app", "2025-02-19"]
    assert shown["credential.parked"] == ["main", "forbidden", "wxyz"]
    assert shown["price.changed"] == ["gpt-4o", "input 1", "input 2", "2025-02-19"]
    assert shown["price.missing"] == ["gpt-9", "openai.chat"]
    assert said("key.budget", FACTS["key.budget"], "en").text == (
        "The key app has used $8.00 of its budget of $10.00 (this month)."
    )
    refused = said("key.budget", {**FACTS["key.budget"], "percent": 100, "refused": True}, "en")
    assert refused.title == "A key's budget is used up"
    assert refused.text == "A call of the key app was refused: $8.00 of its budget of $10.00 are used (this month)."
    many = {"prices": FACTS["price.changed"]["prices"] * 30, "count": 120}
    lines = said("price.changed", many, "en").text.splitlines()
    assert len(lines) == 21 and lines[-1] == "+ 100"


@pytest.mark.parametrize(
    ("nano", "shown"),
    [(0, "$0.00"), (1, "$0.000000001"), (9_999_999, "$0.009999999"), (10_000_000, "$0.01"), (1_999_999_999, "$1.99")],
)
def test_amounts_are_rounded_down_to_cents(nano: int, shown: str) -> None:
    assert money(nano) == shown


def test_roles_decide_who_is_told() -> None:
    assert wants("balance.low", "user", []) and wants("balance.low", "owner", [])
    assert not wants("channel.parked", "user", []) and not wants("channel.parked", "user", ["channel.parked"])
    assert wants("channel.parked", "operator", []) and wants("price.changed", "operator", [])
    assert not wants("price.changed", "user", []) and wants("price.changed", "user", ["price.changed"])
    assert not wants("balance.low", "user", ["task.failed"]) and wants("task.failed", "user", ["task.failed"])
    assert not wants("user.balance_low", "owner", [])
    assert newapi_name("balance.empty") == "balance.empty"
    assert limited_with("credential.parked") == ["channel.parked", "channel.recovered", "credential.parked"]
    assert limited_with("topup.done") == []


def test_a_name_is_no_html_in_the_form_newapi() -> None:
    target = Target("target_1", "usr_1", 0, "webhook", "http://x", format="newapi")
    facts = {"model": "<img src=x onerror='a()'>&", "operation": "openai.chat"}
    told = Happened(event="price.missing", at=AT, said=said("price.missing", facts, "en"), language="en")
    plain = json.loads(body(target, told))
    assert "A call of &lt;img src=x onerror='a()'&gt;&amp; (openai.chat)" in plain["content"]
    assert plain["values"] == [facts["model"], "openai.chat"]
    own = json.loads(body(replace(target, template='{"text": "{{content}}"}'), told))
    assert own["text"] == plain["content"]
    assert json.loads(body(replace(target, format="standard"), told))["data"]["content"] == told.said.text


def test_all_money_that_programs_read_is_decimal() -> None:
    told = said("user.balance_low", FACTS["user.balance_low"], "en")
    assert told.data == {"balance_usd": "0.42", "threshold_usd": "1", "user": "alice", "user_id": "usr_1"}
