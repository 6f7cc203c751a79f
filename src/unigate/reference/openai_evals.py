"""Evals: `/v1/evals`."""

from unigate.reference.page import Page
from unigate.reference.passed import PAGED, WHEN, Kept, page_of, shown_page
from unigate.reference.schema import ANYTHING, Schema, flag, many, mapping, maybe, only, record, ref, text, whole
from unigate.reference.shared import METADATA

_ID, _RUN, _ITEM = "eval_67ee0a1b2c3d", "evalrun_67ee0a1b2c3d", "outputitem_67ee0a1b2c3d"
_KEPT = Kept(family="evals", places={"id": _ID, "run_id": _RUN, "item_id": _ITEM})
_SOURCE = {
    "type": "custom",
    "item_schema": {"type": "object", "properties": {"said": {"type": "string"}, "wanted": {"type": "string"}}},
}
_GRADER = {
    "type": "string_check",
    "name": "the same",
    "input": "{{item.said}}",
    "reference": "{{item.wanted}}",
    "operation": "eq",
}
_SHOWN = {
    "id": _ID,
    "object": "eval",
    "created_at": 1790000000,
    "name": "Greetings",
    "data_source_config": {"type": "custom", "schema": {}},
    "testing_criteria": [_GRADER],
    "metadata": {},
}
_ROWS = {
    "type": "jsonl",
    "source": {"type": "file_content", "content": [{"item": {"said": "Hello", "wanted": "Hello"}}]},
}
_SHOWN_RUN = {
    "id": _RUN,
    "object": "eval.run",
    "eval_id": _ID,
    "created_at": 1790000000,
    "name": "first",
    "status": "completed",
    "model": None,
    "report_url": "https://example.com/report",
    "result_counts": {"total": 1, "passed": 1, "failed": 0, "errored": 0},
    "per_model_usage": None,
    "per_testing_criteria_results": None,
    "data_source": _ROWS,
    "metadata": {},
    "error": None,
}
_SHOWN_ITEM = {
    "id": _ITEM,
    "object": "eval.run.output_item",
    "created_at": 1790000000,
    "run_id": _RUN,
    "eval_id": _ID,
    "status": "pass",
    "datasource_item_id": 0,
    "datasource_item": {"said": "Hello", "wanted": "Hello"},
    "results": [{"name": "the same", "passed": True, "score": 1.0}],
    "sample": None,
}
_PAGED: dict[str, Schema] = {name: one for name, one in PAGED.items() if name != "before"}
_DELETED = record({"deleted": flag(), "object": text()}, needs=("deleted",))
_STATUS = {"status": text("Only those in this state.")}
PAGE = Page(
    title="Evals",
    about="Checks of what models say, run by the provider. Models that it asks while doing so are not charged for here.",
    entries=(
        _KEPT.entry(
            "create",
            "Create an eval",
            "What is checked, and how. Only rows of your own (`custom`): what is stored with the provider may be another user's.",
            ref("Eval"),
            _SHOWN,
            places="",
            request=record(
                {
                    "name": text(),
                    "data_source_config": record(
                        {"type": only("custom"), "item_schema": mapping(ANYTHING), "include_sample_schema": flag()},
                        "What a row looks like.",
                        needs=("type", "item_schema"),
                    ),
                    "testing_criteria": many(mapping(ANYTHING), "Graders: `string_check`, `score_model`, ..."),
                    "metadata": METADATA,
                },
                needs=("data_source_config", "testing_criteria"),
            ),
            body={"name": "Greetings", "data_source_config": _SOURCE, "testing_criteria": [_GRADER]},
            status=201,
        ),
        _KEPT.entry(
            "list",
            "List evals",
            "Those of the key's user, the oldest first unless told.",
            page_of(ref("Eval")),
            shown_page(_SHOWN),
            places="",
            query=PAGED,
        ),
        _KEPT.entry("get", "Get an eval", "As it is now.", ref("Eval"), _SHOWN),
        _KEPT.entry(
            "update",
            "Change an eval",
            "Its name or notes.",
            ref("Eval"),
            _SHOWN,
            request=record({"name": text(), "metadata": METADATA}),
            body={"name": "Farewells"},
        ),
        _KEPT.entry(
            "delete",
            "Delete an eval",
            "Its runs go with it.",
            _DELETED,
            {"object": "eval.deleted", "deleted": True, "eval_id": _ID},
        ),
        _KEPT.entry(
            "runs.create",
            "Run an eval",
            "On rows in the call, or on a file of yours, by a model or without one.",
            ref("EvalRun"),
            {**_SHOWN_RUN, "status": "queued"},
            request=record(
                {
                    "name": text(),
                    "data_source": mapping(
                        ANYTHING, "`jsonl`, `completions` or `responses`, with its `source` of rows."
                    ),
                    "metadata": METADATA,
                },
                needs=("data_source",),
            ),
            body={"name": "first", "data_source": _ROWS},
            status=201,
        ),
        _KEPT.entry(
            "runs.list",
            "List runs",
            "Those of an eval.",
            page_of(ref("EvalRun")),
            shown_page(_SHOWN_RUN),
            query={**_PAGED, **_STATUS},
        ),
        _KEPT.entry("runs.get", "Get a run", "How far it is.", ref("EvalRun"), _SHOWN_RUN, places="id run_id"),
        _KEPT.entry(
            "runs.cancel",
            "Cancel a run",
            "One that has not ended.",
            ref("EvalRun"),
            {**_SHOWN_RUN, "status": "canceled"},
            places="id run_id",
            posts=True,
        ),
        _KEPT.entry(
            "runs.cancel_here",
            "Cancel a run by a POST of it",
            "The same, as the vendor's documents have it.",
            ref("EvalRun"),
            {**_SHOWN_RUN, "status": "canceled"},
            places="id run_id",
            posts=True,
        ),
        _KEPT.entry(
            "runs.delete",
            "Delete a run",
            "Its results go with it.",
            _DELETED,
            {"object": "eval.run.deleted", "deleted": True, "run_id": _RUN},
            places="id run_id",
        ),
        _KEPT.entry(
            "runs.output_items.list",
            "List results",
            "One for each row of a run.",
            page_of(ref("EvalOutputItem")),
            shown_page(_SHOWN_ITEM),
            places="id run_id",
            query={**_PAGED, **_STATUS},
        ),
        _KEPT.entry(
            "runs.output_items.get",
            "Get a result",
            "Of a run.",
            ref("EvalOutputItem"),
            _SHOWN_ITEM,
            places="id run_id item_id",
        ),
    ),
    schemas={
        "Eval": record(
            {
                "id": text(),
                "object": only("eval"),
                "created_at": WHEN,
                "name": maybe(text()),
                "data_source_config": mapping(ANYTHING),
                "testing_criteria": many(mapping(ANYTHING)),
                "metadata": METADATA,
            },
            "An eval.",
            needs=("id", "object", "created_at", "data_source_config", "testing_criteria"),
        ),
        "EvalRun": record(
            {
                "id": text(),
                "object": only("eval.run"),
                "eval_id": text(),
                "created_at": WHEN,
                "name": maybe(text()),
                "status": text("`queued`, `in_progress`, `completed`, `failed`, `canceled`."),
                "model": maybe(text()),
                "report_url": maybe(text()),
                "result_counts": maybe(mapping(whole(low=0))),
                "data_source": maybe(mapping(ANYTHING)),
                "metadata": METADATA,
                "error": maybe(mapping(ANYTHING)),
            },
            "A run of an eval.",
            needs=("id", "object", "eval_id", "created_at", "status"),
        ),
        "EvalOutputItem": record(
            {
                "id": text(),
                "object": only("eval.run.output_item"),
                "created_at": WHEN,
                "run_id": text(),
                "eval_id": text(),
                "status": text(),
                "datasource_item": maybe(mapping(ANYTHING)),
                "results": maybe(many(mapping(ANYTHING))),
                "sample": maybe(mapping(ANYTHING)),
            },
            "What came of one row.",
            needs=("id", "object", "run_id", "eval_id", "status"),
        ),
    },
)
