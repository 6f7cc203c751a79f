"""Calls of any operation of the table, out of the examples of the reference: what is added there is covered by itself."""

import base64
from collections.abc import Callable, Mapping

import httpx

from support import batches, calls_luma, calls_midjourney, calls_suno, own_files, replicate
from support.sounds import silence
from support.world import World
from unigate.dialects import operations
from unigate.reference.document import pages
from unigate.reference.page import Entry, Example
from unigate.spec.operation import Operation

Body = Mapping[str, object] | None
ROWS: dict[str, Operation] = {row.name: row for row in operations() if not row.within}
#: Dialect -> what makes a thing that an operation is about, and says where it is in the path.
THINGS: Mapping[str, Callable[[World, Operation], dict[str, str]]] = {
    "luma": calls_luma.places,
    "luma_relay": calls_luma.places,
    "openai_files": own_files.places,
    "openai_uploads": own_files.places,
    "replicate": replicate.places,
    "udio": calls_luma.places,
}
#: Further channels, for the operations of other providers, with tasks or without: lines below `channels:`, such as stage.MAIN ends with.
TASK_CHANNELS = (
    calls_midjourney.CHANNEL
    + calls_luma.CHANNELS
    + calls_suno.CHANNEL
    + """\
  - {name: cohere, provider: cohere, base_url: SANDBOX/cohere, credentials: sk-walk, models: [rerank-v3.5, embed-v4.0, a-model-without-price]}
  - {name: jina, provider: jina, base_url: SANDBOX/jina/v1, credentials: sk-walk, models: [jina-reranker-v2-base-multilingual]}
  - {name: replicate, provider: replicate, base_url: SANDBOX/replicate/v1, credentials: r8_walk, models: "*"}
"""
)
#: Prices that do not ship, since what they price is the operator's own.
TASK_PRICES = """\
prices:
  - {model: "deployments/*", per_second: 0.001}
"""
#: Parts of forms that are files, whatever an example has in them.
FILES = ("file", "data")
#: Statuses of calls that are in order, where that is not plain: of responses only those in the background can be
#: cancelled, where providers call back nobody knows the address, and downloads need the vendor's signature.
#: A plain request is no WebSocket, and WebRTC is for groups that may connect directly. The file of an example is nobody's.
_STATUSES = {
    "openai.responses.cancel": 400,
    "replicate.files.download": 403,
    "openai.realtime": 426,
    "openai.realtime.calls": 403,
    "openai.fine_tuning.create": 404,
}
ENTRIES: dict[str, Entry] = {entry.operation: entry for page in pages().values() for entry in page.entries}
#: Dialect -> what puts things that are there into the places and the body of an example.
PREPARED: Mapping[str, Callable[[World, Operation, dict[str, str], Body], tuple[dict[str, str], Body]]] = {
    "midjourney": calls_midjourney.prepared,
    "openai_batches": batches.prepared,
    "luma": calls_luma.prepared,
    "luma_relay": calls_luma.prepared,
    "udio": calls_luma.prepared,
    "suno": calls_suno.prepared,
    "suno_v1": calls_suno.prepared,
    "suno_goamz": calls_suno.prepared,
}
_OF_USERS = {"tasks", *PREPARED, *THINGS}


def template(row: Operation, path: str = "") -> str:
    """A path as the document writes it."""
    return (path or row.path).replace(":path}", "}")


def address(world: World, row: Operation, path: str = "", example: Example | None = None) -> str:
    """Where an operation is called; if it is about a thing that must be there, one is made before by the world's key."""
    return _place(world, row, path, example or ENTRIES[row.name].examples[0])[0]


def place(world: World, row: Operation, path: str = "") -> tuple[str, Body]:
    """Where an operation is called with its first example, and with what body; what it is about is there by then."""
    return _place(world, row, path, ENTRIES[row.name].examples[0])


