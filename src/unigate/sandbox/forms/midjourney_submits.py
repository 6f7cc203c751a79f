"""Midjourney's submits that start something new: imagine, blend, describe, shorten, upload, show, edits, swap."""

import asyncio
import re

from unigate.sandbox.forms import midjourney_buttons as buttons
from unigate.sandbox.forms import midjourney_inputs as inputs
from unigate.sandbox.forms import midjourney_words as words
from unigate.sandbox.forms.midjourney_inputs import Asked
from unigate.sandbox.forms.midjourney_jobs import Draft, accept
from unigate.sandbox.forms.midjourney_paint import Recipe, cell
from unigate.sandbox.forms.midjourney_work import (
    ACCEPTED,
    INVALID,
    Refused,
    failing,
    origin_of,
    submitted,
    work_of,
)
from unigate.sandbox.media import draw, files
from unigate.sandbox.serving.answer import Object, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage, Timeline

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DIMENSIONS = {"PORTRAIT": 2 / 3, "SQUARE": 1.0, "LANDSCAPE": 3 / 2}
_NOTHING = inputs.asked("")
#: Found out without a picture that comes to light by and by.
_READING: Timeline = (
    (0.0, Stage(name="NOT_START")),
    (0.2, Stage(name="SUBMITTED")),
    (0.5, Stage(name="IN_PROGRESS", progress=0)),
    (1.5, Stage(name="SUCCESS", progress=100, ended=True)),
)


async def imagine(call: Call, body: Object) -> Whole:
    """A prompt, with reference pictures: four pictures in a grid."""
    asked = inputs.prompt_of(body)
    given = inputs.texts(body, "base64Array", "base64格式错误")
    if single := inputs.text(body, "base64", "base64格式错误"):
        given = [*given, single]
    references = [await inputs.small(one) for one in given]
    names = [_kept(call, data) for data in references]
    recipe = Recipe(kind="imagine", prompt=asked.words, size=cell(asked.ratio or 1), given=tuple(references))
    final = " ".join([*(f"<{name}>" for name in names), asked.prompt])
    return await accept(call, body, Draft(action="IMAGINE", asked=asked, recipe=recipe, final=final))


async def blend(call: Call, body: Object) -> Whole:
    """Two to five pictures in one."""
    given = inputs.texts(body, "base64Array", "base64List参数错误")
    if not 2 <= len(given) <= 5:
        raise Refused(INVALID, "base64List参数错误")
    shape = inputs.text(body, "dimensions", "dimensions参数错误") or "SQUARE"
    if shape not in _DIMENSIONS:
        raise Refused(INVALID, "dimensions参数错误")
    pictures = [await inputs.small(one) for one in given]
    final = " ".join(f"<{_kept(call, data)}>" for data in pictures)
    recipe = Recipe(kind="blend", size=cell(_DIMENSIONS[shape]), given=tuple(pictures))
    draft = Draft(action="BLEND", asked=_NOTHING, recipe=recipe, command=f"/blend {shape}", final=final)
    return await accept(call, body, draft)


async def describe(call: Call, body: Object) -> Whole:
    """A picture in words."""
    source = inputs.text(body, "base64", "base64格式错误") or inputs.text(body, "link", "link参数错误")
    if not source:
        raise Refused(INVALID, "base64不能为空")
    language = inputs.text(body, "language", "language参数错误").lower()
    data = await inputs.picture(source)
    return await accept(call, body, await described(data, chinese=language in ("zh", "zh_cn", "zh-cn"), seed=0))


async def described(data: bytes, *, chinese: bool, seed: int, parent: Job | None = None) -> Draft:
    """The draft that puts a picture into words."""
    said = buttons.numbered(await asyncio.to_thread(words.described, data, seed=seed, chinese=chinese))
    return Draft(
        action="DESCRIBE",
        asked=_NOTHING,
        recipe=Recipe(kind="given", given=(await asyncio.to_thread(inputs.shrunk, data),)),
        original=data,
        command="/describe",
        final=said,
        parent=parent,
        seed=seed,
        buttons=lambda _hash: buttons.described(),
        timeline=_READING,
    )


async def shorten(call: Call, body: Object) -> Whole:
    """A prompt made shorter."""
    asked = inputs.prompt_of(body)
    said, _ = words.shortened(asked.words)
    draft = Draft(
        action="SHORTEN",
        asked=asked,
        recipe=None,
        command="/shorten",
        final=said,
        buttons=lambda _hash: buttons.shortened(words.SHORTENED),
        timeline=_READING,
    )
    return await accept(call, body, draft)


