"""Where DeepSeek, Azure OpenAI and Groq differ from OpenAI; and the seam that faces are added by."""

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from sandbox_client import USER, Sandbox, deltas, user

import unigate.sandbox.faces
from unigate.sandbox.serving.face import faces

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


# DeepSeek


def test_deepseek_answers(sandbox: Sandbox) -> None:
    for path in ("/deepseek", "/deepseek/v1", "/deepseek/beta"):
        answer = sandbox.post(path, model="deepseek-chat").json()
        assert set(answer["choices"][0]["message"]) == {"role", "content"}
        assert "service_tier" not in answer
        assert len(answer["id"]) == 36
    client = sandbox.openai("/deepseek")
    assert [model.id for model in client.models.list()][:2] == ["deepseek-chat", "deepseek-reasoner"]


def test_deepseek_counts_hits_and_misses(sandbox: Sandbox) -> None:
    body: dict[str, Any] = {"model": "deepseek-chat", "messages": user("lamp " * 200), "key": "sk-hits-000001"}
    first, second = (sandbox.post("/deepseek", **body).json()["usage"] for _ in range(2))
    assert (first["prompt_cache_hit_tokens"], first["prompt_cache_miss_tokens"]) == (0, first["prompt_tokens"])
    assert second["prompt_cache_hit_tokens"] == 192
    assert second["prompt_cache_hit_tokens"] + second["prompt_cache_miss_tokens"] == second["prompt_tokens"]
    assert second["prompt_tokens_details"] == {"cached_tokens": 192}
    assert "completion_tokens_details" not in second


