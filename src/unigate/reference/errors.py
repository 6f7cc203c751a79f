"""Errors as callers meet them: which statuses an operation may answer with, which codes stand in them and why."""

from collections.abc import Iterator, Mapping

from unigate.reference.schema import Schema, either, maybe, record, ref, text, whole
from unigate.spec.operation import Operation

#: Status -> code -> when. The classes of `base/errors.py` and DESIGN's table of codes say the same.
CODES: Mapping[int, Mapping[str, str]] = {
    400: {
        "invalid_request": "A field is missing or has a value that cannot be; `param` names it.",
        "unsupported": "No provider of the model can be asked for what the request asks for.",
        "invalid_json": "The body is not JSON, is not UTF-8, or names a field that is read twice.",
        "missing_model": "A realtime session names no model.",
        "previous_response_not_found": "`previous_response_id` names no stored response of the caller's.",
    },
    401: {
        "invalid_api_key": "There is no key, or nobody has this one, or it is switched off.",
        "key_expired": "The key has expired.",
    },
    402: {"insufficient_quota": "The balance or the key's budget does not reach for this call."},
    403: {
        "model_not_allowed": "The key may not use this model.",
        "address_not_allowed": "The key may not be used from this address.",
        "insufficient_permissions": "The key lacks the scope that this operation needs.",
        "price_missing": "The model has no price here, and calls without a price are not served.",
    },
    404: {
        "model_not_found": "Nothing serves this model at this endpoint for the caller.",
        "not_found": "The thing that is named does not exist, or is somebody else's.",
        "task_not_found": "There is no such task, or it is somebody else's.",
        "unknown_url": "The operation is switched off.",
    },
    408: {"request_timeout": "The request did not arrive in time."},
    409: {
        "conflict": "What is asked for cannot be done to the thing as it stands, or was asked for before, differently."
    },
    413: {"request_too_large": "The body is larger than the gateway takes."},
    415: {"unsupported_media_type": "The body is declared as something else than this endpoint takes."},
    422: {
        "invalid_request": "A field is missing or of a wrong type, or the provider refuses a value: `invalid_fields` names "
        "it; or nothing serves the version."
    },
    426: {"upgrade_required": "This address speaks WebSocket only, and the request was a plain one."},
    429: {
        "rate_limit_exceeded": "A limit of the key is reached, or every provider said so; see `retry-after`.",
        "queue_full": "So many tasks wait for a place already.",
    },
    431: {"request_head_too_large": "Request line and headers are larger than the gateway takes."},
    500: {"internal_error": "The gateway failed; the message names the request."},
    502: {"upstream_error": "No provider could be reached, or none gave an answer that could be read."},
    503: {
        "no_channel_available": "No channel for this model is available at the moment.",
        "store_unavailable": "The gateway's store is away; see `retry-after`.",
        "server_draining": "The gateway is shutting down.",
        "too_many_connections": "The gateway has as many connections as it takes.",
    },
    504: {"upstream_timeout": "The provider did not answer in time."},
}
#: What any request may get, whatever it asks for.
_ALWAYS = (400, 429, 431, 500, 503)
_WITH_BODY = (408, 413)
_WITH_TYPE = (415,)
_WITH_PROVIDER = (404, 502, 504)
#: Where a provider's refusal may stand in place of ours.
MAY_PASS = frozenset({400, 404, 413, 415})

_OBJECT = record(
    {
        "message": text("What went wrong, for a person. Failures of the gateway name the request id."),
        "type": text("The kind of error, in the vendor's words: `invalid_request_error`, `insufficient_quota`, ..."),
        "param": maybe(text("The field that the error is about.")),
        "code": maybe(text("The code: stable, for programs.")),
    },
    "An error.",
    needs=("message", "type", "param", "code"),
)
_VENDORS = record(
    {
        "error": record(
            {
                "message": text("What the provider said."),
                "type": maybe(text("The kind of error, if the provider told.")),
                "param": {"description": "The field that the error is about, if the provider told."},
                "code": maybe(either(text(), whole(), about="The provider's code.")),
            },
            needs=("message",),
        )
    },
    "A refusal of the provider's, passed on: the caller's own mistake, in the provider's words.",
    needs=("error",),
)
SCHEMAS: Mapping[str, Schema] = {
    "ErrorObject": _OBJECT,
    "Error": record({"error": ref("ErrorObject")}, "An error in OpenAI's form.", needs=("error",)),
    "PlatformError": record(
        {"success": {"const": False}, "message": text("The error's message."), "error": ref("ErrorObject")},
        "An error of the gateway's own API.",
        needs=("success", "message", "error"),
    ),
    "ProviderError": _VENDORS,
}


def statuses(operation: Operation) -> Iterator[int]:
    """The errors that follow from a row, in ascending order."""
    found = set(_ALWAYS)
    if operation.scope is not None:
        found |= {401, 403}
    if operation.body != "none":
        found.update(_WITH_BODY)
    if operation.body in {"json", "form"}:
        found.update(_WITH_TYPE)
    if operation.use == "task":
        found.add(409)
    if operation.use == "realtime":
        found.add(426)
    if asks_provider(operation):
        found.update(_WITH_PROVIDER)
    if not operation.free:
        found.add(402)
    yield from sorted(found)


def asks_provider(operation: Operation) -> bool:
    """Whether a provider answers, so that its refusals are passed on."""
    return operation.use in {
        "relay",
        "realtime",
        "realtime_call",
        "realtime_secret",
        "bound",
        "passed",
        "task",
        "task_resume",
        "task_ask",
    }
