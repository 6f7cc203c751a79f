"""Submissions as drafts: what is asked for, whether it can be done at all, what it is priced as, and what goes upstream.

What is remembered of a task (`Draft.input`): `action` (as its clients know it), `prompt`, `state`, `botType`, `customId`.
Fields that are not known here travel too; the speed, the caller's address for notices and `state` do not, since a server
upstream is told its own.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unigate.dialects import addresses
from unigate.dialects import midjourney_bodies as bodies
from unigate.dialects import midjourney_buttons as buttons
from unigate.dialects import midjourney_mode as modes
from unigate.dialects import midjourney_pictures as pictures
from unigate.dialects import midjourney_words as words
from unigate.dialects.midjourney_errors import OK, Refused, lost, unfinished
from unigate.dialects.midjourney_ids import is_id, new_id, shown
from unigate.spec.task import Draft, Json, Notify, Submission, Task

#: The public name of the model, by which calls are routed.
MODEL = "midjourney"
#: What a task is priced as -> how its clients know it.
ACTIONS: Mapping[str, str] = {
    "imagine": "IMAGINE",
    "blend": "BLEND",
    "describe": "DESCRIBE",
    "shorten": "SHORTEN",
    "upscale": "UPSCALE",
    "upscale_hd": "UPSCALE_HD",
    "variation": "VARIATION",
    "reroll": "REROLL",
    "zoom": "ZOOM",
    "pan": "PAN",
    "inpaint": "VARIATION",
    "video": "VIDEO",
    "swap_face": "SWAP_FACE",
    "upload": "UPLOAD",
    "show": "SHOW",
    "edits": "EDIT",
    "retexture": "RETEXTURE",
}
_BOTS = {"MID_JOURNEY": "MID_JOURNEY", "NIJI_JOURNEY": "NIJI_JOURNEY", "mj": "MID_JOURNEY", "niji": "NIJI_JOURNEY"}
_CHANGEABLE = ("IMAGINE", "VARIATION", "REROLL", "BLEND")
_LONGEST_STATE = 255
#: Tasks that one call may ask after.
_MOST_IDS = 1000
#: Fields that do not travel as they came.
_OURS = frozenset({"state", "notifyHook", "mode", "taskId", "accountFilter", "botType"})
#: What a press says that a prompt does not.
_OF_A_PRESS = ("customId", "enableRemix", "chooseSameChannel")
#: What is remembered only until the task is known that is gone on from.
_UNTIL_GONE_ON = ("change", "numeric", "banned")
#: Fields that are read here or sent on, and the same without regard to case.
_KNOWN = _OURS | {
    "prompt",
    "base64",
    "base64Array",
    "dimensions",
    "link",
    "customId",
    "action",
    "index",
    "content",
    "jobId",
    "sourceBase64",
    "sourceUrl",
    "targetBase64",
    "targetUrl",
    "maskBase64",
    "image",
    "endImage",
    "motion",
    "loop",
    "videoType",
    "batchSize",
}
_FOLDED = frozenset(name.casefold() for name in _KNOWN)


def read(asked: Submission) -> Draft:
    """The draft of a submission; Refused (or InvalidJson) where there can be no task."""
    given = _without_doubles(bodies.fields(asked.body))
    found = bodies.read(asked.operation.name, given)
    _check_common(given)
    words.check(found.prompt, asked.settings.get("banned_words"))
    mode = modes.chosen(
        asked.key_options.get("midjourney_mode"), asked.params.get("mode", ""), given, found.prompt, asked.settings
    )
    body = {name: value for name, value in {**given, **found.body}.items() if name not in _OURS and value is not None}
    if found.prompt:
        body["prompt"] = modes.without_flags(found.prompt, mode)
    if (bot := _bot(given)) is not None:
        body["botType"] = bot
    if account := _account(given):
        body["accountFilter"] = account
    hook = given.get("notifyHook")
    about: dict[str, Any] = {
        "action": ACTIONS.get(found.action, ""),
        "prompt": found.prompt,
        "state": given.get("state") or "",
        "botType": "INSIGHT_FACE" if found.action == "swap_face" else bot or "",
        "customId": body.get("customId", ""),
    }
    return Draft(
        operation=f"{MODEL}.{found.action}",
        model=MODEL,
        body=body,
        input=about | _until_gone_on(asked, found),
        conditions={"mode": mode, **found.conditions},
        parent_id=found.parent_id,
        notify=Notify(url=hook) if hook else None,
        task_id=new_id(),
        may_wait=found.action != "upload",  # its answer is its result
    )


def go_on(draft: Draft, parent: Task) -> Draft:
    """The draft with what follows from the task that it goes on from; Refused where it can't."""
    if parent.dialect != MODEL:
        raise lost()
    if parent.state != "succeeded":
        raise unfinished()
    custom_id, change = draft.body.get("customId"), draft.input.get("change")
    if custom_id is None and change is None:
        return _of_a_film(draft, parent)
    offered = parent.detail.get("buttons")
    if isinstance(change, tuple):
        action = parent.input.get("action")
        custom_id = buttons.of_change(change[0], change[1], offered) if action in _CHANGEABLE else None
        if custom_id is None:
            raise Refused("关联任务不允许执行变化")
    elif custom_id not in buttons.ids(offered):
        raise Refused("未知的 Action 类型")
    if buttons.family(str(custom_id)) == buttons.IMAGINE_ALL:
        return _of_each_prompt(draft, parent)
    if buttons.family(str(custom_id)) == "bookmark":
        result = int(parent.id) if draft.input.get("numeric") else parent.id
        raise Refused("提交成功", OK, result=result)  # nothing is made: the answer is the task itself
    about = {
        **{name: value for name, value in draft.input.items() if name not in _UNTIL_GONE_ON},
        "prompt": shown_prompt(parent),
        "botType": draft.input.get("botType") or parent.input.get("botType", ""),
        "customId": custom_id,
    }
    return replace(draft, body={**draft.body, "customId": custom_id}, input=about, model=parent.model)


