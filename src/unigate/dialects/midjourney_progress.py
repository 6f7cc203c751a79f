"""What a Midjourney server tells of submissions and tasks, read for whoever asks it.

Of a task object what is kept is what a caller may see; ids of the server, its address for notices and `state`, which is ours
there, are not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from unigate.base.errors import BadAnswer
from unigate.spec.task import Failure, Output, Progress

#: Members that some servers tell and clients may use; passed on as they are.
MORE = (
    "videoUrl",
    "videoUrls",
    "imageUrls",
    "imageWidth",
    "imageHeight",
    "thumbnailUrl",
    "jobId",
    "seed",
    "isWhite",
    "displays",
)
_KEPT = (
    "action",
    "status",
    "prompt",
    "promptEn",
    "description",
    "imageUrl",
    "buttons",
    *MORE,
)
_State = Literal["queued", "running", "paused", "succeeded", "failed", "canceled"]
_STATES: Mapping[str, _State] = {
    "NOT_START": "queued",
    "SUBMITTED": "running",
    "IN_PROGRESS": "running",
    "MODAL": "paused",
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "CANCEL": "canceled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said to a submission."""

    code: int
    description: str
    properties: Mapping[str, Any]
    #: An id as text, addresses, or "".
    result: str | list[str]


def answer(body: bytes) -> Answer:
    """The answer to a submission; BadAnswer for what is none."""
    told = decoded(body)
    code = told.get("code") if isinstance(told, dict) else None
    if not isinstance(told, dict) or type(code) is not int:
        raise BadAnswer(detail="the answer to a submission has no code")
    description, properties, result = told.get("description"), told.get("properties"), told.get("result")
    if isinstance(result, list):
        result = [one for one in result if isinstance(one, str)]
    elif isinstance(result, str | int) and not isinstance(result, bool):
        result = str(result)
    else:
        result = ""
    return Answer(
        code=code,
        description=description if isinstance(description, str) else "",
        properties=properties if isinstance(properties, dict) else {},
        result=result,
    )


def decoded(body: bytes) -> object:
    """JSON; None for nothing, BadAnswer for what can't be read."""
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the answer is no JSON") from None


def progress(told: object, *, text: bool = False) -> Progress:
    """Where a task object stands; BadAnswer. `text`: its result may be words alone."""
    if not isinstance(told, dict):
        raise BadAnswer(detail="a task is no JSON object")
    if not isinstance(told.get("status"), str):
        raise BadAnswer(detail="a task has no status")
    state = _STATES.get(told["status"], "running")  # a word that some server has beside the convention's
    outputs = tuple(_outputs(told)) if state == "succeeded" else ()
    if state == "succeeded" and not outputs and not text:
        return Progress(
            state="failed", error=Failure(code="empty_result", message="任务没有结果"), detail=_detail(told)
        )
    error = None
    if state == "failed":
        reason = told.get("failReason")
        error = Failure(code="task_failed", message=reason if isinstance(reason, str) and reason else "任务失败")
    picture = told.get("imageUrl")
    return Progress(
        state=state,
        percent=_percent(told.get("progress")),
        detail=_detail(told),
        outputs=outputs,
        previews=(str(picture),) if state == "running" and _is_address(picture) else (),
        error=error,
    )


def _detail(told: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: told[name] for name in _KEPT if told.get(name) not in (None, "", [])}
    properties = told.get("properties")
    if isinstance(properties, dict):
        kept["properties"] = {name: value for name, value in properties.items() if name != "notifyHook"}
    return kept


def _outputs(told: Mapping[str, Any]) -> Iterator[Output]:
    """Its files, each once, the picture or film that stands for all of them first."""
    seen = set()
    for kind, addresses in (
        ("image", [told.get("imageUrl"), *_addresses(told.get("imageUrls"))]),
        ("video", [told.get("videoUrl"), *_addresses(told.get("videoUrls"))]),
    ):
        for address in addresses:
            if _is_address(address) and address not in seen:
                seen.add(address)
                yield Output(url=address, kind="video" if kind == "video" else "image")


def _addresses(told: object) -> list[Any]:
    """Addresses that stand in a list as they are, or each as `url` of an object."""
    return [one.get("url") if isinstance(one, dict) else one for one in told] if isinstance(told, list) else []


def _is_address(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _percent(told: object) -> int | None:
    digits = told.strip().removesuffix("%") if isinstance(told, str) else ""
    return min(int(digits), 100) if digits.isascii() and digits.isdecimal() and len(digits) < 6 else None
