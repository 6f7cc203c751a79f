"""The server of gcui-art, which makes songs at an account of Suno's: `/api/generate` and its like, clips without `metadata`.

https://github.com/gcui-art/suno-api. The channel's base URL is the server's address before `/api`. Its credential is the
account's cookie, or any text where the server has one of its own. It knows no uploads, covers, replaced sections and
singers: such tasks go to other channels. Nor does it tell of the end by itself, so it is asked.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from unigate.base.errors import BadAnswer, Unsupported
from unigate.dialects import suno_flat as flat
from unigate.dialects import suno_server as server
from unigate.spec.provider import Credential, Headers, Options, Provider, Translation, bearer, no_change
from unigate.spec.task import Accepted, Answered, Json, Message, Order, Pace, Progress, TaskApi

#: By this member a cookie of Suno's is known.
_COOKIE = "__client="
#: Tasks that one question is about: the server gives twenty clips at most.
_MANY = 10


def _auth(credential: Credential, options: Options) -> Headers:
    if _COOKIE in credential.secret:
        return ((b"cookie", credential.secret.encode()),)
    return bearer(credential, options)


def _submit(order: Order, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    writer = {"suno.music": _music, "suno.lyrics": _lyrics, "suno.concat": _concat}.get(order.operation)
    if writer is None:
        raise Unsupported(f"This server has nothing for {order.operation}.")
    told = writer(order.body)
    return Message(method="POST", path=f"/api/{told.pop('path')}", body=msgspec.json.encode(told))


def _music(body: Json) -> dict[str, Any]:
    task = body.get("task", "")
    if task == "gen_stem":
        if str(body.get("stem_task", "two")).lower() != "two":
            raise Unsupported("This server divides songs into two tracks only.")
        return {"path": "generate_stems", "audio_id": body["continue_clip_id"]}
    if task not in ("", "extend"):
        raise Unsupported(f"This server has no task {task}.")
    how: dict[str, Any] = {"model": body["mv"], "wait_audio": False}
    silent = body.get("make_instrumental") is True
    idea = body.get("gpt_description_prompt")
    if idea and not task:
        return {"path": "generate", "prompt": idea, "make_instrumental": silent, **how}
    how |= {name: body.get(name) or "" for name in ("prompt", "tags", "title", "negative_tags")}
    if not task:
        return {"path": "custom_generate", "make_instrumental": silent, **how}
    if silent:
        how["prompt"] = ""  # it knows no other way to say it of what goes on
    at = {"continue_at": body["continue_at"]} if body.get("continue_at") is not None else {}
    return {"path": "extend_audio", "audio_id": body["continue_clip_id"], **at, **how}


def _lyrics(body: Json) -> dict[str, Any]:
    if body.get("lyrics_model"):
        raise Unsupported("This server writes lyrics by the usual model only.")
    if not str(body["prompt"]).strip():
        raise Unsupported("This server writes no lyrics about nothing.")
    return {"path": "generate_lyrics", "prompt": body["prompt"]}


def _concat(body: Json) -> dict[str, Any]:
    if body.get("is_infill"):
        raise Unsupported("This server replaces no sections.")
    return {"path": "concat", "clip_id": body["clip_id"]}


def _accepted(order: Order, answered: Answered) -> Accepted:
    told = server.read(answered)
    if order.operation == "suno.lyrics":  # they come at once
        written = server.words(told if isinstance(told, dict) else {})
        if written.state == "running":
            raise BadAnswer(detail="the answer is no text")
        return Accepted(handle={}, progress=written)
    return server.accepted_clips({}, [flat.clip(one) for one in (told if isinstance(told, list) else [told])])


def _poll_many(handles: Sequence[Json], options: Json) -> Message:  # noqa: ARG001 - as every provider's
    ids = quote(",".join(server.named_clips(handles)), safe=",")
    return Message(method="GET", path=f"/api/get?ids={ids}")


def _progress_many(handles: Sequence[Json], answered: Answered) -> Sequence[Progress | None]:
    told = server.read(answered)
    return server.by_clips(handles, [flat.clip(one) for one in told] if isinstance(told, list) else told)


def _timing(answer: bytes, asked: bytes, id: str) -> bytes:  # noqa: ARG001 - as every translation
    words = server.read(Answered(status=200, body=answer))
    if not isinstance(words, list):
        raise BadAnswer(detail="the answer is no list of words")
    return msgspec.json.encode({"aligned_words": words, "is_streamed": False})


_TASKS = TaskApi(
    submit=_submit,
    accepted=_accepted,
    poll_many=_poll_many,
    progress_many=_progress_many,
    many=_MANY,
    pace=Pace(first=2.0, growth=1.3, longest=15.0),
)
_AT_ONCE = TaskApi(submit=_submit, accepted=_accepted)
_TIMING = "suno.act.timing"
PROVIDER = Provider(
    name="suno_gcui",
    title="Suno by gcui-art's server",
    base_url=None,
    auth=_auth,
    tasks={name: _AT_ONCE if name.endswith(".lyrics") else _TASKS for name in server.MAKES},
    paths={_TIMING: "/api/get_aligned_lyrics?song_id={id}"},
    translations={_TIMING: Translation(request=no_change, answer=_timing)},
    models_path="",
    probe=Message(method="GET", path="/api/get_limit"),
    read_probe=server.read,
)
