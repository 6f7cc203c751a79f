"""Reads what a Suno call says, and refuses what Suno refuses. It makes nothing."""

import re
from dataclasses import dataclass

import msgspec

from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.forms.suno_clips import MODELS, Clip, ensure
from unigate.sandbox.serving.answer import Object, VendorError, Whole
from unigate.sandbox.serving.face import Call

#: Words of a text by which a caller asks for a failure: at once with a status, or of clips that were accepted.
STATUSES = {"sandbox-500": 500, "sandbox-429": 429}
ONE_FAILS, ALL_FAIL, MODERATED, SLOW = "sandbox-fail", "sandbox-fail-all", "sandbox-moderated", "sandbox-slow"
TASKS = ("", "extend", "upload_extend", "cover", "infill", "artist_consistency", "gen_stem")
#: The most characters of an idea, a title, and (by model: old, new) of lyrics and tags.
_IDEA, _TITLE = 400, 100
_LYRICS, _TAGS = (3000, 5000), (200, 1000)
_OLD = ("chirp-v3-0", "chirp-v3.0", "chirp-v3-5", "chirp-v4")
_SUFFIX = re.compile(r"-(?:tau|upload)$")


def invalid(message: str, code: str = "invalid_request") -> VendorError:
    """A refusal of a body."""
    return VendorError(400, message, code=code)


def failure(status: int, code: str | None = None) -> VendorError:
    """What the server says with a status, for faults."""
    said = {
        400: ("invalid_request", "invalid request"),
        401: ("invalid_api_key", "无效的令牌"),
        403: ("quota_not_enough", "quota is not enough"),
        404: ("not_found", "not found"),
        413: ("request_too_large", "the request is too large"),
        429: ("rate_limit_exceeded", "当前分组上游负载已饱和，请稍后再试"),  # noqa: RUF001 - as the servers say it
    }
    usual, message = said.get(status, ("internal_error", "internal server error"))
    return VendorError(
        status, message, kind="upstream_error", code=code or usual, retry_after="1" if status in (429, 503) else None
    )


def error(refused: VendorError) -> Whole:
    """An error as the servers answer it, with what browsers' clients read beside."""
    code = refused.code or "invalid_request"
    body = {
        "code": code,
        "message": refused.message,
        "data": None,
        "error": {"message": refused.message, "type": refused.kind, "code": code},
    }
    return Whole(payload=body, status=refused.status)


def body_of(call: Call) -> Object:
    """The body of a call; an empty one is an empty object."""
    try:
        found = msgspec.json.decode(call.body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("the body is no JSON") from None
    if not isinstance(found, dict):
        raise invalid("the body is no object")
    return found


def text(body: Object, name: str, most: int | None = None) -> str:
    """A text of a body, "" where there is none."""
    found = body.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise invalid(f"{name} must be a string")
    if most is not None and len(found) > most:
        raise invalid(f"{name} is longer than {most} characters")
    return found


def seconds(body: Object, name: str) -> float | None:
    """A moment in a song, None where there is none."""
    found = body.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or found < 0:
        raise invalid(f"{name} must be a number of seconds")
    return float(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call for music says."""

    task: str
    idea: str
    lyrics: str
    title: str
    tags: str
    avoid: str
    model: str
    instrumental: bool
    gender: str
    hook: str

    @property
    def words(self) -> str:
        """All texts in which words of the sandbox count."""
        return f"{self.idea} {self.lyrics} {self.title} {self.tags}"


def asked(body: Object) -> Asked:
    """What a body of `submit/music` asks for; raises what Suno refuses."""
    model = text(body, "mv") or "chirp-v4"
    plain = _SUFFIX.sub("", model).replace("v3.0", "v3-0")
    if plain not in MODELS:
        raise invalid(f"model {model} is not supported")
    task = text(body, "task").lower()
    if task not in TASKS:
        raise invalid(f"task {task} is not supported", "invalid_action")
    if not task and text(body, "continue_clip_id"):
        task = "extend"
    new = plain not in _OLD
    metadata = body.get("metadata") if isinstance(body.get("metadata"), dict) else {}
    found = Asked(
        task=task,
        idea=text(body, "gpt_description_prompt", _IDEA),
        lyrics=text(body, "prompt", _LYRICS[new]),
        title=text(body, "title", _TITLE),
        tags=text(body, "tags", _TAGS[new]),
        avoid=text(body, "negative_tags", _TAGS[new]),
        model=model,
        instrumental=body.get("make_instrumental") is True,
        gender=text(body, "vocal_gender") or text(metadata or {}, "vocal_gender"),
        hook=text(body, "notify_hook"),
    )
    if not task and not (unmarked(found.idea) or unmarked(found.lyrics) or unmarked(found.tags)):
        raise invalid("prompt is empty", "prompt_empty")
    minded(found.words)
    return found


def minded(words: str) -> None:
    """Refuse at once what a text asks to be refused."""
    for word, status in STATUSES.items():
        if word in words:
            raise failure(status)


async def clip_of(call: Call, id: str, code: str = "task_origin_not_exist") -> Clip:
    """A clip of the caller's that is done, its length known; refused where there is none."""
    found = call.world.shelf.get(f"suno/clip/{id}", call.credential)
    if not isinstance(found, Clip):
        raise invalid(f"clip {id} does not exist", code)
    if found.ready() and not found.seconds:
        await ensure(call.world, found)
    if not found.ready() or found.error is not None:
        raise invalid(f"clip {id} is not complete")
    return found
