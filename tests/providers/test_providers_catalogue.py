"""Providers are found by their files and by entry points, and each has recordings."""

import importlib
import pkgutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from unigate import dialects, providers
from unigate.spec.provider import Credential, Provider

MODULES = sorted(info.name for info in pkgutil.iter_modules(providers.__path__))
RECORDINGS = Path(__file__).parent / "recordings"
TASK_CASES = Path(__file__).parent / "cases" / "tasks"
TRANSLATED = Path(__file__).parent / "cases" / "translated"
CREDENTIAL = Credential("crd_1", "sk-upstream")
#: Dialects that vendors speak.
SPOKEN = (
    "cohere_embed",
    "cohere_rerank",
    "openai_chat",
    "openai_completions",
    "openai_containers",
    "openai_conversations",
    "openai_embeddings",
    "openai_evals",
    "openai_files",
    "openai_fine_tuning",
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
    "suno_things",
)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_exports_one_provider_and_has_recordings(name: str) -> None:
    module = importlib.import_module(f"unigate.providers.{name}")
    found = [value for value in vars(module).values() if isinstance(value, Provider)]
    assert found == [module.PROVIDER]
    assert module.PROVIDER.name == name
    assert module.PROVIDER.title
    folders = (
        (RECORDINGS / name).glob("*/case.json"),
        *((at / name).glob("*.json") for at in (TASK_CASES, TRANSLATED)),
    )
    assert any(map(any, folders))
    assert set(module.PROVIDER.speaks) <= set(SPOKEN)
    assert "openai_chat" in module.PROVIDER.speaks or module.PROVIDER.tasks or module.PROVIDER.translations
    named = {row.name for dialect in module.PROVIDER.speaks for row in dialects.writer(dialect).OPERATIONS}
    assert set(module.PROVIDER.translations) <= {row.name for row in dialects.operations()}
    assert set(module.PROVIDER.paths) <= named | set(module.PROVIDER.translations)
    assert all(url.startswith("https://") and not url.endswith("/") for url in module.PROVIDER.also_at)


def test_the_catalogue_has_all_of_them() -> None:
    assert list(providers.catalogue()) == MODULES
    assert len(MODULES) == 32


def test_two_of_one_name_are_refused() -> None:
    provider = providers.catalogue()["openai"]
    with pytest.raises(ValueError, match="two providers are called 'openai'"):
        providers.collect([provider, provider])


def test_packages_can_offer_providers() -> None:
    point = EntryPoint(name="x", value="unigate.providers.openai", group=providers.GROUP)
    direct = EntryPoint(name="y", value="unigate.providers.groq:PROVIDER", group=providers.GROUP)
    assert [provider.name for provider in providers.offered([point, direct])] == ["openai", "groq"]
    wrong = EntryPoint(name="z", value="unigate.providers:GROUP", group=providers.GROUP)
    with pytest.raises(ValueError, match="offers no provider"):
        list(providers.offered([wrong]))


def test_the_models_name_cannot_leave_its_place_in_the_path() -> None:
    azure = providers.catalogue()["azure_openai"]
    request = azure.request("/x", "openai.chat", "../a b?c#d\r\n", CREDENTIAL, {"api_version": "1"})
    assert request.target == "/openai/deployments/..%2Fa%20b%3Fc%23d%0D%0A/chat/completions?api-version=1"


def test_ids_and_options_in_a_path() -> None:
    azure = providers.catalogue()["azure_openai"]
    options = {"api_version": "1", "path_prefix": "/{zone}", "zone": "eu"}
    request = azure.request(
        "/responses/{id}", "x", "m", CREDENTIAL, options, method="DELETE", values={"id": "../resp_1?x"}
    )
    assert (request.method, request.target) == ("DELETE", "/eu/openai/v1/responses/..%2Fresp_1%3Fx")


def test_options_that_every_provider_understands() -> None:
    openai = providers.catalogue()["openai"]
    options = {"headers": {"X-Org": "7", "Authorization": "Basic x"}, "path_prefix": "/proxy"}
    request = openai.request("/chat/completions", "openai.chat", "m", CREDENTIAL, options)
    assert request.target == "/proxy/chat/completions"
    assert request.headers == ((b"x-org", b"7"), (b"authorization", b"Basic x"))
    keyed = openai.request("/chat/completions", "openai.chat", "m", CREDENTIAL, {"key_header": "X-Key"})
    assert keyed.headers == ((b"x-key", b"sk-upstream"),)
    assert "sk-upstream" not in repr(CREDENTIAL)
