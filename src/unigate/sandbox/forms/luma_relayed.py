"""A relay that speaks the form of Luma's old web API: what its calls ask for, and how it shows generations.

Whose key says `array` gets a submission answered as a list of one, whose key says `free` has an account that marks its films:
the film without a mark is told by `download_video_url` only. Source: chatgpt-web-midjourney-proxy (`src/api/luma.ts`).
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from unigate.base import clock
from unigate.sandbox.forms import luma_errors as errors
from unigate.sandbox.forms import luma_work as works
from unigate.sandbox.forms.luma_studio import SIDES, Order
from unigate.sandbox.forms.luma_work import Asked, Work, work_of
from unigate.sandbox.media.files import url
from unigate.sandbox.serving.answer import Answer, Object, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job

_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")
_SECONDS = {"5s": 5.0, "9s": 9.0}
_MODELS = ("ray-v1", "ray-v2", "ray-v3")
_STATES: Mapping[str, str] = {works.QUEUED: "pending", works.DREAMING: "processing"}
_WORDS: Mapping[str, str] = {
    works.QUEUED: "SUBMITTED",
    works.DREAMING: "IN_PROGRESS",
    works.COMPLETED: "SUCCESS",
    works.FAILED: "FAILURE",
}
#: A word in a prompt: the first who asks after the end does not hear where the film without a mark is.
_LATE = "sandbox-late"


async def create(call: Call) -> Answer:
    """A film."""
    body = _body(call)
    if not body.get("user_prompt") and not body.get("image_url"):
        raise errors.refused("user_prompt is required")
    return await _begun(call, body, b"")


async def extend(call: Call) -> Answer:
    """A film that is made longer: the whole of it."""
    body = _body(call)
    former = call.world.jobs.get(call.params["id"], call.credential)
    if former is None or not isinstance(former.data, Work):
        raise errors.failure(400, "task_not_exist")
    return await _begun(call, body, await works.file_of(call, former.id))


async def get(call: Call) -> Answer:
    """One generation."""
    return Whole(payload=shown(_mine(call, polled=True)))


async def download(call: Call) -> Answer:
    """Where the film without a mark is."""
    job = _mine(call)
    if works.stage_of(job).name != works.COMPLETED:
        raise errors.refused("task_not_finished")
    work = work_of(job)
    return Whole(payload={"url": url(work.origin, work.names["video"])})


async def tasks(call: Call) -> Answer:
    """Several generations, in the envelope."""
    ids = _body(call).get("ids")
    found = [call.world.jobs.get(str(id), call.credential) for id in ids] if isinstance(ids, list) else []
    known = [job for job in found if job is not None and isinstance(job.data, Work)]
    return Whole(payload={"code": "success", "message": "", "data": [_task(job) for job in known]})


async def listed(call: Call) -> Answer:
    """All generations of the account, the newest first."""
    offset, limit = int(call.query.get("offset", 0)), int(call.query.get("limit", 20))
    found = [job for job in call.world.jobs.of(call.credential) if isinstance(job.data, Work)]
    return Whole(payload=[shown(job) for job in found[offset : offset + limit]])


async def _begun(call: Call, body: Object, before: bytes) -> Answer:
    prompt = str(body.get("user_prompt") or "")
    works.minded(call, prompt)
    model = _one_of(body, "model_name", _MODELS, "ray-v2")
    pictures: dict[str, str] = {}
    inline: dict[str, bytes] = {}
    for name, field in (("image_url", "first"), ("image_end_url", "last")):
        value = str(body.get(name) or "")
        if value.startswith(("http://", "https://")):
            pictures[field] = value
        elif value:
            inline[field] = _decoded(value)
    order = Order(
        task="video",
        prompt=prompt,
        ratio=_one_of(body, "aspect_ratio", _RATIOS, "16:9"),
        resolution=_one_of(body, "resolution", tuple(SIDES), "720p"),
        seconds=_SECONDS[_one_of(body, "duration", tuple(_SECONDS), "5s")],
        first=inline.get("first"),
        last=inline.get("last"),
        before=before or None,
        marked=True,
    )
    hook = str(body.get("notify_hook") or "")
    asked = Asked(order=order, request=body, model=model, hook=hook, pictures=pictures)
    job = await works.begin(call, asked, _told)
    told = shown(job)
    return Whole(payload=[told] if "array" in call.credential else told, model=model)


def shown(job: Job) -> Object:
    """The generation as the relay shows it."""
    work, stage = work_of(job), works.stage_of(job)
    told: Object = {
        "id": job.id,
        "prompt": work.request.get("user_prompt", ""),
        "state": _STATES.get(stage.name, stage.name),
        "queue_state": None,
        "created_at": clock.rfc3339(job.made_ms),
        "batch_id": "batch-of-the-account",
        "user_id": "user-of-the-account",
        "video": None,
        "video_raw": None,
        "liked": None,
        "estimate_wait_seconds": None,
        "thumbnail": None,
        "last_frame": None,
    }
    if stage.name == works.FAILED:
        return {**told, "failure_reason": stage.error}
    if stage.name != works.COMPLETED or work.files is None or "empty" in job.fault:
        return told
    at = {name: url(work.origin, file) for name, file in work.names.items()}
    width, height = work.files.size
    sides = {"width": width, "height": height}
    late = _LATE in str(work.request.get("user_prompt")) and job.polls < 2
    film: Object = {"url": at["marked"], **sides, "thumbnail": at["image"]}
    if "free" not in job.credential and not late:
        film["download_url"] = at["video"]
        told["video_raw"] = {"url": at["video"], **sides, "duration": work.files.seconds, "media_type": "video"}
    return {
        **told,
        "video": film,
        "thumbnail": {"url": at["image"], **sides},
        "last_frame": {"url": at["last"], **sides},
    }


def _task(job: Job) -> Object:
    stage = works.stage_of(job)
    return {
        "task_id": job.id,
        "platform": "luma",
        "action": "LUMA_VIDEO",
        "status": _WORDS[stage.name],
        "fail_reason": stage.error,
        "submit_time": job.made_ms // 1000,
        "progress": f"{100 if stage.ended else stage.progress}%",
        "data": shown(job),
    }


def _told(job: Job) -> Object:
    return {**_task(job), **shown(job)}


def _mine(call: Call, *, polled: bool = False) -> Job:
    jobs, id = call.world.jobs, call.params["id"]
    job = jobs.poll(id, call.credential, call.fault) if polled else jobs.get(id, call.credential)
    if job is None or not isinstance(job.data, Work):
        raise errors.failure(400, "task_not_exist")
    return job


def _body(call: Call) -> Object:
    try:
        value: Any = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise errors.refused("the body is no JSON") from None
    if not isinstance(value, dict):
        raise errors.refused("the body is no object")
    return value


def _one_of(body: Object, name: str, values: tuple[str, ...], usual: str) -> str:
    found = body.get(name) or usual
    if found not in values:
        raise errors.refused(f"{name} must be one of {', '.join(values)}")
    return str(found)


def _decoded(value: str) -> bytes:
    """A picture in base64, with or without the head of a data URL."""
    try:
        return base64.b64decode(value.partition(";base64,")[2] or value, validate=True)
    except binascii.Error:
        raise errors.refused("a picture is no base64") from None
