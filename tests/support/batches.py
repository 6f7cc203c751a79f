"""Batches in tests: files of requests, waiting for their end, what came out, and what it should have cost."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import httpx
from openai import OpenAI
from openai.types import Batch

from support.stage import Stage
from support.waiting import wait_until
from support.world import World
from unigate.spec.operation import Operation

CHAT: Final = "/v1/chat/completions"
#: Nano-USD for a token of input and of output; see PRICES.
INPUT, OUTPUT = 150, 600
PRICES = """
prices:
  - {model: gpt-4o-mini, input: 0.15, output: 0.60}
  - {model: gpt-3.5-turbo-instruct, input: 1.5, output: 2}
  - {model: text-embedding-3-small, input: 0.02}
  - {model: omni-moderation-latest, per_call: 0}
"""
ENDED = ("completed", "failed", "expired", "cancelled")


def request(custom_id: str, prompt: str, *, url: str = CHAT, **more: object) -> dict[str, Any]:
    """A line that asks for a chat."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}], **more}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def written(lines: Iterable[object]) -> bytes:
    """Lines as a file; those that are bytes stand as they are."""
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def made(client: OpenAI, lines: Iterable[object] | bytes, *, endpoint: Any = CHAT, **more: Any) -> Batch:
    """A batch of these lines."""
    body = lines if isinstance(lines, bytes) else written(lines)
    file = client.files.create(file=("requests.jsonl", body), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def ended(client: OpenAI, batch: Batch, *, seconds: float = 60) -> Batch:
    """The batch once it has ended."""
    seen = [batch]

    def look() -> bool:
        seen[:] = [client.batches.retrieve(batch.id)]
        return seen[0].status in ENDED

    wait_until(look, seconds=seconds, what=f"the end of {batch.id}")
    return seen[0]


def lines_of(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of an output or error file; none where there is no file."""
    if file_id is None:
        return []
    body = client.files.content(file_id).content
    assert body.endswith(b"\n")
    return [json.loads(line) for line in body.splitlines()]


def price(lines: Iterable[dict[str, Any]], *, left: tuple[int, int] = (1, 1)) -> int:
    """What these answered chats cost by hand, in nano-USD, if of each cost `left` (part, of how many) is charged."""
    total = 0
    for line in lines:
        usage = line["response"]["body"]["usage"]
        full = INPUT * usage["prompt_tokens"] + OUTPUT * usage["completion_tokens"]
        total += -(-full * left[0] // left[1])
    return total


def charged(stage: Stage, batch: Batch) -> dict[str, int]:
    """What stands in the usage of a batch's lines, by the call's id, once those that went well are there."""
    mark, done = batch.id.removeprefix("batch_"), batch.request_counts.completed if batch.request_counts else 0
    found: dict[str, int] = {}

    def look() -> bool:
        found.update({id: int(row["charged"]) for id, row in stage.rows().items() if mark in id})
        return len(found) >= done

    wait_until(look, seconds=30, what=f"the rows of {batch.id}")
    stage.settled()
    look()
    return found


def prepared(
    world: World, row: Operation, places: dict[str, str], body: Mapping[str, object] | None
) -> tuple[dict[str, str], Mapping[str, object] | None]:
    """The places and the body of an example with a file or a batch of the world's key; one to be cancelled takes a while."""
    if row.use == "batches":
        return places, body
    prompt = "Hello [[fault:slow-first-byte:2]]" if row.use == "batch_cancel" else "Hello"
    lines = written([request("a", prompt)])
    head = {"authorization": f"Bearer {world.key}"}
    file = httpx.post(
        f"{world.base}/files", files={"file": ("a.jsonl", lines)}, data={"purpose": "batch"}, headers=head, timeout=60
    )
    assert file.status_code == 200, file.text
    asked = {"input_file_id": file.json()["id"], "endpoint": CHAT, "completion_window": "24h"}
    if row.use == "batch_create":
        return places, {**(body or {}), **asked}
    batch = httpx.post(f"{world.base}/batches", json=asked, headers=head, timeout=60)
    assert batch.status_code == 200, batch.text
    return {"id": batch.json()["id"]}, body
