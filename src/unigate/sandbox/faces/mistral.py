"""Mistral AI: refuses members that it does not know, tells usage with the end of each stream, has errors of its own.

Transcripts tell seconds beside tokens, and stream by events of other names. https://docs.mistral.ai/api
"""

from collections.abc import Iterator
from itertools import chain

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import openai_transcriptions, transcripts
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, counts, openai_face, usage_with_finish
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.media.listen import Heard
from unigate.sandbox.serving.answer import Event, Object, VendorError
from unigate.sandbox.serving.face import Route

_MODELS = Models(
    chain(
        (
            Model(name=name, owner="mistralai", output=32_768, sees=False)
            for name in ("mistral-large-latest", "mistral-medium-latest", "mistral-small-latest", "codestral-latest")
        ),
        (
            Model(name=name, kind="hearing", owner="mistralai", sees=False, hears=True)
            for name in ("voxtral-mini-latest", "voxtral-mini-2507")
        ),
    )
)
_STRANGE = (
    "max_completion_tokens",
    "stream_options",
    "seed",
    "user",
    "store",
    "service_tier",
    "logit_bias",
    "logprobs",
)
_WORDS = {
    400: Words(400, "invalid_request_invalid_args", "3051", "Invalid arguments in the request."),
    401: Words(401, "", None, "Unauthorized"),
    402: Words(402, "payment_required", "1400", "The account has no means of payment."),
    429: Words(429, "rate_limited", "1300", "Rate limit exceeded"),
    500: Words(500, "internal_server_error", "1000", "Service unavailable."),
    503: Words(503, "service_unavailable", "1000", "Service unavailable."),
}


def _check(body: Object) -> None:
    for name in _STRANGE:
        if name in body:
            raise VendorError(422, "Extra inputs are not permitted", param=name, code="extra_forbidden")
    if "random_seed" in body:
        body["seed"] = body.pop("random_seed")


def _usage(outcome: Outcome) -> Object:
    return {**counts(outcome), "num_cached_tokens": outcome.cached}


def _write(error: VendorError) -> Object:
    """A form for keys, one for members that are not known, one for the rest; none has an `error` around it."""
    if not error.kind:
        return {"detail": error.message}
    if error.code == "extra_forbidden":
        found = {"type": error.code, "loc": ["body", error.param], "msg": error.message, "input": None}
        return {"object": "error", "message": {"detail": [found]}, "type": error.kind, "param": None, "code": None}
    return {"object": "error", "message": error.message, "type": error.kind, "param": None, "code": error.code}


_MANNER = Manner(
    models=_MODELS,
    check=_check,
    no_model=lambda name: VendorError(400, f"Invalid model: {name}", kind="invalid_model", code="1500"),
    identity=lambda dice: seeds.hexadecimal(dice, 32),
    usage=_usage,
    events=usage_with_finish(_usage),
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(64, 16),
)


def _heard_usage(_model: Model, heard: Heard, prompt: str) -> Object:
    told = transcripts.token_usage(heard, prompt)
    given, made = told["input_tokens"], told["output_tokens"]
    counted = {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
    return {"prompt_audio_seconds": transcripts.duration(heard)["seconds"], **counted}


def _transcript(answer: Object, model: Model, _heard: Heard) -> Object:
    return {"model": model.name, "language": None, "segments": [], **answer}


def _heard_events(model: Model, heard: Heard, usage: Object) -> Iterator[Event]:
    yield Event({"type": "transcription.language", "audio_language": "en"}, name="transcription.language")
    for event in transcripts.events(heard, usage, sure=False, names=None):
        if isinstance(event.data, dict) and "delta" in event.data:
            told: Object = {"type": "transcription.text.delta", "text": event.data["delta"]}
            yield Event(told, tokens=1, name="transcription.text.delta")
    done = _transcript({"type": "transcription.done", "text": heard.text, "usage": usage}, model, heard)
    yield Event(done, "usage", name="transcription.done")


_HEARING = openai_transcriptions.Hearing(
    formats=lambda _name: ("json",),
    usage=_heard_usage,
    streams=lambda _name: True,
    whole=_transcript,
    events=_heard_events,
)

FACE = openai_face(
    "mistral",
    "Mistral AI",
    "/v1",
    _MANNER,
    words=_WORDS,
    write=_write,
    more=(Route("POST", "/v1/audio/transcriptions", openai_transcriptions.transcriptions(_MANNER, _HEARING)),),
)
