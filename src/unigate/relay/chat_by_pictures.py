"""Chats with models that make pictures and do not chat: answered by the operations of pictures, or by their tasks.

The prompt is the text of the last message of the user, its pictures are what is worked on; without any, those of ours in the
last answer are. Other messages are not sent. The call is priced, and written down, as the operation that made the pictures.
"""

import asyncio
import re
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import msgspec

from unigate.base import ids
from unigate.base.errors import BadRequest, GatewayError, UpstreamRefused
from unigate.dialects import Dialect, dialect, json_read, openai_errors, openai_pictures, operations
from unigate.relay.call import Call
from unigate.relay.late_stream import in_time
from unigate.relay.picture_links import link
from unigate.relay.pictures import served, tasks_rather
from unigate.relay.services import Services
from unigate.spec.exchange import Exchange, Header
from unigate.spec.operation import Operation
from unigate.spec.reply import Pieces, Reply

Relay = Callable[[Call, Dialect, Services], Awaitable[Reply | Pieces | None]]
_GENERATIONS, _EDITS = "openai.images.generations", "openai.images.edits"
#: Members that a model of pictures understands too.
_PASSED = ("n", "size", "quality", "background", "output_format", "output_compression")
_SIZES = {
    "1:1": "1024x1024",
    "3:2": "1536x1024",
    "4:3": "1536x1024",
    "16:9": "1536x1024",
    "2:3": "1024x1536",
    "3:4": "1024x1536",
    "9:16": "1024x1536",
}
_OWN = re.compile(r"https?://[^\s)\"']+/files/(\w+)\.[^\s)\"']*")
#: Bytes of a picture of ours that is worked on again.
_MOST = 50 << 20
_ENDS = 600.0
_OK = 200
_AGAINST_THE_RULES = frozenset({"content_policy_violation", "moderation_blocked"})


class _Body(msgspec.Struct, gc=False):
    model: str
    messages: list[dict[str, Any]] = []
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    aspect_ratio: Any = None
    image_config: Any = None


_body = msgspec.json.Decoder(_Body)
_object = msgspec.json.Decoder(dict[str, Any])


