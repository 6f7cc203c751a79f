"""Reading requests strictly, before any handler sees them: what is ambiguous or unknown is refused."""

import json
from typing import Any

from fastapi import Request

from unigate.base.errors import InvalidJson, TooLarge, UnsupportedMediaType
from unigate.dialects import json_read
from unigate.http.api.errors import BadFields

#: Bytes of a body; the largest are lists of a channel's models.
MAX_BODY = 1024 * 1024


class ReadRequest(Request):
    """A request whose body was read by these rules."""

    def __init__(self, request: Request, raw: bytes, value: object) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._value = value

    async def body(self) -> bytes:
        """The body as it came."""
        return self._raw

    async def json(self) -> Any:
        """The body's object."""
        return self._value


async def read_object(request: Request) -> ReadRequest:
    """The request with its JSON object; UnsupportedMediaType, TooLarge, InvalidJson."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType("This takes a body of the type application/json.")
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BODY:
            raise TooLarge(f"A body has at most {MAX_BODY} bytes.")
    body = bytes(raw)
    return ReadRequest(request, body, _object(body))


def check_query(request: Request, known: frozenset[str]) -> None:
    """BadRequest for a parameter that this route does not know, that stands twice, or that no text can be."""
    fields = []
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            fields.append((name, "unknown parameter"))
        elif name in seen:
            fields.append((name, "stands more than once"))
        elif "\0" in value:
            fields.append((name, "contains a NUL character"))
        seen.add(name)
    if fields:
        raise BadFields(fields)


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise InvalidJson("The body is empty: a JSON object is expected.")
    try:
        text = body.decode()
        if json_read.depth(body) > json_read.MAX_DEPTH:
            raise InvalidJson(f"The body nests deeper than {json_read.MAX_DEPTH} levels.")
        value = json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except UnicodeDecodeError:
        raise InvalidJson("The body is not valid UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidJson(f"The body is not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InvalidJson("The body must be a JSON object.")
    _check_texts(value)
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidJson(f"The key {name!r} stands more than once in an object of the body.")
        found[name] = value
    return found


def _constant(text: str) -> None:
    raise InvalidJson(f"The body is not valid JSON: {text} is no number.")


def _check_texts(value: object) -> None:
    """InvalidJson for texts that are none (half a surrogate pair) or that no database keeps (NUL)."""
    if isinstance(value, str):
        if "\0" in value or not _encodable(value):
            raise InvalidJson("A text of the body contains a NUL character or half a surrogate pair.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_texts(name)
            _check_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_texts(inner)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
