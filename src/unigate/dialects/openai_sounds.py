"""What OpenAI's operations of sound share: usage as they tell it, and their streams.

Events pass as they came; the last one waits until the call is settled. Their types end in `.delta` and `.done`, with other
vendors of the same form too. https://platform.openai.com/docs/api-reference/audio
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from unigate.base.errors import StreamBroken
from unigate.dialects import json_edit, sse
from unigate.dialects.openai_answer import DEFAULT_TIER
from unigate.dialects.openai_usage import count
from unigate.spec.facts import Facts
from unigate.spec.usage import MAX_COUNT, Usage

_SECOND = 1000


def read_usage(told: object) -> Usage | None:
    """Usage as a vendor tells it of sound: in tokens, in seconds, or in both; None where nothing can be counted.

    OpenAI's `TranscriptTextUsageTokens`, `TranscriptTextUsageDuration` and the usage of `speech.audio.done`, whose output
    is sound (`made`); Mistral's `prompt_audio_seconds`.
    """
    if not isinstance(told, Mapping):
        return None
    units: dict[str, int] = {}
    length = milliseconds(told.get("seconds", told.get("prompt_audio_seconds")))
    if length is not None:
        units["milliseconds"] = length
    given = count(told.get("input_tokens", told.get("prompt_tokens")))
    made = count(told.get("output_tokens", told.get("completion_tokens")))
    if given is not None and made is not None:
        details = told.get("input_token_details")
        heard = count(details.get("audio_tokens")) if isinstance(details, Mapping) else None
        heard = min(heard or 0, given)
        units |= {"input": given - heard, "output": made}
        if heard:
            units["audio_input"] = heard
    return Usage(units) if units else None


def milliseconds(seconds: object) -> int | None:
    """A length that was told in seconds, rounded up; older answers tell it as text."""
    if isinstance(seconds, str):
        try:
            seconds = float(seconds)
        except ValueError:
            return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_COUNT:
        return None
    thousandths = seconds * _SECOND
    whole = int(thousandths)
    return whole + (thousandths > whole)


class Watch:
    """One stream of sound, or of what was heard in one."""

    def __init__(self, facts: Facts, cost: Callable[[Usage], str] | None) -> None:
        self.facts = facts
        self._cost = cost
        self._splitter = sse.Splitter()
        self._ending: list[bytes] = []
        self._dead = False
        self.content = self.done = self.finished = False
        self.error: bytes | None = None
        self.usage: Usage | None = None
        self.output_tokens = 0
        self.service_tier: str | None = DEFAULT_TIER

    @property
    def empty(self) -> bool:
        """Nothing was sent and no output was reported."""
        return not self.content and (self.usage is None or self.usage.output_tokens == 0)

    @property
    def ending(self) -> bytes:
        """The last event; `feed` never gives it out."""
        return b"".join(self._ending)

    def heard(self, told: Mapping[str, Any]) -> None:
        """Count what an event has brought."""
        raise NotImplementedError

    def read(self, told: object) -> Usage | None:
        """The usage that the last event tells."""
        return read_usage(told)

    def feed(self, piece: bytes) -> bytes:
        """What goes to the caller now; b"" for nothing."""
        if self._dead:
            return b""
        try:
            events = self._splitter.feed(piece)
        except StreamBroken:
            self._fail(b"")
            return b""
        return b"".join(map(self._event, events))

    def finish(self) -> bytes:
        """What is left when the stream ended: the last event of a provider that leaves out its blank line."""
        rest = b"" if self._dead else self._splitter.rest()
        return self._event(rest) if rest else b""

    def _event(self, event: bytes) -> bytes:
        if self._dead:
            return b""
        name, data = sse.parse(event)
        if not data:
            return event
        if data == b"[DONE]":
            return self._end(event)
        try:
            told = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            told = None
        if not isinstance(told, dict) or told.get("error") or name == b"error" or told.get("type") == "error":
            self._fail(data if isinstance(told, dict) else b"")
            return b""
        kind = told.get("type")
        if isinstance(kind, str) and kind.endswith(".done"):
            return self._end(event, told)
        if isinstance(kind, str) and kind.endswith((".delta", ".segment")):
            self.content = True
            self.heard(told)
        elif kind is None:
            self._chunk(told)
        return event

    def _chunk(self, told: Mapping[str, Any]) -> None:
        """A piece of text as vLLM sends it, in the form of a chat's chunk; its last one may tell usage."""
        choices = told.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            text = delta.get("content") if isinstance(delta, dict) else None
            if isinstance(text, str) and text:
                self.content = True
                self.heard({"delta": text})
        self.usage = self.read(told.get("usage")) or self.usage

    def _end(self, event: bytes, told: Mapping[str, Any] | None = None) -> bytes:
        self.done = self.finished = self._dead = True
        if told is not None:
            self.content = self.content or bool(told.get("text"))
            self.usage = self.read(told.get("usage"))
            if self._cost is not None:
                event = with_cost(event, self._cost(self.counted()))
        self._ending.append(event)
        return b""

    def counted(self) -> Usage:
        """What is charged of a stream that is whole."""
        return self.usage or Usage()

    def _fail(self, error: bytes) -> None:
        self.error = error
        self._dead = True


def with_cost(event: bytes, cost: str) -> bytes:
    """An event whose usage has `cost` (decimal USD)."""
    _, data = sse.parse(event)
    if not data:
        return event
    found = json_edit.find(data, "usage")
    if found is not None and data[found.start : found.start + 1] == b"{":
        data = json_edit.edited(data, {"cost": cost.encode()}, start=found.start)
    else:
        data = json_edit.edited(data, {"usage": b'{"cost":' + cost.encode() + b"}"})
    return sse.with_data(event, data.replace(b"\n", b""))
