"""The sandbox's conversations: their items, and responses that go on from them and add to them."""

import secrets
from typing import Any

import openai
import pytest
from sandbox_client import Sandbox


@pytest.fixture
def sdk(sandbox: Sandbox) -> openai.OpenAI:
    """The SDK with an account of its own."""
    return sandbox.openai(key=f"sk-{secrets.token_hex(8)}")


def said(text: str) -> Any:
    """A message of the user."""
    return {"type": "message", "role": "user", "content": text}


def test_a_conversation_from_creation_to_deletion(sdk: openai.OpenAI) -> None:
    made = sdk.conversations.create(metadata={"a": "b"}, items=[said("Hello")])
    assert made.id.startswith("conv_") and (made.object, made.metadata) == ("conversation", {"a": "b"})
    assert sdk.conversations.retrieve(made.id) == made
    assert sdk.conversations.update(made.id, metadata={"c": "d"}).metadata == {"c": "d"}
    (item,) = sdk.conversations.items.list(made.id).data
    assert item.type == "message" and item.id.startswith("msg_") and item.status == "completed"
    assert sdk.conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"Conversation with id '{made.id}' not found"):
        sdk.conversations.retrieve(made.id)


def test_items(sdk: openai.OpenAI) -> None:
    talk = sdk.conversations.create().id
    added = sdk.conversations.items.create(talk, items=[said("One"), said("Two"), said("Three")])
    ids = [item.id for item in added.data]
    assert (added.first_id, added.last_id, len(set(ids))) == (ids[0], ids[2], 3)
    assert [item.id for item in sdk.conversations.items.list(talk, limit=1)] == ids[::-1]
    page = sdk.conversations.items.list(talk, order="asc", limit=2)
    assert [item.id for item in page.data] == ids[:2] and page.has_more
    one: Any = sdk.conversations.items.retrieve(str(ids[1]), conversation_id=talk)
    assert one.content[0].type == "input_text" and one.content[0].text == "Two"
    assert sdk.conversations.items.delete(str(ids[1]), conversation_id=talk).id == talk
    with pytest.raises(openai.NotFoundError, match=f"Item with id '{ids[1]}' not found"):
        sdk.conversations.items.retrieve(str(ids[1]), conversation_id=talk)
    assert [item.id for item in sdk.conversations.items.list(talk, order="asc")] == [ids[0], ids[2]]


@pytest.mark.parametrize("stream", [False, True])
def test_responses_go_on_from_a_conversation(sdk: openai.OpenAI, stream: bool) -> None:
    talk = sdk.conversations.create(items=[said("We speak of boats.")]).id
    first = sdk.responses.create(model="gpt-4o", input="What is 12 + 30?", conversation=talk)
    assert first.conversation and first.conversation.id == talk
    if stream:
        events: list[Any] = list(
            sdk.responses.create(model="gpt-4o", input="And 1 + 2?", conversation={"id": talk}, stream=True)
        )
        second = events[-1].response
        assert events[0].response.conversation.id == talk
    else:
        second = sdk.responses.create(model="gpt-4o", input="And 1 + 2?", conversation={"id": talk})
    items: list[Any] = sdk.conversations.items.list(talk, order="asc").data
    texts = [item.content[0].text for item in items]
    assert texts == ["We speak of boats.", "What is 12 + 30?", first.output_text, "And 1 + 2?", second.output_text]
    assert items[2].id == first.output[0].id and items[2].role == "assistant"
    alone = sdk.responses.create(model="gpt-4o", input="And 1 + 2?")
    assert second.usage.input_tokens > first.usage.input_tokens > alone.usage.input_tokens  # type: ignore[union-attr]
    known = sdk.responses.input_items.list(second.id, order="asc").data
    assert [item.id for item in known] == [item.id for item in items[:4]]


def test_what_was_said_before_is_known(sdk: openai.OpenAI) -> None:
    talk = sdk.conversations.create().id
    for text in ("My dog is called Argos. It is old.", "And it rains."):
        sdk.responses.create(model="gpt-4o", input=text, conversation=talk)
    asked = "What is my dog called?"
    assert "My dog is called Argos." in sdk.responses.create(model="gpt-4o", input=asked, conversation=talk).output_text
    assert "Argos" not in sdk.responses.create(model="gpt-4o", input=asked).output_text


def test_functions_across_calls_of_a_conversation(sdk: openai.OpenAI) -> None:
    talk = sdk.conversations.create().id
    tool: Any = {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    call: Any = sdk.responses.create(
        model="gpt-4o", input="What is the weather in Paris?", tools=[tool], conversation=talk
    ).output[0]
    done: Any = {"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 21}'}
    answer = sdk.responses.create(model="gpt-4o", input=[done], tools=[tool], conversation=talk)
    assert "21" in answer.output_text
    kinds = [item.type for item in sdk.conversations.items.list(talk, order="asc")]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_bad_calls(sandbox: Sandbox, sdk: openai.OpenAI) -> None:
    talk = sdk.conversations.create().id
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.conversations.items.create(talk, items=[said("x")] * 21)
    assert (refused.value.param, refused.value.code) == ("items", "array_above_max_length")
    noise: Any = {"type": "noise"}
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.conversations.items.create(talk, items=[noise])
    assert refused.value.param == "items[0].type"
    with pytest.raises(openai.BadRequestError, match="Expected an ID that begins with 'conv'"):
        sdk.conversations.retrieve("talk")
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'name'"):
        sdk.conversations.create(extra_body={"name": "x"})
    before = sdk.responses.create(model="gpt-4o", input="Hello").id
    with pytest.raises(openai.BadRequestError, match="Mutually exclusive"):
        sdk.responses.create(model="gpt-4o", input="Hi", conversation=talk, previous_response_id=before)
    assert sdk.conversations.items.list(talk).data == []
    stranger = sandbox.openai(key=f"sk-{secrets.token_hex(8)}")
    with pytest.raises(openai.NotFoundError, match="Conversation with id"):
        stranger.responses.create(model="gpt-4o", input="Hi", conversation=talk)
    with pytest.raises(openai.NotFoundError, match="Conversation with id"):
        stranger.conversations.items.list(talk)
