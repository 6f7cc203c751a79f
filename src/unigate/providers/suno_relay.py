"""Any server that speaks the Suno-API convention: one of the open servers, or another relay.

https://github.com/Suno-API/Suno-API. The channel's base URL is the server's address before `/suno`; where its paths begin with
something else, option `path_prefix` stands before them. Option `hook_field`: how the server calls the address for notices
(`notify_hook` unless told, `callback_url`, ...; "" where it has none).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from unigate.dialects import relay_tasks
from unigate.dialects import suno_server as server
from unigate.spec.provider import Provider
from unigate.spec.task import Json, Message, Order, Pace, TaskApi

#: What is submitted -> where.
_PATHS = {
    "suno.music": "/suno/submit/music",
    "suno.lyrics": "/suno/submit/lyrics",
    "suno.concat": "/suno/submit/concat",
    "suno.upload": "/suno/uploads/audio-url",
}
#: Tasks that name the task of the clip that they go on from.
_NAME_PARENT = ("extend", "gen_stem", "infill")
#: Operations of all forms that make tasks.
_OPERATIONS = (
    "suno.music",
    "suno.lyrics",
    "suno.concat",
    "suno.submit",
    "suno.upload_url",
    "suno_v1.generate",
    "suno_v1.concat",
    "suno_v1.lyrics",
    "suno_goamz.music",
    "suno_goamz.lyrics",
    "suno_goamz.concat",
)


def _submit(order: Order, options: Json) -> Message:
    body: dict[str, Any] = dict(order.body)
    hook = str(options.get("hook_field", "notify_hook"))
    if order.callback and hook:
        body[hook] = order.callback
    if order.parent is not None and body.get("task") in _NAME_PARENT:
        body["task_id"] = order.parent["id"]
    return Message(method="POST", path=_PATHS[order.operation], body=msgspec.json.encode(body))


def _poll_many(handles: Sequence[Json], options: Json) -> Message:  # noqa: ARG001 - as every provider's
    ids = [handle["id"] for handle in handles]
    return Message(method="POST", path="/suno/fetch", body=msgspec.json.encode({"ids": ids}))


_TASKS = TaskApi(
    submit=_submit,
    accepted=server.accepted,
    poll_many=_poll_many,
    progress_many=server.progress_many,
    many=50,
    calls_back=True,
    pace=Pace(first=1.0, growth=1.3, longest=15.0),
)
PROVIDER = Provider(
    name="suno_relay",
    title="Suno relay",
    base_url=None,
    speaks=("suno_things",),
    tasks=dict.fromkeys(_OPERATIONS, _TASKS),
    adjust_error=relay_tasks.adjusted,
    models_path="",
    probe=_poll_many([], {}),
    read_probe=lambda answered: server.progress_many([], answered),
)
