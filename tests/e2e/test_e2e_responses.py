"""Responses from end to end, with the official SDK: made, streamed, come back to, and by whom."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import FunctionToolParam, ResponseFunctionToolCall
from openai.types.shared_params import Reasoning

from support.stage import Stage, mark, set_stage
from support.world import Process

CONFIG = """
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: [sk-upstream-one, sk-upstream-two]
    models: {gpt-4o-mini: gpt-4o-mini, fast: gpt-4o, o3-mini: o3-mini}
  - {name: other, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-upstream-three, models: [gpt-4o-mini]}
  - {name: chatty, provider: cerebras, base_url: SANDBOX/openai/v1, credentials: x-chatty, models: [talker]}
prices:
  - {model: "*", input: 0.15, output: 0.60}
users:
  - {name: alice, credit: 100}
  - {name: bob, credit: 100}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: second, user: alice, secret: sk-second-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
"""
BOB = "sk-bob-0123456789"
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


@pytest.fixture(scope="module", params=["sqlite", "two gateways on postgresql"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vendors: Process
) -> Iterator[tuple[Stage, Stage]]:
    """The gateway that makes responses, and the one by which callers come back to them: the same, or another process."""
    if request.param == "sqlite":
        one = set_stage(tmp_path_factory.mktemp("responses"), vendors, CONFIG)
        yield one, one
        one.stop()
        return
    database = request.getfixturevalue("module_postgres_url")
    one = set_stage(tmp_path_factory.mktemp("first"), vendors, CONFIG, database=database)
    two = set_stage(tmp_path_factory.mktemp("second"), vendors, CONFIG, database=database)
    yield one, two
    two.stop()
    one.stop()


@pytest.fixture
def sdks(pair: tuple[Stage, Stage]) -> Iterator[tuple[openai.OpenAI, openai.OpenAI]]:
    """The SDK on both."""
    made = [openai.OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0, timeout=30) for stage in pair]
    yield made[0], made[1]
    for sdk in made:
        sdk.close()


def ask(stage: Stage, method: str, path: str = "", key: str | None = None, **body: Any) -> httpx.Response:
    """A call of responses by plain HTTP."""
    head = {"authorization": f"Bearer {key or stage.key}"}
    return httpx.request(method, f"{stage.base}/responses{path}", headers=head, json=body or None, timeout=30)


def credential(stage: Stage, word: str) -> str:
    """By which credential the latest call with that word went."""
    return str(stage.received(word)[-1]["credential"])


def error(reply: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and parameter of a refusal; it has a request id."""
    assert reply.headers["x-request-id"].startswith("req_")
    told = reply.json()["error"]
    return reply.status_code, told["code"], told["param"]


