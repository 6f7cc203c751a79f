"""The main job: a new user's first calls with the official OpenAI SDK against `unigate demo`."""

import json
import re
from typing import cast

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

from support.waiting import wait_until
from support.world import Process

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to the people of Lyon, please."}]
WEATHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def client(demo: Process) -> openai.OpenAI:
    """The SDK, without its own retries so that nothing is hidden."""
    return openai.OpenAI(base_url=demo.url + "/v1", api_key=demo.said["api_key"], max_retries=0, timeout=30)


@pytest.mark.endpoint("O4")
def test_chat(demo: Process) -> None:
    raw = client(demo).chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=MESSAGES)
    reply = raw.parse()
    assert reply.choices[0].message.content
    assert reply.usage is not None and reply.usage.prompt_tokens > 0 and reply.usage.completion_tokens > 0
    assert re.fullmatch(r"req_[0-9A-Z]{26}", raw.headers["x-request-id"])
    assert float(raw.headers["x-unigate-cost"]) > 0
    assert float(raw.headers["x-unigate-overhead-ms"]) >= 0


def test_stream(demo: Process) -> None:
    stream = client(demo).chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True)
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(c.usage is None for c in chunks), "usage is hidden from a caller who did not ask"


def test_stream_with_usage(demo: Process) -> None:
    stream = client(demo).chat.completions.create(
        model="gpt-4o-mini",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
    )
    last = list(stream)[-1]
    assert last.choices == []
    assert last.usage is not None and last.usage.completion_tokens > 0


async def test_async(demo: Process) -> None:
    async with openai.AsyncOpenAI(base_url=demo.url + "/v1", api_key=demo.said["api_key"], max_retries=0) as sdk:
        reply = await sdk.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        assert reply.choices[0].message.content
        stream = await sdk.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True)
        assert [c async for c in stream]


def test_tools_there_and_back(demo: Process) -> None:
    sdk = client(demo)
    asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = sdk.chat.completions.create(model="gpt-4o-mini", messages=asked, tools=[WEATHER])
    calls = first.choices[0].message.tool_calls
    assert calls is not None
    call = calls[0]
    assert call.type == "function"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    answered: list[ChatCompletionMessageParam] = [
        *asked,
        cast(ChatCompletionMessageParam, first.choices[0].message.model_dump(exclude_none=True)),
        {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'},
    ]
    second = sdk.chat.completions.create(model="gpt-4o-mini", messages=answered, tools=[WEATHER])
    assert "21" in (second.choices[0].message.content or "")


def test_cost_in_the_answer_when_asked(demo: Process) -> None:
    reply = httpx.post(
        demo.url + "/v1/chat/completions",
        headers={"authorization": f"Bearer {demo.said['api_key']}", "x-unigate-include": "cost"},
        json={"model": "gpt-4o-mini", "messages": MESSAGES},
        timeout=30,
    )
    text = re.search(r'"cost":\s*([0-9.]+)', reply.text)
    assert text is not None and text[1] == reply.headers["x-unigate-cost"]


def test_cost_at_the_end_of_a_stream(demo: Process) -> None:
    with httpx.stream(
        "POST",
        demo.url + "/v1/chat/completions",
        headers={"authorization": f"Bearer {demo.said['api_key']}"},
        json={"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True, "usage": {"include": True}},
        timeout=30,
    ) as reply:
        assert "x-unigate-cost" not in reply.headers
        events = [line.removeprefix("data: ") for line in reply.iter_lines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["usage"]["cost"] > 0


def test_models(demo: Process) -> None:
    sdk = client(demo)
    names = {model.id for model in sdk.models.list()}
    assert "gpt-4o-mini" in names
    assert sdk.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("no-such-model")


@pytest.mark.endpoint("P1")
def test_the_call_is_found_on_the_ledger(demo: Process) -> None:
    def data() -> dict[str, float]:
        auth = {"authorization": f"Bearer {demo.said['api_key']}"}
        return dict(httpx.get(demo.url + "/v1/billing/usage?unit=usd", headers=auth).json()["data"])

    before = data()
    reply = client(demo).chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    assert float(reply.headers["x-unigate-cost"]) > 0
    wait_until(lambda: data()["used"] > before["used"] and data()["cache_used"] == 0)


@pytest.mark.endpoint("P4")
def test_the_dashboard_shows_the_same(demo: Process) -> None:
    auth = {"authorization": f"Bearer {demo.said['api_key']}"}
    for prefix in ("/v1", ""):
        limits = httpx.get(demo.url + prefix + "/dashboard/billing/subscription", headers=auth).json()
        used = httpx.get(demo.url + prefix + "/dashboard/billing/usage", headers=auth).json()
        assert limits["hard_limit_usd"] == 100
        assert 0 <= used["total_usage"] < 100
