"""Faults: each one by base URL and by marker, in plain answers and in streams, and the conditions of all."""

import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import openai
import pytest
from sandbox_client import Sandbox, user

from unigate.sandbox.serving import faults
from unigate.sandbox.serving.face import faces

STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)


def at(spec: str, face: str = "openai/v1") -> str:
    return f"/fault/{spec}/{face}"


@pytest.mark.parametrize("status", STATUSES)
def test_statuses_with_the_vendors_body(sandbox: Sandbox, status: int) -> None:
    for answer in (sandbox.post(at(str(status))), sandbox.post(messages=user(f"Hi [[fault:{status}]]"))):
        assert answer.status_code == status
        error = answer.json()["error"]
        assert error["message"]
        assert error["type"]
        assert set(error) == {"message", "type", "param", "code"}
    with pytest.raises(openai.APIStatusError) as refused:
        sandbox.openai(at(str(status))).chat.completions.create(model="gpt-4o", messages=user("Hi"), stream=True)
    assert refused.value.status_code == status


#: What some vendors say with a status of their own.
OTHERWISE = {
    ("dashscope", 402): 400,
    ("fireworks", 402): 412,
    ("moonshot", 402): 429,
    ("moonshot", 503): 429,
    ("siliconflow", 402): 403,
    ("volcengine", 402): 403,
    ("xai", 401): 400,
    ("zhipu", 402): 429,
    ("zhipu", 403): 429,
}


@pytest.mark.parametrize("face", [face.name for face in faces()])
@pytest.mark.parametrize("status", STATUSES)
def test_every_vendor_says_something_to_every_status(face: str, status: int) -> None:
    vendor = next(found for found in faces() if found.name == face)
    answer = vendor.error(vendor.failure(status, None))
    assert answer.status == OTHERWISE.get((face, status), status)
    told = json.loads(answer.encoded())
    said = told.get("error", told) if isinstance(told, dict) else told
    assert said if isinstance(said, str) else said.get("message") or said["detail"]


def test_codes_and_retry_after(sandbox: Sandbox) -> None:
    answer = sandbox.post(at("429:insufficient_quota"))
    assert answer.json()["error"]["code"] == "insufficient_quota"
    assert answer.json()["error"]["type"] == "insufficient_quota"
    assert "retry-after" not in answer.headers
    answer = sandbox.post(at("429"))
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert sandbox.post(at("429,retry-after:7")).headers["retry-after"] == "7"
    assert "retry-after" not in sandbox.post(at("429,retry-after:off")).headers
    dated = sandbox.post(at("503,retry-after-date:30")).headers["retry-after"]
    assert 20 < parsedate_to_datetime(dated).timestamp() - time.time() < 40
    assert "retry-after" not in sandbox.post(at("500")).headers


def test_pages_of_html(sandbox: Sandbox) -> None:
    answer = sandbox.post(at("502,html"))
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    answer = sandbox.post(at("html"), stream=True)
    assert (answer.status_code, answer.text[:9]) == (200, "<!DOCTYPE")


@pytest.mark.parametrize("stream", [False, True])
def test_slow_first_byte(sandbox: Sandbox, stream: bool) -> None:
    begun = time.monotonic()
    headers = {"authorization": "Bearer sk-1"}
    body = {"model": "gpt-4o", "messages": user("Hi"), "stream": stream}
    url = f"{sandbox.url}{at('slow-first-byte:0.6')}/chat/completions"
    with sandbox.http.stream("POST", url, json=body, headers=headers, timeout=20) as answer:
        assert time.monotonic() - begun >= 0.6
        assert answer.status_code == 200
        assert b"Hello" in answer.read()


def test_slow_streams(sandbox: Sandbox) -> None:
    begun = time.monotonic()
    assert len(sandbox.events(at("slow:0.1"), messages=user("[[tokens:3]]"))) == 6
    assert time.monotonic() - begun >= 0.5


def test_hang(sandbox: Sandbox) -> None:
    with pytest.raises(httpx.ReadTimeout):
        sandbox.http.post(
            f"{sandbox.url}{at('hang,tag:h1')}/chat/completions",
            json={"model": "gpt-4o", "messages": user("hanging about")},
            headers={"authorization": "Bearer sk-1"},
            timeout=0.5,
        )
    entry = sandbox.last(contains="hanging about")
    assert (entry["end"], entry["status"], entry["sent_bytes"]) == ("caller_left", 0, 0)


def _until_broken(sandbox: Sandbox, spec: str, timeout: float = 5, **body: Any) -> tuple[str, Exception | None]:
    """What came before an answer broke off, and how it did."""
    got = b""
    try:
        with sandbox.http.stream(
            "POST",
            f"{sandbox.url}{at(spec)}/chat/completions",
            json={"model": "gpt-4o", "messages": user("Tell me of the moon."), **body},
            headers={"authorization": "Bearer sk-1"},
            timeout=timeout,
        ) as answer:
            assert answer.status_code == 200
            for piece in answer.iter_raw():
                got += piece
    except httpx.TransportError as error:
        return got.decode(), error
    return got.decode(), None


