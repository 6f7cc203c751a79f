"""Reranking: every caller's form by every provider, with the SDKs of Cohere and Voyage; units, money, bad input, faults."""

import json
from collections.abc import Iterator
from typing import Any

import cohere
import httpx
import pytest
import voyageai
from cohere.core.api_error import ApiError
from voyageai.error import VoyageError

from support.rankers import QUIET, RANKERS, SEARCH, TOKEN, configuration
from support.stage import KEY, Stage, mark, set_stage
from support.world import Process

QUERY = "natural cream with aloe"
DOCUMENTS = ["eco kitchen tools", "a natural cream with fresh aloe", "cream cheese", "bio detergent"]
#: Places in the order of the shares of the query's runs of three characters.
ORDER = [1, 2]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    built = set_stage(tmp_path_factory.mktemp("rerank"), vendors, configuration())
    yield built
    built.sound()
    assert built.stop() == 0


def post(stage: Stage, path: str, key: str = KEY, content: bytes | None = None, **body: Any) -> httpx.Response:
    sent = json.dumps(body).encode() if content is None else content
    head = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return httpx.post(stage.url + path, content=sent, headers=head, timeout=60)


def rerank(stage: Stage, provider: str, path: str = "/v1/rerank", **more: Any) -> httpx.Response:
    body = {"model": f"rank-{provider}", "query": QUERY, "documents": DOCUMENTS, **more}
    return post(stage, path, **body)


