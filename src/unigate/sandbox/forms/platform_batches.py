"""The operations of batches: create, show, list, cancel.

https://platform.openai.com/docs/api-reference/batch
"""

from unigate.sandbox.forms import batch_run, checks, platform, platform_files
from unigate.sandbox.forms.batch_run import Batch
from unigate.sandbox.forms.models import Models
from unigate.sandbox.serving import inner
from unigate.sandbox.serving.answer import Answer, VendorError
from unigate.sandbox.serving.face import Call, Face, Route
from unigate.sandbox.serving.jobs import Stage

#: The operations that lines may call.
_ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
)
_CREATED = ("input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after")


def routes(face: Face, models: Models) -> tuple[Route, ...]:
    """All operations of batches, whose lines call operations of that face."""
    work = inner.worker(face)

    async def create(call: Call) -> Answer:
        """POST /batches."""
        batch = _create(call)
        data = platform_files.read(call.world, platform_files.needed(call, batch.input))
        call.world.cabinet.of(Batch, call.credential).put(batch.id, batch)
        call.world.jobs.keep(batch_run.run(call, batch, data, models, work))
        await call.world.jobs.accepted(batch.job)
        return platform.answer(batch.shown())

    return (
        Route("POST", "/v1/batches", create),
        Route("GET", "/v1/batches", _list),
        Route("GET", "/v1/batches/{id}", _get),
        Route("POST", "/v1/batches/{id}/cancel", _cancel),
    )


def _create(call: Call) -> Batch:
    body = platform.body(call, _CREATED)
    id = checks.text(body, "input_file_id", "input_file_id", required=True)
    for name in ("endpoint", "completion_window"):
        checks.text(body, name, name, required=True)
    endpoint = checks.one_of(body["endpoint"], "endpoint", _ENDPOINTS)
    checks.one_of(body["completion_window"], "completion_window", ("24h",))
    lasts = platform_files.lasting(body.get("output_expires_after"), "output_expires_after")
    pairs = platform.metadata(body.get("metadata"))
    upload = platform_files.needed(call, platform.begins(id, "input_file_id", "file"), "input_file_id")
    if upload.purpose != "batch":
        told = f"Invalid file: expected a file with purpose 'batch', but got '{upload.purpose}'."
        raise checks.refuse(told, "input_file_id", "invalid_value")
    new = platform.hex_id("batch_", 32)
    job = platform.begun(call, new, ((0.0, Stage(name="validating")),), Stage(name="failed", ended=True))
    return Batch(id=new, endpoint=endpoint, input=upload.id, metadata=pairs, lasts=lasts, job=job)


def _batch(call: Call) -> Batch:
    id = call.params["id"]
    kept = call.world.cabinet.of(Batch, call.credential).get(platform.begins(id, "batch_id", "batch"))
    lost = kept is not None and not call.world.jobs.poll(id, call.credential, call.fault)
    return platform.found(None if lost else kept, f"No batch found with id '{id[:100]}'.")


async def _list(call: Call) -> Answer:
    """GET /batches."""
    rows = [batch.shown() for batch in call.world.cabinet.of(Batch, call.credential).all()]
    return platform.answer(platform.page(call, rows))


async def _get(call: Call) -> Answer:
    """GET /batches/{id}."""
    return platform.answer(_batch(call).shown())


async def _cancel(call: Call) -> Answer:
    """POST /batches/{id}/cancel."""
    batch = _batch(call)
    if batch.status not in ("validating", "in_progress", "cancelling"):
        raise VendorError(409, f"Cannot cancel a batch with status '{batch.status}'.")
    if batch.status != "cancelling":
        batch.enter("cancelling")
        batch.cancelled.set()
    return platform.answer(batch.shown())
