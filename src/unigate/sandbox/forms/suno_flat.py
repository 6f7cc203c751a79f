"""What gcui-art's server of Suno says: the same songs, told of by clips that have everything at their top.

https://github.com/gcui-art/suno-api
"""

from unigate.sandbox.brain.lyrics import written
from unigate.sandbox.forms import suno_acts as acts
from unigate.sandbox.forms import suno_feed as feed
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms import suno_submits as submits
from unigate.sandbox.forms.suno_clips import Clip, shown
from unigate.sandbox.forms.suno_tasks import origin_of
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call

_MODEL = "chirp-v3-5"
#: Clips that one question gives.
_PAGE = 20
_FREE = {"credits_left": 2500, "period": "month", "monthly_limit": 2500, "monthly_usage": 0}


def failure(status: int, code: str | None = None) -> VendorError:
    """What the server says with a status, for faults."""
    said = {400: "Invalid request", 401: "Unauthorized", 402: "Insufficient credits.", 429: "Too many requests."}
    return VendorError(
        status,
        said.get(status, "Internal server error"),
        code=code or "",
        retry_after="1" if status in (429, 503) else None,
    )


def error(refused: VendorError) -> Whole:
    """An error: a text."""
    return Whole(payload={"error": refused.message}, status=refused.status)


async def generate(call: Call) -> Answer:
    """Songs out of an idea."""
    body = _needs(call, "prompt")
    return await _songs(call, body, gpt_description_prompt=body["prompt"])


async def custom_generate(call: Call) -> Answer:
    """Songs out of words."""
    body = inputs.body_of(call)
    told = {name: inputs.text(body, name) for name in ("prompt", "tags", "title", "negative_tags")}
    return await _songs(call, body, **told)


async def extend(call: Call) -> Answer:
    """What follows a clip."""
    body = _needs(call, "audio_id")
    told = {name: inputs.text(body, name) for name in ("prompt", "tags", "title", "negative_tags")}
    at = {"continue_at": body["continue_at"]} if body.get("continue_at") is not None else {}
    body.pop("make_instrumental", None)
    return await _songs(call, body, task="extend", continue_clip_id=body["audio_id"], **at, **told)


async def stems(call: Call) -> Answer:
    """The two tracks of a clip, of which little is told."""
    body = _needs(call, "audio_id")
    _, clips = await submits.made_music(call, {"task": "gen_stem", "continue_clip_id": body["audio_id"]})
    told = [shown(clip, "submitted", origin_of(call)) for clip in clips]
    return Whole(
        payload=[
            {
                **{name: clip[name] for name in ("id", "status", "created_at", "title")},
                "stem_from_id": clip["metadata"]["stem_from_id"],
                "duration": clip["metadata"]["duration"],
            }
            for clip in told
        ]
    )


async def concat(call: Call) -> Answer:
    """The full song of a clip, as Suno itself tells of it."""
    _, clip = await submits.made_whole(call, {"clip_id": _needs(call, "clip_id")["clip_id"]})
    return Whole(payload=shown(clip, "submitted", origin_of(call)))


async def lyrics(call: Call) -> Answer:
    """Words, which come at once."""
    prompt = str(_needs(call, "prompt")["prompt"])
    inputs.minded(prompt)
    if inputs.ALL_FAIL in prompt or inputs.MODERATED in prompt:
        return Whole(payload={"text": "", "title": "", "status": "error", "error_message": "The words were refused."})
    made = written(prompt, call.number)
    return Whole(payload={"text": made.text, "title": made.title, "status": "complete"})


async def get(call: Call) -> Answer:
    """Clips by their ids; unknown ones are left out."""
    ids = list(dict.fromkeys(filter(None, call.query.get("ids", "").split(","))))[:_PAGE]
    found = [call.world.shelf.get(f"suno/clip/{id}", call.credential) for id in ids]
    told = [one for clip in found if isinstance(clip, Clip) and (one := await feed.clip_told(call, clip))]
    return Whole(payload=[_flat(clip) for clip in told])


async def limit(call: Call) -> Answer:  # noqa: ARG001 - as every handler
    """What is left of the month."""
    return Whole(payload=_FREE)


async def aligned(call: Call) -> Answer:
    """When each word is sung."""
    clip = await inputs.clip_of(call, call.query.get("song_id", ""))
    words = await acts.aligned(call, clip)
    return Whole(payload=words)


async def _songs(call: Call, body: Object, **more: object) -> Answer:
    if body.get("wait_audio"):
        raise inputs.invalid("wait_audio is not imitated")
    silent = body.get("make_instrumental") is True
    made = {"mv": inputs.text(body, "model") or _MODEL, "make_instrumental": silent, **more}
    _, clips = await submits.made_music(call, made)
    return Whole(payload=[_flat(shown(clip, "submitted", origin_of(call))) for clip in clips])


def _needs(call: Call, name: str) -> Object:
    body = inputs.body_of(call)
    if not inputs.text(body, name):
        raise inputs.invalid(f"{name} is required")
    return body


def _flat(clip: Object) -> Object:
    about = clip["metadata"]
    length = about["duration"]
    same = ("id", "title", "image_url", "audio_url", "video_url", "created_at", "model_name", "status")
    inner = ("gpt_description_prompt", "prompt", "type", "tags", "error_message")
    return {
        **{name: clip[name] for name in same},
        **{name: about[name] for name in inner},
        "lyric": about["prompt"],
        "negative_tags": about.get("negative_tags"),
        "duration": None if length is None else str(length),
    }
