"""The sandbox's responses: what is answered, the vendor's order of events, what is kept and how it is come back to."""

import json
import time
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import FunctionToolParam, ResponseFunctionToolCall, ResponseReasoningItem
from sandbox_client import Sandbox

WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
KEY = "sk-sandbox-0001"


def ask(sandbox: Sandbox, method: str = "POST", path: str = "", key: str = KEY, **body: Any) -> httpx.Response:
    """One call of responses by plain HTTP."""
    url = f"{sandbox.url}/openai/v1/responses{path}"
    sent = {"model": "gpt-4o", "input": "Hello there", **body} if method == "POST" else None
    return sandbox.http.request(method, url, json=sent, headers={"authorization": f"Bearer {key}"})


def events(sandbox: Sandbox, **body: Any) -> list[dict[str, Any]]:
    """The events of a streamed call; each has its name on the wire too."""
    found = []
    for event in ask(sandbox, stream=True, **body).text.split("\n\n")[:-1]:
        name, _, data = event.partition("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def refused(sandbox: Sandbox, **body: Any) -> tuple[int, str | None, str | None]:
    reply = ask(sandbox, **body)
    return reply.status_code, reply.json()["error"]["param"], reply.json()["error"]["code"]


def test_the_same_question_has_the_same_answer(sandbox: Sandbox) -> None:
    first, second = (sandbox.openai().responses.create(model="gpt-4o", input="What is 12 + 30?") for _ in range(2))
    assert first.output_text == second.output_text and "42" in first.output_text
    assert first.id != second.id and first.id.startswith("resp_")
    assert first.usage and first.usage.input_tokens > 5 and first.usage.output_tokens > 0
    assert first.usage.total_tokens == first.usage.input_tokens + first.usage.output_tokens


def test_a_stream_says_what_the_plain_answer_says(sandbox: Sandbox) -> None:
    plain = ask(sandbox, input="Tell me of Lyon").json()
    found = events(sandbox, input="Tell me of Lyon")
    kinds = [event["type"].removeprefix("response.") for event in found]
    deltas = [event["delta"] for event in found if event["type"] == "response.output_text.delta"]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[4:-4] == ["output_text.delta"] * len(deltas)
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    last = found[-1]["response"]
    assert "".join(deltas) == plain["output"][0]["content"][0]["text"] == last["output"][0]["content"][0]["text"]
    assert last["usage"] == plain["usage"] and len(deltas) == plain["usage"]["output_tokens"]
    assert found[0]["response"]["status"] == "in_progress" and found[0]["response"]["id"] == last["id"]


def test_functions_there_and_back(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    first = sdk.responses.create(model="gpt-4o", input="What is the weather in Paris?", tools=[WEATHER])
    (call,) = first.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert json.loads(call.arguments) == {"city": "Paris"}
    second = sdk.responses.create(
        model="gpt-4o",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 21}'}],
        tools=[WEATHER],
    )
    assert "21" in second.output_text
    items = sdk.responses.input_items.list(second.id, order="asc").data
    assert [item.type for item in items] == ["message", "function_call", "function_call_output"]


def test_a_streamed_function_call(sandbox: Sandbox) -> None:
    found = events(sandbox, input="What is the weather in Rome?", tools=[WEATHER])
    kinds = [event["type"].removeprefix("response.") for event in found]
    pieces = [event["delta"] for event in found if event["type"].endswith("arguments.delta")]
    assert kinds[2] == "output_item.added" and found[2]["item"]["arguments"] == ""
    assert kinds[-3:] == ["function_call_arguments.done", "output_item.done", "completed"]
    assert "".join(pieces) == found[-3]["arguments"] == found[-2]["item"]["arguments"] == '{"city":"Rome"}'


def test_reasoning_items(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    hidden = sdk.responses.create(model="o3-mini", input="Think", include=["reasoning.encrypted_content"])
    item = hidden.output[0]
    assert isinstance(item, ResponseReasoningItem) and item.encrypted_content and item.summary == []
    assert hidden.usage and hidden.usage.output_tokens_details.reasoning_tokens == 128
    shown = sdk.responses.create(model="o3-mini", input="Think", reasoning={"summary": "auto", "effort": "low"})
    item = shown.output[0]
    assert isinstance(item, ResponseReasoningItem) and item.encrypted_content is None and item.summary[0].text
    assert shown.usage and shown.usage.output_tokens_details.reasoning_tokens == 64
    found = events(sandbox, model="o3-mini", input="Think", reasoning={"summary": "auto"})
    kinds = [event["type"].removeprefix("response.") for event in found]
    assert kinds[2:5] == ["output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"]
    assert kinds.index("reasoning_summary_part.done") < kinds.index("content_part.added")
    replayed = sdk.responses.create(model="o3-mini", input=[*hidden.output, {"role": "user", "content": "Go on"}])  # type: ignore[list-item]
    assert replayed.output_text


def test_a_limit_leaves_it_incomplete(sandbox: Sandbox) -> None:
    reply = ask(sandbox, input="[[tokens:40]]", max_output_tokens=16).json()
    assert (reply["status"], reply["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert reply["usage"]["output_tokens"] == 16
    found = events(sandbox, input="[[tokens:40]]", max_output_tokens=16)
    assert found[-1]["type"] == "response.incomplete"


def test_other_ways_to_answer(sandbox: Sandbox) -> None:
    refusal = ask(sandbox, input="[[refuse]]").json()["output"][0]["content"][0]
    assert refusal["type"] == "refusal"
    assert "response.refusal.delta" in {event["type"] for event in events(sandbox, input="[[refuse]]")}
    form = {"type": "json_schema", "name": "town", "schema": WEATHER["parameters"], "strict": True}
    text = ask(sandbox, input="Lyon as JSON", text={"format": form}).json()["output"][0]["content"][0]["text"]
    assert json.loads(text)["city"]
    custom = {"type": "custom", "name": "run_code", "description": "Runs code"}
    made = events(sandbox, input="Please run code", tools=[custom], tool_choice="required")
    assert made[-2]["item"]["type"] == "custom_tool_call" and made[-2]["item"]["input"]
    pictured = [{"type": "input_image", "image_url": "https://example.com/a.png"}, {"type": "input_text", "text": "?"}]
    seen = ask(sandbox, input=[{"role": "user", "content": pictured}]).json()
    assert seen["usage"]["input_tokens"] > 500


def test_what_is_kept_and_for_whom(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    made = sdk.responses.create(model="gpt-4o", input="Keep this", instructions="Be brief", metadata={"a": "b"})
    again = sdk.responses.retrieve(made.id)
    assert again == made and again.metadata == {"a": "b"}
    for path, method in ((f"/{made.id}", "GET"), (f"/{made.id}", "DELETE"), (f"/{made.id}/input_items", "GET")):
        assert ask(sandbox, method, path, key="sk-somebody-else").status_code == 404
    followed = sdk.responses.create(model="gpt-4o", input="And this", previous_response_id=made.id)
    assert followed.previous_response_id == made.id
    page = sdk.responses.input_items.list(followed.id, limit=2)
    assert page.has_next_page() and len(list(page)) == 3
    with pytest.raises(openai.BadRequestError, match="Cannot cancel"):
        sdk.responses.cancel(made.id)
    sdk.responses.delete(made.id)
    assert ask(sandbox, "GET", f"/{made.id}").status_code == 404
    assert refused(sandbox, previous_response_id=made.id) == (
        400,
        "previous_response_id",
        "previous_response_not_found",
    )
    unkept = sdk.responses.create(model="gpt-4o", input="Forget this", store=False)
    assert ask(sandbox, "GET", f"/{unkept.id}").status_code == 404


def test_a_streamed_response_is_kept_once_it_ended(sandbox: Sandbox) -> None:
    kept = events(sandbox, input="Kept")[-1]["response"]
    assert ask(sandbox, "GET", f"/{kept['id']}").json() == kept
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.http.post(
            f"{sandbox.url}/openai/v1/responses",
            json={"model": "gpt-4o", "input": "Cut [[fault:cut-after:5]]", "stream": True},
            headers={"authorization": f"Bearer {KEY}"},
        )
    failed = events(sandbox, input="Failing [[fault:error-event:3]]")
    assert (failed[-1]["type"], failed[-1]["code"]) == ("error", "server_error")
    assert ask(sandbox, "GET", f"/{failed[0]['response']['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"input": None}, ("input", "missing_required_parameter")),
        ({"input": 5}, ("input", "invalid_type")),
        ({"input": [{"role": "nobody", "content": "x"}]}, ("input[0].role", "invalid_value")),
        ({"input": [{"type": "odd"}]}, ("input[0].type", "invalid_value")),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, ("input", None)),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, ("input", None)),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]}, ("input", None)),
        ({"model": "nope"}, ("model", "model_not_found")),
        ({"max_output_tokens": 15}, ("max_output_tokens", "integer_below_min_value")),
        ({"temperature": 3}, ("temperature", "decimal_above_max_value")),
        ({"reasoning": {"effort": "low"}}, ("reasoning.effort", "unsupported_parameter")),
        ({"model": "o3-mini", "temperature": 1}, ("temperature", "unsupported_parameter")),
        ({"include": ["everything"]}, ("include[0]", "invalid_value")),
        ({"tools": [{"type": "function"}]}, ("tools[0].name", "missing_required_parameter")),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}}, ("tool_choice", None)),
        ({"background": True, "store": False}, ("store", "invalid_value")),
        ({"background": True, "stream": True}, ("stream", "invalid_value")),
        ({"conversation": "talk_1"}, ("conversation", "invalid_value")),
        ({"text": {"format": {"type": "json_object"}}}, ("input", None)),
    ],
    ids=str,
)
def test_what_the_vendor_refuses_is_refused(
    sandbox: Sandbox, body: dict[str, Any], told: tuple[str, str | None]
) -> None:
    assert refused(sandbox, **body) == (400, *told)


