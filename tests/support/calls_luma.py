"""What calls of Luma's and Udio's operations are about: a film of the world's key, and tasks that never end."""

from collections.abc import Mapping
from typing import Any

import httpx

from support.waiting import wait_until
from support.world import World
from unigate.spec.operation import Operation

#: Of whose tasks nothing needs to come never ends: that costs the sandbox no work.
CHANNELS = """\
  - {name: luma, provider: luma, base_url: QUICK/luma/dream-machine/v1, credentials: luma-walk, models: [ray-flash-2]}
  - {name: luma-stuck, provider: luma, base_url: SANDBOX/fault/stuck/luma/dream-machine/v1, credentials: luma-walk, models: [ray-2, photon-1]}
  - {name: udio-stuck, provider: udio_relay, base_url: SANDBOX/fault/stuck/udio, credentials: udio-walk, models: [udio32-v1.5]}
"""
#: Operations that need a film that is done.
_OF_FILMS = frozenset({"luma.upscale", "luma.audio", "luma_relay.extend", "luma_relay.download"})
_PROMPTS = ("prompt", "user_prompt")
_FAILS = "[[fault:fail-at:50]]"
_films: dict[tuple[str, str], str] = {}


def prepared(
    _world: World, row: Operation, places: dict[str, str], body: Mapping[str, Any] | None
) -> tuple[dict[str, str], Mapping[str, Any] | None]:
    """The places and the body of an example, of which nothing is made that takes its time."""
    if body is None or row.use != "task":
        return places, body
    inner = body.get("gen_params")
    if isinstance(inner, Mapping):
        return places, {**body, "gen_params": _failing(inner)}
    return places, _failing(body)


def _failing(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: f"{value} {_FAILS}" if name in _PROMPTS else value for name, value in body.items()}


def places(world: World, row: Operation) -> dict[str, str]:
    """What stands in the path of an operation that is about a task."""
    if "{id}" not in row.path:
        return {}
    if row.name in _OF_FILMS:
        key = world.url, row.dialect
        if key not in _films:
            _films[key] = _film(world, row.dialect)
        return {"id": _films[key]}
    if row.dialect == "udio":
        return {"id": str(_made(world, "/udio/submit/music", {"gen_params": {"prompt": f"a waltz {_FAILS}"}})["data"])}
    return {"id": _submitted(world, row.dialect, "ray-2", f"a fox {_FAILS}")}


def _submitted(world: World, dialect: str, model: str, prompt: str = "a fox") -> str:
    if dialect == "luma":
        body = {"model": model, "prompt": prompt, "resolution": "540p"}
        return str(_made(world, "/luma/dream-machine/v1/generations", body)["id"])
    body = {"model_name": model, "user_prompt": prompt, "resolution": "540p"}
    return str(_made(world, "/luma/generations", body)["id"])


def _film(world: World, dialect: str) -> str:
    """A film that is done."""
    id = _submitted(world, dialect, "ray-flash-2")
    root = "/luma/dream-machine/v1/generations" if dialect == "luma" else "/luma/generations"

    def done() -> bool:
        told = httpx.get(f"{world.url}{root}/{id}", headers={"authorization": f"Bearer {world.key}"}, timeout=60).json()
        return bool(told["state"] == "completed")

    wait_until(done, what="a film", seconds=120)
    return id


def _made(world: World, path: str, body: Mapping[str, object]) -> dict[str, object]:
    head = {"authorization": f"Bearer {world.key}"}
    reply = httpx.post(world.url + path, json=body, headers=head, timeout=60)
    assert reply.status_code in (200, 201), reply.text
    found: dict[str, object] = reply.json()
    return found
