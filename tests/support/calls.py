"""Calls of any operation of the table, out of the examples of the reference: what is added there is covered by itself."""

from collections.abc import Callable, Mapping

import httpx

from support import calls_midjourney
from support.world import World
from unigate.dialects import operations
from unigate.reference.document import pages
from unigate.reference.page import Entry, Example
from unigate.spec.operation import Operation

Body = Mapping[str, object] | None
ROWS: dict[str, Operation] = {row.name: row for row in operations() if not row.within}
ENTRIES: dict[str, Entry] = {entry.operation: entry for page in pages().values() for entry in page.entries}
#: Dialect -> what puts things that are there into the places and the body of an example.
PREPARED: Mapping[str, Callable[[World, Operation, dict[str, str], Body], tuple[dict[str, str], Body]]] = {
    "midjourney": calls_midjourney.prepared
}


def template(row: Operation, path: str = "") -> str:
    """A path as the document writes it."""
    return (path or row.path).replace(":path}", "}")


def address(world: World, row: Operation, path: str = "", example: Example | None = None) -> str:
    """Where an operation is called; if it is about a thing that must be there, one is made before by the world's key."""
    return _place(world, row, path, example or ENTRIES[row.name].examples[0])[0]


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
) -> httpx.Response:
    """The example's call, by the world's key unless told; `key="-"`: by none."""
    example = example or ENTRIES[row.name].examples[0]
    shown = {} if key == "-" else {"authorization": f"Bearer {key or world.key}"}
    url, body = _place(world, row, path, example)
    return httpx.request(
        row.method, url, params=dict(example.query), json=body, headers={**shown, **(headers or {})}, timeout=30
    )


def owned(row: Operation) -> bool:
    """Whether it is about a thing that somebody else does not find."""
    return row.use == "bound" or (row.dialect in ("tasks", "midjourney") and "{id}" in row.path)


def lost(row: Operation) -> int:
    """The status for whoever does not own what such a call is about."""
    return 400 if row.name == "midjourney.image" else 404


def broke(row: Operation) -> int:
    """The status of a call that makes a task, for whoever has no money, and no task to go on from."""
    if row.dialect == "midjourney":
        return 200 if row.name in calls_midjourney.GO_ON else 403
    return 402


def answers(row: Operation) -> int:
    """The status of such a call that is in order; of responses only those in the background can be cancelled.

    Where providers call back nobody knows the address.
    """
    if row.use == "task_callback":
        return 404
    return 400 if row.name == "openai.responses.cancel" else ENTRIES[row.name].status
