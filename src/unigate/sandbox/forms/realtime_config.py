"""The configuration of a realtime session: kept in one form, shown and changed in today's form or the beta's.

https://platform.openai.com/docs/api-reference/realtime-client-events/session/update
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from unigate.base.clock import now_ms
from unigate.sandbox.forms import checks, openai_tools
from unigate.sandbox.forms.realtime_sound import BETA, RATES
from unigate.sandbox.serving.answer import Object

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
WRITERS = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-latest",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
    "gpt-realtime-whisper",
    "gpt-transcribe",
)
_INSTRUCTIONS = "You are a helpful, witty, and friendly AI."
_VAD: Object = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_MOST_OUTPUT = 4096
#: Field of the beta -> where it is kept.
_BETA: Mapping[str, tuple[str, ...]] = {
    "modalities": ("output_modalities",),
    "instructions": ("instructions",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "input_audio_format": ("audio", "input", "format"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "max_response_output_tokens": ("max_output_tokens",),
    "tracing": ("tracing",),
    "prompt": ("prompt",),
    "include": ("include",),
    "temperature": ("temperature",),
}


class Config:
    """The configuration of one session."""

    def __init__(self, session_id: str, model: str, *, beta: bool, writes: bool) -> None:
        """`writes`: it only writes down what is said."""
        self.id = session_id
        self.beta = beta
        self.writes = writes
        self.model = model
        self._until = now_ms() // 1000 + 3600
        self.kept: Object = {
            "output_modalities": ["audio"],
            "instructions": _INSTRUCTIONS,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "prompt": None,
            "truncation": "auto",
            "audio": {
                "input": {
                    "format": _format("audio/pcm"),
                    "transcription": None,
                    "noise_reduction": None,
                    "turn_detection": deepcopy(_VAD),
                },
                "output": {"format": _format("audio/pcm"), "voice": "alloy", "speed": 1.0},
            },
            "include": None,
        }

    @property
    def heard(self) -> Object:
        """What holds for the caller's sound."""
        found: Object = self.kept["audio"]["input"]
        return found

    @property
    def input_format(self) -> str:
        """The format of the caller's sound."""
        return str(self.heard["format"]["type"])

    @property
    def writer(self) -> str:
        """The model that writes down what the caller says; "": none."""
        told = self.heard["transcription"]
        return str(told["model"]) if told else ""

    def shown(self) -> Object:
        """The session as an event shows it."""
        if self.writes:
            kind = "transcription" if not self.beta else None
            base: Object = {"object": "realtime.transcription_session", "id": self.id, "expires_at": self._until}
            if kind:
                return {**base, "type": kind, "audio": {"input": self.heard}, "include": self.kept["include"]}
            return {
                **base,
                **{name: self._beta(name) for name in _BETA if name.startswith("input_") or name == "turn_detection"},
            }
        base = {"object": "realtime.session", "id": self.id, "model": self.model, "expires_at": self._until}
        if self.beta:
            return {**base, **{name: self._beta(name) for name in _BETA}}
        return {"type": "realtime", **base, **self.kept}

    def _beta(self, name: str) -> object:
        found: Any = self.kept
        for step in _BETA[name]:
            found = found.get(step) if isinstance(found, dict) else None
        if name.endswith("_format"):
            return next(beta for beta, kind in BETA.items() if kind == found["type"])
        if name == "modalities":
            return ["text", "audio"] if found == ["audio"] else found
        return found

    def update(self, told: object) -> None:
        """Change what is told; VendorError, with nothing changed, for what the vendor refuses."""
        session = checks.mapping(told, "session")
        changed = deepcopy(self.kept)
        if self.beta:
            for name, value in session.items():
                if name == "model":
                    continue
                if name not in _BETA:
                    raise checks.refuse(f"Unknown parameter: 'session.{name}'.", f"session.{name}", "unknown_parameter")
                _put(changed, _BETA[name], _from_beta(name, value))
        else:
            if "type" not in session:
                raise checks.refuse(
                    "Missing required parameter: 'session.type'.", "session.type", "missing_required_parameter"
                )
            checks.one_of(session["type"], "session.type", ("realtime", "transcription"))
            for name, value in session.items():
                if name in {"type", "model"}:
                    continue
                if name not in changed:
                    raise checks.refuse(f"Unknown parameter: 'session.{name}'.", f"session.{name}", "unknown_parameter")
                changed[name] = _merged(changed[name], value, f"session.{name}") if name == "audio" else value
        check(changed)
        self.kept = changed


