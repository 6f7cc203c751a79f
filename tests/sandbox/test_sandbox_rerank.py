"""Reranking and embedding in the sandbox: scores follow common words, each vendor answers and refuses in its own form."""

import base64
import struct
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_client import Sandbox

from unigate.sandbox.brain import ranking
from unigate.sandbox.forms import vectors

QUERY = "a cream with aloe"
TEXTS = ["kitchen tools", "a soft cream with fresh aloe", "cream"]
PICTURE = "data:image/png;base64,iVBORw0KGgo="
RANK = {"query": QUERY, "documents": TEXTS}
DASHSCOPE = "/dashscope/api/v1/services/rerank/text-rerank/text-rerank"
#: Vendor's path -> its body, and the members of its answer.
SHAPES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("/cohere/v2/rerank", {"model": "rerank-v3.5", **RANK}, {"id", "results", "meta"}),
    ("/cohere/v1/rerank", {"model": "rerank-v3.5", **RANK}, {"id", "results", "meta"}),
    ("/jina/v1/rerank", {"model": "jina-reranker-v3", **RANK}, {"model", "object", "usage", "results"}),
    ("/voyage/v1/rerank", {"model": "rerank-2.5", **RANK}, {"object", "data", "model", "usage"}),
    (
        "/together/v1/rerank",
        {"model": "Salesforce/Llama-Rank-V1", **RANK},
        {"object", "id", "model", "results", "usage"},
    ),
    ("/siliconflow/v1/rerank", {"model": "BAAI/bge-reranker-v2-m3", **RANK}, {"id", "results", "meta"}),
    ("/vllm/v2/rerank", {"model": "BAAI/bge-reranker-v2-m3", **RANK}, {"id", "model", "usage", "results"}),
    ("/xinference/v1/rerank", {"model": "bge-reranker-v2-m3", **RANK}, {"id", "results", "meta"}),
    (DASHSCOPE, {"model": "gte-rerank-v2", "input": RANK}, {"output", "usage", "request_id"}),
]


def post(sandbox: Sandbox, path: str, body: dict[str, Any]) -> httpx.Response:
    return sandbox.http.post(sandbox.url + path, json=body, headers={"authorization": "Bearer sk-sandbox-0001"})


@pytest.mark.parametrize(("path", "body", "members"), SHAPES, ids=lambda value: value if isinstance(value, str) else "")
def test_each_vendor_has_its_own_shape(sandbox: Sandbox, path: str, body: dict[str, Any], members: set[str]) -> None:
    reply = post(sandbox, path, body)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert set(told) == members
    rows = told.get("output", told).get("results") or told.get("data")
    assert [row["index"] for row in rows] == [1, 2, 0]
    assert rows[0]["relevance_score"] > rows[1]["relevance_score"] > rows[2]["relevance_score"] > 0
    assert post(sandbox, path, body).json() == told, "the same call has the same answer"


def test_a_server_of_one_model_gives_a_bare_list(sandbox: Sandbox) -> None:
    told = post(sandbox, "/tei/rerank", {"query": QUERY, "texts": TEXTS, "return_text": True}).json()
    assert [(row["index"], row["text"]) for row in told] == [(at, TEXTS[at]) for at in (1, 2, 0)]
    assert len(post(sandbox, "/tei/embed", {"inputs": TEXTS}).json()) == 3


def test_documents_are_shown_as_the_vendor_does(sandbox: Sandbox) -> None:
    shown = post(sandbox, "/jina/v1/rerank", SHAPES[2][1]).json()["results"][0]["document"]
    assert shown == {"text": TEXTS[1]}
    hidden = post(sandbox, "/jina/v1/rerank", {**SHAPES[2][1], "return_documents": False}).json()["results"]
    assert all("document" not in row for row in hidden)
    bare = post(sandbox, "/voyage/v1/rerank", {**SHAPES[3][1], "return_documents": True}).json()["data"]
    assert bare[0]["document"] == TEXTS[1]
    assert all("document" not in row for row in post(sandbox, "/voyage/v1/rerank", SHAPES[3][1]).json()["data"])