def _of_a_film(draft: Draft, parent: Task) -> Draft:
    """The draft that goes on with one of a task's films; Refused where it has no such."""
    films = parent.detail.get("videoUrls")
    if parent.input.get("action") != ACTIONS["video"]:
        raise Refused("关联任务不允许执行变化")
    index = draft.body.get("index")
    if isinstance(films, list) and isinstance(index, int) and index >= len(films):
        raise Refused("视频index参数错误")
    about = {name: value for name, value in draft.input.items() if name not in _UNTIL_GONE_ON}
    about["botType"] = about.get("botType") or parent.input.get("botType", "")
    return replace(draft, input={**about, "prompt": about.get("prompt") or shown_prompt(parent)}, model=parent.model)


def _of_each_prompt(draft: Draft, parent: Task) -> Draft:
    """One draft for each prompt of a described picture: what its button with that number would make, without a window.

    They are submitted as prompts of their own, so that each is known by its own `state`: a server that makes all of them of
    one press names them in one reply only. Refused where there is none, or one has a banned word.
    """
    properties = parent.detail.get("properties")
    final = properties.get("finalPrompt") if isinstance(properties, Mapping) else None
    told = (final, parent.detail.get("promptEn"), parent.detail.get("prompt"))
    found = next((each for each in map(buttons.prompts, (text for text in told if isinstance(text, str))) if each), [])
    if not found:
        raise Refused("关联任务不允许执行变化")
    for prompt in found:
        words.check(prompt, draft.input.get("banned"))
    ids = [draft.task_id]
    while len(ids) < len(found):
        ids.extend({new_id()} - set(ids))
    mode = modes.known(draft.conditions.get("mode")) or modes.DEFAULT
    about = {name: value for name, value in draft.input.items() if name not in _UNTIL_GONE_ON}
    about |= {
        "action": ACTIONS["imagine"],
        "botType": about.get("botType") or parent.input.get("botType", ""),
        "all": ids,
    }
    body = {name: value for name, value in draft.body.items() if name not in _OF_A_PRESS}
    if about["botType"] and "botType" not in body:
        body["botType"] = about["botType"]
    made = [
        replace(
            draft,
            operation=f"{MODEL}.imagine",
            model=parent.model,
            body={**body, "prompt": modes.without_flags(prompt, mode)},
            input={**about, "prompt": prompt, "customId": f"MJ::Job::PicReader::{number}"},
            task_id=id,
        )
        for number, (id, prompt) in enumerate(zip(ids, found, strict=True), start=1)
    ]
    return replace(made[0], also=made[1:])


