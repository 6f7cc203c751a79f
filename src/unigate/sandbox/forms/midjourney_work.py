"""What a Midjourney task is here: the data of its job, how it is shown on the wire, and how a submit is refused.

The format is the one of the open midjourney-proxy servers (github.com/novicezk/midjourney-proxy, and the .NET server
github.com/trueai-org/midjourney-proxy).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from unigate.sandbox.forms.midjourney_buttons import Button
from unigate.sandbox.forms.midjourney_paint import Recipe
from unigate.sandbox.forms.midjourney_pool import Account
from unigate.sandbox.media.files import url
from unigate.sandbox.serving.answer import Object, VendorError, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage, Timeline

ACCEPTED, NOT_FOUND, INVALID, FAILED, EXISTS, QUEUED, FULL, BANNED = 1, 3, 4, 9, 21, 22, 23, 24
CONFIRM = "Waiting for window confirm"
FAILURE = Stage(
    name="FAILURE", ended=True, error="[Job failed] Something went wrong while the job was running. Please try again."
)
CANCELED = Stage(name="CANCEL", ended=True, error="取消任务")


class Refused(Exception):
    """A submit that was understood and is not accepted: status 200 with another code."""

    def __init__(self, code: int, description: str, properties: Object | None = None, result: str = "") -> None:
        super().__init__(description)
        self.answer = submitted(code, description, result, properties)


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """The data of a Midjourney job."""

    action: str
    prompt: str
    #: The prompt as it is given to the model; of describe and shorten what they found out.
    final: str
    description: str
    account: Account
    mode: str
    bot: str
    state: str
    hook: str
    #: What makes the picture, None where there is none, or not yet.
    recipe: Recipe | None
    #: The job whose button was pressed, the customId, and the job whose picture the recipe starts from.
    parent: Job | None = None
    custom_id: str = ""
    base: Job | None = None
    hash: str
    seed: int
    buttons: tuple[Button, ...] = ()
    #: Percent -> the file of the picture as it looked then; 100: the result. Films stand in `films`.
    files: dict[int, str] = field(default_factory=dict)
    films: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def work_of(job: Job) -> Work:
    """The data of a job of this face."""
    assert isinstance(job.data, Work)
    return job.data


def submitted(code: int, description: str, result: object = "", properties: Object | None = None) -> Whole:
    """A submit's answer."""
    body: Object = {"code": code, "description": description, "properties": properties or {}}
    if result != "":
        body["result"] = result
    return Whole(payload=body)


def error(refused: VendorError) -> Whole:
    """An error of HTTP: the fields that the servers and the relays of this family have."""
    body = {
        "code": INVALID,
        "description": refused.message,
        "type": refused.kind,
        "properties": {},
        "error": {"message": refused.message, "type": refused.kind, "code": refused.code},
    }
    return Whole(payload=body, status=refused.status)


def failing(text: str) -> Timeline:
    """A job that Midjourney itself refuses, soon after it was handed on."""
    return (
        (0.0, Stage(name="NOT_START")),
        (0.2, Stage(name="SUBMITTED")),
        (0.6, Stage(name="FAILURE", ended=True, error=text)),
    )


def running(seconds: float, *, first: str = "NOT_START") -> Timeline:
    """A job that takes so many seconds."""
    return (
        (0.0, Stage(name=first)),
        (0.06 * seconds, Stage(name="SUBMITTED")),
        (0.16 * seconds, Stage(name="IN_PROGRESS", progress=0)),
        (0.3 * seconds, Stage(name="IN_PROGRESS", progress=25)),
        (0.53 * seconds, Stage(name="IN_PROGRESS", progress=50)),
        (0.76 * seconds, Stage(name="IN_PROGRESS", progress=75)),
        (seconds, Stage(name="SUCCESS", progress=100, ended=True)),
    )


#: A window that nobody confirms closes after five minutes.
MODAL: Timeline = (
    (0.0, Stage(name="MODAL")),
    (300.0, Stage(name="FAILURE", ended=True, error="任务超时")),
)


def origin_of(call: Call) -> str:
    """Where the caller reached the sandbox."""
    return f"http://{call.headers.get('host', '127.0.0.1')}"


def shown(job: Job, index: int, origin: str) -> Object:
    """The task object as it is at that stage of the job."""
    work = work_of(job)
    stage = job.timeline[index][1]
    done = stage.name == "SUCCESS"
    picture = work.files.get(stage.progress)
    prompt = work.final if done and work.action == "DESCRIBE" else work.prompt
    task: Object = {
        "id": job.id,
        "action": work.action,
        "status": stage.name,
        "progress": f"{stage.progress}%",
        "prompt": prompt,
        "promptEn": prompt,
        "description": "Submit success" if done else work.description,
        "state": work.state,
        "submitTime": job.made_ms,
        "startTime": job.entered_ms(1) if index else 0,
        "finishTime": job.entered_ms(index) if stage.ended else 0,
        "imageUrl": url(origin, picture) if picture else "",
        "failReason": stage.error or None,
        "properties": _properties(work, done=done),
        "buttons": [button.shown() for button in work.buttons] if done else [],
        "botType": work.bot,
        "mode": work.mode,
        "parentId": work.parent.id if work.parent else None,
        "jobId": work.hash,
    }
    if done and picture:
        task |= {"imageWidth": work.size[0], "imageHeight": work.size[1], "seed": str(work.seed)}
        task["imageUrls"] = [{"url": url(origin, picture), "thumbnail": url(origin, picture)}]
    if done and work.films:
        task["videoUrl"] = url(origin, work.films[0])
        task["videoUrls"] = [{"url": url(origin, name), "thumbnail": task["imageUrl"]} for name in work.films]
    return task


def _properties(work: Work, *, done: bool) -> Mapping[str, object]:
    properties: Object = {
        "finalPrompt": work.final if done or work.action not in ("DESCRIBE", "SHORTEN") else "",
        "notifyHook": work.hook,
        "botType": work.bot,
        "discordInstanceId": work.account.id,
        "discordChannelId": work.account.id,
        "flags": 0,
        "nonce": str(10**18 + work.seed),
    }
    if done:
        properties |= {
            "messageId": str(13 * 10**17 + work.seed),
            "messageHash": work.hash,
            "messageContent": f"**{work.final}** - <@{work.account.guild}> ({work.mode.lower()})",
            "progressMessageId": str(12 * 10**17 + work.seed),
        }
    return properties
