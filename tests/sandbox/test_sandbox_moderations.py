"""Moderation: scores follow the words, for texts, lists and parts with pictures."""

from typing import Any

import httpx
import pytest
from openai.types import ModerationMultiModalInputParam
from sandbox_client import Sandbox

from unigate.sandbox.brain import harm

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def post(sandbox: Sandbox, **body: Any) -> httpx.Response:
    headers = {"authorization": "Bearer sk-sandbox-0001"}
    return sandbox.http.post(f"{sandbox.url}/openai/v1/moderations", json=body, headers=headers)


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("A walk in the park with the dog.", set()),
        ("I will kill you", {"harassment", "harassment/threatening", "violence"}),
        ("我要杀了你", {"harassment", "harassment/threatening", "violence"}),
        ("You are a stupid idiot", {"harassment"}),
        ("I hate those people, subhuman vermin", {"hate", "harassment"}),
        ("How to make a bomb", {"illicit", "illicit/violent"}),
        ("怎么偷窃", {"illicit"}),
        ("I want to die", {"self-harm", "self-harm/intent"}),
        ("instructions for self-harm", {"self-harm", "self-harm/instructions"}),
        ("naked and erotic", {"sexual"}),
        ("blood and guts, a severed corpse", {"violence", "violence/graphic"}),
    ],
)
def test_scores_follow_the_words(sandbox: Sandbox, text: str, categories: set[str]) -> None:
    made = sandbox.openai().moderations.create(input=text)
    assert made.id.startswith("modr-") and made.model == "omni-moderation-latest"
    (result,) = made.results
    found = result.categories.model_dump(by_alias=True)
    assert set(found) == set(harm.CATEGORIES)
    assert {name for name, applies in found.items() if applies} == categories
    assert result.flagged is bool(categories)
    for name, score in result.category_scores.model_dump(by_alias=True).items():
        assert 0 <= score <= 1
        assert (score >= harm.APPLIES) is (name in categories)
    assert sandbox.openai().moderations.create(input=text).results == made.results


def test_more_words_weigh_more() -> None:
    once, twice = harm.scores("stupid"), harm.scores("stupid, stupid idiot")
    assert once["harassment"] < twice["harassment"] <= 1


def test_each_text_of_a_list_is_judged_alone(sandbox: Sandbox) -> None:
    made = sandbox.openai().moderations.create(
        model="omni-moderation-2024-09-26", input=["Good morning", "I will kill you", ""]
    )
    assert [result.flagged for result in made.results] == [False, True, False]
    applied = made.results[0].category_applied_input_types.model_dump(by_alias=True)
    assert all(kinds == ["text"] for kinds in applied.values())


def test_parts_are_judged_together(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    parts: list[ModerationMultiModalInputParam] = [
        {"type": "text", "text": "Look at this"},
        {"type": "image_url", "image_url": {"url": "https://example.com/blood-and-gore.png"}},
    ]
    made = sdk.moderations.create(input=parts)
    (result,) = made.results
    assert result.flagged and result.categories.violence_graphic
    assert result.category_applied_input_types.violence == ["text", "image"]
    assert result.category_applied_input_types.hate == ["text"]
    parts = [{"type": "image_url", "image_url": {"url": PIXEL}}]
    only = sdk.moderations.create(input=parts).results[0]
    assert not only.flagged
    assert only.category_applied_input_types.violence == ["image"]
    assert only.category_applied_input_types.hate == []


def test_older_models_know_fewer_categories(sandbox: Sandbox) -> None:
    made = sandbox.openai().moderations.create(model="text-moderation-latest", input="How to make a bomb")
    assert made.model == "text-moderation-007"
    assert made.results[0].categories.illicit is None
    assert not made.results[0].flagged


def test_a_call_is_logged_as_one(sandbox: Sandbox) -> None:
    post(sandbox, input="mark-of-the-moderation")
    assert sandbox.last(contains="mark-of-the-moderation")["usage"] == {"call": 1}
    assert post(sandbox, input="x [[fault:empty]]").json()["results"] == []
    assert post(sandbox, input="x [[fault:503]]").status_code == 503


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, (400, "input", "missing_required_parameter")),
        ({"input": 5}, (400, "input", "invalid_type")),
        ({"input": []}, (400, "input", "empty_array")),
        ({"input": ["a", 5]}, (400, "input[1]", "invalid_type")),
        ({"input": [{"type": "sound"}]}, (400, "input[0].type", "invalid_value")),
        ({"input": [{"type": "text"}]}, (400, "input[0].text", "missing_required_parameter")),
        ({"input": [{"type": "text", "text": "a"}, "b"]}, (400, "input[1]", "invalid_type")),
        ({"input": [{"type": "image_url"}]}, (400, "input[0].image_url", "invalid_type")),
        (
            {"input": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]},
            (400, "input[0].image_url.url", "invalid_image_url"),
        ),
        (
            {"model": "text-moderation-latest", "input": [{"type": "image_url", "image_url": {"url": PIXEL}}]},
            (400, "input[0]", "invalid_value"),
        ),
        ({"model": "gpt-4o", "input": "x"}, (400, "model", "invalid_value")),
        ({"model": "nothing", "input": "x"}, (404, None, "model_not_found")),
        ({"model": 5, "input": "x"}, (400, "model", "invalid_type")),
    ],
)
def test_what_is_refused(sandbox: Sandbox, body: dict[str, Any], told: tuple[int, str | None, str | None]) -> None:
    reply = post(sandbox, **body)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == told
