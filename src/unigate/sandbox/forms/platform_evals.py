"""The operations of evals, their runs, and what came out of those.

https://platform.openai.com/docs/api-reference/evals
"""

from dataclasses import dataclass, field, replace

from unigate.sandbox.forms import checks, eval_request, eval_run, platform
from unigate.sandbox.forms.eval_run import ENDED, Run
from unigate.sandbox.forms.models import Models
from unigate.sandbox.serving import inner
from unigate.sandbox.serving.answer import Answer, Object
from unigate.sandbox.serving.cabinet import Drawer
from unigate.sandbox.serving.face import Call, Face, Route
from unigate.sandbox.serving.jobs import Stage

_MOST_RUNS = 1_000
_CREATED = 201
_STATUSES = ("queued", "in_progress", *ENDED)


@dataclass(slots=True, kw_only=True, eq=False)
class Eval:
    """One eval."""

    id: str
    name: str
    metadata: Object
    config: Object
    graders: list[Object]
    made: int = field(default_factory=platform.now)
    runs: Drawer[Run] = field(default_factory=lambda: Drawer(_MOST_RUNS))

    def shown(self) -> Object:
        """The eval as the vendor tells it."""
        return {
            "object": "eval",
            "id": self.id,
            "name": self.name,
            "data_source_config": self.config,
            "testing_criteria": self.graders,
            "created_at": self.made,
            "metadata": self.metadata,
        }


def routes(face: Face, models: Models) -> tuple[Route, ...]:
    """All operations of evals, whose runs call operations of that face."""
    work = inner.worker(face)

    async def create_run(call: Call) -> Answer:
        """POST /evals/{id}/runs."""
        one = _eval(call)
        run = _new_run(call, one, models)
        one.runs.put(run.id, run)
        call.world.jobs.keep(eval_run.work(call, run, work))
        await call.world.jobs.accepted(run.job)
        return replace(platform.answer(run.shown()), status=_CREATED)

    one, run = "/v1/evals/{id}", "/v1/evals/{id}/runs/{run}"
    return (
        Route("POST", "/v1/evals", _create),
        Route("GET", "/v1/evals", _list),
        Route("GET", one, _get),
        Route("POST", one, _update),
        Route("DELETE", one, _delete),
        Route("POST", f"{one}/runs", create_run),
        Route("GET", f"{one}/runs", _list_runs),
        Route("GET", run, _get_run),
        # The description says the first, the official SDKs call the second.
        Route("POST", run, _cancel_run),
        Route("POST", f"{run}/cancel", _cancel_run),
        Route("DELETE", run, _delete_run),
        Route("GET", f"{run}/output_items", _list_items),
        Route("GET", f"{run}/output_items/{{item}}", _get_item),
    )


async def _create(call: Call) -> Answer:
    """POST /evals."""
    body = platform.body(call, ("name", "metadata", "data_source_config", "testing_criteria"))
    made = Eval(
        id=platform.hex_id("eval_", 32),
        name=checks.text(body, "name", "name"),
        metadata=platform.metadata(body.get("metadata")),
        config=eval_request.config(body.get("data_source_config")),
        graders=eval_request.graders(body.get("testing_criteria")),
    )
    call.world.cabinet.of(Eval, call.credential).put(made.id, made)
    return replace(platform.answer(made.shown()), status=_CREATED)


def _new_run(call: Call, one: Eval, models: Models) -> Run:
    body = platform.body(call, ("name", "metadata", "data_source"))
    source = eval_request.source(body.get("data_source"), models)
    id = platform.hex_id("evalrun_", 32)
    return Run(
        id=id,
        eval=one.id,
        name=checks.text(body, "name", "name"),
        metadata=platform.metadata(body.get("metadata")),
        source=source,
        rows=eval_request.rows(call, source, one.config["schema"]["properties"]["item"].get("required") or ()),
        graders=one.graders,
        job=platform.begun(call, id, ((0.0, Stage(name="queued")),), Stage(name="failed", ended=True)),
    )


def _eval(call: Call) -> Eval:
    id = call.params["id"]
    kept = call.world.cabinet.of(Eval, call.credential).get(platform.begins(id, "eval_id", "eval_"))
    return platform.found(kept, f"No eval found with id '{id[:100]}'.")


async def _list(call: Call) -> Answer:
    """GET /evals."""
    checks.one_of(call.query.get("order_by", "created_at"), "order_by", ("created_at", "updated_at"))
    rows = [one.shown() for one in call.world.cabinet.of(Eval, call.credential).all()]
    return platform.answer(platform.page(call, rows, order="asc"))


async def _get(call: Call) -> Answer:
    """GET /evals/{id}."""
    return platform.answer(_eval(call).shown())


async def _update(call: Call) -> Answer:
    """POST /evals/{id}."""
    one = _eval(call)
    body = platform.body(call, ("name", "metadata"))
    name, pairs = checks.text(body, "name", "name"), platform.metadata(body.get("metadata"))
    one.name = name or one.name
    one.metadata = pairs if body.get("metadata") is not None else one.metadata
    return platform.answer(one.shown())


async def _delete(call: Call) -> Answer:
    """DELETE /evals/{id}."""
    one = _eval(call)
    call.world.cabinet.of(Eval, call.credential).drop(one.id)
    for run in one.runs.all():
        run.cancel()
    return platform.answer({"object": "eval.deleted", "deleted": True, "eval_id": one.id})


async def _list_runs(call: Call) -> Answer:
    """GET /evals/{id}/runs."""
    wanted = call.query.get("status")
    if wanted is not None:
        checks.one_of(wanted, "status", _STATUSES)
    rows = [run.shown() for run in _eval(call).runs.all() if wanted in (None, run.status)]
    return platform.answer(platform.page(call, rows, order="asc"))


def _run(call: Call) -> Run:
    one, id = _eval(call), call.params["run"]
    kept = one.runs.get(id)
    lost = kept is not None and not call.world.jobs.poll(id, call.credential, call.fault)
    return platform.found(None if lost else kept, f"No run found with id '{id[:100]}' in eval '{one.id}'.")


async def _get_run(call: Call) -> Answer:
    """GET /evals/{id}/runs/{run}."""
    return platform.answer(_run(call).shown())


async def _cancel_run(call: Call) -> Answer:
    """POST /evals/{id}/runs/{run}."""
    run = _run(call)
    if run.status in ENDED:
        raise checks.refuse(f"Cannot cancel a run with status '{run.status}'.", None)
    run.cancel()
    return platform.answer(run.shown())


async def _delete_run(call: Call) -> Answer:
    """DELETE /evals/{id}/runs/{run}."""
    run = _run(call)
    run.cancel()
    _eval(call).runs.drop(run.id)
    return platform.answer({"object": "eval.run.deleted", "deleted": True, "run_id": run.id})


async def _list_items(call: Call) -> Answer:
    """GET /evals/{id}/runs/{run}/output_items."""
    wanted = call.query.get("status")
    if wanted is not None:
        checks.one_of(wanted, "status", ("pass", "fail"))
    rows = [item for item in _run(call).items.all() if wanted in (None, item["status"])]
    return platform.answer(platform.page(call, rows, order="asc"))


async def _get_item(call: Call) -> Answer:
    """GET /evals/{id}/runs/{run}/output_items/{item}."""
    run, id = _run(call), call.params["item"]
    return platform.answer(platform.found(run.items.get(id), f"No output item found with id '{id[:100]}'."))
