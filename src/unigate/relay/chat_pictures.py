"""Pictures in answers of chat models: those that answers hold are kept and named by links; all are counted where charged.

OpenRouter's form (`images` of a message, of a delta) with `data:` URLs becomes links there and in the text, since a picture
in base64 would flood a client's context. Links in a text pass as they came, as do the pictures of Responses' tool, whose
callers want them so.
"""

import asyncio
import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import structlog

from unigate.base.errors import GatewayError, StreamBroken
from unigate.dialects import sse
from unigate.dialects.openai_pictures import told_conditions
from unigate.dialects.openai_responses_usage import drawn
from unigate.relay.call import Call
from unigate.relay.picture_links import link
from unigate.relay.services import Services
from unigate.spec.usage import Usage

log: Any = structlog.get_logger("unigate.relay")
#: What stands in every answer that holds a picture.
MARK = b"data:image/"
_IMAGES = b'"images"'
_SHOWN = re.compile(r"!\[[^\]\n]{0,400}\]\((https?://[^\s)]+)")
_DATA = "data:"
_object = msgspec.json.Decoder(dict[str, Any])


#: The tool by which responses draw.
_TOOL = "image_generation"
_CHAT = "chat"


class _Asked(msgspec.Struct, gc=False):
    size: Any = None
    quality: Any = None
    tools: list[Any] | None = None


_asked = msgspec.json.Decoder(_Asked)


class Counter:
    """Counts the pictures of one answer, each once however often it is named."""

    __slots__ = ("_seen", "_texts", "conditions")

    def __init__(self) -> None:
        #: Size and quality, as far as the answer tells them.
        self.conditions: dict[str, str | int] = {}
        self._seen: set[str] = set()
        self._texts: dict[int, list[str]] = {}

    @property
    def count(self) -> int:
        """How many there were so far."""
        shown = (found for pieces in self._texts.values() for found in _SHOWN.findall("".join(pieces)))
        return len(self._seen.union(shown))

    def answer(self, body: bytes) -> None:
        """Count those of a whole answer."""
        self._take(body, "message")

    def passing(self, write: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
        """`write` for whole events, whose pictures are counted beside."""

        def counted(piece: bytes) -> bool:
            for event in _events(piece):
                _, data = sse.parse(event)
                if data and data.startswith(b"{"):
                    self._take(data, "delta")
            return write(piece)

        return counted

    def _take(self, text: bytes, member: str) -> None:
        try:
            told = _object.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for id, item in _drawn(told).items():
            self._seen.add(id)
            self.conditions.update(told_conditions(item.get("size"), item.get("quality")))
        for place, said in _said(told, member):
            content = said.get("content")
            if isinstance(content, str):
                self._texts.setdefault(place, []).append(content)
            for one in _images(said):
                self._seen.add(one["image_url"]["url"])


def expect(call: Call) -> None:
    """Prepare to charge a chat for pictures: by size and quality, as many as answers are asked for; a response for one, by its tool."""
    facts = call.facts
    try:
        asked = _asked.decode(call.body)
    except msgspec.DecodeError:
        asked = _Asked()
    told = told_conditions(asked.size, asked.quality)
    if call.operation.family != _CHAT:
        tool = next((one for one in asked.tools or () if isinstance(one, dict) and one.get("type") == _TOOL), None)
        if tool is None:
            return
        told = told_conditions(tool.get("size"), tool.get("quality"))
    call.pictures = Counter()
    facts.units = {**facts.units, "images": facts.count}
    facts.conditions.update(told)


def with_pictures(call: Call, usage: Usage) -> Usage:
    """The usage with the pictures that were counted."""
    if call.pictures is None or not (number := call.pictures.count):
        return usage
    call.facts.conditions.update(call.pictures.conditions)
    return Usage({**usage.units, "images": number}, estimated=usage.estimated)


async def in_answer(call: Call, svc: Services, body: bytes) -> bytes:
    """A whole answer with links in place of the pictures that it holds; as it came where they can't be kept."""
    if _IMAGES not in body:
        return body
    try:
        told = await asyncio.to_thread(_object.decode, body)
        links = await _linked(call, svc, [said for _, said in _said(told, "message")])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if not links:
        return body
    for said, found in links:
        text = said.get("content")
        shown = "\n\n".join(f"![image]({url})" for url in found)
        said["content"] = f"{text}\n\n{shown}" if isinstance(text, str) and text else shown
    return msgspec.json.encode(told)


async def in_events(call: Call, svc: Services, piece: bytes) -> bytes:
    """Whole events of a stream, each with links in place of the pictures that it holds."""
    return b"".join([await _in_event(call, svc, event) for event in _events(piece)])


async def _in_event(call: Call, svc: Services, event: bytes) -> bytes:
    _, data = sse.parse(event)
    if not data or MARK not in data or _IMAGES not in data:
        return event
    try:
        told = await asyncio.to_thread(_object.decode, data)
        links = await _linked(call, svc, [said for _, said in _said(told, "delta")])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return event
    if not links:
        return event
    for said, found in links:
        text = said.get("content")
        said["content"] = (text if isinstance(text, str) else "") + "".join(f"![image]({url})\n" for url in found)
    return sse.with_data(event, msgspec.json.encode(told))


async def _linked(call: Call, svc: Services, messages: list[dict[str, Any]]) -> list[tuple[dict[str, Any], list[str]]]:
    """Put links in place of the pictures in messages; those that have any, with their links."""
    changed: list[tuple[dict[str, Any], list[str]]] = []
    for said in messages:
        found: list[str] = []
        for one in _images(said):
            url = one["image_url"]["url"]
            if not url.startswith(_DATA):
                continue
            head, _, text = url.removeprefix(_DATA).partition(",")
            try:
                data = await asyncio.to_thread(b64decode, text, None, True)
                call.files += 1
                made = await link(call, svc, call.files - 1, data, head.partition(";")[0])
            except binascii.Error:
                continue
            except GatewayError as error:
                log.warning("a picture of an answer could not be kept", request_id=call.id, detail=error.detail)
                continue
            one["image_url"]["url"] = made
            found.append(made)
        if found:
            changed.append((said, found))
    return changed


def _said(told: dict[str, Any], member: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """What each choice says, with its place."""
    choices = told.get("choices")
    for place, choice in enumerate(choices if isinstance(choices, list) else ()):
        said = choice.get(member) if isinstance(choice, dict) else None
        if isinstance(said, dict):
            index = choice.get("index")
            yield index if isinstance(index, int) else place, said


def _drawn(told: Mapping[str, Any]) -> dict[str, Mapping[str, object]]:
    """What the tool of responses made: in a whole one, or as an item of a stream that is done."""
    if told.get("type") not in (None, "response.output_item.done"):
        return {}
    output = told.get("output")
    return drawn(output if isinstance(output, list) else told.get("item"))


def _images(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pictures of a message that have an address."""
    images = said.get("images")
    for one in images if isinstance(images, list) else ():
        at = one.get("image_url") if isinstance(one, dict) else None
        if isinstance(at, dict) and isinstance(at.get("url"), str):
            yield one


def _events(piece: bytes) -> list[bytes]:
    splitter = sse.Splitter()
    try:
        events = splitter.feed(piece)
    except StreamBroken:
        return [piece]
    rest = splitter.rest()
    return [*events, rest] if rest else events
