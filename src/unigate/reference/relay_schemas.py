"""Schemas that pages of relays of music and film share: a task around a vendor's own data, and errors."""

from collections.abc import Mapping

from unigate.reference.schema import Schema, record, text, whole


def task(action: Schema, data: Schema, about: str, more: Mapping[str, Schema] | None = None) -> Schema:
    """A task as `relay_tasks.shown` writes it; `more`: members that one vendor's have beside these."""
    return record(
        {
            "task_id": text(),
            "notify_hook": text(),
            "action": action,
            "status": text(of=("NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS", "SUCCESS", "FAILURE")),
            "fail_reason": text("Empty unless it failed."),
            "submit_time": whole("Seconds since 1970, as all times; 0: not yet."),
            "start_time": whole(),
            "finish_time": whole(),
            "progress": text("`0%` to `100%`."),
            "search_item": text(),
            **(more or {}),
            "data": data,
        },
        about,
        needs=("task_id", "action", "status", "fail_reason", "progress", *(more or {}), "data"),
    )
