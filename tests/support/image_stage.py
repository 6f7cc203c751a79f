"""A gateway before a vendor of pictures, and what is looked at in them."""

import io
from decimal import Decimal
from typing import Any

import httpx
from PIL import Image

from support.stage import Stage

CONFIG = """
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-upstream-main, models: "*"}
users:
  - {name: alice, credit: 100}
  - {name: short, credit: 0.05}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: short, user: short, secret: sk-short-0123456789}
"""


def opened(data: bytes) -> Image.Image:
    """A picture, read whole."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def picture(size: tuple[int, int], colour: tuple[int, ...] = (200, 30, 40), form: str = "PNG") -> bytes:
    """A picture of one colour; with four numbers it has transparency."""
    out = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(out, form)
    return out.getvalue()


def holed(size: tuple[int, int], hole: tuple[int, int, int, int]) -> bytes:
    """A mask: transparent within `hole` (left, top, right, bottom)."""
    image = Image.new("RGBA", size, (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), hole)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def post(stage: Stage, path: str, *, key: str = "", **sent: Any) -> httpx.Response:
    """A call below `/v1`."""
    head = {"authorization": f"Bearer {key or stage.key}", **sent.pop("headers", {})}
    return httpx.post(f"{stage.url}/v1{path}", headers=head, timeout=60, **sent)


def cost(reply: httpx.Response) -> Decimal:
    """What a call cost, in USD."""
    return Decimal(reply.headers["x-unigate-cost"])
