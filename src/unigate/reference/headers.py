"""Headers of replies and requests that have a meaning here."""

from collections.abc import Iterator, Mapping

from unigate.reference.schema import Schema, only, text, whole
from unigate.spec.operation import Operation

_USD = text("US dollars as a decimal number without exponent.")
_LIMITS = "Only for keys with such a limit."

#: Header -> what it says. One schema for each, referred to by all replies.
HEADERS: Mapping[str, tuple[str, Schema]] = {
    "x-request-id": ("The id of the call, also of a refused one; the usage list knows it.", text()),
    "x-unigate-cost": (
        "What the call was charged, once that is known; of a stream it stands in the last usage event if asked for.",
        _USD,
    ),
    "x-unigate-overhead-ms": ("The gateway's own share of the time until the reply began, in milliseconds.", text()),
    "x-unigate-channel": ("The channel that answered. Only operators' keys are told.", text()),
    "x-unigate-ignored": ("What the call asked for and the provider could not be asked, by name.", text()),
    "x-unigate-unreachable": (
        "Things that a list leaves out, since their providers cannot be asked now, by id.",
        text(),
    ),
    "x-unigate-failed": (
        "How many of the orders that a call was divided into came to nothing, which is free.",
        whole(low=1),
    ),
    "x-unigate-limited": (
        "The output limit sent to the provider: lower than asked, since the balance is small.",
        text(),
    ),
    "x-content-type-options": ("`nosniff`: a file is of the type that it is said to be.", only("nosniff")),
    "x-accel-buffering": ("`no`: a proxy is to pass events on as they come.", only("no")),
    "deprecation": ("`true` where the operation is deprecated.", only("true")),
    "retry-after": ("Seconds after which trying again makes sense.", whole(low=1)),
    "x-ratelimit-limit-requests": (f"Requests that the key may make per minute. {_LIMITS}", whole(low=0)),
    "x-ratelimit-remaining-requests": (f"Requests left of them. {_LIMITS}", whole(low=0)),
    "x-ratelimit-reset-requests": (f"Time until all are there again, like `1m2s`. {_LIMITS}", text()),
    "x-ratelimit-limit-tokens": (f"Tokens that the key may use per minute. {_LIMITS}", whole(low=0)),
    "x-ratelimit-remaining-tokens": (f"Tokens left of them. {_LIMITS}", whole(low=0)),
    "x-ratelimit-reset-tokens": (f"Time until all are there again, like `1m2s`. {_LIMITS}", text()),
}
REQUEST_ID = {"$ref": "#/components/headers/x-request-id"}
_ALL = ("x-request-id", "deprecation")
_OF_PROVIDERS = (
    "x-unigate-cost",
    "x-unigate-overhead-ms",
    "x-unigate-channel",
    "x-unigate-ignored",
    "x-unigate-limited",
)
_RATES = tuple(name for name in HEADERS if name.startswith("x-ratelimit-"))
_OF_ERRORS = {429: ("retry-after", *_RATES), 503: ("retry-after", *_RATES, "x-unigate-ignored", "x-unigate-limited")}
#: Always there.
_CERTAIN = frozenset({"x-request-id"})

#: Asks for the cost in the answer.
INCLUDE: Mapping[str, object] = {
    "name": "x-unigate-include",
    "in": "header",
    "description": "`cost` puts `usage.cost` (US dollars) into the answer, and into the last usage event of a stream.",
    "schema": {"type": "string", "enum": ["cost"]},
}
#: Makes one task of a submission that is sent again.
IDEMPOTENCY: Mapping[str, object] = {
    "name": "idempotency-key",
    "in": "header",
    "description": "The same submission sent again with the same text here, within a day, gets the task that the first made.",
    "schema": {"type": "string"},
}


def of_answer(operation: Operation) -> dict[str, object]:
    """Headers of a good answer."""
    names = [*_ALL, *_RATES]
    if operation.use == "relay":
        names += _OF_PROVIDERS
    elif operation.use == "task_events":
        names.append("x-accel-buffering")
    elif operation.use == "passed" and not operation.free:
        names.append("x-unigate-cost")
    elif operation.use == "own_file_content":
        names.append("x-content-type-options")
    elif operation.use == "passed":
        names += ["x-unigate-channel"] if operation.free else ["x-unigate-channel", "x-unigate-cost"]
        names += ["x-unigate-unreachable"] if operation.path.count("{") == 0 and operation.method == "GET" else []
    elif operation.use in {"task", "task_get", "task_cancel"}:
        names += ["x-unigate-cost", "x-unigate-ignored"] if operation.use == "task" else ["x-unigate-cost"]
        names += ["x-unigate-failed"] if operation.family == "images" else []
    return {name: _ref(name) for name in names}


def of_error(status: int) -> dict[str, object]:
    """Headers of an error."""
    return {name: _ref(name) for name in (*_ALL, *_OF_ERRORS.get(status, ()))}


def components() -> Iterator[tuple[str, dict[str, object]]]:
    """What the references lead to."""
    for name, (about, schema) in HEADERS.items():
        yield name, {"description": about, "required": name in _CERTAIN, "schema": schema}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}
