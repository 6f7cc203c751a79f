"""`image_generation` of responses: the last message is drawn, in the size and format that the tool is given.

https://platform.openai.com/docs/guides/tools-image-generation
"""

import asyncio
import base64
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.brain.prompt import Turn
from unigate.sandbox.forms import checks
from unigate.sandbox.media import draw
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call

_KIND = "image_generation"
_SIZES = ("1024x1024", "1024x1536", "1536x1024", "auto")
_QUALITIES = ("low", "medium", "high", "auto")
_FORMATS = ("png", "jpeg", "webp")


async def drawn(call: Call, body: Object, turns: tuple[Turn, ...], named: Callable[[str], str]) -> Object | None:
    """The item of a picture; None where the tool is not given, or it is not the user's turn."""
    tools = checks.listed(checks.given(body, "tools", []), "tools")
    place, tool = next(
        ((n, tool) for n, tool in enumerate(tools) if isinstance(tool, dict) and tool.get("type") == _KIND), (0, None)
    )
    if tool is None:
        return None
    at = f"tools[{place}]"
    size = checks.one_of(checks.given(tool, "size", "auto"), f"{at}.size", _SIZES)
    quality = checks.one_of(checks.given(tool, "quality", "auto"), f"{at}.quality", _QUALITIES)
    form = checks.one_of(checks.given(tool, "output_format", "png"), f"{at}.output_format", _FORMATS)
    early = checks.integer(tool, "partial_images", 0, 3, f"{at}.partial_images") or 0
    asked = turns[-1] if turns else None
    if asked is None or asked.role != "user" or body.get("tool_choice") == "none" or "empty" in call.fault:
        return None
    size = _SIZES[0] if size == "auto" else size
    prompt = unmarked(asked.text).strip()
    work = partial(_picture, prompt, size, form)
    data = await asyncio.get_running_loop().run_in_executor(call.world.studio, work)
    return {
        "id": named("ig"),
        "type": "image_generation_call",
        "status": "completed",
        "action": "generate",
        "background": "opaque",
        "output_format": form,
        "quality": "medium" if quality == "auto" else quality,
        "size": size,
        "revised_prompt": prompt,
        "result": base64.b64encode(data).decode(),
        "partial_images": early,
    }


def shown(item: Object) -> Object:
    """The item as it goes out: without what we noted in it."""
    return {name: value for name, value in item.items() if name != "partial_images"}


def steps(item: Object, early: int) -> Iterator[tuple[str, Object]]:
    """Kinds and members of the events while a picture is made."""
    base = "response.image_generation_call"
    yield f"{base}.in_progress", {}
    yield f"{base}.generating", {}
    told = {name: item[name] for name in ("background", "output_format", "quality", "size")}
    for number in range(early):
        yield f"{base}.partial_image", {"partial_image_b64": item["result"], "partial_image_index": number, **told}
    yield f"{base}.completed", {}


def _picture(prompt: str, size: str, form: str) -> bytes:
    width, _, height = size.partition("x")
    image = draw.draw(prompt, int(width), int(height), seed=seeds.seed(prompt.encode()))
    return draw.encode(image, cast(draw.PictureFormat, "jpg" if form == "jpeg" else form))