def test_deepseek_shows_its_thoughts(sandbox: Sandbox) -> None:
    answer = sandbox.post("/deepseek", model="deepseek-reasoner", max_tokens=4000, temperature=0.3).json()
    message = answer["choices"][0]["message"]
    assert message["reasoning_content"].startswith("The user asks")
    assert message["content"]
    thought = answer["usage"]["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < thought < answer["usage"]["completion_tokens"]


def test_deepseek_streams(sandbox: Sandbox) -> None:
    text = sandbox.post("/deepseek", model="deepseek-reasoner", stream=True).text
    assert text.startswith(": keep-alive\n\ndata: ")
    chunks = sandbox.chunks("/deepseek", model="deepseek-reasoner")
    first = chunks[0]["choices"][0]["delta"]
    assert first == {"role": "assistant", "content": None, "reasoning_content": ""}
    thoughts = "".join(delta.get("reasoning_content") or "" for delta in deltas(chunks))
    said = "".join(delta.get("content") or "" for delta in deltas(chunks))
    message = sandbox.post("/deepseek", model="deepseek-reasoner").json()["choices"][0]["message"]
    assert (thoughts, said) == (message["reasoning_content"], message["content"])
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["prompt_cache_miss_tokens"] > 0
    assert all("obfuscation" not in chunk for chunk in chunks)


@pytest.mark.parametrize("include", [None, True, False])
def test_deepseek_tells_usage_with_the_end_of_a_stream(sandbox: Sandbox, include: bool | None) -> None:
    more = {} if include is None else {"stream_options": {"include_usage": include}}
    chunks = sandbox.chunks("/deepseek", model="deepseek-chat", **more)
    assert [bool(chunk.get("usage")) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_deepseek_errors(sandbox: Sandbox) -> None:
    def refused(**body: Any) -> tuple[int, dict[str, Any]]:
        answer = sandbox.post("/deepseek", **{"model": "deepseek-chat", **body})
        error: dict[str, Any] = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["param"] is None
        return answer.status_code, error

    status, error = refused(key="sk-invalid-1234")
    assert (status, error["type"]) == (401, "authentication_error")
    assert "1234" in error["message"]
    assert refused(model="gpt-4o")[1]["message"] == "Model Not Exist"
    assert refused(messages=None)[0] == 422
    assert refused(n=2)[0] == 400
    assert refused(model="deepseek-reasoner", logprobs=True)[0] == 400
    assert refused(max_tokens=100_000)[0] == 400
    answer = sandbox.post("/fault/402/deepseek", model="deepseek-chat")
    assert (answer.status_code, answer.json()["error"]["message"]) == (402, "Insufficient Balance")


def test_deepseek_balance(sandbox: Sandbox) -> None:
    headers = {"authorization": "Bearer sk-deepseek-balance"}
    answer = sandbox.http.get(f"{sandbox.url}/deepseek/user/balance", headers=headers).json()
    assert answer["is_available"] is True
    assert answer["balance_infos"][0]["total_balance"] == "100"


# Azure OpenAI


@pytest.fixture(scope="module")
def azure(sandbox: Sandbox) -> openai.AzureOpenAI:
    return sandbox.opened(
        openai.AzureOpenAI(
            azure_endpoint=f"{sandbox.url}/azure", api_key="azure-key-00001", api_version="2024-10-21", max_retries=0
        )
    )


def test_azure_by_its_sdk(azure: openai.AzureOpenAI, sandbox: Sandbox) -> None:
    answer = azure.chat.completions.create(model="gpt-4o", messages=user("Hello from azure"))
    assert answer.choices[0].message.content
    raw = answer.to_dict()
    assert raw["prompt_filter_results"][0]["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}  # type: ignore[index]
    assert answer.choices[0].to_dict()["content_filter_results"]
    entry = sandbox.last(contains="Hello from azure")
    assert entry["path"] == "/azure/openai/deployments/gpt-4o/chat/completions"
    assert entry["query"] == {"api-version": "2024-10-21"}
    assert entry["credential"] == "azu…0001"


def test_azure_streams(azure: openai.AzureOpenAI) -> None:
    chunks = list(
        azure.chat.completions.create(
            model="gpt-4o", messages=user("Hi"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices == []
    assert "prompt_filter_results" in chunks[0].to_dict()
    assert chunks[0].id == ""
    assert chunks[1].choices[0].delta.role == "assistant"
    assert chunks[-1].usage is not None
    assert chunks[2].choices[0].to_dict()["content_filter_results"]


def _azure(sandbox: Sandbox, path: str, fault: str = "", **headers: str) -> httpx.Response:
    prefix = f"/fault/{fault}" if fault else ""
    body = {"messages": [USER]}
    return sandbox.http.post(
        f"{sandbox.url}{prefix}/azure{path}", json=body, headers={"api-key": "azure-key-00001", **headers}
    )


def test_azure_errors(sandbox: Sandbox) -> None:
    good = "/openai/deployments/gpt-4o/chat/completions?api-version=1"
    assert _azure(sandbox, good).status_code == 200
    cases = [
        (_azure(sandbox, "/openai/deployments/gpt-4o/chat/completions"), 404, "404"),
        (_azure(sandbox, "/openai/deployments/nothing/chat/completions?api-version=1"), 404, "DeploymentNotFound"),
        (_azure(sandbox, "/openai/nowhere"), 404, "404"),
        (_azure(sandbox, good, **{"api-key": "invalid-key"}), 401, "401"),
        (_azure(sandbox, good, "429"), 429, "429"),
        (_azure(sandbox, good, "503"), 503, "ServiceUnavailable"),
    ]
    for answer, status, code in cases:
        assert answer.status_code == status
        assert answer.json()["error"].keys() == {"code", "message"}
        assert answer.json()["error"]["code"] == code
    assert cases[4][0].headers["retry-after"] == "1"
    filtered = _azure(sandbox, good, "400:content_filter").json()["error"]
    assert (filtered["code"], filtered["param"], filtered["status"]) == ("content_filter", "prompt", 400)
    assert filtered["innererror"]["content_filter_result"]["hate"]["filtered"] is True
    answer = sandbox.http.post(
        f"{sandbox.url}/azure{good}", json={"messages": [], "model": "gpt-4o"}, headers={"api-key": "azure-key-00001"}
    )
    assert answer.json()["error"]["code"] == "empty_array"


def test_azure_takes_a_bearer_and_the_newer_path(sandbox: Sandbox) -> None:
    assert sandbox.post("/azure/openai/v1", model="gpt-4o").json()["prompt_filter_results"]
    assert [m.id for m in sandbox.openai("/azure/openai/v1").models.list()]


# Groq


GROQ = "/groq/openai/v1"


def test_groq_answers(sandbox: Sandbox) -> None:
    answer = sandbox.post(GROQ, model="llama-3.3-70b-versatile").json()
    usage = answer["usage"]
    assert usage["total_time"] == pytest.approx(usage["prompt_time"] + usage["completion_time"])
    assert usage["queue_time"] > 0
    assert answer["x_groq"]["id"].startswith("req_")
    assert answer["usage_breakdown"] is None
    assert set(answer["choices"][0]["message"]) == {"role", "content"}


def test_groq_streams(sandbox: Sandbox) -> None:
    chunks = sandbox.chunks(GROQ, model="llama-3.3-70b-versatile")
    assert chunks[0]["x_groq"]["id"] == chunks[-1]["x_groq"]["id"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["x_groq"]["usage"]["completion_tokens"] == len(chunks) - 2
    assert all("x_groq" not in chunk for chunk in chunks[1:-1])
    asked = sandbox.chunks(GROQ, model="llama-3.3-70b-versatile", stream_options={"include_usage": True})
    assert asked[-1]["usage"] == asked[-2]["x_groq"]["usage"]


def test_groq_thinks_aloud(sandbox: Sandbox) -> None:
    model = "openai/gpt-oss-120b"
    message = sandbox.post(GROQ, model=model, temperature=0.7, max_tokens=3000).json()["choices"][0]["message"]
    assert message["reasoning"]
    hidden = sandbox.post(GROQ, model=model, reasoning_format="hidden").json()
    plain = sandbox.post(GROQ, model="qwen/qwen3-32b", reasoning_effort="default", include_reasoning=False).json()
    assert "<think>" not in plain["choices"][0]["message"]["content"]
    assert "reasoning" not in hidden["choices"][0]["message"]
    assert hidden["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    thoughts = "".join(delta.get("reasoning") or "" for delta in deltas(sandbox.chunks(GROQ, model=model)))
    assert thoughts.startswith("The user asks")


def test_groq_writes_raw_thoughts_into_the_text(sandbox: Sandbox) -> None:
    body: dict[str, Any] = {"model": "qwen/qwen3-32b", "reasoning_format": "raw"}
    answer = sandbox.post(GROQ, **body).json()
    message = answer["choices"][0]["message"]
    assert set(message) == {"role", "content"}
    assert message["content"].startswith("<think>\n")
    assert "\n</think>\n\n" in message["content"]
    chunks = sandbox.chunks(GROQ, **body)
    assert "".join(delta.get("content") or "" for delta in deltas(chunks)) == message["content"]


def test_groq_tools(sandbox: Sandbox) -> None:
    message = sandbox.post(GROQ, model="llama-3.1-8b-instant", messages=user("weather in Lima"), tools=[TOOL]).json()[
        "choices"
    ][0]["message"]
    assert set(message) == {"role", "tool_calls"}


def test_groq_errors(sandbox: Sandbox) -> None:
    answer = sandbox.post(GROQ, model="llama-3.1-8b-instant", key="gsk-invalid")
    assert answer.status_code == 401
    assert answer.json()["error"] == {
        "message": "Invalid API Key",
        "type": "invalid_request_error",
        "code": "invalid_api_key",
    }
    assert sandbox.post(GROQ, model="gpt-4o").json()["error"]["code"] == "model_not_found"
    assert sandbox.post(GROQ, model="llama-3.1-8b-instant", logprobs=True).status_code == 400
    assert sandbox.post(GROQ, model="llama-3.1-8b-instant", n=2).json()["error"]["param"] == "n"
    answer = sandbox.post(f"/fault/429{GROQ}", model="llama-3.1-8b-instant")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json()["error"]["type"] == "tokens"
    assert sandbox.post(f"/fault/498{GROQ}", model="llama-3.1-8b-instant").status_code == 498
    assert sandbox.post("/groq/v1").json()["error"]["code"] == "unknown_url"


# The seam


def test_faces_are_found_by_walking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"azure", "deepseek", "groq", "mistral", "openai", "openrouter"} <= {face.name for face in faces()}
    source = (
        "from dataclasses import replace\nfrom unigate.sandbox.faces import groq\nFACE = replace(groq.FACE, name=%r)\n"
    )
    (tmp_path / "zzz_new.py").write_text(source % "new")
    monkeypatch.setattr(unigate.sandbox.faces, "__path__", [*unigate.sandbox.faces.__path__, str(tmp_path)])
    assert faces()[-1].name == "new"
    (tmp_path / "zzz_newer.py").write_text(source % "new")
    with pytest.raises(ValueError, match="two faces"):
        faces()
    (tmp_path / "zzz_newer.py").write_text("FACE = 5\n")
    sys.modules.pop("unigate.sandbox.faces.zzz_newer")
    with pytest.raises(TypeError, match="not a Face"):
        faces()


CHATTING = [face for face in faces() if any(route.path.endswith("/chat/completions") for route in face.routes)]


@pytest.mark.parametrize("face", CHATTING, ids=lambda face: face.name)
def test_events_of_every_face_are_json(sandbox: Sandbox, face: Any) -> None:
    path = "/azure/openai/v1" if face.name == "azure" else f"/{face.name}{face.base}"
    model = "sandbox-any"
    asked: dict[str, Any] = {} if face.name == "mistral" else {"stream_options": {"include_usage": True}}
    events = sandbox.events(path, model=model, **asked)
    assert events[-1] == "[DONE]"
    assert len({json.loads(event)["id"] for event in events[:-1]} - {""}) == 1
    error = json.loads(sandbox.events(f"/fault/error-event{path}", model=model)[-1])
    assert error.get("error") or error["message"]
