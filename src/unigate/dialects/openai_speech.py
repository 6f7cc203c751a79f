"""OpenAI's speech: `POST /v1/audio/speech`. Sound passes as it comes, whole, in chunks, or as events with base64.

Some models are paid by the characters of the text, others by tokens: of text in, of sound out. Where a provider does not
tell them, those of the sound come from the length of what went out.
https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, BadRequest
from unigate.dialects import estimate as _estimate
from unigate.dialects import json_read, openai_body, openai_sounds, sound
from unigate.dialects.openai_answer import Seen, loosely
from unigate.dialects.openai_body import Edits
from unigate.dialects.openai_errors import VendorError, pass_error, read_error, write_error, write_stream_error
from unigate.dialects.raw import RawWatch
from unigate.spec.facts import Facts
from unigate.spec.form import Source
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

__all__ = [
    "OPERATIONS",
    "Edits",
    "Raw",
    "Seen",
    "VendorError",
    "Watch",
    "add_cost",
    "edit",
    "estimate",
    "input_bound",
    "measure",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "used",
    "write_error",
    "write_stream_error",
]

OPERATIONS = (
    Operation(
        name="openai.speech",
        method="POST",
        path="/v1/audio/speech",
        dialect="openai_speech",
        family="speech",
        body="json",
        answer="bytes",
        upstream_path="/audio/speech",
    ),
)
#: Tokens of a second of sound: gpt-4o-mini-tts, whose minute is told to cost 0.015 USD at 12 USD a million.
TOKENS_PER_SECOND = 21
#: Bytes of text that are spoken in a second: usually, and at the least.
USUAL_PACE = 15
SLOWEST_PACE = 5
#: The speeds that are known.
SLOWEST, FASTEST = 0.25, 4.0
#: Bytes of a millisecond of sound, about, by format; PCM is 24 kHz at 16 bits, in one channel.
_BYTES = {"pcm": 48, "wav": 48, "flac": 24, "mp3": 16, "aac": 8, "opus": 4}
#: Units that depend on how long the sound is.
_BY_LENGTH = frozenset({"input", "output", "audio_output", "milliseconds"})
_NAMES = ("model", "input", "instructions", "response_format", "speed", "stream_format", "usage")
_READ = re.compile(rb'"(?:model|input|instructions|response_format|speed|stream_format|usage|include)"')


@dataclass(slots=True, kw_only=True)
class SpeechFacts(Facts):
    """What is read of a call for speech."""

    characters: int = 0
    #: Of the text and of the instructions.
    text_tokens: int = 0
    format: str = "mp3"
    #: Milliseconds that the text is likely to last.
    likely_ms: int = 0


class _Call(msgspec.Struct, gc=False):
    model: str = ""
    input: object = None
    instructions: object = None
    response_format: object = None
    speed: object = None
    stream_format: object = None
    usage: openai_body.UsageOptions | None = None


_call = msgspec.json.Decoder(_Call)


def read(body: bytes) -> SpeechFacts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    call = json_read.decode(body, _call)
    openai_body.named(body, _READ, _NAMES)
    if not call.model:
        raise openai_body.no_model()
    if not isinstance(call.input, str):
        raise BadRequest("You must provide a text as 'input'.", param="input")
    text = call.input
    manner = call.instructions if isinstance(call.instructions, str) else ""
    speed = call.speed if isinstance(call.speed, int | float) and not isinstance(call.speed, bool) else 1.0
    speed = min(max(speed, SLOWEST), FASTEST)
    size = len(text.encode())
    longest = int(size / SLOWEST_PACE / speed) + 2
    facts = SpeechFacts(
        model=call.model,
        stream=call.stream_format == "sse",
        output_limit=longest * TOKENS_PER_SECOND,
        least_output=longest * TOKENS_PER_SECOND,
        units={"characters": len(text), "milliseconds": longest * 1000},
        characters=len(text),
        text_tokens=_estimate.text_tokens(text) + (_estimate.text_tokens(manner) if manner else 0),
        format=call.response_format if isinstance(call.response_format, str) else "mp3",
        likely_ms=int(size * 1000 / USUAL_PACE / speed),
    )
    if call.usage is not None:
        facts.include_cost = call.usage.include is True
    return facts


def edit(body: bytes, facts: SpeechFacts, edits: Edits) -> bytes:
    """The body as the provider gets it: the model's name, and without what is ours. Speech has no other options of ours."""
    return openai_body.edit(body, facts, Edits(model=edits.model, drop=edits.drop))


def input_bound(body: bytes, facts: SpeechFacts) -> int:  # noqa: ARG001  (the shape of every `input_bound`)
    """The most input tokens that a body can count: a token has at least one byte."""
    return len(body)


