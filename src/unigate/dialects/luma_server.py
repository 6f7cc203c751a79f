"""Reading what Luma's official API answers to whoever has it make generations.

https://docs.lumalabs.ai, with the vendor's OpenAPI document (github.com/tryAGI/Luma). A handle is `{"id": <the vendor's>}`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from unigate.base.clock import utc
from unigate.base.errors import BadAnswer
from unigate.spec.task import Accepted, Answered, Failure, Json, Order, Output, Progress

_STATES: Mapping[str, Literal["queued", "running", "succeeded", "failed"]] = {
    "queued": "queued",
    "dreaming": "running",
    "completed": "succeeded",
    "failed": "failed",
}
#: Files of a generation, by what they are.
_ASSETS: Mapping[str, Literal["video", "image"]] = {"video": "video", "image": "image", "progress_video": "video"}

#: Generations of one page, and how far clocks may differ, in milliseconds.
LISTED, _CLOCKS_APART = 100, 300_000


def read(answered: Answered) -> dict[str, Any]:
    """A generation as the vendor answers it; BadAnswer."""
    try:
        return msgspec.json.decode(answered.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(detail=f"no generation: {error}") from None


def identified(told: Mapping[str, Any]) -> Json:
    """The handle of a generation; BadAnswer where it has no id."""
    if not isinstance(told.get("id"), str) or not told["id"]:
        raise BadAnswer(detail="a generation without an id")
    return {"id": told["id"]}


def accepted(order: Order, answered: Answered) -> Accepted:  # noqa: ARG001 - as every provider's
    """What the answer to a submission says."""
    told = read(answered)
    return Accepted(handle=identified(told), progress=progress_of(told))


def progress(handle: Json, answered: Answered) -> Progress:  # noqa: ARG001 - as every provider's
    """Where a generation stands."""
    return progress_of(read(answered))


def progress_of(told: Mapping[str, Any]) -> Progress:
    """What a generation says of itself; BadAnswer for a state that is none, and for an end without a file."""
    state = _STATES.get(str(told.get("state")))
    if state is None:
        raise BadAnswer(detail=f"a generation in the state {str(told.get('state'))[:50]!r}")
    assets = told.get("assets")
    found = {name: url for name, url in assets.items() if _is_file(url)} if isinstance(assets, Mapping) else {}
    if state == "succeeded" and not found:
        raise BadAnswer(detail="a generation that is completed, without a file")
    why = told.get("failure_reason")
    return Progress(
        state=state,
        percent=100 if state == "succeeded" else None,
        detail={"assets": found} if state == "succeeded" else {},
        outputs=[Output(url=url, kind=_ASSETS[name]) for name, url in found.items() if name in _ASSETS]
        if state == "succeeded"
        else (),
        error=failure(why) if state == "failed" else None,
    )


def recovered(order: Order, answered: Answered) -> Accepted | None:
    """The generation that an order became, found among the newest by its callback; None: it became none. BadAnswer."""
    told = read(answered)
    listed = told.get("generations")
    if not isinstance(listed, list):
        raise BadAnswer(detail="a list of generations is no list")
    requests = [
        (one, asked) for one in listed if isinstance(one, dict) and isinstance(asked := one.get("request"), dict)
    ]
    for one, asked in requests:
        if asked.get("callback_url") == order.callback:
            return Accepted(handle=identified(one), progress=progress_of(one))
    if (told.get("has_more") or len(listed) >= LISTED) and not _reaches(listed, order.submitted_at):
        raise BadAnswer(detail="the list of generations ends before ours could stand in it")
    if listed and not any("callback_url" in asked for _, asked in requests):
        raise BadAnswer(detail="the list does not tell of callbacks")
    return None


def _reaches(listed: Sequence[Any], moment: int) -> bool:
    """Whether a list of the newest goes back to before a moment, with a margin for clocks that differ."""
    try:
        made = [datetime.fromisoformat(one["created_at"]) for one in listed]
    except (KeyError, TypeError, ValueError):
        return False
    return all(one.tzinfo for one in made) and min(made) < utc(moment - _CLOCKS_APART)


def failure(why: object) -> Failure:
    """Why a generation failed, in the vendor's words where it has some."""
    return Failure(
        code="generation_failed",
        message=why[:2000] if isinstance(why, str) and why else "The generation failed.",
    )


def _is_file(url: object) -> bool:
    return isinstance(url, str) and bool(url)


def canceled(handle: Json, answered: Answered) -> Progress:  # noqa: ARG001 - as every provider's
    """A generation that was deleted: the vendor's answer has no body, so nothing says that it bills nothing."""
    return Progress(state="canceled", billed=True)
