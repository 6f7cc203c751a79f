"""Sounds that callers hand to Suno: by a form in five steps, or by their address."""

import asyncio
import re
from dataclasses import dataclass, field
from functools import partial

from unigate.base import clock
from unigate.base.clock import Seconds
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms import suno_tasks as tasks
from unigate.sandbox.forms.suno_clips import Clip, pictured, sound_of
from unigate.sandbox.forms.suno_tasks import Work, origin_of
from unigate.sandbox.media import music_ear
from unigate.sandbox.media.files import url
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.serving import multipart, outgoing
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import speed_of

_KINDS = {"mp3": "audio/mpeg", "wav": "audio/wav", "m4a": "audio/mp4", "flac": "audio/flac", "ogg": "audio/ogg"}
#: Seconds of the shortest and the longest sound, and until one has been looked at.
_SHORTEST, _LONGEST = 6.0, 480.0
_LOOKED = 0.6
_OPEN = {"access-control-allow-origin": "*"}


@dataclass(slots=True, kw_only=True, eq=False)
class Upload:
    """A file on its way."""

    id: str
    credential: str
    clip: str
    #: What the form must have before its file.
    fields: dict[str, str]
    #: Its name among the files of the sandbox, "" before it came.
    file: str = ""
    title: str = ""
    #: When it was reported, None before.
    finished: Seconds | None = None
    speed: float = 1.0
    error: str = ""
    #: The name of its picture, "" before it was looked at.
    made: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


async def begin(call: Call) -> Answer:
    """Step 1: an address and the fields of the form that it takes."""
    body = inputs.body_of(call)
    kind = inputs.text(body, "extension").lower().lstrip(".")
    if kind not in _KINDS:
        raise inputs.invalid(f"extension {kind or 'is missing'}: not supported")
    id, clip = tasks.new_ids(call, 2)
    dice = seeds.dice(id, "form")
    fields = {
        "Content-Type": _KINDS[kind],
        "key": f"raw_uploads/{id}.{kind}",
        "AWSAccessKeyId": f"AKIA{seeds.letters(dice, 16).upper()}",
        "policy": seeds.letters(dice, 64),
        "signature": seeds.letters(dice, 28),
    }
    upload = Upload(
        id=id,
        credential=call.credential,
        clip=clip,
        fields=fields,
        speed=speed_of(call.body, call.world.options.task_speed),
    )
    call.world.shelf.put(f"suno/upload/{id}", call.credential, upload)
    call.world.shelf.put(f"suno/form/{id}", "", upload)
    address = f"{origin_of(call)}/suno/suno/uploads/s3/{id}"
    return Whole(payload={"id": id, "url": address, "fields": fields, "is_file_uploaded": False})


async def form(call: Call) -> Answer:
    """Step 2: the file, behind all fields of the form; nobody's key is asked for."""
    upload = call.world.shelf.get(f"suno/form/{call.params['id']}", "")
    if not isinstance(upload, Upload):
        raise VendorError(403, "the address is not known", code="AccessDenied")
    try:
        parts = multipart.read(call.body, call.headers.get("content-type", ""))
    except ValueError as error:
        raise inputs.invalid(str(error), "MalformedPOSTRequest") from None
    given: dict[str, str] = {}
    for part in parts:
        if part.name == "file":
            if given != upload.fields:
                raise VendorError(403, "fields of the form are missing before its file", code="AccessDenied")
            upload.file = call.world.files.put(part.data, "bin").name
            return Whole(payload=b"", status=204, headers=tuple(_OPEN.items()))
        given[part.name] = part.data.decode("utf-8", "replace")
    raise inputs.invalid("the form has no file", "InvalidArgument")


async def before_form(call: Call) -> Answer:
    """What a browser asks before it sends a form whose progress it watches."""
    wanted = call.headers.get("access-control-request-headers", "")
    allowed = {**_OPEN, "access-control-allow-methods": "POST", "access-control-allow-headers": wanted}
    return Whole(payload=b"", status=204, headers=tuple(allowed.items()))


