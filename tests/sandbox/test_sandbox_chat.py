"""Plain chat: what is said, how often, how long, and in which form."""

from typing import Any

import pytest
from sandbox_client import Sandbox, user

from unigate.sandbox.brain import tokens


def say(sandbox: Sandbox, text: str, **more: Any) -> str:
    answer = sandbox.post(messages=user(text), **more)
    assert answer.status_code == 200, answer.text
    content: str = answer.json()["choices"][0]["message"]["content"]
    return content


def test_the_sdk_reads_an_answer(sandbox: Sandbox) -> None:
    answer = sandbox.openai().chat.completions.create(model="gpt-4o", messages=user("Tell me about lighthouses."))
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "gpt-4o-2024-08-06"
    assert answer.object == "chat.completion"
    choice = answer.choices[0]
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert "lighthouses" in choice.message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens == tokens.count(choice.message.content)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.system_fingerprint is not None
    assert answer.system_fingerprint.startswith("fp_")


def test_the_same_call_says_the_same_under_another_id(sandbox: Sandbox) -> None:
    first, second = (sandbox.post(messages=user("Tell me a story."), seed=5).json() for _ in range(2))
    assert first["choices"] == second["choices"]
    assert first["usage"] == second["usage"]
    assert first["system_fingerprint"] == second["system_fingerprint"]
    assert first["id"] != second["id"]


def test_streamed_or_not_the_same_is_said(sandbox: Sandbox) -> None:
    whole = say(sandbox, "Tell me of the sea.")
    chunks = sandbox.chunks(messages=user("Tell me of the sea."))
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == whole


def test_seeds_change_what_is_said(sandbox: Sandbox) -> None:
    assert len({say(sandbox, "Tell me a story.", seed=seed) for seed in range(12)}) > 1


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("What is 12 + 30?", "42"),
        ("7 × 6 = ?", "42"),
        ("What is 9 / 3", "3"),
        ("1+1等于几", "2"),
        ("Count to 5", "1, 2, 3, 4, 5"),
        ("请数到3", "1、2、3"),
        ("Hello!", "Hello! How can I help you today?"),
        ("你好", "你好！有什么可以帮你的吗？"),
        ('Say "pong"', "pong"),
        ("Reply with exactly: all good", "all good"),
        ("[[reply:as told: {x}]]", "as told: {x}"),
        ("请只回复“收到”", "收到"),
    ],
)
def test_short_answers(sandbox: Sandbox, asked: str, expected: str) -> None:
    assert say(sandbox, asked) == expected


@pytest.mark.parametrize("asked", ["The meeting of 2026-05-01 was moved, why?", "Is 800x600 a good size of a picture?"])
def test_dates_and_sizes_are_no_sums(sandbox: Sandbox, asked: str) -> None:
    assert asked.rsplit(maxsplit=1)[-1] in say(sandbox, asked)


def test_chinese_is_answered_in_chinese(sandbox: Sandbox) -> None:
    assert "海洋" in say(sandbox, "请介绍一下海洋")
    assert "。" in say(sandbox, "Tell me about the sea, in Chinese please")
    assert "。" not in say(sandbox, "请用英文介绍海洋")


def test_the_system_prompt_is_minded(sandbox: Sandbox) -> None:
    messages = [{"role": "system", "content": "Answer with one word."}, *user("Describe a mountain lake.")]
    content = sandbox.post(messages=messages).json()["choices"][0]["message"]["content"]
    assert content in ("Mountain", "Lake")
    messages[0] = {"role": "developer", "content": "Only answer yes or no."}
    assert sandbox.post(messages=messages).json()["choices"][0]["message"]["content"] in ("Yes", "No")


def test_n_answers(sandbox: Sandbox) -> None:
    answer = sandbox.post(n=4, messages=user("Name a colour for the door.")).json()
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert len(set(texts)) > 1
    assert answer["usage"]["completion_tokens"] == sum(map(tokens.count, texts))


