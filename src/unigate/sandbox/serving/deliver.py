"""Sends an answer as it was planned, or spoiled by faults.

Faults that change what is said act on events and bodies before they are encoded; faults of time and of the
connection act while sending. A cut leaves the answer unfinished, so that the ASGI server breaks the connection.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from unigate.sandbox.serving.answer import Answer, Event, Headers, Stream, Whole
from unigate.sandbox.serving.face import Face, drop_usage
from unigate.sandbox.serving.faults import Fault
from unigate.sandbox.serving.line import Cut, Line
from unigate.sandbox.serving.log import Entry

_PAGE = b"<!DOCTYPE html>\n<html><head><title>%d</title></head><body><h1>%d</h1><p>sandbox</p></body></html>\n"
_MIB = 1024 * 1024
_SLICE = b" " * 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What sending needs to know beside the answer."""

    face: Face
    fault: Fault
    line: Line
    entry: Entry
    #: Tokens per second, 0: at once.
    pace: float


async def deliver(answer: Answer, to: Delivery) -> None:
    """Send an answer to its end. Raises Cut and CallerLeft."""
    entry, fault = to.entry, to.fault
    entry.usage = answer.usage
    entry.model = answer.model or entry.model
    if "hang" in fault:
        await to.line.hang()
    delay = fault.get("slow-first-byte")
    if delay is not None:
        await to.line.wait(delay)
    usual = to.face.headers(entry.number, entry.model)
    headers = tuple({"x-request-id": entry.request_id, **dict(usual), **dict(answer.headers)}.items())
    if isinstance(answer, Stream) and not {"html", "empty-body"} & fault.actions.keys():
        await _send_stream(answer, to, headers)
    else:
        plain = answer if isinstance(answer, Whole) else Whole(payload={}, usage=answer.usage)
        await _send_whole(plain, to, headers)


async def _send_whole(answer: Whole, to: Delivery, headers: Headers) -> None:
    fault, line = to.fault, to.line
    if answer.pace:
        await line.wait(answer.tokens / answer.pace)
    body = _body(answer, to)
    swollen = _swollen(fault)
    media_type = "text/html" if {"html", "wrong-type"} & fault.actions.keys() else answer.media_type
    length = str(len(body) + swollen)
    await line.head(answer.status, (("content-type", media_type), ("content-length", length), *headers))
    if "cut-after" in fault or "hang-after" in fault:
        nothing = fault.get("cut-after") == 0 or fault.get("hang-after") == 0
        await line.body(b"" if nothing else body[: len(body) // 2], more=True)
        await _stop(to)
    await _pad(swollen, line)
    await line.body(body, more=False)


def _body(answer: Whole, to: Delivery) -> bytes:
    """The body of a plain answer, spoiled."""
    fault = to.fault
    if "empty-body" in fault:
        return b""
    if "html" in fault:
        return _PAGE % (answer.status, answer.status)
    if "missing-usage" in fault and isinstance(answer.payload, dict):
        kept = drop_usage(answer.payload, to.face.usage_keys)
        body = Whole(payload=kept, indent=answer.indent).encoded()
    else:
        body = answer.encoded()
    return body[: len(body) * 2 // 3] if "malformed-chunk" in fault else body


async def _send_stream(answer: Stream, to: Delivery, headers: Headers) -> None:
    fault, line, entry = to.fault, to.line, to.entry
    media_type = "text/html" if "wrong-type" in fault else answer.media_type
    await line.head(200, {"content-type": media_type, "cache-control": "no-cache", **dict(headers)}.items())
    await line.body(b"", more=True)  # the head goes out now, as a vendor's does, before the first token is there
    stop_after = fault.get("cut-after" if "cut-after" in fault else "hang-after")
    number = 0
    async for event in _paced(_spoiled(answer, to), to):
        if number == stop_after:
            await _stop(to)
        number += 1
        data = event.encoded()
        if number == fault.get("malformed-chunk"):
            data = data[: len(data) * 2 // 3].rstrip() + b"\n\n"
        await line.body(data, more=True)
        if number == 1:
            await _swell(_swollen(fault), line)
        entry.events = number
        entry.sent_tokens += event.tokens
    if stop_after is not None:
        await _stop(to)
    await line.body(b"", more=False)


async def _paced(events: AsyncIterator[Event], to: Delivery) -> AsyncIterator[Event]:
    """Events, each when its tokens are due; a late event is never made later by rounding."""
    now = asyncio.get_running_loop().time
    begun = now()
    line, pace = to.line, to.pace
    slow = to.fault.get("slow")
    tokens = 0
    async for event in events:
        tokens += event.tokens
        if slow is not None:
            await line.wait(slow)
        else:
            await line.wait(begun + tokens / pace - now() if pace else 0)
        yield event


async def _spoiled(answer: Stream, to: Delivery) -> AsyncIterator[Event]:
    """Events without what the fault leaves out, and with the error that it puts in."""
    face, fault = to.face, to.fault
    error_after = fault.get("error-event")
    dropped = {part for part in ("usage", "finish", "end") if f"missing-{part}" in fault}
    number = -1
    async for event in _each(answer.events):
        if event.part in dropped:
            continue
        number += 1
        if number == error_after:
            error = face.failure(fault.status or 500, fault.code)
            yield face.stream_error(error) if answer.error is None else answer.error(error, number)
            return
        if "missing-usage" in fault and isinstance(event.data, dict):
            yield Event(drop_usage(event.data, face.usage_keys), event.part, event.tokens, event.name)
        else:
            yield event


async def _each(events: Iterator[Event] | AsyncIterator[Event]) -> AsyncIterator[Event]:
    if isinstance(events, AsyncIterator):
        async for event in events:
            yield event
    else:
        for event in events:
            yield event


async def _stop(to: Delivery) -> None:
    if "cut-after" in to.fault:
        raise Cut(to.fault.text)
    await to.line.hang()


def _swollen(fault: Fault) -> int:
    """How many bytes an answer is swollen by, in whole slices."""
    size = round((fault.get("oversize") or 0) * _MIB)
    return size - size % len(_SLICE)


async def _pad(size: int, line: Line) -> None:
    """Send so many blanks, piece by piece."""
    for _ in range(size // len(_SLICE)):
        await line.body(_SLICE, more=True)
        await line.wait(0)


async def _swell(size: int, line: Line) -> None:
    """Send one event, a comment, of that size."""
    if size:
        await line.body(b":", more=True)
        await _pad(size, line)
        await line.body(b"\n\n", more=True)
