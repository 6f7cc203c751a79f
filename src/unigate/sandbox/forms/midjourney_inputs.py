"""Reads what a Midjourney call says: its body, pictures in it, and the parameters that stand in a prompt."""

import asyncio
import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.forms.midjourney_work import BANNED, FAILED, FULL, INVALID, Refused
from unigate.sandbox.media import draw
from unigate.sandbox.serving import outgoing
from unigate.sandbox.serving.answer import Object, VendorError

#: Words that a prompt may not have, and one that Midjourney itself stops, later.
BANNED_WORDS = ("sandbox-banned",)
#: Words by which a prompt asks for a refusal: a full queue, and a submission that fails, in words of this server's own.
REFUSALS = {
    "sandbox-full": (FULL, "沙箱队列已满"),
    "sandbox-failed": (FAILED, "沙箱提交失败"),
}
MODERATED = "sandbox-moderated"
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,")
_PARAMETER = re.compile(r"(?:^|\s)(?:--|—)([A-Za-z]+)((?:\s+(?!--|—)\S+)*)")
_KNOWN = frozenset(
    "ar aspect bs c chaos cref cw draft end exp fast hd iw loop motion niji no oref ow p personalize profile q quality r "  # noqa: SIM905 - words read better as text
    "raw relax repeat s seed sref stop style stylize sv sw tile turbo v version vf video w weird zoom".split()
)
#: The longest side of a picture that is kept for painting, in pixels, and the size of its file that is kept as it is.
_SIDE = 640
_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A prompt and its parameters."""

    #: Without the sandbox's markers.
    prompt: str
    #: Without parameters too: what is drawn.
    words: str
    parameters: dict[str, str]

    @property
    def version(self) -> str:
        """The version of the model."""
        return self.parameters.get("v") or self.parameters.get("version") or "7"

    @property
    def ratio(self) -> float | None:
        """Width to height, None where it does not say."""
        text = self.parameters.get("ar") or self.parameters.get("aspect")
        found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text or "")
        return int(found[1]) / max(1, int(found[2])) if found else None

    @property
    def wrong(self) -> str:
        """What Midjourney says to parameters that it does not take, "" where it takes them."""
        unknown = [f"--{name}" for name in self.parameters if name not in _KNOWN]
        if unknown:
            return f"[Invalid parameter] Unrecognized parameter(s): {', '.join(unknown)}"
        shape = self.parameters.get("ar", self.parameters.get("aspect"))
        if shape is not None and not 1 / 14 <= (self.ratio or 0) <= 14:
            return "[Invalid parameter] Invalid aspect ratio: it must be two whole numbers, such as 16:9"
        seed = self.parameters.get("seed")
        if seed is not None and not (seed.isdecimal() and int(seed) < 2**32):
            return "[Invalid parameter] Invalid value for `--seed`: it must be a number from 0 to 4294967295"
        return (
            "[Banned prompt detected] The prompt was stopped by a moderator" if MODERATED in self.words.lower() else ""
        )


def asked(prompt: str) -> Asked:
    """Read a prompt."""
    prompt = unmarked(prompt).strip()
    parameters = {found[1].lower(): found[2].strip() for found in _PARAMETER.finditer(prompt)}
    return Asked(prompt=prompt, words=_PARAMETER.sub("", prompt).strip(), parameters=parameters)


def json_of(body: bytes) -> Object:
    """The JSON object of a body."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise VendorError(400, "bind_request_body_failed", kind="upstream_error") from None
    if not isinstance(value, dict):
        raise VendorError(400, "bind_request_body_failed", kind="upstream_error")
    return value


def text(body: Object, name: str, said: str = "", *, most: int | None = None) -> str:
    """A member that is a text; "" where it is absent or null. `said` is the refusal of another type, or a longer one."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or (most is not None and len(value) > most):
        raise Refused(INVALID, said or f"{name}参数错误")
    return value


def task_id(body: Object) -> str:
    """The id of a task, which may come as a number."""
    value = body.get("taskId")
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def prompt_of(body: Object) -> Asked:
    """The prompt, which must be there and must not have banned words."""
    prompt = text(body, "prompt", "prompt不能为空")
    if not unmarked(prompt).strip():
        raise Refused(INVALID, "prompt不能为空")
    minded(prompt)
    return asked(prompt)


def minded(prompt: str) -> None:
    """Refuse a prompt with a banned word in it, or with a word for another refusal."""
    for word, (code, said) in REFUSALS.items():
        if re.search(rf"\b{word}\b", prompt):
            raise Refused(code, said)
    for word in BANNED_WORDS:
        found = re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE)
        if found:
            properties = {"promptEn": unmarked(prompt), "bannedWord": found[0]}
            raise Refused(BANNED, "可能包含敏感词", properties)


def texts(body: Object, name: str, said: str) -> list[str]:
    """A member that is a list of texts; [] where it is absent."""
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise Refused(INVALID, said)
    return value


async def picture(value: str, said: str = "base64格式错误") -> bytes:
    """The file of a picture given as a data URL, as bare base64, or by its address."""
    data = await _data(value, said)
    try:
        await asyncio.to_thread(draw.decode, data)
    except ValueError:
        raise Refused(INVALID, said) from None
    return data


async def small(value: str, said: str = "base64格式错误") -> bytes:
    """The same, no larger than what is kept for painting."""
    return await asyncio.to_thread(shrunk, await picture(value, said))


def shrunk(data: bytes) -> bytes:
    """A picture as it is kept for painting."""
    image = draw.decode(data)
    if max(image.size) <= _SIDE and len(data) <= _BYTES:
        return data
    image.thumbnail((_SIDE, _SIDE))
    return draw.encode(image, "png" if image.mode == "RGBA" else "jpg", 92)


async def _data(value: str, said: str) -> bytes:
    if value.startswith(("http://", "https://")):
        try:
            return await outgoing.get(value)
        except (OSError, ValueError):
            raise Refused(INVALID, said) from None
    found = _DATA_URL.match(value)
    try:
        return base64.b64decode(value[found.end() :] if found else value, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(INVALID, said) from None


def kind_of(data: bytes) -> str:
    """The kind of a picture's file, as files are named."""
    if data.startswith(b"\x89PNG"):
        return "png"
    if data[8:12] == b"WEBP":
        return "webp"
    return "gif" if data.startswith(b"GIF8") else "jpg" if data.startswith(b"\xff\xd8") else "bin"
