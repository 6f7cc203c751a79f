"""What a dialect says of the things that its providers keep, where it is not OpenAI's platform.

A dialect whose operations have the use `passed` may have, each in place of what `openai_passed` does: `missing_thing(kind,
id)`; `read_thing(body, operation)`, the body as an object; `named_things(operation, value)`, kind and id of what a body names,
which goes where that is known and by the names that it has there; `made_things(operation, answer)`, what an answer names and
later calls may; `check_answer(operation, answer)`, which raises for a refusal that came as 2xx; `show_thing(operation, answer)`, the answer as its callers read it; `delivers(operation, answer)`, whether it
holds what has a price; GUARDED, kinds of things of which none may be named that is another user's; and PASSED_MODEL, the model by which calls are routed that go nowhere in particular. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from unigate.base.errors import GatewayError
from unigate.dialects import openai_passed, writer
from unigate.spec.operation import Operation
from unigate.spec.task import Made

Thing = tuple[str, str]
Found = TypeVar("Found")


def missing(operation: Operation, kind: str, id: str) -> GatewayError:
    """The error for a thing that is not there, or is another user's."""
    return _of(operation, "missing_thing", openai_passed.missing)(kind, id)


def read_body(body: bytes, operation: Operation) -> dict[str, Any]:
    """A body as an object; CallerError."""
    return _of(operation, "read_thing", openai_passed.read_body)(body, operation)


def named(operation: Operation, value: Mapping[str, Any] | None) -> Sequence[Thing]:
    """What a body names: kind and public id."""
    return _of(operation, "named_things", _nothing_named)(operation, value or {})


def guarded(operation: Operation) -> Sequence[str]:
    """Kinds of things of which a body may name no other user's, wherever."""
    return _of(operation, "GUARDED", ())


def check(operation: Operation, body: bytes) -> None:
    """BadAnswer for an answer that can't be read, UpstreamRefused for a refusal that came with a good status."""
    _of(operation, "check_answer", _always)(operation, body)


def made(operation: Operation, body: bytes) -> Sequence[Made]:
    """What an answer names; with `Operation.binds` of a call that makes something, that first. BadAnswer."""
    return _of(operation, "made_things", _made)(operation, body)


def shown(operation: Operation, body: bytes) -> bytes:
    """An answer as callers read it; BadAnswer."""
    return _of(operation, "show_thing", _as_it_is)(operation, body)


def delivers(operation: Operation, body: bytes) -> bool:
    """Whether an answer holds what its caller pays for."""
    return _of(operation, "delivers", _always)(operation, body)


def model(operation: Operation) -> str:
    """The model by which a call is routed that goes nowhere in particular; "": by none."""
    return _of(operation, "PASSED_MODEL", "")


def _of(operation: Operation, name: str, usual: Found) -> Found:
    found: Found = getattr(writer(operation.dialect), name, usual)
    return found


def _nothing_named(operation: Operation, value: Mapping[str, Any]) -> Sequence[Thing]:  # noqa: ARG001 - as dialects have it
    return ()


def _made(operation: Operation, body: bytes) -> Sequence[Made]:
    creates = operation.method == "POST" and "{id}" not in operation.path
    return [Made(kind=operation.binds, id=openai_passed.read_made(body))] if creates else ()


def _as_it_is(operation: Operation, body: bytes) -> bytes:  # noqa: ARG001 - as dialects have it
    return body


def _always(operation: Operation, body: bytes) -> bool:  # noqa: ARG001 - as dialects have it
    return True