def by_hand(provider: str, query: str, documents: list[str]) -> tuple[dict[str, int], int]:
    """Units and nano-USD of a call: a token for each four characters, the query once with each document."""
    one = RANKERS[provider]
    vendors = sum(-(-len(query) // 4) + -(-len(text) // 4) for text in documents)
    ours = -(-(len(query) * len(documents) + sum(map(len, documents))) // 4)
    tokens = vendors if one.tells and one.unit == "input" else ours
    units = {"input": tokens, "searches": 1}
    return units, SEARCH if one.unit == "searches" else tokens * TOKEN


@pytest.mark.endpoint("O15")
@pytest.mark.parametrize("provider", RANKERS)
def test_the_common_form(stage: Stage, provider: str) -> None:
    word = mark()
    reply = rerank(stage, provider, query=f"{QUERY} {word}", top_n=2)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert [row["index"] for row in told["results"]] == ORDER
    assert [row["document"] for row in told["results"]] == [{"text": DOCUMENTS[at]} for at in ORDER]
    scores = [row["relevance_score"] for row in told["results"]]
    assert 1 > scores[0] > scores[1] > 0
    assert told["object"] == "list" and told["id"] and told["model"]
    assert told["meta"]["api_version"] == {"version": "1"}
    assert "data" not in told
    units, cost = by_hand(provider, f"{QUERY} {word}", DOCUMENTS)
    assert told["usage"]["total_tokens"] == told["usage"]["prompt_tokens"] == units["input"]
    assert told["meta"]["billed_units"]["search_units"] == 1
    row = stage.row(reply.headers["x-request-id"])
    assert (row["units"], row["cost"]) == (units, cost)
    assert bool(row["estimated"]) is not RANKERS[provider].tells
    assert float(reply.headers["x-unigate-cost"]) == cost / 10**9
    assert "x-unigate-ignored" not in reply.headers
    assert len(stage.received(word)) == 1


@pytest.mark.endpoint("O15")
@pytest.mark.parametrize("provider", RANKERS)
@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank"])
def test_every_form_gives_the_same_order(stage: Stage, provider: str, path: str) -> None:
    reply = rerank(stage, provider, path, return_documents=False, top_n=9)
    assert reply.status_code == 200, reply.text
    rows = reply.json()["results"]
    assert [row["index"] for row in rows][:2] == ORDER
    assert sorted(row["index"] for row in rows) == [0, 1, 2, 3]
    assert all("document" not in row for row in rows)
    if path == "/v2/rerank":
        assert set(reply.json()) == {"id", "results", "meta"}
        assert reply.json()["meta"]["api_version"] == {"version": "2"}


@pytest.mark.endpoint("O15")
@pytest.mark.parametrize("provider", RANKERS)
def test_cohere_s_sdk_in_both_versions(stage: Stage, provider: str) -> None:
    with httpx.Client(timeout=60) as http:
        newer = cohere.ClientV2(api_key=KEY, base_url=stage.url, httpx_client=http)
        found = newer.rerank(model=f"rank-{provider}", query=QUERY, documents=DOCUMENTS, top_n=1)
        older = cohere.Client(api_key=KEY, base_url=stage.url, httpx_client=http)
        texts = [{"text": text} for text in DOCUMENTS]
        shown = older.rerank(model=f"rank-{provider}", query=QUERY, documents=texts, return_documents=True)
    assert [(row.index, row.relevance_score > 0.5) for row in found.results] == [(1, True)]
    assert found.id and found.meta is not None and found.meta.billed_units is not None
    assert found.meta.billed_units.search_units == 1
    assert [row.index for row in shown.results][:2] == ORDER
    assert shown.results[0].document is not None and shown.results[0].document.text == DOCUMENTS[1]
    assert shown.meta is not None and shown.meta.billed_units is not None
    assert shown.meta.billed_units.search_units == 1


@pytest.mark.endpoint("O15")
@pytest.mark.parametrize("provider", RANKERS)
@pytest.mark.usefixtures("voyage_session")
def test_voyage_s_sdk(stage: Stage, provider: str) -> None:
    client = voyageai.Client(api_key=KEY, base_url=f"{stage.url}/v1")  # type: ignore[attr-defined]
    found = client.rerank(QUERY, DOCUMENTS, model=f"rank-{provider}", top_k=2)
    assert [row.index for row in found.results] == ORDER
    assert [row.document for row in found.results] == [DOCUMENTS[at] for at in ORDER]
    assert found.total_tokens == by_hand(provider, QUERY, DOCUMENTS)[0]["input"]
    told = rerank(stage, provider, top_k=1, return_documents=True).json()
    assert [row["document"] for row in told["data"]] == [DOCUMENTS[1]]


def test_long_documents_and_many_are_several_searches(stage: Stage) -> None:
    documents = ["x" * 4200] * 80  # 1050 tokens each, and the query: three parts
    reply = rerank(stage, "cohere", documents=documents)
    assert reply.status_code == 200, reply.text
    row = stage.row(reply.headers["x-request-id"])
    assert (row["units"]["searches"], row["cost"]) == (3, 3 * SEARCH)
    assert reply.json()["meta"]["billed_units"] == {"search_units": 3}


def test_objects_are_ranked_by_the_fields_that_are_named(stage: Stage) -> None:
    documents = [{"title": "bread", "body": QUERY}, {"title": QUERY, "body": "bread"}]
    for fields, first in ((["title"], 1), (["body"], 0)):
        reply = rerank(stage, "cohere", documents=documents, rank_fields=fields, top_n=1)
        assert reply.json()["results"][0]["document"] == documents[first], reply.text


def test_pictures_are_for_who_takes_them(stage: Stage) -> None:
    picture = {"image": "data:image/png;base64,iVBORw0KGgo="}
    word = mark()
    refused = rerank(stage, "cohere", query=word, documents=[picture, "a text"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unsupported")
    assert stage.received(word) == []
    taken = rerank(stage, "jina", documents=[picture, "a text"])
    assert taken.status_code == 200
    assert picture in [row["document"] for row in taken.json()["results"]]


def test_who_takes_no_pictures_is_passed_over(stage: Stage) -> None:
    documents = [{"image": "data:image/png;base64,iVBORw0KGgo="}, "a text"]
    words = mark(), mark()
    plain = rerank(stage, "", model="either", query=f"{QUERY} {words[0]}")
    seen = rerank(stage, "", model="either", query=f"{QUERY} {words[1]}", documents=documents)
    assert (plain.status_code, seen.status_code) == (200, 200), seen.text
    assert [stage.received(word)[0]["face"] for word in words] == ["voyage", "jina"]
    assert [len(stage.received(word)) for word in words] == [1, 1]
    assert len(seen.json()["results"]) == 2


def test_what_a_vendor_does_not_take_is_named(stage: Stage) -> None:
    reply = rerank(stage, "tei", max_chunks_per_doc=3, overlap_tokens=8, truncation=True, raw_scores=False)
    assert reply.headers["x-unigate-ignored"] == "max_chunks_per_doc, overlap_tokens"
    sent = rerank(stage, "cohere", query=f"{QUERY} {(word := mark())}", max_doc_length=77, surprise=[1])
    assert sent.status_code == 200
    body = stage.received(word)[0]["body"]
    assert (body["max_tokens_per_doc"], body["surprise"]) == (77, [1])
    strict = rerank(stage, "voyage", surprise=[1])
    assert (strict.status_code, strict.headers["x-unigate-ignored"]) == (200, "surprise")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"documents": None}, "documents"),
    ({"documents": []}, "documents"),
    ({"documents": "one"}, "documents"),
    ({"documents": [1]}, "documents[0]"),
    ({"documents": [{"title": "no text"}]}, "documents[0]"),
    ({"documents": ["a"] * 2049}, "documents"),
    ({"query": None}, "query"),
    ({"query": ""}, "query"),
    ({"query": 5}, "query"),
    ({"top_n": 0}, "top_n"),
    ({"top_k": -1}, "top_k"),
    ({"top_n": "two"}, "top_n"),
    ({"return_documents": "yes"}, "return_documents"),
    ({"model": ""}, "model"),
]


@pytest.mark.endpoint("O15")
@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
@pytest.mark.parametrize(("wrong", "param"), BAD, ids=lambda value: str(value)[:30])
def test_bad_input_is_refused_before_anything_is_sent(
    stage: Stage, path: str, wrong: dict[str, Any], param: str
) -> None:
    word = mark()
    body = {"model": "rank-jina", "query": word, "documents": DOCUMENTS, **wrong}
    reply = post(stage, path, key=QUIET, content=json.dumps(body).encode())
    assert reply.status_code == 400, reply.text
    check_error(reply, path, param)
    assert stage.received(word) == []
    assert stage.settled(QUIET)["used"] == 0


def check_error(reply: httpx.Response, path: str, param: str | None = None) -> None:
    """An error in the form of the path that was called."""
    told = reply.json()
    assert told["message"] and reply.headers["x-request-id"]
    if path == "/v2/rerank":
        assert "error" not in told
        return
    assert told["message"] == told["detail"] == told["error"]["message"]
    if param is not None:
        assert told["error"]["param"] == param


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"model":"rank-jina","query":"a","query":"b","documents":["c"]}']
)
def test_what_is_no_sound_object_is_refused(stage: Stage, path: str, content: bytes) -> None:
    reply = post(stage, path, content=content)
    assert reply.status_code == 400
    check_error(reply, path)


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_who_may_not_call_is_told_in_the_path_s_form(stage: Stage, path: str) -> None:
    body: dict[str, Any] = {"model": "rank-jina", "query": QUERY, "documents": DOCUMENTS}
    wrong = post(stage, path, key="sk-wrong-0123456789", **body)
    assert wrong.status_code == 401
    check_error(wrong, path)
    unknown = post(stage, path, **{**body, "model": "no-such-model"})
    assert unknown.status_code in (403, 404)
    check_error(unknown, path)
    poor = post(stage, path, key="sk-small-0123456789", **{**body, "model": "rank-cohere"})
    assert poor.status_code == 402
    check_error(poor, path)


