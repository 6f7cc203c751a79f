"""Pictures in OpenAI's form: generations, edits and variations, whole and as streams. The prompt is drawn on them.

https://platform.openai.com/docs/api-reference/images
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from unigate.base import clock
from unigate.sandbox.brain import seeds, tokens
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.forms import checks, openai_image_request
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.openai_image_request import Asked, Given
from unigate.sandbox.media import draw, files, retouch
from unigate.sandbox.serving.answer import Answer, Event, Object, Stream, Whole
from unigate.sandbox.serving.face import Call, Handler, Route

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

#: Output tokens by quality: of a square, an upright and a lying picture.
_TOKENS: Mapping[str, tuple[int, int, int]] = {
    "low": (272, 408, 400),
    "medium": (1056, 1584, 1568),
    "high": (4160, 6240, 6208),
}
_SHAPES = ((1024, 1024), (1024, 1536), (1536, 1024))
_PARTIAL = 100
_VARIES = frozenset({"model", "n", "size", "response_format", "user"})


def routes(manner: Manner, base: str = "/v1") -> tuple[Route, ...]:
    """The operations as a face has them."""
    return (
        Route("POST", f"{base}/images/generations", generations(manner)),
        Route("POST", f"{base}/images/edits", edits(manner)),
        Route("POST", f"{base}/images/variations", variations(manner)),
    )


def generations(manner: Manner) -> Handler:
    """POST /images/generations."""

    async def handle(call: Call) -> Answer:
        """Draw what is asked for."""
        told = await openai_image_request.parts(call)
        asked = openai_image_request.read(manner, call, told, usual="dall-e-2")
        return await _answer(call, asked, "image_generation")

    return handle


def edits(manner: Manner) -> Handler:
    """POST /images/edits."""

    async def handle(call: Call) -> Answer:
        """Paint into the pictures that are given."""
        told = await openai_image_request.parts(call)
        asked = openai_image_request.read(manner, call, told, usual="dall-e-2", edits=True)
        if asked.model == "dall-e-3":
            said = "Invalid value: 'dall-e-3'. Value must be 'dall-e-2', or a GPT image model."
            raise checks.refuse(said, "model", "invalid_value")
        given = openai_image_request.images(told, asked.family)
        mask = openai_image_request.mask(told, given[0])
        asked = replace(asked, images=given, mask=mask)
        if asked.body.get("size") in (None, "auto") and asked.family.counts:
            asked = replace(asked, size=_nearest(given[0]))
        return await _answer(call, asked, "image_edit")

    return handle


def variations(manner: Manner) -> Handler:
    """POST /images/variations."""

    async def handle(call: Call) -> Answer:
        """Make others like the one that is given."""
        told = await openai_image_request.parts(call)
        for name in told.body:
            if name not in _VARIES:
                raise checks.refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        told = replace(told, body={**told.body, "prompt": "variation"})
        asked = openai_image_request.read(manner, call, told, usual="dall-e-2")
        if asked.family.counts or asked.family.most == 1:
            raise checks.refuse(f"Invalid value: '{asked.model}'. Value must be 'dall-e-2'.", "model", "invalid_value")
        given = openai_image_request.images(told, asked.family)
        return await _answer(call, replace(asked, images=given, prompt=""), "variation")

    return handle


def _nearest(first: Given) -> tuple[int, int]:
    """The size that is like that of a picture."""
    shape = first.width / first.height
    if 0.8 < shape < 1.25:
        return _SHAPES[0]
    return _SHAPES[1] if shape < 1 else _SHAPES[2]


async def _answer(call: Call, asked: Asked, kind: str) -> Answer:
    usage = _usage(asked, asked.number)
    call.world.accounts.charge(call.credential, usage.get("total_tokens", 0))
    units = {"images": asked.number, **_units(usage)}
    if asked.stream:
        await _checked(call, asked)
        return Stream(events=_events(call, asked, kind), usage=units, model=asked.model)
    made = [] if "empty" in call.fault else [await _made(call, asked, kind, at) for at in range(asked.number)]
    answer: Object = {"created": clock.now_ms() // 1000, "data": [_shown(call, asked, one) for one in made]}
    if asked.family.counts:
        answer |= {**_echo(asked), "usage": usage}
    return Whole(payload=answer, indent=0, usage=units, model=asked.model)


def _echo(asked: Asked) -> Object:
    return {
        "background": asked.background,
        "output_format": asked.format,
        "size": f"{asked.size[0]}x{asked.size[1]}",
        "quality": asked.quality,
    }


def _shown(call: Call, asked: Asked, data: bytes) -> Object:
    shown: Object = {}
    if asked.model == "dall-e-3":
        shown["revised_prompt"] = f"{unmarked(asked.prompt)}, in detail"
    if asked.family.counts or asked.response_format == "b64_json":
        return {"b64_json": base64.b64encode(data).decode(), **shown}
    file = call.world.files.put(data, "png")
    origin = f"http://{call.headers.get('host', '127.0.0.1')}"
    return {"url": files.url(origin, file.name), **shown}


async def _checked(call: Call, asked: Asked) -> None:
    """Refuse pictures that cannot be read before a stream begins."""
    for given in asked.images:
        await _in_studio(call, partial(_opened, given))


async def _made(call: Call, asked: Asked, kind: str, number: int) -> bytes:
    return await _in_studio(call, partial(_encoded, asked, kind, number))


async def _in_studio(call: Call, work: "partial[bytes] | partial[Picture]") -> bytes:
    found = await asyncio.get_running_loop().run_in_executor(call.world.studio, work)
    return found if isinstance(found, bytes) else b""


def _opened(given: Given, name: str = "image") -> "Picture":
    try:
        return draw.decode(given.data)
    except ValueError:
        told = "Invalid image file or mode for image 1, please check your image file."
        raise checks.refuse(told, name, "invalid_image_file") from None


def _painted(asked: Asked, kind: str, number: int) -> "Picture":
    seed = seeds.seed(f"{asked.prompt} {number}".encode())
    if kind == "variation":
        return retouch.varied(_opened(asked.images[0]), asked.size, seed=seed)
    if not asked.images:
        drawn = draw.draw(asked.prompt, *asked.size, seed=seed)
    else:
        given = [_opened(one) for one in asked.images]
        mask = _opened(asked.mask, "mask") if asked.mask is not None else None
        if mask is None and not asked.family.counts:
            if given[0].mode != "RGBA":
                told = "Invalid input image - format must be in ['RGBA', 'LA', 'L'], got RGB."
                raise checks.refuse(told, "image")
            mask = given[0]
        drawn = retouch.painted(given, mask, asked.prompt, asked.size, seed=seed)
    return retouch.cut_out(drawn) if asked.background == "transparent" else drawn


def _encoded(asked: Asked, kind: str, number: int) -> bytes:
    return _file(asked, _painted(asked, kind, number))


def _file(asked: Asked, image: "Picture") -> bytes:
    form: draw.PictureFormat = "png"
    if asked.format != "png":
        form = "jpg" if asked.format == "jpeg" else "webp"
    return draw.encode(image, form, max(1, asked.compression))


def _early(asked: Asked, image: "Picture", share: float) -> bytes:
    return _file(asked, draw.blurred(image, share))


async def _events(call: Call, asked: Asked, kind: str) -> AsyncIterator[Event]:
    """Each picture: as it comes about, then done."""
    loop = asyncio.get_running_loop()
    for number in range(asked.number):
        image = await loop.run_in_executor(call.world.studio, partial(_painted, asked, kind, number))
        for at in range(asked.partials):
            share = (at + 1) / (asked.partials + 1)
            early = await loop.run_in_executor(call.world.studio, partial(_early, asked, image, share))
            told = {**_event(asked, f"{kind}.partial_image", early), "partial_image_index": at}
            yield Event(told, "content", tokens=_PARTIAL, name=f"{kind}.partial_image")
        data = await loop.run_in_executor(call.world.studio, partial(_file, asked, image))
        usage = _usage(asked, 1, given=number == 0)
        yield Event({**_event(asked, f"{kind}.completed", data), "usage": usage}, "finish", name=f"{kind}.completed")


def _event(asked: Asked, name: str, data: bytes) -> Object:
    return {
        "type": name,
        "b64_json": base64.b64encode(data).decode(),
        "created_at": clock.now_ms() // 1000,
        **_echo(asked),
    }


def _usage(asked: Asked, number: int, *, given: bool = True) -> Object:
    """Tokens of so many pictures; empty for models that don't count them."""
    if not asked.family.counts:
        return {}
    text = tokens.count(asked.prompt) if given else 0
    seen = sum(_seen(one, faithful=asked.faithful) for one in asked.images) if given else 0
    each = _each(asked) + (_PARTIAL * asked.partials if asked.stream else 0)
    return {
        "total_tokens": text + seen + each * number,
        "input_tokens": text + seen,
        "output_tokens": each * number,
        "input_tokens_details": {"text_tokens": text, "image_tokens": seen},
        "output_tokens_details": {"image_tokens": each * number, "text_tokens": 0},
    }


def _each(asked: Asked) -> int:
    row, size = _TOKENS[asked.quality], asked.size
    if size in _SHAPES:
        return row[_SHAPES.index(size)]
    return -(-row[0] * size[0] * size[1] // (1024 * 1024))


def _seen(one: Given, *, faithful: bool) -> int:
    """Input tokens of a picture: by tiles of 512 pixels once its shorter side has that length."""
    short, long = sorted((one.width, one.height))
    tiles = -(-(long * 512 // max(short, 1)) // 512)
    more = 0
    if faithful:
        more = 4160 if short == long else 6240
    return 65 + 129 * tiles + more


def _units(usage: Object) -> dict[str, int]:
    return {"input": usage["input_tokens"], "output": usage["output_tokens"]} if usage else {}
