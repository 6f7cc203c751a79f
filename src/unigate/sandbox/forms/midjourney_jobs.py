"""Makes jobs out of Midjourney calls: chooses the account, lets them into its queue, and makes pictures when they are due."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.pictures import measure
from unigate.sandbox.forms import midjourney_inputs as inputs
from unigate.sandbox.forms.midjourney_buttons import Button, grid
from unigate.sandbox.forms.midjourney_inputs import Asked
from unigate.sandbox.forms.midjourney_paint import Recipe
from unigate.sandbox.forms.midjourney_pictures import finished, painted
from unigate.sandbox.forms.midjourney_pool import Account, pool_of
from unigate.sandbox.forms.midjourney_work import (
    ACCEPTED,
    FAILURE,
    FULL,
    INVALID,
    MODAL,
    NOT_FOUND,
    QUEUED,
    Refused,
    Work,
    failing,
    origin_of,
    running,
    shown,
    submitted,
    work_of,
)
from unigate.sandbox.serving import outgoing
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole, encode
from unigate.sandbox.serving.face import Call, Handler
from unigate.sandbox.serving.jobs import Job, Stage, Timeline, speed_of
from unigate.sandbox.serving.world import World

MODES = ("RELAX", "FAST", "TURBO")
#: How long each action takes, in seconds.
_LONG = 3.0
SECONDS = {"UPSCALE": 1.0, "DESCRIBE": 1.5, "SHORTEN": 1.5, "SHOW": 1.0, "VIDEO": 6.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A task before it is accepted."""

    action: str
    asked: Asked
    recipe: Recipe | None
    command: str = "/imagine"
    #: What `finalPrompt` says, where it is not the prompt.
    final: str | None = None
    parent: Job | None = None
    custom_id: str = ""
    base: Job | None = None
    buttons: Callable[[str], tuple[Button, ...]] = grid
    timeline: Timeline | None = None
    bot: str = ""
    #: It waits for a window to be confirmed.
    modal: bool = False
    #: The file of the picture that it is about, as long as files last.
    original: bytes = b""
    #: Those of an old job that is shown again.
    seed: int | None = None
    hash: str = ""


def submit(act: Callable[[Call, Object], Awaitable[Whole]]) -> Handler:
    """A handler of a submit: reads the body, and answers refusals with status 200."""

    async def handle(call: Call) -> Answer:
        """Answer a submit."""
        try:
            body = inputs.json_of(call.body)
            inputs.text(body, "state", most=255)
            inputs.text(body, "notifyHook", "回调地址长度不能超过2000", most=2000)
            if not isinstance(body.get("accountFilter") or {}, dict):
                raise Refused(INVALID, "accountFilter参数错误")
            return await act(call, body)
        except Refused as refused:
            return refused.answer

    return handle


def failure(status: int, code: str | None = None) -> VendorError:
    """What the server says with a status, for faults."""
    said = {
        401: "未登录",
        402: "quota_not_enough",
        403: "未登录",
        404: "task_no_found",
        429: "请求过于频繁,请稍后再试",
    }
    retry_after = "1" if status in (429, 503) else None
    return VendorError(
        status,
        said.get(status, "提交失败" if status < 500 else "服务器内部错误"),
        kind="upstream_error",
        code=code,
        retry_after=retry_after,
    )


def mode_of(call: Call, body: Object, asked: Asked | None) -> str | None:
    """The mode of a call: of its path, its body, its filter or its prompt; None where nothing says."""
    first = call.path.split("/")[1]
    named = [first.removeprefix("mj-") if first.startswith("mj-") else None, body.get("mode")]
    modes = (body.get("accountFilter") or {}).get("modes")
    named.append(modes[0] if isinstance(modes, list) and modes else None)
    named += [mode for mode in MODES if asked is not None and mode.lower() in asked.parameters]
    found = (str(mode).upper() for mode in named if mode)
    return next((mode for mode in found if mode in MODES), None)


def _account(call: Call, body: Object, draft: Draft) -> tuple[Account, str]:
    """The account that takes the task (its parent's), and the mode."""
    mode = mode_of(call, body, draft.asked)
    if draft.parent is not None:
        former = work_of(draft.parent)
        return former.account, mode or former.mode
    account = pool_of(call.world, call.credential).choose(mode, body.get("accountFilter") or {})
    if account is None:
        raise Refused(NOT_FOUND, "无可用的账号实例")
    return account, mode or account.modes[0]


