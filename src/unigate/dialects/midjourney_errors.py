"""Errors as clients of Midjourney servers read them: a number in the body, texts in Chinese or English.

What was understood and is refused answers HTTP 200, and its `code` says why: 3 not found, 4 not valid, 23 full, 24 a banned
word. What never came so far (key, money, limits, channels) has a status of its own and a body that holds both the
convention's members and an `error` object, since clients look for either.
"""

import re
from collections.abc import Mapping

import msgspec

from unigate.base.errors import (
    BadRequest,
    Conflict,
    GatewayError,
    InvalidJson,
    NoFunds,
    NotFound,
    QueueFull,
    UpstreamError,
    UpstreamRefused,
)

OK, NOT_FOUND, INVALID, UNKNOWN, FAILED, EXISTS, QUEUED, FULL, BANNED, NO_ROOM = 1, 3, 4, 5, 9, 21, 22, 23, 24, 30
#: Refusals that answer HTTP 200.
BY_RULES = frozenset({OK, NOT_FOUND, INVALID, FAILED, EXISTS, QUEUED, FULL, BANNED})

#: Texts of ours in English.
ENGLISH: Mapping[str, str] = {
    "提交成功": "Submitted successfully.",
    "prompt不能为空": "prompt must not be empty.",
    "prompt长度不能超过10000": "prompt is longer than 10000 characters.",
    "base64格式错误": "base64 is not a picture: PNG, JPEG, WebP or GIF, as a data URL, as base64, or its address.",
    "base64不能为空": "base64 must not be empty.",
    "base64List参数错误": "base64Array takes 2 to 5 pictures.",
    "图片大小超出限制": "A picture is too large.",
    "maskBase64不能为空": "maskBase64 must not be empty.",
    "人脸图片不能为空": "The picture of the face must not be empty.",
    "目标图片不能为空": "The picture that gets the face must not be empty.",
    "人脸图片和目标图片不能相同": "The two pictures must differ.",
    "dimensions参数错误": "dimensions is one of PORTRAIT, SQUARE, LANDSCAPE.",
    "taskId不能为空": "taskId must not be empty.",
    "jobId参数错误": "jobId is a UUID, or an address that holds one.",
    "action参数错误": "action is one of UPSCALE, VARIATION, REROLL.",
    "index参数错误": "index lies between 1 and 4.",
    "content参数错误": "content is a task's id, a space, and U1 to U4, V1 to V4, or R.",
    "image不能为空": "image must not be empty.",
    "motion参数错误": "motion is low or high.",
    "videoType参数错误": "videoType is vid_1.1_i2v_480 or vid_1.1_i2v_720.",
    "batchSize参数错误": "batchSize is 1, 2 or 4.",
    "视频index参数错误": "index lies between 0 and 3, and names a film that there is.",
    "参数错误": "The parameters are not valid.",
    "关联任务状态错误": "The task's status does not allow that.",
    "关联任务不允许执行变化": "The task does not allow that change.",
    "关联任务不存在或已失效": "The task does not exist, or has expired.",
    "任务不存在": "The task does not exist.",
    "回调地址错误": "notifyHook is not an address that can be notified.",
    "回调地址长度不能超过2000": "notifyHook is longer than 2000 characters.",
    "state长度不能超过255": "state is longer than 255 characters.",
    "未知的 Action 类型": "Unknown action.",
    "可能包含敏感词": "The prompt may hold a banned word.",
    "队列已满,请稍后尝试": "The queue is full, please try again later.",
    "请求体不是有效的JSON": "The request body is not a valid JSON object.",
    "无可用的账号实例": "No account is available.",
    "当前分组负载已饱和,请稍后再试": "The gateway is saturated at present, please try again later.",
    "提交失败": "The submission failed.",
    "成功": "Success.",
    "任务已存在": "The task exists already.",
    "队列已满": "The queue is full.",
    "任务超时": "The task took too long.",
    "任务失败": "The task failed.",
    "任务没有结果": "The task has no result.",
    "取消任务": "The task was cancelled.",
    "任务不存在或已失效": "The task does not exist, or has expired.",
    "提交失败,结果未知": "The submission failed, and it is not known whether the task was taken.",
    "提交失败,任务未被接受": "The submission failed: the task was not taken.",
}
#: Texts of ours and of servers that have a number in them.
_COUNTED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"排队中[,\uff0c]前面还有([0-9]+)个任务"), "Queued, tasks ahead: {}."),
    (re.compile(r"执行超时 ?([0-9]+) ?分钟"), "The task took longer than {} min."),
    (re.compile(r"上游任务超时[(\uff08]超过([0-9]+)小时[)\uff09]"), "The task took longer than {} h."),
)
#: Our own codes -> number and Chinese text, None: as the error says.
_OWN: Mapping[str, tuple[int, str | None]] = {
    "insufficient_quota": (INVALID, "quota_not_enough"),
    "no_channel_available": (NOT_FOUND, "无可用的账号实例"),
    "model_not_found": (NOT_FOUND, "无可用的账号实例"),
    "queue_full": (FULL, "队列已满,请稍后尝试"),
    "rate_limit_exceeded": (NO_ROOM, "当前分组负载已饱和,请稍后再试"),
    "invalid_callback": (INVALID, "回调地址错误"),
    "conflict": (INVALID, "关联任务状态错误"),
    "invalid_api_key": (INVALID, "API密钥无效"),
    "key_expired": (INVALID, "API密钥已过期"),
    "request_too_large": (INVALID, "请求体过大"),
    "invalid_json": (INVALID, "请求体不是有效的JSON"),
    "upstream_error": (UNKNOWN, "提交失败"),
    "upstream_timeout": (UNKNOWN, "提交失败"),
    "internal_error": (UNKNOWN, "提交失败"),
    "store_unavailable": (FAILED, "提交失败"),
    "server_draining": (FAILED, "提交失败"),
}
_PREFERENCE = re.compile(r"\s*([a-zA-Z*]{1,8})[a-zA-Z0-9-]*\s*(?:;\s*q\s*=\s*([0-9.]{1,5})\s*)?")


