"""The sandbox's batches: lines that are answered, what is wrong with others, and cancelling."""

import json
import secrets
from typing import Any

import openai
import pytest
from openai.types import Batch
from sandbox_client import Sandbox, eventually

CHAT = "/v1/chat/completions"
ENDED = ("completed", "failed", "cancelled")


@pytest.fixture
def sdk(sandbox: Sandbox) -> openai.OpenAI:
    """The SDK with an account of its own."""
    return sandbox.openai(key=f"sk-{secrets.token_hex(8)}")


def line(custom_id: str, content: str = "What is 12 + 30?", url: str = CHAT, **body: Any) -> dict[str, Any]:
    """One line of a batch of chats."""
    asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": asked}


def lined(*rows: Any) -> bytes:
    """Lines of a file; markers in them are for the lines alone, not for their upload."""
    return "\n".join(
        row if isinstance(row, str) else json.dumps(row).replace("[[", "\\u005b[") for row in rows
    ).encode()


def begin(sdk: openai.OpenAI, data: bytes, endpoint: Any = CHAT, **more: Any) -> Batch:
    """A batch of those lines."""
    file = sdk.files.create(file=("a.jsonl", data), purpose="batch")
    return sdk.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def ended(sdk: openai.OpenAI, batch: Batch) -> Batch:
    """The batch at its end."""
    found: Batch = eventually(
        lambda: next(iter([b for b in (sdk.batches.retrieve(batch.id),) if b.status in ENDED]), None)
    )
    return found


def rows(sdk: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(one) for one in sdk.files.content(str(file_id)).text.splitlines()]


def test_a_batch_of_chats(sdk: openai.OpenAI) -> None:
    data = lined(line("a"), "", line("b", "What is 1 + 1?"), line("c", temperature=9), line("d", "[[fault:429]]"))
    made = begin(sdk, data, metadata={"for": "me"}, output_expires_after={"anchor": "created_at", "seconds": 3600})
    assert (made.status, made.object, made.metadata) == ("validating", "batch", {"for": "me"})
    assert made.id.startswith("batch_") and made.expires_at == made.created_at + 86400
    done = ended(sdk, made)
    assert done.status == "completed" and done.request_counts
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (4, 2, 2)
    assert made.created_at <= (done.in_progress_at or 0) <= (done.finalizing_at or 0) <= (done.completed_at or 0)
    good, bad = rows(sdk, done.output_file_id), rows(sdk, done.error_file_id)
    assert [row["custom_id"] for row in good] == ["a", "b"] and [row["custom_id"] for row in bad] == ["c", "d"]
    texts = [row["response"]["body"]["choices"][0]["message"]["content"] for row in good]
    assert texts == ["42", "2"] and all(row["response"]["status_code"] == 200 for row in good)
    assert [row["response"]["status_code"] for row in bad] == [400, 429]
    assert bad[0]["response"]["body"]["error"]["param"] == "temperature" and bad[0]["error"] is None
    assert len({row["id"] for row in good + bad}) == 4
    spent = [row["response"]["body"]["usage"] for row in good]
    assert done.usage and done.usage.total_tokens == sum(usage["total_tokens"] for usage in spent)
    output = sdk.files.retrieve(str(done.output_file_id))
    assert output.purpose == "batch_output" and output.expires_at == output.created_at + 3600
    assert [one.id for one in sdk.batches.list()] == [made.id]


@pytest.mark.parametrize(
    ("endpoint", "body", "kind"),
    [
        ("/v1/responses", {"model": "gpt-4o", "input": "Hello"}, "response"),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hello"}, "list"),
        ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Hello"}, "text_completion"),
        ("/v1/moderations", {"model": "omni-moderation-latest", "input": "Hello"}, None),
    ],
)
def test_batches_of_other_operations(sdk: openai.OpenAI, endpoint: str, body: Any, kind: str | None) -> None:
    one = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
    done = ended(sdk, begin(sdk, lined(one), endpoint))
    (row,) = rows(sdk, done.output_file_id)
    assert row["response"]["body"].get("object") == kind and done.error_file_id is None


