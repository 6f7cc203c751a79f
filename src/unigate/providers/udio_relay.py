"""Any server that speaks the relays' form of Udio (`/udio/submit/music`).

The channel's base URL is the server's address before `/udio`; where its paths begin with something else, option `path_prefix`
stands before them. Options for servers of other ways: `submit_path`, where it takes submissions (`/udio/generate-proxy`),
`fetch_path`, below which it is asked after them, and `flat`: true, where it has no `gen_params` around their fields.
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
    fields = {**params, "model_type": order.model}
    around = {name: value for name, value in order.body.items() if name != "gen_params"}
    body = {**around, **(fields if options.get("flat") else {"gen_params": fields})}
    if order.callback:
        body["notify_hook"] = order.callback
    path = str(options.get("submit_path", "/udio/submit/music"))
    return Message(method="POST", path=path, body=msgspec.json.encode(body))


def _poll(handle: Json, options: Json) -> Message:
    path = str(options.get("fetch_path", "/udio/fetch"))
    return Message(method="GET", path=f"{path}/{quote(str(handle['id']), safe='')}")


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
