"""Watching a stream of chat or completions on its way to the caller: usage, first content, errors, the end.

Events that need no change pass as the same bytes, at once; only an event that is not complete yet is held back, since it
may have to be changed. It must not wait for anything, and it never touches what it does not know.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from unigate.base.errors import StreamBroken
from unigate.dialects import estimate, json_edit, json_read, private_usage, sse
from unigate.dialects.openai_answer import DEFAULT_TIER
from unigate.dialects.openai_usage import read_usage
from unigate.spec.facts import Facts
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

#: Members of an event that is about usage only; with any other it is passed without its usage.
_FRAME = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint", "obfuscation"}
    | {"provider", "timings"}
)


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    id: Any = None
    function: _Function | None = None
    custom: Any = None


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    refusal: Any = None
    tool_calls: list[_ToolCall] | None = None
    function_call: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    reasoning_details: Any = None
    thinking: Any = None
    audio: Any = None
    images: Any = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    #: What completions have in place of a delta.
    text: Any = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Any = msgspec.UNSET
    error: Any = None
    object: Any = None
    service_tier: Any = None


_chunk = msgspec.json.Decoder(_Chunk)
_NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,\s*')


class Watch:
    """One stream. After each `feed` look at `content`, `error` and `done`; `ending` is for the pipeline to send last."""

    __slots__ = (
        "_cost",
        "_dead",
        "_ending",
        "_path",
        "_provider",
        "_show",
        "_splitter",
        "audio_tokens",
        "content",
        "done",
        "error",
        "finished",
        "output_tokens",
        "service_tier",
        "usage",
    )

    def __init__(
        self,
        facts: Facts,
        provider: Provider,
        *,
        show_usage: bool,
        cost: Callable[[Usage], str] | None = None,
    ) -> None:
        """`show_usage`: the caller wants usage events; `cost`: gives decimal USD for `usage.cost` (implies showing)."""
        self._provider = provider
        self._path = provider.usage_path
        self._cost = cost
        self._show = show_usage or cost is not None
        self._splitter = sse.Splitter()
        self._ending: list[bytes] = []
        self._dead = False
        #: Something of the answer was seen: text, refusal, reasoning, tool calls, sound, pictures.
        self.content = False
        #: `[DONE]` was seen.
        self.done = False
        #: A choice said why it finished: without `[DONE]` too, the answer is then whole.
        self.finished = False
        #: The vendor's error event (JSON text), b"" where an event could not be read; nothing passes after it.
        self.error: bytes | None = None
        #: As the provider reported it, the last one counts.
        self.usage: Usage | None = None
        #: What was counted of the answer, for an estimate; the input that it repeats first is no output.
        self.output_tokens = -facts.echo
        self.audio_tokens = 0
        #: The tier that serves the call: one that was asked for and not confirmed is not taken for granted.
        self.service_tier = DEFAULT_TIER

    @property
    def empty(self) -> bool:
        """Nothing was sent and no output was reported: such an answer is free."""
        return not self.content and (self.usage is None or self.usage.output_tokens == 0)

    @property
    def ending(self) -> bytes:
        """The last events, from the usage event or `[DONE]` on; `feed` never gives them out."""
        return b"".join(self._ending)

    def feed(self, piece: bytes) -> bytes:
        """What goes to the caller now; b"" for nothing."""
        if self._dead:
            return b""
        if (
            not self._splitter.held
            and piece.startswith(b"data: {")
            and piece.endswith(b"\n\n")
            and piece.find(b"\n") == len(piece) - 2
            and piece.find(b"\r") < 0
        ):
            return self._data(piece, piece[6:-2])
        return self._pieces(piece)

    def _pieces(self, piece: bytes) -> bytes:
        """A piece that is not just one event of one line."""
        whole = not self._splitter.held
        if whole and piece.endswith(b"\r\n\r\n") and piece.find(b"\n") == len(piece) - 3 == piece.find(b"\r") + 1:
            return self._event(piece)
        try:
            events = self._splitter.feed(piece)
        except StreamBroken:
            self._fail(b"")
            return b""
        out: list[bytes] = []
        same = whole and not self._splitter.held
        for event in events:
            passed = self._event(event)
            if passed:
                out.append(passed)
            same = same and passed is event
        return piece if same else b"".join(out)

    def finish(self) -> bytes:
        """What is left when the stream ended: the last event of a provider that leaves out its blank line."""
        rest = b"" if self._dead else self._splitter.rest()
        return self._event(rest) if rest else b""

    def _event(self, event: bytes) -> bytes:
        if self._dead:
            return b""
        if event.startswith(b"data: {"):
            if event.find(b"\r") < 0:
                if event.find(b"\n") == len(event) - 2:
                    return self._data(event, event[6:-2])
            elif event.endswith(b"\r\n\r\n") and event.find(b"\n") == len(event) - 3 == event.find(b"\r") + 1:
                return self._data(event, event[6:-4])
        name, data = sse.parse(event)
        if not data:
            return self._pass(event)
        if data == b"[DONE]":
            self.done = True
            self._dead = True
            self._ending.append(event)
            return b""
        if name == b"error":
            self._fail(data)
            return b""
        return self._data(event, data)

    def _data(self, event: bytes, data: bytes) -> bytes:
        try:
            chunk = _chunk.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            loose = _loose(data)
            if loose is None:
                self._fail(b"")
                return b""
            chunk = loose
        if chunk.error or chunk.object == "error":
            self._fail(data)
            return b""
        spoke = False
        if chunk.choices and self._choices(chunk.choices):
            spoke = True
            if not self.content:
                self.content = True
                self._tier(chunk)
        usage = chunk.usage
        if usage is msgspec.UNSET:
            if self._path and b'"usage"' in data:
                self._elsewhere(data)
            return event if not self._ending else self._pass(event, content=spoke)
        if usage is None:
            if not self._show:
                event = _without_null_usage(event, data)
            return event if not self._ending else self._pass(event, content=spoke)
        return self._with_usage(event, data, chunk, spoke=spoke)

    def _choices(self, choices: list[_Choice]) -> bool:
        """Count what an event says; whether it has content."""
        spoke = False
        for choice in choices:
            if choice.finish_reason is not None:
                self.finished = True
            delta = choice.delta
            if delta is not None:
                text = delta.content
                if text and type(text) is str:
                    spoke = True
                    self.output_tokens += estimate.piece_tokens(text)
                elif self._other(delta):
                    spoke = True
            elif choice.text and self._value(choice.text):
                spoke = True
        return spoke

    def _with_usage(self, event: bytes, data: bytes, chunk: _Chunk, *, spoke: bool) -> bytes:
        """An event that carries a usage object: read it, then hide it, show it, or show it with the cost."""
        told = read_usage(chunk.usage, self._provider)
        if told is not None:
            self.usage = told
        self._tier(chunk)
        if self._show and self._provider.private_usage:
            shown = private_usage.hidden(data, self._provider.private_usage)
            if shown is not data:
                event, data = _edited(event, shown), shown
        final = not chunk.choices
        if not self._show:
            if final and _FRAME.issuperset(member.key for member in json_edit.members(data)):
                return b""
            return self._pass(_edited(event, json_edit.edited(data, {}, ("usage",))), content=spoke)
        if self._cost is not None and told is not None and (not spoke or _finishes(chunk)):
            event = _with_cost(event, data, self._cost(told))
        if final:
            self._ending.append(event)
            return b""
        return self._pass(event, content=spoke)

    def _pass(self, event: bytes, *, content: bool = False) -> bytes:
        """The event, in its order: behind an ending that turned out to be none, or as part of a real one."""
        if not self._ending:
            return event
        self._ending.append(event)
        if not content:
            return b""
        released = self.ending
        self._ending.clear()
        return released

    def _tier(self, chunk: _Chunk) -> None:
        if chunk.service_tier and isinstance(chunk.service_tier, str):
            self.service_tier = chunk.service_tier

    def _fail(self, error: bytes) -> None:
        self.error = error
        self._dead = True

    def _elsewhere(self, data: bytes) -> None:
        """Usage that a vendor reports in a place of its own (`Provider.usage_path`)."""
        place: Any = json_read.loose(data)
        for key in self._path:
            if isinstance(key, int):
                place = place[key] if isinstance(place, list) and key < len(place) else None
            else:
                place = place.get(key) if isinstance(place, dict) else None
        told = read_usage(place, self._provider)
        if told is not None:
            self.usage = told

    def _other(self, delta: _Delta) -> bool:
        """Whether a piece without plain text has content of another kind, which is counted."""
        found = False
        thought = delta.reasoning_content or delta.reasoning
        if thought and type(thought) is str:
            self.output_tokens += estimate.piece_tokens(thought)
            found = True
        elif self._value(thought or delta.reasoning_details):
            found = True
        if delta.tool_calls:
            found = self._tool_calls(delta.tool_calls) or found
        for value in (delta.content, delta.refusal, delta.thinking, delta.function_call, delta.images):
            if value and self._value(value):
                found = True
        audio = delta.audio
        if audio and self._value(audio):
            found = True
            self.audio_tokens += estimate.audio_tokens(audio)
        return found

    def _value(self, value: object) -> bool:
        """Content of any form."""
        if not estimate.speaks(value):
            return False
        self.output_tokens += max(estimate.value_tokens(value), 1)
        return True

    def _tool_calls(self, calls: list[_ToolCall]) -> bool:
        found = False
        for call in calls:
            function = call.function
            if function is not None:
                if function.name:
                    found = True
                    self.output_tokens += estimate.PER_TOOL_CALL + estimate.piece_tokens(function.name)
                if function.arguments:
                    found = True
                    self.output_tokens += estimate.piece_tokens(function.arguments)
            elif call.custom is not None and self._value(call.custom):
                found = True
        return found


def _finishes(chunk: _Chunk) -> bool:
    return any(choice.finish_reason is not None for choice in chunk.choices or ())


def _loose(data: bytes) -> _Chunk | None:
    """A chunk that strict reading refuses: NaN among log probabilities, half a surrogate pair, odd types.

    None where it is no JSON at all.
    """
    told = json_read.loose(data)
    if told is None:
        return None if data.strip() != b"null" else _Chunk()
    if not isinstance(told, dict):
        return _Chunk()
    try:
        return msgspec.convert(told, _Chunk)
    except msgspec.ValidationError:
        choices = told.get("choices")
        return _Chunk(
            choices=[_Choice(delta=_Delta(content=[choices]))] if choices else None,
            usage=told.get("usage", msgspec.UNSET),
            error=told.get("error"),
            object=told.get("object"),
        )


def _without_null_usage(event: bytes, data: bytes) -> bytes:
    if event.count(b'"usage"') == 1:
        at = event.find(b',"usage":null')
        if at >= 0:
            return event[:at] + event[at + 13 :]
        found = _NULL_USAGE.search(event)
        if found is not None:
            return event[: found.start()] + event[found.end() :]
    return _edited(event, json_edit.edited(data, {}, ("usage",)))


def _with_cost(event: bytes, data: bytes, cost: str) -> bytes:
    usage = json_edit.find(data, "usage")
    if usage is None:
        return event
    return _edited(event, json_edit.edited(data, {"cost": cost.encode()}, start=usage.start))


def _edited(event: bytes, data: bytes) -> bytes:
    return sse.with_data(event, data.replace(b"\n", b""))