async def upload(call: Call, body: Object) -> Whole:
    """Pictures put where Discord's would be; at once."""
    given = inputs.texts(body, "base64Array", "base64List参数错误")
    if not given:
        raise Refused(INVALID, "base64List参数错误")
    names = [_kept(call, await inputs.picture(one)) for one in given]
    return submitted(ACCEPTED, "提交成功", names)


async def show(call: Call, body: Object) -> Whole:
    """An old job again, with its buttons: one of the caller's, named by its uuid."""
    found = _UUID.search(inputs.text(body, "jobId", "jobId参数错误"))
    if found is None:
        raise Refused(INVALID, "jobId参数错误")
    wanted = found[0].lower()
    old = next((job for job in call.world.jobs.of(call.credential) if work_of(job).hash == wanted), None)
    if old is None or old.stage().name != "SUCCESS":
        timeline = failing("[Invalid parameter] Could not find a job with that id")
        draft = Draft(action="SHOW", asked=_NOTHING, recipe=None, command=f"/show {wanted}", timeline=timeline)
        return await accept(call, body, draft)
    former = work_of(old)
    draft = Draft(
        action="SHOW",
        asked=inputs.asked(former.prompt),
        recipe=former.recipe,
        command=f"/show {wanted}",
        base=former.base,
        parent=old,
        final=former.final,
        buttons=lambda _hash: former.buttons,
        seed=former.seed,
        hash=former.hash,
    )
    return await accept(call, body, draft)


async def edits(call: Call, body: Object) -> Whole:
    """A picture painted anew where a mask says, or after it."""
    asked = inputs.prompt_of(body)
    image = await _needed(body, "image")
    mask = inputs.text(body, "maskBase64", "maskBase64参数错误")
    recipe = Recipe(
        kind="inpaint" if mask else "imagine",
        prompt=asked.words,
        size=await _size(image, asked),
        given=(image,),
        mask=await inputs.small(mask) if mask else b"",
    )
    return await accept(call, body, Draft(action="EDIT", asked=asked, recipe=recipe, command="/edit"))


async def retexture(call: Call, body: Object) -> Whole:
    """A picture with the same shapes in another matter."""
    asked = inputs.prompt_of(body)
    image = await _needed(body, "image")
    recipe = Recipe(kind="retexture", prompt=asked.words, size=await _size(image, asked), given=(image,))
    return await accept(call, body, Draft(action="RETEXTURE", asked=asked, recipe=recipe, command="/retexture"))


async def swap(call: Call, body: Object) -> Whole:
    """A face put into another picture."""
    face = inputs.text(body, "sourceBase64", "base64格式错误") or inputs.text(body, "sourceUrl", "base64格式错误")
    target = inputs.text(body, "targetBase64", "base64格式错误") or inputs.text(body, "targetUrl", "base64格式错误")
    if not face:
        raise Refused(INVALID, "人脸图片不能为空")
    if not target:
        raise Refused(INVALID, "目标图片不能为空")
    pictures = (await inputs.small(face), await inputs.small(target))
    if pictures[0] == pictures[1]:
        raise Refused(INVALID, "人脸图片和目标图片不能相同")
    draft = Draft(
        action="SWAP_FACE",
        asked=_NOTHING,
        recipe=Recipe(kind="swap", given=pictures),
        command="/swap",
        buttons=lambda _hash: (),
        bot="INSIGHT_FACE",
    )
    answer = await accept(call, body, draft)
    assert isinstance(answer.payload, dict)
    if answer.payload["code"] == ACCEPTED:
        answer.payload.pop("properties")
    return answer


async def _needed(body: Object, name: str) -> bytes:
    """A picture that must be there."""
    value = inputs.text(body, name, "base64格式错误")
    if not value:
        raise Refused(INVALID, "base64不能为空")
    return await inputs.small(value)


async def _size(data: bytes, asked: Asked) -> tuple[int, int]:
    """The size of one of four pictures made after a picture: of its shape, or the one that is asked for."""
    if asked.ratio:
        return cell(asked.ratio)
    return cell(await asyncio.to_thread(_ratio, data))


def _ratio(data: bytes) -> float:
    image = draw.decode(data)
    return image.width / image.height


def _kept(call: Call, data: bytes) -> str:
    """The address of a picture that a caller gave."""
    return files.url(origin_of(call), call.world.files.put(data, inputs.kind_of(data)).name)
