"""Reading what a relay that speaks this form of Luma answers to whoever has it make films.

A handle is `{"id": <the relay's>}`. Relays put the generation in different places: bare, in a list of one, in an envelope.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from unigate.base.errors import BadAnswer
from unigate.dialects import luma_server
from unigate.dialects import relay_tasks as relay
from unigate.spec.task import Accepted, Answered, Json, Order, Output, Progress

_STATES: Mapping[str, Literal["queued", "running", "succeeded", "failed"]] = {
    "pending": "queued",
    "queued": "queued",
    "completed": "succeeded",
    "failed": "failed",
}
#: Members that are of the account, or that we write ourselves.
_OURS = frozenset(
    {"id", "user_id", "batch_id", "pipeline_id", "state", "prompt", "created_at", "url", "task_id", "failure_reason"}
)

#: What is kept of a film that is not made yet.
_SMALL = frozenset({"liked", "queue_state", "estimate_wait_seconds"})


def read(answered: Answered) -> dict[str, Any]:
    """The generation in an answer; BadAnswer, and UpstreamRefused for a refusal that came as 2xx."""
    try:
        told = msgspec.json.decode(answered.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(detail=f"no generation: {error}") from None
    if isinstance(told, list) and told:
        told = told[0]
    if not isinstance(told, dict):
        raise BadAnswer(detail="an answer that is no generation")
    if "code" in told:
        told = relay.answered(answered.body)
    data = told.get("data")
    if "state" not in told and "data" in told:
        inner: dict[str, Any] = data if isinstance(data, dict) else {}
        return inner if "state" in inner else {"id": relay.submitted_id(told)}
    found: dict[str, Any] = told
    return found


def accepted(order: Order, answered: Answered) -> Accepted:  # noqa: ARG001 - as every provider's
    """What the answer to a submission says."""
    told = read(answered)
    id = told.get("id") or told.get("task_id")
    return Accepted(
        handle=luma_server.identified({"id": id}),
        progress=progress_of(told) if "state" in told else Progress(state="queued"),
    )


def progress(handle: Json, answered: Answered) -> Progress:  # noqa: ARG001 - as every provider's
    """Where a film stands."""
    return progress_of(read(answered))


def progress_of(told: Mapping[str, Any]) -> Progress:
    """What a generation says of itself; words for states that are not known are on their way."""
    state = _STATES.get(str(told.get("state")), "running")
    if state == "failed":
        return Progress(state="failed", error=luma_server.failure(told.get("failure_reason")))
    detail = {name: value for name, value in told.items() if name not in _OURS}
    if state != "succeeded":
        small = {name: value for name, value in detail.items() if name in _SMALL}
        return Progress(state=state, detail=small)
    video = _video(told)
    if video is None:  # some relays say so before they tell where it is
        return Progress(state="running", percent=99)
    detail["video"] = video
    return Progress(state="succeeded", percent=100, detail=detail, outputs=_outputs(detail, video))


def _video(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """The film with its address without a mark, wherever it stands; where there is none, the one with a mark."""
    artifact, assets = told.get("artifact"), told.get("assets")
    inner = artifact if isinstance(artifact, Mapping) else {}
    made = assets if isinstance(assets, Mapping) else {}
    found = next((one for one in (told.get("video"), inner.get("video")) if isinstance(one, Mapping)), {})
    raw = next((one for one in (told.get("video_raw"), inner.get("video_raw")) if isinstance(one, Mapping)), {})
    marked = _text(found.get("url")) or _text(made.get("video"))
    clean = _text(found.get("download_url")) or _text(raw.get("url")) or _text(told.get("url")) or marked
    return {**found, "url": marked or clean, "download_url": clean} if clean else None


def clean(detail: Json) -> bool:
    """Whether a film's address is of one without a mark, as far as its relay tells."""
    video = detail.get("video")
    return isinstance(video, Mapping) and (
        video.get("download_url") != video.get("url") or bool(detail.get("unmarked"))
    )


def _outputs(detail: Mapping[str, Any], video: Mapping[str, Any]) -> tuple[Output, ...]:
    """The files, each once; the film without a mark is first."""
    raw = detail.get("video_raw")
    films = (video["download_url"], _text(raw.get("url")) if isinstance(raw, Mapping) else "", video["url"])
    stills = [_text(video.get("thumbnail"))]
    for name in ("thumbnail", "last_frame"):
        one = detail.get(name)
        stills.append(_text(one.get("url")) if isinstance(one, Mapping) else _text(one))
    found = [Output(url=url, kind="video") for url in films if url] + [
        Output(url=url, kind="image") for url in stills if url
    ]
    return tuple({one.url: one for one in reversed(found)}.values())[::-1]


def download(answered: Answered) -> str:
    """The address of a film without a mark; BadAnswer."""
    try:
        told = msgspec.json.decode(answered.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    found = told.get("url") if isinstance(told, dict) else None
    if not isinstance(found, str) or not found.startswith(("http://", "https://")):
        raise BadAnswer(detail="no address of a film")
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
