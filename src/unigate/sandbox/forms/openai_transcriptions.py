"""Transcripts and translations of speech in OpenAI's form: reads the form, checks it, listens, and writes down what it heard.

https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from unigate.sandbox.forms import checks, openai_named, transcripts
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model
from unigate.sandbox.media import listen
from unigate.sandbox.media.listen import Heard
from unigate.sandbox.serving import multipart
from unigate.sandbox.serving.answer import Answer, Event, Object, Stream, VendorError, Whole
from unigate.sandbox.serving.face import Call, Handler
from unigate.sandbox.serving.multipart import Part

#: Bytes of a file at most.
LARGEST = 26_214_400
SHORTEST_MS = 100
#: Sound of this length must be cut into chunks where speakers are asked for.
_UNCUT_MS = 30_000
_FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_KINDS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_KNOWN = frozenset(
    {
        "file",
        "model",
        "language",
        "languages",
        "keywords",
        "prompt",
        "response_format",
        "temperature",
        "include",
        "timestamp_granularities",
        "stream",
        "chunking_strategy",
        "known_speaker_names",
        "known_speaker_references",
    }
)
_TRANSLATED = frozenset({"file", "model", "prompt", "response_format", "temperature"})
#: Models that count seconds, and tell no probabilities.
_TIMED = ("whisper", "gpt-transcribe")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_NAMES = {
    "": "english",
    "en": "english",
    "zh": "chinese",
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "ja": "japanese",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """How a vendor's transcripts differ."""

    #: Formats of a model, by its name.
    formats: Callable[[str], tuple[str, ...]]
    #: What follows `usage`, and whether a model streams.
    usage: Callable[[Model, Heard, str], Object | None]
    streams: Callable[[str], bool]
    #: What the JSON of an answer becomes; how a transcript streams.
    whole: Callable[[Object, Model, Heard], Object] = lambda answer, _model, _heard: answer
    events: Callable[[Model, Heard, Object], Iterator[Event]] | None = None
    largest: int = LARGEST


def _formats(name: str) -> tuple[str, ...]:
    if "diarize" in name:
        return ("json", "text", "diarized_json")
    if name.startswith("gpt-"):
        return ("json",)
    return ("json", "text", "srt", "verbose_json", "vtt") if name.startswith("whisper") else _FORMATS


def _usage(model: Model, heard: Heard, prompt: str) -> Object:
    if model.name.startswith(_TIMED):
        return transcripts.duration(heard)
    return transcripts.token_usage(heard, prompt)


