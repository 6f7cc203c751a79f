"""Replicate: models for pictures and films, asked by version, by name or by deployment, that answer later.

https://replicate.com/docs/reference/http
"""

from collections.abc import Mapping
from datetime import datetime

from starlette.datastructures import Headers

from unigate.sandbox.forms import replicate_catalogue as catalogue
from unigate.sandbox.forms import replicate_errors as errors
from unigate.sandbox.forms import replicate_files as uploads
from unigate.sandbox.forms import replicate_hooks, replicate_request, replicate_run, replicate_stream
from unigate.sandbox.forms.replicate_models import DEPLOYMENTS, MODELS, Model
from unigate.sandbox.forms.replicate_pages import page
from unigate.sandbox.forms.replicate_prediction import CANCELED, Prediction, reached, shown, stage_at
from unigate.sandbox.forms.replicate_request import Asked
from unigate.sandbox.serving.answer import Answer, Stream, Whole
from unigate.sandbox.serving.face import Call, Face, Handler, Route
from unigate.sandbox.serving.jobs import Job

#: Stands for a caller without a token: streams and downloads are opened by their address.
_NOBODY = "nobody"
_CREATE_LIMIT, _LIMIT = 600, 3000


def _credential(headers: Headers) -> str:
    """The token of `Authorization: Bearer ...`, or of the older `Token ...`."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return (secret.strip() if scheme.lower() in ("bearer", "token") else "") or _NOBODY


def _known(handler: Handler) -> Handler:
    async def handle(call: Call) -> Answer:
        """Ask for a token first."""
        if call.credential == _NOBODY:
            raise errors.failure(401)
        return await handler(call)

    return handle


def _base(call: Call) -> str:
    return f"{replicate_run.origin(call)}/replicate/v1"


def _limits(limit: int) -> tuple[tuple[str, str], ...]:
    return (
        ("ratelimit-limit", str(limit)),
        ("ratelimit-remaining", str(limit - 1)),
        ("ratelimit-reset", "1"),
    )


# Predictions.


async def _by_version(call: Call) -> Answer:
    return await _create(call, replicate_request.by_version(call.body, call.headers))


async def _by_model(call: Call) -> Answer:
    model = _model(call.params)
    if not model.official:
        raise errors.failure(404)
    return await _create(call, replicate_request.by_model(call.body, call.headers, model))


async def _by_deployment(call: Call) -> Answer:
    name = f"{call.params['owner']}/{call.params['name']}"
    model = DEPLOYMENTS.get(name)
    if model is None:
        raise errors.failure(404)
    return await _create(call, replicate_request.by_model(call.body, call.headers, model, name))


async def _create(call: Call, asked: Asked) -> Answer:
    """Begin a prediction, and wait for its end as long as the caller wants to."""
    if "broke" in call.credential:
        raise errors.failure(402)
    job = await replicate_run.begin(call, asked)
    ended = bool(asked.wait) and await replicate_run.finished(job, call.world, asked.wait)
    headers = _limits(_CREATE_LIMIT)
    if asked.wait:
        headers += (("preference-applied", f"wait={asked.wait}"),)
    # What has not ended when the wait is over is told as it began: clients take any other state for the end.
    return Whole(
        payload=shown(job, None if ended else 0),
        status=202 if asked.wait and not ended else 201,
        headers=headers,
        model=asked.model.name,
        usage={"predictions": 1},
    )


def _mine(call: Call, *, polled: bool = False) -> Job:
    """The prediction that a call is about."""
    jobs, id = call.world.jobs, call.params["id"]
    job = jobs.poll(id, call.credential, call.fault) if polled else jobs.get(id, call.credential)
    if job is None or not isinstance(job.data, Prediction):
        raise errors.failure(404)
    return job


async def _get(call: Call) -> Answer:
    return Whole(payload=shown(_mine(call, polled=True)))


async def _cancel(call: Call) -> Answer:
    job = _mine(call)
    if not stage_at(job, reached(job)).ended:
        job.end(CANCELED)
    return Whole(payload=shown(job))


async def _list(call: Call) -> Answer:
    """All predictions of the account, the newest first; none was made on the vendor's page (`source=web`)."""
    query = dict(call.query)
    since, until = _moment(query, "created_after"), _moment(query, "created_before")
    if query.get("source", "web") != "web":
        raise errors.invalid([("enum", "source", 'source must be one of the following: "web"')])
    found = [
        job
        for job in call.world.jobs.of(call.credential)
        if isinstance(job.data, Prediction)
        and "source" not in query
        and (since is None or job.made_ms > since)
        and (until is None or job.made_ms < until)
    ]
    return Whole(payload=page(found, query, f"{_base(call)}/predictions", id=lambda job: job.id, show=shown))