@pytest.mark.parametrize(
    ("data", "number", "code", "param"),
    [
        (lined("{"), 1, "invalid_json_line", None),
        (lined(line("a"), "[]"), 2, "invalid_json_line", None),
        (b" \n", None, "empty_file", None),
        (lined(line("a"), "", line("a")), 3, "duplicate_custom_id", "custom_id"),
        (lined({**line("a"), "custom_id": None}), 1, "missing_required_parameter", "custom_id"),
        (lined({**line("a"), "custom_id": 1}), 1, "invalid_type", "custom_id"),
        (lined({**line("a"), "method": "GET"}), 1, "invalid_method", "method"),
        (lined(line("a", url="/v1/embeddings")), 1, "invalid_url", "url"),
        (lined({**line("a"), "body": []}), 1, "invalid_type", "body"),
        (lined(line("a", model=None)), 1, "missing_required_parameter", "body.model"),
        (lined(line("a", model="none")), 1, "model_not_found", "body.model"),
        (lined(line("a"), line("b", model="gpt-4o")), 2, "mismatched_model", "body.model"),
        (lined(line("a", stream=True)), 1, "unsupported_parameter", "body.stream"),
    ],
)
def test_bad_lines(sdk: openai.OpenAI, data: bytes, number: int | None, code: str, param: str | None) -> None:
    done = ended(sdk, begin(sdk, data))
    assert done.status == "failed" and done.failed_at and done.errors and done.errors.data
    (error,) = done.errors.data
    assert (error.line, error.code, error.param) == (number, code, param)
    assert done.output_file_id is None and done.error_file_id is None


def test_cancelling(sdk: openai.OpenAI) -> None:
    slow = begin(sdk, lined(*(line(str(n)) for n in range(300))), metadata={"x": "[[speed:0.15]]"})
    eventually(lambda: (sdk.batches.retrieve(slow.id).request_counts or slow.request_counts).completed)  # type: ignore[union-attr]
    assert sdk.batches.cancel(slow.id).status in ("cancelling", "cancelled")
    done = ended(sdk, slow)
    assert done.status == "cancelled" and done.cancelling_at and done.cancelled_at and done.request_counts
    assert 0 < done.request_counts.completed < 300
    assert len(rows(sdk, done.output_file_id)) == done.request_counts.completed
    over = ended(sdk, begin(sdk, lined(line("a"))))
    with pytest.raises(openai.ConflictError, match="Cannot cancel a batch with status 'completed'"):
        sdk.batches.cancel(over.id)


def test_faults_of_batches(sdk: openai.OpenAI) -> None:
    many = lined(*(line(str(n)) for n in range(4)))
    failed = ended(sdk, begin(sdk, many, metadata={"x": "[[fault:fail-at:50]]"}))
    assert failed.status == "failed" and failed.errors and failed.output_file_id is None
    stuck = begin(sdk, many, metadata={"x": "[[fault:stuck:50]]"})
    eventually(lambda: (sdk.batches.retrieve(stuck.id).request_counts or stuck.request_counts).completed == 2)  # type: ignore[union-attr]
    gone = begin(sdk, many, metadata={"x": "[[fault:vanish]]"})
    with pytest.raises(openai.NotFoundError, match="No batch found"):
        sdk.batches.retrieve(gone.id)


def test_bad_calls(sandbox: Sandbox, sdk: openai.OpenAI) -> None:
    head = {"authorization": f"Bearer {sdk.api_key}"}
    kept = sdk.files.create(file=("a.jsonl", lined(line("a"))), purpose="batch").id
    other = sdk.files.create(file=("a.txt", b"x"), purpose="user_data").id
    good = {"input_file_id": kept, "endpoint": CHAT, "completion_window": "24h"}
    for change, status, param in (
        ({"input_file_id": None}, 400, "input_file_id"),
        ({"input_file_id": "a.jsonl"}, 400, "input_file_id"),
        ({"input_file_id": "file-none"}, 404, "input_file_id"),
        ({"input_file_id": other}, 400, "input_file_id"),
        ({"endpoint": "/v1/files"}, 400, "endpoint"),
        ({"completion_window": "1h"}, 400, "completion_window"),
        ({"metadata": {"a": 1}}, 400, "metadata.a"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, 400, "output_expires_after.seconds"),
    ):
        reply = sandbox.http.post(f"{sandbox.url}/openai/v1/batches", json={**good, **change}, headers=head)
        assert (reply.status_code, reply.json()["error"]["param"]) == (status, param), change
    made = begin(sdk, lined(line("a")))
    with pytest.raises(openai.NotFoundError, match=f"No batch found with id '{made.id}'"):
        sandbox.openai(key=f"sk-{secrets.token_hex(8)}").batches.retrieve(made.id)
