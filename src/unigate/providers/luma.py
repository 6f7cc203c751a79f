"""Luma: https://docs.lumalabs.ai. Films and pictures by the official Dream Machine API.

It has no key against a second submission: an order whose answer got lost is looked for by its callback, which the vendor
repeats. What `DELETE` stops is taken as billed, since the vendor does not say that it bills nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import msgspec

from unigate.dialects import luma_forms as forms
from unigate.dialects import luma_server as server
from unigate.dialects.luma_read import HANDLE
from unigate.dialects.luma_relay_read import PICTURES
from unigate.spec.provider import Provider
from unigate.spec.task import Accepted, Answered, Json, Message, Order, Pace, Progress, TaskApi

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


def _recover(order: Order, options: Json) -> Message | None:  # noqa: ARG001
    """Asks for the newest generations, of which one may have the callback of an order; else nothing tells them apart."""
    return Message(method="GET", path=f"/generations?limit={server.LISTED}&offset=0") if order.callback else None


def _submit_relay(order: Order, options: Json) -> Message:
    """A call of the relays' form."""
    official = replace(order, called="luma.video", body=forms.to_official(order), parent=None)
    return _submit(official, options)


def _accepted_relay(order: Order, answered: Answered) -> Accepted:
    return _shown_relay(order, server.accepted(order, answered))


def _recovered_relay(order: Order, answered: Answered) -> Accepted | None:
    told = server.recovered(order, answered)
    return None if told is None else _shown_relay(order, told)


def _shown_relay(order: Order, told: Accepted) -> Accepted:
    facts = {"ratio": order.body.get("aspect_ratio"), "resolution": order.body.get("resolution")}
    detail = {"ignored": forms.ignored(order.body)}
    shown = forms.from_official(told.progress, facts)
    return Accepted(handle={**told.handle, **facts}, progress=replace(shown, detail={**shown.detail, **detail}))


def _progress_relay(handle: Json, answered: Answered) -> Progress:
    return forms.from_official(server.progress(handle, answered), handle)


_API = TaskApi(
    submit=_submit,
    accepted=server.accepted,
    poll=partial(_about, "GET"),
    progress=server.progress,
    calls_back=True,
    cancel=partial(_about, "DELETE"),
    canceled=server.canceled,
    recover=_recover,
    recovered=server.recovered,
    asks={"luma.delete": partial(_about, "DELETE")},
    pace=Pace(first=1.0, growth=1.2, longest=10.0, rate=10.0),
    deadline=1800.0,
)
_OF_RELAYS = replace(
    _API,
    submit=_submit_relay,
    accepted=_accepted_relay,
    progress=_progress_relay,
    recovered=_recovered_relay,
    addressed=PICTURES,
)
PROVIDER = Provider(
    name="luma",
    title="Luma",
    base_url="https://api.lumalabs.ai/dream-machine/v1",
    tasks={**dict.fromkeys(_PATHS, _API), "luma_relay.create": _OF_RELAYS, "luma_relay.extend": _OF_RELAYS},
    models_path="",
    probe=Message(method="GET", path="/credits"),
    read_probe=server.read,
)
