"""Responses: what is read of a body, what is changed in it, what a whole answer says."""

import json
from typing import Any

import pytest
from responses_cases import MESSAGE, PLAIN, UNITS, USAGE, response

from unigate.base.errors import BadAnswer, BadRequest, InvalidJson, UpstreamRefused
from unigate.dialects import dialect, operations
from unigate.dialects import openai_responses as responses
from unigate.spec.facts import Facts


def read(**members: Any) -> Facts:
    return responses.read(json.dumps({"model": "m", "input": "hi", **members}).encode())


def answer(**members: Any) -> responses.Seen:
    return responses.read_answer(json.dumps(response("completed", **members)).encode(), PLAIN)


def test_the_plain_call() -> None:
    facts = read()
    assert (facts.model, facts.stream, facts.count, facts.output_limit) == ("m", False, 1, None)
    assert (facts.stored, facts.previous, facts.open_input, facts.conditions) == (True, "", False, {})
    assert facts.least_output == 16


def test_what_is_read() -> None:
    facts = read(stream=True, max_output_tokens=50, service_tier="flex", store=False, usage={"include": True})
    assert (facts.stream, facts.output_limit, facts.stored, facts.include_cost) == (True, 50, False, True)
    assert facts.conditions == {"service_tier": "flex"}
    assert read(previous_response_id="resp_1").previous == "resp_1"
    assert read(store=None, previous_response_id=None, stream=None).stored
    assert read(service_tier="auto").conditions == {}


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"background": "yes"}, "background"),
        ({"background": True, "stream": True}, "stream"),
        ({"background": True, "store": False}, "store"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
        ({"max_output_tokens": "5"}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"store": 1}, "store"),
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"tools": {}}, "tools"),
    ],
    ids=str,
)
def test_what_is_refused(members: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**members)
    assert refused.value.param == param


@pytest.mark.parametrize("members", [{"background": False}, {"conversation": None}, {"background": None}], ids=str)
def test_what_is_not_asked_for_is_not_refused(members: dict[str, Any]) -> None:
    assert read(**members).stored


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b","input":"x"}',
        b'{"model":"a","input":"x","store":true,"st\\u006fre":false}',
        b'{"model":"a","previous_response_id":"x","previous_response_id":"y"}',
        b'{"model":"a","background":false,"background":true}',
        b"[]",
        b'{"model":"\xff"}',
    ],
)
def test_ambiguous_bodies_are_refused(body: bytes) -> None:
    with pytest.raises((InvalidJson, BadRequest)):
        responses.read(body)


def test_names_inside_the_input_are_not_ours() -> None:
    body = b'{"model":"a","input":[{"role":"user","content":"{\\"model\\":1}"}],"metadata":{"model":"x","tools":"y"}}'
    assert responses.read(body).model == "a"


@pytest.mark.parametrize(
    ("members", "opened"),
    [
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.y/a.png"}]}]}, True),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]}
                ]
            },
            False,
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]}, True),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x.y/a.pdf"}]}]}, True),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "data:x;base64,AA"}]}]}, True),
        ({"input": [{"type": "item_reference", "id": "msg_1"}], "previous_response_id": "resp_1"}, True),
        ({"previous_response_id": "resp_1"}, True),
        ({"prompt": {"id": "pmpt_1"}}, True),
        ({"tools": [{"type": "web_search"}]}, True),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}]}, False),
        ({"input": "\u00fcber <b> & more"}, False),
    ],
    ids=str,
)
def test_input_that_is_named_and_not_carried(members: dict[str, Any], opened: bool) -> None:
    assert read(**members).open_input is opened


def test_letters_written_in_another_way_hide_nothing() -> None:
    body = b'{"model":"m","input":[{"role":"user","content":[{"type":"input_file","f\\u0069le_\\u0069d":"file_1"}]}]}'
    assert responses.read(body).open_input


def edited(body: bytes, **edits: Any) -> bytes:
    return responses.edit(body, responses.read(body), responses.Edits(**edits))


