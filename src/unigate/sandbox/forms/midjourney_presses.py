"""Midjourney's submits that go on from a task: buttons (action), U and V by name (change, simple-change), windows (modal)."""

import re
from dataclasses import replace

from unigate.sandbox.forms import midjourney_buttons as buttons
from unigate.sandbox.forms import midjourney_inputs as inputs
from unigate.sandbox.forms import midjourney_words as words
from unigate.sandbox.forms.midjourney_buttons import Press
from unigate.sandbox.forms.midjourney_jobs import SECONDS, Draft, accept, accepted, enter, started, watched
from unigate.sandbox.forms.midjourney_paint import Recipe, cell
from unigate.sandbox.forms.midjourney_pictures import finished
from unigate.sandbox.forms.midjourney_recipes import drafted
from unigate.sandbox.forms.midjourney_submits import described
from unigate.sandbox.forms.midjourney_work import (
    ACCEPTED,
    CONFIRM,
    EXISTS,
    INVALID,
    NOT_FOUND,
    Refused,
    Work,
    failing,
    origin_of,
    running,
    submitted,
    work_of,
)
from unigate.sandbox.media.files import url
from unigate.sandbox.serving.answer import Object, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, speed_of

_OPERATIONS = {"U": "UPSCALE", "V": "VARIATION", "R": "REROLL"}
_SIMPLE = re.compile(r"(\d+) (?:([UV])([1-4])|(R))", re.IGNORECASE)
#: What a change may be made of.
_CHANGEABLE = ("IMAGINE", "VARIATION", "REROLL", "BLEND")
_ZOOM = re.compile(r"\s*(?:--|—)zoom\s+\S+")


async def action(call: Call, body: Object) -> Whole:
    """Press a button."""
    custom_id = inputs.text(body, "customId", "参数错误")
    if not inputs.task_id(body) or not custom_id:
        raise Refused(INVALID, "参数错误")
    return await _press(call, body, await _parent(call, inputs.task_id(body)), custom_id)


async def change(call: Call, body: Object) -> Whole:
    """Choose, vary or make again by number."""
    if not inputs.task_id(body):
        raise Refused(INVALID, "taskId不能为空")
    wanted, index = inputs.text(body, "action", "action参数错误").upper(), body.get("index")
    if wanted not in _OPERATIONS.values():
        raise Refused(INVALID, "action参数错误")
    if wanted != "REROLL" and (not isinstance(index, int) or isinstance(index, bool) or not 1 <= index <= 4):
        raise Refused(INVALID, "index参数错误")
    return await _change(call, body, inputs.task_id(body), wanted, index if isinstance(index, int) else 0)


async def simple_change(call: Call, body: Object) -> Whole:
    """The same in one line: `<id> U2`."""
    found = _SIMPLE.fullmatch(inputs.text(body, "content", "content参数错误").strip())
    if found is None:
        raise Refused(INVALID, "content参数错误")
    wanted = _OPERATIONS[(found[2] or found[4]).upper()]
    return await _change(call, body, found[1], wanted, int(found[3] or 0))


async def _change(call: Call, body: Object, id: str, wanted: str, index: int) -> Whole:
    parent = await _parent(call, id)
    work = work_of(parent)
    if work.action not in _CHANGEABLE or not work.buttons:
        raise Refused(INVALID, "关联任务不允许执行变化")
    name = {"UPSCALE": f"upsample::{index}", "VARIATION": f"variation::{index}", "REROLL": "reroll::0"}[wanted]
    fitting = (b.custom_id for b in work.buttons if b.custom_id.startswith(f"MJ::JOB::{name}::"))
    return await _press(call, body, parent, next(fitting), window=False)


async def _parent(call: Call, id: str) -> Job:
    """The finished task that a submit goes on from."""
    job = call.world.jobs.get(id, call.credential)
    if job is None:
        raise Refused(NOT_FOUND, "关联任务不存在或已失效")
    if job.stage().name != "SUCCESS":
        raise Refused(INVALID, "关联任务状态错误")
    await finished(call.world, job)
    return job


async def _press(call: Call, body: Object, parent: Job, custom_id: str, *, window: bool = True) -> Whole:
    former = work_of(parent)
    press = buttons.pressed(custom_id)
    if press is None or custom_id not in {button.custom_id for button in former.buttons}:
        raise Refused(INVALID, "未知的 Action 类型")
    if press.family == "bookmark":
        return submitted(ACCEPTED, "提交成功", parent.id, {"discordInstanceId": former.account.id})
    if press.family == "upscale" and (done := _chosen_before(call, parent, custom_id)) is not None:
        return _exists(call, done)
    if press.family == "describe":
        assert former.recipe is not None
        data = former.recipe.given[0]
        return await accept(call, body, await described(data, chinese=False, seed=former.seed + 1, parent=parent))
    if press.family == "read_all":
        return await _read_all(call, body, parent)
    remix = former.account.remix or body.get("enableRemix") is True
    if window and (press.window == "always" or (press.window == "remix" and remix)):
        return await _window(call, body, parent, custom_id, press)
    prompt = former.prompt
    return await accept(call, body, drafted(parent, press, inputs.asked(prompt), custom_id))