@pytest.mark.parametrize("provider", RANKERS)
@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_a_vendor_s_refusal_passes_and_is_free(stage: Stage, provider: str, path: str) -> None:
    if provider == "tei":  # it has one model, whatever a call names
        reply = rerank(stage, provider, path, query="[[fault:422]]")
    else:
        reply = rerank(stage, provider, path, model=f"lost-{provider}")
    assert 400 <= reply.status_code < 500, reply.text
    check_error(reply, path)
    row = stage.row(reply.headers["x-request-id"])
    assert (row["cost"], row["units"]) == (0, {})


@pytest.mark.parametrize("name", ["cohere", "jina", "voyage", "tei"])
@pytest.mark.parametrize(
    ("kind", "status"), [("broke", 503), ("slow", 429), ("down", 503), ("cut", 502), ("empty", 200)]
)
def test_failures_of_vendors_are_free(stage: Stage, name: str, kind: str, status: int) -> None:
    reply = rerank(stage, name, model=f"{kind}-{name}")
    assert reply.status_code == status, reply.text
    row = stage.row(reply.headers["x-request-id"])
    assert row["cost"] == 0
    if status == 200:
        assert (reply.json()["results"], row["ended"]) == ([], "empty")
        return
    check_error(reply, "/v1/rerank")


@pytest.mark.usefixtures("voyage_session")
def test_sdks_raise_their_own_errors(stage: Stage) -> None:
    with httpx.Client(timeout=60) as http:
        client = cohere.ClientV2(api_key=KEY, base_url=stage.url, httpx_client=http)
        with pytest.raises(ApiError) as told:
            client.rerank(model="rank-jina", query="", documents=["a"])
    assert told.value.status_code == 400
    assert "query" in told.value.body["message"]
    voyage = voyageai.Client(api_key=KEY, base_url=f"{stage.url}/v1")  # type: ignore[attr-defined]
    with pytest.raises(VoyageError, match="Invalid 'documents'"):
        voyage.rerank("query", [], model="rank-voyage")
    with pytest.raises(VoyageError, match="does not exist"):
        voyage.embed(["a"], model="embed-nothing")


def test_the_cost_is_shown_on_request(stage: Stage) -> None:
    reply = rerank(stage, "cohere", usage={"include": True})
    assert reply.json()["usage"]["cost"] == 0.002
    newer = rerank(stage, "cohere", "/v2/rerank", usage={"include": True})
    assert newer.json()["usage"]["cost"] == 0.002
