"""The sandbox's evals: graders that really judge, models that are really asked, and runs through their states."""

import json
import secrets
from typing import Any

import openai
import pytest
from sandbox_client import Sandbox, eventually, user

SCHEMA = {"type": "object", "properties": {"ask": {"type": "string"}, "want": {"type": "string"}}, "required": ["ask"]}
CONFIG: Any = {"type": "custom", "item_schema": SCHEMA, "include_sample_schema": True}
ITEMS = [{"item": {"ask": "What is 12 + 30?", "want": "42"}}, {"item": {"ask": "What is 1 + 1?", "want": "3"}}]
ASKED = "{{ sample.output_text }}"
FILE_CONTENT: Any = {"type": "file_content", "content": ITEMS}
TEMPLATE: Any = {"type": "template", "template": [{"role": "user", "content": "{{item.ask}}"}]}


@pytest.fixture
def sdk(sandbox: Sandbox) -> openai.OpenAI:
    """The SDK with an account of its own."""
    return sandbox.openai(key=f"sk-{secrets.token_hex(8)}")


def check(operation: str = "eq", given: str = ASKED, wanted: str = "{{item.want}}") -> Any:
    """A grader that compares strings."""
    return {"type": "string_check", "name": "same", "input": given, "reference": wanted, "operation": operation}


def judged(sdk: openai.OpenAI, graders: list[Any], source: Any) -> Any:
    """A run of a new eval at its end."""
    one = sdk.evals.create(name="sums", data_source_config=CONFIG, testing_criteria=graders)
    run = sdk.evals.runs.create(one.id, name="first", data_source=source)
    assert run.status == "queued"

    def look() -> Any:
        found = sdk.evals.runs.retrieve(run.id, eval_id=one.id)
        return found if found.status in ("completed", "failed", "canceled") else None

    return eventually(look)


def passed(sdk: openai.OpenAI, run: Any) -> list[list[bool]]:
    """Of each item, whether it passed each grader."""
    items = list(sdk.evals.runs.output_items.list(run.id, eval_id=run.eval_id, limit=1))
    return [[bool(result.passed) for result in item.results] for item in items]


def test_an_eval_from_creation_to_deletion(sdk: openai.OpenAI) -> None:
    made = sdk.evals.create(name="sums", data_source_config=CONFIG, testing_criteria=[check()], metadata={"a": "b"})
    config: Any = made.data_source_config
    assert made.id.startswith("eval_") and config.type == "custom"
    assert config.to_dict()["schema"]["properties"]["item"] == SCHEMA
    assert made.testing_criteria[0].name == "same" and sdk.evals.retrieve(made.id).name == "sums"
    other = sdk.evals.create(data_source_config=CONFIG, testing_criteria=[check()])
    assert [one.id for one in sdk.evals.list(limit=1)] == [made.id, other.id]
    assert [one.id for one in sdk.evals.list(order="desc").data] == [other.id, made.id]
    changed = sdk.evals.update(made.id, name="more", metadata={"c": "d"})
    assert (changed.name, changed.metadata) == ("more", {"c": "d"})
    assert sdk.evals.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No eval found with id '{made.id}'"):
        sdk.evals.retrieve(made.id)


@pytest.mark.parametrize("kind", ["completions", "responses"])
def test_a_run_asks_a_model_and_judges_its_answers(sdk: openai.OpenAI, kind: str) -> None:
    options = {"temperature": 0.5, "max_completion_tokens": 50, "seed": 1}
    source = {
        "type": kind,
        "model": "gpt-4o",
        "source": FILE_CONTENT,
        "input_messages": TEMPLATE,
        "sampling_params": options,
    }
    run = judged(sdk, [check()], source)
    assert (run.status, run.model, run.name, run.error) == ("completed", "gpt-4o", "first", None)
    counts = run.result_counts
    assert (counts.total, counts.passed, counts.failed, counts.errored) == (2, 1, 1, 0)
    assert (run.per_testing_criteria_results[0].passed, run.per_testing_criteria_results[0].failed) == (1, 1)
    good, bad = list(sdk.evals.runs.output_items.list(run.id, eval_id=run.eval_id))
    assert (good.status, bad.status) == ("pass", "fail") and good.datasource_item == ITEMS[0]["item"]
    assert good.sample.output[0].content == "42" and bad.sample.output[0].content == "2"
    assert good.sample.input[0].content == "What is 12 + 30?" and good.sample.temperature == 0.5
    (spent,) = run.per_model_usage
    assert spent.invocation_count == 2
    assert spent.total_tokens == good.sample.usage.total_tokens + bad.sample.usage.total_tokens > 0
    only = sdk.evals.runs.output_items.list(run.id, eval_id=run.eval_id, status="fail").data
    assert [item.id for item in only] == [bad.id]
    assert sdk.evals.runs.output_items.retrieve(bad.id, eval_id=run.eval_id, run_id=run.id).id == bad.id


@pytest.mark.parametrize(
    ("operation", "given", "wanted", "result"),
    [
        ("eq", "a", "a", True),
        ("eq", "a", "A", False),
        ("ne", "a", "b", True),
        ("like", "a big cat", "big", True),
        ("like", "a big cat", "BIG", False),
        ("ilike", "a big cat", "BIG", True),
        ("eq", "{{item.ask}} {{item.n}} {{item.none}}!", "hello 5 !", True),
    ],
)
def test_string_checks(sdk: openai.OpenAI, operation: str, given: str, wanted: str, result: bool) -> None:
    content = [{"item": {"ask": "hello", "n": 5}}]
    source = {"type": "jsonl", "source": {"type": "file_content", "content": content}}
    assert passed(sdk, judged(sdk, [check(operation, given, wanted)], source)) == [[result]]