def ended(sandbox: Sandbox, made: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A response in the background once it has ended, and the states in which it was seen."""
    seen = [made["status"]]
    deadline = time.monotonic() + 20
    while made["status"] in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        made = ask(sandbox, "GET", f"/{made['id']}").json()
        if made["status"] != seen[-1]:
            seen.append(made["status"])
        time.sleep(0.005)
    return made, seen


def test_a_response_in_the_background_takes_its_time(sandbox: Sandbox) -> None:
    made = ask(sandbox, input="What is 12 + 30? [[speed:5]]", background=True).json()
    assert (made["status"], made["output"], made["usage"], made["background"]) == ("queued", [], None, True)
    assert refused(sandbox, previous_response_id=made["id"])[1] == "previous_response_id"
    done, seen = ended(sandbox, made)
    assert seen == ["queued", "in_progress", "completed"]
    assert "42" in done["output"][0]["content"][0]["text"] and done["usage"]["output_tokens"] > 0
    assert ask(sandbox, previous_response_id=made["id"]).status_code == 200
    assert ask(sandbox, "POST", f"/{made['id']}/cancel").json() == done
    assert ask(sandbox, "DELETE", f"/{made['id']}").json()["deleted"]
    assert ask(sandbox, "GET", f"/{made['id']}").status_code == 404


def test_a_response_in_the_background_is_cancelled(sandbox: Sandbox) -> None:
    made = ask(sandbox, input="Hm [[speed:0.1]]", background=True).json()
    assert ask(sandbox, "POST", f"/{made['id']}/cancel", key="sk-other").status_code == 404
    for _ in range(2):
        cancelled = ask(sandbox, "POST", f"/{made['id']}/cancel").json()
        assert (cancelled["status"], cancelled["output"], cancelled["usage"]) == ("cancelled", [], None)


def test_faults_of_responses_in_the_background(sandbox: Sandbox) -> None:
    failed, _ = ended(sandbox, ask(sandbox, input="[[speed:9]] [[fault:fail-at:50]]", background=True).json())
    assert (failed["status"], failed["error"]["code"], failed["output"]) == ("failed", "server_error", [])
    lost = ask(sandbox, input="[[speed:9]] [[fault:vanish]]", background=True).json()
    assert ask(sandbox, "GET", f"/{lost['id']}").status_code == 404
