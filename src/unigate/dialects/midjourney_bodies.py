"""What each submission's body says, and whether it can be done: the members that we know, checked; others travel as they are."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from unigate.base.errors import InvalidJson
from unigate.dialects import midjourney_buttons as buttons
from unigate.dialects import midjourney_pictures as pictures
from unigate.dialects.midjourney_errors import Refused, lost
from unigate.dialects.midjourney_ids import is_id

_DIMENSIONS = ("PORTRAIT", "SQUARE", "LANDSCAPE")
_SIMPLE = re.compile(r"([0-9]{1,20}) (?:([UV])([1-4])|(R))", re.IGNORECASE)
_JOB = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
#: What a film's options may be.
_FILM: Mapping[str, tuple[object, ...]] = {
    "motion": ("low", "high", ""),
    "videoType": ("vid_1.1_i2v_480", "vid_1.1_i2v_720", ""),
    "batchSize": (1, 2, 4),
}
#: Characters of an address at most.
LONGEST = 2000
_LONGEST_PROMPT = 10_000

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one operation reads in a body."""

    #: As which it is priced; `bookmark` makes no task.
    action: str
    #: Members as they go on; None: not at all.
    body: Mapping[str, Any]
    prompt: str = ""
    parent_id: str = ""
    #: What prices may ask for beside the speed.
    conditions: Mapping[str, str | int] = field(default_factory=dict)
    #: Action and index of a change, until the task that it goes on from is known.
    change: tuple[str, int] | None = None


