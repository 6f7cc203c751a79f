"""A server that tells of songs by their clips: `generate` answers with them, `feed` says where they stand.

https://github.com/SunoAI-API/Suno-API, and relays that speak its form. The channel's base URL is the server's address before
`/generate`. The first of them knows songs, extensions and lyrics, and would make another song of anything else: such tasks go
to other channels, unless option `every_task` says that the server knows them. Nor does it tell of the end by itself.
"""

from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from unigate.base.errors import BadAnswer, Unsupported
from unigate.dialects import relay_tasks
from unigate.dialects import suno_server as server
from unigate.spec.provider import Provider
from unigate.spec.task import Accepted, Answered, Json, Message, Order, Pace, Progress, TaskApi

#: By this number a server with several accounts knows where something was made.
_SESSION = "session_id"
_PATHS = {"suno.music": "/generate", "suno.lyrics": "/generate/lyrics/", "suno.concat": "/generate/concat"}
#: A clip that nobody has.
_NO_CLIP = "00000000-0000-4000-8000-000000000000"


def _submit(order: Order, options: Json) -> Message:
    body: dict[str, Any] = dict(order.body)
    path = _PATHS.get(order.operation)
    if path is None:
        raise Unsupported(f"This server has nothing for {order.operation}.")
    task = "concat" if order.operation == "suno.concat" else body.get("task", "")
    if task not in ("", "extend") and options.get("every_task") is not True:
        raise Unsupported(f"This server has no task {task}.")
    if body.get("lyrics_model"):
        raise Unsupported("This server writes lyrics by the usual model only.")
    if not task and body.get("gpt_description_prompt"):
        path = "/generate/description-mode"
    return Message(method="POST", path=path, body=msgspec.json.encode(body))


def _accepted(order: Order, answered: Answered) -> Accepted:
    told = relay_tasks.answered(answered.body)
    session = told.get(_SESSION)
    known: dict[str, object] = {_SESSION: str(session)} if isinstance(session, int | str) else {}
    if order.operation != "suno.lyrics":
        return server.accepted_clips(known, told.get("clips", told))
    return Accepted(handle={**known, "words": relay_tasks.submitted_id(told)})


def _poll(handle: Json, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    what, ids = ("lyrics", [str(handle["words"])]) if "words" in handle else ("feed", server.named_clips([handle]))
    path = f"/{what}/{quote(','.join(ids), safe=',')}"
    query = f"?{urlencode({_SESSION: handle[_SESSION]})}" if _SESSION in handle else ""
    return Message(method="GET", path=path + query)


def _progress(handle: Json, answered: Answered) -> Progress:
    told = server.read(answered)
    if "words" in handle:
        if not isinstance(told, dict):
            raise BadAnswer(detail="the answer is no text")
        return server.words(told)
    (found,) = server.by_clips([handle], told)
    if found is None:
        raise BadAnswer(detail="the answer tells of other clips")
    return found


_TASKS = TaskApi(
    submit=_submit,
    accepted=_accepted,
    poll=_poll,
    progress=_progress,
    pace=Pace(first=2.0, growth=1.3, longest=15.0),
)
PROVIDER = Provider(
    name="suno_feed",
    title="Suno by generate and feed",
    base_url=None,
    tasks=dict.fromkeys(server.MAKES, _TASKS),
    adjust_error=relay_tasks.adjusted,
    models_path="",
    probe=Message(method="GET", path=f"/feed/{_NO_CLIP}"),
    read_probe=server.read,
)
