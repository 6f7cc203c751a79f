"""Reads and checks a whole OpenAI chat call: what is asked of which model, and how it is to be answered."""

from dataclasses import dataclass

import msgspec

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.prompt import Prompt
from unigate.sandbox.forms import checks, openai_messages, openai_tools
from unigate.sandbox.forms.attached import Library
from unigate.sandbox.forms.models import Model
from unigate.sandbox.serving.answer import Object, VendorError

#: Fields that do not change what is said.
_MUTE = frozenset({"stream", "stream_options", "user", "metadata", "store", "n", "safety_identifier", "service_tier"})
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_TIERS = {
    "auto": "default",
    "default": "default",
    "flex": "flex",
    "scale": "default",
    "priority": "priority",
    "fast": "priority",
}
_SOUNDS = ("wav", "aac", "mp3", "flac", "opus", "pcm16")
_deterministic = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that was found good."""

    model: Model
    prompt: Prompt
    #: The body as it came, for what only some vendors read.
    body: Object
    count: int = 1
    stream: bool = False
    include_usage: bool = False
    obfuscate: bool = True
    limit: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    effort: str = "medium"
    tier: str = "default"
    #: Format of spoken answers; None: written ones.
    speak: str | None = None
    search: bool = False
    #: The former form: `functions` in place of `tools`.
    functions: bool = False


def seed(body: Object, *more: str) -> int:
    """A number made of all that changes what is said; `more` names members that do not."""
    return seeds.seed(_deterministic.encode({k: v for k, v in body.items() if k not in _MUTE and k not in more}))


def decode(body: bytes) -> Object:
    """The body as an object."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly.)"
        raise VendorError(400, told) from None
    if not isinstance(value, dict):
        raise VendorError(400, "The JSON body of your request must be an object.")
    return value


def read(body: Object, model: Model, library: Library) -> Asked:
    """What is asked; VendorError as the vendor would refuse it."""
    turns = openai_messages.read(body.get("messages"), model, library)
    stream, include_usage, obfuscate = streaming(body)
    numbers(body)
    tools = openai_tools.read_tools(body)
    logprobs, top = _logprobs(body)
    if model.reasoning:
        _refuse_for_reasoning(body)
    speak = _speaking(body, model, stream=stream)
    if model.hears and speak is None and not any(turn.sounds for turn in turns) and model.owner == "openai":
        told = "This model requires that either input content or output modality contain audio."
        raise checks.refuse(told, "model", "invalid_value")
    prompt = Prompt(
        turns=turns,
        tools=tools,
        choosing=openai_tools.read_choosing(body, tools),
        schema=openai_tools.read_format(body, turns),
        prediction=_prediction(body),
        seed=seed(body),
    )
    tier = body.get("service_tier")
    return Asked(
        model=model,
        prompt=prompt,
        body=body,
        count=checks.integer(body, "n", 1, 128) or 1,
        stream=stream,
        include_usage=include_usage,
        obfuscate=obfuscate,
        limit=_limit(body, model),
        stop=stop(body),
        logprobs=logprobs,
        top_logprobs=top,
        effort=checks.one_of(checks.given(body, "reasoning_effort", "medium"), "reasoning_effort", _EFFORTS),
        tier=_TIERS[checks.one_of(tier or "auto", "service_tier", _TIERS)],
        speak=speak,
        search=model.searches or body.get("web_search_options") is not None,
        functions=body.get("tools") is None and "functions" in body,
    )


def streaming(body: Object) -> tuple[bool, bool, bool]:
    """Whether a call streams, with usage at the end, with padding."""
    stream = bool(checks.flag(body, "stream"))
    options = body.get("stream_options")
    if options is None:
        return stream, False, True
    if not stream:
        raise checks.refuse(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
        )
    options = checks.mapping(options, "stream_options")
    return stream, bool(checks.flag(options, "include_usage")), checks.flag(options, "include_obfuscation") is not False


