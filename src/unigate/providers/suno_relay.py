"""Any server that speaks the Suno-API convention: one of the open servers, or another relay.

https://github.com/Suno-API/Suno-API. The channel's base URL is the server's address before `/suno`; where its paths begin with
something else, option `path_prefix` stands before them. Option `hook_field`: how the server calls the address for notices
(`notify_hook` unless told, `callback_url`, ...; "" where it has none). Option `fetch_one`: true for a server that tells of one
task at a time, by `GET /suno/fetch/{id}`.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from unigate.dialects import relay_tasks
from unigate.dialects import suno_server as server
from unigate.spec.provider import Provider
from unigate.spec.task import Json, Message, Order, Pace, TaskApi

_PATHS = {"suno.upload": "/suno/uploads/audio-url"}
#: Tasks that name the task of the clip that they go on from.
_NAME_PARENT = ("extend", "gen_stem", "infill")


def _submit(order: Order, options: Json) -> Message:
    body: dict[str, Any] = dict(order.body)
    hook = str(options.get("hook_field", "notify_hook"))
    if order.callback and hook:
        body[hook] = order.callback
    if order.parent is not None and body.get("task") in _NAME_PARENT:
        body["task_id"] = order.parent["id"]
    usual = f"/suno/submit/{order.operation.removeprefix('suno.').replace('_', '-')}"
    return Message(method="POST", path=_PATHS.get(order.operation, usual), body=msgspec.json.encode(body))


def _poll(handle: Json, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    return Message(method="GET", path=f"/suno/fetch/{quote(str(handle['id']), safe='')}")


def _poll_many(handles: Sequence[Json], options: Json) -> Message:  # noqa: ARG001 - as every provider's
    ids = [handle["id"] for handle in handles]
    return Message(method="POST", path="/suno/fetch", body=msgspec.json.encode({"ids": ids}))


_TASKS = TaskApi(
    submit=_submit,
    accepted=server.accepted,
    poll=_poll,
    progress=server.progress,
    poll_many=_poll_many,
    progress_many=server.progress_many,
    many=50,
    singly="fetch_one",
    calls_back=True,
    pace=Pace(first=1.0, growth=1.3, longest=15.0),
)
PROVIDER = Provider(
    name="suno_relay",
    title="Suno relay",
    base_url=None,
    speaks=("suno_things",),
    tasks=dict.fromkeys((*server.MAKES, "suno.upload_url"), _TASKS),
    adjust_error=relay_tasks.adjusted,
    models_path="",
    probe=_poll_many([], {}),
    read_probe=lambda answered: server.progress_many([], answered),
)
