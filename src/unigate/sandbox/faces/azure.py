"""Azure OpenAI: deployments in the path, `api-version` in the query, `api-key` as header, content filters in answers.

https://learn.microsoft.com/azure/ai-services/openai/reference
"""

from collections.abc import Iterator

from starlette.datastructures import Headers

from unigate.sandbox.forms import openai_chat, openai_errors, openai_images, openai_speech, openai_transcriptions
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.openai_models import MODELS
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Event, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Face, Route, bearer

_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
_PROMPT = [
    {"prompt_index": 0, "content_filter_results": {**_SAFE, "jailbreak": {"filtered": False, "detected": False}}}
]
#: What the platform itself says (code and message), before OpenAI's service is reached.
_PLATFORM = {
    401: (
        "401",
        (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
            "active subscription and use a correct regional API endpoint for your resource."
        ),
    ),
    403: ("403", "Access denied due to Virtual Network/Firewall rules."),
    404: ("404", "Resource not found"),
    408: ("Timeout", "The operation was timeout."),
    429: (
        "429",
        (
            "Requests to the ChatCompletions_Create Operation have exceeded call rate limit of your current pricing tier. "
            "Please retry after 1 second."
        ),
    ),
    500: ("InternalServerError", "The server had an error while processing your request."),
    503: ("ServiceUnavailable", "The service is temporarily unable to process your request. Please try again later."),
}


def _platform(status: int, code: str | None = None) -> VendorError:
    known, message = _PLATFORM[status]
    # The platform's own errors have no type; an empty one marks them for `_error`.
    retry_after = "1" if status in (429, 503) else None
    headers = openai_errors.limits(status)
    return VendorError(status, message, kind="", code=code or known, retry_after=retry_after, headers=headers)


def _failure(status: int, code: str | None) -> VendorError:
    if code == "content_filter":
        told = "The response was filtered due to the prompt triggering the content management policy."
        return VendorError(400, told, kind="content_filter", param="prompt", code=code)
    return _platform(status, code) if status in _PLATFORM else openai_errors.failure(status, code)


def _error(error: VendorError) -> Whole:
    """The platform's form, the content filter's form, or OpenAI's."""
    if not error.kind:
        return Whole(payload={"error": {"code": error.code, "message": error.message}}, status=error.status)
    payload = openai_errors.body(error)
    if error.kind == "content_filter":
        found = {**_SAFE, "hate": {"filtered": True, "severity": "high"}}
        inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": found}
        payload["error"] = {**openai_errors.fields(error), "type": None, "status": 400, "innererror": inner}
    return Whole(payload=payload, status=error.status)


def _deployment(call: Call) -> str | None:
    """The model of a call: its deployment's name, which is the model's in the sandbox."""
    if "model" not in call.params:
        return None
    if not call.query.get("api-version"):
        raise _platform(404)
    return call.params["model"]


def _no_model(_name: str) -> VendorError:
    told = (
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again."
    )
    return VendorError(404, told, kind="", code="DeploymentNotFound")


def _whole(answer: Object, _outcome: Outcome) -> Object:
    """The answer with what the content filters found."""
    for choice in answer["choices"]:
        choice["content_filter_results"] = {} if choice["message"].get("tool_calls") else _SAFE
    return {**answer, "prompt_filter_results": _PROMPT}


def _events(events: Iterator[Event], _outcome: Outcome) -> Iterator[Event]:
    """First an event with the filters of the prompt and no choice; filters in each choice after it."""
    nothing = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": _PROMPT}
    yield Event(nothing, "opening")
    for event in events:
        if isinstance(event.data, dict):
            for choice in event.data["choices"]:
                said = event.part == "content" and choice["delta"].get("content")
                choice["content_filter_results"] = _SAFE if said else {}
        yield event


def _headers(number: int, _model: str) -> tuple[tuple[str, str], ...]:
    return (
        ("apim-request-id", f"00000000-0000-4000-8000-{number:012d}"),
        ("x-ms-region", "Sandbox"),
        ("x-ratelimit-remaining-requests", str(999 - number % 1000)),
    )


def _no_route(_method: str, _path: str) -> VendorError:
    return _platform(404)


def _credential(headers: Headers) -> str | None:
    return headers.get("api-key") or bearer(headers)


_MANNER = Manner(
    models=MODELS, no_model=_no_model, whole=_whole, events=_events, model=_deployment, tiers=False, obfuscates=False
)

FACE = Face(
    name="azure",
    title="Azure OpenAI",
    routes=(
        Route("POST", "/openai/deployments/{model}/chat/completions", openai_chat.chat(_MANNER)),
        Route("POST", "/openai/v1/chat/completions", openai_chat.chat(_MANNER)),
        Route("POST", "/openai/deployments/{model}/audio/speech", openai_speech.speech(_MANNER)),
        Route(
            "POST", "/openai/deployments/{model}/audio/transcriptions", openai_transcriptions.transcriptions(_MANNER)
        ),
        Route("POST", "/openai/deployments/{model}/audio/translations", openai_transcriptions.translations(_MANNER)),
        *openai_images.routes(_MANNER, "/openai/deployments/{model}"),
        Route("GET", "/openai/models", openai_chat.list_models(_MANNER)),
        Route("GET", "/openai/v1/models", openai_chat.list_models(_MANNER)),
    ),
    credential=_credential,
    refuse_key=lambda _credential: _platform(401),
    failure=_failure,
    error=_error,
    stream_error=lambda error: Event(_error(error).payload, "end"),  # type: ignore[arg-type]
    no_route=_no_route,
    wrong_method=_no_route,
    headers=_headers,
)
