"""What stands in the files of OpenAI's batches: requests line by line, and the answers to them. Pure, as a dialect is.

https://platform.openai.com/docs/api-reference/batch/request-input and .../request-output
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from unigate.dialects import json_read
from unigate.spec.batch import Line

#: Errors that are told of one file.
MOST_ERRORS = 100
#: Members that ask for an answer which no line of a file can be.
_LATER = ("stream", "background")
#: Characters of a `custom_id`.
LONGEST_ID = 512
_LINE_MEMBERS = ("custom_id", "method", "url", "body")


class BadLine(Exception):
    """A line that is no request; its batch fails."""

    def __init__(self, number: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.told = {"code": code, "message": message, "param": param, "line": number or None}


class _Line(msgspec.Struct, gc=False):
    custom_id: Any = None
    method: Any = None
    url: Any = None
    body: msgspec.Raw = msgspec.Raw(b"")


class _Body(msgspec.Struct, gc=False):
    model: Any = None
    stream: Any = None
    background: Any = None


class _Response(msgspec.Struct, gc=False):
    status_code: int
    request_id: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Error(msgspec.Struct, gc=False):
    code: str | None = None
    message: str | None = None


class _Answered(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


_answered = msgspec.json.Decoder(_Answered)
_line = msgspec.json.Decoder(_Line)
_body = msgspec.json.Decoder(_Body)


def read_line(number: int, text: bytes, endpoint: str, *, model_optional: bool = False) -> Line:
    """A request; BadLine. Whether its `custom_id` stands in the file once is whoever reads the whole file's business."""
    asked = _decoded(number, text)
    custom_id = _needed(number, asked.custom_id, "custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        raise BadLine(number, "invalid_custom_id", "'custom_id' is a text that is not empty.", "custom_id")
    if len(custom_id) > LONGEST_ID:
        raise BadLine(number, "invalid_custom_id", f"A 'custom_id' has at most {LONGEST_ID} characters.", "custom_id")
    if _needed(number, asked.method, "method") != "POST":
        raise BadLine(number, "invalid_method", "The method of a request is 'POST'.", "method")
    if _needed(number, asked.url, "url") != endpoint:
        told = f"The URL of each request is the batch's endpoint, '{endpoint}'."
        raise BadLine(number, "invalid_url", told, "url")
    body = bytes(asked.body)
    _needed(number, body or None, "body")
    try:
        seen = _body.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise BadLine(number, "invalid_request", "The body of a request is a JSON object.", "body") from None
    for name in _LATER:
        if getattr(seen, name):
            told = f"'{name}' cannot be used in a batch."
            raise BadLine(number, f"{name}_not_supported", told, f"body.{name}")
    model = seen.model
    if model is None and model_optional:
        model = ""
    _needed(number, model, "body.model")
    if not isinstance(model, str):
        raise BadLine(number, "invalid_model", "'model' is a text.", "body.model")
    return Line(number=number, custom_id=custom_id, model=model, body=body)


def twice(line: Line) -> BadLine:
    """The error for a `custom_id` that stood in the file before."""
    told = f"The custom_id '{line.custom_id[:100]}' stands in the file more than once; it is to be unique."
    return BadLine(line.number, "duplicate_custom_id", told, "custom_id")


def write_answer(id: str, custom_id: str, status: int, request_id: str, body: bytes) -> bytes:
    """A line of the output file, or of the error file, without its end."""
    answered = {"status_code": status, "request_id": request_id, "body": _raw(body)}
    return msgspec.json.encode({"id": id, "custom_id": custom_id, "response": answered, "error": None})


def write_unanswered(id: str, custom_id: str, code: str, message: str) -> bytes:
    """A line of the error file for a request that was never made, without its end."""
    error = {"code": code, "message": message}
    return msgspec.json.encode({"id": id, "custom_id": custom_id, "response": None, "error": error})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A line that a provider answered; status 0: it was never called, and why."""

    number: int
    custom_id: str
    status: int = 0
    body: bytes = b""
    request_id: str = ""
    code: str = ""
    message: str = ""


def write_request(line: Line, endpoint: str, body: bytes) -> bytes:
    """A line for a provider, with its end. Our number stands before the caller's id, so that its answer needs no search."""
    told = {"custom_id": f"{line.number}.{line.custom_id}", "method": "POST", "url": endpoint, "body": _raw(body)}
    return msgspec.json.encode(told) + b"\n"


def read_answered(text: bytes) -> Answered | None:
    """A line that a provider answered to one of `write_request`; None for what is none."""
    try:
        told = _answered.decode(text)
        number, _, custom_id = told.custom_id.partition(".")
        response, error = told.response, told.error or _Error()
        return Answered(
            number=int(number),
            custom_id=custom_id,
            status=response.status_code if response is not None else 0,
            body=bytes(response.body) if response is not None else b"",
            request_id=(response.request_id or "") if response is not None else "",
            code=error.code or "provider_error",
            message=error.message or "The provider did not serve this request.",
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _decoded(number: int, text: bytes) -> _Line:
    try:
        asked = _line.decode(text)
        str(text, "utf-8")
        json_read.refuse_twice(text, _LINE_MEMBERS)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is no request
        told = "This line is not parseable as valid JSON."
        if isinstance(error, msgspec.ValidationError):
            told = "A line is a JSON object."
        raise BadLine(number, "invalid_json_line", told) from None
    return asked


def _needed(number: int, value: Any, name: str) -> Any:
    if value is None:
        raise BadLine(number, "missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    return value


def _raw(body: bytes) -> msgspec.Raw:
    """An answer as a part of a line: the same JSON without line breaks; what is no JSON becomes a text."""
    if not body.isascii():
        body = body.decode("utf-8", "replace").encode()
    try:
        return msgspec.Raw(msgspec.json.format(body, indent=-1))
    except (msgspec.DecodeError, RecursionError):
        return msgspec.Raw(msgspec.json.encode(body.decode("utf-8", "replace")))
