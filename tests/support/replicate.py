"""Replicate's callers in tests: a stage with a channel to the sandbox's Replicate, the official client, and how pictures are looked at."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from PIL import Image
from replicate.client import Client

from support.stage import Stage
from support.world import World
from unigate.dialects.replicate_models import MODELS
from unigate.spec.operation import Operation

SCHNELL = "black-forest-labs/flux-schnell"
SDXL = f"stability-ai/sdxl:{MODELS['stability-ai/sdxl'].version}"
REMBG = f"cjwbw/rembg:{MODELS['cjwbw/rembg'].version}"
#: Models do not look at it; the sandbox does: its predictions are quick, and small where they can be.
FAST = {"sandbox": "[[speed:200]]", "megapixels": "0.25"}
CHANNELS = """
channels:
  - {name: replicate, provider: replicate, base_url: SANDBOX/replicate/v1, credentials: r8_unigate, models: "*"}
users:
  - {name: alice, credit: 100}
  - {name: bob, credit: 100}
  - {name: poor, credit: 0.001}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
"""


@contextmanager
def client(stage: Stage, key: str = "") -> Iterator[Client]:
    """The official client at a stage, by its key unless told."""
    made = Client(api_token=key or stage.key, base_url=f"{stage.url}/replicate")
    made.poll_interval = 0.05
    try:
        yield made
    finally:
        made._client.close()


def call(stage: World, method: str, path: str, *, key: str = "", **more: Any) -> httpx.Response:
    """A plain call below `/replicate/v1`."""
    head = {"authorization": f"Bearer {key or stage.key}", **more.pop("headers", {})}
    return httpx.request(method, f"{stage.url}/replicate/v1{path}", headers=head, timeout=60, **more)


def places(stage: World, row: Operation) -> dict[str, str]:
    """What stands in the path of an operation that is about a prediction or a file, which is made for it."""
    if "{id}" not in row.path:
        return {}
    if "/files/" in row.path:
        made = call(stage, "POST", "/files", files={"content": ("a.txt", b"hello")})
    else:
        given = {"prompt": "[[fault:stuck]]"} if row.use == "task_cancel" else {"prompt": "a fox", **FAST}
        made = call(stage, "POST", f"/models/{SCHNELL}/predictions", json={"input": given})
    assert made.status_code == 201, made.text
    return {"id": made.json()["id"]}


def fetched(url: object) -> bytes:
    """The bytes at a link."""
    reply = httpx.get(str(url), timeout=60)
    assert reply.status_code == 200, (str(url), reply.status_code, reply.text[:300])
    return reply.content


def opened(content: bytes) -> Image.Image:
    """A picture, read whole."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def photo(size: tuple[int, int] = (120, 80)) -> bytes:
    """A PNG with something on it."""
    image = Image.new("RGB", size, (200, 120, 40))
    image.paste((20, 40, 220), (30, 20, 90, 60))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
