"""Suno's submits of dialect A (music, lyrics, concat), and the queries of tasks."""

from unigate.sandbox.brain.lyrics import written
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms import suno_music as music
from unigate.sandbox.forms import suno_tasks as tasks
from unigate.sandbox.forms.suno_tasks import Work
from unigate.sandbox.media.music import LONGEST
from unigate.sandbox.serving.answer import Answer, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job

_MUSIC, _LYRICS, _CONCAT = 3.0, 1.0, 2.0
_IDEA = 3000
#: The most tasks of one query.
_MOST = 200


async def music_task(call: Call) -> Answer:
    """Songs: all scenes."""
    body = inputs.body_of(call)
    asked = inputs.asked(body)
    former = inputs.text(body, "task_id")
    if former and _mine(call.world.jobs.get(former, call.credential)) is None:
        raise inputs.invalid("task_origin_not_exist", "task_origin_not_exist")
    takes = await music.takes(call, body, asked)
    id, *fresh = tasks.new_ids(call, 1 + len(takes))
    clips = [take.clip(one) for take, one in zip(takes, fresh, strict=True)]
    await tasks.accept(
        call, id, Work(action="MUSIC", clips=clips, hook=asked.hook), tasks.planned(asked.words, clips, _MUSIC)
    )
    return tasks.submitted(id)


async def lyrics_task(call: Call) -> Answer:
    """Lyrics for an idea; without one, about anything."""
    body = inputs.body_of(call)
    prompt = inputs.text(body, "prompt", _IDEA)
    inputs.minded(prompt)
    (id,) = tasks.new_ids(call, 1)
    work = Work(action="LYRICS", lyrics=written(prompt, call.number), hook=inputs.text(body, "notify_hook"))
    await tasks.accept(call, id, work, tasks.planned(prompt, (), _LYRICS))
    return tasks.submitted(id)


async def concat_task(call: Call) -> Answer:
    """The full song of a clip that goes on from another."""
    body = inputs.body_of(call)
    clip = await inputs.clip_of(call, inputs.text(body, "clip_id"))
    history = clip.more.get("history")
    infill = body.get("is_infill") is True
    if not history:
        raise inputs.invalid("the clip does not go on from another")
    if infill != bool(history[0]["infill"]):
        raise inputs.invalid("is_infill does not fit the clip")
    source = await inputs.clip_of(call, history[0]["id"])
    take = music.whole(clip, source, infill=infill)
    if not infill and history[0]["continue_at"] + clip.seconds > LONGEST:
        raise inputs.invalid(f"the song would be longer than {LONGEST:g} s")
    id, fresh = tasks.new_ids(call, 2)
    work = Work(action="CONCAT", clips=[take.clip(fresh)], hook=inputs.text(body, "notify_hook"))
    await tasks.accept(call, id, work, tasks.running(_CONCAT))
    return tasks.submitted(id)


async def fetch(call: Call) -> Answer:
    """One task."""
    job = _mine(call.world.jobs.poll(call.params["id"], call.credential, call.fault))
    if job is None:
        raise inputs.invalid("task_not_exist", "task_not_exist")
    return Whole(payload={"code": "success", "message": "", "data": await _viewed(call, job)})


async def fetch_many(call: Call) -> Answer:
    """Several tasks; unknown ones are left out."""
    body = inputs.body_of(call)
    ids = body.get("ids")
    if not isinstance(ids, list) or len(ids) > _MOST:
        raise inputs.invalid(f"ids must be a list of at most {_MOST}")
    wanted = inputs.text(body, "action").upper()
    found = [_mine(call.world.jobs.poll(str(id), call.credential, call.fault)) for id in dict.fromkeys(map(str, ids))]
    told = [await _viewed(call, job) for job in found if job and wanted in ("", job.data.action)]
    return Whole(payload={"code": "success", "message": "", "data": told})


async def _viewed(call: Call, job: Job) -> object:
    return await tasks.view(call.world, job, tasks.origin_of(call))


def _mine(job: Job | None) -> Job | None:
    """The job, unless another face made it."""
    return job if job is not None and isinstance(job.data, Work) else None