async def accept(call: Call, body: Object, draft: Draft) -> Whole:
    """Make a task of a draft, and the answer that names it; Refused where its account's queue is full."""
    job = _made(call, body, draft)
    if draft.original:
        work = work_of(job)
        work.files[100] = call.world.files.put(draft.original, inputs.kind_of(draft.original)).name
        work.size = (measure(draft.original) or ("", 0, 0))[1:]
    if draft.modal:
        job.begin()
        place = 0
    else:
        place = enter(call, job)
    started(call, job)
    await call.world.jobs.accepted(job)
    return accepted(job, place)


def accepted(job: Job, place: int) -> Whole:
    """The answer to a submit that made a job, which runs (0) or waits at that place."""
    instance = {"discordInstanceId": work_of(job).account.id}
    if place:
        return submitted(QUEUED, f"排队中,前面还有{place}个任务", job.id, {"numberOfQueues": place, **instance})
    return submitted(ACCEPTED, "提交成功", job.id, instance)


def enter(call: Call, job: Job) -> int:
    """Let a job into its account's queue: its place there, 0 where it runs. Refused where the queue is full."""
    pool, account = pool_of(call.world, call.credential), work_of(job).account
    place = pool.queue(account).enter(job)
    if place is None:
        fresh = new_id(call.world)
        raise Refused(FULL, "队列已满,请稍后尝试", {"discordInstanceId": account.id}, fresh)
    pool.drawn[account.id] += 1
    return place


def started(call: Call, job: Job) -> None:
    """What begins with a job: films, which take long, and callbacks; of a window's task those began with it."""
    work, jobs, world = work_of(job), call.world.jobs, call.world
    if work.recipe is not None and work.recipe.films and not job.timeline[-1][1].error:
        jobs.keep(finished(world, job))
    if work.hook and not job.plans:
        watched(call, job)


def watched(call: Call, job: Job) -> None:
    """Tell the task's callback of each change, with addresses below the one that this call reached."""
    work, world, origin = work_of(job), call.world, origin_of(call)

    async def tell(told: Job, stage: Stage) -> None:
        """Send the task as it is at a stage."""
        index = next(n for n, (_, one) in enumerate(told.timeline) if one is stage)
        await painted(world, told, index)
        body = encode(shown(told, index, origin))
        await outgoing.post(work.hook, body, (("content-type", "application/json"),))

    world.jobs.watch(job, tell)


def _made(call: Call, body: Object, draft: Draft) -> Job:
    account, mode = _account(call, body, draft)
    job_id = new_id(call.world)
    dice = seeds.dice(call.credential, job_id, "midjourney")
    given = draft.asked.parameters.get("seed", "")
    seed = draft.seed if draft.seed is not None else int(given) if given.isdecimal() else dice.getrandbits(31)
    recipe = draft.recipe if draft.recipe is None else replace(draft.recipe, seed=seed)
    identity = draft.hash or seeds.uuid(dice)
    wrong = draft.asked.wrong if recipe is not None else ""
    usual = draft.timeline or running(SECONDS.get(draft.action, _LONG))
    prompt = draft.asked.prompt
    return Job(
        id=job_id,
        credential=call.credential,
        timeline=MODAL if draft.modal else failing(wrong) if wrong else usual,
        failed=FAILURE,
        refuse=failure,
        # A person who has to confirm a window is no faster where tasks are.
        speed=speed_of(call.body, 1.0 if draft.modal else call.world.options.task_speed),
        fault=call.fault,
        data=Work(
            action=draft.action,
            prompt=prompt,
            final=prompt if draft.final is None else draft.final,
            description=f"{draft.command} {prompt}".strip(),
            account=account,
            mode=mode,
            bot=draft.bot or bot_of(body, draft),
            state=inputs.text(body, "state"),
            hook=inputs.text(body, "notifyHook"),
            recipe=recipe,
            parent=draft.parent,
            custom_id=draft.custom_id,
            base=draft.base,
            hash=identity,
            seed=seed,
            buttons=draft.buttons(identity),
        ),
    )


def bot_of(body: Object, draft: Draft) -> str:
    """Which bot does it: as the body says, as the prompt says, or the parent's."""
    said = str(body.get("botType") or "").lower()
    if said.startswith("niji") or "niji" in draft.asked.parameters:
        return "NIJI_JOURNEY"
    if draft.parent is not None and not said:
        return work_of(draft.parent).bot
    return "MID_JOURNEY"


def new_id(world: World) -> str:
    """An id like the servers': milliseconds and three digits more."""
    number = clock.now_ms() * 1000
    while str(number) in world.jobs:
        number += 1
    return str(number)


async def view(call: Call, job: Job) -> Object:
    """The task object as it is now."""
    index = job.index()
    await painted(call.world, job, index)
    return shown(job, index, origin_of(call))