def test_likeness_and_models_as_graders(sdk: openai.OpenAI) -> None:
    def like(metric: str, least: float) -> Any:
        texts = {"input": "the big cat sat", "reference": "the big dog sat"}
        return {
            "type": "text_similarity",
            "name": metric,
            "evaluation_metric": metric,
            "pass_threshold": least,
            **texts,
        }

    label = {"type": "label_model", "name": "l", "model": "gpt-4o", "labels": ["warm", "cold"]}
    label |= {"passing_labels": ["warm"], "input": user("The stove is {{item.ask}}")}
    score = {"type": "score_model", "name": "s", "model": "gpt-4o", "range": [0, 10], "pass_threshold": 8}
    score |= {"input": user("Give {{item.n}} points")}
    graders = [
        like("fuzzy_match", 0.7),
        like("rouge_1", 0.75),
        like("rouge_1", 0.76),
        like("rouge_3", 0.1),
        label,
        score,
    ]
    content = [{"item": {"ask": "warm", "n": 9}}, {"item": {"ask": "cold", "n": 3}}]
    run = judged(sdk, graders, {"type": "jsonl", "source": {"type": "file_content", "content": content}})
    alike = [True, True, False, False]
    assert passed(sdk, run) == [[*alike, True, True], [*alike, False, False]]


def test_items_out_of_files_and_refused_models(sdk: openai.OpenAI) -> None:
    data = "\n".join(json.dumps(row) for row in ITEMS).encode()
    file = sdk.files.create(file=("items.jsonl", data), purpose="evals").id
    source = {"type": "completions", "model": "gpt-4o", "source": {"type": "file_id", "id": file}}
    messages = {"type": "item_reference", "item_reference": "item.ask"}
    run = judged(sdk, [check()], {**source, "input_messages": messages})
    assert run.result_counts.errored == 2 and run.result_counts.passed == 0
    item = sdk.evals.runs.output_items.list(run.id, eval_id=run.eval_id).data[0]
    assert item.sample.error and item.sample.error.code == "empty_array" and item.status == "fail"


def test_cancelling_and_deleting_runs(sdk: openai.OpenAI) -> None:
    one = sdk.evals.create(data_source_config=CONFIG, testing_criteria=[check()])
    source: Any = {"type": "jsonl", "source": FILE_CONTENT}
    run = sdk.evals.runs.create(one.id, data_source=source, metadata={"x": "[[speed:0.01]]"})
    assert sdk.evals.runs.cancel(run.id, eval_id=one.id).status == "canceled"
    assert sdk.evals.runs.retrieve(run.id, eval_id=one.id).status == "canceled"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a run"):
        sdk.evals.runs.cancel(run.id, eval_id=one.id)
    assert [each.id for each in sdk.evals.runs.list(one.id, status="canceled")] == [run.id]
    assert sdk.evals.runs.list(one.id, status="completed").data == []
    assert sdk.evals.runs.delete(run.id, eval_id=one.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No run found with id '{run.id}'"):
        sdk.evals.runs.retrieve(run.id, eval_id=one.id)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"data_source_config": None}, "data_source_config"),
        ({"data_source_config": {"type": "custom"}}, "data_source_config.item_schema"),
        ({"testing_criteria": []}, "testing_criteria"),
        ({"testing_criteria": [{**check(), "operation": "near"}]}, "testing_criteria[0].operation"),
        ({"testing_criteria": [{"type": "python", "name": "p", "source": "x"}]}, "testing_criteria[0].type"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_evals(sandbox: Sandbox, sdk: openai.OpenAI, change: Any, param: str) -> None:
    body = {"data_source_config": CONFIG, "testing_criteria": [check()], **change}
    head = {"authorization": f"Bearer {sdk.api_key}"}
    reply = sandbox.http.post(f"{sandbox.url}/openai/v1/evals", json=body, headers=head)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("source", "status", "param"),
    [
        (None, 400, "data_source"),
        ({"type": "jsonl", "source": {"type": "file_content", "content": []}}, 400, "data_source.source.content"),
        (
            {"type": "jsonl", "source": {"type": "file_content", "content": [{"item": {}}]}},
            400,
            "data_source.source.content",
        ),
        ({"type": "jsonl", "source": {"type": "file_id", "id": "file-none"}}, 404, "data_source.source.id"),
        ({"type": "jsonl", "source": {"type": "stored_completions"}}, 400, "data_source.source.type"),
        (
            {"type": "completions", "model": "none", "source": FILE_CONTENT, "input_messages": TEMPLATE},
            400,
            "data_source.model",
        ),
    ],
)
def test_bad_runs(sandbox: Sandbox, sdk: openai.OpenAI, source: Any, status: int, param: str) -> None:
    one = sdk.evals.create(data_source_config=CONFIG, testing_criteria=[check()])
    head = {"authorization": f"Bearer {sdk.api_key}"}
    url = f"{sandbox.url}/openai/v1/evals/{one.id}/runs"
    reply = sandbox.http.post(url, json={"data_source": source}, headers=head)
    assert (reply.status_code, reply.json()["error"]["param"]) == (status, param)
    assert sdk.evals.runs.list(one.id).data == []
    with pytest.raises(openai.NotFoundError, match="No eval found"):
        sandbox.openai(key=f"sk-{secrets.token_hex(8)}").evals.runs.list(one.id)
