"""Azure OpenAI: deployments in the path, the API's version in the query, the key in a header of its own.

https://learn.microsoft.com/azure/ai-foundry/openai/reference; the base URL is https://RESOURCE.openai.azure.com, the
upstream name of a model is the deployment's. What came later than deployments in the path is below `/openai/v1`, without
a version. The list of models is of what the resource could deploy, not of what it has deployed.
"""

from unigate.dialects import openai_pictures
from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_fields import without_stream
from unigate.spec.provider import Credential, Headers, Options, Provider


def _api_key(credential: Credential, options: Options) -> Headers:  # noqa: ARG001  (the shape of an Auth)
    return ((b"api-key", credential.secret.encode()),)


PROVIDER = Provider(
    name="azure_openai",
    title="Azure OpenAI",
    base_url=None,
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
        "openai_images",
        "openai_realtime",
        "openai_responses",
        "openai_speech",
        "openai_transcriptions",
        "openai_translations",
        "openai_vector_stores",
    ),
    adjust_form=without_stream("whisper"),
    refuses=openai_pictures.REFUSES,
    translations=embeds(Embedder()),
    file_purposes={"user_data": "assistants", "vision": "assistants"},
    auth=_api_key,
    paths={
        "openai.chat": "/openai/deployments/{model}/chat/completions?api-version={api_version}",
        "openai.completions": "/openai/deployments/{model}/completions?api-version={api_version}",
        "openai.images.generations": "/openai/deployments/{model}/images/generations?api-version={api_version}",
        "openai.images.edits": "/openai/deployments/{model}/images/edits?api-version={api_version}",
        **dict.fromkeys(
            ("openai.embeddings", *PATHS), "/openai/deployments/{model}/embeddings?api-version={api_version}"
        ),
        "openai.speech": "/openai/deployments/{model}/audio/speech?api-version={api_version}",
        "openai.transcriptions": "/openai/deployments/{model}/audio/transcriptions?api-version={api_version}",
        "openai.translations": "/openai/deployments/{model}/audio/translations?api-version={api_version}",
    },
    prefix="/openai/v1",
    models_path="/openai/v1/models",
    needs=("api_version",),
)
