"""The lists of models that vendors have: how they are asked for, and how they are read."""

import pytest

from unigate.providers import catalogue
from unigate.spec.model_list import listed_models
from unigate.spec.provider import Credential, Provider

CREDENTIAL = Credential("c", "sk-1")


@pytest.mark.parametrize("name", [name for name, provider in catalogue().items() if provider.models_path])
def test_every_vendor_has_a_list(name: str) -> None:
    provider = catalogue()[name]
    request = provider.models_request(CREDENTIAL, {**dict.fromkeys(provider.needs, "1"), "path_prefix": "/p"})
    assert request.method == "GET"
    assert request.target == ("/p/openai/v1/models" if name == "azure_openai" else "/p/models")
    assert any(b"sk-1" in value for _, value in request.headers)
    assert provider.read_models(b'{"object":"list","data":[{"id":"b"},{"id":"a"}]}') == ("b", "a")


def test_a_vendor_without_a_list() -> None:
    mute = Provider(name="mute", title="Mute", base_url=None, speaks=("openai_chat",), models_path="")
    with pytest.raises(LookupError, match="Mute"):
        mute.models_request(CREDENTIAL, {})


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"data":[{"id":"gpt-4o","object":"model"},{"id":"gpt-4o"}]}', ("gpt-4o",)),
        (b'[{"id":"meta-llama/x","type":"chat"},{"id":"b"}]', ("meta-llama/x", "b")),
        (b'{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest"}]}', ("llama3.2:latest",)),
        (b'{"models":[{"name":"of.gguf"}],"object":"list","data":[{"id":"better"}]}', ("better",)),
        (b'{"models":["one","two"]}', ("one", "two")),
        (b'{"data":[{"id":7},{"name":"by-name"},null,{"id":""},{}]}', ("by-name",)),
        (b'{"data":[]}', ()),
    ],
)
def test_forms_of_lists(body: bytes, names: tuple[str, ...]) -> None:
    assert listed_models(body) == names


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"7", b"null", b'{"data":null}', b'{"error":{"message":"no"}}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_list(body: bytes) -> None:
    with pytest.raises(ValueError, match="list of models"):
        listed_models(body)
