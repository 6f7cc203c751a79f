"""OpenAI's transcription: `POST /v1/audio/transcriptions`. A form with a file of sound; its text in JSON, plain, or as subtitles.

Paid by the length of the sound, or by tokens. Where a provider tells neither, the length is read from the file, as it is
before anything is sent, to know what the call can cost. A file that nobody can read is judged by the provider.
https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, BadRequest
from unigate.dialects import estimate as _estimate
from unigate.dialects import form_read, openai_sounds, sound
from unigate.dialects.form_read import edit
from unigate.dialects.openai_answer import DEFAULT_TIER, loosely, put_cost
from unigate.dialects.openai_body import Edits
from unigate.dialects.openai_errors import VendorError, pass_error, read_error, write_error, write_stream_error
from unigate.spec.facts import Facts
from unigate.spec.form import Form, FormBounds
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

__all__ = [
    "OPERATIONS",
    "Edits",
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

#: Bytes of a form: OpenAI takes files of 25 MB, others more.
LARGEST = 128 << 20
BOUNDS = FormBounds(parts=256, fields=8 << 20)

OPERATIONS = (
    Operation(
        name="openai.transcriptions",
        method="POST",
        path="/v1/audio/transcriptions",
        dialect="openai_transcriptions",
        family="transcriptions",
        body="form",
        body_bytes=LARGEST,
        form=BOUNDS,
        upstream_path="/audio/transcriptions",
    ),
)
#: Bytes of a millisecond of a sound whose length can't be read: at the least (6 kbit/s), and usually (32 kbit/s).
LEAST_RATE = (3, 4)
USUAL_RATE = 4
#: Milliseconds of sound that is named and not sent.
ELSEWHERE = 3_600_000
#: Tokens of a second of sound as OpenAI counts them, and the most that any vendor does.
HEARD_PER_SECOND = 10
MOST_HEARD_PER_SECOND = 25
#: Tokens that are said in a second: at the most, and usually.
SAID_PER_SECOND = 8
USUAL_SAID_PER_SECOND = 3
_FRAME = 64
_SECOND = 1000
_PAGES = (b"<!doctype", b"<html")
_BY_TOKENS = frozenset({"input", "audio_input", "output"})


@dataclass(slots=True, kw_only=True)
class HeardFacts(Facts):
    """What is read of a call for a transcript."""

    #: Milliseconds of the sound, as its file says; where that can't be read, as its size makes likely; 0 where it was not sent.
    sound_ms: int = 0
    sound_read: bool = False
    #: Tokens of the prompt.
    text_tokens: int = 0
    #: The most milliseconds that it can be.
    longest_ms: int = 0


@dataclass(slots=True)
class Seen:
    """What an answer says of itself."""

    usage: Usage | None
    empty: bool
    output_tokens: int = 0
    service_tier: str = DEFAULT_TIER
    finished: bool = True


def read(form: Form) -> HeardFacts:
    """What we need to know of a caller's form; BadRequest (with `param`)."""
    model = form_read.text(form, "model")
    if not model:
        raise BadRequest("you must provide a model parameter", param="model")
    if len(form_read.files(form, "file")) > 1:
        raise BadRequest("The form has more than one 'file'.", param="file")
    form_read.text(form, "response_format")
    prompt = form_read.text(form, "prompt") or ""
    return HeardFacts(
        model=model,
        stream=form_read.flag(form, "stream"),
        text_tokens=_estimate.text_tokens(prompt) if prompt else 0,
    )


