"""The official SDK for Python on every endpoint: through one gateway, and through two on PostgreSQL that take turns."""

import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from support.gateways import BOB, Gateways
from unigate.dialects import operations

SERVED = {row.name for row in operations()}
MODEL = "gpt-4o-mini"
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to the people of Lyon, please."}]
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def needs(name: str) -> pytest.MarkDecorator:
    """For tests of an operation; they run once it is in the table."""
    return pytest.mark.skipif(name not in SERVED, reason=f"{name} is not served")


@pytest.fixture
def sdk(gateways: Gateways) -> Iterator[openai.OpenAI]:
    """The SDK of a user, whose calls go to the gateways in turn."""
    with gateways.sdk() as client:
        yield client


@pytest.fixture
def bob(gateways: Gateways) -> Iterator[openai.OpenAI]:
    """The SDK of somebody else."""
    with gateways.sdk(BOB) as client:
        yield client


def dot(one: list[float], other: list[float]) -> float:
    """How near two vectors of length 1 are."""
    return sum(a * b for a, b in zip(one, other, strict=True))


def charged(raw: Any) -> float:
    """What a raw reply says that it cost, after a look at its request id."""
    assert re.fullmatch(r"req_[0-9A-Z]{26}", raw.headers["x-request-id"])
    return float(raw.headers["x-unigate-cost"])


@pytest.mark.endpoint("O4")
def test_chat(gateways: Gateways, sdk: openai.OpenAI) -> None:
    for _ in gateways.origins:
        raw = sdk.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
        reply = raw.parse()
        assert reply.choices[0].message.content
        assert reply.usage is not None and reply.usage.completion_tokens > 0
        assert charged(raw) > 0


@pytest.mark.endpoint("O4")
def test_chat_streamed(gateways: Gateways, sdk: openai.OpenAI) -> None:
    for _ in gateways.origins:
        chunks = list(
            sdk.chat.completions.create(
                model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
            )
        )
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens > 0


async def test_chat_async(gateways: Gateways) -> None:
    async with gateways.async_sdk() as sdk:
        reply = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
        assert reply.choices[0].message.content
        stream = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        assert len([chunk async for chunk in stream]) > 3


