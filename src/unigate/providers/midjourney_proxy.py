"""Any server that speaks the midjourney-proxy convention: one of the open servers, or another relay.

https://github.com/novicezk/midjourney-proxy, https://github.com/trueai-org/midjourney-proxy. The channel's base URL is the
server's address before `/mj`. Option `mode_in`, where the speed goes: `path` (`/mj-fast/mj/...`, unless told), `filter`
(`accountFilter.modes`, for servers that know `/mj` only), or `none`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from unigate.base.errors import Conflict
from unigate.dialects import midjourney_server as server
from unigate.spec.provider import Credential, Headers, Options, Provider
from unigate.spec.task import Json, Message, Order, Pace, TaskApi

#: Operation that was called -> path of the submission. Changes by number are presses of a button: new servers know no other.
_PATHS = {
    "imagine": "/submit/imagine",
    "blend": "/submit/blend",
    "describe": "/submit/describe",
    "shorten": "/submit/shorten",
    "action": "/submit/action",
    "change": "/submit/action",
    "simple_change": "/submit/action",
    "upload": "/submit/upload-discord-images",
    "show": "/submit/show",
    "edits": "/submit/edits",
    "retexture": "/submit/retexture",
    "video": "/submit/video",
    "swap_face": "/insight-face/swap",
}


def _auth(credential: Credential, options: Options) -> Headers:  # noqa: ARG001 - every Auth takes them
    secret = credential.secret.encode()
    return ((b"mj-api-secret", secret), (b"authorization", b"Bearer " + secret))


def _message(path: str, mode: str, options: Json, body: Mapping[str, Any]) -> Message:
    place = options.get("mode_in", "path")
    if mode and place == "filter":
        body = {**body, "accountFilter": {**body.get("accountFilter", {}), "modes": [mode.upper()]}}
    prefix = f"/mj-{mode}/mj" if mode and place == "path" else "/mj"
    return Message(method="POST", path=prefix + path, body=msgspec.json.encode(body))


def _submit(path: str, order: Order, options: Json) -> Message:
    body = {**order.body, "state": order.task_id}
    if order.callback:
        body["notifyHook"] = order.callback
    if path == _PATHS["action"] and "customId" not in order.body:
        path = _PATHS["imagine"]  # one of several prompts that one button draws
    elif order.parent is not None:
        body["taskId"] = order.parent["id"]
    return _message(path, str(order.conditions.get("mode", "")), options, body)


def _about(what: str, method: str, handle: Json, options: Json) -> Message:  # noqa: ARG001 - as all of them
    if "id" not in handle:
        raise Conflict("The provider of this task has answered once and for all.")
    return Message(method=method, path=f"/mj/task/{quote(str(handle['id']), safe='')}/{what}")


def _poll_many(handles: Sequence[Json], options: Json) -> Message:  # noqa: ARG001
    ids = [handle["id"] for handle in handles if "id" in handle]
    return Message(method="POST", path="/mj/task/list-by-condition", body=msgspec.json.encode({"ids": ids}))


def _recover(order: Order, options: Json) -> Message:  # noqa: ARG001
    return Message(method="GET", path="/mj/task/list")


def _api(path: str) -> TaskApi:
    return TaskApi(
        submit=partial(_submit, path),
        accepted=server.accepted,
        poll=partial(_about, "fetch", "GET"),
        progress=server.progress,
        poll_many=_poll_many,
        progress_many=server.progress_many,
        many=server.LISTED,
        calls_back=True,
        cancel=partial(_about, "cancel", "POST"),
        canceled=server.canceled,
        recover=_recover,
        recovered=server.recovered,
        resume=partial(_submit, "/submit/modal"),
        asks={"midjourney.image_seed": partial(_about, "image-seed", "GET")},
        pace=Pace(first=1.0, growth=1.3, longest=15.0),
    )


PROVIDER = Provider(
    name="midjourney_proxy",
    title="Midjourney proxy",
    base_url=None,
    tasks={f"midjourney.{name}": _api(path) for name, path in _PATHS.items()},
    auth=_auth,
    adjust_error=server.adjusted,
    models_path="",
    probe=_poll_many([], {}),
    read_probe=partial(server.progress_many, []),
)
