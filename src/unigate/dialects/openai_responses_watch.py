"""Watching a stream of responses on its way to the caller: usage, first content, errors, the end.

Events are typed (`event: response.output_text.delta`) and pass as the same bytes, at once; the one that ends the response
carries its usage and waits for the pipeline. It must not wait for anything, and it never touches what it does not know.
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Callable
from typing import Any

import msgspec

from unigate.base.errors import StreamBroken
from unigate.dialects import estimate, json_edit, json_read, private_usage, sse
from unigate.dialects.openai_answer import DEFAULT_TIER
from unigate.dialects.openai_responses_usage import item_tokens, read_usage, speaks
from unigate.spec.facts import Facts
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

#: Failures of the vendor, for which another channel may do better; others are about the request.
RETRYABLE = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
#: What a stream opens with, before anything of the answer is there.
_OPENING = frozenset(
    {
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "keepalive",
    }
)
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Response(msgspec.Struct, gc=False):
    id: Any = None
    status: Any = None
    store: Any = None
    service_tier: Any = None
    error: Any = None
    usage: Any = None
    output: Any = None


class _Item(msgspec.Struct, gc=False):
    type: Any = None
    name: Any = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: Any = None
    sequence_number: Any = None
    response: _Response | None = None
    item: _Item | None = None
    error: Any = None


_event = msgspec.json.Decoder(_Event)


class Watch:
    """One stream. After each `feed` look at `content`, `error` and `done`; `ending` is for the pipeline to send last."""

    __slots__ = (
        "_cost",
        "_dead",
        "_private",
        "_splitter",
        "audio_tokens",
        "content",
        "done",
        "ending",
        "error",
        "finished",
        "id",
        "output_tokens",
        "sequence",
        "service_tier",
        "usage",
    )

    def __init__(
        self,
        facts: Facts,  # noqa: ARG002  (what other dialects need of it)
        provider: Provider,
        *,
        show_usage: bool,  # noqa: ARG002 - the last event always has it
        cost: Callable[[Usage], str] | None = None,
    ) -> None:
        """`cost`: gives decimal USD for `usage.cost`."""
        self._cost = cost
        self._private = provider.private_usage
        self._splitter = sse.Splitter()
        self._dead = False
        #: The answer has begun: text, refusal, reasoning, calls of tools, or what a tool of the vendor's does.
        self.content = False
        #: The response has ended, in whichever state.
        self.done = False
        self.finished = False
        #: The vendor's error event (JSON text), b"" where an event could not be read; nothing passes after it.
        self.error: bytes | None = None
        self.usage: Usage | None = None
        #: What was counted of the answer, for an estimate.
        self.output_tokens = 0
        self.audio_tokens = 0
        #: The tier that serves the call: one that was asked for and not confirmed is not taken for granted.
        self.service_tier = DEFAULT_TIER
        #: By which the vendor keeps the response; "" where it does not.
        self.id = ""
        #: Number of the event that would come next.
        self.sequence = 0
        #: The event that ends the response; `feed` never gives it out.
        self.ending = b""

    @property
    def empty(self) -> bool:
        """Nothing was sent and no output was reported: such an answer is free."""
        return not self.content and (self.usage is None or self.usage.output_tokens == 0)

    def feed(self, piece: bytes) -> bytes:
        """What goes to the caller now; b"" for nothing."""
        if self._dead:
            return b""
        whole = not self._splitter.held
        try:
            events = self._splitter.feed(piece)
        except StreamBroken:
            self._fail(b"")
            return b""
        out: list[bytes] = []
        same = whole and not self._splitter.held
        for event in events:
            passed = self._see(event)
            if passed:
                out.append(passed)
            same = same and passed is event
        return piece if same else b"".join(out)

    def finish(self) -> bytes:
        """What is left when the stream ended: the last event of a provider that leaves out its blank line."""
        rest = b"" if self._dead else self._splitter.rest()
        return self._see(rest) if rest else b""

    def _see(self, event: bytes) -> bytes:
        """One event; b"" where it goes no further, or not yet."""
        if self._dead:
            return b""
        name, data = _parsed(event)
        if not data or data == b"[DONE]":
            return event
        try:
            told = _event.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            loose = _loose(data)
            if loose is None:
                self._fail(b"")
                return b""
            told = loose
        kind = told.type or name.decode("utf-8", "replace")
        if kind == "error" or told.error:
            self._fail(data)
            return b""
        if type(told.sequence_number) is int:
            self.sequence = told.sequence_number + 1
        if told.response is not None:
            self._response(told.response)
            if self._private and (shown := private_usage.hidden(data, self._private)) is not data:
                event, data = sse.with_data(event, shown.replace(b"\n", b"")), shown
        if kind in _LAST:
            return self._last(event, data, told.response)
        self._count(kind, told)
        return event

    def _count(self, kind: str, told: _Event) -> None:
        """Count what an event says, and mind whether the answer has begun with it."""
        delta = told.delta
        if kind.endswith(".delta"):
            if not delta:
                return
            self.content = True
            if kind == "response.audio.delta":
                self.audio_tokens += estimate.audio_tokens({"data": delta})
            else:
                self.output_tokens += max(estimate.piece_tokens(delta) if type(delta) is str else 1, 1)
        elif kind not in _OPENING:
            self.content = True
        elif told.item is not None and isinstance(told.item.name, str):
            self.output_tokens += estimate.PER_TOOL_CALL + estimate.piece_tokens(told.item.name)

    def _response(self, response: _Response) -> None:
        """What a response says of itself, at the beginning and at its end."""
        if isinstance(response.id, str):
            self.id = response.id
        if response.store is False:
            self.id = ""
        tier = response.service_tier
        if tier and isinstance(tier, str) and tier != "auto":
            self.service_tier = tier

    def _last(self, event: bytes, data: bytes, response: _Response | None) -> bytes:
        """The end: read usage, put the cost beside it, and keep the event for the pipeline."""
        if response is None:
            self._fail(data)
            return b""
        if not self.content and retryable(response.status, response.error):
            self._fail(data)
            return b""
        self.usage = read_usage(response.usage)
        if speaks(response.output):
            self.content = True
            if not self.output_tokens:  # no deltas came: the end says it all
                self.output_tokens = sum(map(item_tokens, response.output))
        if self._cost is not None and self.usage is not None:
            event = _with_cost(event, data, self._cost(self.usage))
        self.done = self.finished = self._dead = True
        self.ending = event if event.endswith((b"\n", b"\r")) else event + b"\n\n"
        return b""

    def _fail(self, error: bytes) -> None:
        self.error = error
        self._dead = True


def _parsed(event: bytes) -> tuple[bytes, bytes | None]:
    """Name and data; the usual event is two lines, and its data says its name too."""
    at = event.find(b"\n")
    if event.startswith(b"data: {", at + 1) and event.startswith(b"event: ") and event.find(b"\r") < 0:
        end = len(event) - 2
        if event.find(b"\n", at + 1) == end:
            return event[7:at], event[at + 7 : end]
    return sse.parse(event)


def retryable(status: object, error: object) -> bool:
    """Whether a response failed for a reason that is the vendor's own."""
    code = error.get("code") if isinstance(error, dict) else None
    return status == "failed" and (code is None or code in RETRYABLE)


def _loose(data: bytes) -> _Event | None:
    """An event that strict reading refuses: NaN among log probabilities, half a surrogate pair, odd types; None: no JSON."""
    told = json_read.loose(data)
    if not isinstance(told, dict):
        return None if told is None else _Event()
    response = told.get("response")
    try:
        return msgspec.convert(told, _Event)
    except msgspec.ValidationError:
        kind = told.get("type")
        found = _Event(type=kind if isinstance(kind, str) else "", delta=told.get("delta"), error=told.get("error"))
        if isinstance(response, dict):
            found.response = msgspec.convert(response, _Response)
        return found


def _with_cost(event: bytes, data: bytes, cost: str) -> bytes:
    usage = json_edit.find(data, "response", "usage")
    if usage is None:
        return event
    edited = json_edit.edited(data, {"cost": cost.encode()}, start=usage.start)
    return sse.with_data(event, edited.replace(b"\n", b""))
