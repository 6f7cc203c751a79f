"""A prediction of Replicate: how it comes about in time, and how the vendor shows it.

Its state is that of its job (`serving/jobs.py`), except that it succeeds only once its output is really there.
https://replicate.com/docs/reference/http#predictions.get
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.replicate_request import Asked
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.jobs import Job, Stage, Timeline

#: Seconds before the model starts.
_QUEUED = 0.5
_STEPS = (25, 50, 75)
_USUAL_STEPS = 28
#: How long the vendor keeps what a prediction was about.
_KEPT_MS = 3_600_000
FAILED = Stage(name="failed", ended=True, error="Prediction interrupted; please retry (code: PA)")
CANCELED = Stage(name="canceled", ended=True)
_ABORTED = Stage(name="aborted", ended=True)


@dataclass(slots=True, kw_only=True, eq=False)
class Prediction:
    """What belongs to a job of this vendor."""

    asked: Asked
    #: Where the sandbox is reached: `http://host:port`.
    origin: str
    #: What opens its stream.
    token: str
    seed: int
    #: Seconds that the model takes, whatever the speed of tasks.
    seconds: float
    #: A fault asks for an output without anything in it.
    empty: bool = False
    #: Whether its output is there, or known not to come.
    made: asyncio.Event = field(default_factory=asyncio.Event)
    made_ms: int = 0
    outputs: tuple[str, ...] = ()
    failure: str = ""


def new(asked: Asked, *, id: str, origin: str, body: bytes, empty: bool) -> Prediction:
    """A prediction without an output yet; the same call gets the same output."""
    given = asked.input.get("seed")
    if given is None or (given == 0 and asked.model.makes == "clip"):
        given = seeds.seed(body) % 2**31
    seed = int(given)
    dice = seeds.dice(seed, asked.model.name, "time")
    token = f"{id}-{seeds.hexadecimal(seeds.dice(id, clock.monotonic_ns()), 16)}"
    seconds = round(dice.uniform(1, 3), 6)
    return Prediction(asked=asked, origin=origin, token=token, seed=seed, seconds=seconds, empty=empty)


def timeline(prediction: Prediction) -> Timeline:
    """When it enters which stage, as usual."""
    running = [(_QUEUED + prediction.seconds * step / 100, Stage(name="processing", progress=step)) for step in _STEPS]
    return (
        (0.0, Stage(name="starting")),
        (_QUEUED, Stage(name="processing", progress=1)),
        *running,
        (_QUEUED + prediction.seconds, Stage(name="succeeded", progress=100, ended=True)),
    )


def expire(job: Job, life: int) -> None:
    """End it after so many seconds of its own time, if it has not ended by itself."""
    if job.timeline[-1][1].ended and job.timeline[-1][0] <= life:
        return
    kept = tuple((at, stage) for at, stage in job.timeline if at < life)
    started = kept[-1][1].name != "starting"
    job.timeline = (*kept, (float(life), CANCELED if started else _ABORTED))


def reached(job: Job) -> int:
    """The number of the stage that it has reached: the last one only once the output is there."""
    index = job.index()
    prediction: Prediction = job.data
    return index - 1 if job.timeline[index][1].name == "succeeded" and not prediction.made.is_set() else index


def stage_at(job: Job, index: int) -> Stage:
    """What the vendor shows of the stage with that number."""
    prediction: Prediction = job.data
    stage = job.timeline[index][1]
    if stage.name == "succeeded" and prediction.failure:
        return Stage(name="failed", progress=stage.progress, ended=True, error=prediction.failure)
    return stage


def log_of(job: Job, index: int) -> str:
    """What the model writes down as it enters that stage."""
    prediction: Prediction = job.data
    stage, shown = job.timeline[index][1], stage_at(job, index)
    if shown.error:
        return f"{shown.error}\n"
    if stage.name == "starting" or stage.name in (CANCELED.name, _ABORTED.name):
        return ""
    if stage.progress == 1:
        return f"Using seed: {prediction.seed}\n"
    given = prediction.asked.filled()
    total = int(given.get("num_inference_steps") or given.get("steps") or _USUAL_STEPS)
    bar = "█" * (stage.progress // 10)
    return f"{stage.progress:3d}%|{bar:10s}| {total * stage.progress // 100}/{total} [00:00<00:00, 12.00it/s]\n"


def output_at(job: Job, index: int) -> Any:
    """The output as far as it has come: addresses, or None."""
    prediction: Prediction = job.data
    stage, kind = stage_at(job, index), prediction.asked.model.output
    if stage.name == "succeeded":
        if prediction.empty:
            return None if kind == "one" else []
        return prediction.outputs[0] if kind == "one" else list(prediction.outputs)
    if kind == "steps" and prediction.made.is_set() and not stage.ended:
        return list(prediction.outputs[: (len(prediction.outputs) - 1) * stage.progress // 100]) or None
    return None


def shown(job: Job, index: int | None = None, *, now_ms: int | None = None) -> Object:
    """The prediction as the vendor tells it, in a stage by its number, None: in the one that it has reached."""
    prediction: Prediction = job.data
    asked = prediction.asked
    index = reached(job) if index is None else index
    stage = stage_at(job, index)
    ended_ms = max(job.entered_ms(index), prediction.made_ms if stage.name == "succeeded" else 0)
    removed = stage.ended and (clock.now_ms() if now_ms is None else now_ms) - ended_ms >= _KEPT_MS
    started = next((n for n, (_, one) in enumerate(job.timeline[: index + 1]) if one.name == "processing"), None)
    logs = "".join(log_of(job, number) for number in range(index + 1))
    told: Object = {
        "id": job.id,
        "model": asked.model.name,
        "version": asked.version,
        "input": {} if removed else asked.input,
        "logs": "" if removed else logs,
        "output": None if removed else output_at(job, index),
        "data_removed": removed,
        "error": stage.error or None,
        "source": "api",
        "status": stage.name,
        "created_at": moment(job.made_ms),
        "started_at": None if started is None else moment(job.entered_ms(started)),
        "completed_at": moment(ended_ms) if stage.ended else None,
        "metrics": _metrics(job, index, stage),
        "urls": urls(prediction, job.id),
    }
    if asked.life:
        told["deadline"] = moment(job.made_ms + asked.life * 1000)
    if asked.deployment:
        told["deployment"] = asked.deployment
    return told


def _metrics(job: Job, index: int, stage: Stage) -> Object:
    """What it took, once it has ended after it started."""
    prediction: Prediction = job.data
    if not stage.ended or stage.name == _ABORTED.name or job.timeline[index][0] < _QUEUED:
        return {}
    total = min(job.timeline[index][0], _QUEUED + prediction.seconds)
    told: Object = {"predict_time": round(total - _QUEUED, 6), "total_time": round(total, 6)}
    model = prediction.asked.model
    if stage.name == "succeeded" and model.official and model.makes in ("pictures", "drawing"):
        told["image_count"] = 0 if prediction.empty else len(prediction.outputs)
    return told


def urls(prediction: Prediction, id: str) -> Object:
    """Where more can be had."""
    base = f"{prediction.origin}/replicate"
    return {
        "get": f"{base}/v1/predictions/{id}",
        "cancel": f"{base}/v1/predictions/{id}/cancel",
        "stream": f"{base}/stream/v1/files/{prediction.token}",
        "web": f"https://replicate.com/p/{id}",
    }


def moment(ms: int) -> str:
    """A moment in RFC 3339."""
    return clock.utc(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"
