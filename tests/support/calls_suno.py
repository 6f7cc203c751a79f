"""What calls of Suno's operations are about: lyrics that the world's key made once."""

from collections.abc import Mapping
from typing import Any

import httpx

from support.world import World
from unigate.spec.operation import Operation

CHANNEL = "  - {name: suno, provider: suno_relay, base_url: QUICK/suno, credentials: sk-suno, models: [suno]}\n"
#: Statuses of calls that name things which are not there.
ANSWERS = {"suno.concat": 400, "suno.persona": 400, "suno_v1.concat": 400, "suno_goamz.concat": 400}
#: Statuses of calls that make tasks, for whoever has no money; what joins and uploads is free.
BROKE = {**ANSWERS, "suno.upload_url": 200}
_tasks: dict[str, str] = {}


def prepared(
    world: World, row: Operation, places: dict[str, str], body: Mapping[str, Any] | None
) -> tuple[dict[str, str], Mapping[str, Any] | None]:
    """The places and the body of an example with a task in them that is there, and no song that takes its time."""
    if "id" in places and row.use == "task_get":
        places["id"] = _task(world)
    if body is not None and row.use == "task_several":
        return places, {**body, "ids": [_task(world)]}
    if body is not None and row.use == "task":
        failing = {"title": "sandbox-fail-all"}
        return places, {**body, **({"input": {**body["input"], **failing}} if "input" in body else failing)}
    return places, body


def _task(world: World) -> str:
    if world.url not in _tasks:
        head = {"authorization": f"Bearer {world.key}"}
        made = httpx.post(f"{world.url}/suno/submit/lyrics", json={"prompt": "x"}, headers=head, timeout=60)
        assert made.status_code == 200, made.text
        _tasks[world.url] = made.json()["data"]
    return _tasks[world.url]
