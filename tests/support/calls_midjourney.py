"""What calls of Midjourney's operations are about: a grid that the world's key made once, and its buttons."""

from collections.abc import Mapping
from typing import Any

import httpx

from support.waiting import wait_until
from support.world import World
from unigate.spec.operation import Operation

CHANNEL = (
    "  - {name: mj, provider: midjourney_proxy, base_url: QUICK/midjourney, credentials: sk-mj, models: [midjourney]}\n"
)
#: Operations that go on from a task that their body names: somebody else's is answered by the rules, with HTTP 200.
GO_ON = frozenset({"midjourney.action", "midjourney.change", "midjourney.simple_change", "midjourney.modal"})
_grids: dict[str, dict[str, Any]] = {}


def prepared(
    world: World, row: Operation, places: dict[str, str], body: Mapping[str, object] | None
) -> tuple[dict[str, str], Mapping[str, object] | None]:
    """The places and the body of an example with a task in them that is there."""
    if "id" not in places and row.name not in GO_ON | {"midjourney.list_by_condition"}:
        return places, body
    grid = _grid(world)
    if "id" in places:
        places["id"] = grid["id"]
    if body is None:
        return places, None
    known = {
        "taskId": grid["id"],
        "customId": grid["buttons"][1]["customId"],
        "content": f"{grid['id']} U2",
        "ids": [grid["id"]],
    }
    return places, {name: known.get(name, value) for name, value in body.items()}


def _grid(world: World) -> dict[str, Any]:
    """A picture of the world's key that is done."""
    head = {"mj-api-secret": world.key}
    if world.url not in _grids:
        made = httpx.post(world.url + "/mj/submit/imagine", json={"prompt": "a lighthouse"}, headers=head, timeout=60)
        assert made.json()["code"] == 1, made.text
        found: dict[str, Any] = {}

        def done() -> bool:
            found.update(httpx.get(f"{world.url}/mj/task/{made.json()['result']}/fetch", headers=head).json())
            return str(found["status"]) == "SUCCESS"

        wait_until(done, seconds=60, what=f"a grid: {found}")
        _grids[world.url] = found
    return _grids[world.url]