OPENAI = Hearing(formats=_formats, usage=_usage, streams=lambda name: not name.startswith("whisper"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A form that was found in order."""

    model: Model
    file: Part
    format: str
    prompt: str
    language: str
    sure: bool
    granularities: tuple[str, ...]
    stream: bool
    names: tuple[str, ...]
    chunked: bool


def transcriptions(manner: Manner, own: Hearing = OPENAI) -> Handler:
    """POST /audio/transcriptions."""

    async def handle(call: Call) -> Answer:
        """Write down what is said."""
        asked = _read(call, manner, own, _KNOWN)
        heard = await _heard(call, asked)
        if "diarize" in asked.model.name and heard.length_ms > _UNCUT_MS and not asked.chunked:
            raise checks.refuse("chunking_strategy is required for diarization models", "chunking_strategy")
        return _answer(call, asked, heard, own, "transcribe")

    return handle


def translations(manner: Manner, own: Hearing = OPENAI) -> Handler:
    """POST /audio/translations."""

    async def handle(call: Call) -> Answer:
        """Write down in English what is said."""
        asked = _read(call, manner, own, _TRANSLATED)
        if not (asked.model.name.startswith(("whisper", "openai/whisper")) or asked.model.owner == "sandbox"):
            told = f"Invalid value for 'model' = {asked.model.name}. Translations are made by whisper models only."
            raise checks.refuse(told, "model", "invalid_value")
        heard = await _heard(call, asked)
        return _answer(call, asked, listen.in_english(heard), own, "translate")

    return handle


def _answer(call: Call, asked: _Asked, heard: Heard, own: Hearing, task: str) -> Answer:
    """The transcript as it was asked for."""
    if "empty" in call.fault:
        heard = replace(heard, text="", words=())
    model = asked.model
    usage = own.usage(model, heard, asked.prompt)
    counted = _counted(heard, usage)
    call.world.accounts.charge(call.credential, counted.get("input", 0), counted.get("output", 0))
    if asked.stream:
        names = asked.names if asked.format == "diarized_json" else None
        if own.events is not None:
            told = own.events(model, heard, usage or {})
        else:
            told = transcripts.events(heard, usage or {}, sure=asked.sure, names=names)
        return Stream(events=told, usage=counted, model=model.name, pace=model.pace)
    language = "english" if task == "translate" else _NAMES.get(asked.language, asked.language)
    texts = {"text": heard.text + "\n", "srt": transcripts.srt(heard), "vtt": transcripts.vtt(heard)}
    if asked.format in texts:
        kind = "text/vtt" if asked.format == "vtt" else "text/plain"
        payload: object = texts[asked.format].encode() if heard.text else b"\n"
        return Whole(payload=payload, media_type=f"{kind}; charset=utf-8", usage=counted, model=model.name)
    if asked.format == "verbose_json":
        body = transcripts.verbose(heard, language, task, asked.granularities)
        del body["usage"]
    elif asked.format == "diarized_json":
        body = transcripts.diarized(heard, asked.names)
    else:
        body = {"text": heard.text}
        if asked.sure:
            body["logprobs"] = transcripts.logprobs(heard.text)
    if usage is not None:
        body["usage"] = usage
    return Whole(payload=own.whole(body, model, heard), usage=counted, model=model.name)


def _counted(heard: Heard, usage: Object | None) -> dict[str, int]:
    if usage is None or usage.get("type") == "duration":
        return {"milliseconds": heard.length_ms}
    if "prompt_tokens" in usage:
        return {"input": usage["prompt_tokens"], "output": usage["completion_tokens"], "milliseconds": heard.length_ms}
    return {"input": usage["input_tokens"], "output": usage["output_tokens"], "milliseconds": heard.length_ms}


async def _heard(call: Call, asked: _Asked) -> Heard:
    """Listen to the file, in a thread."""
    try:
        heard = await asyncio.get_running_loop().run_in_executor(
            call.world.studio, listen.listen, asked.file.data, asked.language
        )
    except ValueError:
        told = "The audio file could not be decoded or its format is not supported."
        raise checks.refuse(told, "file") from None
    if heard.length_ms < SHORTEST_MS:
        told = f"Audio file is too short. Minimum audio length is {SHORTEST_MS / 1000} seconds."
        raise checks.refuse(told, "file", "audio_too_short")
    return heard


def _read(call: Call, manner: Manner, own: Hearing, known: frozenset[str]) -> _Asked:
    """The form; refuses what the vendor refuses."""
    try:
        parts = multipart.read(call.body, call.headers.get("content-type", ""))
    except ValueError as error:
        raise VendorError(400, f"Could not parse multipart form: {error}.") from None
    texts: dict[str, list[str]] = {}
    file = None
    for part in parts:
        name = part.name.removesuffix("[]")
        if name not in known:
            raise checks.refuse(f"Unknown parameter: '{part.name}'.", part.name, "unknown_parameter")
        if name == "file":
            file = part
        else:
            texts.setdefault(name, []).append(part.data.decode("utf-8", "replace"))
    first = {name: values[0] for name, values in texts.items()}
    model = openai_named.model(manner, call, dict(first), "hearing")
    if file is None:
        raise checks.missing("file")
    _check_file(file, own)
    format_ = checks.one_of(first.get("response_format", "json"), "response_format", _FORMATS)
    if format_ not in own.formats(model.name):
        allowed = " or ".join(f"'{one}'" for one in own.formats(model.name))
        told = f"response_format '{format_}' is not compatible with model '{model.name}'. Use {allowed} instead."
        raise checks.refuse(told, "response_format", "unsupported_value")
    _check_numbers(first)
    granularities = tuple(texts.get("timestamp_granularities", ()))
    for one in granularities:
        checks.one_of(one, "timestamp_granularities", ("word", "segment"))
    if granularities and format_ != "verbose_json":
        told = "timestamp_granularities is only supported with response_format 'verbose_json'."
        raise checks.refuse(told, "timestamp_granularities", "unsupported_value")
    if "diarize" in model.name and first.get("prompt"):
        raise checks.refuse("prompt is not supported for diarization models", "prompt", "unsupported_value")
    stream = first.get("stream", "false").lower() in ("true", "1")
    return _Asked(
        model=model,
        file=file,
        format=format_,
        prompt=first.get("prompt", ""),
        language=first.get("language", ""),
        sure=_sure(texts, model, format_),
        granularities=granularities,
        stream=stream and own.streams(model.name),
        names=tuple(texts.get("known_speaker_names", ())),
        chunked="chunking_strategy" in first,
    )


def _check_file(file: Part, own: Hearing) -> None:
    size = len(file.data)
    if size > own.largest:
        told = f"Maximum content size limit ({own.largest}) exceeded ({size} bytes read)"
        raise VendorError(413, told, kind="server_error")
    ending = file.filename.rpartition(".")[2].lower()
    if not size or (ending not in _KINDS and not file.media_type.startswith(("audio/", "video/"))):
        raise checks.refuse(f"Invalid file format. Supported formats: {list(_KINDS)}", "file")


def _check_numbers(first: Mapping[str, str]) -> None:
    if "temperature" in first:
        try:
            value = float(first["temperature"])
        except ValueError:
            raise checks.wrong_type("temperature", "a decimal", first["temperature"]) from None
        checks.number({"temperature": value}, "temperature", 0, 1)
    language = first.get("language")
    if language is not None and not _LANGUAGE.fullmatch(language):
        told = f"Invalid language '{language}'. Language parameter must be specified in ISO-639-1 format."
        raise checks.refuse(told, "language", "invalid_language_format")


def _sure(texts: Mapping[str, list[str]], model: Model, format_: str) -> bool:
    """Whether the tokens' probabilities are asked for, which few models tell."""
    asked = texts.get("include", [])
    for one in asked:
        checks.one_of(one, "include", ("logprobs",))
    if asked and (format_ != "json" or "diarize" in model.name or model.name.startswith(_TIMED)):
        told = f"include 'logprobs' is not supported with model '{model.name}' and response_format '{format_}'."
        raise checks.refuse(told, "include", "unsupported_value")
    return bool(asked)
