"""Reads and checks the messages of an OpenAI chat call."""

from typing import Any

from unigate.sandbox.brain import pictures, sound
from unigate.sandbox.brain.prompt import File, Picture, Role, Sound, ToolCall, Turn
from unigate.sandbox.forms import attached, checks
from unigate.sandbox.forms.attached import Library
from unigate.sandbox.forms.models import Model
from unigate.sandbox.serving.answer import Object

_ROLES: dict[str, Role] = {
    "system": "system",
    "assistant": "assistant",
    "user": "user",
    "function": "tool",
    "tool": "tool",
    "developer": "system",
}
_PARTS = ("text", "image_url", "input_audio", "refusal", "audio", "file")
_KINDS = "['png', 'jpeg', 'gif', 'webp']"


def read(value: Any, model: Model, library: Library) -> tuple[Turn, ...]:
    """The conversation; VendorError as the vendor would refuse it."""
    if value is None:
        raise checks.missing("messages")
    messages = checks.listed(value, "messages", least=1)
    turns = tuple(_turn(message, place, model, library) for place, message in enumerate(messages))
    _check_tool_results(turns)
    return turns


def _turn(message: Any, place: int, model: Model, library: Library) -> Turn:
    param = f"messages[{place}]"
    message = checks.mapping(message, param)
    if "role" not in message:
        raise checks.missing(f"{param}.role")
    role = checks.one_of(message["role"], f"{param}.role", _ROLES)
    if role == "system" and not model.system:
        told = f"Unsupported value: '{param}.role' does not support 'system' with this model."
        raise checks.refuse(told, f"{param}.role", "unsupported_value")
    calls = _calls(message, param) if role == "assistant" else ()
    content = message.get("content")
    texts: list[str] = []
    seen: list[Picture | Sound | File] = []
    if isinstance(content, str):
        texts.append(content)
    elif isinstance(content, list):
        for number, part in enumerate(checks.listed(content, f"{param}.content", least=1)):
            found = _part(part, f"{param}.content[{number}]", model, library)
            (texts if isinstance(found, str) else seen).append(found)  # type: ignore[arg-type]
    elif content is not None:
        raise checks.wrong_type(f"{param}.content", "one of a string or array of objects", content)
    elif not (calls or (role == "assistant" and {"refusal", "audio", "function_call"} & message.keys())):
        told = "Invalid value for 'content': expected a string, got null."
        raise checks.refuse(told, f"messages.[{place}].content")
    answers = message.get("tool_call_id") or ""
    if role == "tool" and not answers:
        raise checks.missing(f"{param}.tool_call_id")
    if role == "function":
        answers = checks.text(message, "name", f"{param}.name", required=True)
    return Turn(
        role=_ROLES[role],
        text="\n".join(texts),
        pictures=tuple(part for part in seen if isinstance(part, Picture)),
        sounds=tuple(part for part in seen if isinstance(part, Sound)),
        files=tuple(part for part in seen if isinstance(part, File)),
        calls=calls,
        answers=answers,
    )


def _calls(message: Object, param: str) -> tuple[ToolCall, ...]:
    made = []
    old = message.get("function_call")
    if isinstance(old, dict):
        name = str(old.get("name", ""))
        made.append(ToolCall(id=name, name=name, arguments=str(old.get("arguments", ""))))
    value = message.get("tool_calls")
    if value is None:
        return tuple(made)
    for number, given_call in enumerate(checks.listed(value, f"{param}.tool_calls", least=1)):
        at = f"{param}.tool_calls[{number}]"
        call = checks.mapping(given_call, at)
        kind = checks.one_of(call.get("type", "function"), f"{at}.type", ("function", "custom"))
        if kind not in call:
            raise checks.missing(f"{at}.{kind}")
        inner = checks.mapping(call[kind], f"{at}.{kind}")
        given = "input" if kind == "custom" else "arguments"
        made.append(
            ToolCall(
                id=checks.text(call, "id", f"{at}.id", required=True),
                name=checks.text(inner, "name", f"{at}.{kind}.name", required=True),
                arguments=checks.text(inner, given, f"{at}.{kind}.{given}", required=True),
                custom=kind == "custom",
            )
        )
    return tuple(made)


