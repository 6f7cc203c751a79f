"""Streams of responses for tests, in the vendor's order of events."""

import json
from typing import Any

from unigate.dialects import openai_responses as responses
from unigate.spec.provider import Provider

PLAIN = Provider(name="plain", title="Plain", base_url=None, speaks=("openai_responses",))
FACTS = responses.read(b'{"model":"m","input":"hi","stream":true}')
USAGE = {
    "input_tokens": 63,
    "input_tokens_details": {"cache_write_tokens": 3, "cached_tokens": 40},
    "output_tokens": 69,
    "output_tokens_details": {"reasoning_tokens": 26},
    "total_tokens": 132,
}
UNITS = {"input": 20, "cached_input": 40, "cache_write": 3, "reasoning": 26, "output": 43}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hé, you"}],
}


def event(kind: str, **members: Any) -> bytes:
    """One event as the vendor sends it."""
    data = json.dumps({"type": kind, **members}, separators=(",", ":"), ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def response(status: str = "in_progress", **members: Any) -> dict[str, Any]:
    """A response object with what we read of it."""
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "store": True,
        "output": [],
        "usage": None,
        **members,
    }


OPENING = (
    event("response.created", response=response(service_tier="auto"), sequence_number=0),
    event("response.in_progress", response=response(service_tier="auto"), sequence_number=1),
    event("response.output_item.added", item={"id": "msg_1", "type": "message"}, output_index=0, sequence_number=2),
    event("response.content_part.added", part={"type": "output_text", "text": ""}, item_id="msg_1", sequence_number=3),
)
SAID = (
    event("response.output_text.delta", delta="Hé,", item_id="msg_1", obfuscation="x", sequence_number=4),
    event("response.output_text.delta", delta=" you", item_id="msg_1", sequence_number=5),
    event("response.output_text.done", text="Hé, you", item_id="msg_1", sequence_number=6),
    event("response.output_item.done", item=MESSAGE, output_index=0, sequence_number=7),
)
LAST = event(
    "response.completed",
    response=response("completed", service_tier="default", output=[MESSAGE], usage=USAGE),
    sequence_number=8,
)
WHOLE = b"".join((*OPENING, *SAID, LAST))


def watching(cost: str | None = None) -> responses.Watch:
    """A watcher of one stream."""
    return responses.Watch(FACTS, PLAIN, show_usage=False, cost=(lambda _: cost) if cost else None)