def measure(asked: object, facts: SpeechFacts) -> None:
    """A call for speech has no files."""


def read_answer(body: bytes, provider: Provider) -> Seen:  # noqa: ARG001  (the shape of every `read_answer`)
    """JSON in place of sound: UpstreamRefused for an error, else BadAnswer."""
    loosely(body, "error")
    raise BadAnswer(detail="JSON in place of sound")


def add_cost(body: bytes, cost: str, usage: Usage | None = None) -> bytes:  # noqa: ARG001  (of every dialect)
    """Sound has no place for its cost."""
    return body


def estimate(body: bytes, seen: Seen) -> Usage:
    """Usage counted by ourselves; see `used`."""
    return Usage(
        {"input": _estimate.text_tokens(body.decode("utf-8", "replace")), "audio_output": seen.audio_tokens},
        estimated=True,
    )


def used(facts: SpeechFacts, told: Usage | None, seen: Any) -> Usage:
    """What was used: tokens or time where those are charged, characters where those are, or nothing is.

    `told` may be our own measurement (`Raw.measure`). Of an answer that broke off, as many characters count as were likely
    spoken; `seen` is what passed it.
    """
    spoken = told.units.get("milliseconds") if told is not None else None
    if spoken is None:
        spoken = seen.spoken_ms
    units: dict[str, int] = {}
    estimated = False
    if not facts.charged.isdisjoint(_BY_LENGTH):
        if told is not None and "audio_output" in told.units:
            units, estimated = dict(told.units), told.estimated
        else:
            units, estimated = _tokens(facts, spoken), True
        if "milliseconds" in facts.charged:
            units["milliseconds"] = spoken
    if "characters" in facts.charged or not units:
        units["characters"] = facts.characters
        if not seen.finished and facts.likely_ms:
            units["characters"] = min(facts.characters, -(-facts.characters * spoken // facts.likely_ms))
            estimated = True
    return Usage(units, estimated=estimated)


def _tokens(facts: SpeechFacts, spoken: int) -> dict[str, int]:
    return {"input": facts.text_tokens, "audio_output": -(-spoken * TOKENS_PER_SECOND // 1000)}


class Raw(RawWatch):
    """Sound that passes: counted by its length, which is read from what went out."""

    facts: SpeechFacts

    def __init__(self, facts: SpeechFacts, provider: Provider, content_type: bytes) -> None:
        super().__init__(facts, provider, content_type)
        self.measure = self._measured

    @property
    def spoken_ms(self) -> int:
        """About how long the sound is that went out, by its bytes."""
        return _length(self.facts, self.size)

    def _measured(self, source: Source) -> Usage | None:
        facts = self.facts
        spoken: int | None = None
        if facts.format != "pcm":
            if self.finished and facts.charged.isdisjoint(_BY_LENGTH):
                return None  # its length makes no difference
            with source.open() as file:
                spoken = sound.milliseconds(file, self.size)
        if spoken is None:
            spoken = self.spoken_ms
        return Usage({**_tokens(facts, spoken), "milliseconds": spoken}, estimated=True)


def _length(facts: SpeechFacts, size: int) -> int:
    return -(-size // _BYTES.get(facts.format, _BYTES["mp3"]))


class Watch(openai_sounds.Watch):
    """Speech in events: base64 of sound in `speech.audio.delta`, usage in `speech.audio.done`."""

    facts: SpeechFacts

    def __init__(
        self,
        facts: SpeechFacts,
        provider: Provider,  # noqa: ARG002  (as every Watch is made)
        *,
        show_usage: bool = False,  # noqa: ARG002
        cost: Callable[[Usage], str] | None = None,
    ) -> None:
        super().__init__(facts, cost)
        self._size = 0

    def heard(self, told: Mapping[str, Any]) -> None:
        """Count the sound of an event, from the length of its base64."""
        audio = told.get("audio")
        if isinstance(audio, str):
            self._size += len(audio) * 3 // 4
            self.output_tokens = self.spoken_ms * TOKENS_PER_SECOND // 1000

    def read(self, told: object) -> Usage | None:
        """Usage of speech: what is put out is sound."""
        usage = super().read(told)
        if usage is None or "output" not in usage.units:
            return None
        units = dict(usage.units)
        units["audio_output"] = units.pop("output")
        return Usage(units)

    def counted(self) -> Usage:
        """What is charged of a stream that is whole."""
        return used(self.facts, self.usage, self)

    @property
    def spoken_ms(self) -> int:
        """About how long the sound is that went out."""
        return _length(self.facts, self._size)
