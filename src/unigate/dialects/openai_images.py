"""OpenAI's images: `POST /v1/images/generations`, whose pictures are made by tasks.

https://platform.openai.com/docs/api-reference/images/create. The call waits for its task; pictures are answered as
addresses. Which fields a model can take is its provider's business (`replicate_images` for Replicate).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from unigate.base.errors import BadRequest, GatewayError, NotFound
from unigate.dialects import replicate_images
from unigate.dialects.json_read import decode
from unigate.dialects.openai_errors import pass_error, write_error
from unigate.dialects.replicate_read import shortened
from unigate.spec.operation import Operation
from unigate.spec.reply import Reply
from unigate.spec.task import Draft, Headers, Submission, Task, View

__all__ = [
    "OPERATIONS",
    "SIGNS",
    "continue_task",
    "events",
    "missing",
    "pass_error",
    "read_task",
    "write_accepted",
    "write_error",
    "write_notice",
    "write_task",
    "write_tasks",
]

GENERATIONS = "openai.images.generations"
OPERATIONS = (
    Operation(
        name=GENERATIONS,
        method="POST",
        path="/v1/images/generations",
        dialect="openai_images",
        family="images",
        use="task",
        body="json",
    ),
)
SIGNS = True
#: Seconds for which the call waits for its pictures; the task goes on afterwards.
WAIT = 300.0
_MOST = 10
_MAX_PROMPT = 32_000
_JSON_TYPE = (b"content-type", b"application/json")
_encode = msgspec.json.encode


class _Asked(msgspec.Struct):
    """What we need to know of a body."""

    prompt: str | None = None
    model: str | None = None
    n: int | None = None
    size: str | None = None
    quality: str | None = None
    response_format: str | None = None
    stream: bool | None = None


_ASKED = msgspec.json.Decoder(_Asked)
_BODY = msgspec.json.Decoder(dict[str, Any])


def read_task(asked: Submission) -> Draft:
    """The pictures that are asked for. InvalidJson, BadRequest."""
    facts = decode(asked.body, _ASKED)
    body = decode(asked.body, _BODY)
    if not facts.prompt:
        raise BadRequest("Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter")
    if len(facts.prompt) > _MAX_PROMPT:
        raise BadRequest(f"The prompt is longer than {_MAX_PROMPT} characters.", param="prompt")
    if not facts.model:
        raise BadRequest("Missing required parameter: 'model'.", param="model", code="missing_required_parameter")
    if facts.n is not None and not 1 <= facts.n <= _MOST:
        raise BadRequest(f"'n' is a number from 1 to {_MOST}.", param="n")
    if facts.stream:
        raise BadRequest("This model's pictures cannot be streamed.", param="stream", code="unsupported_value")
    if facts.response_format not in {None, "url"}:
        words = "Pictures are answered as addresses: 'response_format' can only be 'url'."
        raise BadRequest(words, param="response_format", code="unsupported_value")
    replicate_images.check(facts.model, body)
    number = facts.n or 1
    conditions = {name: value for name in ("size", "quality") if (value := getattr(facts, name))}
    return Draft(
        operation=GENERATIONS,
        model=facts.model,
        body=body,
        input={name: shortened(value) for name, value in body.items() if name != "model"},
        conditions=conditions,
        units={"call": 1, "images": number, "milliseconds": 60_000 * number, "videos": number},
        wait=WAIT,
    )


def continue_task(draft: Draft, parent: Task) -> Draft:  # noqa: ARG001 - as every dialect with tasks
    """No picture goes on from another one here."""
    raise BadRequest("This call does not go on from another one.")


def write_accepted(task: Task, view: View) -> Reply:
    """The pictures; an error where there are none, which clients are told not to try again by themselves."""
    stay = (b"x-should-retry", b"false")
    if task.state == "succeeded":
        named = ", ".join(replicate_images.ignored(task.model, task.input))
        marks = ((b"x-unigate-ignored", named.encode()),) if named else ()
        return Reply(write_task(task, view), headers=(_JSON_TYPE, *marks))
    if not task.ended:
        words = f"The pictures are not ready yet. Their task goes on: GET /v1/tasks/{task.id}."
        return Reply(_error(words, "server_error", "upstream_timeout"), 504, (_JSON_TYPE, stay))
    words = task.error.message if task.error is not None else "No picture was made."
    code = task.error.code if task.error is not None else "image_generation_failed"
    return Reply(_error(words, "image_generation_user_error", code), 400, (_JSON_TYPE, stay))


def _error(message: str, kind: str, code: str) -> bytes:
    return _encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def write_task(task: Task, view: View) -> bytes:
    """The answer that holds the task's pictures."""
    return _encode({"created": task.created_at // 1000, "data": [{"url": view.link(asset)} for asset in task.outputs]})


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:  # noqa: ARG001 - no list has pages here
    """The answers of several."""
    return b"[" + b",".join(write_task(task, view) for task in tasks) + b"]"


def missing(task_id: str) -> GatewayError:
    """The error for a task that is not there."""
    return NotFound(f"The task '{task_id}' does not exist.", code="not_found")


def events(before: Task | None, after: Task) -> tuple[str, ...]:  # noqa: ARG001 - as every dialect with tasks
    """Nobody is called back in this form."""
    return ()


def write_notice(task: Task, event: str, view: View) -> tuple[Headers, bytes]:  # noqa: ARG001 - the same
    """Headers and body of a callback, which nobody asks for."""
    return (_JSON_TYPE,), write_task(task, view)