def fields(body: bytes) -> Fields:
    """The body's members; InvalidJson where it is no object."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidJson from None
    if not isinstance(told, dict):
        raise InvalidJson
    return told


def read(operation: str, given: Fields) -> Asked:
    """What a body asks of the operation of that name; Refused."""
    return _READERS[operation](given)


def _prompt(given: Fields) -> str:
    prompt = text(given, "prompt")
    check_prompt(prompt)
    return prompt


def check_prompt(prompt: str) -> None:
    """Refused for one that is blank or too long."""
    if not prompt.strip():
        raise Refused("prompt不能为空")
    if len(prompt) > _LONGEST_PROMPT:
        raise Refused("prompt长度不能超过10000")


def text(given: Fields, name: str) -> str:
    """A member that is a text, "" where it is not there; Refused."""
    told = given.get(name)
    if told is not None and not isinstance(told, str):
        raise Refused("参数错误")
    return told or ""


def _list(given: Fields, name: str, wrong: str) -> list[Any]:
    told = given.get(name)
    if told is None:
        return []
    if not isinstance(told, list):
        raise Refused(wrong)
    return told


def task_id(told: object) -> str:
    """The id of a task, a number or a text; Refused."""
    if told is None or told == "":
        raise Refused("taskId不能为空")
    id = str(told) if isinstance(told, str | int) and not isinstance(told, bool) else ""
    if not is_id(id):
        raise lost()
    return id


def _imagine(given: Fields) -> Asked:
    prompt = _prompt(given)
    told = [*_list(given, "base64Array", "base64格式错误"), *([given["base64"]] if given.get("base64") else [])]
    body = {"prompt": prompt, "base64Array": [pictures.check(one) for one in told], "base64": None}
    return Asked(action="imagine", body=body, prompt=prompt)


def _blend(given: Fields) -> Asked:
    told = _list(given, "base64Array", "base64List参数错误")
    if not 2 <= len(told) <= 5:
        raise Refused("base64List参数错误")
    dimensions = given.get("dimensions") or "SQUARE"
    if dimensions not in _DIMENSIONS:
        raise Refused("dimensions参数错误")
    return Asked(action="blend", body={"base64Array": [pictures.check(one) for one in told], "dimensions": dimensions})


def _describe(given: Fields) -> Asked:
    if link := given.get("link"):
        return Asked(action="describe", body={"link": pictures.checked_address(link), "base64": None})
    if not given.get("base64"):
        raise Refused("base64不能为空")
    return Asked(action="describe", body={"base64": pictures.check(given["base64"])})


def _shorten(given: Fields) -> Asked:
    prompt = _prompt(given)
    return Asked(action="shorten", body={"prompt": prompt}, prompt=prompt)


def _action(given: Fields) -> Asked:
    custom_id, parent = given.get("customId"), given.get("taskId")
    if not custom_id or not isinstance(custom_id, str) or not parent:
        raise Refused("参数错误")
    if (family := buttons.family(custom_id)) is None:
        raise Refused("未知的 Action 类型")
    return Asked(action=family, body={"customId": custom_id}, parent_id=task_id(parent))


def _change(given: Fields) -> Asked:
    parent, action, index = task_id(given.get("taskId")), given.get("action"), given.get("index")
    if action not in ("UPSCALE", "VARIATION", "REROLL"):
        raise Refused("action参数错误")
    if action == "REROLL":
        return _changed(parent, action, 0)
    if type(index) is not int or not 1 <= index <= 4:
        raise Refused("index参数错误")
    return _changed(parent, action, index)


def _simple_change(given: Fields) -> Asked:
    content = given.get("content")
    found = _SIMPLE.fullmatch(content) if isinstance(content, str) else None
    if found is None:
        raise Refused("content参数错误")
    action = {"U": "UPSCALE", "V": "VARIATION", "R": "REROLL"}[(found[2] or found[4]).upper()]
    return _changed(found[1], action, int(found[3] or 0))


def _changed(parent: str, action: str, index: int) -> Asked:
    # What came does not travel: what goes upstream is the press of a button.
    return Asked(
        action=action.lower(),
        body={"action": None, "index": None, "content": None},
        parent_id=parent,
        change=(action, index),
    )


def _swap_face(given: Fields) -> Asked:
    face, source = _side(given, "source", "人脸图片不能为空")
    target, aim = _side(given, "target", "目标图片不能为空")
    if face == target:
        raise Refused("人脸图片和目标图片不能相同")
    return Asked(action="swap_face", body={**source, **aim})


def _side(given: Fields, name: str, missing: str) -> tuple[str, dict[str, str | None]]:
    if told := given.get(f"{name}Base64"):
        picture = pictures.check(told)
        return picture, {f"{name}Base64": picture, f"{name}Url": None}
    if told := given.get(f"{name}Url"):
        address = pictures.checked_address(told)
        return address, {f"{name}Url": address}
    raise Refused(missing)


def _upload(given: Fields) -> Asked:
    told = _list(given, "base64Array", "base64格式错误")
    if not told:
        raise Refused("base64不能为空")
    return Asked(action="upload", body={"base64Array": [pictures.check(one) for one in told]})


def _show(given: Fields) -> Asked:
    told = given.get("jobId")
    if not isinstance(told, str) or not _JOB.search(told) or len(told) > LONGEST:
        raise Refused("jobId参数错误")
    return Asked(action="show", body={"jobId": told})


def _edits(given: Fields) -> Asked:
    prompt = _prompt(given)
    body = {"prompt": prompt, "image": _image(given, "image")}
    if mask := given.get("maskBase64"):
        body["maskBase64"] = pictures.check(mask, address=False)
    return Asked(action="edits", body=body, prompt=prompt)


def _retexture(given: Fields) -> Asked:
    prompt = _prompt(given)
    return Asked(action="retexture", body={"prompt": prompt, "image": _image(given, "image")}, prompt=prompt)


def _image(given: Fields, name: str) -> str:
    if not given.get(name):
        raise Refused("image不能为空")
    return pictures.check(given[name])


def _video(given: Fields) -> Asked:
    """Films of a first picture, or the going on of one of them."""
    for name, known in _FILM.items():
        told = given.get(name)
        if told is not None and (isinstance(told, bool) or told not in known):
            raise Refused(f"{name}参数错误")
    if not isinstance(given.get("loop") or False, bool):
        raise Refused("参数错误")
    if action := given.get("action"):
        return _extended(given, action)
    prompt = _prompt(given)
    # The public web client names the first picture `base64`.
    first = _image(given, "image" if given.get("image") or not given.get("base64") else "base64")
    last = pictures.check(given["endImage"]) if given.get("endImage") else None
    # Going on from a film is asked for by `action` alone.
    body = {"prompt": prompt, "image": first, "base64": None, "endImage": last, "index": None, "action": None}
    conditions = {"films": given.get("batchSize") or 4, "resolution": _resolution(given)}
    return Asked(action="video", body=body, prompt=prompt, conditions=conditions)


def _resolution(given: Fields) -> str:
    return "720p" if given.get("videoType") == "vid_1.1_i2v_720" else "480p"


def _extended(given: Fields, action: object) -> Asked:
    if action != "extend":
        raise Refused("action参数错误")
    prompt, parent, index = text(given, "prompt"), task_id(given.get("taskId")), given.get("index")
    if prompt:
        check_prompt(prompt)
    if type(index) is not int or not 0 <= index <= 3:
        raise Refused("视频index参数错误")
    body = {"prompt": prompt or None, "image": None, "base64": None, "endImage": None}
    conditions = {"films": given.get("batchSize") or 4, "resolution": _resolution(given)}
    return Asked(action="video", body=body, prompt=prompt, parent_id=parent, conditions=conditions)


_READERS: Mapping[str, Callable[[Fields], Asked]] = {
    "midjourney.imagine": _imagine,
    "midjourney.blend": _blend,
    "midjourney.describe": _describe,
    "midjourney.shorten": _shorten,
    "midjourney.action": _action,
    "midjourney.change": _change,
    "midjourney.simple_change": _simple_change,
    "midjourney.swap_face": _swap_face,
    "midjourney.upload": _upload,
    "midjourney.show": _show,
    "midjourney.edits": _edits,
    "midjourney.retexture": _retexture,
    "midjourney.video": _video,
}
