"""What the gateway reads of the events of a realtime session. Pure; an event that can't be read is nobody's business here.

Names are those of the API as it is now and of its beta, which differ by `output_` only.
https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from unigate.dialects import estimate
from unigate.spec.usage import MAX_COUNT, Usage

#: Events of the vendor that carry what the model says, as sound in base64 or as text.
_SOUND = frozenset({"response.output_audio.delta", "response.audio.delta"})
_TEXT = frozenset(
    {
        "response.output_text.delta",
        "response.text.delta",
        "response.output_audio_transcript.delta",
        "response.audio_transcript.delta",
        "response.function_call_arguments.delta",
        "response.mcp_call_arguments.delta",
    }
)
_CREATED = frozenset({"session.created", "transcription_session.created"})
_SESSION = _CREATED | {"session.updated", "transcription_session.updated"}
_ITEM = "conversation.item.input_audio_transcription."
UPDATES = frozenset({"session.update", "transcription_session.update"})
#: Characters of base64 per second of sound, by its format; PCM is of 16 bits at 24 kHz.
PCM, G711 = 64_000, 10_667


class VendorEvent(msgspec.Struct, gc=False):
    """One event of the vendor, as far as we read it."""

    type: str = ""
    response: msgspec.Raw = msgspec.Raw(b"")
    session: msgspec.Raw = msgspec.Raw(b"")
    delta: msgspec.Raw = msgspec.Raw(b"")
    usage: msgspec.Raw = msgspec.Raw(b"")
    transcript: str | None = None
    response_id: str = ""
    item_id: str = ""

    @property
    def sound(self) -> int:
        """Characters of base64 of sound in it."""
        return max(len(memoryview(self.delta)) - 2, 0) if self.type in _SOUND else 0

    @property
    def words(self) -> int:
        """About how many tokens of text it carries."""
        if self.type not in _TEXT:
            return 0
        said = _loose(self.delta)
        return estimate.piece_tokens(said) if isinstance(said, str) and said else 0

    @property
    def begins_session(self) -> bool:
        """It tells how a session is that begins."""
        return self.type in _CREATED

    @property
    def tells_session(self) -> bool:
        """It tells how the session is from now on."""
        return self.type in _SESSION

    @property
    def transcribed(self) -> str:
        """How a transcription of the caller's sound went: `completed`, `failed`; "" for other events."""
        found = self.type.removeprefix(_ITEM) if self.type.startswith(_ITEM) else ""
        return found if found in {"completed", "failed"} else ""


class CallerEvent(msgspec.Struct, gc=False):
    """One event of the caller, as far as we read it."""

    type: str = ""
    event_id: object = None
    audio: msgspec.Raw = msgspec.Raw(b"")
    item: msgspec.Raw = msgspec.Raw(b"")
    session: msgspec.Raw = msgspec.Raw(b"")
    response: msgspec.Raw = msgspec.Raw(b"")


class Answered(msgspec.Struct, gc=False):
    """A response, at its beginning or its end."""

    id: str = ""
    status: str = ""
    conversation_id: object = None
    usage: object = None


_vendor = msgspec.json.Decoder(VendorEvent)
_caller = msgspec.json.Decoder(CallerEvent)
_response = msgspec.json.Decoder(Answered)


def read_vendor(data: bytes) -> VendorEvent | None:
    """An event of the vendor; None where it is none that can be read."""
    try:
        return _vendor.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def read_caller(data: bytes) -> CallerEvent | None:
    """An event of the caller; None where it is none that can be read: the vendor says so."""
    try:
        return _caller.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def read_response(raw: msgspec.Raw) -> Answered:
    """The response of an event; without an id where there is none."""
    try:
        return _response.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Answered()


class SessionFacts(msgspec.Struct, gc=False):
    """What matters of a session's configuration; None: it does not say."""

    #: The model that answers, and the one that writes down what the caller says ("": none does).
    model: str | None = None
    transcription: str | None = None
    #: Characters of base64 per second of the caller's sound, and of the model's.
    input_rate: int = PCM
    output_rate: int = PCM
    #: The vendor adds a text of its own that is kept with it.
    prompt: bool = False
    #: The model answers by sound, unless a response is asked for otherwise.
    speaks: bool = True