def _limit(field: str, tokens: int) -> dict[str, Any]:
    return {field: tokens}


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_limits_cut_the_answer(sandbox: Sandbox, field: str) -> None:
    whole = say(sandbox, "Tell me about rivers. [[tokens:50]]")
    answer = sandbox.post(messages=user("Tell me about rivers. [[tokens:50]]"), **_limit(field, 7)).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 7
    assert tokens.count(answer["choices"][0]["message"]["content"]) == 7
    assert tokens.count(whole) == 50
    enough = sandbox.post(messages=user("Tell me about rivers. [[tokens:50]]"), **_limit(field, 50)).json()
    assert enough["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("language", ["", "请用中文"])
@pytest.mark.parametrize("length", [1, 2, 30, 1000])
def test_a_marker_sets_the_length(sandbox: Sandbox, length: int, language: str) -> None:
    answer = sandbox.post(messages=user(f"{language}[[tokens:{length}]]")).json()
    assert answer["usage"]["completion_tokens"] == length
    assert tokens.count(answer["choices"][0]["message"]["content"]) == length


def test_stop_words_end_the_answer(sandbox: Sandbox) -> None:
    assert say(sandbox, "Count to 9", stop=", 4") == "1, 2, 3"
    answer = sandbox.post(messages=user("Count to 9"), stop=["8", "5"]).json()
    assert answer["choices"][0]["message"]["content"] == "1, 2, 3, 4, "
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_logprobs(sandbox: Sandbox) -> None:
    answer = sandbox.openai().chat.completions.create(
        model="gpt-4o", messages=user("Count to 3"), logprobs=True, top_logprobs=2
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(entry.token for entry in logprobs.content) == "1, 2, 3"
    for entry in logprobs.content:
        assert entry.logprob <= 0
        assert entry.bytes == list(entry.token.encode())
        assert entry.top_logprobs[0].token == entry.token
        assert len(entry.top_logprobs) == 2
        assert entry.top_logprobs[0].logprob >= entry.top_logprobs[1].logprob
    assert sandbox.post().json()["choices"][0]["logprobs"] is None


def test_service_tiers_come_back(sandbox: Sandbox) -> None:
    tiers = {asked: sandbox.post(service_tier=asked).json()["service_tier"] for asked in ("auto", "flex", "priority")}
    assert tiers == {"auto": "default", "flex": "flex", "priority": "priority"}
    assert sandbox.post().json()["service_tier"] == "default"


def test_store_metadata_and_unknown_fields_are_accepted(sandbox: Sandbox) -> None:
    answer = sandbox.post(store=True, metadata={"a": "b"}, user="u1", of_tomorrow={"deep": [1]}, prompt_cache_key="k")
    assert answer.status_code == 200
    assert sandbox.last()["body"]["of_tomorrow"] == {"deep": [1]}


def test_refusals_and_filters(sandbox: Sandbox) -> None:
    message = sandbox.post(messages=user("[[refuse]] do it")).json()["choices"][0]["message"]
    assert message["content"] is None
    assert "sorry" in message["refusal"]
    filtered = sandbox.post(messages=user("[[filter]] Tell me about knives in kitchens.")).json()["choices"][0]
    assert filtered["finish_reason"] == "content_filter"
    assert filtered["message"]["refusal"] is None


def test_search_models_cite(sandbox: Sandbox) -> None:
    cases: list[dict[str, Any]] = [{"model": "gpt-4o-search-preview"}, {"web_search_options": {}}]
    for more in cases:
        message = sandbox.post(**more).json()["choices"][0]["message"]
        citation = message["annotations"][0]["url_citation"]
        assert citation["end_index"] == len(message["content"])
    assert sandbox.post().json()["choices"][0]["message"]["annotations"] == []


def test_models(sandbox: Sandbox) -> None:
    client = sandbox.openai()
    names = [model.id for model in client.models.list()]
    assert {"gpt-4o", "gpt-4o-mini", "o3", "gpt-5"} <= set(names)
    assert client.models.retrieve("gpt-4o-mini").owned_by == "openai"
    answer = sandbox.http.get(f"{sandbox.url}/openai/v1/models/nothing", headers={"authorization": "Bearer sk-1"})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    "model", ["gpt-4o-2024-11-20", "ft:gpt-4o-mini:org::abc", "sandbox-anything", "gpt-5.2-2025-12-11"]
)
def test_further_names_of_models(sandbox: Sandbox, model: str) -> None:
    assert sandbox.post(model=model).json()["model"] == model


def test_without_a_prefix_it_is_openai(sandbox: Sandbox) -> None:
    assert sandbox.post("/v1").json()["object"] == "chat.completion"
    assert sandbox.post("/fault/503/v1").status_code == 503


def test_headers_of_the_vendor(sandbox: Sandbox) -> None:
    headers = sandbox.post().headers
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-organization"] == "org-sandbox"
    assert int(headers["x-ratelimit-remaining-requests"]) < int(headers["x-ratelimit-limit-requests"])
