"""Replicate: https://replicate.com/docs/reference/http. Predictions by version, by name and by deployment.

The vendor refuses community models by name, so these are sent with the version that we know. It has no key against a
second submission, and its list does not tell which of two equal predictions was ours: an order whose answer got lost
is not looked for.
"""

from dataclasses import replace

import msgspec

from unigate.base.errors import BadAnswer
from unigate.dialects import replicate_answer, replicate_images
from unigate.dialects.replicate_models import MODELS
from unigate.dialects.replicate_read import DEPLOYMENTS
from unigate.spec.provider import Provider
from unigate.spec.task import Accepted, Answered, Headers, Json, Message, Order, Pace, Progress, TaskApi

#: Of which the vendor tells: what changes the task.
_EVENTS = ["start", "output", "completed"]
_JSON_TYPE = (b"content-type", b"application/json")


def _submit(order: Order, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    """A prediction, of whichever of the three ways its model is called by."""
    chosen, span = order.body.get("version"), order.body.get("cancel_after")
    body: dict[str, object] = {name: order.body[name] for name in order.body if name not in {"version", "cancel_after"}}
    headers = (_JSON_TYPE, (b"cancel-after", b"%ds" % span)) if isinstance(span, int) else (_JSON_TYPE,)
    if order.callback:
        body |= {"webhook": order.callback, "webhook_events_filter": _EVENTS}
    name = order.model
    known = MODELS.get(name)
    if name.startswith(DEPLOYMENTS):
        return _posted(f"/{name}/predictions", body, headers)
    version = known.version if known is not None else ""
    if chosen:
        version = f"{name.partition(':')[0]}:{chosen}"
    elif known is None and ("/" not in name or ":" in name):
        version = name
    if not version:
        return _posted(f"/models/{name}/predictions", body, headers)
    return _posted("/predictions", {"version": version, **body}, headers)


def _posted(path: str, body: Json, headers: Headers) -> Message:
    return Message(method="POST", path=path, body=msgspec.json.encode(body), headers=headers)


def _submit_images(order: Order, options: Json) -> Message:
    """OpenAI's call for pictures as a prediction."""
    given = replicate_images.input_of(order.model, order.body)
    return _submit(replace(order, body={"input": given}), options)


def _accepted(order: Order, answered: Answered) -> Accepted:
    told = replicate_answer.read(answered)
    if not isinstance(told.get("id"), str) or not told["id"]:
        raise BadAnswer(detail="a prediction without an id")
    known = MODELS.get(order.model)
    handle = {"id": told["id"], "timed": known is None or known.unit == "milliseconds"}
    return Accepted(handle=handle, progress=replicate_answer.progress(handle, told, known))


def _poll(handle: Json, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    return Message(method="GET", path=f"/predictions/{handle['id']}")


def _cancel(handle: Json, options: Json) -> Message:  # noqa: ARG001 - as every provider's
    return Message(method="POST", path=f"/predictions/{handle['id']}/cancel")


def _progress(handle: Json, answered: Answered) -> Progress:
    told = replicate_answer.read(answered)
    return replicate_answer.progress(handle, told, MODELS.get(str(told.get("model", ""))))


_PREDICTIONS = TaskApi(
    submit=_submit,
    accepted=_accepted,
    poll=_poll,
    progress=_progress,
    calls_back=True,
    cancel=_cancel,
    canceled=_progress,
    pace=Pace(first=0.5, growth=1.2, longest=10.0, rate=40.0),
    deadline=7200.0,
)
_IMAGES = replace(_PREDICTIONS, submit=_submit_images, fits=replicate_images.fit)
PROVIDER = Provider(
    name="replicate",
    title="Replicate",
    base_url="https://api.replicate.com/v1",
    tasks={
        "replicate.predictions.create": _PREDICTIONS,
        "replicate.models.predictions.create": _PREDICTIONS,
        "replicate.deployments.predictions.create": _PREDICTIONS,
        "openai.images.generations.tasks": _IMAGES,
    },
    # The vendor's list has all public models of the world.
    models_path="",
    probe=Message(method="GET", path="/account"),
    read_probe=replicate_answer.read,
)