class Refused(BadRequest):
    """Understood, and refused by the convention's rules."""

    def __init__(
        self,
        message: str = "参数错误",
        number: int = INVALID,
        *,
        properties: Mapping[str, object] | None = None,
        result: object = "",
    ) -> None:
        super().__init__(message)
        self.number = number
        self.properties = properties or {}
        self.result = result


class ServerRefused(UpstreamRefused):
    """A server refused a submission by the convention's rules."""

    def __init__(self, status: int, body: bytes, *, number: int, description: str) -> None:
        super().__init__(status, body, content_type=b"application/json")
        self.number = number
        self.description = description


class ServerFull(QueueFull):
    """Every server's queue is full; the last one's words for it."""

    def __init__(self, description: str, *, task_id: str, retry_after: float | None) -> None:
        super().__init__(task_id=task_id, retry_after=retry_after)
        self.message = description


class Unknown(NotFound):
    """There is no such task."""

    def __init__(self) -> None:
        super().__init__("任务不存在")


def lost() -> Refused:
    """The task that is to be gone on from is not there."""
    return Refused("关联任务不存在或已失效", NOT_FOUND)


def unfinished() -> Refused:
    """The task's status does not allow what is asked."""
    return Refused("关联任务状态错误")


def own_refusal(task_id: str, failure: UpstreamError) -> GatewayError | None:
    """A server's word that it is full or has failed, where no other is left to try; None for what else stood in the way."""
    if not isinstance(failure, ServerRefused):
        return None
    if failure.number == FULL:
        words = failure.description or "队列已满,请稍后尝试"
        return ServerFull(words, task_id=task_id, retry_after=failure.retry_after)
    if failure.number == FAILED:
        return Refused(failure.description or "提交失败", FAILED)
    return None


def said(text: str, language: str) -> str:
    """A text as a reader asks for it (`accept-language`): in English, where that is preferred and the text is known."""
    if not language or not _wants_english(language):
        return text
    if text.replace("\uff0c", ",") in ENGLISH:
        return ENGLISH[text.replace("\uff0c", ",")]
    for pattern, english in _COUNTED:
        if found := pattern.fullmatch(text):
            return english.format(found[1])
    return text


