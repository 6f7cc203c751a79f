"""Reads and checks what calls say of evals and their runs: where items come from, and which graders judge."""

from collections.abc import Sequence
from typing import Any

from unigate.sandbox.forms import checks, eval_graders, jsonl, platform, platform_files
from unigate.sandbox.forms.models import Models
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call

_CONFIGS = ("custom", "logs", "stored_completions")
_SOURCES = ("jsonl", "completions", "responses")
_MOST_ROWS = 10_000
_SAMPLE: Object = {
    "type": "object",
    "properties": {"output_text": {"type": "string"}, "model": {"type": "string"}},
    "required": ["output_text", "model"],
}


def config(value: Any) -> Object:
    """Where the items of an eval come from, as it is shown."""
    at = "data_source_config"
    if value is None:
        raise checks.missing(at)
    given = checks.mapping(value, at)
    kind = checks.one_of(given.get("type"), f"{at}.type", _CONFIGS)
    if kind != "custom":
        metadata = platform.metadata(given.get("metadata"), f"{at}.metadata")
        return {"type": kind, "metadata": metadata, "schema": _schema({"type": "object"}, sample=True)}
    if given.get("item_schema") is None:
        raise checks.missing(f"{at}.item_schema")
    item = checks.mapping(given["item_schema"], f"{at}.item_schema")
    return {"type": "custom", "schema": _schema(item, sample=bool(given.get("include_sample_schema")))}


def _schema(item: Object, *, sample: bool) -> Object:
    properties = {"item": item, **({"sample": _SAMPLE} if sample else {})}
    return {"type": "object", "properties": properties, "required": list(properties)}


def graders(value: Any) -> list[Object]:
    """The graders of an eval."""
    if value is None:
        raise checks.missing("testing_criteria")
    listed = checks.listed(value, "testing_criteria", least=1)
    return [eval_graders.checked(one, f"testing_criteria[{place}]") for place, one in enumerate(listed)]


def source(value: Any, models: Models) -> Object:
    """What a run judges, and which model is asked."""
    if value is None:
        raise checks.missing("data_source")
    given = checks.mapping(value, "data_source")
    kind = checks.one_of(given.get("type"), "data_source.type", _SOURCES)
    inner = checks.mapping(given.get("source"), "data_source.source")
    where = checks.text(inner, "type", "data_source.source.type", required=True)
    if where in ("stored_completions", "responses", "logs"):
        told = "The sandbox judges items of files and of calls only."
        raise checks.refuse(told, "data_source.source.type", "unsupported_value")
    checks.one_of(where, "data_source.source.type", ("file_content", "file_id"))
    if kind == "jsonl":
        return {name: one for name, one in given.items() if name != "model"}
    name = checks.text(given, "model", "data_source.model", required=True)
    if models.find(name) is None:
        raise checks.refuse(f"The model '{name}' does not exist.", "data_source.model", "model_not_found")
    template = checks.mapping(given.get("input_messages"), "data_source.input_messages")
    at = "data_source.input_messages"
    if checks.one_of(template.get("type"), f"{at}.type", ("template", "item_reference")) == "template":
        checks.listed(template.get("template"), f"{at}.template", least=1)
    checks.mapping(checks.given(given, "sampling_params", {}), "data_source.sampling_params")
    return given


def rows(call: Call, given: Object, needed: Sequence[str]) -> list[Object]:
    """The items of a run, each of which has what its eval's schema needs."""
    inner = given["source"]
    at = f"data_source.source.{'content' if inner['type'] == 'file_content' else 'id'}"
    if inner["type"] == "file_content":
        listed = checks.listed(inner.get("content"), at, most=_MOST_ROWS)
    else:
        id = platform.begins(checks.text(inner, "id", at, required=True), at, "file")
        data = platform_files.read(call.world, platform_files.needed(call, id, at))
        listed = [row for _, row in jsonl.read(data)][:_MOST_ROWS]
    for number, row in enumerate(listed, 1):
        item = row.get("item") if isinstance(row, dict) else None
        lacking = [name for name in needed if name not in item] if isinstance(item, dict) else ["item"]
        if lacking:
            told = f"Invalid data source: row {number} lacks '{lacking[0]}', which the schema of the eval requires."
            raise checks.refuse(told, at, "invalid_value")
    if not listed:
        raise checks.refuse("Invalid data source: it has no items.", at, "empty_array")
    return listed