@pytest.mark.parametrize("events", [0, 1, 3])
def test_cut_streams(sandbox: Sandbox, events: int) -> None:
    got, error = _until_broken(sandbox, f"cut-after:{events}", stream=True)
    assert isinstance(error, httpx.RemoteProtocolError)
    assert got.count("data: ") == events
    entry = sandbox.last(fault=f"cut-after:{events}")
    assert (entry["end"], entry["events"]) == ("cut", events)
    assert entry["sent_tokens"] == max(0, events - 1)


def test_a_cut_beyond_the_end_is_after_the_last_event(sandbox: Sandbox) -> None:
    got, error = _until_broken(sandbox, "cut-after:99999", stream=True)
    assert isinstance(error, httpx.RemoteProtocolError)
    assert got.endswith("data: [DONE]\n\n")


def test_cut_plain_answers(sandbox: Sandbox) -> None:
    whole = sandbox.post(messages=user("Tell me of the moon.")).content
    got, error = _until_broken(sandbox, "cut-after")
    assert isinstance(error, httpx.RemoteProtocolError)
    assert len(whole) // 2 - 20 < len(got) < len(whole)
    assert got.startswith("{")


@pytest.mark.parametrize("stream", [False, True])
def test_hang_after(sandbox: Sandbox, stream: bool) -> None:
    got, error = _until_broken(sandbox, "hang-after:2", timeout=0.5, stream=stream)
    assert isinstance(error, httpx.ReadTimeout)
    assert got
    if stream:
        assert got.count("data: ") == 2


def test_malformed_chunks(sandbox: Sandbox) -> None:
    events = sandbox.events(at("malformed-chunk:3"))
    good = []
    for number, event in enumerate(events, 1):
        try:
            good.append(event == "[DONE]" or bool(json.loads(event)))
        except json.JSONDecodeError:
            assert number == 3
    assert len(good) == len(events) - 1
    with pytest.raises(json.JSONDecodeError):
        sandbox.post(at("malformed-chunk")).json()
    assert sandbox.post(at("malformed-chunk")).status_code == 200


@pytest.mark.parametrize("face", ["openai/v1", "deepseek", "groq/openai/v1"])
def test_missing_usage(sandbox: Sandbox, face: str) -> None:
    body: dict[str, Any] = {"model": {"o": "gpt-4o", "d": "deepseek-chat", "g": "openai/gpt-oss-20b"}[face[0]]}
    assert "usage" not in sandbox.post(at("missing-usage", face), **body).json()
    options = {"include_usage": True}
    assert '"usage"' not in "".join(sandbox.events(at("missing-usage", face), stream_options=options, **body))
    assert '"usage"' in "".join(sandbox.events(f"/{face}", stream_options=options, **body))


def test_missing_ends(sandbox: Sandbox) -> None:
    assert sandbox.events()[-1] == "[DONE]"
    events = sandbox.events(at("missing-end"))
    assert json.loads(events[-1])["choices"][0]["finish_reason"] == "stop"
    assert all(c["choices"][0]["finish_reason"] is None for c in sandbox.chunks(at("missing-finish")))
    assert sandbox.last(fault="missing-end")["end"] == "completed"


def test_empty_answers(sandbox: Sandbox) -> None:
    answer = sandbox.post(at("empty")).json()
    assert answer["choices"][0]["message"]["content"] == ""
    assert answer["usage"]["completion_tokens"] == 0
    chunks = sandbox.chunks(at("empty"))
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["", None]
    for stream in (False, True):
        answer = sandbox.post(at("empty-body"), stream=stream)
        assert (answer.status_code, answer.content) == (200, b"")


def test_oversized_answers(sandbox: Sandbox) -> None:
    answer = sandbox.post(at("oversize:3"))
    assert len(answer.content) > 3 * 1024 * 1024
    assert answer.json()["choices"]
    answer = sandbox.post(at("oversize:2"), stream=True)
    assert len(answer.content) > 2 * 1024 * 1024
    assert max(len(event) for event in answer.text.split("\n\n")) > 2 * 1024 * 1024 - 100
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_type(sandbox: Sandbox, stream: bool) -> None:
    answer = sandbox.post(at("wrong-type"), stream=stream)
    assert answer.headers["content-type"].startswith("text/html")
    assert "chat.completion" in answer.text


