"""The seam of a vendor: one module in `faces/` exports one FACE, and that is all there is to adding a vendor."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, QueryParams

from unigate.sandbox.serving.answer import Answer, Event, Object, VendorError, Whole
from unigate.sandbox.serving.faults import Fault
from unigate.sandbox.serving.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as a handler sees it: read whole, its credential accepted."""

    #: Counts the requests of this process, from 1.
    number: int
    method: str
    #: Path below the face's base URL.
    path: str
    params: Mapping[str, str]
    query: QueryParams
    headers: Headers
    body: bytes
    credential: str
    #: The faults of this call that a handler must mind itself (`empty`); the rest is done when sending.
    fault: Fault
    world: World


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of a vendor: method, path below the face's base URL (`{name}`, `{name:path}`), handler."""

    method: str
    path: str
    handler: Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One vendor. Its base URL is `/<name>`, and `/fault/<spec>/<name>` with faults."""

    name: str
    title: str
    #: What stands behind `/<name>` in the base URL that a client is given, for the index only.
    base: str = ""
    routes: tuple[Route, ...]
    #: Reads the credential from a request's headers; None where there is none.
    credential: Callable[[Headers], str | None]
    #: What the vendor says to a missing (None) or wrong credential.
    refuse_key: Callable[[str | None], VendorError]
    #: What the vendor says with a status, for faults; the second argument is a code that the fault names.
    failure: Callable[[int, str | None], VendorError]
    #: An error as the vendor's answer.
    error: Callable[[VendorError], Whole]
    #: An error in the middle of a stream.
    stream_error: Callable[[VendorError], Event]
    #: What the vendor says to a method and path that it does not have, and to a wrong method of one that it has.
    no_route: Callable[[str, str], VendorError]
    wrong_method: Callable[[str, str], VendorError]
    #: Names of objects that carry usage, wherever they stand; the fault `missing-usage` takes them out.
    usage_keys: frozenset[str] = frozenset({"usage"})
    #: Headers of each answer: from the call's number and the model's name.
    headers: Callable[[int, str], tuple[tuple[str, str], ...]] = lambda _number, _model: ()
    #: WebSockets: path below the face's base URL, and what serves it (`serving/socket.py`).
    talks: tuple[tuple[str, Any], ...] = ()
    #: Also served without any prefix, as `/v1/...`.
    at_root: bool = False


def bearer(headers: Headers) -> str | None:
    """The credential of `Authorization: Bearer ...`."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def without_usage(value: object, keys: frozenset[str]) -> object:
    """A copy of JSON data without the objects named `keys`, at any depth."""
    if isinstance(value, dict):
        return {k: without_usage(v, keys) for k, v in value.items() if k not in keys}
    if isinstance(value, list):
        return [without_usage(item, keys) for item in value]
    return value


def drop_usage(data: Object, keys: frozenset[str]) -> Object:
    """An object without usage."""
    kept = without_usage(data, keys)
    assert isinstance(kept, dict)
    return kept


def faces() -> tuple[Face, ...]:
    """All vendors, found by walking the folder `faces/`; two with one name are refused."""
    package = importlib.import_module("unigate.sandbox.faces")
    found: dict[str, Face] = {}
    for info in pkgutil.iter_modules(package.__path__):
        face = importlib.import_module(f"{package.__name__}.{info.name}").FACE
        if not isinstance(face, Face):
            raise TypeError(f"faces/{info.name}.py: FACE is not a Face")
        if face.name in found:
            raise ValueError(f"two faces are named {face.name!r}")
        found[face.name] = face
    return tuple(found.values())
