"""Suno's submits of dialect A (music, lyrics, concat), and the queries of tasks."""

from unigate.sandbox.brain.lyrics import written
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms import suno_music as music
from unigate.sandbox.forms import suno_tasks as tasks
from unigate.sandbox.forms.suno_clips import Clip
from unigate.sandbox.forms.suno_parts import whole
from unigate.sandbox.forms.suno_tasks import Work
from unigate.sandbox.serving.answer import Answer, Object, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job

_MUSIC, _LYRICS, _CONCAT = 3.0, 1.0, 2.0
_IDEA = 3000
#: Models that write lyrics, two texts each time.
_WRITERS = ("remi-v1", "default")
#: The most tasks of one query.
_MOST = 200


async def music_task(call: Call) -> Answer:
    """Songs: all scenes."""
    id, _ = await made_music(call, inputs.body_of(call))
    return tasks.submitted(id)


async def made_music(call: Call, body: Object) -> tuple[str, list[Clip]]:
    """A task of songs, after a body: its id and its clips."""
    asked = inputs.asked(body)
    former = inputs.text(body, "task_id")
    if former and mine(call.world.jobs.get(former, call.credential)) is None:
        raise inputs.invalid("task_origin_not_exist", "task_origin_not_exist")
    takes = await music.takes(call, body, asked)
    id, *fresh = tasks.new_ids(call, 1 + len(takes))
    clips = [take.clip(one) for take, one in zip(takes, fresh, strict=True)]
    work = Work(action="MUSIC", clips=clips, hook=asked.hook)
    await tasks.accept(call, id, work, tasks.planned(asked.words, clips, _MUSIC))
    return id, clips


async def lyrics_task(call: Call) -> Answer:
    """Lyrics for an idea; without one, about anything."""
    return tasks.submitted(await made_lyrics(call, inputs.body_of(call)))


async def made_lyrics(call: Call, body: Object) -> str:
    """The id of a task of lyrics, after a body."""
    prompt = inputs.text(body, "prompt", _IDEA)
    inputs.minded(prompt)
    (id,) = tasks.new_ids(call, 1)
    model = inputs.text(body, "lyrics_model")
    if model and model not in _WRITERS:
        raise inputs.invalid(f"lyrics_model {model} is not supported")
    texts = tuple(written(prompt, call.number + place) for place in range(2 if model else 1))
    work = Work(action="LYRICS", lyrics=texts, several=bool(model), hook=inputs.text(body, "notify_hook"))
    await tasks.accept(call, id, work, tasks.planned(prompt, (), _LYRICS))
    return id


async def concat_task(call: Call) -> Answer:
    """The full song of a clip that goes on from another."""
    id, _ = await made_whole(call, inputs.body_of(call))
    return tasks.submitted(id)


async def made_whole(call: Call, body: Object) -> tuple[str, Clip]:
    """A task of a full song, after a body: its id and its clip."""
    clip = await inputs.clip_of(call, inputs.text(body, "clip_id"))
    take = await whole(call, clip, infill=body.get("is_infill") is True)
    id, fresh = tasks.new_ids(call, 2)
    made = take.clip(fresh)
    work = Work(action="CONCAT", clips=[made], hook=inputs.text(body, "notify_hook"))
    await tasks.accept(call, id, work, tasks.running(_CONCAT))
    return id, made


async def fetch(call: Call) -> Answer:
    """One task."""
    job = mine(call.world.jobs.poll(call.params["id"], call.credential, call.fault))
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
    found = [mine(call.world.jobs.poll(str(id), call.credential, call.fault)) for id in dict.fromkeys(map(str, ids))]
    told = [await _viewed(call, job) for job in found if job and wanted in ("", job.data.action)]
    return Whole(payload={"code": "success", "message": "", "data": told})


async def _viewed(call: Call, job: Job) -> object:
    return await tasks.view(call.world, job, tasks.origin_of(call))


def mine(job: Job | None) -> Job | None:
    """The job, unless another face made it."""
    return job if job is not None and isinstance(job.data, Work) else None