def measure(form: Form, facts: HeardFacts) -> None:
    """How long the sound is, and with it the most that the call can use."""
    found = form_read.files(form, "file")
    size = found[0].size if found else 0
    length: int | None = None
    if found:
        with found[0].source.open() as file:
            length = sound.milliseconds(file, size)
    facts.sound_read = length is not None
    if length is not None:
        facts.sound_ms = length
        longest = length
    elif found:
        facts.sound_ms = -(-size // USUAL_RATE)
        longest = -(-size * LEAST_RATE[1] // LEAST_RATE[0])
    else:
        longest = ELSEWHERE
    # Vendors count whole seconds, and some of them begin each that is not whole.
    seconds = longest // _SECOND + 2
    facts.longest_ms = seconds * _SECOND
    facts.units = {"milliseconds": facts.longest_ms}
    facts.output_limit = facts.least_output = seconds * SAID_PER_SECOND + _FRAME


def input_bound(form: Form, facts: HeardFacts) -> int:
    """The most input tokens that a form can count: a token of text has at least one byte."""
    prompt = form_read.text(form, "prompt") or ""
    return facts.longest_ms * MOST_HEARD_PER_SECOND // _SECOND + len(prompt.encode()) + _FRAME


def read_answer(body: bytes, provider: Provider) -> Seen:  # noqa: ARG001  (the shape of every `read_answer`)
    """What an answer says, JSON or text; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object."""
    start = body.lstrip()[:9].lower()
    if start[:1] != b"{":
        if not body or start.startswith(_PAGES):
            raise BadAnswer(detail="the answer is no transcript")
        text = body.decode("utf-8", "replace").strip()
        return Seen(None, not text, _estimate.text_tokens(text))
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the answer is broken JSON") from None
    if not isinstance(told.get("text"), str):
        loosely(body, "text")  # an error, or nothing
        raise BadAnswer(detail="the answer has no text")
    usage = openai_sounds.read_usage(told.get("usage"))
    length = openai_sounds.milliseconds(told.get("duration"))
    if length is not None and (usage is None or "milliseconds" not in usage.units):
        usage = Usage({**(usage.units if usage is not None else {}), "milliseconds": length})
    text = told["text"].strip()
    return Seen(usage, not text and not (usage and usage.output_tokens), _estimate.text_tokens(text))


def add_cost(body: bytes, cost: str, usage: Usage | None = None) -> bytes:  # noqa: ARG001  (of every dialect)
    """The answer with `usage.cost` (decimal USD), where it is JSON."""
    return put_cost(body, cost.encode(), None, b"") if body.lstrip()[:1] == b"{" else body


def estimate(form: Form, seen: Seen) -> Usage:  # noqa: ARG001  (the shape of every `estimate`)
    """Usage counted by ourselves; see `used`."""
    return Usage({"output": seen.output_tokens}, estimated=True)


def used(facts: HeardFacts, told: Usage | None, seen: Any) -> Usage:
    """What was used: as it was told where that is what is charged, else by the length of the sound and of the text."""
    units = dict(told.units) if told is not None else {}
    by_time, by_tokens = "milliseconds" in facts.charged, not facts.charged.isdisjoint(_BY_TOKENS)
    likely = facts.sound_ms or seen.output_tokens * _SECOND // USUAL_SAID_PER_SECOND
    length = units.get("milliseconds", likely)
    guessed = "milliseconds" not in units and not facts.sound_read
    if by_time or not by_tokens:
        units["milliseconds"] = length
    estimated = guessed and by_time
    if by_tokens and "output" not in units:
        heard = -(-length * HEARD_PER_SECOND // _SECOND)
        units |= {"input": facts.text_tokens, "audio_input": heard, "output": seen.output_tokens}
        estimated = True
    return Usage(units, estimated=estimated)


class Watch(openai_sounds.Watch):
    """A transcript in events: its text in `transcript.text.delta`, usage in `transcript.text.done`."""

    facts: HeardFacts

    def __init__(
        self,
        facts: HeardFacts,
        provider: Provider,  # noqa: ARG002  (as every Watch is made)
        *,
        show_usage: bool = False,  # noqa: ARG002
        cost: Callable[[Usage], str] | None = None,
    ) -> None:
        super().__init__(facts, cost)

    def heard(self, told: Mapping[str, Any]) -> None:
        """Count the text of an event; a segment says again what its deltas said."""
        text = told.get("delta", told.get("text") if not self.output_tokens else None)
        if isinstance(text, str) and text:
            self.output_tokens += _estimate.piece_tokens(text)

    def counted(self) -> Usage:
        """What is charged of a stream that is whole."""
        return used(self.facts, self.usage, self)
