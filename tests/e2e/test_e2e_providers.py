"""Each provider against its face: usage and cost of whole answers and streams, errors, and nothing of what the vendor charged."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.answers import answering
from support.stage import Stage, mark, set_stage
from support.world import Process
from unigate.providers import catalogue


@dataclass(frozen=True, slots=True)
class Vendor:
    """Where a provider finds its face, a model there, and what else a channel needs."""

    path: str
    model: str
    credential: str = "sk-upstream"
    options: str = "{}"
    #: Whether its usage tells what was read from a cache.
    tells_cache: bool = True


VENDORS = {
    "azure_openai": Vendor("azure", "gpt-4o", options='{api_version: "2024-10-21"}'),
    "cerebras": Vendor("cerebras/v1", "gpt-oss-120b"),
    "dashscope": Vendor("dashscope/compatible-mode/v1", "qwq-plus"),
    "deepseek": Vendor("deepseek", "deepseek-reasoner"),
    "fireworks": Vendor("fireworks/inference/v1", "accounts/fireworks/models/gpt-oss-120b"),
    "groq": Vendor("groq/openai/v1", "openai/gpt-oss-20b"),
    "llama_cpp": Vendor("llama_cpp/v1", "whatever.gguf"),
    "mistral": Vendor("mistral/v1", "mistral-small-latest"),
    "moonshot": Vendor("moonshot/v1", "kimi-k2.5"),
    "ollama": Vendor("ollama/v1", "qwen3:8b", tells_cache=False),
    "openai": Vendor("openai/v1", "gpt-4o-mini"),
    "openai_compatible": Vendor("openai/v1", "gpt-4o-mini"),
    "openrouter": Vendor("openrouter/api/v1", "openai/gpt-oss-120b"),
    "siliconflow": Vendor("siliconflow/v1", "deepseek-ai/DeepSeek-R1"),
    "together": Vendor("together/v1", "openai/gpt-oss-120b"),
    "vllm": Vendor("vllm/v1", "Qwen/Qwen3-8B", tells_cache=False),
    "volcengine": Vendor("volcengine/api/v3", "ep-20260101-abcde"),
    "xai": Vendor("xai/v1", "grok-4.3"),
    "zhipu": Vendor("zhipu/api/paas/v4", "glm-4.7", "a1b2.sandbox-secret", "{signed: true}"),
}
#: Vendors that do not tell what was thought apart from what was said.
KEEPS_THOUGHTS = frozenset({"ollama", "vllm", "together"})
NANO = {"input": 150, "cached_input": 75, "output": 600, "reasoning": 600}
#: What vendors say of the operator's account or purchase, which no caller may see.
PRIVATE = (
    b"cost_in_usd_ticks",
    b"cost_details",
    b"is_byok",
    b"user_id",
    b"sk-upstream",
    b"sandbox-secret",
    b"org-sandbox",
)
USERS = """
prices: [{model: "*", input: 0.15, cached_input: 0.075, output: 0.60}]
users: [{name: alice, credit: 100}]
keys: [{name: app, user: alice, secret: sk-app-0123456789}]
"""


#: What a vendor says that refuses in an answer of 200.
REFUSAL = b'{"error":{"message":"Your input was flagged.","code":403},"user_id":"user_1"}'


@pytest.fixture(scope="module")
def refuser() -> Iterator[str]:
    """The address of such a vendor."""
    with answering(lambda _body: REFUSAL) as url:
        yield url


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process, refuser: str) -> Iterator[Stage]:
    """A gateway with two channels for each provider, of which one has an account without money."""
    rows = [
        f"  - {{name: refuser-{name}, provider: {name}, base_url: {refuser}, credentials: sk-1, models: [late-{name}]}}\n"
        for name in ("openai", "openrouter")
    ]
    for name, vendor in VENDORS.items():
        for kind, fault in (("good", ""), ("broke", "fault/402/")):
            rows.append(
                f"  - {{name: {kind}-{name}, provider: {name}, base_url: SANDBOX/{fault}{vendor.path}, "
                f"credentials: {vendor.credential}, models: {{{kind}-{name}: '{vendor.model}'}}, "
                f"options: {vendor.options}}}\n"
            )
    built = set_stage(tmp_path_factory.mktemp("providers"), vendors, "channels:\n" + "".join(rows) + USERS)
    yield built
    built.sound()
    assert built.stop() == 0


def call(stage: Stage, provider: str, prompt: str, kind: str = "good", **more: object) -> httpx.Response:
    """One chat call by a provider; nothing private comes back."""
    reply = stage.post(
        {"model": f"{kind}-{provider}", "messages": [{"role": "user", "content": prompt}], "user": "u-1", **more}
    )
    for word in PRIVATE:
        assert word not in reply.content, reply.text
    return reply


def check_row(stage: Stage, provider: str, reply: httpx.Response, prompt: str) -> dict[str, Any]:
    """The call's row, whose units are those that the sandbox counted, and whose cost is theirs."""
    row = stage.row(reply.headers["x-request-id"])
    seen = stage.received(prompt)[-1]["usage"]
    cached = seen.get("cached_input", 0) if VENDORS[provider].tells_cache else 0
    thought = 0 if provider in KEEPS_THOUGHTS else seen.get("reasoning", 0)
    expected = {"input": seen["input"] - cached, "cached_input": cached, "output": seen["output"] - thought}
    expected["reasoning"] = thought
    assert row["units"] == {unit: count for unit, count in expected.items() if count}
    assert row["cost"] == sum(NANO[unit] * count for unit, count in expected.items()) > 0
    assert (row["ended"], bool(row["estimated"])) == ("completed", False)
    return row


