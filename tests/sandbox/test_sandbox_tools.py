"""Tools: which one is called, with what, and what is said of its result."""

import json
from typing import Any

import jsonschema
import pytest
from sandbox_client import Sandbox, user


def tool(name: str, description: str = "", required: bool = True, **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(properties)
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


WEATHER = tool(
    "get_weather", "Current weather of a city", city={"type": "string"}, unit={"enum": ["celsius", "fahrenheit"]}
)
CITY = tool("get_weather", "Current weather of a city", city={"type": "string"})
MAIL = tool("send_email", "Sends a message", to={"type": "string", "format": "email"}, subject={"type": "string"})
TIME = tool("get_time", "The time at a place", zone={"type": "string"})


def calls(sandbox: Sandbox, text: str, **more: Any) -> list[tuple[str, Any]]:
    answer = sandbox.post(messages=user(text), **more)
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    made = choice["message"].get("tool_calls") or []
    assert choice["finish_reason"] == ("tool_calls" if made else "stop")
    assert (choice["message"]["content"] is None) == bool(made)
    assert len({call["id"] for call in made}) == len(made)
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in made]


def test_the_fitting_tool_is_called(sandbox: Sandbox) -> None:
    tools = [MAIL, WEATHER, TIME]
    assert calls(sandbox, "What is the weather in Paris, in fahrenheit?", tools=tools) == [
        ("get_weather", {"city": "Paris", "unit": "fahrenheit"})
    ]
    assert [name for name, _ in calls(sandbox, "Please send an email to Ann", tools=tools)] == ["send_email"]
    assert calls(sandbox, "Tell me a story of old kings", tools=tools) == []


def test_a_chinese_question(sandbox: Sandbox) -> None:
    tools = [tool("get_weather", "查询城市的天气", city={"type": "string"}), MAIL]
    assert calls(sandbox, "北京的天气怎么样？", tools=tools) == [("get_weather", {"city": "北京"})]


def test_tool_choice(sandbox: Sandbox) -> None:
    tools = [CITY, TIME]
    named = {"type": "function", "function": {"name": "get_time"}}
    allowed = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_time"}}]},
    }
    assert calls(sandbox, "What is the weather in Rome?", tools=tools, tool_choice="none") == []
    assert [n for n, _ in calls(sandbox, "A story, please", tools=tools, tool_choice="required")] == ["get_weather"]
    for choice in (named, allowed):
        assert [n for n, _ in calls(sandbox, "the weather in Rome", tools=tools, tool_choice=choice)] == ["get_time"]


def test_parallel_calls(sandbox: Sandbox) -> None:
    asked = "What is the weather in Lima, Oslo and New Delhi?"
    cities = ["Lima", "Oslo", "New Delhi"]
    assert [a["city"] for _, a in calls(sandbox, asked, tools=[CITY])] == cities
    assert len(calls(sandbox, asked, tools=[CITY], parallel_tool_calls=False)) == 1
    both = calls(sandbox, "Get the weather and the time in Lima", tools=[CITY, TIME])
    assert both == [("get_weather", {"city": "Lima"}), ("get_time", {"zone": "Lima"})]


def test_arguments_fit_a_difficult_schema(sandbox: Sandbox) -> None:
    order = tool(
        "order_items",
        "Orders items",
        count={"type": "integer", "minimum": 3, "maximum": 9},
        items={"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/item"}},
        when={"anyOf": [{"type": "null"}, {"type": "string", "format": "date"}]},
    )
    order["function"]["parameters"]["$defs"] = {
        "item": {"type": "object", "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}-\\d{4}$"}}}
    }
    order["function"]["parameters"]["$defs"]["item"]["required"] = ["sku"]
    for seed in range(10):
        made = calls(sandbox, "Order items 5 please", tools=[order], seed=seed)
        jsonschema.validate(made[0][1], order["function"]["parameters"])
        assert made[0][1]["count"] == 5


def test_custom_tools_take_text(sandbox: Sandbox) -> None:
    custom = {"type": "custom", "custom": {"name": "run_code", "description": "Runs code"}}
    answer = sandbox.post(messages=user('Run the code "print(1)"'), tools=[custom]).json()["choices"][0]
    assert answer["message"]["tool_calls"][0]["custom"] == {"name": "run_code", "input": "print(1)"}
    assert answer["message"]["tool_calls"][0]["type"] == "custom"


def test_the_former_form(sandbox: Sandbox) -> None:
    answer = sandbox.post(
        messages=user("weather in Rome"), functions=[CITY["function"]], function_call={"name": "get_weather"}
    ).json()["choices"][0]
    assert answer["finish_reason"] == "function_call"
    assert json.loads(answer["message"]["function_call"]["arguments"]) == {"city": "Rome"}
    follow = [
        *user("weather in Rome"),
        {"role": "assistant", "content": None, "function_call": answer["message"]["function_call"]},
        {"role": "function", "name": "get_weather", "content": "rain"},
    ]
    answer = sandbox.post(messages=follow, functions=[CITY["function"]]).json()["choices"][0]
    assert "get_weather says: rain" in answer["message"]["content"]


def test_results_are_used(sandbox: Sandbox) -> None:
    first = sandbox.post(messages=user("What is the weather in Lima and Oslo?"), tools=[CITY]).json()["choices"][0]
    made = first["message"]["tool_calls"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"{degrees} degrees"}
        for call, degrees in zip(made, (19, 7), strict=True)
    ]
    messages = [*user("What is the weather in Lima and Oslo?"), first["message"], *results]
    answer = sandbox.post(messages=messages, tools=[CITY]).json()["choices"][0]
    assert answer["finish_reason"] == "stop"
    assert "19 degrees" in answer["message"]["content"]
    assert "7 degrees" in answer["message"]["content"]


def test_a_limit_cuts_arguments(sandbox: Sandbox) -> None:
    whole = sandbox.post(messages=user("weather in Rome"), tools=[WEATHER]).json()
    assert whole["usage"]["completion_tokens"] > 6
    cut = sandbox.post(messages=user("weather in Rome"), tools=[WEATHER], max_tokens=6).json()
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 6
    given = cut["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(given)


def test_the_sdk_runs_the_circle(sandbox: Sandbox) -> None:
    client = sandbox.openai()
    messages: list[Any] = user("What time is it in Tokyo?")
    answer = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TIME])  # type: ignore[list-item]
    call = answer.choices[0].message.tool_calls[0]  # type: ignore[index]
    messages += [answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "noon"}]
    answer = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TIME])  # type: ignore[list-item]
    assert "noon" in (answer.choices[0].message.content or "")
