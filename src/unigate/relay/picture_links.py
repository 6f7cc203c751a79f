"""Pictures that an answer holds itself, kept as files of ours and answered as signed links.

Where that can't be done the answer stays as it came: the caller has paid for its pictures.
"""

import asyncio
import binascii
from base64 import b64decode
from typing import Any

import msgspec
import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_base import base_of

log: Any = structlog.get_logger("unigate.relay")
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000


class _Answer(msgspec.Struct, gc=False):
    data: list[dict[str, Any]]


_answer = msgspec.json.Decoder(_Answer)
_whole = msgspec.json.Decoder(dict[str, Any])


async def linked(call: Call, svc: Services, body: bytes) -> bytes:
    """The answer with `url` in place of each `b64_json`, where files are kept."""
    if not svc.files.keep or b'"b64_json"' not in body:
        return body
    try:
        pictures = await asyncio.to_thread(_pictures, body)
        links = {place: await link(call, svc, place, data) for place, data in pictures.items()}
    except GatewayError as error:
        log.warning("pictures of an answer could not be kept", request_id=call.id, detail=error.detail)
        return body
    except (msgspec.MsgspecError, ValueError):
        return body
    return await asyncio.to_thread(_with_links, body, links)


async def link(call: Call, svc: Services, place: int, data: bytes, told: str = "") -> str:
    """A signed link to a picture, which is kept as file number `place` of the call. StoreUnavailable."""
    assets = svc.settings.assets
    if svc.files.keep:
        until = now_ms() + assets.keep_days * _DAY_MS if assets.keep_days else 0
    else:
        until = now_ms() + assets.link_hours * _HOUR_MS
    asset = await svc.files.add(call.id, call.key.user_id, place, data, told, until=until)
    return svc.tasks.view(call, base=base_of(call.x, svc.settings), user_id=call.key.user_id).link(asset)


def _pictures(body: bytes) -> dict[int, bytes]:
    """The pictures of an answer by their places; ValueError."""
    found: dict[int, bytes] = {}
    for place, one in enumerate(_answer.decode(body).data):
        text = one.get("b64_json")
        if isinstance(text, str) and text:
            try:
                found[place] = b64decode(text, validate=True)
            except binascii.Error as error:
                raise ValueError("a picture is no base64") from error
    return found


def _with_links(body: bytes, links: dict[int, str]) -> bytes:
    told = _whole.decode(body)
    for place, one in enumerate(told["data"]):
        if place in links:
            one.pop("b64_json")
            told["data"][place] = {"url": links[place], **one}
    return msgspec.json.encode(told)