def test_what_is_counted(sandbox: Sandbox) -> None:
    tokens = sum(-(-len(QUERY) // 4) + -(-len(text) // 4) for text in TEXTS)
    assert post(sandbox, "/voyage/v1/rerank", SHAPES[3][1]).json()["usage"] == {"total_tokens": tokens}
    many = {"model": "rerank-v3.5", "query": "q", "documents": ["x"] * 101}
    assert post(sandbox, "/cohere/v2/rerank", many).json()["meta"]["billed_units"] == {"search_units": 2}
    long = {"model": "rerank-v3.5", "query": "q", "documents": ["x" * 4 * 499] * 99 + ["x" * 4 * 1200]}
    assert post(sandbox, "/cohere/v2/rerank", long).json()["meta"]["billed_units"] == {"search_units": 2}


@pytest.mark.parametrize(
    ("path", "change", "status", "form"),
    [
        ("/cohere/v2/rerank", {"documents": []}, 400, "message"),
        ("/cohere/v2/rerank", {"documents": [{"text": "a"}]}, 400, "message"),
        ("/cohere/v2/rerank", {"model": "nothing"}, 404, "message"),
        ("/cohere/v2/rerank", {"documents": ["a"] * 1001}, 400, "message"),
        ("/jina/v1/rerank", {"query": None}, 422, "detail"),
        ("/jina/v1/rerank", {"top_n": 0}, 422, "detail"),
        ("/jina/v1/rerank", {"model": "nothing"}, 422, "detail"),
        ("/voyage/v1/rerank", {"top_n": 3}, 400, "detail"),
        ("/voyage/v1/rerank", {"documents": "text"}, 400, "detail"),
        ("/tei/rerank", {"texts": [], "documents": None}, 422, "error"),
    ],
)
def test_what_is_refused(sandbox: Sandbox, path: str, change: dict[str, Any], status: int, form: str) -> None:
    models = {"/jina/v1/rerank": "jina-reranker-v3", "/voyage/v1/rerank": "rerank-2.5", "/tei/rerank": None}
    body = {"model": models.get(path, "rerank-v3.5"), **RANK, **change}
    reply = post(sandbox, path, {name: value for name, value in body.items() if value is not None})
    assert (reply.status_code, form in reply.json()) == (status, True), reply.text


def test_faults_are_told_in_the_vendor_s_words(sandbox: Sandbox) -> None:
    for status, path in ((402, "/jina/v1/rerank"), (429, "/voyage/v1/rerank"), (498, "/cohere/v2/rerank")):
        reply = sandbox.http.post(
            f"{sandbox.url}/fault/{status}{path}", json={}, headers={"authorization": "Bearer sk-sandbox-0001"}
        )
        assert reply.status_code == status
        assert reply.json().get("detail") or reply.json()["message"]
    empty = {"model": "rerank-2.5", "query": "[[fault:empty]]", "documents": ["a"]}
    assert post(sandbox, "/voyage/v1/rerank", empty).json()["data"] == []


def test_kinds_of_vectors_hold_the_same_numbers(sandbox: Sandbox) -> None:
    body = {"model": "embed-v4.0", "input_type": "search_query", "texts": ["a text"], "output_dimension": 256}
    told = post(sandbox, "/cohere/v2/embed", {**body, "embedding_types": [*vectors.KINDS, "base64"]}).json()
    found = {kind: rows[0] for kind, rows in told["embeddings"].items()}
    floats = struct.unpack("<256f", base64.b64decode(found["base64"]))
    assert list(floats) == pytest.approx(found["float"], abs=1e-6)
    assert [value + 128 for value in found["int8"]] == found["uint8"]
    assert [value + 128 for value in found["binary"]] == found["ubinary"]
    bits = [byte >> (7 - at) & 1 for byte in found["ubinary"] for at in range(8)]
    assert bits == [int(value > 0) for value in found["float"]]


def test_pictures_are_for_models_that_see(sandbox: Sandbox) -> None:
    asked = {"input": [{"image": PICTURE}, {"text": "a"}]}
    seen = post(sandbox, "/jina/v1/embeddings", {"model": "jina-embeddings-v4", **asked})
    assert (seen.status_code, seen.json()["usage"]["image_tokens"]) == (200, 640)
    assert post(sandbox, "/jina/v1/embeddings", {"model": "jina-embeddings-v3", **asked}).status_code == 422
    far = {"model": "embed-v4.0", "input_type": "image", "images": ["https://example.com/a.png"]}
    assert post(sandbox, "/cohere/v2/embed", far).status_code == 400
    several = {"model": "embed-v4.0", "input_type": "image", "images": [PICTURE, PICTURE]}
    assert post(sandbox, "/cohere/v2/embed", several).status_code == 400


@given(st.text(max_size=40), st.text(max_size=40))
def test_scores_lie_between_nothing_and_all(query: str, document: str) -> None:
    assert 0 < ranking.score(query, document) < 1
    assert ranking.score(query, query) >= ranking.score(query, document)


@given(st.text(min_size=3, max_size=20), st.lists(st.text(max_size=20), max_size=8))
def test_the_order_is_that_of_the_scores(query: str, documents: list[str]) -> None:
    rows = ranking.ranked(query, documents)
    assert sorted(place for place, _ in rows) == list(range(len(documents)))
    assert rows == sorted(rows, key=lambda row: (-row[1], row[0]))


@pytest.mark.parametrize("fields", [5, "text", [5], [["text"]], [None]])
def test_fields_are_names(sandbox: Sandbox, fields: object) -> None:
    body = {"model": "rerank-v3.5", "query": QUERY, "documents": [{"text": "x"}], "rank_fields": fields}
    reply = post(sandbox, "/cohere/v1/rerank", body)
    assert reply.status_code == 400, reply.text
    assert "rank_fields" in reply.json()["message"]
