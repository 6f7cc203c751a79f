"""Azure OpenAI: deployments in the path, the API's version in the query, the key in a header of its own.

https://learn.microsoft.com/azure/ai-foundry/openai/reference; the base URL is https://RESOURCE.openai.azure.com, the
upstream name of a model is the deployment's.
"""

from unigate.spec.provider import Credential, Headers, Options, Provider


def _api_key(credential: Credential, options: Options) -> Headers:  # noqa: ARG001  (the shape of an Auth)
    return ((b"api-key", credential.secret.encode()),)


PROVIDER = Provider(
    name="azure_openai",
    title="Azure OpenAI",
    base_url=None,
    speaks=("openai_chat",),
    auth=_api_key,
    paths={"openai.chat": "/openai/deployments/{model}/chat/completions"},
    query="api-version={api_version}",
    needs=("api_version",),
)
