"""Embeddings: vectors of length 1, always the same, near each other where texts are; both encodings, every refusal."""

import base64
import struct
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_client import Sandbox

from unigate.sandbox.brain import vectors

SMALL = "text-embedding-3-small"
ALIKE = [
    ("The cat sits on the mat.", "A cat is sitting on a mat."),
    ("How do I reset my password?", "I forgot my password, how can I reset it?"),
    ("今天天气很好，我们去公园散步", "天气很好，今天去公园散步吧"),
    ("The train leaves at nine in the morning", "At nine in the morning our train leaves"),
]
STRANGERS = [
    "Bananas grow in warm countries",
    "股票市场大幅下跌",
    "def add(a, b): return a + b",
    "Völlig andere Wörter",
]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def post(sandbox: Sandbox, **body: Any) -> httpx.Response:
    headers = {"authorization": "Bearer sk-sandbox-0001"}
    sent = {"model": SMALL, "input": "Hello", **body}
    return sandbox.http.post(f"{sandbox.url}/openai/v1/embeddings", json=sent, headers=headers)


@pytest.mark.parametrize("dimensions", [1536, 256, 64])
@pytest.mark.parametrize("pair", ALIKE, ids=lambda pair: pair[0][:12])
def test_similar_texts_are_near_and_others_are_not(sandbox: Sandbox, pair: tuple[str, str], dimensions: int) -> None:
    texts = [*pair, *STRANGERS]
    made = sandbox.openai().embeddings.create(model=SMALL, input=texts, dimensions=dimensions)
    found = [row.embedding for row in made.data]
    assert [row.index for row in made.data] == list(range(len(texts)))
    near = cosine(found[0], found[1])
    far = max(abs(cosine(found[0], other)) for other in found[2:])
    assert near > 0.5
    assert near > far + 0.25


@pytest.mark.parametrize(
    ("model", "length"),
    [(SMALL, 1536), ("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536), ("sandbox-vectors", 256)],
)
def test_vectors_are_as_long_as_the_model_s_and_of_length_one(sandbox: Sandbox, model: str, length: int) -> None:
    made = sandbox.openai().embeddings.create(model=model, input="A quiet street")
    assert len(made.data[0].embedding) == length
    assert cosine(made.data[0].embedding, made.data[0].embedding) == pytest.approx(1, abs=1e-5)
    again = sandbox.openai().embeddings.create(model=model, input=["A quiet street"])
    assert again.data[0].embedding == made.data[0].embedding


def test_both_encodings_hold_the_same_numbers(sandbox: Sandbox) -> None:
    plain = post(sandbox, encoding_format="float").json()["data"][0]["embedding"]
    text = post(sandbox, encoding_format="base64").json()["data"][0]["embedding"]
    data = base64.b64decode(text)
    assert list(struct.unpack(f"<{len(data) // 4}f", data)) == pytest.approx(plain, abs=1e-8)


def test_a_shorter_vector_is_the_beginning_of_the_longer_one(sandbox: Sandbox) -> None:
    long = post(sandbox).json()["data"][0]["embedding"]
    short = post(sandbox, dimensions=100).json()["data"][0]["embedding"]
    scale = sum(value * value for value in long[:100]) ** 0.5
    assert short == pytest.approx([value / scale for value in long[:100]], abs=1e-6)


def test_tokens_are_inputs_too(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    made = sdk.embeddings.create(model=SMALL, input=[[1, 2, 3, 4], [1, 2, 3, 5], [7, 8, 9, 10]])
    assert made.usage.prompt_tokens == made.usage.total_tokens == 12
    one, near, far = (row.embedding for row in made.data)
    assert cosine(one, near) > cosine(one, far) + 0.3
    assert len(sdk.embeddings.create(model=SMALL, input=[1, 2, 3]).data) == 1


def test_models_do_not_share_a_space(sandbox: Sandbox) -> None:
    first = post(sandbox).json()["data"][0]["embedding"]
    second = post(sandbox, model="text-embedding-ada-002").json()["data"][0]["embedding"]
    assert abs(cosine(first, second)) < 0.5


def test_what_is_counted_is_logged_and_charged(sandbox: Sandbox) -> None:
    reply = post(sandbox, input=["One two", "three"], user="mark-of-the-embedding")
    assert reply.json()["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    entry = sandbox.last(contains="mark-of-the-embedding")
    assert (entry["usage"], entry["model"], entry["end"]) == ({"input": 3}, SMALL, "completed")
    assert "usage" not in post(sandbox, input="x [[fault:missing-usage]]").json()
    assert post(sandbox, input="x [[fault:empty]]").json()["data"] == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"model": "nothing"}, (404, None, "model_not_found")),
        ({"model": "gpt-4o"}, (403, None, None)),
        ({"input": None}, (400, "input", "missing_required_parameter")),
        ({"input": ""}, (400, "input", "invalid_value")),
        ({"input": []}, (400, "input", "empty_array")),
        ({"input": ["a", ""]}, (400, "input[1]", "invalid_value")),
        ({"input": ["a"] * 2049}, (400, "input", "array_above_max_length")),
        ({"input": [[]]}, (400, "input[0]", "empty_array")),
        ({"input": [{"text": "a"}]}, (400, "input[0]", "invalid_type")),
        ({"input": [True]}, (400, "input[0]", "invalid_type")),
        ({"input": "word " * 9000}, (400, None, None)),
        ({"input": ["word " * 4000] * 80}, (400, None, "max_tokens_per_request")),
        ({"encoding_format": "binary"}, (400, "encoding_format", "invalid_value")),
        ({"dimensions": 0}, (400, "dimensions", "integer_below_min_value")),
        ({"dimensions": 1537}, (400, "dimensions", None)),
        ({"dimensions": 1.5}, (400, "dimensions", "invalid_type")),
        ({"dimensions": 5, "model": "text-embedding-ada-002"}, (400, "dimensions", None)),
        ({"stream": True}, (400, "stream", "unknown_parameter")),
    ],
)
def test_what_is_refused(sandbox: Sandbox, body: dict[str, Any], told: tuple[int, str | None, str | None]) -> None:
    reply = post(sandbox, **body)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == told


@settings(max_examples=50)
@given(st.text(max_size=60), st.integers(1, 70))
def test_any_text_has_a_vector_of_length_one(text: str, dimensions: int) -> None:
    vector = vectors.of_text(text, dimensions, "m")
    assert len(vector) == dimensions
    assert cosine(vector, vector) == pytest.approx(1)
    assert vectors.of_text(text, dimensions, "m") == vector
    assert len(vectors.packed(vectors.shortened(vector, 1))) == 4