def read_modal(asked: Submission, task: Task) -> Json:
    """With what a paused task goes on; Refused where it is not paused, or something is missing."""
    given = bodies.fields(asked.body)
    if task.dialect != MODEL:
        raise lost()
    if task.state != "paused":
        raise unfinished()
    prompt = bodies.text(given, "prompt") or shown_prompt(task)
    bodies.check_prompt(prompt)
    words.check(prompt, asked.settings.get("banned_words"))
    mode = modes.known(task.conditions.get("mode")) or modes.DEFAULT
    body: dict[str, Any] = {"prompt": modes.without_flags(prompt, mode)}
    mask = given.get("maskBase64")
    if not mask and task.operation == f"{MODEL}.inpaint":
        raise Refused("maskBase64不能为空")
    if mask:
        body["maskBase64"] = pictures.check(mask, address=False)
    return body


def read_resumed(body: bytes) -> str:
    """The id of the task that a modal is about, a number or a text; Refused."""
    return bodies.task_id(bodies.fields(body).get("taskId"))


def read_ids(body: bytes) -> list[str]:
    """The ids of a list, numbers or texts; Refused."""
    told = bodies.fields(body).get("ids")
    if told is None:
        return []
    if not isinstance(told, list) or len(told) > _MOST_IDS:
        raise Refused("参数错误")
    if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in told):
        raise Refused("参数错误")
    return [text for one in told if is_id(text := str(one))]


def shown_prompt(task: Task) -> str:
    """The prompt of a task: its own, or as it became on the way."""
    if not task.input.get("customId") and (own := task.input.get("prompt")):
        return str(own)
    properties = task.detail.get("properties")
    final = properties.get("finalPrompt") if isinstance(properties, Mapping) and task.state == "paused" else None
    return str(final or task.detail.get("prompt") or task.input.get("prompt") or "")


def _until_gone_on(asked: Submission, found: bodies.Asked) -> dict[str, Any]:
    """What `go_on` wants to know of the request, and takes away again."""
    if not found.parent_id:
        return {}
    numeric = isinstance(shown("1", asked.key_options, asked.settings), int)
    change = {"change": found.change} if found.change else {}
    return {**change, "numeric": numeric, "banned": asked.settings.get("banned_words")}


def _without_doubles(given: bodies.Fields) -> bodies.Fields:
    """The fields without those that differ from a known one in case only.

    Servers that match names without regard to case would take them for it, though nothing here has seen what they say.
    """
    return {name: value for name, value in given.items() if name in _KNOWN or name.casefold() not in _FOLDED}


def _check_common(given: bodies.Fields) -> None:
    state, hook = given.get("state"), given.get("notifyHook")
    if state is not None and (not isinstance(state, str) or len(state) > _LONGEST_STATE):
        raise Refused("state长度不能超过255")
    if not hook:
        return
    if not isinstance(hook, str):
        raise Refused("回调地址错误")
    if len(hook) > bodies.LONGEST:
        raise Refused("回调地址长度不能超过2000")
    if not addresses.plain(hook, login=False):
        raise Refused("回调地址错误")


def _bot(given: bodies.Fields) -> str | None:
    told = given.get("botType")
    if not told:
        return None
    if not isinstance(told, str) or told not in _BOTS:
        raise Refused("参数错误")
    return _BOTS[told]


def _account(given: bodies.Fields) -> dict[str, Any]:
    """Which account is wanted, without the speed, which is told apart."""
    told = given.get("accountFilter")
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise Refused("参数错误")
    return {name: value for name, value in told.items() if name.casefold() != "modes" and value is not None}
