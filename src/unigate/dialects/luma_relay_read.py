"""Reading what the relays' form of Luma is asked for: films, and films made longer.

Field names are those of the vendor's old web API (chatgpt-web-midjourney-proxy, `src/api/luma.ts`, sends them). Models go by the
names of the official API here, so that one price and one list of models serve both forms.
"""

from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from unigate.base.errors import BadRequest
from unigate.dialects import luma_checks as checks
from unigate.dialects import relay_tasks as relay
from unigate.dialects.json_read import refuse_twice
from unigate.dialects.luma_read import DURATION, RATIO, RATIOS, RESOLUTION, RESOLUTIONS, as_large
from unigate.spec.task import Draft, Submission, Task

#: Names of models in this form -> in the official one.
MODELS: Mapping[str, str] = {"ray-v1": "ray-1-6", "ray-v2": "ray-2", "ray-v3": "ray-3"}
_USUAL = "ray-2"
_DURATIONS: Mapping[str, str] = {"5": "5s", "5s": "5s", "9": "9s", "9s": "9s"}
EXTEND = "luma_relay.extend"
#: What is said in other words, or would say in the official form's what nobody has looked at.
_NOT_SENT = frozenset({"notify_hook", "model_name", "model", "keyframes", "callback_url"})
#: Members that hold pictures: the first and the last frame.
PICTURES = ("image_url", "image_end_url")


def read(asked: Submission) -> Draft:
    """The draft of a submission. InvalidJson; BadRequest for what can't become a film."""
    given = {name: value for name, value in relay.fields(asked.body).items() if value not in (None, "")}
    refuse_twice(asked.body, given)
    extends = asked.operation.name == EXTEND
    prompt = checks.text(given, "user_prompt")
    first, last = (checks.picture(given, name) for name in PICTURES)
    if not prompt.strip() and (extends or not first):
        raise BadRequest("user_prompt is required", param="user_prompt")
    if extends and first:
        raise BadRequest("image_url: a film that goes on begins with the film before it", param="image_url")
    for name in ("loop", "expand_prompt"):
        checks.flag(given, name)
    checks.one_of(given, "aspect_ratio", RATIOS)
    checks.one_of(given, "resolution", RESOLUTIONS)
    named = checks.text(given, "model_name")
    conditions = {"resolution": given.get("resolution", RESOLUTION), "duration": _duration(given)}
    sent = {name: value for name, value in given.items() if name not in _NOT_SENT}
    if "duration" in given:
        sent["duration"] = conditions["duration"]
    return Draft(
        operation=asked.operation.name,
        model=MODELS.get(named, named) or ("" if extends else _USUAL),
        body=sent,
        input={
            "action": "LUMA_EXTEND" if extends else "LUMA_VIDEO",
            "prompt": prompt,
            "ratio": given.get("aspect_ratio", RATIO),
            "pictures": [one if checks.is_address(one) else "base64" for one in (first, last) if one],
        },
        conditions=conditions,
        units={"call": 1, "videos": 1},
        parent_id=asked.params["id"] if extends else "",
        notify=relay.read_notify(given),
        task_id=str(uuid4()),
    )


def go_on(draft: Draft, parent: Task) -> Draft:
    """The draft that goes on from a film; BadRequest where it has not been made."""
    if parent.state != "succeeded":
        raise relay.Refused("The task has not finished yet.", "task_not_finished")
    made = as_large(replace(draft, model=draft.model or parent.model), parent)
    return replace(made, input={**made.input, "ratio": made.body.get("aspect_ratio", RATIO)})


def _duration(given: checks.Body) -> str:
    told = given.get("duration", DURATION)
    found = _DURATIONS.get(str(told)) if isinstance(told, str | int) and not isinstance(told, bool) else None
    if found is None:
        raise BadRequest("duration must be one of: 5s, 9s", param="duration")
    return found
