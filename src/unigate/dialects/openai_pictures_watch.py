"""Watching a stream of pictures on its way to the caller: what was shown, what was used, errors, the end.

`image_generation.partial_image`, `image_generation.completed`, the same of `image_edit`, and `error`.
https://platform.openai.com/docs/api-reference/images-streaming. Events pass as they came; only the cost is put in.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from unigate.base.errors import GatewayError, StreamBroken
from unigate.dialects import json_edit, openai_errors, openai_pictures, sse
from unigate.spec.facts import Facts
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

#: An event with a picture in it, which may be of the largest that a model makes.
_MOST = 64 << 20


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    b64_json: msgspec.Raw = msgspec.Raw(b"null")
    url: msgspec.Raw = msgspec.Raw(b"null")
    usage: Any = None
    size: Any = None
    quality: Any = None
    error: Any = None


_event = msgspec.json.Decoder(_Event)


class Watch:
    """One stream; see `dialects.Watcher`."""

    __slots__ = (
        "_completed",
        "_cost",
        "_ending",
        "_number",
        "_splitter",
        "conditions",
        "content",
        "done",
        "error",
        "finished",
        "images",
        "output_tokens",
        "partials",
        "service_tier",
        "usage",
    )

    def __init__(
        self,
        facts: Facts,
        provider: Provider,  # noqa: ARG002 - as every Watch
        *,
        show_usage: bool,  # noqa: ARG002 - it is in the event of the picture
        cost: Callable[[Usage], str] | None = None,
    ) -> None:
        self._number = facts.count
        self._cost = cost
        self._splitter = sse.Splitter(_MOST)
        self._ending = b""
        self._completed = 0
        self.content = self.done = self.finished = False
        self.error: bytes | None = None
        self.usage: Usage | None = None
        #: Held whole from the beginning, so never counted on the way.
        self.output_tokens = 0
        self.images = self.partials = 0
        self.conditions: dict[str, str | int] = {}
        self.service_tier: str | None = None

    @property
    def empty(self) -> bool:
        """No picture was sent, and none shown."""
        return not self.content

    @property
    def ending(self) -> bytes:
        """The last events, held back by `feed`."""
        return self._ending

    def feed(self, piece: bytes) -> bytes:
        """What goes to the caller now."""
        if self.done or self.error is not None:
            return b""
        try:
            events = self._splitter.feed(piece)
        except StreamBroken:
            self.error = b""
            return b""
        return b"".join([self._pass(event) for event in events])

    def finish(self) -> bytes:
        """What is left at a clean end."""
        rest = b"" if self.done or self.error is not None else self._splitter.rest()
        return self._pass(rest) if rest else b""

    def _pass(self, event: bytes) -> bytes:
        if self.done or self.error is not None:
            return b""
        _, data = sse.parse(event)
        if not data:
            return event
        if data == b"[DONE]":
            self.done = True
            self._ending = event
            return b""
        try:
            told = _event.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.error = b""
            return b""
        if told.error or told.type == "error":
            self.error = data
            return b""
        if openai_pictures.there(told.b64_json) or openai_pictures.there(told.url):
            self.content = True
            if told.type.endswith(".partial_image"):
                self.partials += 1
            else:
                self.images += 1
        if told.type.endswith(".completed"):
            return self._complete(event, data, told)
        return event

    def _complete(self, event: bytes, data: bytes, told: _Event) -> bytes:
        """A picture is done, or all are: the last is held back until the call is settled."""
        self._completed += 1
        self.finished = True
        self.conditions.update(openai_pictures.told_conditions(told.size, told.quality))
        self._count(told.usage)
        at = json_edit.find(data, "usage") if self._cost is not None and isinstance(told.usage, dict) else None
        if self._cost is not None and self.usage is not None and at is not None:
            cost = self._cost(self.usage).encode()
            event = sse.with_data(event, json_edit.edited(data, {"cost": cost}, start=at.start))
        if self._completed < self._number:
            return event
        self.done = True
        self._ending = event
        return b""

    def _count(self, told: object) -> None:
        """Add what an event says was used; ASSUMED: each tells of its own picture."""
        usage = openai_pictures.read_usage(told, 0)
        units = dict(self.usage.units) if self.usage is not None else {}
        if usage is None:
            return
        for unit, number in usage.units.items():
            units[unit] = units.get(unit, 0) + number
        self.usage = Usage({**units, "images": self.images})


def write_stream_error(error: GatewayError, request_id: str, watch: object = None) -> bytes:  # noqa: ARG001
    """The event that ends a stream which broke: what official SDKs raise on."""
    told = {"type": "error", "error": openai_errors.error_object(error, request_id)}
    return b"event: error\ndata: " + msgspec.json.encode(told) + b"\n\n"
