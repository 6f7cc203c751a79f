"""Speech in OpenAI's form: checks the call, speaks, and answers with sound, in chunks or in events.

https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from unigate.sandbox.brain import tokens
from unigate.sandbox.forms import checks, openai_named, openai_request
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model
from unigate.sandbox.media import voice
from unigate.sandbox.serving.answer import Answer, Event, Object, Stream
from unigate.sandbox.serving.face import Call, Handler

VOICES = (
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "fable",
    "onyx",
    "nova",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
)
#: Characters of a text at most.
LONGEST = 4096
#: Tokens of a second of sound.
TOKENS_PER_SECOND = 20
_KINDS = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_PIECE = 8192
_KNOWN = frozenset({"model", "input", "voice", "instructions", "response_format", "speed", "stream_format"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """How a vendor's speech differs."""

    voices: tuple[str, ...] = VOICES
    formats: tuple[str, ...] = voice.FORMATS
    usual_format: str = "mp3"
    longest: int = LONGEST
    events: bool = True


def speech(manner: Manner, own: Speech = Speech()) -> Handler:
    """POST /audio/speech."""

    async def handle(call: Call) -> Answer:
        """Speak."""
        body = openai_request.decode(call.body)
        model = openai_named.model(manner, call, body, "speech")
        for name in body:
            if name not in _KNOWN:
                raise checks.refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        text = _text(body, own.longest)
        checks.text(body, "instructions", "instructions")
        speaker = _voice(body, own)
        format_ = checks.one_of(checks.given(body, "response_format", own.usual_format), "response_format", own.formats)
        speed = checks.number(body, "speed", 0.25, 4.0) or 1.0
        events = _events(body, model, own)
        if "empty" in call.fault:
            sound, length = b"", 0
        else:
            sound, length = await asyncio.get_running_loop().run_in_executor(
                call.world.studio, _made, text, f"{model.name} {speaker}", speed, format_
            )
        counted = {
            "input": tokens.count(text) + tokens.count(str(body.get("instructions") or "")),
            "output": -(-length * TOKENS_PER_SECOND // 1000),
        }
        call.world.accounts.charge(call.credential, counted["input"], counted["output"])
        pieces = _told(sound, counted) if events else _pieces(sound)
        usage = {**counted, "characters": len(text), "milliseconds": length}
        if events:
            return Stream(events=pieces, usage=usage, model=model.name, pace=model.pace)
        return Stream(events=pieces, media_type=_KINDS[format_], usage=usage, model=model.name, pace=model.pace)

    return handle


def _made(text: str, speaker: str, speed: float, format_: str) -> tuple[bytes, int]:
    samples = voice.speak(text, speaker, speed)
    return voice.encode(samples, cast(voice.Format, format_), text), len(samples) * 1000 // (2 * voice.RATE)


def _text(body: Object, longest: int) -> str:
    text = checks.text(body, "input", "input", required=True)
    if not text.strip():
        told = "Invalid 'input': string too short. Expected a string with minimum length 1, but got an empty string instead."
        raise checks.refuse(told, "input", "string_below_min_length")
    if len(text) > longest:
        told = (
            f"Invalid 'input': string too long. Expected a string with maximum length {longest}, "
            f"but got a string with length {len(text)} instead."
        )
        raise checks.refuse(told, "input", "string_above_max_length")
    return text


def _voice(body: Object, own: Speech) -> str:
    given = body.get("voice")
    if given is None:
        raise checks.missing("voice")
    if isinstance(given, dict):
        return checks.text(given, "id", "voice.id", required=True)
    return checks.one_of(given, "voice", own.voices)


def _events(body: Object, model: Model, own: Speech) -> bool:
    asked = checks.one_of(checks.given(body, "stream_format", "audio"), "stream_format", ("sse", "audio"))
    if asked == "sse" and (not own.events or model.name.startswith("tts-1")):
        told = f"Unsupported value: 'stream_format' does not support 'sse' with the model '{model.name}'."
        raise checks.refuse(told, "stream_format", "unsupported_value")
    return asked == "sse"


def _pieces(sound: bytes) -> Iterator[Event]:
    """The bytes as they are."""
    for start in range(0, len(sound), _PIECE):
        yield Event(None, raw=sound[start : start + _PIECE])


def _told(sound: bytes, counted: Object) -> Iterator[Event]:
    """Events with base64, and one that ends them."""
    for start in range(0, len(sound), _PIECE):
        audio = base64.b64encode(sound[start : start + _PIECE]).decode()
        yield Event({"type": "speech.audio.delta", "audio": audio})
    usage = {
        "input_tokens": counted["input"],
        "output_tokens": counted["output"],
        "total_tokens": counted["input"] + counted["output"],
    }
    yield Event({"type": "speech.audio.done", "usage": usage}, "finish")