def test_edits() -> None:
    body = b'{ "model" : "m", "input":"h\\u00e9", "max_output_tokens": 50 , "new":1.50}'
    assert edited(body) is body
    assert edited(body, model="m", ask_usage=True, output_limit=60) is body
    assert edited(body, model="n") == body.replace(b'"m"', b'"n"')
    assert edited(body, output_limit=20) == body.replace(b"50 ,", b"20 ,")
    assert edited(body, drop=("new",)) == b'{ "model" : "m", "input":"h\\u00e9", "max_output_tokens": 50}'
    assert edited(b'{"model":"m"}', output_limit=20) == b'{"max_output_tokens":20,"model":"m"}'
    assert edited(b'{"model":"m","usage":{"include":true}}') == b'{"model":"m"}'


def test_a_whole_answer() -> None:
    seen = answer(output=[MESSAGE], usage=USAGE, service_tier="priority")
    assert seen.usage is not None and seen.usage.units == UNITS and not seen.usage.estimated
    assert (seen.empty, seen.id, seen.service_tier, seen.output_tokens) == (False, "resp_1", "priority", 0)
    assert answer(output=[MESSAGE], store=False).id == ""
    assert answer(output=[MESSAGE], service_tier="auto").service_tier == "default"


@pytest.mark.parametrize(
    ("output", "empty"),
    [
        ([], True),
        ([{"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": []}], True),
        (
            [{"type": "message", "content": [{"type": "output_text", "text": "", "annotations": [], "logprobs": []}]}],
            True,
        ),
        ([{"type": "reasoning", "id": "r", "summary": [], "content": [], "encrypted_content": None}], True),
        ([MESSAGE], False),
        ([{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}], False),
        ([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}], False),
        ([{"type": "reasoning", "summary": [], "encrypted_content": "AA"}], False),
        ([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}], False),
        ([{"type": "web_search_call", "id": "w", "status": "completed"}], False),
    ],
)
def test_what_is_empty(output: list[Any], empty: bool) -> None:
    assert answer(output=output).empty is empty
    assert answer(output=output, usage={**USAGE, "output_tokens": 0, "output_tokens_details": {}}).empty is empty
    assert not answer(output=output, usage=USAGE).empty


def test_an_answer_without_usage_is_estimated() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Paris"}'}
    seen = answer(output=[MESSAGE, call])
    body = json.dumps({"model": "m", "input": [{"role": "user", "content": "How is it in Paris?"}], "tools": [call]})
    usage = responses.estimate(body.encode(), seen)
    assert usage.estimated and 12 <= usage.units["output"] <= 25
    assert 60 <= usage.units["input"] <= 120
    assert responses.estimate(b"not json at all", seen).units["input"] == 5


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'{"output":"x"}', b'{"output":[]'])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        responses.read_answer(body, PLAIN)


def test_errors_with_status_200() -> None:
    with pytest.raises(UpstreamRefused) as refused:
        responses.read_answer(b'{"error":{"message":"x","code":429}}', PLAIN)
    assert refused.value.upstream_status == 429
    failed = response("failed", error={"code": "server_error", "message": "x"})
    with pytest.raises(BadAnswer):
        responses.read_answer(json.dumps(failed).encode(), PLAIN)
    own = response("failed", error={"code": "invalid_prompt", "message": "x"})
    assert responses.read_answer(json.dumps(own).encode(), PLAIN).empty


def test_the_cost_beside_the_usage() -> None:
    body = json.dumps(response("completed", usage=USAGE, metadata={"usage": "x"}), indent=2).encode()
    told = json.loads(responses.add_cost(body, "0.5"))
    assert told["usage"] == {"cost": 0.5, **USAGE} and told["metadata"] == {"usage": "x"}
    usage = answer(output=[MESSAGE], usage=USAGE).usage
    made = json.loads(responses.add_cost(b'{"id":"x","usage":null}', "0.5", usage))
    assert made["usage"] == {"input_tokens": 63, "output_tokens": 69, "total_tokens": 132, "cost": 0.5}


def test_the_operations() -> None:
    rows = {row.name: row for row in operations() if row.dialect == "openai_responses"}
    assert dialect("openai_responses")
    assert {row.binds for row in rows.values()} == {"response"}
    free = {name for name, row in rows.items() if row.free}
    paid = {"openai.responses", "openai.responses.background"}
    assert free == set(rows) - paid == {name for name, row in rows.items() if row.use == "bound"}
