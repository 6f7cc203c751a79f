"""What callers of Suno's relays ask beside tasks: uploads in five steps, personas, and what there is of a single clip.

Each is asked of the account that has the thing. Answers about clips come plain and, beside that, in the envelope of tasks,
since clients read either. Sources: github.com/Suno-API/Suno-API and the relays after it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, GatewayError
from unigate.dialects import relay_tasks as relay
from unigate.dialects import suno
from unigate.dialects.relay_tasks import Refused, error_status, pass_error, write_error
from unigate.dialects.suno_read import CLIP, GUARDED, MODEL, PERSONA, UPLOAD, moment
from unigate.dialects.suno_server import clips_of, of_nobody
from unigate.spec.operation import Operation
from unigate.spec.task import Made

__all__ = ["GUARDED", "OPERATIONS", "PASSED_MODEL", "error_status", "pass_error", "write_error"]
PASSED_MODEL = MODEL
#: Kinds of files that the servers take.
SOUNDS = ("mp3", "wav", "m4a", "flac", "ogg", "aac", "opus", "webm", "mp4")
_UPLOADS = ("/suno", "/sunoapi", "/sunoi")
#: Under these names clients look for a film's address.
_FILM = ("video_url", "mp4_file_url", "mp4")


def _row(name: str, kind: str, call: str, **more: Any) -> Operation:
    path = f"/suno{call.partition(' ')[2]}"
    return suno.row(f"suno.{name}", call, "passed", dialect="suno_things", binds=kind, upstream_path=path, **more)


_upload = partial(_row, kind=UPLOAD, roots=_UPLOADS)
_clip = partial(_row, kind=CLIP)
OPERATIONS = (
    _upload("uploads.create", call="POST /uploads/audio", body="json"),
    _upload("uploads.finish", call="POST /uploads/audio/{id}/upload-finish", body="json", free=True),
    _upload("uploads.get", call="GET /uploads/audio/{id}", free=True),
    _upload("uploads.initialize", call="POST /uploads/audio/{id}/initialize-clip", body="json", free=True),
    _row("persona", PERSONA, "POST /persona/create", body="json"),
    _clip("act.timing", call="GET /act/timing/{id}"),
    _clip("act.wav", call="GET /act/wav/{id}"),
    _clip("act.mp4", call="GET /act/mp4/{id}"),
    _clip("act.midi", call="GET /act/midi/{id}"),
    _clip("act.stems", call="GET /act/stems/{id}"),
    _clip("act.vox", call="POST /act/vox/{id}", body="json"),
    _clip("act.tags", call="POST /act/tags", body="json"),
)


def missing_thing(kind: str, id: str) -> GatewayError:
    """There is no such upload, clip or persona, or it is somebody else's."""
    word = {UPLOAD: "upload", PERSONA: "persona"}.get(kind, "clip")
    told = f"the {word} {id[:100]} does not exist" if id else "what is named does not exist"
    return Refused(told, "task_origin_not_exist")


def read_thing(body: bytes, operation: Operation) -> dict[str, Any]:
    """The members of a body; Refused for what can't be done."""
    given = relay.fields(body)
    if operation.name == "suno.uploads.create":
        kind = relay.text(given, "extension").lower().lstrip(".")
        if kind not in SOUNDS:
            raise Refused(f"extension must be one of {', '.join(SOUNDS)}")
    elif operation.name == "suno.persona":
        for name in ("root_clip_id", "name"):
            if not relay.text(given, name).strip():
                raise Refused(f"{name} is empty")
        clips = given.get("clips")
        if clips is not None and not (isinstance(clips, list) and all(isinstance(one, str) for one in clips)):
            raise Refused("clips must be a list of clip ids")
    elif operation.name == "suno.act.vox":
        start, end = (moment(given, name) for name in ("vocal_start_s", "vocal_end_s"))
        if start is None or end is None or start >= end:
            raise Refused("vocal_start_s must lie before vocal_end_s")
    elif operation.name == "suno.act.tags" and not relay.text(given, "original_tags").strip():
        raise Refused("original_tags is empty")
    return given


def named_things(operation: Operation, value: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """The clips that a persona is made of."""
    if operation.name != "suno.persona":
        return ()
    return [(CLIP, id) for id in dict.fromkeys((value["root_clip_id"], *(value.get("clips") or ())))]


def check_answer(operation: Operation, body: bytes) -> None:  # noqa: ARG001 - as every such function
    """BadAnswer, UpstreamRefused."""
    relay.answered(body)


def made_things(operation: Operation, body: bytes) -> Sequence[Made]:
    """What an answer names and later calls may; BadAnswer where it should and does not."""
    if operation.name == "suno.act.stems":
        return [Made(kind=CLIP, id=clip["id"]) for clip in clips_of(_members(body).get("clips"))]
    kind, name = {
        "suno.uploads.create": (UPLOAD, "id"),
        "suno.uploads.initialize": (CLIP, "clip_id"),
        "suno.persona": (PERSONA, "id"),
    }.get(operation.name, ("", ""))
    if not kind:
        return ()
    id = _members(body).get(name)
    if not isinstance(id, str) or not id:
        raise BadAnswer(detail=f"the answer has no {name}")
    return [Made(kind=kind, id=id)]


def delivers(operation: Operation, body: bytes) -> bool:
    """Whether what was asked for is there; while it is being made, nothing is charged."""
    there = _THERE.get(operation.name)
    return there is None or there(_members(body))


def show_thing(operation: Operation, body: bytes) -> bytes:
    """An answer as callers read it: without the account, under all names, plain and in the envelope."""
    if operation.binds == UPLOAD:
        return body
    told = _members(body)
    if operation.name == "suno.persona":
        return relay.envelope({"id": told.get("id")}, of_nobody(told))
    if operation.name == "suno.act.stems":
        told["clips"] = clips_of(told.get("clips"))
    elif operation.name == "suno.act.mp4" and (address := _address(told)):
        told |= dict.fromkeys(_FILM, address)
    elif not told:
        return msgspec.json.encode(
            {**relay.answered(body), **({"wav_file_url": ""} if "wav" in operation.name else {})}
        )
    return relay.envelope(told, told)


#: Operation -> whether the members of its answer hold what it is for, where that is made first.
_THERE: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "suno.act.wav": lambda told: bool(told.get("wav_file_url")),
    "suno.act.mp4": lambda told: bool(_address(told)),
    "suno.act.midi": lambda told: told.get("state") == "complete",
    "suno.act.stems": lambda told: bool(told.get("clips")),
}


def _address(told: Mapping[str, Any]) -> str:
    return next((one for name in _FILM if isinstance(one := told.get(name), str) and one), "")


def _members(body: bytes) -> dict[str, Any]:
    """What an answer tells, whether it stands in an envelope or not."""
    told = relay.answered(body)
    inner = told.get("data")
    plain = {name: value for name, value in told.items() if name not in ("code", "message", "data", "msg")}
    return {**(inner if isinstance(inner, dict) else {}), **plain}