def _place(world: World, row: Operation, path: str, example: Example) -> tuple[str, Body]:
    """Where an operation is called, and with what body."""
    places, body = dict(example.path), example.body
    if row.dialect in PREPARED:
        places, body = PREPARED[row.dialect](world, row, places, body)
    if row.use == "bound":
        places["id"] = made(world, {"model": "gpt-4o-mini", "input": "Hello"})
    elif row.dialect == "tasks" and "{id}" in row.path:
        # A watcher is answered until the end, so that it is to come soon; one that is cancelled must not have ended.
        speed = "0.01" if row.use == "task_cancel" else "50"
        places["id"] = made(world, {"model": "gpt-4o-mini", "input": f"Hello [[speed:{speed}]]", "background": True})
    elif row.dialect in THINGS:
        places |= THINGS[row.dialect](world, row)
    if row.name == "openai.uploads.complete":
        body = {"part_ids": [own_files.part(world, places["id"])]}
    return world.url + template(row, path).format(**places), body


def made(world: World, body: Mapping[str, object]) -> str:
    """The id of a response that the world's key makes."""
    reply = httpx.post(
        f"{world.url}/v1/responses", json=body, headers={"authorization": f"Bearer {world.key}"}, timeout=60
    )
    assert reply.status_code == 200, (reply.status_code, reply.headers, reply.text)
    return str(reply.json()["id"])


def call(
    world: World,
    row: Operation,
    *,
    path: str = "",
    example: Example | None = None,
    key: str = "",
    headers: Mapping[str, str] | None = None,
    at: tuple[str, Body] | None = None,
) -> httpx.Response:
    """The example's call, by the world's key unless told; `key="-"`: by none. `at`: a `place` that was made before."""
    example = example or ENTRIES[row.name].examples[0]
    shown = {} if key == "-" else {"authorization": f"Bearer {key or world.key}"}
    url, body = at or _place(world, row, path, example)
    head = {**shown, **(headers or {})}
    if ENTRIES[row.name].request_type == "multipart/form-data":
        told = dict(body or {})
        files = [name for name, value in told.items() if str(value).startswith("@")]  # those of a dialect with fields
        if files:
            sounds = {name: (str(told.pop(name))[1:], silence(1), "audio/wav") for name in files}
            return httpx.request(row.method, url, data=told, files=sounds, headers=head, timeout=30)
        parts = {name: _part(row, name, str(value)) for name, value in told.items()}
        return httpx.request(row.method, url, files=parts, headers=head, timeout=30)
    return httpx.request(row.method, url, params=dict(example.query), json=body, headers=head, timeout=30)


def _part(row: Operation, name: str, value: str) -> tuple[str | None, bytes, str]:
    """A part of a form: what stands in an example as a `data:` URL is a file."""
    if value.startswith("data:"):
        kind, _, text = value.removeprefix("data:").partition(";base64,")
        return f"{name}.{kind.rpartition('/')[2]}", base64.b64decode(text), kind
    return (f"{name}.txt" if row.body != "form" or name in FILES else None), value.encode(), "text/plain"


def code_of(reply: httpx.Response) -> str:
    """The code of an error, whatever form its dialect gives it."""
    told = reply.json()
    inner = told.get("error")
    return str((inner if isinstance(inner, dict) else told)["code"])


def owned(row: Operation) -> bool:
    """Whether it is about a thing that somebody else does not find."""
    if row.use in ("bound", "batch_create"):
        return True
    return "{id}" in row.path and (row.use == "passed" or row.dialect in _OF_USERS)


def _of_relays(row: Operation) -> bool:
    """Whether it is of a form of relays, whose clients know statuses of their own."""
    return row.family in {"suno", "udio"} or row.dialect == "luma_relay"


def lost(row: Operation) -> int:
    """The status for whoever does not own what such a call is about."""
    return 400 if row.name == "midjourney.image" or _of_relays(row) else 404


def broke(row: Operation) -> int:
    """The status of a call that makes a task, for whoever has no money, and no task to go on from."""
    if row.dialect == "midjourney":
        return 200 if row.name in calls_midjourney.GO_ON else 403
    if row.family == "suno":
        return calls_suno.BROKE.get(row.name, 403)
    return 403 if _of_relays(row) else 402


def answers(row: Operation) -> int:
    """The status of such a call that is in order."""
    if row.use in {"task_callback", "replicate_stream"}:  # what they name is told by a secret address only
        return 404
    if row.use == "passed" and "{id}" in row.path:  # what is kept by vendors has tests of its own: here nobody has any
        return lost(row)
    return _STATUSES.get(row.name) or calls_suno.ANSWERS.get(row.name) or ENTRIES[row.name].status