def usages(reply: httpx.Response) -> list[dict[str, Any]]:
    """The usage objects at the top of a stream's events."""
    events = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    found = [json.loads(event).get("usage") for event in events[:-1]]
    return [usage for usage in found if usage is not None]


def test_every_provider_is_tried() -> None:
    assert set(VENDORS) == {name for name, provider in catalogue().items() if "openai_chat" in provider.speaks}


@pytest.mark.parametrize("provider", VENDORS)
def test_whole_answers(stage: Stage, provider: str) -> None:
    prompt = f"{mark()} " + "lamp " * 1500
    plain = call(stage, provider, prompt, max_completion_tokens=400, seed=7)
    assert plain.status_code == 200, plain.text
    assert plain.json()["choices"][0]["message"]["content"]
    assert "cost" not in plain.json()["usage"]
    ignored = plain.headers.get("x-unigate-ignored")
    assert ignored == ("user" if provider == "mistral" else None)
    first = check_row(stage, provider, plain, prompt)
    assert "cached_input" not in first["units"]
    told = call(stage, provider, prompt, max_completion_tokens=400, seed=7, usage={"include": True})
    again = check_row(stage, provider, told, prompt)
    assert ("cached_input" in again["units"]) is VENDORS[provider].tells_cache
    assert again["cost"] == round(float(told.headers["x-unigate-cost"]) * 10**9)
    assert told.content.count(b'"cost"') == 1
    assert round(told.json()["usage"]["cost"] * 10**9) == again["cost"]


@pytest.mark.parametrize("provider", VENDORS)
def test_streams(stage: Stage, provider: str) -> None:
    prompt = f"{mark()} What is 12 + 30?"
    quiet = call(stage, provider, prompt, stream=True)
    assert quiet.headers["content-type"].startswith("text/event-stream")
    assert usages(quiet) == []
    check_row(stage, provider, quiet, prompt)
    asked = call(stage, provider, prompt, stream=True, stream_options={"include_usage": True})
    assert usages(asked)[-1]["total_tokens"] > 0
    assert b'"cost"' not in asked.content
    check_row(stage, provider, asked, prompt)
    told = call(stage, provider, prompt, stream=True, usage={"include": True})
    row = check_row(stage, provider, told, prompt)
    assert round(usages(told)[-1]["cost"] * 10**9) == row["cost"]


@pytest.mark.parametrize("provider", VENDORS)
def test_a_callers_own_mistake_passes_and_costs_nothing(stage: Stage, provider: str) -> None:
    reply = call(stage, provider, f"{mark()} [[fault:400]]")
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["message"]
    row = stage.row(reply.headers["x-request-id"])
    assert (row["status"], row["cost"], row["units"]) == (400, 0, {})
    assert call(stage, provider, f"{mark()} Hello").status_code == 200, "the credential was not parked for it"


@pytest.mark.parametrize("provider", VENDORS)
def test_an_account_without_money_is_the_operators_trouble(stage: Stage, provider: str) -> None:
    reply = call(stage, provider, f"{mark()} Hello", kind="broke")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "no_channel_available")
    row = stage.row(reply.headers["x-request-id"])
    assert row["cost"] == 0
    assert [attempt[2] for attempt in row["attempts"]] == [403 if provider in ACCESS else 402]
    word = mark()
    again = call(stage, provider, word, kind="broke")
    assert (again.status_code, stage.received(word)) == (503, []), "the credential is parked"


#: Vendors that say the same by a 403.
ACCESS = frozenset({"siliconflow", "volcengine"})


@pytest.mark.parametrize(("provider", "status"), [("openrouter", 400), ("openai", 503)])
def test_a_refusal_in_an_answer_of_200_means_the_same(stage: Stage, provider: str, status: int) -> None:
    reply = call(stage, provider, "Hello", kind="late")
    assert reply.status_code == status, reply.text
    assert ("flagged" in reply.text) is (status == 400)


@pytest.mark.parametrize(
    ("provider", "fault", "status"),
    [
        ("openrouter", "403", 400),  # input that a moderation flagged
        ("xai", "403", 400),  # content against the rules
        ("together", "403", 400),  # a prompt that is too long
        ("xai", "401", 503),  # our key is wrong, which the vendor says with a 400
        ("volcengine", "404", 503),  # our account has not opened the model
    ],
)
def test_a_status_that_says_something_else(stage: Stage, provider: str, fault: str, status: int) -> None:
    word = mark()
    reply = call(stage, provider, f"{word} [[fault:{fault},tag:{word}]]")
    assert reply.status_code == status, reply.text
    assert "sandbox-team" not in reply.text
    assert "2100000000" not in reply.text
    if status == 400:
        assert call(stage, provider, f"{mark()} Hello").status_code == 200