@pytest.mark.endpoint("O4")
def test_tools_there_and_back(sdk: openai.OpenAI) -> None:
    asked: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    tools: list[Any] = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]
    first = sdk.chat.completions.create(model=MODEL, messages=asked, tools=tools).choices[0].message
    assert first.tool_calls is not None
    call: Any = first.tool_calls[0]
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    asked += [first.model_dump(exclude_none=True)]
    asked += [{"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'}]
    second = sdk.chat.completions.create(model=MODEL, messages=asked, tools=tools).choices[0].message
    assert "21" in (second.content or "")


@pytest.mark.endpoint("O10")
def test_models(gateways: Gateways, sdk: openai.OpenAI) -> None:
    for _ in gateways.origins:
        assert MODEL in {model.id for model in sdk.models.list()}
        assert sdk.models.retrieve(MODEL).id == MODEL
        with pytest.raises(openai.NotFoundError):
            sdk.models.retrieve("no-such-model")


def test_errors(gateways: Gateways, sdk: openai.OpenAI) -> None:
    with gateways.sdk("sk-nobody") as nobody:
        for _ in gateways.origins:
            with pytest.raises(openai.AuthenticationError):
                nobody.models.list()
    for _ in gateways.origins:
        with pytest.raises(openai.BadRequestError) as bad:
            sdk.chat.completions.create(model=MODEL, messages=MESSAGES, n=0)
        assert bad.value.param == "n" and bad.value.request_id
        with pytest.raises(openai.NotFoundError) as unknown:
            sdk.chat.completions.create(model="no-such-model", messages=MESSAGES)
        assert unknown.value.code == "model_not_found"


@pytest.mark.endpoint("O5")
@needs("openai.completions")
def test_completions(gateways: Gateways, sdk: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "gpt-3.5-turbo-instruct", "prompt": "The best thing is", "max_tokens": 12}
    for _ in gateways.origins:
        raw = sdk.completions.with_raw_response.create(**asked, echo=True, logprobs=2)
        reply = raw.parse()
        assert reply.choices[0].text.startswith("The best thing is")
        assert reply.choices[0].logprobs is not None and reply.choices[0].logprobs.tokens
        assert reply.usage is not None and reply.usage.completion_tokens > 0
        assert charged(raw) > 0
        several = sdk.completions.create(**{**asked, "prompt": ["One", "Two"]}, n=2, best_of=3)
        assert sorted(choice.index for choice in several.choices) == [0, 1, 2, 3]
        pieces = list(sdk.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
        assert "".join(piece.choices[0].text for piece in pieces if piece.choices)
        assert pieces[-1].usage is not None and pieces[-1].usage.completion_tokens > 0


@pytest.mark.endpoint("O6")
@needs("openai.embeddings")
def test_embeddings(gateways: Gateways, sdk: openai.OpenAI) -> None:
    texts = ["A cat sat on the mat.", "A cat is sitting on a mat.", "Interest rates rose again."]
    for _ in gateways.origins:
        raw = sdk.embeddings.with_raw_response.create(model="text-embedding-3-small", input=texts)
        one, alike, other = (row.embedding for row in raw.parse().data)
        assert len(one) == 1536 and math.isclose(dot(one, one), 1, abs_tol=1e-4)
        assert dot(one, alike) > dot(one, other)
        assert charged(raw) > 0
        floats = sdk.embeddings.create(model="text-embedding-3-small", input=texts[0], encoding_format="float")
        assert floats.data[0].embedding == pytest.approx(one, abs=1e-6)
        short = sdk.embeddings.create(model="text-embedding-3-small", input=texts[0], dimensions=256)
        assert len(short.data[0].embedding) == 256


@pytest.mark.endpoint("O11")
@needs("openai.moderations")
def test_moderations(gateways: Gateways, sdk: openai.OpenAI) -> None:
    for _ in gateways.origins:
        raw = sdk.moderations.with_raw_response.create(
            model="omni-moderation-latest", input=["I love you all.", "I will kill him with a knife."]
        )
        kind, cruel = raw.parse().results
        assert not kind.flagged and cruel.flagged
        assert kind.category_scores.violence < 0.5 < cruel.category_scores.violence
        assert charged(raw) == 0


@pytest.mark.endpoint("O12")
@needs("openai.responses")
def test_responses(gateways: Gateways, sdk: openai.OpenAI) -> None:
    """What one gateway stored, the next one goes on from, shows, lists and deletes."""
    for _ in range(2):
        raw = sdk.responses.with_raw_response.create(model=MODEL, input="Say hello to the people of Lyon, please.")
        first = raw.parse()
        assert first.output_text and charged(raw) > 0
        second = sdk.responses.create(model=MODEL, input="And once more.", previous_response_id=first.id)
        assert second.output_text and second.previous_response_id == first.id
        assert sdk.responses.retrieve(first.id).output_text == first.output_text
        assert [item.type for item in sdk.responses.input_items.list(first.id)] == ["message"]
        sdk.responses.delete(first.id)
        for _ in gateways.origins:
            with pytest.raises(openai.NotFoundError):
                sdk.responses.retrieve(first.id)
        sdk.models.list()  # an odd number of calls: the next round begins with the other gateway


@pytest.mark.endpoint("O12")
@needs("openai.responses")
def test_responses_streamed(sdk: openai.OpenAI) -> None:
    for _ in range(2):
        events: list[Any] = list(sdk.responses.create(model=MODEL, input="Count to three.", stream=True))
        assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert text and text == events[-1].response.output_text
        assert sdk.responses.retrieve(events[-1].response.id).output_text == text
        sdk.models.list()


@needs("openai.responses")
def test_responses_with_functions(sdk: openai.OpenAI) -> None:
    tools: list[Any] = [{"type": "function", "name": "get_weather", "parameters": CITY, "strict": True}]
    asked = sdk.responses.create(model=MODEL, input="What is the weather in Paris?", tools=tools)
    call = next(item for item in asked.output if item.type == "function_call")
    answer: list[Any] = [{"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 21}'}]
    told = sdk.responses.create(model=MODEL, input=answer, previous_response_id=asked.id, tools=tools)
    assert "21" in told.output_text


@needs("openai.responses")
def test_responses_are_their_makers(gateways: Gateways, sdk: openai.OpenAI, bob: openai.OpenAI) -> None:
    """Neither gateway shows a stored response to another user, or goes on from it."""
    made = sdk.responses.create(model=MODEL, input="Keep this to yourself.")
    for _ in gateways.origins:
        with pytest.raises(openai.NotFoundError):
            bob.responses.retrieve(made.id)
        with pytest.raises(openai.NotFoundError):
            bob.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            list(bob.responses.input_items.list(made.id))
        with pytest.raises(openai.BadRequestError) as lost:
            bob.responses.create(model=MODEL, input="Go on.", previous_response_id=made.id)
        assert lost.value.code == "previous_response_not_found"
        bob.models.list()
    assert sdk.responses.retrieve(made.id).id == made.id


@pytest.mark.endpoint("O12")
@needs("openai.responses")
def test_responses_in_the_background(gateways: Gateways, sdk: openai.OpenAI, bob: openai.OpenAI) -> None:
    """Whichever gateway is asked knows how far it is."""
    made = sdk.responses.create(model=MODEL, input="Later. [[speed:5]]", background=True)
    seen = [made]
    deadline = time.monotonic() + 60
    while seen[-1].status in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        seen.append(sdk.responses.retrieve(made.id))
    assert {one.id for one in seen} == {made.id}
    for _ in gateways.origins:
        done = sdk.responses.retrieve(made.id)
        assert (done.status, done.output_text) == ("completed", seen[-1].output_text)
        assert sdk.responses.cancel(made.id).status == "completed"
        with pytest.raises(openai.NotFoundError):
            bob.responses.retrieve(made.id)
        bob.models.list()


def test_all_gateways_see_one_balance(gateways: Gateways, sdk: openai.OpenAI) -> None:
    sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    gateways.sound()
    seen = [stage.settled() for stage in gateways.stages]
    assert seen[0]["used"] > 0
    assert all(each == seen[0] for each in seen)