def _moment(query: Mapping[str, str], name: str) -> float | None:
    """A moment in a query, in milliseconds since 1970."""
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name].replace(" ", "+"))
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise errors.invalid([("format", name, "Does not match format 'date-time'")]) from None
    return moment.timestamp() * 1000


async def _stream(call: Call) -> Answer:
    """Logs and outputs as they come; whoever knows the address may read."""
    job = call.world.shelf.get(call.params["token"], "")
    if not isinstance(job, Job) or job.id not in call.world.jobs:
        raise errors.failure(404)
    return Stream(
        events=replicate_stream.events(job),
        headers=(("cache-control", "no-store"),),
        media_type="text/event-stream",
        model=job.data.asked.model.name,
        pace=0,
    )


# Models and accounts.


def _model(params: Mapping[str, str]) -> Model:
    model = MODELS.get(f"{params['owner']}/{params['name']}")
    if model is None:
        raise errors.failure(404)
    return model


async def _models(call: Call) -> Answer:
    address = f"{_base(call)}/models"
    listed = page(tuple(MODELS.values()), dict(call.query), address, id=lambda one: one.name, show=catalogue.model)
    return Whole(payload=listed)


async def _get_model(call: Call) -> Answer:
    return Whole(payload=catalogue.model(_model(call.params)))


async def _versions(call: Call) -> Answer:
    results = [catalogue.version(_model(call.params))]
    return Whole(payload={"previous": None, "next": None, "results": results})


async def _version(call: Call) -> Answer:
    model = _model(call.params)
    if call.params["version"] != model.version:
        raise errors.failure(404)
    return Whole(payload=catalogue.version(model))


async def _deployment(call: Call) -> Answer:
    found = catalogue.deployment(f"{call.params['owner']}/{call.params['name']}")
    if found is None:
        raise errors.failure(404)
    return Whole(payload=found)


async def _account(call: Call) -> Answer:
    return Whole(payload=catalogue.account(call.credential))


async def _secret(call: Call) -> Answer:
    return Whole(payload={"key": replicate_hooks.secret(call.credential)})


# Files.


async def _upload(call: Call) -> Answer:
    upload = uploads.add(call.world, call.credential, call.body, call.headers.get("content-type", ""))
    return Whole(payload=upload.shown(_base(call)), status=201)


async def _uploads(call: Call) -> Answer:
    base = _base(call)
    found = uploads.listed(call.world, call.credential)
    listed = page(found, dict(call.query), f"{base}/files", id=lambda one: one.id, show=lambda one: one.shown(base))
    return Whole(payload=listed)


async def _file(call: Call) -> Answer:
    upload = uploads.find(call.world, call.credential, call.params["id"])
    if upload is None:
        raise errors.failure(404)
    return Whole(payload=upload.shown(_base(call)))


async def _drop(call: Call) -> Answer:
    if not uploads.drop(call.world, call.credential, call.params["id"]):
        raise errors.failure(404)
    return Whole(payload=b"", status=204)


async def _download(call: Call) -> Answer:
    """The bytes of a file, for whoever has an address that its owner signed."""
    return uploads.download(call.world, call.params["id"], dict(call.query))


FACE = Face(
    name="replicate",
    title="Replicate",
    base="/v1",
    routes=(
        Route("POST", "/v1/predictions", _known(_by_version)),
        Route("GET", "/v1/predictions", _known(_list)),
        Route("GET", "/v1/predictions/{id}", _known(_get)),
        Route("POST", "/v1/predictions/{id}/cancel", _known(_cancel)),
        Route("POST", "/v1/models/{owner}/{name}/predictions", _known(_by_model)),
        Route("POST", "/v1/deployments/{owner}/{name}/predictions", _known(_by_deployment)),
        Route("GET", "/stream/v1/files/{token}", _stream),
        Route("GET", "/v1/models", _known(_models)),
        Route("GET", "/v1/models/{owner}/{name}", _known(_get_model)),
        Route("GET", "/v1/models/{owner}/{name}/versions", _known(_versions)),
        Route("GET", "/v1/models/{owner}/{name}/versions/{version}", _known(_version)),
        Route("GET", "/v1/deployments/{owner}/{name}", _known(_deployment)),
        Route("GET", "/v1/account", _known(_account)),
        Route("GET", "/v1/webhooks/default/secret", _known(_secret)),
        Route("POST", "/v1/files", _known(_upload)),
        Route("GET", "/v1/files", _known(_uploads)),
        Route("GET", "/v1/files/{id}", _known(_file)),
        Route("DELETE", "/v1/files/{id}", _known(_drop)),
        Route("GET", "/v1/files/{id}/download", _download),
    ),
    credential=_credential,
    refuse_key=errors.refuse_key,
    failure=errors.failure,
    error=errors.whole,
    stream_error=errors.in_stream,
    no_route=errors.no_route,
    wrong_method=errors.wrong_method,
    usage_keys=frozenset({"metrics"}),
    headers=lambda _number, _model: _limits(_LIMIT),
)
