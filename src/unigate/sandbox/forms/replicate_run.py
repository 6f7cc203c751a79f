"""Lets a prediction of Replicate happen: keeps its job, makes its output beside it, and has its webhooks sent."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import replicate_errors as errors
from unigate.sandbox.forms import replicate_inputs
from unigate.sandbox.forms.replicate_hooks import Reporter
from unigate.sandbox.forms.replicate_make import Failed, Made, Order, make
from unigate.sandbox.forms.replicate_prediction import FAILED, Prediction, expire, new, timeline
from unigate.sandbox.forms.replicate_request import Asked
from unigate.sandbox.media.files import url
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, speed_of
from unigate.sandbox.serving.world import World

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ID_LENGTH = 26
#: Characters of an address that a prediction keeps; the vendor wants longer data to be uploaded.
_LONGEST_KEPT = 256 * 1024


async def begin(call: Call, asked: Asked) -> Job:
    """A prediction that has just begun. Raises what faults of accepting ask for."""
    world = call.world
    id = "".join(seeds.dice(call.number, clock.monotonic_ns()).choices(_ALPHABET, k=_ID_LENGTH))
    prediction = new(asked, id=id, origin=origin(call), body=call.body, empty="empty" in call.fault)
    job = Job(
        id=id,
        credential=call.credential,
        timeline=timeline(prediction),
        failed=FAILED,
        refuse=errors.failure,
        speed=speed_of(call.body, world.options.task_speed),
        fault=call.fault,
        data=prediction,
    )
    if asked.life:
        expire(job, asked.life)
    job.begin()
    world.shelf.put(prediction.token, "", job)

    world.jobs.keep(_produce(job, world))
    if asked.webhook:
        world.jobs.watch(job, Reporter().tell)
    await world.jobs.accepted(job)
    return job


async def finished(job: Job, world: World, seconds: float) -> bool:
    """Whether it ends within so many seconds; waits for it."""
    until = clock.monotonic() + seconds
    stage = await world.jobs.ended(job, seconds)
    if stage.name != "succeeded":
        return stage.ended
    try:
        async with asyncio.timeout(until - clock.monotonic()):
            await job.data.made.wait()
    except TimeoutError:
        return False
    return True


def origin(call: Call) -> str:
    """Where the caller reached the sandbox."""
    return f"http://{call.headers.get('host', 'localhost')}"


async def _produce(job: Job, world: World) -> None:
    """Make the output, or find out that there is none."""
    prediction: Prediction = job.data
    asked = prediction.asked
    made: tuple[Made, ...] = ()
    prediction.failure = FAILED.error
    try:
        files = await replicate_inputs.files(asked, world, job.credential)
        order = Order(model=asked.model, input=asked.filled(), files=files, seed=prediction.seed)
        prediction.asked = replace(asked, input={**asked.input, **_moved(asked, prediction.origin, files, world)})
        made = await asyncio.get_running_loop().run_in_executor(world.studio, make, order)
        prediction.failure = ""
    except Failed as failed:
        prediction.failure = str(failed)
    finally:
        kept = [world.files.put(one.data, one.ending) for one in made]
        prediction.outputs = tuple(url(prediction.origin, file.name) for file in kept)
        prediction.made_ms = clock.now_ms()
        prediction.made.set()


def _moved(asked: Asked, origin: str, files: Mapping[str, bytes], world: World) -> dict[str, str]:
    """Addresses of long data URLs, which are kept among the files of the sandbox from now on, since those are bounded."""
    long = [name for name in files if len(asked.input[name]) > _LONGEST_KEPT]
    return {name: url(origin, world.files.put(files[name], "bin").name) for name in long}