def _chosen_before(call: Call, parent: Job, custom_id: str) -> Job | None:
    """The task that the same button made before, unless it came to nothing."""
    for job in call.world.jobs.of(call.credential):
        work = work_of(job)
        if work.parent is parent and work.custom_id == custom_id and job.stage().name not in ("FAILURE", "CANCEL"):
            return job
    return None


def _exists(call: Call, job: Job) -> Whole:
    work, stage = work_of(job), job.stage()
    picture = work.files.get(stage.progress)
    shown = {"status": stage.name, "imageUrl": url(origin_of(call), picture) if picture else ""}
    return submitted(EXISTS, "任务已存在", job.id, shown)


async def _read_all(call: Call, body: Object, parent: Job) -> Whole:
    """All four prompts of a described picture, each as a task; as many of them as there is room for."""
    answers: list[Whole] = []
    for prompt in buttons.unnumbered(work_of(parent).final):
        asked = inputs.asked(prompt)
        recipe = Recipe(kind="imagine", prompt=asked.words, size=cell(asked.ratio or 1))
        try:
            answers.append(await accept(call, body, Draft(action="IMAGINE", asked=asked, recipe=recipe, parent=parent)))
        except Refused:
            if not answers:
                raise
            break
    told = [answer.payload for answer in answers if isinstance(answer.payload, dict)]
    ids = ",".join(str(one["result"]) for one in told)
    return submitted(max(one["code"] for one in told), told[-1]["description"], ids, told[-1]["properties"])


async def _window(call: Call, body: Object, parent: Job, custom_id: str, press: Press) -> Whole:
    """A task that waits until its window is confirmed."""
    proposed = _proposed(work_of(parent), press)
    draft = Draft(
        action=press.action,
        asked=inputs.asked(proposed),
        recipe=None,
        parent=parent,
        custom_id=custom_id,
        modal=True,
    )
    answer = await accept(call, body, draft)
    assert isinstance(answer.payload, dict)
    return submitted(EXISTS, CONFIRM, answer.payload["result"], {"finalPrompt": proposed, "remix": True})


def _proposed(former: Work, press: Press) -> str:
    """The prompt that stands in the window."""
    if press.family == "read":
        return buttons.unnumbered(former.final)[int(press.value) - 1]
    if press.family == "shortened":
        return words.shortened(inputs.asked(former.prompt).words)[1][int(press.value) - 1]
    if press.family == "custom_zoom":
        return f"{_ZOOM.sub('', former.prompt)} --zoom 2".strip()
    return former.prompt


async def modal(call: Call, body: Object) -> Whole:
    """Confirm a window: its task begins."""
    if not inputs.task_id(body):
        raise Refused(INVALID, "taskId不能为空")
    job = call.world.jobs.get(inputs.task_id(body), call.credential)
    if job is None:
        raise Refused(NOT_FOUND, "关联任务不存在或已失效")
    if job.stage().name != "MODAL":
        raise Refused(INVALID, "关联任务状态错误")
    work = work_of(job)
    assert work.parent is not None
    press = buttons.pressed(work.custom_id)
    assert press is not None
    prompt = inputs.text(body, "prompt", "prompt不能为空") or work.final
    if not prompt:
        raise Refused(INVALID, "prompt不能为空")
    inputs.minded(prompt)
    mask = inputs.text(body, "maskBase64", "maskBase64参数错误")
    if press.family == "inpaint" and not mask:
        raise Refused(INVALID, "maskBase64不能为空")
    asked = inputs.asked(prompt)
    draft = drafted(work.parent, press, asked, work.custom_id, await inputs.small(mask) if mask else b"")
    work.state = inputs.text(body, "state") or work.state
    if (hook := inputs.text(body, "notifyHook")) and not work.hook:
        work.hook = hook
        watched(call, job)
    return await _confirmed(call, job, draft)


async def _confirmed(call: Call, job: Job, draft: Draft) -> Whole:
    """The task of a window as it begins; it stays as it was where there is no place for it."""
    work = work_of(job)
    usual = draft.timeline or running(SECONDS.get(draft.action, 3.0))
    timeline = failing(draft.asked.wrong) if draft.asked.wrong else usual
    before = (job.timeline, job.begun, job.fault)
    job.fault = job.fault | call.fault
    job.speed = speed_of(call.body, call.world.options.task_speed)
    job.again(tuple((time, stage) for time, stage in timeline if stage.name != "NOT_START" or time))
    try:
        place = enter(call, job)
    except Refused:
        job.timeline, job.begun, job.fault = before
        raise
    assert draft.recipe is not None
    work.prompt = work.final = draft.asked.prompt
    work.description = f"{draft.command} {work.prompt}".strip()
    work.base = draft.base
    work.buttons = draft.buttons(work.hash)
    work.recipe = replace(draft.recipe, seed=work.seed)
    started(call, job)
    await call.world.jobs.accepted(job)
    return accepted(job, place)