async def finish(call: Call) -> Answer:
    """Step 3: it is there; from now on it is looked at."""
    upload, body = _upload(call), inputs.body_of(call)
    if not upload.file:
        raise inputs.invalid("the file was not uploaded")
    name = inputs.text(body, "upload_filename")
    upload.title = re.sub(r"\.\w{2,4}$", "", name) or "upload"
    upload.finished = upload.finished or clock.monotonic()
    return Whole(payload={})


async def state(call: Call) -> Answer:
    """Step 4: whether it is a sound that Suno takes."""
    upload = _upload(call)
    status = await _status(call, upload)
    done = status == "complete"
    return Whole(
        payload={
            "id": upload.id,
            "status": status,
            "error_message": upload.error or None,
            "s3_id": f"m_{upload.clip}" if done else None,
            "title": upload.title,
            "image_url": url(origin_of(call), upload.made) if done else None,
        }
    )


async def initialize(call: Call) -> Answer:
    """Step 5: the clip."""
    upload = _upload(call)
    if await _status(call, upload) != "complete":
        raise inputs.invalid("the upload is not complete")
    return Whole(payload={"clip_id": upload.clip})


def _upload(call: Call) -> Upload:
    upload = call.world.shelf.get(f"suno/upload/{call.params['id']}", call.credential)
    if not isinstance(upload, Upload):
        raise inputs.invalid("the upload does not exist", "task_not_exist")
    return upload


async def _status(call: Call, upload: Upload) -> str:
    """Where it stands; once it has been looked at, its clip is there."""
    if upload.finished is None:
        return "waiting"
    if (clock.monotonic() - upload.finished) * upload.speed < _LOOKED:
        return "processing"
    async with upload.lock:
        if not upload.made and not upload.error:
            clip = _clip(call, upload.clip, upload.file, upload.title)
            try:
                await _measured(call, clip, upload.file)
            except ValueError as error:
                upload.error = str(error)
            else:
                upload.made, clip.ready = clip.files["png"], lambda: True
                call.world.shelf.put(f"suno/clip/{clip.id}", call.credential, clip)
    return "error" if upload.error else "complete"


def _clip(call: Call, id: str, file: str, title: str) -> Clip:
    return Clip(id=id, title=title, kind="upload", make=partial(sound_of, call.world, file))


async def _measured(call: Call, clip: Clip, file: str) -> None:
    """Look into the file; ValueError where it is no sound, too short or too long."""
    kept = call.world.files.get(file.partition(".")[0])
    if kept is None:
        raise ValueError("the file is no longer there")
    loop = asyncio.get_running_loop()
    samples = await loop.run_in_executor(call.world.studio, music_ear.decoded, kept.data, _LONGEST + 1)
    length = len(samples) / RATE
    if not _SHORTEST <= length <= _LONGEST:
        raise ValueError(f"the audio must have {_SHORTEST:g} to {_LONGEST:g} seconds, it has {length:.1f}")
    clip.seconds = length
    picture = await loop.run_in_executor(call.world.studio, pictured, clip)
    clip.files["png"] = call.world.files.put(picture, "png").name


async def by_url(call: Call) -> Answer:
    """A sound by its address: a task whose id is the clip's too."""
    body = inputs.body_of(call)
    address = inputs.text(body, "url")
    if not address.startswith(("http://", "https://")):
        raise inputs.invalid("url must be an address of the web")
    (id,) = tasks.new_ids(call, 1)
    title = re.sub(r"\.\w{2,4}$", "", address.partition("?")[0].rpartition("/")[2]) or "upload"
    try:
        data = await outgoing.get(address)
        file = call.world.files.put(data, "bin").name
        clip = _clip(call, id, file, title)
        await _measured(call, clip, file)
    except (OSError, ValueError, TimeoutError) as error:
        timeline = tasks.failing(f"the audio can't be used: {error}")
        clips: list[Clip] = []
    else:
        timeline, clips = tasks.running(_LOOKED), [clip]
    await tasks.accept(call, id, Work(action="UPLOAD", clips=clips, hook=inputs.text(body, "notify_hook")), timeline)
    more: Object = {"clip_id": id, "task_id": id, "id": id, "status": "submitted"}
    return tasks.submitted(id, more)
