"""Luma's official Dream Machine API for callers: generations, what is done with them, credits, concepts.

https://docs.lumalabs.ai; the SDK `lumaai` takes `https://<gateway>/luma/dream-machine/v1` as its base URL. This module has
the table; what is read and written stands in `luma_read`, `luma_write` and `luma_errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qs

from unigate.base.errors import BadRequest, GatewayError
from unigate.dialects import luma_checks, luma_errors, luma_read
from unigate.dialects.luma_errors import official_status as error_status
from unigate.dialects.luma_errors import pass_official as pass_error
from unigate.dialects.luma_errors import write_official as write_error
from unigate.dialects.luma_read import read as read_task
from unigate.dialects.luma_write import (
    SIGNS,
    events,
    write_accepted,
    write_concepts,
    write_credits,
    write_notice,
    write_page,
    write_ping,
    write_task,
    write_tasks,
)
from unigate.spec.operation import Operation
from unigate.spec.task import Draft, Submission, Task

__all__ = [
    "OPERATIONS",
    "SIGNS",
    "continue_task",
    "error_status",
    "events",
    "missing",
    "other_tasks",
    "pass_error",
    "read_span",
    "read_task",
    "with_others",
    "write_accepted",
    "write_concepts",
    "write_credits",
    "write_error",
    "write_notice",
    "write_page",
    "write_ping",
    "write_task",
    "write_tasks",
]

#: Generations of one page, and how far into a list one may begin.
LISTED, MOST_LISTED, FURTHEST = 100, 100, 10_000
_ROOTS = ("/luma/dream-machine/v1", "/dream-machine/v1")


def _row(name: str, method: str, path: str, use: str, *also: str, **more: object) -> Operation:
    first, *others = [root + one for one in (path, *also) for root in _ROOTS]
    return Operation(
        name=f"luma.{name}",
        method=method,
        path=first,
        aliases=tuple(others),
        dialect="luma",
        family="luma",
        use=use,
        **more,  # type: ignore[arg-type]
    )


def _makes(name: str, path: str, *also: str) -> Operation:
    return _row(name, "POST", path, "task", *also, body="json")


def _asks(name: str, path: str, use: str, method: str = "GET") -> Operation:
    return _row(name, method, path, use, free=True)


OPERATIONS = (
    _makes("video", "/generations/video", "/generations"),
    _makes("image", "/generations/image"),
    _makes("image.reframe", "/generations/image/reframe"),
    _makes("video.reframe", "/generations/video/reframe"),
    _makes("video.modify", "/generations/video/modify"),
    _makes("upscale", "/generations/{id}/upscale"),
    _makes("audio", "/generations/{id}/audio"),
    _asks("list", "/generations", "luma_list"),
    _asks("get", "/generations/{id}", "task_get"),
    _asks("delete", "/generations/{id}", "task_delete", "DELETE"),
    _asks("concepts", "/generations/concepts/list", "luma_concepts"),
    _asks("credits", "/credits", "luma_credits"),
    _asks("ping", "/ping", "luma_ping"),
)


def continue_task(draft: Draft, parent: Task) -> Draft:
    """The draft once the generation is known that it goes on from; BadRequest where it can't."""
    return luma_read.go_on(draft, parent)


def other_tasks(draft: Draft) -> Sequence[str]:
    """Ids of generations that it needs beside the one that it goes on from."""
    return [id for id in luma_read.generations(draft) if id != draft.parent_id]


def with_others(draft: Draft, parent: Task, others: Mapping[str, Task]) -> Draft:
    """The draft once these are known; BadRequest where they are not at the same account."""
    for other in others.values():
        if (other.channel_id, other.credential_id) != (parent.channel_id, parent.credential_id):
            raise BadRequest("The generations were made by different providers.", param="keyframes")
        checked = luma_read.go_on(replace(draft, parent_id=other.id), other)
        draft = replace(checked, parent_id=draft.parent_id)
    return draft


def missing(task_id: str) -> GatewayError:  # noqa: ARG001 - ids are not repeated to who guesses them
    """There is no such generation."""
    return luma_errors.not_found()


def read_span(asked: Submission) -> tuple[int, int]:
    """How many generations of a list are asked for, behind how many; BadRequest."""
    query = parse_qs(asked.query)
    return luma_checks.count(query, "limit", LISTED, MOST_LISTED), luma_checks.count(query, "offset", 0, FURTHEST)
