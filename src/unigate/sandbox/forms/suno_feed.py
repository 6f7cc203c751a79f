"""Suno's two other dialects: `generate` and `feed`, whose submits answer with clips, and `v1/music`, with codes in figures.

github.com/SunoAI-API/Suno-API speaks the first.
"""

from unigate.base import clock
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms import suno_submits as submits
from unigate.sandbox.forms import suno_tasks as tasks
from unigate.sandbox.forms.suno_clips import Clip, ensure, shown
from unigate.sandbox.forms.suno_tasks import origin_of
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Stage

#: The most clips of one query.
_MOST = 50
_STATUS = {"SUCCESS": "completed", "FAILURE": "failed", "IN_PROGRESS": "processing"}


async def generate(call: Call) -> Answer:
    """Songs, whose clips are named at once."""
    id, clips = await submits.made_music(call, inputs.body_of(call))
    told = [shown(clip, "submitted", origin_of(call)) for clip in clips]
    return Whole(
        payload={
            "id": id,
            "clips": told,
            "metadata": told[0]["metadata"],
            "major_model_version": told[0]["major_model_version"],
            "status": "complete",
            "created_at": told[0]["created_at"],
            "batch_size": len(told),
        }
    )


async def concat(call: Call) -> Answer:
    """The full song, as a clip."""
    _, clip = await submits.made_whole(call, inputs.body_of(call))
    return Whole(payload=shown(clip, "submitted", origin_of(call)))


async def feed(call: Call) -> Answer:
    """Clips by their ids; unknown ones are left out."""
    ids = list(dict.fromkeys(filter(None, call.params["ids"].split(","))))
    if len(ids) > _MOST:
        raise inputs.invalid(f"ids must be at most {_MOST}")
    found = [call.world.shelf.get(f"suno/clip/{id}", call.credential) for id in ids]
    return Whole(payload=[told for clip in found if isinstance(clip, Clip) and (told := await clip_told(call, clip))])


async def clip_told(call: Call, clip: Clip) -> Object | None:
    """A clip as it is now; None where its task has vanished."""
    job = submits.mine(call.world.jobs.poll(clip.task, call.credential, call.fault)) if clip.task else None
    if clip.task and job is None:
        return None
    stage = job.stage() if job is not None else Stage(name="SUCCESS", ended=True)
    if stage.name in ("IN_PROGRESS", "SUCCESS"):
        await ensure(call.world, clip)
    return tasks.told(clip, stage, origin_of(call))


async def generate_lyrics(call: Call) -> Answer:
    """Lyrics, to be asked for by an id."""
    return Whole(payload={"id": await submits.made_lyrics(call, inputs.body_of(call))})


async def lyrics(call: Call) -> Answer:
    """What was written."""
    told = (await _task(call))["data"]
    if isinstance(told, list) and told and "text" in told[0]:
        told = told[0]
    if not isinstance(told, dict):
        raise inputs.invalid("task_not_exist", "task_not_exist")
    return Whole(payload={name: told[name] for name in ("text", "title", "status")})


async def _task(call: Call) -> Object:
    job = submits.mine(call.world.jobs.poll(call.params["id"], call.credential, call.fault))
    if job is None:
        raise inputs.invalid("task_not_exist", "task_not_exist")
    return await tasks.view(call.world, job, origin_of(call))


async def v1_music(call: Call) -> Answer:
    """Songs in the third dialect: what is asked for stands in `input`."""
    body = inputs.body_of(call)
    given = body.get("input")
    if not isinstance(given, dict):
        raise inputs.invalid("input must be an object")
    id, _ = await submits.made_music(call, {**given, "notify_hook": body.get("notify_hook") or None})
    return _figures({"task_id": id})


async def v1_task(call: Call) -> Answer:
    """A task of the third dialect."""
    task = await _task(call)
    clips = {clip["id"]: clip for clip in task["data"]} if isinstance(task["data"], list) else {}
    status = _STATUS.get(task["status"], "pending")
    return _figures({"task_id": task["task_id"], "status": status, "input": "", "clips": clips})


def _figures(data: Object) -> Whole:
    return Whole(payload={"code": 200, "message": "success", "data": data, "timestamp": clock.now_ms() // 1000})


def unknown(path: str) -> VendorError:
    """What is said of a path that is not there."""
    if path.startswith("/suno/submit/"):
        return VendorError(400, "invalid_action", kind="upstream_error", code="invalid_request")
    return VendorError(404, f"{path} not found", kind="upstream_error", code="not_found")
