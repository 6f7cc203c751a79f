"""The official API of Luma: what its calls ask for, and how it shows generations.

https://docs.lumalabs.ai
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_args

import msgspec

from unigate.base import clock
from unigate.base.money import NANO
from unigate.sandbox.forms import luma_errors as errors
from unigate.sandbox.forms import luma_work as works
from unigate.sandbox.forms.luma_studio import SIDES, Order, Task
from unigate.sandbox.forms.luma_work import Asked, Work, work_of
from unigate.sandbox.media.files import url
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Handler
from unigate.sandbox.serving.jobs import Job, Stage

_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")
_RAYS, _PHOTONS = ("ray-2", "ray-flash-2", "ray-1-6", "ray-3"), ("photon-1", "photon-flash-1")
_SECONDS = {"5s": 5.0, "9s": 9.0}
_MODES = tuple(f"{how}_{degree}" for how in ("adhere", "flex", "reimagine") for degree in (1, 2, 3))
_DELETED = Stage(name="deleted", ended=True)
_CONCEPTS = ("dolly_zoom", "handheld", "orbit_left", "orbit_right", "pan_left", "pan_right", "zoom_in", "zoom_out")


def creates(task: str) -> Handler:
    """The handler of a call that makes generations of that type."""
    assert task in get_args(Task)

    async def handle(call: Call) -> Answer:
        """Begin a generation, and wait for it where that is asked for."""
        body = _body(call)
        works.minded(call, str(body.get("prompt", "")))
        asked = await _READERS[task](call, body)
        job = await works.begin(call, asked, shown)
        if body.get("sync") is True:
            await works.ended(job, call.world, float(body.get("sync_timeout") or 60))
        return Whole(payload=shown(job), status=201, model=asked.model)

    return handle


async def get(call: Call) -> Answer:
    """One generation."""
    return Whole(payload=shown(_mine(call, polled=True)))


async def delete(call: Call) -> Answer:
    """Stop a generation, and forget it."""
    job = _mine(call)
    if not works.stage_of(job).ended:
        job.end(_DELETED)
    job.timeline = ((0.0, _DELETED),)
    return Whole(payload=b"", status=204)


async def listed(call: Call) -> Answer:
    """All generations of the account, the newest first."""
    query = dict(call.query)
    limit, offset = int(query.get("limit", 10)), int(query.get("offset", 0))
    found = [
        job for job in call.world.jobs.of(call.credential) if isinstance(job.data, Work) and job.stage() is not _DELETED
    ]
    page = [shown(job) for job in found[offset : offset + limit]]
    more = len(found) > offset + limit
    return Whole(payload={"has_more": more, "count": len(page), "limit": limit, "offset": offset, "generations": page})


async def credits(call: Call) -> Answer:  # noqa: A001 - as the vendor calls it
    """What the account has, in cents."""
    left = call.world.options.granted - call.world.accounts.spent(call.credential)
    return Whole(payload={"credit_balance": 0.0 if "broke" in call.credential else left * 100 / NANO})


async def concepts(_call: Call) -> Answer:
    """Names of camera movements."""
    return Whole(payload=list(_CONCEPTS))


async def ping(_call: Call) -> Answer:
    """The vendor is there."""
    return Whole(payload={"message": "pong"})


def shown(job: Job) -> Object:
    """The generation as the vendor shows it."""
    work, stage = work_of(job), works.stage_of(job)
    done = stage.name == works.COMPLETED
    names = {name: work.names[name] for name in ("video", "image") if name in work.names} if done else {}
    if "empty" in job.fault:
        names = {}
    return {
        "id": job.id,
        "generation_type": work.kind,
        "state": stage.name,
        "failure_reason": stage.error or None,
        "created_at": clock.rfc3339(job.made_ms),
        "assets": {name: url(work.origin, file) for name, file in names.items()} or None,
        "model": work.model,
        "request": work.request,
    }


def _mine(call: Call, *, polled: bool = False) -> Job:
    jobs, id = call.world.jobs, call.params["id"]
    job = jobs.poll(id, call.credential, call.fault) if polled else jobs.get(id, call.credential)
    if job is None or not isinstance(job.data, Work) or job.stage() is _DELETED:
        raise errors.failure(404)
    return job


def _body(call: Call) -> Object:
    try:
        value: Any = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise errors.refused("Invalid JSON", 422) from None
    if not isinstance(value, dict):
        raise errors.refused("The body must be an object", 422)
    return value


def _one_of(body: Object, name: str, values: tuple[str, ...], usual: str | None) -> str:
    found = body.get(name) or usual
    if found is None or found not in values:
        raise _invalid(name, f"Input should be one of {', '.join(values)}" if found else "Field required")
    return str(found)


def _invalid(name: str, told: str) -> VendorError:
    return errors.refused(f"body.{name}: {told}", 422)


def _address(value: object, name: str) -> str:
    found = value.get("url") if isinstance(value, dict) else None
    if not isinstance(found, str) or not found.startswith(("http://", "https://")):
        raise _invalid(name, "url must be an address of http or https")
    return found


async def _video(call: Call, body: Object) -> Asked:
    model = _one_of(body, "model", _RAYS, None)
    frames = body.get("keyframes") or {}
    if not body.get("prompt") and not frames:
        raise errors.refused("Prompt is required")
    pictures: dict[str, str] = {}
    films: dict[str, bytes] = {}
    for name, picture, film in (("frame0", "first", "before"), ("frame1", "last", "after")):
        frame = frames.get(name)
        if frame is not None and frame.get("type") == "generation":
            films[film] = await works.file_of(call, str(frame.get("id")))
        elif frame is not None:
            pictures[picture] = _address(frame, f"keyframes.{name}")
    order = Order(
        task="video",
        prompt=str(body.get("prompt") or ""),
        ratio=_one_of(body, "aspect_ratio", _RATIOS, "16:9"),
        resolution=_one_of(body, "resolution", tuple(SIDES), "720p"),
        seconds=_SECONDS[_one_of(body, "duration", tuple(_SECONDS), "5s")],
        before=films.get("before"),
        after=films.get("after"),
    )
    return Asked(order=order, request=body, model=model, hook=_hook(body), pictures=pictures)


async def _image(_call: Call, body: Object) -> Asked:
    model = _one_of(body, "model", _PHOTONS, None)
    references = [*(body.get("image_ref") or ()), *(body.get("style_ref") or ())]
    if "modify_image_ref" in body:
        references.append(body["modify_image_ref"])
    character = (body.get("character_ref") or {}).get("identity0") or {}
    references += [{"url": one} for one in character.get("images") or ()]
    if not body.get("prompt") and not references:
        raise errors.refused("Prompt is required")
    form = _one_of(body, "format", ("jpg", "png"), "jpg")
    order = Order(
        task="image",
        prompt=str(body.get("prompt") or ""),
        ratio=_one_of(body, "aspect_ratio", _RATIOS, "16:9"),
        format="png" if form == "png" else "jpg",
    )
    pictures = {"first": _address(references[0], "image_ref")} if references else {}
    return Asked(order=order, request=body, model=model, hook=_hook(body), pictures=pictures)


async def _reframe_image(_call: Call, body: Object) -> Asked:
    form = _one_of(body, "format", ("jpg", "png"), "jpg")
    order = Order(
        task="reframe_image",
        prompt=str(body.get("prompt") or ""),
        ratio=_one_of(body, "aspect_ratio", _RATIOS, None),
        format="png" if form == "png" else "jpg",
    )
    return _of_media(body, order, _PHOTONS)


async def _reframe_video(_call: Call, body: Object) -> Asked:
    ratio = _one_of(body, "aspect_ratio", _RATIOS, None)
    return _of_media(body, Order(task="reframe_video", prompt=str(body.get("prompt") or ""), ratio=ratio), _RAYS)


async def _modify(_call: Call, body: Object) -> Asked:
    mode = _one_of(body, "mode", _MODES, None)
    return _of_media(body, Order(task="modify_video", prompt=str(body.get("prompt") or ""), mode=mode), _RAYS)


def _of_media(body: Object, order: Order, models: tuple[str, ...]) -> Asked:
    if body.get("generation_type") != order.task:
        raise _invalid("generation_type", f"Input should be '{order.task}'")
    pictures = {"first": _address(body["first_frame"], "first_frame")} if body.get("first_frame") else {}
    return Asked(
        order=order,
        request=body,
        model=_one_of(body, "model", models, None),
        hook=_hook(body),
        pictures=pictures,
        media=_address(body.get("media"), "media"),
    )


async def _upscale(call: Call, body: Object) -> Asked:
    resolution = _one_of(body, "resolution", tuple(SIDES), None)
    return await _of_another(
        call, body, lambda film: Order(task="upscale_video", prompt="", resolution=resolution, media=film)
    )


async def _audio(call: Call, body: Object) -> Asked:
    prompt = str(body.get("prompt") or "")
    if not prompt:
        raise errors.refused("Prompt is required")
    return await _of_another(call, body, lambda film: Order(task="add_audio", prompt=prompt, media=film))


async def _of_another(call: Call, body: Object, order: Callable[[bytes], Order]) -> Asked:
    """What is done with a film that is there."""
    film = await works.file_of(call, call.params["id"])
    former = call.world.jobs.get(call.params["id"], call.credential)
    assert former is not None
    return Asked(order=order(film), request=body, model=work_of(former).model, hook=_hook(body))


def _hook(body: Object) -> str:
    return str(body.get("callback_url") or "")


_READERS: Mapping[str, Callable[[Call, Object], Awaitable[Asked]]] = {
    "video": _video,
    "image": _image,
    "reframe_image": _reframe_image,
    "reframe_video": _reframe_video,
    "modify_video": _modify,
    "upscale_video": _upscale,
    "add_audio": _audio,
}
