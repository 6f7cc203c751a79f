"""Pictures of vendors that have a form of their own for them: the prompt is drawn on them, in the size that was asked for."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import checks, openai_named, openai_request
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.media import draw, files
from unigate.sandbox.serving.answer import Answer, Object, Whole
from unigate.sandbox.serving.face import Call, Handler

_SIDES = (64, 2048)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a vendor's own members ask for."""

    size: tuple[int, int]
    number: int
    format: draw.PictureFormat = "jpg"
    #: The pictures themselves, not their addresses.
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Painting:
    """How a vendor takes calls and writes answers."""

    known: frozenset[str]
    read: Callable[[Object], Wanted]
    #: (the model's name, each picture as `url` or `b64_json`) -> the answer.
    write: Callable[[str, Sequence[Object]], Object]


def generations(manner: Manner, own: Painting) -> Handler:
    """POST /images/generations."""

    async def handle(call: Call) -> Answer:
        """Draw what is asked for."""
        body = openai_request.decode(call.body)
        model = openai_named.model(manner, call, body, "images")
        for name in body:
            if name not in own.known:
                raise checks.refuse(f"Unknown parameter: '{name}'.", name)
        prompt = checks.text(body, "prompt", "prompt", required=True)
        wanted = own.read(body)
        loop, made = asyncio.get_running_loop(), list[Object]()
        for number in range(0 if "empty" in call.fault else wanted.number):
            data = await loop.run_in_executor(call.world.studio, partial(_drawn, prompt, wanted, number))
            made.append(_shown(call, wanted, data))
        call.world.accounts.charge(call.credential, 0)
        usage = {"images": len(made)}
        return Whole(payload=own.write(model.name, made), indent=0, usage=usage, model=model.name)

    return handle


def sides(width: object, height: object) -> tuple[int, int]:
    """A size that can be drawn; VendorError for another one."""
    least, most = _SIDES
    for name, side in (("width", width), ("height", height)):
        if type(side) is not int or not least <= side <= most:
            raise checks.refuse(f"{name} must be between {least} and {most}", name)
    return cast(int, width), cast(int, height)


def _drawn(prompt: str, wanted: Wanted, number: int) -> bytes:
    seed = seeds.seed(f"{prompt} {number}".encode())
    return draw.encode(draw.draw(prompt, *wanted.size, seed=seed), wanted.format)


def _shown(call: Call, wanted: Wanted, data: bytes) -> Object:
    if wanted.inline:
        return {"b64_json": base64.b64encode(data).decode()}
    file = call.world.files.put(data, wanted.format)
    return {"url": files.url(f"http://{call.headers.get('host', '127.0.0.1')}", file.name)}
