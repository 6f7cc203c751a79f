"""Reranking between forms: what is held, what is counted, and answers that can't be trusted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import BadAnswer, BadRequest, InvalidJson, Unsupported, UpstreamRefused
from unigate.dialects import cohere_embed, cohere_rerank, rerank, reranking, wide_errors
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.spec.provider import Provider

FORMS = translations(Reranker())
PLAIN = Provider(name="plain", title="Plain", base_url=None, translations=FORMS)


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", "query": "q", "documents": ["a", "b"], **members}).encode()


def answered(*rows: Any, **more: Any) -> bytes:
    return json.dumps({"results": list(rows), **more}).encode()


def row(index: Any, score: Any = 0.5) -> dict[str, Any]:
    return {"index": index, "relevance_score": score}


@given(st.text(max_size=300), st.lists(st.text(max_size=3000), min_size=1, max_size=130))
def test_what_is_held_covers_what_is_counted(query: str, documents: list[str]) -> None:
    asked = body(query=query or "q", documents=documents)
    facts = rerank.read(asked)
    counted = rerank.estimate(asked, reranking.Seen(False, None, None, False))
    assert counted.estimated
    assert counted.units["searches"] <= facts.units["searches"]
    assert counted.units["input"] <= rerank.input_bound(asked, facts)


def test_the_query_counts_with_each_document() -> None:
    facts = rerank.read(body(query="abcd", documents=["ab", "abcdef"]))
    assert (facts.most_input, facts.inputs, facts.units) == (2 * 4 + 8, 2, {"searches": 1})
    assert rerank.read(body(documents=["a"] * 101)).units == {"searches": 2}
    assert rerank.read(body(documents=["a" * 50_000])).units == {"searches": 2}


def test_pictures_elsewhere_are_held_at_the_model_s_limit() -> None:
    assert rerank.read(body(documents=[{"image": "https://example.com/a.png"}])).open_input
    assert rerank.read(body(query="https://example.com/a.png")).open_input
    assert not rerank.read(body(documents=["see https://example.com/a.png"])).open_input
    inside = rerank.read(body(documents=[{"image": "data:image/png;base64," + "A" * 90_000}]))
    assert (inside.open_input, inside.most_input) == (False, 10_001)


@pytest.mark.parametrize(
    "rows",
    [
        [row(2)],
        [row(-1)],
        [row(0), row(0)],
        [row(True)],
        [row("0")],
        [row(0, None)],
        [row(0, "1")],
        [5],
        [{"index": 0}],
    ],
)
def test_results_that_do_not_fit_are_no_answer(rows: list[Any]) -> None:
    for form in FORMS.values():
        with pytest.raises(BadAnswer):
            form.answer(answered(*rows), body(), "req_1")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"results":{}}', b'"x"', b"\xff", b'{"results":[{"index":0,"relevance_score":NaN}]}']
)
def test_what_is_no_answer(text: bytes) -> None:
    with pytest.raises(BadAnswer):
        FORMS["rerank"].answer(text, body(), "req_1")


def test_a_refusal_in_an_answer_of_200() -> None:
    with pytest.raises(UpstreamRefused) as refused:
        FORMS["rerank"].answer(b'{"error":{"message":"no","code":429}}', body(), "req_1")
    assert refused.value.upstream_status == 429


def test_equal_scores_keep_the_order_of_the_request() -> None:
    told = json.loads(FORMS["rerank"].answer(answered(row(1), row(0)), body(), "req_1"))
    assert [found["index"] for found in told["results"]] == [0, 1]
    assert (told["id"], told["model"]) == ("req_1", "m")


def test_no_results_are_empty_and_free() -> None:
    shown = FORMS["rerank"].answer(answered(), body(), "req_1")
    assert rerank.read_answer(shown, PLAIN).empty
    assert cohere_rerank.read_answer(b'{"id":"x","results":[]}', PLAIN).empty


def test_only_what_neither_was_told_of_is_estimated() -> None:
    for more, estimated in (
        ({}, True),
        ({"usage": {"total_tokens": 9}}, False),
        ({"meta": {"billed_units": {"search_units": 1}}}, False),
    ):
        for name, spoken in (("rerank", rerank), ("cohere.rerank", cohere_rerank)):
            shown = FORMS[name].answer(answered(row(0), **more), body(), "req_1")
            usage = spoken.estimate(body(), spoken.read_answer(shown, PLAIN))
            assert usage.estimated is estimated, (more, name)
            assert usage.units == {"input": 9 if "usage" in more else 1, "searches": 1}


def test_a_picture_can_not_be_said_to_who_takes_texts() -> None:
    with pytest.raises(Unsupported):
        FORMS["rerank"].request(body(documents=["a", {"image": "x"}]), {})
    with pytest.raises(Unsupported):
        FORMS["rerank"].request(body(query={"image": "x"}), {})
    both, _ = FORMS["rerank"].request(body(documents=[{"text": "a"}]), {})
    assert json.loads(both)["documents"] == ["a"]


def test_keys_that_stand_twice_are_refused() -> None:
    with pytest.raises(InvalidJson):
        rerank.read(b'{"model":"m","query":"q","documents":["a"],"documents":["b"]}')
    with pytest.raises(InvalidJson):
        cohere_embed.read(b'{"model":"m","texts":["a"],"texts":["b"]}')


@pytest.mark.parametrize("members", [{}, {"texts": []}, {"texts": ["a"], "images": ["b"]}, {"texts": ["a"] * 97}])
def test_cohere_s_embeddings_take_one_kind_of_input(members: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        cohere_embed.read(json.dumps({"model": "m", **members}).encode())


def test_wide_errors_keep_what_the_vendor_said() -> None:
    told = json.loads(wide_errors.pass_error(400, b'{"error":{"message":"No.","new":1}}'))
    assert told == {"error": {"message": "No.", "new": 1}, "message": "No.", "detail": "No."}
    html = json.loads(wide_errors.pass_error(502, b"<html>"))
    assert html["message"] == html["detail"] == html["error"]["message"]
