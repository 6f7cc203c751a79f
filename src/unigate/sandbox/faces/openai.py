"""OpenAI: the vendor whose dialect many speak.

https://platform.openai.com/docs/api-reference/chat
"""

from dataclasses import replace

from unigate.sandbox.forms import (
    openai_billing,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_errors,
    openai_images,
    openai_moderations,
    openai_responses,
    openai_speech,
    openai_transcriptions,
    platform_batches,
    platform_containers,
    platform_conversations,
    platform_evals,
    platform_files,
    platform_tuning,
    platform_uploads,
    platform_vector_files,
    platform_vector_stores,
    realtime,
    realtime_secrets,
)
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.openai_models import MODELS
from unigate.sandbox.serving.face import Face, Route, bearer

_MANNER = Manner(models=MODELS, indent=2)


def _headers(number: int, _model: str) -> tuple[tuple[str, str], ...]:
    """Headers of each answer; the rate limits count down and start anew."""
    return (
        ("openai-organization", "org-sandbox"),
        ("openai-version", "2020-10-01"),
        ("openai-processing-ms", "12"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", str(9999 - number % 10000)),
        ("x-ratelimit-reset-requests", "6ms"),
    )


_FACE = Face(
    name="openai",
    title="OpenAI",
    base="/v1",
    routes=(
        Route("POST", "/v1/chat/completions", openai_chat.chat(_MANNER)),
        Route("POST", "/v1/completions", openai_completions.completions(_MANNER)),
        Route("POST", "/v1/embeddings", openai_embeddings.embeddings(_MANNER)),
        Route("POST", "/v1/moderations", openai_moderations.moderations(_MANNER)),
        Route("GET", "/v1/models", openai_chat.list_models(_MANNER)),
        Route("GET", "/v1/models/{model:path}", openai_chat.get_model(_MANNER)),
        Route("POST", "/v1/audio/speech", openai_speech.speech(_MANNER)),
        Route("POST", "/v1/audio/transcriptions", openai_transcriptions.transcriptions(_MANNER)),
        Route("POST", "/v1/audio/translations", openai_transcriptions.translations(_MANNER)),
        *openai_images.routes(_MANNER),
        *openai_responses.routes(_MANNER),
        *realtime_secrets.routes(_MANNER),
        *platform_files.routes(),
        *platform_uploads.routes(),
        *platform_conversations.routes(),
        *platform_containers.routes(),
        *platform_tuning.routes(MODELS),
        *platform_vector_stores.routes(),
        *platform_vector_files.routes(),
        *openai_billing.ROUTES,
    ),
    talks=(("/v1/realtime", realtime.talk(_MANNER)),),
    credential=bearer,
    refuse_key=openai_errors.refuse_key,
    failure=openai_errors.failure,
    error=openai_errors.whole,
    stream_error=openai_errors.in_stream,
    no_route=openai_errors.no_route,
    wrong_method=openai_errors.wrong_method,
    headers=_headers,
    at_root=True,
)
#: With what calls the other operations.
FACE = replace(
    _FACE,
    routes=(*_FACE.routes, *platform_batches.routes(_FACE, MODELS), *platform_evals.routes(_FACE, MODELS)),
)
