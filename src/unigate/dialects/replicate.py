"""Replicate's API for callers: predictions, files, models, account, the secret of callbacks.

https://replicate.com/docs/reference/http. This module has the table; what is read and written stands in `replicate_read`,
`replicate_write` and `replicate_errors`, models in `replicate_models` and `replicate_shown`. It must not know how a
prediction gets to the vendor: that is `providers/replicate.py`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

from unigate.base.clock import utc
from unigate.base.errors import BadRequest
from unigate.dialects.replicate_errors import (
    ERROR_TYPE,
    Invalid,
    error_status,
    missing,
    pass_error,
    unserved,
    write_error,
)
from unigate.dialects.replicate_read import FILE, kept_things, read_task, with_kept
from unigate.dialects.replicate_write import (
    SIGNS,
    events,
    write_accepted,
    write_events,
    write_notice,
    write_secret,
    write_task,
    write_tasks,
)
from unigate.spec.operation import Operation
from unigate.spec.task import Draft, Submission, Task
from unigate.spec.task_page import PageAsked

__all__ = [
    "ERROR_TYPE",
    "OPERATIONS",
    "SIGNS",
    "continue_task",
    "error_status",
    "events",
    "kept_things",
    "missing",
    "next_query",
    "pass_error",
    "read_page",
    "read_task",
    "unserved",
    "with_kept",
    "write_accepted",
    "write_error",
    "write_events",
    "write_notice",
    "write_secret",
    "write_task",
    "write_tasks",
]

PAGE = 100
#: The vendor's own limit, and what a multipart body needs around a file.
_FILE_BYTES = (100 << 20) + (64 << 10)


def _row(name: str, method: str, path: str, use: str, *, free: bool = True, **more: object) -> Operation:
    return Operation(
        name=f"replicate.{name}",
        method=method,
        path=f"/replicate/v1{path}",
        dialect="replicate",
        family="replicate",
        use=use,
        free=free,
        **more,  # type: ignore[arg-type]
    )


def _creates(name: str, path: str) -> Operation:
    return _row(name, "POST", path, "task", free=False, body="json")


def _of_file(name: str, method: str, path: str, use: str) -> Operation:
    return _row(name, method, path, use, binds=FILE, upstream_path=path)


OPERATIONS = (
    _creates("predictions.create", "/predictions"),
    _creates("models.predictions.create", "/models/{owner}/{name}/predictions"),
    _creates("deployments.predictions.create", "/deployments/{owner}/{name}/predictions"),
    _row("predictions.list", "GET", "/predictions", "replicate_list"),
    _row("predictions.get", "GET", "/predictions/{id}", "task_get"),
    _row("predictions.cancel", "POST", "/predictions/{id}/cancel", "task_cancel"),
    _row("predictions.stream", "GET", "/predictions/{id}/stream", "task_events"),
    _row("streams", "GET", "/streams/{id}", "replicate_stream", scope=None),
    _row("models.get", "GET", "/models/{owner}/{name}", "replicate_model"),
    _row("models.versions.list", "GET", "/models/{owner}/{name}/versions", "replicate_versions"),
    _row("models.versions.get", "GET", "/models/{owner}/{name}/versions/{version}", "replicate_version"),
    _row(
        "files.create",
        "POST",
        "/files",
        "replicate_upload",
        body="raw",
        body_bytes=_FILE_BYTES,
        binds=FILE,
        upstream_path="/files",
    ),
    _of_file("files.list", "GET", "/files", "replicate_files"),
    _of_file("files.get", "GET", "/files/{id}", "replicate_file"),
    _of_file("files.delete", "DELETE", "/files/{id}", "replicate_file"),
    _of_file("files.download", "GET", "/files/{id}/download", "replicate_file"),
    _row("webhooks.secret", "GET", "/webhooks/default/secret", "webhook_secret"),
    _row("account", "GET", "/account", "replicate_account"),
)


def continue_task(draft: Draft, parent: Task) -> Draft:  # noqa: ARG001 - as every dialect with tasks
    """No prediction goes on from another one."""
    raise BadRequest("A prediction does not go on from another one.")


def read_page(asked: Submission) -> PageAsked:
    """A page of the user's predictions; Invalid for a time that is none."""
    query = parse_qs(asked.query)
    return PageAsked(
        limit=PAGE,
        cursor=query.get("cursor", [""])[-1],
        dialect="replicate",
        since=_moment(query, "created_after"),
        until=_moment(query, "created_before"),
    )


def next_query(asked: PageAsked, cursor: str) -> str:
    """The query of the page behind: the same filters, further on."""
    times = {"created_after": asked.since, "created_before": asked.until}
    shown = {name: utc(ms).isoformat() for name, ms in times.items() if ms is not None}
    return urlencode({**shown, "cursor": cursor})


def _moment(query: Mapping[str, list[str]], name: str) -> int | None:
    """Milliseconds since 1970 of a time in ISO 8601, in UTC where it names no zone."""
    text = query.get(name, [""])[-1]
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that nobody escaped
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Invalid([("format", name, "Does not match format 'date-time'")]) from None
