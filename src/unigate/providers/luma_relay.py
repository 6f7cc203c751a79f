"""Any server that speaks the relays' form of Luma (`/luma/generations`): another relay, or a server of that family.

The channel's base URL is the server's address before `/luma`; where its paths begin with something else, option `path_prefix`
stands before them. It makes films and makes them longer, in both forms that callers speak; nothing else of the official form.
"""

from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import msgspec

from unigate.dialects import luma_forms as forms
from unigate.dialects import luma_relay_server as server
from unigate.dialects import relay_tasks
from unigate.spec.provider import Provider
from unigate.spec.task import Accepted, Answered, Json, Message, Order, Pace, Progress, TaskApi

_PATH = "/luma/generations"


def _submit(order: Order, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    return _posted(order, order.body, order.parent)


def _submit_official(order: Order, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    return _posted(order, forms.to_relay(order), forms.extended(order))


def _posted(order: Order, given: Json, source: Json | None) -> Message:
    body = {**given, "model_name": forms.relay_name(order.model)}
    if order.callback:
        body["notify_hook"] = order.callback
    path = _PATH if source is None else _about("/extend", source, {}).path
    return Message(method="POST", path=path, body=msgspec.json.encode(body))


def _about(what: str, handle: Json, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    return Message(method="GET", path=f"{_PATH}/{quote(str(handle['id']), safe='')}{what}")


def _accepted_official(order: Order, answered: Answered) -> Accepted:
    told = server.accepted(order, answered)
    return Accepted(handle=told.handle, progress=forms.from_relay(told.progress))


def _progress_official(handle: Json, answered: Answered) -> Progress:
    return forms.from_relay(server.progress(handle, answered))


def _api(
    submit: Callable[[Order, Json], Message],
    accepted: Callable[[Order, Answered], Accepted],
    progress: Callable[[Json, Answered], Progress],
) -> TaskApi:
    return TaskApi(
        submit=submit,
        accepted=accepted,
        poll=partial(_about, ""),
        progress=progress,
        calls_back=True,
        asks={"luma_relay.download": partial(_about, "/download_video_url")},
        pace=Pace(first=1.0, growth=1.3, longest=10.0),
        deadline=1800.0,
    )


_OWN = _api(_submit, server.accepted, server.progress)
PROVIDER = Provider(
    name="luma_relay",
    title="Luma relay",
    base_url=None,
    tasks={
        "luma_relay.create": _OWN,
        "luma_relay.extend": _OWN,
        "luma.video": _api(_submit_official, _accepted_official, _progress_official),
    },
    adjust_error=relay_tasks.adjusted,
    models_path="",
    probe=Message(method="GET", path=_PATH + "?offset=0&limit=1"),
    read_probe=lambda answered: msgspec.json.decode(answered.body),
)
