"""OpenAI's batches: `/v1/batches`, run by ourselves. What stands in their files is in `openai_batch_lines.py`.

https://platform.openai.com/docs/api-reference/batch
"""

from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec

from unigate.base.errors import BadRequest, Conflict, GatewayError, NotFound
from unigate.dialects import json_read
from unigate.dialects.openai_errors import write_error
from unigate.dialects.openai_files import MOST, check_lasts
from unigate.spec.batch import Batch, NewBatch
from unigate.spec.operation import Operation
from unigate.spec.usage import Usage

__all__ = ["ENDPOINTS", "OPERATIONS", "read_batch", "read_page", "write_batch", "write_batches", "write_error"]

#: What lines may call: operations with a JSON body whose answer is JSON.
ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
)
WINDOWS = ("24h",)
MOST_LISTED, LISTED = 100, 20
#: Of metadata: pairs, characters of a name, characters of a value.
PAIRS, NAME, VALUE = 16, 64, 512
_BYTES = 1 << 20
_ID_CHARACTERS = 100


def _row(name: str, method: str, path: str, use: str) -> Operation:
    return Operation(
        name=f"openai.batches.{name}",
        method=method,
        path=f"/v1/batches{path}",
        dialect="openai_batches",
        family="batches",
        use=use,
        free=True,
        body="json" if name == "create" else "none",
        body_bytes=_BYTES,
        upstream_path=f"/batches{path}",
    )


OPERATIONS = (
    _row("create", "POST", "", "batch_create"),
    _row("list", "GET", "", "batches"),
    _row("get", "GET", "/{id}", "batch"),
    _row("cancel", "POST", "/{id}/cancel", "batch_cancel"),
)


class _Expires(msgspec.Struct):
    anchor: str | None = None
    seconds: int | None = None


class _New(msgspec.Struct):
    input_file_id: str | None = None
    endpoint: str | None = None
    completion_window: str | None = None
    metadata: dict[str, str] | None = None
    output_expires_after: _Expires | None = None


_NEW = msgspec.json.Decoder(_New)
_FIELDS = _New.__struct_fields__


def read_batch(body: bytes) -> NewBatch:
    """The batch that is asked for; InvalidJson, BadRequest."""
    asked = json_read.decode(body, _NEW)
    json_read.refuse_twice(body, _FIELDS)
    expires = asked.output_expires_after
    return NewBatch(
        input_file_id=_needed(asked.input_file_id, "input_file_id"),
        endpoint=_one_of(asked.endpoint, "endpoint", ENDPOINTS),
        completion_window=_one_of(asked.completion_window, "completion_window", WINDOWS),
        metadata=_metadata(asked.metadata),
        lasts=_lasts(expires) if expires is not None else MOST,
    )


def read_page(query: bytes) -> tuple[int, str]:
    """How many batches a list is to show at most, and behind which it begins; BadRequest."""
    asked = {name: values[-1] for name, values in parse_qs(query.decode("ascii", "replace")).items()}
    limit = asked.get("limit", str(LISTED))
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST_LISTED):
        raise BadRequest(f"'limit' is a number from 1 to {MOST_LISTED}.", param="limit")
    return int(limit), asked.get("after", "")


def is_id(text: str) -> bool:
    """Whether a batch can be called so."""
    return text.startswith("batch_") and len(text) < _ID_CHARACTERS and "\0" not in text


def missing(batch_id: str) -> GatewayError:
    """The error for a batch that is not there, or is another user's."""
    return NotFound(f"No batch found with id '{batch_id[:100]}'.", param="batch_id")


def no_file(file_id: str) -> GatewayError:
    """The error for an input file that is not there, or is another user's."""
    return NotFound(f"No such File object: {file_id[:100]}", param="input_file_id")


def wrong_purpose(file_id: str, purpose: str) -> GatewayError:
    """The error for an input file that was not uploaded for batches."""
    told = f"The file {file_id} has the purpose '{purpose}'; the input of a batch has the purpose 'batch'."
    return BadRequest(told, param="input_file_id", code="invalid_file_purpose")


def not_cancelled(batch: Batch) -> GatewayError:
    """The error for a batch that can't be cancelled any more."""
    return Conflict(f"Cannot cancel a batch with status '{batch.state}'.", param="batch_id")


def write_batch(batch: Batch) -> bytes:
    """A batch as callers read it."""
    return msgspec.json.encode(_shown(batch))


def write_batches(batches: Sequence[Batch], *, more: bool) -> bytes:
    """A page of the list."""
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [_shown(batch) for batch in batches],
            "first_id": batches[0].id if batches else None,
            "last_id": batches[-1].id if batches else None,
            "has_more": more,
        }
    )


def _shown(batch: Batch) -> dict[str, object]:
    errors = {"object": "list", "data": msgspec.Raw(batch.errors.encode())} if batch.errors else None
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model or None,
        "errors": errors,
        "input_file_id": batch.input_file_id,
        "completion_window": batch.completion_window,
        "status": batch.state,
        "output_file_id": batch.output_file_id or None,
        "error_file_id": batch.error_file_id or None,
        "created_at": batch.created_at // 1000,
        "in_progress_at": _seconds(batch.in_progress_at),
        "expires_at": _seconds(batch.expires_at),
        "finalizing_at": _seconds(batch.finalizing_at),
        "completed_at": _seconds(batch.completed_at),
        "failed_at": _seconds(batch.failed_at),
        "expired_at": _seconds(batch.expired_at),
        "cancelling_at": _seconds(batch.cancelling_at),
        "cancelled_at": _seconds(batch.cancelled_at),
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "usage": _usage(batch.usage),
        "metadata": msgspec.Raw(batch.metadata.encode()) if batch.metadata else None,
    }


def _usage(told: str) -> dict[str, object] | None:
    if not told:
        return None
    usage = Usage(msgspec.json.decode(told, type=dict[str, int]))
    cached = sum(count for unit, count in usage.units.items() if unit.startswith("cached_"))
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.units.get("reasoning", 0)},
        "total_tokens": usage.tokens,
    }


def _seconds(at: int) -> int | None:
    return at // 1000 or None


def _needed(value: str | None, name: str) -> str:
    if value is None:
        told = f"Missing required parameter: '{name}'."
        raise BadRequest(told, param=name, code="missing_required_parameter")
    return value


def _one_of(value: str | None, name: str, values: Sequence[str]) -> str:
    if _needed(value, name) not in values:
        known = ", ".join(f"'{one}'" for one in values)
        told = f"Invalid value: '{(value or '')[:100]}'. Supported values are: {known}."
        raise BadRequest(told, param=name, code="invalid_value")
    return value or ""


def _lasts(expires: _Expires) -> int:
    try:
        return check_lasts(expires.anchor, expires.seconds, "batch")
    except BadRequest as error:
        raise BadRequest(error.message, param=f"output_{error.param}") from None


def _metadata(told: dict[str, str] | None) -> str:
    """Metadata as JSON; BadRequest."""
    if told is None:
        return ""
    if len(told) > PAIRS:
        raise BadRequest(f"'metadata' has at most {PAIRS} pairs.", param="metadata")
    if any(len(name) > NAME for name in told):
        raise BadRequest(f"A name in 'metadata' has at most {NAME} characters.", param="metadata")
    long = next((name for name, value in told.items() if len(value) > VALUE), None)
    if long is not None:
        raise BadRequest(f"A value in 'metadata' has at most {VALUE} characters.", param=f"metadata.{long}")
    return msgspec.json.encode(told).decode()
