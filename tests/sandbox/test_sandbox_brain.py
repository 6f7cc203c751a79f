"""How prompts are understood: what they name, and which tool fits."""

import json
from typing import Any

import pytest

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import Hints, names, unmarked
from unigate.sandbox.brain.prompt import Choosing, Prompt, Tool, Turn
from unigate.sandbox.brain.schema import Maker
from unigate.sandbox.brain.think import think
from unigate.sandbox.serving.world import Accounts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the weather in Paris and New York?", ["Paris", "New York"]),
        ('Rename "old name" to `new`', ["old name", "new"]),
        ("Compare Lima with Oslo", ["Lima", "Oslo"]),
        ("Lima. What about it?", ["Lima"]),
        ("Write to ada@example.com about ChatGPT.", ["ada@example.com", "ChatGPT"]),
        ("See https://example.com/a?b=1, please", ["https://example.com/a?b=1"]),
        ("深圳今天天气如何？", ["深圳"]),
        ("上海和广州的天气怎么样", ["上海", "广州"]),
        ("nothing at all", []),
    ],
)
def test_what_a_prompt_names(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_markers_are_no_part_of_a_prompt() -> None:
    assert unmarked("[[fault:500,first:2]] Hi [[pace:5]]") == "Hi"
    assert unmarked("a [[1, 2], [3, 4]] matrix") == "a [[1, 2], [3, 4]] matrix"


def _tool(name: str, description: str, **properties: Any) -> Tool:
    return Tool(
        name=name,
        description=description,
        schema={"type": "object", "properties": properties, "required": list(properties)},
    )


WEATHER = _tool("get_weather", "Get the current weather", location={"type": "string"})
MAIL = _tool("send_email", "Send an email", to={"type": "string", "format": "email"}, body={"type": "string"})
SEARCH = _tool("search_docs", "Find pages about a topic", query={"type": "string"})
TOOLS = (WEATHER, MAIL, SEARCH)


def _calls(text: str, **choosing: Any) -> list[tuple[str, dict[str, Any]]]:
    prompt = Prompt(turns=(Turn(role="user", text=text),), tools=TOOLS, choosing=Choosing(**choosing), seed=1)
    return [(call.name, json.loads(call.arguments)) for call in think(prompt, 0).calls]


def test_a_chinese_question_finds_an_english_tool() -> None:
    assert _calls("深圳今天天气如何？") == [("get_weather", {"location": "深圳"})]
    assert _calls("上海和广州的天气怎么样") == [
        ("get_weather", {"location": "上海"}),
        ("get_weather", {"location": "广州"}),
    ]


def test_addresses_and_whole_questions_become_arguments() -> None:
    asked = "Send an email to mei@example.com saying hello"
    assert _calls(asked) == [("send_email", {"to": "mei@example.com", "body": asked})]
    assert _calls("Search pages on tides") == [("search_docs", {"query": "Search pages on tides"})]
    assert _calls('Search pages on "spring tides"') == [("search_docs", {"query": "spring tides"})]


def test_a_tool_that_is_named_is_taken() -> None:
    assert [name for name, _ in _calls("Use search_docs for the weather")] == ["search_docs"]


def test_no_tools_no_calls() -> None:
    assert _calls("What is the weather in Rome?", mode="none") == []
    assert _calls("What is the weather in Rome?", only=frozenset({"nothing"})) == []


@pytest.mark.parametrize(
    ("text", "system", "expected"),
    [
        ("", "", "Tell me more."),
        ("7 / 2 + 0", "", "7/2"),
        ("5 / 0", "", "undefined"),
        ("9 - 4", "", "5"),
        ("Describe it", "Answer with one word.", "Okay"),
        ("是否可行？请用一个词回答", "", "是否"),
        ("天气好吗", "只回答是或否", "是"),
    ],
)
def test_corner_cases_of_prose(text: str, system: str, expected: str) -> None:
    turns = (Turn(role="system", text=system), Turn(role="user", text=text))
    said = {think(Prompt(turns=turns, seed=seed), 0).text for seed in range(20)}
    assert expected in said


def test_numbers_and_choices_come_from_the_prompt() -> None:
    schema = {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "minimum": 1, "maximum": 50},
            "colour": {"enum": ["red", "green"]},
            "other": {"anyOf": ["broken"]},
        },
        "required": ["count", "colour"],
    }
    source = seeds.dice(3)
    made = Maker(schema, source, Hints("Paint 17 doors green", source)).make()
    assert (made["count"], made["colour"]) == (17, "green")


def test_accounts_are_bounded() -> None:
    accounts = Accounts(limit=2)
    for name in "abc":
        accounts.spend(name, 5)
    assert [accounts.spent(name) for name in "abc"] == [0, 5, 5]