class Inside:
    """The request of another call, whose reply is taken and not sent. Fulfils what the relay needs of an `Exchange`."""

    def __init__(self, x: Exchange) -> None:
        self.method, self.path, self.query, self.headers = x.method, x.path, x.query, x.headers
        self.client, self.started, self.gone = x.client, x.started, x.gone
        self.started_reply = self.ended = self.promised = False
        self._header = x.header
        self.taken: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        return self._header(name)

    def reply(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Take a whole reply."""
        self.started_reply = self.ended = True
        if not self.taken.done():
            self.taken.set_result(Reply(body, status, tuple(headers)))

    async def read(self, limit: int) -> bytes:
        """Nothing is read: the body is there."""
        raise NotImplementedError

    def start(self, status: int, headers: Iterable[Header], length: int | None) -> None:
        """No pictures are streamed here."""
        raise NotImplementedError

    def write(self, data: bytes) -> bool:
        """No pictures are streamed here."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Nobody is waited for."""

    def end(self) -> None:
        """A whole reply has ended by itself."""

    def cut(self) -> None:
        """There is nothing to break off."""


def due(call: Call, svc: Services) -> bool:
    """Whether a chat is with a model that makes pictures and does not chat."""
    name, group = call.facts.model, call.key.group.name
    known = svc.models.get(name)
    if known is not None and known.family == "chat":
        return False
    if (known is None or known.family != "images") and served(svc, name, group, call.operation):
        return False
    return any(served(svc, name, group, row) for row in _rows() if not _off(svc, row))


async def answer(call: Call, svc: Services, relay: Relay) -> Reply | Pieces:
    """Have the pictures made, by `relay`, and answer as the model would in a chat. Raises what the pictures' call does.

    A stream that has to wait long says so in comments; what comes of it then is told in its events.
    """
    asked = json_read.decode(call.body, _body)
    text, given = _last(asked.messages, "user")
    if not text.strip():
        raise BadRequest("The last message of the user says nothing that could be drawn.", param="messages")
    if not given:
        given = [url for url in _last(asked.messages, "assistant")[1] if _OWN.fullmatch(url)]
    if any(one.get("role") != "user" for one in asked.messages) or len(asked.messages) > 1:
        call.marks.append((b"x-unigate-ignored", b"messages"))
    body = _wish(call, asked, text)
    if given:
        body["images"] = [{"image_url": await _carried(call, svc, url)} for url in given]
    work = _answer(call, svc, relay, asked, body)
    return await (in_time(work, partial(_late, call, asked)) if asked.stream else work)


async def _answer(call: Call, svc: Services, relay: Relay, asked: _Body, body: dict[str, Any]) -> Reply:
    """The whole answer, once the pictures are there."""
    row = next(one for one in operations() if one.name == (_EDITS if "images" in body else _GENERATIONS))
    made = await _made(call, svc, relay, row, body)
    if made.status != _OK:
        return made
    told = _object.decode(made.body)
    links = [await _link(call, svc, place, one) for place, one in enumerate(told.get("data") or ())]
    head = tuple(one for one in made.headers if one[0].startswith(b"x-unigate-") and one not in call.marks)
    return _written(call, asked, [one for one in links if one], told.get("usage"), head)


def _wish(call: Call, asked: _Body, text: str) -> dict[str, Any]:
    """The body of a call for pictures."""
    whole = _object.decode(call.body)
    body: dict[str, Any] = {"model": asked.model, "prompt": text}
    body |= {name: whole[name] for name in _PASSED if whole.get(name) is not None}
    config = asked.image_config if isinstance(asked.image_config, dict) else {}
    ratio = asked.aspect_ratio or config.get("aspect_ratio")
    if "size" not in body and isinstance(ratio, str) and ratio in _SIZES:
        body["size"] = _SIZES[ratio]
    if call.facts.include_cost:
        body["usage"] = {"include": True}
    return body


async def _made(call: Call, svc: Services, relay: Relay, row: Operation, body: dict[str, Any]) -> Reply:
    """The reply to a call for pictures in place of this one."""
    x = Inside(call.x)
    inner = Call(x, call.id, row, call.key, call.at)
    inner.failed_id, inner.discount = call.failed_id, call.discount
    if not openai_pictures.counts_tokens(str(body["model"])) and not _by_tasks(call, svc, row):
        body["response_format"] = "b64_json"
    inner.body = msgspec.json.encode(body)
    try:
        reply = await relay(inner, dialect(row.dialect), svc)
    except UpstreamRefused as refused:
        refused.body = _in_words_of_chats(refused.body)
        raise
    finally:
        call.marks += [mark for mark in inner.marks if mark not in call.marks]
    if isinstance(reply, Reply):
        return reply if reply.status == _OK else replace(reply, body=_in_words_of_chats(reply.body))
    return await asyncio.wait_for(x.taken, _ENDS)


def _in_words_of_chats(error: bytes) -> bytes:
    """An error about a picture with the code by which chats tell that something is against the rules."""
    return error.replace(b'"moderation_blocked"', b'"content_policy_violation"')


def _by_tasks(call: Call, svc: Services, row: Operation) -> bool:
    """Whether tasks make the pictures, whose answer has links of ours."""
    return tasks_rather(svc, call.facts.model, call.key.group.name, row)


async def _link(call: Call, svc: Services, place: int, one: Any) -> str:
    """Where a picture of an answer is to be had."""
    if not isinstance(one, dict):
        return ""
    if isinstance(text := one.get("b64_json"), str):
        return await link(call, svc, place, await asyncio.to_thread(b64decode, text))
    return str(one.get("url") or "")


async def _carried(call: Call, svc: Services, url: str) -> str:
    """A picture to work on: one of ours, that is the caller's, is sent itself, since providers may not reach us."""
    found = _OWN.fullmatch(url)
    if found is None:
        return url
    try:
        row = await svc.files.find(found[1])
        if row.user_id != call.key.user_id:
            return url
        opened = await svc.files.open(row.id, most=_MOST)
    except GatewayError:
        return url
    try:
        data = b"".join([piece async for piece in opened.pieces])
    finally:
        opened.close()
    return f"data:{row.media_type};base64,{b64encode(data).decode()}"


def _last(messages: list[dict[str, Any]], role: str) -> tuple[str, list[str]]:
    """Text and pictures of the last message of a role."""
    said: dict[str, Any] = next((one for one in reversed(messages) if one.get("role") == role), {})
    content = said.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [one["text"] for one in parts if isinstance(one, dict) and isinstance(one.get("text"), str)]
    text = "\n".join(texts)
    images = said.get("images")
    found = []
    for one in [*parts, *(images if isinstance(images, list) else ())]:
        at = one.get("image_url") if isinstance(one, dict) else None
        url = at.get("url") if isinstance(at, dict) else at
        if isinstance(url, str):
            found.append(url)
    if role == "assistant":
        found += [one[0] for one in _OWN.finditer(text)]
    return text, list(dict.fromkeys(found))


def _written(call: Call, asked: _Body, links: list[str], usage: Any, head: tuple[Header, ...]) -> Reply:
    """The answer, whole or as a stream."""
    told = usage if isinstance(usage, dict) else {}
    counts = {
        "prompt_tokens": told.get("input_tokens") or 0,
        "completion_tokens": told.get("output_tokens") or 0,
        "total_tokens": told.get("total_tokens") or 0,
        **({"cost": told["cost"]} if "cost" in told else {}),
    }
    base = {"id": ids.new("chatcmpl"), "created": call.at // 1000, "model": asked.model}
    images = [{"type": "image_url", "image_url": {"url": one}} for one in links]
    if not asked.stream:
        content = "\n\n".join(f"![image]({one})" for one in links)
        message = {"role": "assistant", "content": content, "images": images}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = {**base, "object": "chat.completion", "choices": [choice], "usage": counts}
        return Reply(msgspec.json.encode(body), headers=((b"content-type", b"application/json"), *head))
    head = tuple(one for one in head if one[0] != b"x-unigate-cost")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f"![image]({url})\n", "images": [image]} for url, image in zip(links, images, strict=True)]
    events = _events(base, deltas, "stop", counts if call.facts.usage_in_stream else None)
    return Reply(events, headers=((b"content-type", b"text/event-stream"), *head))


