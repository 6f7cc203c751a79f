"""OpenAI itself.

https://platform.openai.com/docs/api-reference
"""

from unigate.dialects import openai_background, openai_pictures
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.dialects.vendor_fields import without_stream
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    speaks=(
        "openai_chat",
        "openai_completions",
        "openai_containers",
        "openai_conversations",
        "openai_embeddings",
        "openai_evals",
        "openai_fine_tuning",
        "openai_files",
        "openai_image_edits",
        "openai_image_variations",
        "openai_images",
        "openai_moderations",
        "openai_realtime",
        "openai_responses",
        "openai_speech",
        "openai_transcriptions",
        "openai_translations",
        "openai_vector_stores",
    ),
    adjust_form=without_stream("whisper"),
    refuses=openai_pictures.REFUSES,
    tasks={openai_background.OPERATION: openai_background.API},
    # A 403 is our credential's trouble, but not these: any caller could have it parked by naming a model.
    adjust_error=meanings(
        Meaning(status=403, means=404, codes={"model_not_found"}),
        Meaning(status=403, means=400, says="not allowed to"),
    ),
)
