"""OpenAI's evals, their runs, and what came out of them; kept by the provider.

https://platform.openai.com/docs/api-reference/evals
"""

from functools import partial

from unigate.dialects import openai_passed
from unigate.dialects.openai_errors import write_error

__all__ = ["OPERATIONS", "write_error"]

_row = partial(openai_passed.row, "evals", "eval")
_SOURCE = "data_source.source.id"
_GRADERS = ("testing_criteria.*.model", "testing_criteria.*.graders.*.model")

OPERATIONS = (
    _row("create", "POST /evals", body="json", models=_GRADERS),
    _row("list", "GET /evals"),
    _row("get", "GET /evals/{id}"),
    _row("update", "POST /evals/{id}", body="json"),
    _row("delete", "DELETE /evals/{id}"),
    _row(
        "runs.create",
        "POST /evals/{id}/runs",
        body="json",
        files=(_SOURCE,),
        shows_files=(_SOURCE,),
        models=("data_source.model",),
    ),
    _row("runs.list", "GET /evals/{id}/runs", shows_files=(f"data.*.{_SOURCE}",)),
    _row("runs.get", "GET /evals/{id}/runs/{run_id}", shows_files=(_SOURCE,)),
    _row("runs.cancel", "POST /evals/{id}/runs/{run_id}/cancel", shows_files=(_SOURCE,)),
    _row("runs.cancel_here", "POST /evals/{id}/runs/{run_id}", shows_files=(_SOURCE,)),
    _row("runs.delete", "DELETE /evals/{id}/runs/{run_id}"),
    _row("runs.output_items.list", "GET /evals/{id}/runs/{run_id}/output_items"),
    _row("runs.output_items.get", "GET /evals/{id}/runs/{run_id}/output_items/{item_id}"),
)
