"""The log and the counters: what tests of the gateway ask the sandbox."""

import json
import socket
import time
from typing import Any

import pytest
from sandbox_client import Sandbox, eventually, user

from unigate.sandbox.options import Options
from unigate.sandbox.serving.log import Entry, Log


def test_an_entry_tells_it_all(sandbox: Sandbox) -> None:
    answer = sandbox.post(key="sk-very-secret-9876", messages=user("entry of the log"), model="gpt-4o-mini")
    entry = sandbox.last(contains="entry of the log")
    assert entry["method"] == "POST"
    assert entry["path"] == "/openai/v1/chat/completions"
    assert entry["face"] == "openai"
    assert entry["body"] == {"model": "gpt-4o-mini", "messages": user("entry of the log")}
    assert entry["body_truncated"] is False
    assert (entry["status"], entry["end"], entry["stream"], entry["fault"]) == (200, "completed", False, "")
    assert entry["model"] == "gpt-4o-mini"
    assert entry["request_id"] == answer.headers["x-request-id"]
    usage = answer.json()["usage"]
    assert entry["usage"] == {"input": usage["prompt_tokens"], "output": usage["completion_tokens"]}
    assert entry["sent_bytes"] == len(answer.content)
    assert entry["credential"] == "sk-…9876"


def test_secrets_are_masked(sandbox: Sandbox) -> None:
    sandbox.http.post(
        f"{sandbox.url}/openai/v1/chat/completions?api_key=query-secret-0001",
        json={"model": "gpt-4o", "messages": user("masked entry")},
        headers={"authorization": "Bearer sk-very-secret-9876", "X-Api-Key": "short", "cookie": "a=bcdefghijklmnop"},
    )
    entry = sandbox.last(contains="masked entry")
    text = json.dumps(entry)
    for secret in ("very-secret", "query-secret", "short", "bcdefgh"):
        assert secret not in text
    assert ["authorization", "Bearer sk-…9876"] in entry["headers"]
    assert ["x-api-key", "…"] in entry["headers"]


def test_streams_count_what_went_out(sandbox: Sandbox) -> None:
    sandbox.events(messages=user("[[tokens:12]] counted stream"))
    entry = sandbox.last(contains="counted stream")
    assert (entry["stream"], entry["events"], entry["sent_tokens"]) == (True, 12 + 3, 12)
    assert entry["usage"]["output"] == 12


def test_a_caller_who_leaves_is_seen(sandbox: Sandbox) -> None:
    body = {"model": "gpt-4o", "stream": True, "messages": user("[[pace:50]] [[tokens:500]] leaving soon")}
    headers = {"authorization": "Bearer sk-1"}
    begun = time.monotonic()
    with sandbox.http.stream("POST", f"{sandbox.url}/openai/v1/chat/completions", json=body, headers=headers) as answer:
        for number, _ in enumerate(answer.iter_lines()):
            if number > 8:
                break
    entry = sandbox.last(contains="leaving soon")
    assert entry["end"] == "caller_left"
    assert 1 <= entry["sent_tokens"] < 250
    assert entry["usage"]["output"] == 500
    assert time.monotonic() - begun < 8


def test_a_caller_who_leaves_before_the_first_byte(sandbox: Sandbox) -> None:
    with pytest.raises(Exception, match="timed out"):
        sandbox.http.post(
            f"{sandbox.url}/fault/slow-first-byte:30/openai/v1/chat/completions",
            json={"model": "gpt-4o", "messages": user("left at once")},
            headers={"authorization": "Bearer sk-1"},
            timeout=0.3,
        )
    entry = sandbox.last(contains="left at once")
    assert (entry["end"], entry["status"]) == ("caller_left", 0)


