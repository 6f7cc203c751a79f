"""Any server that speaks the relays' form of Udio (`/udio/submit/music`).

The channel's base URL is the server's address before `/udio`; where its paths begin with something else, option `path_prefix`
stands before them. Option `submit_path`: where it takes submissions, such as `/udio/generate-proxy`.
"""

from typing import Any
from urllib.parse import quote

import msgspec

from unigate.dialects import relay_tasks
from unigate.dialects import udio_server as server
from unigate.spec.provider import Provider
from unigate.spec.task import Json, Message, Order, Pace, TaskApi


def _submit(order: Order, options: Json) -> Message:
    params: Any = order.body["gen_params"]
    body = {**order.body, "gen_params": {**params, "model_type": order.model}}
    if order.callback:
        body["notify_hook"] = order.callback
    path = str(options.get("submit_path", "/udio/submit/music"))
    return Message(method="POST", path=path, body=msgspec.json.encode(body))


def _poll(handle: Json, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    return Message(method="GET", path=f"/udio/fetch/{quote(str(handle['id']), safe='')}")


_API = TaskApi(
    submit=_submit,
    accepted=server.accepted,
    poll=_poll,
    progress=server.progress,
    calls_back=True,
    pace=Pace(first=1.0, growth=1.3, longest=10.0),
    deadline=1200.0,
)
PROVIDER = Provider(
    name="udio_relay",
    title="Udio relay",
    base_url=None,
    tasks={"udio.music": _API, "udio.generate": _API},
    adjust_error=relay_tasks.adjusted,
    models_path="",
)
