"""Midjourney's films: the submit that makes them, and the draft of all tasks that have some."""

from unigate.sandbox.forms import midjourney_buttons as buttons
from unigate.sandbox.forms import midjourney_inputs as inputs
from unigate.sandbox.forms.midjourney_inputs import Asked
from unigate.sandbox.forms.midjourney_jobs import Draft, accept
from unigate.sandbox.forms.midjourney_paint import Recipe
from unigate.sandbox.forms.midjourney_work import INVALID, NOT_FOUND, Refused, running, work_of
from unigate.sandbox.serving.answer import Object, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job

_VIDEO_TYPES = ("vid_1.1_i2v_480", "vid_1.1_i2v_720")


async def video(call: Call, body: Object) -> Whole:
    """Films that begin with a picture, or go on from a film."""
    motion = inputs.text(body, "motion", "motion参数错误") or "low"
    kind = inputs.text(body, "videoType", "videoType参数错误") or _VIDEO_TYPES[0]
    count = body.get("batchSize", 4)
    if motion not in ("low", "high") or kind not in _VIDEO_TYPES or count not in (1, 2, 4):
        raise Refused(INVALID, "参数错误")
    prompt = inputs.text(body, "prompt", "prompt不能为空")
    inputs.minded(prompt)
    if inputs.text(body, "action", "action参数错误") == "extend":
        return await _extended(call, body, prompt, motion)
    asked = inputs.asked(f"{prompt} --motion {motion}".strip())
    first = inputs.text(body, "image") or inputs.text(body, "base64")
    if not first:
        raise Refused(INVALID, "base64不能为空" if prompt else "prompt不能为空")
    if end := inputs.text(body, "endImage"):
        await inputs.picture(end)
    image = await inputs.small(first)
    recipe = Recipe(kind="given", prompt=asked.words, given=(image,), films=count)
    return await accept(call, body, filmed(asked, recipe))


def filmed(asked: Asked, recipe: Recipe, *, parent: Job | None = None, base: Job | None = None) -> Draft:
    """The draft of films."""
    return Draft(
        action="VIDEO",
        asked=asked,
        recipe=recipe,
        command="/video",
        parent=parent,
        base=base,
        buttons=lambda name: buttons.films(name, recipe.films),
        timeline=running(6.0),
    )


async def _extended(call: Call, body: Object, prompt: str, motion: str) -> Whole:
    former = call.world.jobs.get(inputs.task_id(body), call.credential)
    if former is None:
        raise Refused(NOT_FOUND, "关联任务不存在或已失效")
    work, index = work_of(former), body.get("index", 0)
    if former.stage().name != "SUCCESS" or work.action != "VIDEO":
        raise Refused(INVALID, "关联任务状态错误")
    if not isinstance(index, int) or not 0 <= index < (work.recipe.films if work.recipe else 0):
        raise Refused(INVALID, "index参数错误")
    asked = inputs.asked(prompt or f"{work.prompt} --motion {motion}")
    recipe = Recipe(kind="enlarge", prompt=asked.words, films=1, seconds=9.0)
    return await accept(call, body, filmed(asked, recipe, parent=former, base=former))
