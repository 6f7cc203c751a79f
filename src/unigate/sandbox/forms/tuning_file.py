"""Reads files of examples that models are tuned with, and says what the vendor finds wrong with them.

https://platform.openai.com/docs/guides/supervised-fine-tuning#formatting-your-data
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unigate.sandbox.brain import tokens
from unigate.sandbox.forms import jsonl
from unigate.sandbox.serving.answer import Object, encode

_LEAST = 10
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What stands in a file."""

    count: int
    #: Of one epoch.
    tokens: int
    #: What is wrong with the file; empty where nothing is.
    wrong: str


def read(data: bytes, kind: str, *, least: int = _LEAST) -> Examples:
    """The examples of a file, of which each is a key of KINDS, and there must be so many."""
    count = size = 0
    for number, example in jsonl.read(data):
        wrong = "is not a JSON object." if example is None else KINDS[kind](example)
        if wrong or example is None:
            return Examples(count=count, tokens=size, wrong=f"Invalid file format. Line {number} {wrong}")
        count += 1
        size += tokens.count(encode(example).decode())
    wrong = f"has {count} example(s), but must have at least {least} examples." if count < least else ""
    return Examples(count=count, tokens=size, wrong=wrong)


def _talk(example: Object) -> str:
    """A conversation that ends in what the model shall say."""
    wrong = _messages(example.get("messages"), "messages")
    if wrong:
        return wrong
    if not any(message["role"] == "assistant" for message in example["messages"]):
        return "has no message of the role 'assistant'."
    return ""


def _messages(value: Any, name: str) -> str:
    if not isinstance(value, list) or not value:
        return f"has no '{name}', which must be an array of messages."
    for place, message in enumerate(value, 1):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return f"has a message without a role that is known, at {place} of '{name}'."
        said = message.get("content"), message.get("tool_calls"), message.get("function_call")
        if not any(isinstance(one, str | list | dict) for one in said):
            return f"has a message without content, at {place} of '{name}'."
    return ""


def _preference(example: Object) -> str:
    """A question with an answer that is preferred to another."""
    given = example.get("input")
    wrong = _messages(given.get("messages") if isinstance(given, dict) else None, "input.messages")
    for name in ("preferred_output", "non_preferred_output"):
        wrong = wrong or _messages(example.get(name), name)
    return wrong


def _task(example: Object) -> str:
    """A question whose answers are graded."""
    return _messages(example.get("messages"), "messages")


def _text(example: Object) -> str:
    """A text and how it goes on."""
    lacking = [name for name in ("prompt", "completion") if not isinstance(example.get(name), str)]
    return f"has no '{lacking[0]}', which must be a string." if lacking else ""


#: Says what is wrong with an example of a kind; empty where nothing is.
KINDS: dict[str, Callable[[Object], str]] = {
    "supervised": _talk,
    "dpo": _preference,
    "reinforcement": _task,
    "text": _text,
}