def read_session(raw: msgspec.Raw) -> SessionFacts:
    """A session's configuration, as the caller wants it or as the vendor has it, in today's form or the beta's."""
    told = _mapping(_loose(raw))
    sound = _mapping(told.get("audio"))
    heard, said = _mapping(sound.get("input")), _mapping(sound.get("output"))
    model = told.get("model")
    return SessionFacts(
        model=model if isinstance(model, str) else None,
        transcription=_transcription(heard, "transcription", _transcription(told, "input_audio_transcription")),
        input_rate=_rate(heard.get("format", told.get("input_audio_format"))),
        output_rate=_rate(said.get("format", told.get("output_audio_format"))),
        prompt=isinstance(told.get("prompt"), Mapping),
        speaks=_speaks(told, usual=True),
    )


def speaks(raw: msgspec.Raw) -> bool:
    """Whether a caller who asks for a response wants it to be spoken, whatever holds for the session."""
    return _speaks(_mapping(_loose(raw)), usual=False)


def with_models(data: bytes, model: str | None, transcription: str | None) -> bytes:
    """A caller's update of the session, with the models by their names at the vendor; None: as it is."""
    event: dict[str, Any] = msgspec.json.decode(data)
    session: dict[str, Any] = event["session"]
    if model is not None:
        session["model"] = model
    if transcription is not None:
        sound = session.get("audio")
        heard = sound.get("input") if isinstance(sound, dict) else None
        places = (
            heard.get("transcription") if isinstance(heard, dict) else None,
            session.get("input_audio_transcription"),
        )
        for place in places:
            if isinstance(place, dict) and "model" in place:
                place["model"] = transcription
    return msgspec.json.encode(event)


def read_usage(told: object) -> Usage | None:
    """Usage of a response, in units that do not overlap; None where it tells nothing that can be counted.

    Cached tokens are parts of the input, told by kind; no part counts for more than what it is a part of.
    """
    usage = _mapping(told)
    total, output = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    if total is None or output is None:
        return None
    details, spoken = _mapping(usage.get("input_token_details")), _mapping(usage.get("output_token_details"))
    units: dict[str, int] = {}
    left = total
    kinds: dict[str, int] = {}
    for kind in ("audio", "image"):
        kinds[kind] = min(_count(details.get(f"{kind}_tokens")) or 0, left)
        left -= kinds[kind]
    kinds["text"] = left
    cached = _cached(details, kinds)
    for kind, unit in (("text", "input"), ("audio", "audio_input"), ("image", "image_input")):
        units[unit] = kinds[kind] - cached[kind]
        units["cached_input" if kind == "text" else f"cached_{unit}"] = cached[kind]
    sound = min(_count(spoken.get("audio_tokens")) or 0, output)
    units["output"] = output - sound
    units["audio_output"] = sound
    return Usage({unit: count for unit, count in units.items() if count or unit in {"input", "output"}})


def read_transcription_usage(raw: msgspec.Raw) -> Usage | None:
    """Usage of a transcription, by tokens or by time; None where it is not told."""
    told = _mapping(_loose(raw))
    if told.get("type") == "duration":
        seconds = told.get("seconds")
        if isinstance(seconds, int | float) and 0 <= seconds <= MAX_COUNT:
            return Usage({"milliseconds": round(seconds * 1000)})
        return None
    return read_usage(told)


def _cached(details: Mapping[str, object], kinds: Mapping[str, int]) -> dict[str, int]:
    """How much of each kind was read from the cache."""
    told = details.get("cached_tokens_details")
    if isinstance(told, Mapping):
        return {kind: min(_count(told.get(f"{kind}_tokens")) or 0, most) for kind, most in kinds.items()}
    left = _count(details.get("cached_tokens")) or 0
    found: dict[str, int] = {}
    for kind in ("text", "audio", "image"):
        found[kind] = min(left, kinds[kind])
        left -= found[kind]
    return found


def _transcription(where: Mapping[str, object], name: str, usual: str | None = None) -> str | None:
    """The model that a transcription is made by; "" where there is to be none, `usual` where nothing is said."""
    if name not in where:
        return usual
    model = _mapping(where[name]).get("model")
    return model if isinstance(model, str) else ""


def _speaks(told: Mapping[str, object], *, usual: bool) -> bool:
    """Whether answers may be spoken; `usual`: where nothing is said of it."""
    for name in ("output_modalities", "modalities"):
        if name in told:
            named = told[name]
            return not isinstance(named, list) or "audio" in named
    return usual


def _rate(told: object) -> int:
    kind = told.get("type") if isinstance(told, Mapping) else told
    return G711 if isinstance(kind, str) and ("g711" in kind or kind in {"audio/pcmu", "audio/pcma"}) else PCM


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def _loose(raw: msgspec.Raw) -> object:
    try:
        found: object = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found
