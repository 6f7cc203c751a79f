"""Luma: https://docs.lumalabs.ai. Films and pictures by the official Dream Machine API.

It has no key against a second submission: an order whose answer got lost is not looked for. What `DELETE` stops is taken as
not billed, since the vendor says nothing of it.
"""

from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

import msgspec

from unigate.dialects import luma_server as server
from unigate.dialects.luma_read import HANDLE
from unigate.spec.provider import Provider
from unigate.spec.task import Json, Message, Order, Pace, TaskApi

#: Operation that was called -> path; `{id}` is the generation that it is about.
_PATHS = {
    "luma.video": "/generations/video",
    "luma.image": "/generations/image",
    "luma.image.reframe": "/generations/image/reframe",
    "luma.video.reframe": "/generations/video/reframe",
    "luma.video.modify": "/generations/video/modify",
    "luma.upscale": "/generations/{id}/upscale",
    "luma.audio": "/generations/{id}/audio",
}


def _submit(order: Order, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    body = dict(order.body)
    if "model" in body:
        body["model"] = order.model
    if isinstance(frames := body.get("keyframes"), Mapping):
        body["keyframes"] = {name: _frame(frame) for name, frame in frames.items()}
    return _posted(_PATHS[order.called], order, body)


def _frame(frame: Json) -> Json:
    """A frame with the vendor's id of the generation that it is taken from."""
    handle = frame.get(HANDLE)
    return {"type": "generation", "id": handle["id"]} if isinstance(handle, Mapping) else frame


def _posted(path: str, order: Order, body: Json) -> Message:
    if order.callback:
        body = {**body, "callback_url": order.callback}
    if order.parent is not None:
        path = path.replace("{id}", quote(str(order.parent["id"]), safe=""))
    return Message(method="POST", path=path, body=msgspec.json.encode(body))


def _about(method: str, handle: Json, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    return Message(method=method, path=f"/generations/{quote(str(handle['id']), safe='')}")


_API = TaskApi(
    submit=_submit,
    accepted=server.accepted,
    poll=partial(_about, "GET"),
    progress=server.progress,
    calls_back=True,
    cancel=partial(_about, "DELETE"),
    canceled=server.canceled,
    asks={"luma.delete": partial(_about, "DELETE")},
    pace=Pace(first=1.0, growth=1.2, longest=10.0, rate=10.0),
    deadline=1800.0,
)
PROVIDER = Provider(
    name="luma",
    title="Luma",
    base_url="https://api.lumalabs.ai/dream-machine/v1",
    tasks=dict.fromkeys(_PATHS, _API),
    models_path="",
    probe=Message(method="GET", path="/credits"),
    read_probe=server.read,
)
