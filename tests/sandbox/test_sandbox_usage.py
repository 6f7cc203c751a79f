"""What calls consume: cached, reasoning and predicted tokens, and the account that pays."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from sandbox_client import Sandbox, user

from unigate.sandbox.brain import tokens
from unigate.sandbox.brain.cache import PrefixCache

LONG = " ".join(f"Rule {number}: keep the {number} lamps lit." for number in range(300))


def details(answer: httpx.Response, of: str) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["usage"][f"{of}_tokens_details"]
    return found


def test_long_beginnings_are_cached(sandbox: Sandbox) -> None:
    def ask(question: str, key: str = "sk-cache-0000001", model: str = "gpt-4o") -> int:
        messages = [{"role": "system", "content": LONG}, *user(question)]
        answer = sandbox.post(messages=messages, key=key, model=model)
        cached: int = details(answer, "prompt")["cached_tokens"]
        assert cached <= answer.json()["usage"]["prompt_tokens"]
        return cached

    assert ask("First?") == 0
    again = ask("Second?")
    assert again >= 1024
    assert again % 128 == 0
    assert again > tokens.count(LONG) - 128
    assert ask("Third?", key="sk-cache-0000002") == 0
    assert ask("Fourth?", model="gpt-4.1") == 0


def test_short_beginnings_are_not(sandbox: Sandbox) -> None:
    for _ in range(2):
        answer = sandbox.post(messages=user("short " * 300), key="sk-cache-0000003")
        assert details(answer, "prompt")["cached_tokens"] == 0


def test_the_cache_forgets_the_oldest() -> None:
    cache = PrefixCache(limit=8)
    prompts = [[f"{name}{number}" for number in range(300)] for name in "ab"]
    assert cache.seen("x", prompts[0], 64, 64) == 0
    assert cache.seen("x", prompts[0], 64, 64) == 256
    cache.seen("x", prompts[1], 64, 64)
    assert cache.seen("x", prompts[0], 64, 64) == 256
    for number in range(5):
        cache.seen(f"y{number}", prompts[1], 64, 64)
    assert cache.seen("x", prompts[0], 64, 64) == 0


@pytest.mark.parametrize("model", ["o3", "o4-mini", "gpt-5", "gpt-5-mini", "sandbox-reasoner"])
def test_models_that_think_count_it(sandbox: Sandbox, model: str) -> None:
    answer = sandbox.post(model=model)
    thought = details(answer, "completion")["reasoning_tokens"]
    said = tokens.count(answer.json()["choices"][0]["message"]["content"])
    assert thought == 128
    assert answer.json()["usage"]["completion_tokens"] == thought + said
    assert answer.json()["system_fingerprint"] is None
    assert details(sandbox.post(), "completion")["reasoning_tokens"] == 0


def test_effort(sandbox: Sandbox) -> None:
    efforts = ("none", "low", "medium", "high", "xhigh")
    found = [
        details(sandbox.post(model="gpt-5", reasoning_effort=e), "completion")["reasoning_tokens"] for e in efforts
    ]
    assert found == sorted(set(found))
    assert found[0] == 0


def test_a_limit_may_be_eaten_by_thoughts(sandbox: Sandbox) -> None:
    answer = sandbox.post(model="o3", max_completion_tokens=100)
    choice = answer.json()["choices"][0]
    assert choice["message"]["content"] == ""
    assert choice["finish_reason"] == "length"
    assert answer.json()["usage"]["completion_tokens"] == 100
    assert details(answer, "completion")["reasoning_tokens"] == 100


CODE = "class User:\n    name: str\n    first: str\n    def hello(self):\n        return self.name\n"


def test_predictions(sandbox: Sandbox) -> None:
    answer = sandbox.post(
        messages=user('Rename "first" to "given" and reply with code only'),
        prediction={"type": "content", "content": CODE},
    )
    said = answer.json()["choices"][0]["message"]["content"]
    assert said == CODE.replace("first", "given")
    found = details(answer, "completion")
    assert found["accepted_prediction_tokens"] > 10
    assert found["rejected_prediction_tokens"] >= 1
    assert found["accepted_prediction_tokens"] + found["rejected_prediction_tokens"] == tokens.count(CODE)
    assert answer.json()["usage"]["completion_tokens"] == tokens.count(said) + found["rejected_prediction_tokens"]
    parts = {"type": "content", "content": [{"type": "text", "text": CODE}]}
    found = details(sandbox.post(messages=user("Give it again"), prediction=parts), "completion")
    assert (found["accepted_prediction_tokens"], found["rejected_prediction_tokens"]) == (tokens.count(CODE), 0)


def test_the_prompt_counts_tools_and_schema(sandbox: Sandbox) -> None:
    function = {"name": "f", "description": "a b c", "parameters": {"type": "object", "properties": {}}}
    bare = sandbox.post().json()["usage"]["prompt_tokens"]
    tooled = sandbox.post(tools=[{"type": "function", "function": function}], tool_choice="none")
    assert tooled.json()["usage"]["prompt_tokens"] > bare + 5


@pytest.mark.parametrize("prefix", ["/openai/v1", "/openai", "/v1", ""])
@pytest.mark.parametrize("slash", ["", "/"])
def test_dashboard_billing(sandbox: Sandbox, prefix: str, slash: str) -> None:
    key = f"sk-account{prefix}{slash}".replace("/", "-")
    headers = {"authorization": f"Bearer {key}"}

    def get(name: str) -> dict[str, Any]:
        answer = sandbox.http.get(f"{sandbox.url}{prefix}/dashboard/billing/{name}{slash}", headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json(parse_float=Decimal)
        return found

    limits = get("subscription")
    assert limits == {
        "object": "billing_subscription",
        "has_payment_method": True,
        "soft_limit_usd": 100,
        "hard_limit_usd": 100,
        "system_hard_limit_usd": 100,
        "access_until": 0,
    }
    assert get("usage")["total_usage"] == 0
    usage = sandbox.post(key=key).json()["usage"]
    cost = (usage["prompt_tokens"] * Decimal(150) + usage["completion_tokens"] * Decimal(600)) / 10**9
    assert get("usage") == {"object": "list", "total_usage": 100 * cost}
    assert get("credit_grants") == {
        "object": "credit_summary",
        "total_granted": 100,
        "total_used": cost,
        "total_available": 100 - cost,
    }


@pytest.mark.parametrize(
    "text", ["", "Hello, wörld! 123 4567", "你好，世界。", "a" * 50, "  \n\n x\t", "Привет 🙂 שלום", '{"a":[1,2]}']
)
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(tokens.pieces(text)) == text
    assert tokens.count(text) == len(tokens.pieces(text))


def test_tokens_come_near_to_what_vendors_count() -> None:
    english = "The quick brown fox jumps over the lazy dog, again and again."
    assert 12 <= tokens.count(english) <= 20
    assert tokens.count("今天天气很好") == 6
    assert tokens.count("1234567") == 3