def test_errors_inside_streams(sandbox: Sandbox) -> None:
    events = sandbox.events(at("error-event:2"))
    assert len(events) == 3
    assert json.loads(events[-1])["error"]["type"] == "server_error"
    events = sandbox.events(at("error-event:1,429:insufficient_quota"))
    assert json.loads(events[-1])["error"]["code"] == "insufficient_quota"
    with pytest.raises(openai.APIError):
        list(sandbox.openai(at("error-event")).chat.completions.create(model="gpt-4o", messages=user("x"), stream=True))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("after:2", [200, 200, 500, 500, 500, 500]),
        ("first:2", [500, 500, 200, 200, 200, 200]),
        ("every:3", [200, 200, 500, 200, 200, 500]),
        ("flaky:0.5", [200, 500, 200, 500, 200, 500]),
        ("flaky:0", [200, 200, 200, 200, 200, 200]),
        ("flaky:1", [500, 500, 500, 500, 500, 500]),
        ("after:1,first:3", [200, 500, 500, 200, 200, 200]),
    ],
)
def test_conditions_that_count(sandbox: Sandbox, condition: str, expected: list[int]) -> None:
    for tag in ("a", "b"):
        found = [sandbox.post(at(f"500,{condition},tag:{tag}")).status_code for _ in expected]
        assert found == expected


def test_conditions_that_look(sandbox: Sandbox) -> None:
    path = at("401,key:bad")
    assert [sandbox.post(path, key=key).status_code for key in ("sk-bad-1", "sk-good-1")] == [401, 200]
    path = at("500,model:mini")
    assert [sandbox.post(path, model=name).status_code for name in ("gpt-4o-mini", "gpt-4o")] == [500, 200]
    assert [sandbox.post(at("500,only:stream"), stream=s).status_code for s in (True, False)] == [500, 200]
    assert [sandbox.post(at("500,only:plain"), stream=s).status_code for s in (True, False)] == [200, 500]


def test_only_calls_that_fit_are_counted(sandbox: Sandbox) -> None:
    path = at("500,first:1,key:bad,tag:fit")
    found = [sandbox.post(path, key=key).status_code for key in ("sk-good", "sk-bad", "sk-good", "sk-bad")]
    assert found == [200, 500, 200, 200]


def test_markers_win_and_add(sandbox: Sandbox) -> None:
    assert sandbox.post(at("500"), messages=user("[[fault:429]]")).status_code == 429
    events = sandbox.events(at("missing-end"), messages=user("[[fault:missing-finish]] [[reply:a b]]"))
    assert [json.loads(event)["choices"][0]["delta"]["content"] for event in events] == ["", "a", " b"]
    assert sandbox.post(messages=user("[[fault:500]] no: [[fault:503]]")).status_code == 503
    assert sandbox.last(contains="no: [[fault:503]]")["fault"] == "503"


@pytest.mark.parametrize(
    "spec",
    ["nonsense", "600", "cut-after:x", "hang:3", "after:-1", "key", "only:never", "flaky", "slow:1e9", "slow:nan", ""],
)
def test_specs_that_are_not_understood(sandbox: Sandbox, spec: str) -> None:
    with pytest.raises(ValueError, match="fault"):
        faults.parse(spec)
    if spec:
        answer = sandbox.post(at(spec))
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "unknown_fault"


@pytest.mark.parametrize("name", faults.ACTIONS)
def test_every_action_is_understood(name: str) -> None:
    fault = faults.parse(f"{name}:5" if name == "retry-after" else name)
    assert fault.retry_after == "5" if name == "retry-after" else name in fault


def test_counters_are_bounded() -> None:
    counter = faults.Counter(limit=3)
    specs = [faults.parse(f"500,first:1,tag:{number}") for number in range(4)]
    for fault in specs:
        assert counter.active(fault, credential="", model="", stream=False)
    assert not counter.active(specs[3], credential="", model="", stream=False)
    assert counter.active(specs[0], credential="", model="", stream=False)


def test_events_of_sound_lose_their_usage_or_their_end(sandbox: Sandbox) -> None:
    body = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning.", "stream_format": "sse"}
    head = {"authorization": "Bearer sk-sandbox-0001"}

    def ends(fault: str) -> tuple[str, str]:
        """The last event of streamed speech, and of a streamed transcript."""
        base = f"{sandbox.url}/fault/{fault}/openai/v1/audio"
        told = sandbox.http.post(f"{base}/speech", json=body, headers=head).text
        wav = sandbox.http.post(
            f"{sandbox.url}/openai/v1/audio/speech",
            json={"model": "tts-1", "voice": "alloy", "input": "Good morning.", "response_format": "wav"},
            headers=head,
        ).content
        form = {"model": "gpt-4o-transcribe", "stream": "true"}
        heard = sandbox.http.post(
            f"{base}/transcriptions", data=form, files={"file": ("a.wav", wav)}, headers=head
        ).text
        return told.strip().rpartition("data: ")[2], heard.strip().rpartition("data: ")[2]

    usual, silent, endless = ends("slow-first-byte:0.01"), ends("missing-usage"), ends("missing-finish")
    assert all(".done" in one and "usage" in one for one in usual)
    assert all(".done" in one and "usage" not in one for one in silent)
    assert all(".delta" in one for one in endless)
