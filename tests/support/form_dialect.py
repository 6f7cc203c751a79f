"""A dialect of the tests with a form and with sound, and what makes this process speak it: by OpenAI's provider.

`POST /v1/form` takes a form (or JSON) with `model`, and answers with the provider's JSON. `POST /v1/sound` takes JSON and
answers with bytes.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType, ModuleType
from unittest import mock

import msgspec

import unigate.dialects
import unigate.providers
import unigate.providers.openai
from unigate.base.errors import BadAnswer, BadRequest
from unigate.dialects import form_read, openai_embeddings
from unigate.dialects.openai_answer import Seen, add_cost
from unigate.dialects.openai_body import Edits
from unigate.dialects.openai_errors import VendorError, pass_error, read_error, write_error
from unigate.dialects.raw import RawWatch
from unigate.spec.facts import Facts
from unigate.spec.form import Form, FormBounds, Source
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

__all__ = ["Edits", "Seen", "VendorError", "add_cost", "pass_error", "read_error", "write_error"]

NAME = "form_dialect"
OPERATIONS = (
    Operation(
        name="form.send",
        method="POST",
        path="/v1/form",
        dialect=NAME,
        family="form",
        body="form",
        json_too=True,
        body_bytes=64 << 20,
        form=FormBounds(parts=8, fields=64 << 10),
        upstream_path="/form",
    ),
    Operation(
        name="form.sound",
        method="POST",
        path="/v1/sound",
        dialect=NAME,
        family="form",
        body="json",
        answer="bytes",
        upstream_path="/sound",
    ),
)


class _Answer(msgspec.Struct):
    usage: dict[str, int] | None = None
    error: object = None


def read(asked: bytes | Form) -> Facts:
    """What we need to know of a body."""
    if isinstance(asked, bytes):
        facts = openai_embeddings.read(asked)
        return replace(facts, finish=False)
    model = form_read.text(asked, "model")
    if not model:
        raise BadRequest("you must provide a model parameter", param="model")
    form_read.files(asked, "file")
    return Facts(model=model, output_limit=100, stream=form_read.flag(asked, "stream"))


def edit(asked: bytes | Form, facts: Facts, edits: Edits) -> bytes | Form:
    """The body as the provider gets it."""
    if isinstance(asked, bytes):
        return openai_embeddings.edit(asked, facts, edits)
    return form_read.edit(asked, facts, edits)


def read_answer(body: bytes, provider: Provider) -> Seen:
    """What an answer says."""
    told = msgspec.json.decode(body, type=_Answer)
    if told.error is not None:
        raise BadAnswer
    return Seen(Usage(told.usage) if told.usage is not None else None, empty=False)


def estimate(asked: bytes | Form, seen: Seen | RawWatch) -> Usage:
    """Usage counted by ourselves."""
    return Usage({"output": seen.size} if isinstance(seen, RawWatch) else {"input": 7}, estimated=True)


class Raw(RawWatch):
    """Measures the sound of one model, and counts that of others; a measured byte costs twice."""

    def __init__(self, facts: Facts, provider: Provider, content_type: bytes) -> None:
        super().__init__(facts, provider, content_type)
        if facts.model.startswith("measured"):
            self.measure = _measure


def _measure(source: Source) -> Usage:
    with source.open() as file:
        size = file.seek(0, 2)
        file.seek(0)
        data = file.read()
    if data.startswith(b"unreadable"):
        raise ValueError("no sound")
    assert len(data) == size
    return Usage({"output": 2 * len(data)})


def input_bound(asked: bytes | Form, facts: Facts) -> int:
    """The most input tokens that a body can count."""
    return 100


def speak() -> Mapping[str, ModuleType]:
    """All dialects with this one, whose provider speaks it too."""
    found = dict(unigate.dialects._modules())
    found[NAME] = sys.modules[__name__]
    return MappingProxyType(found)


@contextmanager
def spoken() -> Iterator[None]:
    """Speak it in this process."""
    told = unigate.providers.openai.PROVIDER
    provider = replace(told, speaks=(*told.speaks, NAME))
    modules = speak()
    with (
        mock.patch.object(unigate.dialects, "_modules", return_value=modules),
        mock.patch.object(unigate.providers.openai, "PROVIDER", provider),
    ):
        unigate.dialects.operations.cache_clear()
        unigate.providers.catalogue.cache_clear()
        try:
            yield
        finally:
            unigate.dialects.operations.cache_clear()
            unigate.providers.catalogue.cache_clear()
