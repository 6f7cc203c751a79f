"""The lines of a batch: what the vendor finds wrong with them before it begins, and what an answer to one looks like.

https://platform.openai.com/docs/api-reference/batch/request-input
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from unigate.sandbox.forms import jsonl, platform
from unigate.sandbox.forms.models import Models
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.inner import Answered

#: Lines that a batch may have, and errors that are told of it.
_MOST_LINES = 50_000
_MOST_ERRORS = 50
_EMPTY = "The batch file is empty. Please ensure that the batch contains at least one request."
_DUPLICATE = (
    "The custom_id for this request is a duplicate of another request. "
    "The custom_id parameter must be unique for each request in a batch."
)
_MISMATCHED = (
    "The model for this request does not match the rest of the batch. "
    "Each batch must contain requests for a single model."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One call of a batch."""

    custom_id: str
    body: Object


def read(data: bytes, endpoint: str, models: Models) -> tuple[list[Line], list[Object]]:
    """The calls of a file, and what is wrong with it, as the vendor tells it."""
    lines: list[Line] = []
    errors: list[Object] = []
    seen: set[str] = set()
    first: str | None = None
    for number, given in jsonl.read(data):
        wrong = _wrong(given, endpoint, models, seen, first)
        if wrong is not None or given is None:
            errors.append(_error(*(wrong or ("invalid_json_line", "", None)), line=number))
        else:
            seen.add(given["custom_id"])
            first = first or given["body"]["model"]
            lines.append(Line(custom_id=given["custom_id"], body=given["body"]))
        if len(errors) == _MOST_ERRORS:
            break
    if not lines and not errors:
        errors.append(_error("empty_file", _EMPTY, None))
    if len(lines) > _MOST_LINES:
        errors.append(_error("too_many_tasks", f"The batch has more than {_MOST_LINES} requests.", None))
    return lines, errors


def _wrong(
    given: Object | None, endpoint: str, models: Models, seen: Collection[str], first: str | None
) -> tuple[str, str, str | None] | None:
    """Code, message and parameter of what is wrong with a line; None where it is good."""
    if given is None:
        return "invalid_json_line", "This line is not parseable as valid JSON.", None
    for name in ("custom_id", "method", "url", "body"):
        if given.get(name) is None:
            return "missing_required_parameter", f"Missing required parameter: '{name}'.", name
    if not isinstance(given["custom_id"], str) or not isinstance(given["body"], dict):
        name = "body" if isinstance(given["custom_id"], str) else "custom_id"
        return "invalid_type", f"Invalid type for '{name}'.", name
    if given["custom_id"] in seen:
        return "duplicate_custom_id", _DUPLICATE, "custom_id"
    if given["method"] != "POST":
        return "invalid_method", "Invalid method. The only supported method is 'POST'.", "method"
    if given["url"] != endpoint:
        return "invalid_url", "The URL provided for this request does not match the batch endpoint.", "url"
    return _wrong_body(given["body"], models, first)


def _wrong_body(body: Object, models: Models, first: str | None) -> tuple[str, str, str | None] | None:
    model: Any = body.get("model")
    if model is None:
        return "missing_required_parameter", "Missing required parameter: 'body.model'.", "body.model"
    if not isinstance(model, str) or models.find(model) is None:
        return "model_not_found", f"The provided model '{model}' is not supported by the Batch API.", "body.model"
    if first is not None and model != first:
        return "mismatched_model", _MISMATCHED, "body.model"
    if body.get("stream"):
        return "unsupported_parameter", "Streaming is not supported by the Batch API.", "body.stream"
    return None


def _error(code: str, message: str, param: str | None, line: int | None = None) -> Object:
    return {"code": code, "message": message, "param": param, "line": line}


def written(line: Line, answered: Answered) -> Object:
    """The line of an output or error file."""
    return {
        "id": platform.hex_id("batch_req_", 32),
        "custom_id": line.custom_id,
        "response": {
            "status_code": answered.status,
            "request_id": platform.hex_id("", 32),
            "body": answered.body,
        },
        "error": None,
    }


def nothing() -> Object:
    """The usage of a batch that has answered nothing."""
    return {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }


def count(usage: Object, told: Object) -> None:
    """Add to a batch's usage what an answer says that it consumed, be it of a chat or of a response."""
    given: int = told.get("prompt_tokens") or told.get("input_tokens") or 0
    made: int = told.get("completion_tokens") or told.get("output_tokens") or 0
    cached = _detail(told, "prompt_tokens_details", "input_tokens_details").get("cached_tokens", 0)
    thought = _detail(told, "completion_tokens_details", "output_tokens_details").get("reasoning_tokens", 0)
    usage["input_tokens"] += given
    usage["input_tokens_details"]["cached_tokens"] += cached
    usage["output_tokens"] += made
    usage["output_tokens_details"]["reasoning_tokens"] += thought
    usage["total_tokens"] += given + made


def _detail(told: Object, *names: str) -> Object:
    return next((told[name] for name in names if isinstance(told.get(name), dict)), {})