def check(kept: Object) -> None:
    """VendorError for a configuration that the vendor refuses."""
    sound = checks.mapping(kept["audio"], "session.audio")
    for side in ("input", "output"):
        part = checks.mapping(sound[side], f"session.audio.{side}")
        told = checks.mapping(part["format"], f"session.audio.{side}.format")
        checks.one_of(told.get("type"), f"session.audio.{side}.format.type", tuple(RATES))
    voice = sound["output"]["voice"]
    if not isinstance(voice, dict):  # of one's own
        checks.one_of(voice, "session.audio.output.voice", VOICES)
    if (written := sound["input"]["transcription"]) is not None:
        model = checks.mapping(written, "session.audio.input.transcription").get("model")
        if model not in WRITERS and not str(model).startswith("sandbox-"):
            checks.one_of(model, "session.audio.input.transcription.model", WRITERS)
    if (turns := sound["input"]["turn_detection"]) is not None:
        told = checks.mapping(turns, "session.audio.input.turn_detection")
        where = "session.audio.input.turn_detection"
        checks.one_of(told.get("type"), f"{where}.type", ("server_vad", "semantic_vad"))
        checks.integer(told, "silence_duration_ms", 0, None, f"{where}.silence_duration_ms")
    check_output(kept, "session")


def check_output(kept: Object, where: str) -> None:
    """The same for what a single response may have otherwise, too."""
    if kept["output_modalities"] not in (["text"], ["audio"], ["text", "audio"], ["audio", "text"]):
        told = f"Invalid modalities: {kept['output_modalities']}. Supported combinations are: ['text'] and ['audio']."
        raise checks.refuse(told, f"{where}.output_modalities", "invalid_value")
    most = kept["max_output_tokens"]
    if most != "inf" and not (type(most) is int and 1 <= most <= _MOST_OUTPUT):
        told = f"Invalid '{where}.max_output_tokens': it is an integer between 1 and {_MOST_OUTPUT}, or 'inf'."
        raise checks.refuse(told, f"{where}.max_output_tokens", "invalid_value")
    for at, tool in enumerate(checks.listed(kept["tools"], f"{where}.tools", least=0, most=128)):
        if "name" in checks.mapping(tool, f"{where}.tools[{at}]"):
            openai_tools.function(tool, f"{where}.tools[{at}]")


def _merged(kept: Any, told: Any, where: str) -> Any:
    """A nested object with what is told put in."""
    if not isinstance(kept, dict) or not isinstance(told, dict):
        return told
    inner = where.rpartition(".")[2] in {"audio", "input", "output"}
    for name, value in told.items():
        if inner and name not in kept:
            raise checks.refuse(f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}", "unknown_parameter")
        if name == "turn_detection" and isinstance(value, dict):
            kept[name] = {**_VAD, **value}
        else:
            kept[name] = _merged(kept.get(name), value, f"{where}.{name}") if inner and name != "format" else value
    return kept


def _put(kept: Object, path: tuple[str, ...], value: object) -> None:
    for step in path[:-1]:
        kept = kept[step]
    kept[path[-1]] = value


def _from_beta(name: str, value: Any) -> object:
    if name.endswith("_format"):
        return _format(BETA[checks.one_of(value, f"session.{name}", tuple(BETA))])
    if name == "modalities" and isinstance(value, list):
        return ["audio"] if "audio" in value else value
    if name == "turn_detection" and isinstance(value, dict):
        return {**_VAD, **value}
    return value


def _format(kind: str) -> Object:
    return {"type": kind, "rate": 24000} if kind == "audio/pcm" else {"type": kind}
