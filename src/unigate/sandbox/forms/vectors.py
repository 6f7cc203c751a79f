"""Vectors in the kinds that vendors have beside 32-bit floats, and of pictures; a face for vendors without chats."""

import base64
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from starlette.datastructures import Headers

from unigate.sandbox.brain import tokens, vectors
from unigate.sandbox.forms import checks, openai_errors
from unigate.sandbox.forms.models import Kind, Model, Models
from unigate.sandbox.forms.openai_vendor import Words
from unigate.sandbox.serving.answer import Event, Object, VendorError, Whole
from unigate.sandbox.serving.face import Face, Route, bearer

KINDS = ("float", "int8", "uint8", "binary", "ubinary")
#: Tokens of a picture.
PICTURE_TOKENS = 640
#: The length of vectors of models of the sandbox's own.
_OWN = 256
_BYTE = 127


def named(models: Models, body: Object, kind: Kind, no_model: Callable[[str], VendorError]) -> Model:
    """The model of a call, of the kind that is asked for."""
    name = checks.text(body, "model", "model", required=True)
    found = models.find(name)
    if found is None or (found.kind != kind and found.owner != "sandbox"):
        raise no_model(name)
    return found


def made(given: str, model: Model, size: int | None) -> list[float]:
    """The vector of a text, or of a picture (by its data or address), as long as asked for."""
    long = model.dimensions or _OWN
    if given.startswith(("data:image/", "http://", "https://")):
        given = sha256(given.encode()).hexdigest()
    vector = vectors.of_text(given, long, model.name)
    return vector if size in (None, long) else vectors.shortened(vector, size or long)


def counted(given: str) -> int:
    """Tokens of an input."""
    return PICTURE_TOKENS if given.startswith("data:image/") else tokens.count(given)


def size(body: Object, name: str, model: Model, sizes: Sequence[int] = ()) -> int | None:
    """The length that is asked for: one of `sizes`, or any up to the model's own."""
    wanted = checks.integer(body, name, 1, model.dimensions or _OWN)
    if wanted is not None and sizes and wanted not in sizes:
        raise checks.refuse(f"{name} must be one of {', '.join(map(str, sizes))}", name)
    return wanted


def shown(vector: Sequence[float], kind: str) -> list[Any]:
    """A vector as numbers of one kind: bits are packed eight to a byte, the first in the highest place."""
    if kind == "float":
        return [round(value, 9) for value in vector]
    largest = max(map(abs, vector)) or 1.0
    if kind == "int8":
        return [round(value / largest * _BYTE) for value in vector]
    if kind == "uint8":
        return [round(value / largest * _BYTE) + _BYTE + 1 for value in vector]
    packed = [
        sum((value > 0) << (7 - at) for at, value in enumerate(vector[n : n + 8])) for n in range(0, len(vector), 8)
    ]
    return packed if kind == "ubinary" else [byte - _BYTE - 1 for byte in packed]


def packed(vector: Sequence[float], kind: str = "float") -> str:
    """The same in base64: floats of 32 bits, all else a byte each."""
    if kind == "float":
        return base64.b64encode(vectors.packed(vector)).decode()
    return base64.b64encode(bytes(value % 256 for value in shown(vector, kind))).decode()


def vectors_face(
    name: str,
    title: str,
    base: str,
    routes: tuple[Route, ...],
    *,
    words: Mapping[int, Words],
    write: Callable[[VendorError], object],
    credential: Callable[[Headers], str | None] = bearer,
    usage_keys: frozenset[str] = frozenset({"usage"}),
) -> Face:
    """The face of a vendor that has no chats. `words` are by the status that a fault names; `write`: the body of an error."""

    def failure(status: int, code: str | None = None) -> VendorError:
        said = words.get(status)
        if said is None:
            return openai_errors.failure(status, code)
        return VendorError(
            said.status, said.message, kind=said.kind, code=code or said.code, retry_after=said.retry_after
        )

    def whole(error: VendorError) -> Whole:
        return Whole(payload=write(error), status=error.status)

    def in_stream(error: VendorError) -> Event:
        return Event({"error": write(error)}, "end")

    return Face(
        name=name,
        title=title,
        base=base,
        routes=routes,
        credential=credential,
        refuse_key=lambda _credential: failure(401),
        failure=failure,
        error=whole,
        stream_error=in_stream,
        no_route=openai_errors.no_route,
        wrong_method=openai_errors.wrong_method,
        usage_keys=usage_keys,
    )