def test_a_caller_who_leaves_while_sending(sandbox: Sandbox) -> None:
    address = sandbox.http.base_url.join(sandbox.url)
    with socket.create_connection((address.host, address.port or 80)) as sock:
        sock.sendall(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-mark: half\r\ncontent-length: 500\r\n\r\n{"
        )
        eventually(lambda: [entry for entry in sandbox.log() if ["x-mark", "half"] in entry["headers"]])
    entry = eventually(lambda: [e for e in sandbox.log(end="caller_left") if ["x-mark", "half"] in e["headers"]])[0]
    assert (entry["status"], entry["body_bytes"], entry["sent_bytes"]) == (0, 0, 0)


def test_open_calls_are_shown(sandbox: Sandbox) -> None:
    body = {"model": "gpt-4o", "stream": True, "messages": user("still open")}
    headers = {"authorization": "Bearer sk-1"}
    url = f"{sandbox.url}/fault/hang-after:2/openai/v1/chat/completions"
    with sandbox.http.stream("POST", url, json=body, headers=headers) as answer:
        lines = answer.iter_lines()
        next(lines)
        entry = eventually(lambda: [e for e in sandbox.log(contains="still open") if e["events"] == 2])[0]
        assert (entry["end"], entry["status"]) == ("open", 200)
    assert sandbox.last(contains="still open")["end"] == "caller_left"


def test_errors_are_logged_too(sandbox: Sandbox) -> None:
    sandbox.post(model="gpt-none", messages=user("bad model entry"))
    assert sandbox.last(contains="bad model entry")["status"] == 404
    sandbox.http.put(f"{sandbox.url}/deepseek/nowhere", headers={"authorization": "Bearer sk-1"})
    entry = sandbox.last(face="deepseek", path="/deepseek/nowhere")
    assert (entry["method"], entry["status"], entry["body"]) == ("PUT", 404, None)
    sandbox.http.post(f"{sandbox.url}/openai/v1/chat/completions", content=b"no json \xff")
    assert sandbox.last(contains="no json")["body"] == "no json \ufffd"


def test_filters(sandbox: Sandbox) -> None:
    for number in range(3):
        sandbox.post(messages=user(f"filtered {number}"))
    found = sandbox.log(contains="filtered")
    assert [entry["body"]["messages"][0]["content"] for entry in found] == [f"filtered {n}" for n in range(3)]
    assert [e["number"] for e in sandbox.log(contains="filtered", after=found[0]["number"])] == [
        entry["number"] for entry in found[1:]
    ]
    assert sandbox.log(contains="filtered", limit=1) == found[-1:]
    assert sandbox.log(contains="filtered", end="cut") == []
    for bad in ({"colour": "red"}, {"after": "x"}):
        assert sandbox.http.get(f"{sandbox.url}/sandbox/requests", params=bad).status_code == 400


def counters(sandbox: Sandbox) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = sandbox.http.get(f"{sandbox.url}/sandbox/counters").json()
    return found


def test_counters_and_clearing(own_sandbox: Sandbox) -> None:
    sandbox = own_sandbox
    answers = [
        sandbox.post(messages=user("one")),
        sandbox.post(model="gpt-4o-mini"),
        sandbox.post("/fault/500/openai/v1"),
    ]
    found = eventually(lambda: (c := counters(sandbox))["requests"].get("ended") == 3 and c)
    assert found["requests"] == {"received": 3, "ended": 3}
    assert found["status"] == {"200": 2, "500": 1}
    assert found["model"] == {"gpt-4o": 2, "gpt-4o-mini": 1}
    assert found["end"] == {"completed": 3}
    assert found["credential"] == {"sk-…0001": 3}
    spent = [answer.json()["usage"] for answer in answers[:2]]
    assert found["usage"]["input"] == sum(usage["prompt_tokens"] for usage in spent)
    assert found["usage"]["output"] == sum(usage["completion_tokens"] for usage in spent)
    assert sandbox.http.delete(f"{sandbox.url}/sandbox/requests").json() == {"cleared": True}
    assert sandbox.log() == []
    assert not any(counters(sandbox).values())
    sandbox.post()
    assert sandbox.log()[0]["number"] == 4


def test_clearing_everything(own_sandbox: Sandbox) -> None:
    sandbox = own_sandbox
    long = user("word " * 1500)

    def state() -> tuple[int, Any, Any]:
        failing = sandbox.post("/fault/500,first:1/openai/v1").status_code
        cached = sandbox.post(messages=long).json()["usage"]["prompt_tokens_details"]["cached_tokens"]
        headers = {"authorization": "Bearer sk-sandbox-0001"}
        spent = sandbox.http.get(f"{sandbox.url}/v1/dashboard/billing/usage", headers=headers).json()["total_usage"]
        return failing, cached, spent

    fresh, used = state(), state()
    assert used != fresh
    assert sandbox.http.delete(f"{sandbox.url}/sandbox").json() == {"cleared": True}
    assert state() == fresh


@pytest.mark.parametrize(
    "own_sandbox", [Options(tokens_per_second=0, keep_requests=3, keep_body=100, keep_bytes=250)], indirect=True
)
def test_the_log_is_bounded(own_sandbox: Sandbox) -> None:
    for number in range(5):
        own_sandbox.post(messages=user(f"{number}"), max_tokens=1)
    assert [entry["body"]["messages"][0]["content"] for entry in own_sandbox.log()] == ["2", "3", "4"]
    own_sandbox.post(messages=user("x" * 1000))
    own_sandbox.post(messages=user("y" * 1000))
    entries = own_sandbox.log()
    assert [entry["body_truncated"] for entry in entries] == [True, True]
    assert entries[0]["body_bytes"] > 1000
    assert len(entries[0]["body"]) == 100


def test_the_index(sandbox: Sandbox) -> None:
    for path in ("/", "/sandbox"):
        index = sandbox.http.get(sandbox.url + path).json()
        faces = {face["name"]: face["base_url"] for face in index["faces"]}
        assert faces["openai"] == f"{sandbox.url}/openai/v1"
        assert faces["deepseek"] == f"{sandbox.url}/deepseek"
        assert {"azure", "groq"} <= set(faces)
        assert "cut-after" in index["fault_actions"]
        assert "first" in index["fault_conditions"]


def test_a_body_that_comes_after_its_entry_is_gone_is_not_kept() -> None:
    log = Log(Options(keep_requests=1, keep_bytes=100))
    entries = [
        Entry(number=number, at=0, face="x", method="POST", path="/", query={}, headers=[]) for number in range(3)
    ]
    for entry in entries[:2]:
        log.open(entry)
    log.read(entries[0], b"x" * 90)
    log.read(entries[1], b"y" * 90)
    assert [entry.number for entry in log.entries()] == [1]
    log.clear()
    log.read(entries[1], b"y" * 90)
    log.open(entries[2])
    log.read(entries[2], b"z" * 90)
    assert [entry.number for entry in log.entries()] == [2]
