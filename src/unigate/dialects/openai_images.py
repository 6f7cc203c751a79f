"""OpenAI's images: `POST /v1/images/generations`, whose pictures a provider answers with at once, or tasks make.

https://platform.openai.com/docs/api-reference/images/create. Where tasks make them the call waits for these: one, or several
where the model does not make as many pictures of one order. Pictures are answered as addresses, or in base64. Which fields
a model can take is its provider's business (`TaskApi.fits`).
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from unigate.base.errors import BadRequest, GatewayError, NotFound
from unigate.dialects import openai_pictures
from unigate.dialects.json_read import decode
from unigate.dialects.openai_body import Edits
from unigate.dialects.openai_errors import VendorError, pass_error, read_error, write_error
from unigate.dialects.openai_pictures import Seen, add_cost, edit, estimate, input_bound, read_answer
from unigate.dialects.openai_pictures_watch import Watch, write_stream_error
from unigate.dialects.replicate_read import shortened
from unigate.spec.exchange import Header
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.reply import Reply
from unigate.spec.task import Asset, Draft, Fit, Headers, Submission, Task, View

__all__ = [
    "OPERATIONS",
    "SIGNS",
    "Edits",
    "Seen",
    "VendorError",
    "Watch",
    "add_cost",
    "continue_task",
    "edit",
    "estimate",
    "events",
    "inlines",
    "input_bound",
    "missing",
    "parts",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "read_task",
    "write_accepted",
    "write_error",
    "write_inline",
    "write_notice",
    "write_pictures",
    "write_stream_error",
    "write_task",
    "write_tasks",
]

#: The operation as providers serve it that make tasks.
TASKS = "openai.images.generations.tasks"
OPERATIONS = (
    Operation(
        name="openai.images.generations",
        method="POST",
        path="/v1/images/generations",
        dialect="openai_images",
        family="images",
        body="json",
        upstream_path="/images/generations",
    ),
    Operation(
        name=TASKS,
        method="POST",
        path="/v1/images/generations",
        dialect="openai_images",
        family="images",
        use="task",
        body="json",
        within="openai.images.generations",
    ),
)
SIGNS = True
#: Seconds for which the call waits for its pictures; the task goes on afterwards.
WAIT = 300.0
_INLINE = "b64_json"
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


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    return openai_pictures.facts_of(openai_pictures.wish(body))


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
    if facts.response_format not in {None, "url", _INLINE}:
        words = "'response_format' is 'url' or 'b64_json'."
        raise BadRequest(words, param="response_format", code="invalid_value")
    conditions = {name: value for name in ("size", "quality") if (value := getattr(facts, name))}
    return Draft(
        operation=TASKS,
        model=facts.model,
        body=body,
        input={name: shortened(value) for name, value in body.items() if name != "model"},
        conditions=conditions,
        units=_units(facts.n or 1),
        wait=WAIT,
    )


def parts(draft: Draft, fits: Sequence[Fit]) -> list[Draft]:
    """The draft as orders of which each model of `fits` makes all that it asks for."""
    asked = draft.body.get("n")
    number = asked if isinstance(asked, int) else 1
    most = min((one.most for one in fits if one.most), default=number)
    if number <= most:
        return [draft]
    return [_of(draft, min(most, number - begin)) for begin in range(0, number, most)]


def _of(draft: Draft, number: int) -> Draft:
    return replace(draft, body={**draft.body, "n": number}, input={**draft.input, "n": number}, units=_units(number))


def _units(number: int) -> dict[str, int]:
    """What so many pictures consume at most."""
    return {"call": 1, "images": number, "milliseconds": 60_000 * number, "videos": number}


def continue_task(draft: Draft, parent: Task) -> Draft:  # noqa: ARG001 - as every dialect with tasks
    """No picture goes on from another one here."""
    raise BadRequest("This call does not go on from another one.")


def inlines(draft: Draft) -> bool:
    """Whether the pictures themselves are asked for, not their addresses."""
    return draft.body.get("response_format") == _INLINE


def write_accepted(task: Task, view: View) -> Reply:
    """The reply to a call that needed one task only."""
    return write_pictures([task], view)


def write_pictures(tasks: Sequence[Task], view: View) -> Reply:
    """The addresses of all pictures that were made; an error where there are none, or some may still come.

    Clients are told not to try again by themselves, since that would make, and cost, others.
    """
    made = pictures(tasks)
    if all(task.ended for task in tasks) and made:
        return Reply(_written(tasks, [view.link(asset) for asset in made]), headers=(_JSON_TYPE, *failed(tasks)))
    stay = (b"x-should-retry", b"false")
    late = [task.id for task in tasks if not task.ended]
    if late:
        lead = "The pictures are not ready yet" if len(late) == len(tasks) else f"{len(late)} orders are not ready yet"
        words = f"{lead}. They go on as tasks: GET /v1/tasks/{', /v1/tasks/'.join(late)}."
        if made:
            done = ", ".join(f"/v1/tasks/{task.id}" for task in tasks if task.state == "succeeded")
            words += f" What was made and charged stands at {done}."
        return Reply(_error(words, "server_error", "upstream_timeout"), 504, (_JSON_TYPE, stay))
    error = next((task.error for task in tasks if task.error is not None), None)
    words = error.message if error is not None else "No picture was made."
    code = error.code if error is not None else "image_generation_failed"
    return Reply(_error(words, "image_generation_user_error", code), 400, (_JSON_TYPE, stay))


def pictures(tasks: Sequence[Task]) -> list[Asset]:
    """The pictures of tasks, in their order."""
    return [asset for task in tasks if task.state == "succeeded" for asset in task.outputs]


def failed(tasks: Sequence[Task]) -> tuple[Header, ...]:
    """A header that says how many of several orders came to nothing, if some did."""
    count = sum(task.state != "succeeded" for task in tasks)
    return ((b"x-unigate-failed", b"%d" % count),) if count else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inlined:
    """A picture that is answered itself."""

    #: `png`, `jpeg`, ...
    format: str
    #: Width and height, None where its beginning does not tell.
    sides: tuple[int, int] | None
    pieces: AsyncIterator[bytes]


async def write_inline(tasks: Sequence[Task], made: Sequence[Inlined]) -> AsyncGenerator[bytes, None]:
    """The answer that holds the pictures in base64, piece by piece."""
    facts: dict[str, object] = {"created": _created(tasks)}
    if len(formats := {one.format for one in made}) == 1:
        facts["output_format"] = formats.pop()
    if len(sizes := {one.sides for one in made}) == 1 and (sides := sizes.pop()) is not None:
        facts["size"] = f"{sides[0]}x{sides[1]}"
    yield _encode(facts)[:-1] + b',"data":['
    for place, one in enumerate(made):
        yield (b"," if place else b"") + b'{"b64_json":"'
        rest = b""
        async for piece in one.pieces:
            whole = rest + piece
            end = len(whole) - len(whole) % 3
            rest = whole[end:]
            yield b64encode(whole[:end])
        yield b64encode(rest) + b'"}'
    yield b"]}"


def _error(message: str, kind: str, code: str) -> bytes:
    return _encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _created(tasks: Sequence[Task]) -> int:
    return tasks[0].created_at // 1000


def _written(tasks: Sequence[Task], links: Sequence[str]) -> bytes:
    return _encode({"created": _created(tasks), "data": [{"url": link} for link in links]})


def write_task(task: Task, view: View) -> bytes:
    """The answer that holds the task's pictures."""
    return _written([task], [view.link(asset) for asset in task.outputs])


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