def numbers(body: Object) -> None:
    """Check what is accepted without effect."""
    checks.number(body, "temperature", 0, 2)
    checks.number(body, "top_p", 0, 1)
    checks.number(body, "frequency_penalty", -2, 2)
    checks.number(body, "presence_penalty", -2, 2)
    checks.integer(body, "seed", -(2**63), 2**63 - 1)
    checks.flag(body, "store")
    checks.text(body, "user", "user")
    if body.get("metadata") is not None:
        for name, value in checks.mapping(body["metadata"], "metadata").items():
            if not isinstance(value, str):
                raise checks.wrong_type(f"metadata.{name}", "a string", value)
    if body.get("logit_bias") is not None:
        checks.mapping(body["logit_bias"], "logit_bias")


def _logprobs(body: Object) -> tuple[bool, int]:
    wanted = bool(checks.flag(body, "logprobs"))
    top = checks.integer(body, "top_logprobs", 0, 20)
    if top is not None and not wanted:
        raise checks.refuse("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs")
    return wanted, top or 0


def _refuse_for_reasoning(body: Object) -> None:
    """Refuse what models that think do not take."""
    if body.get("max_tokens") is not None:
        told = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise checks.refuse(told, "max_tokens", "unsupported_parameter")
    if body.get("reasoning_effort") == "none":
        return  # a model that does not think this time takes what others take
    for name, only in (("temperature", 1), ("top_p", 1), ("presence_penalty", 0), ("frequency_penalty", 0)):
        value = body.get(name)
        if value is not None and value != only:
            told = f"Unsupported value: '{name}' does not support {value} with this model. Only the default ({only}) value is supported."
            raise checks.refuse(told, name, "unsupported_value")
    for name in ("stop", "logit_bias", "logprobs", "prediction"):
        if body.get(name):
            raise checks.refuse(
                f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter"
            )


def _limit(body: Object, model: Model) -> int | None:
    old = checks.integer(body, "max_tokens", 1, None)
    new = checks.integer(body, "max_completion_tokens", 1, None)
    if old is not None and new is not None:
        told = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise checks.refuse(told, "max_tokens", "invalid_parameter_combination")
    limit = old if new is None else new
    if limit is not None and limit > model.output:
        name = "max_tokens" if new is None else "max_completion_tokens"
        told = f"{name} is too large: {limit}. This model supports at most {model.output} completion tokens, whereas you provided {limit}."
        raise checks.refuse(told, name, "invalid_value")
    return limit


def stop(body: Object) -> tuple[str, ...]:
    """Texts that end an answer."""
    value = body.get("stop")
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else ()
    listed = checks.listed(value, "stop", "strings", most=4)
    for number, text in enumerate(listed):
        if not isinstance(text, str):
            raise checks.wrong_type(f"stop[{number}]", "a string", text)
    return tuple(text for text in listed if text)


def _speaking(body: Object, model: Model, *, stream: bool) -> str | None:
    modalities = body.get("modalities")
    if modalities is None:
        return None
    listed = checks.listed(modalities, "modalities", "strings", least=1)
    for number, name in enumerate(listed):
        checks.one_of(name, f"modalities[{number}]", ("text", "audio"))
    if "audio" not in listed:
        return None
    if not model.hears:
        told = f"This model does not support the requested modalities: '{model.name}'."
        raise checks.refuse(told, "modalities", "unsupported_value")
    if body.get("audio") is None:
        raise checks.missing("audio")
    audio = checks.mapping(body["audio"], "audio")
    if "voice" not in audio:
        raise checks.missing("audio.voice")
    kind = checks.one_of(audio.get("format"), "audio.format", _SOUNDS)
    allowed = ("pcm16",) if stream else ("wav", "pcm16")
    if kind not in allowed:
        when = "when stream=true" if stream else "in this sandbox"
        told = f"Unsupported value: 'audio.format' does not support '{kind}' {when}. Supported values are: {', '.join(allowed)}."
        raise checks.refuse(told, "audio.format", "unsupported_value")
    return kind


def _prediction(body: Object) -> str | None:
    value = body.get("prediction")
    if value is None:
        return None
    prediction = checks.mapping(value, "prediction")
    checks.one_of(prediction.get("type"), "prediction.type", ("content",))
    content = prediction.get("content")
    if isinstance(content, str):
        return content
    parts = checks.listed(content, "prediction.content", least=1)
    return "".join(
        checks.text(checks.mapping(part, "prediction.content"), "text", "prediction.content", required=True)
        for part in parts
    )
