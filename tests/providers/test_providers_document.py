"""The example of docs/providers.md is a provider that works."""

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from unigate import providers
from unigate.dialects import openai_chat as chat
from unigate.dialects import private_usage
from unigate.spec.provider import Credential, Provider

DOCUMENT = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The document's first Python block, found the way a package's provider is."""
    source = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)[0]
    module = ModuleType("harbour_unigate")
    exec(compile(source, "docs/providers.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "harbour_unigate", module)
    (value,) = re.findall(r'^harbour = "(.*)"$', DOCUMENT, re.MULTILINE)
    (found,) = providers.offered([EntryPoint(name="harbour", value=value, group=providers.GROUP)])
    return found


def test_the_example_works(example: Provider) -> None:
    assert "harbour" in providers.collect([*providers.catalogue().values(), example])
    options = {"region": "north"}
    assert set(example.needs) <= set(options)
    request = example.request("/chat/completions", "openai.chat", "tide-2", Credential("c", "sk-harbour"), options)
    assert request.target == "/llm/north/chat"
    assert request.headers == ((b"harbour-key", b"sk-harbour"),)
    sent = b'{"model":"tide-2", "logit_bias":{"5":1}, "seed":3, "max_completion_tokens": 9}'
    body, ignored = example.adjust_request(sent, options)
    assert body == b'{"model":"tide-2", "seed":3, "max_tokens": 9}'
    assert ignored == ("logit_bias",)
    assert example.adjust_request(b'{"model":"x"}', options) == (b'{"model":"x"}', ())
    counts = b'"prompt_tokens":9,"completion_tokens":1,"from_cache":4'
    reply = b'{"choices":[{"message":{"content":"ebb"}}],"usage":{"charged":"0.1",%b}}' % counts
    seen = chat.read_answer(reply, example)
    assert seen.usage is not None
    assert seen.usage.units == {"input": 5, "cached_input": 4, "output": 1}
    shown = private_usage.hidden(reply, example.private_usage)
    assert shown == b'{"choices":[{"message":{"content":"ebb"}}],"usage":{%b}}' % counts
    empty = b'{"error":{"message":"Add money.","code":"empty_purse"}}'
    assert example.adjust_error(429, empty) == (402, empty)
    assert example.adjust_error(429, b"{}") == (429, b"{}")
    models = example.models_request(Credential("c", "sk-harbour"), options)
    assert (models.method, models.target, models.headers) == ("GET", "/models", request.headers)
    assert example.read_models(b'{"data":[{"id":"tide-2"}]}') == ("tide-2",)


def test_the_document_names_every_provider_and_every_field() -> None:
    for name, provider in providers.catalogue().items():
        row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{name}` |"))
        assert provider.base_url is None or f"`{provider.base_url}`" in row
        assert all(f"`{url}`" in row for url in provider.also_at)
    for field in Provider.__slots__:
        if field != "title":
            assert re.search(rf"^\| `{field}`", DOCUMENT, re.MULTILINE), field