def _events(base: dict[str, Any], deltas: list[dict[str, Any]], end: str, usage: dict[str, Any] | None = None) -> bytes:
    """A stream of chunks, whole."""
    chunks: list[dict[str, Any]] = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": end}]})
    if usage is not None:
        chunks.append({**base, "choices": [], "usage": usage})
    events = [b"data: " + msgspec.json.encode({**one, "object": "chat.completion.chunk"}) + b"\n\n" for one in chunks]
    return b"".join(events) + b"data: [DONE]\n\n"


def _late(call: Call, asked: _Body, told: Reply | GatewayError) -> bytes:
    """The events for what comes when the stream was begun: the answer, a refusal in words, or an error."""
    if isinstance(told, Reply):
        status, body = told.status, told.body
    elif isinstance(told, UpstreamRefused):
        status, body = told.upstream_status, told.body
    else:
        return openai_errors.write_stream_error(told, call.id)
    if status == _OK:
        return body
    found = openai_errors.read_error(status, body)
    if found.code not in _AGAINST_THE_RULES:
        return b"data: " + b"".join(openai_errors.pass_error(status, body).splitlines()) + b"\n\n"
    base = {"id": ids.new("chatcmpl"), "created": call.at // 1000, "model": asked.model}
    return _events(base, [{"role": "assistant", "content": found.message}], "content_filter")


@cache
def _rows() -> tuple[Operation, ...]:
    """The operations by which pictures are made of words."""
    return tuple(row for row in operations() if _GENERATIONS in (row.name, row.within))


def _off(svc: Services, row: Operation) -> bool:
    states = svc.settings.operations
    return (states.get(row.name) or states.get(row.family)) == "off"