def _check_tool_results(turns: tuple[Turn, ...]) -> None:
    """Each result must follow its call, and each call must have its result before the conversation goes on."""
    waiting: list[str] = []
    for place, turn in enumerate(turns):
        if turn.role == "tool":
            if turn.answers not in waiting:
                told = "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise checks.refuse(told, f"messages.[{place}].role")
            waiting.remove(turn.answers)
            continue
        if waiting:
            raise _unanswered(place, waiting)
        waiting = [call.id for call in turn.calls]
    if waiting:
        raise _unanswered(len(turns), waiting)


def _unanswered(place: int, waiting: list[str]) -> Exception:
    told = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(waiting)}"
    )
    return checks.refuse(told, f"messages.[{place}].role")


def _part(part: Any, param: str, model: Model, library: Library) -> str | Picture | Sound | File:
    part = checks.mapping(part, param)
    if "type" not in part:
        raise checks.missing(f"{param}.type")
    kind = checks.one_of(part["type"], f"{param}.type", _PARTS)
    if kind in ("text", "refusal"):
        return checks.text(part, kind, f"{param}.{kind}", required=True)
    if kind not in part:
        raise checks.missing(f"{param}.{kind}")
    inner = checks.mapping(part[kind], f"{param}.{kind}")
    if kind == "image_url":
        if not model.sees:
            told = "Invalid content type. image_url is only supported by certain models."
            raise checks.refuse(told, f"{param}.type")
        return picture(inner, param)
    if kind == "input_audio":
        if not model.hears:
            told = "Invalid content type. input_audio is only supported by certain models."
            raise checks.refuse(told, f"{param}.type")
        return _sound(inner, param)
    return _file(inner, param, library) if kind == "file" else ""


def picture(inner: Object, param: str) -> Picture:
    """What `image_url` holds: an address, or a picture, which is measured."""
    url = checks.text(inner, "url", f"{param}.image_url.url", required=True)
    detail = checks.one_of(checks.given(inner, "detail", "auto"), f"{param}.image_url.detail", ("low", "auto", "high"))
    if url.startswith(("https://", "http://")):
        return Picture("linked", None, None, detail)
    head, comma, data = url.partition(",")
    if not url.startswith("data:image/") or not comma or not head.endswith(";base64"):
        told = "Invalid image URL: expected a base64-encoded data URL with an image MIME type, or a valid HTTP URL."
        raise checks.refuse(told, f"{param}.image_url.url", "invalid_image_url")
    measured = pictures.measure(checks.decoded(data, f"{param}.image_url.url"))
    if measured is None:
        told = f"You uploaded an unsupported image. Please make sure your image has of one the following formats: {_KINDS}."
        raise checks.refuse(told, None, "invalid_image_format")
    return Picture(*measured, detail)


def _sound(inner: Object, param: str) -> Sound:
    kind = checks.one_of(inner.get("format"), f"{param}.input_audio.format", ("wav", "mp3"))
    data = checks.text(inner, "data", f"{param}.input_audio.data", required=True)
    ms = sound.measure(checks.decoded(data, f"{param}.input_audio.data"), kind)
    if ms is None:
        raise checks.refuse("The audio data is not a valid WAV file.", f"{param}.input_audio.data", "invalid_value")
    return Sound(kind, ms)


def _file(inner: Object, param: str, library: Library) -> File:
    identity = checks.text(inner, "file_id", f"{param}.file.file_id")
    if identity:
        return attached.document(*library(identity, f"{param}.file.file_id"))
    data = checks.text(inner, "file_data", f"{param}.file.file_data", required=True)
    name = checks.text(inner, "filename", f"{param}.file.filename") or "file"
    return attached.document(name, checks.decoded(data.rpartition(",")[2], f"{param}.file.file_data"))
