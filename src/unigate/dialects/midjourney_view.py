"""Tasks and replies as clients of Midjourney servers read them.

A task is what its server upstream tells of it (`Task.detail`, names as on the wire), under our id, with our links, and with
what its caller said. Ids of the server, its address for notices and its accounts' secrets are not in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer
from unigate.dialects import linked
from unigate.dialects import midjourney_buttons as buttons
from unigate.dialects import midjourney_ids as ids
from unigate.dialects.midjourney_errors import EXISTS, FULL, OK, QUEUED, own_text, said
from unigate.dialects.midjourney_progress import MORE
from unigate.dialects.midjourney_read import shown_prompt
from unigate.spec.reply import Reply
from unigate.spec.task import Answered, Task, View

_JSON = (b"content-type", b"application/json")
_STATUS: Mapping[str, str] = {
    "waiting": "NOT_START",
    "submitting": "NOT_START",
    "paused": "MODAL",
    "succeeded": "SUCCESS",
    "failed": "FAILURE",
    "unknown": "FAILURE",
    "canceled": "CANCEL",
}
_WORDS: Mapping[str, str] = {
    "queue_full": "队列已满",
    "task_timeout": "任务超时",
    "task_unknown": "提交失败,结果未知",
    "outcome_unknown": "提交失败,结果未知",
    "task_vanished": "任务不存在或已失效",
    "task_not_taken": "提交失败,任务未被接受",
    "no_channel_available": "无可用的账号实例",
}
_MOVING = ("SUBMITTED", "IN_PROGRESS")


def status(task: Task) -> str:
    """One of the convention's words."""
    if task.state == "running":
        told = task.detail.get("status")
        if task.queued:
            return "NOT_START"
        return str(told) if told in _MOVING else "SUBMITTED"
    return _STATUS[task.state]


def progress(task: Task) -> str:
    """`"0%"` to `"100%"`."""
    return "100%" if task.state == "succeeded" else f"{max(task.percent, 0)}%"


def shown(task: Task, view: View) -> dict[str, Any]:
    """The task object."""
    detail = task.detail
    done = task.state == "succeeded"
    prompt = shown_prompt(task)
    files = linked({name: detail.get(name) for name in ("imageUrl", *MORE)}, task.outputs, view)
    assert isinstance(files, dict)
    about = task.input
    return {
        "id": task.id,
        "action": about.get("action") or detail.get("action") or "",
        "prompt": prompt,
        "promptEn": str(detail.get("promptEn") or prompt),
        "description": str(detail.get("description") or _description(task, prompt)),
        "state": about.get("state", ""),
        "submitTime": task.created_at,
        "startTime": task.started_at,
        "finishTime": task.finished_at,
        "imageUrl": (files["imageUrl"] or _first(task, view)) if done else next(iter(task.previews), ""),
        "status": status(task),
        "progress": progress(task),
        "failReason": said(_reason(task), view.language),
        "properties": _properties(task, prompt),
        "buttons": buttons.shown(detail.get("buttons")) if done else [],
        "botType": about.get("botType") or "MID_JOURNEY",
        "customId": about.get("customId", ""),
        "maskBase64": "",
        "mode": str(task.conditions.get("mode", "")).upper(),
        "parentId": task.parent_id,
        **{name: value for name, value in files.items() if name in MORE and value is not None and done},
    }


def accepted(task: Task, view: View) -> Reply:
    """The reply to a submission: a number, a text for people, and the task's id."""
    told = task.detail.get("submitted")
    told = told if isinstance(told, Mapping) else {}
    number, text = told.get("code", OK), str(told.get("description") or "提交成功")
    properties: dict[str, Any] = dict(told.get("properties") or {})
    result: object = ids.shown(task.id, view.key_options, view.settings)
    if isinstance(together := task.input.get("all"), list | tuple):
        result = ",".join(str(one) for one in together)
    if task.state == "paused":
        number, text = EXISTS, "Waiting for window confirm"
        properties = {name: value for name, value in properties.items() if name in ("finalPrompt", "remix")}
        properties.setdefault("finalPrompt", shown_prompt(task))
        properties.setdefault("remix", True)
    elif task.state == "waiting":
        number, text = QUEUED, f"排队中,前面还有{task.ahead}个任务"
        properties = {"numberOfQueues": task.ahead, "discordInstanceId": ""}
    elif task.error is not None and task.error.code == "queue_full":
        number, text, properties = FULL, "队列已满,请稍后尝试", {"discordInstanceId": ""}
    elif task.called == "midjourney.upload" and task.state == "succeeded":
        result = linked(list(_list(task.detail.get("result"))), task.outputs, view)
    return Reply(_written(number, said(text, view.language), properties, result))


def seed(answered: Answered, view: View) -> Reply:
    """What the server said when it was asked for a seed; BadAnswer."""
    told = read(answered.body)
    number, result = told.get("code"), told.get("result")
    if type(number) is not int:
        raise BadAnswer(detail="the answer to image-seed has no code")
    text = str(told.get("description") or ("成功" if number == OK else "提交失败"))
    return Reply(
        _written(number, said(text, view.language), {}, str(result) if number == OK and result is not None else "")
    )


def read(body: bytes) -> dict[str, Any]:
    """An object; BadAnswer."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise BadAnswer(detail="the answer is no JSON object")
    return told


def _first(task: Task, view: View) -> str:
    """A link to the first of its pictures; "" where it has none."""
    return next((view.link(one) for one in task.outputs if one.kind == "image"), "")


def _description(task: Task, prompt: str) -> str:
    if task.state == "succeeded":
        return "Submit success"
    return f"/{str(task.operation).rpartition('.')[2]} {prompt}".rstrip()


def _reason(task: Task) -> str:
    if task.state == "canceled":
        return "取消任务"
    if task.state not in ("failed", "unknown"):
        return ""
    error = task.error
    if error is None:
        return "提交失败"
    # `task_failed` says why in the server's words.
    return _WORDS.get(error.code) or own_text(error.code) or error.message or "任务失败"


def _properties(task: Task, prompt: str) -> dict[str, Any]:
    told = task.detail.get("properties")
    own = dict(told) if isinstance(told, Mapping) else {}
    own["notifyHook"] = task.notify.url if task.notify is not None else ""
    own.setdefault("finalPrompt", prompt)
    own.setdefault("finalZhPrompt", "")
    own["botType"] = own.get("botType") or task.input.get("botType") or "MID_JOURNEY"
    return own


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _written(number: object, text: str, properties: Mapping[str, object], result: object) -> bytes:
    return msgspec.json.encode({"code": number, "description": text, "properties": properties, "result": result})