def test_made_and_come_back_to(sdks: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    one, two = sdks
    raw = one.responses.with_raw_response.create(model="gpt-4o-mini", input="Say hello to Lyon")
    made = raw.parse()
    assert made.output_text and made.id.startswith("resp_")
    assert float(raw.headers["x-unigate-cost"]) > 0 and raw.headers["x-request-id"].startswith("req_")
    assert two.responses.retrieve(made.id) == made
    (item,) = two.responses.input_items.list(made.id).data
    assert item.to_dict()["content"] == [{"type": "input_text", "text": "Say hello to Lyon"}]
    with pytest.raises(openai.BadRequestError, match="Cannot cancel"):
        two.responses.cancel(made.id)
    two.responses.delete(made.id)
    for sdk in sdks:
        with pytest.raises(openai.NotFoundError, match=made.id):
            sdk.responses.retrieve(made.id)


def test_a_stream_is_the_vendors_and_is_kept(sdks: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    one, two = sdks
    asked: Reasoning = {"effort": "low", "summary": "auto"}
    with one.responses.stream(model="o3-mini", input="Think of Lyon", reasoning=asked) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
    assert "response.reasoning_summary_text.delta" in kinds and "response.output_text.delta" in kinds
    assert final.usage and final.usage.output_tokens_details.reasoning_tokens == 64
    assert two.responses.retrieve(final.id).output_text == final.output_text


async def test_the_asynchronous_sdk(pair: tuple[Stage, Stage]) -> None:
    stage = pair[0]
    async with openai.AsyncOpenAI(base_url=stage.base, api_key=stage.key, max_retries=0) as sdk:
        made = await sdk.responses.create(model="gpt-4o-mini", input="Hello", stream=True)
        assert [event.type async for event in made][-1] == "response.completed"


def test_going_on_stays_with_channel_and_credential(
    pair: tuple[Stage, Stage], sdks: tuple[openai.OpenAI, openai.OpenAI]
) -> None:
    """Three accounts serve the model, and each knows only its own responses."""
    word, used = mark(), set()
    for turn in range(8):
        made = sdks[0].responses.create(model="gpt-4o-mini", input=f"{word} {turn}")
        first = credential(pair[0], word)
        used.add(first)
        followed = sdks[1].responses.create(model="gpt-4o-mini", input=f"{word} go on", previous_response_id=made.id)
        assert credential(pair[0], word) == first
        assert followed.previous_response_id == made.id
        streamed = sdks[0].responses.create(
            model="gpt-4o-mini", input=f"{word} and on", previous_response_id=followed.id, stream=True
        )
        last = list(streamed)[-1]
        assert last.type == "response.completed" and credential(pair[0], word) == first
        assert len(list(sdks[1].responses.input_items.list(last.response.id))) == 5
    assert len(used) > 1, used


def test_functions_there_and_back(sdks: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    one, two = sdks
    first = one.responses.create(model="gpt-4o-mini", input="What is the weather in Paris?", tools=[WEATHER])
    (call,) = first.output
    assert isinstance(call, ResponseFunctionToolCall) and json.loads(call.arguments) == {"city": "Paris"}
    second = two.responses.create(
        model="gpt-4o-mini",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 21}'}],
        tools=[WEATHER],
    )
    assert "21" in second.output_text


def test_another_users_response_is_as_unknown_as_one_that_never_was(pair: tuple[Stage, Stage]) -> None:
    one, two = pair
    made = ask(one, "POST", model="gpt-4o-mini", input="Alice's").json()["id"]
    calls: list[Callable[[str], httpx.Response]] = [
        lambda id: ask(two, "GET", f"/{id}", BOB),
        lambda id: ask(two, "DELETE", f"/{id}", BOB),
        lambda id: ask(two, "GET", f"/{id}/input_items", BOB),
        lambda id: ask(two, "POST", f"/{id}/cancel", BOB),
        lambda id: ask(two, "POST", key=BOB, model="gpt-4o-mini", input="x", previous_response_id=id),
    ]
    for call in calls:
        foreign, unknown = call(made), call("resp_unknown")
        assert error(foreign) == error(unknown)
        assert foreign.text.replace(made, "ID") == unknown.text.replace("resp_unknown", "ID")
    assert error(calls[0](made)) == (404, "not_found", None)
    assert error(calls[-1](made)) == (400, "previous_response_not_found", "previous_response_id")
    assert ask(two, "GET", f"/{made}", "sk-second-0123456789").status_code == 200, "it is the user's, not the key's"


def test_what_is_not_stored_is_not_known(pair: tuple[Stage, Stage]) -> None:
    one, _ = pair
    made = ask(one, "POST", model="gpt-4o-mini", input="x", store=False).json()["id"]
    assert error(ask(one, "GET", f"/{made}"))[0] == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"model": "gpt-4o-mini", "input": "x", "background": 1}, (400, "invalid_request", "background")),
        ({"model": "talker", "input": "x", "background": True}, (404, "model_not_found", "model")),
        ({"model": "gpt-4o-mini", "input": "x", "conversation": "c"}, (404, "not_found", "conversation")),
        ({"input": "x"}, (400, "invalid_request", "model")),
        ({"model": "gpt-4o-mini", "input": 5}, (400, "invalid_type", "input")),
        ({"model": "talker", "input": "x"}, (404, "model_not_found", "model")),
        ({"model": "nobody", "input": "x"}, (404, "model_not_found", "model")),
    ],
    ids=str,
)
def test_refusals(pair: tuple[Stage, Stage], body: dict[str, Any], told: tuple[int, str, str]) -> None:
    reply = ask(pair[0], "POST", **body)
    assert error(reply) == told
    assert ("/v1/responses" in reply.text) is (body.get("model") == "talker"), reply.text
    assert "x-unigate-cost" not in reply.headers


def test_a_model_that_is_not_where_the_response_is_kept(pair: tuple[Stage, Stage]) -> None:
    stage, word = pair[0], mark()
    for _ in range(40):
        made = ask(stage, "POST", model="gpt-4o-mini", input=word).json()["id"]
        if stage.received(word)[-1]["credential"].endswith("hree"):
            break
    reply = ask(stage, "POST", model="fast", input="x", previous_response_id=made)
    assert error(reply) == (404, "model_not_found", "model")


def test_the_models_name_is_the_upstreams_and_the_cost_comes_when_asked(pair: tuple[Stage, Stage]) -> None:
    stage, word = pair[0], mark()
    reply = ask(stage, "POST", model="fast", input=word, usage={"include": True})
    assert reply.json()["usage"]["cost"] == float(reply.headers["x-unigate-cost"]) > 0
    (seen,) = stage.received(word)
    assert seen["body"] == {"model": "gpt-4o", "input": word}
    streamed = ask(stage, "POST", model="fast", input=word, usage={"include": True}, stream=True)
    last = json.loads(streamed.text.strip().rpartition("data: ")[2])
    assert last["type"] == "response.completed" and last["response"]["usage"]["cost"] > 0


def test_a_callers_query_goes_on_without_their_key(pair: tuple[Stage, Stage]) -> None:
    stage = pair[0]
    made = ask(stage, "POST", model="gpt-4o-mini", input="x").json()["id"]
    url = f"{stage.base}/responses/{made}/input_items?limit=1&key={stage.key}&%74oken=x&order=asc&odd=%C3%A9"
    assert httpx.get(url).status_code == 200
    path = f"/openai/v1/responses/{made}/input_items"
    log = httpx.get(stage.sandbox.url + "/sandbox/requests", params={"path": path}).json()["data"]
    assert [entry["query"] for entry in log] == [{"limit": "1", "order": "asc", "odd": "é"}]
    assert log[0]["method"] == "GET" and "content-type" not in dict(log[0]["headers"])
