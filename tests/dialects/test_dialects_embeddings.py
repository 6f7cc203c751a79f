"""Vectors that were asked for in base64 are given in base64, whatever the provider knows of."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import InvalidJson
from unigate.dialects import openai_embeddings as embeddings


def asked(**members: Any) -> bool:
    return embeddings.read(json.dumps({"model": "m", "input": "x", **members}).encode()).finish


def answer(*vectors: object, **more: object) -> bytes:
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return json.dumps({"object": "list", "data": data, "model": "m", "usage": {"total_tokens": 2}, **more}).encode()


def unpacked(text: str) -> list[float]:
    data = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


@pytest.mark.parametrize("form", ["float", None, 5, ["base64"], {}])
def test_other_forms_are_the_providers(form: object) -> None:
    assert not asked(encoding_format=form)


def test_only_who_asks_for_base64_gets_it() -> None:
    assert asked(encoding_format="base64")
    assert not asked()
    assert not asked(input='"encoding_format":"base64"')
    assert not asked(encoding_format="base64", output_dtype="int8")
    assert asked(encoding_format="base64", input='say "output_dtype"')


def test_the_form_is_named_once() -> None:
    with pytest.raises(InvalidJson):
        embeddings.read(b'{"model":"m","input":"x","encoding_format":"float","encoding_format":"base64"}')


def test_numbers_become_little_endian_floats_and_all_else_stays() -> None:
    text = b'{ "data" : [ {"index":0, "embedding" : [1, 2.0,\n-5e-1], "x":"[1]"},{"embedding":[],"index":1} ] , "y":[1.50]}'
    told = embeddings.finish_answer(text)
    assert told == (
        b'{ "data" : [{"index":0, "embedding" : "AACAPwAAAEAAAAC/", "x":"[1]"},{"embedding":"","index":1}] , "y":[1.50]}'
    )


@pytest.mark.parametrize(
    "text",
    [
        answer("AACAPwAAAEAAAAC/"),
        answer(),
        answer([[1, 2], [3]]),
        answer([1, None]),
        answer(None),
        b'{"data":[{"embedding":[NaN]}]}',
        b'{"data":[{"embedding":"\xff"},5]}',
        b'{"data":[{"embeddings":[[1]]}]}',
        b'{"data":{"embedding":[1]}}',
        b'{"data":[{"embedding":[1]}]',
        b'{"data":[{"embedding":["\xff"]}]}',
        b'{"error":{"message":"no"}}',
        b"[]",
        b"",
    ],
)
def test_what_is_no_list_of_vectors_passes_as_it_came(text: bytes) -> None:
    assert embeddings.finish_answer(text) is text


def test_what_is_odd_beside_them_changes_nothing() -> None:
    text = b'{"data":[5,{"embedding":[1],"x":"\xff"}]}'
    assert embeddings.finish_answer(text) == b'{"data":[5,{"embedding":"AACAPw==","x":"\xff"}]}'


def test_vectors_may_come_in_both_forms_at_once() -> None:
    told = json.loads(embeddings.finish_answer(answer("AACAPw==", [1, 2])))
    assert [unpacked(item["embedding"]) for item in told["data"]] == [[1.0], [1.0, 2.0]]


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=9), max_size=4))
def test_every_vector_of_floats_survives(vectors: list[list[float]]) -> None:
    told = json.loads(embeddings.finish_answer(answer(*vectors, more="kept")))
    assert [unpacked(item["embedding"]) for item in told["data"]] == vectors
    assert [item["index"] for item in told["data"]] == list(range(len(vectors)))
    assert (told["usage"], told["more"]) == ({"total_tokens": 2}, "kept")
