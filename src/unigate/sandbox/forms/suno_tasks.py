"""Tasks of Suno: how a submit makes one, how it goes on, how it is shown, and callbacks."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.lyrics import Lyrics
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms.suno_clips import Clip, ensure, shown
from unigate.sandbox.forms.suno_inputs import failure
from unigate.sandbox.serving import outgoing
from unigate.sandbox.serving.answer import Object, Whole, encode
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage, Timeline, speed_of
from unigate.sandbox.serving.world import World

FAILED = Stage(name="FAILURE", ended=True, error="generation failed")
MODERATED = ("moderation_failure", "Song Description contained moderated words")
BROKEN = ("model_error", "Something went wrong while the song was made")
#: Status of the task -> of its clips.
_CLIPS = {
    "NOT_START": "submitted",
    "SUBMITTED": "submitted",
    "QUEUED": "queued",
    "IN_PROGRESS": "streaming",
    "SUCCESS": "complete",
    "FAILURE": "error",
}
SLOW = 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """The data of a Suno job."""

    #: `MUSIC`, `LYRICS`, `CONCAT` or `UPLOAD`.
    action: str
    clips: list[Clip] = field(default_factory=list)
    #: What lyrics were written; several where a model was named, which are then told of in a list.
    lyrics: tuple[Lyrics, ...] = ()
    several: bool = False
    #: Tells of what comes of it, where that is neither clips nor lyrics.
    tells: Callable[[], Awaitable[Object]] | None = None
    hook: str = ""


def running(seconds: float) -> Timeline:
    """A task that takes so many seconds."""
    return (
        (0.0, Stage(name="NOT_START")),
        (0.03 * seconds, Stage(name="SUBMITTED")),
        (0.13 * seconds, Stage(name="QUEUED", progress=10)),
        (0.23 * seconds, Stage(name="IN_PROGRESS", progress=30)),
        (0.6 * seconds, Stage(name="IN_PROGRESS", progress=60)),
        (seconds, Stage(name="SUCCESS", progress=100, ended=True)),
    )


def failing(reason: str) -> Timeline:
    """A task that Suno takes, and fails."""
    return (*running(1.0)[:3], (0.6, Stage(name="FAILURE", ended=True, error=reason)))


def planned(words: str, clips: Sequence[Clip], seconds: float) -> Timeline:
    """The timeline of a task by the words of the sandbox in its texts; clips that fail are marked."""
    if inputs.MODERATED in words or inputs.ALL_FAIL in words:
        error = MODERATED if inputs.MODERATED in words else BROKEN
        for clip in clips:
            clip.error = error
        return failing(error[1])
    if inputs.ONE_FAILS in words and clips:
        clips[-1].error = BROKEN
    return running(SLOW if inputs.SLOW in words else seconds)


def new_ids(call: Call, count: int) -> list[str]:
    """Fresh ids."""
    dice = seeds.dice(call.number, call.credential, call.world.log.next_number(), "suno")
    return [seeds.uuid(dice) for _ in range(count)]


async def accept(call: Call, id: str, work: Work, timeline: Timeline) -> None:
    """Keep a job and its clips, and tell its callback when it has ended."""
    world = call.world
    job = Job(
        id=id,
        credential=call.credential,
        timeline=timeline,
        failed=FAILED,
        refuse=failure,
        speed=speed_of(call.body, world.options.task_speed),
        fault=call.fault,
        data=work,
    )
    job.begin()
    for clip in work.clips:
        clip.task, clip.ready = id, partial(_succeeded, job)
        world.shelf.put(f"suno/clip/{clip.id}", call.credential, clip)
    if work.hook:
        _watched(call, job, work.hook)
    await world.jobs.accepted(job)


def _succeeded(job: Job) -> bool:
    return job.stage().name == "SUCCESS"


def _watched(call: Call, job: Job, hook: str) -> None:
    world, origin = call.world, origin_of(call)

    async def tell(ended: Job, stage: Stage) -> None:
        """Send the task once it has ended."""
        if stage.ended:
            body = encode(await view(world, ended, origin))
            await outgoing.post(hook, body, (("content-type", "application/json"),))

    world.jobs.watch(job, tell)


def origin_of(call: Call) -> str:
    """Where the caller reached the sandbox."""
    return f"http://{call.headers.get('host', '127.0.0.1')}"


def submitted(id: str, more: Object | None = None) -> Whole:
    """The answer to a submit."""
    return Whole(payload={"code": "success", "message": "", "data": id, **(more or {})})


async def view(world: World, job: Job, origin: str) -> Object:
    """The task object as it is now."""
    index, work = job.index(), job.data
    stage = job.timeline[index][1]
    assert isinstance(work, Work)
    if stage.name in ("SUCCESS", "IN_PROGRESS"):
        for clip in work.clips:
            await ensure(world, clip)
    return {
        "task_id": job.id,
        "notify_hook": work.hook,
        "action": work.action,
        "status": stage.name,
        "fail_reason": stage.error,
        "submit_time": job.made_ms // 1000,
        "start_time": job.entered_ms(1) // 1000 if index else 0,
        "finish_time": job.entered_ms(index) // 1000 if stage.ended else 0,
        "progress": f"{100 if stage.ended else stage.progress}%",
        "search_item": "",
        "data": await _result(job, work, stage, origin),
    }


async def _result(job: Job, work: Work, stage: Stage, origin: str) -> object:
    if work.tells is not None:
        return await work.tells() if stage.name == "SUCCESS" else {}
    return _lyrics(job, work) if work.action == "LYRICS" else _data(work, stage, origin)


def _lyrics(job: Job, work: Work) -> Object | list[Object]:
    stage = job.stage()
    done = stage.name == "SUCCESS"
    told: list[Object] = [
        {
            "id": f"{job.id}-{'ab'[place]}" if work.several else job.id,
            "text": text.text if done else "",
            "title": text.title if done else "",
            "status": "complete" if done else "error" if stage.ended else "running",
        }
        for place, text in enumerate(work.lyrics)
    ]
    return told if work.several else told[0]


def _data(work: Work, stage: Stage, origin: str) -> list[Object]:
    """The clips; before Suno has the task there are none."""
    return [] if stage.name == "NOT_START" else [told(clip, stage, origin) for clip in work.clips]


def told(clip: Clip, stage: Stage, origin: str) -> Object:
    """A clip at a stage of its task."""
    failed = clip.error is not None and stage.name in ("SUCCESS", "IN_PROGRESS")
    return shown(clip, "error" if failed else _CLIPS[stage.name], origin)
