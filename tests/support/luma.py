"""Luma's callers in tests: a stage with channels to both faces of the sandbox, the official client, and how films are measured."""

import io
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import av
import httpx
from lumaai import LumaAI
from lumaai.types import Generation
from PIL import ImageChops, ImageStat

from support.stage import Stage
from support.waiting import wait_until
from support.world import World
from unigate.base.money import NANO

ROOT = "/luma/dream-machine/v1"
#: A word of the sandbox's: its generations are quick.
QUICK = "[[speed:20]]"
CHANNELS = """
channels:
  - {name: luma, provider: luma, base_url: SANDBOX/luma/dream-machine/v1, credentials: luma-unigate, models: [ray-2, ray-flash-2, ray-1-6, photon-1, photon-flash-1]}
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
def client(stage: World, key: str = "") -> Iterator[LumaAI]:
    """The official client at a stage, by its key unless told."""
    with LumaAI(auth_token=key or stage.key, base_url=f"{stage.url}{ROOT}", max_retries=0, timeout=60) as made:
        yield made


def ended(luma: LumaAI, made: Generation) -> Generation:
    """A generation once it has ended."""
    assert made.id is not None
    found = made

    def look() -> bool:
        nonlocal found
        assert made.id is not None
        found = luma.generations.get(made.id)
        return found.state in {"completed", "failed"}

    wait_until(look, what="the end of a generation", seconds=120)
    return found


def call(stage: World, method: str, path: str, *, key: str = "", **more: Any) -> httpx.Response:
    """A plain call."""
    head = {"authorization": f"Bearer {key or stage.key}", **more.pop("headers", {})}
    return httpx.request(method, f"{stage.url}{path}", headers=head, timeout=60, **more)


def fetched(url: object) -> bytes:
    """The bytes at a link, which nothing but the link opens."""
    reply = httpx.get(str(url), timeout=60)
    assert reply.status_code == 200, (str(url), reply.status_code, reply.text[:300])
    return reply.content


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """What is measured of a film."""

    size: tuple[int, int]
    seconds: float
    #: How much the first picture differs from one in the middle, 0 to 255.
    moves: float
    #: The loudest sample of its sound, 0 to 1; 0: it has none.
    loud: float


def measured(content: bytes) -> Film:
    """A film, read whole."""
    with av.open(io.BytesIO(content), "r") as file:
        stream = file.streams.video[0]
        frames = list(file.decode(stream))
        first, later = (frames[at].to_image().convert("L") for at in (0, len(frames) // 2))  # type: ignore[no-untyped-call]
        rate = float(stream.average_rate or 1)
        heard = bool(file.streams.audio)
    differs = ImageStat.Stat(ImageChops.difference(first, later)).mean[0]
    loud = max(map(abs, sound(content)), default=0) / 32768 if heard else 0.0
    return Film(size=first.size, seconds=len(frames) / rate, moves=differs, loud=loud)


def sound(content: bytes) -> "array[int]":
    """The samples of a film's or a song's sound, mono, 16 bits, 8000 a second."""
    found: array[int] = array("h")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
    with av.open(io.BytesIO(content), "r") as file:
        for frame in file.decode(file.streams.audio[0]):
            for part in resampler.resample(frame):
                found.frombytes(bytes(part.planes[0])[: 2 * part.samples])
    return found


def charged(stage: Stage, since: int) -> float:
    """USD that calls cost that came since then (ms since 1970)."""
    return stage.charged(since) / NANO