def own_text(code: str) -> str | None:
    """What one of our own codes is called in Chinese; None: as its message says."""
    return _OWN.get(code, (0, None))[1]


def error_status(error: GatewayError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, UpstreamRefused):
        return 200 if _told(error.body)[0] in BY_RULES else error.upstream_status
    if isinstance(error, NoFunds):
        return 403
    if error.code == "model_not_found":
        return 503
    if error.code == "queue_full" or (isinstance(error, BadRequest | Conflict) and not isinstance(error, InvalidJson)):
        return 200
    return error.status


def translate(error: GatewayError, language: str) -> GatewayError:
    """The error in the language that a caller asks for (`accept-language`): English where it is preferred to Chinese."""
    if isinstance(error, UpstreamRefused):
        return _passed_in(error, language)
    text = error.message if error.message in ENGLISH else own_text(error.code)
    if text is None:
        return error
    if isinstance(error, ServerFull):
        text = error.message  # a server's own words
    elif text == said(text, language) and not text.isascii() and _wants_english(language):
        return error  # what it says itself is English, and says more
    text = said(text, language)
    # As a copy without a call of its constructor, which may take other things.
    shown = type(error).__new__(type(error), text)
    vars(shown).update(vars(error), message=text)
    return shown


def _passed_in(error: UpstreamRefused, language: str) -> UpstreamRefused:
    """A server's refusal with its description as a reader asks for it, where that is a text of the convention."""
    number, description, properties = _told(error.body)
    text = said(description, language)
    if text == description:
        return error
    body = msgspec.json.encode({"code": number, "description": text, "properties": properties})
    return UpstreamRefused(error.upstream_status, body, content_type=error.content_type, retry_after=error.retry_after)


def write_error(error: GatewayError, request_id: str) -> bytes:
    """The body of an error reply."""
    if isinstance(error, Refused):
        return _written(error.number, error.message, error.properties, error.result)
    if isinstance(error, BadRequest | Conflict) and not isinstance(error, InvalidJson):
        return _written(INVALID, error.message, {}, "")
    number = NOT_FOUND if isinstance(error, Unknown) else _OWN.get(error.code, (INVALID, None))[0]
    if number == FULL:
        return _written(FULL, error.message, {"discordInstanceId": ""}, getattr(error, "shown_id", ""))
    kind = "upstream_error" if error.kind == "server_error" or isinstance(error, NoFunds) else error.kind
    return msgspec.json.encode(
        {
            "code": number,
            "description": error.message,
            "type": kind,
            "properties": {},
            "result": "",
            "error": {"message": error.message, "type": kind, "code": error.code, "request_id": request_id},
        }
    )


def pass_error(status: int, body: bytes) -> bytes:  # noqa: ARG001 - as every such function
    """A server's refusal, without what tells of its accounts."""
    number, description, properties = _told(body)
    shown = {name: properties[name] for name in ("promptEn", "bannedWord") if isinstance(properties.get(name), str)}
    return _written(number or INVALID, description or "提交失败", shown, "")


def _written(number: int, description: str, properties: Mapping[str, object], result: object) -> bytes:
    told: dict[str, object] = {"code": number, "description": description, "properties": properties}
    return msgspec.json.encode(told if number == BANNED else {**told, "result": result})


def _told(body: bytes) -> tuple[int, str, Mapping[str, object]]:
    """Number, description and properties of a server's answer; 0, "" and {} for what it does not tell."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0, "", {}
    if not isinstance(told, dict):
        return 0, "", {}
    number, description, properties = told.get("code"), told.get("description"), told.get("properties")
    return (
        number if type(number) is int else 0,
        description if isinstance(description, str) else "",
        properties if isinstance(properties, dict) else {},
    )


def _wants_english(language: str) -> bool:
    """Whether English is named before, or preferred to, Chinese; RFC 9110 12.5.4."""
    best, english = 0.0, False
    for part in language.split(","):
        found = _PREFERENCE.fullmatch(part)
        if found is None or found[1].lower() not in ("en", "zh"):
            continue
        try:
            quality = float(found[2]) if found[2] else 1.0
        except ValueError:
            continue
        if quality > best:
            best, english = quality, found[1].lower() == "en"
    return english
